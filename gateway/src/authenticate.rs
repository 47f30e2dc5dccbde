//! Checks names and passwords beside the loop: tokens at once, passwords one at a time on a thread of their own.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use crate::broker::ConnectionId;
use crate::broker::auth::Credentials;
use crate::broker::{Refusal, Rights};
use crate::limits::AUTHENTICATIONS_MAX;
use crate::secrets;

/// The answer to one client.
pub type Verdict = Result<Rights, Refusal>;

/// Checks clients against one credentials file.
pub struct Authenticator {
    credentials: Credentials,
    /// What a client without a name may do, where the config lets anyone in.
    open: Option<Rights>,
    queue: SyncSender<Question>,
}

/// A password that waits to be checked.
struct Question {
    connection: ConnectionId,
    secret: String,
    password: Vec<u8>,
    rights: Rights,
}

impl Authenticator {
    /// Starts the thread; `answer` is called there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        credentials: Credentials,
        open: Option<Rights>,
        answer: impl Fn(ConnectionId, Verdict) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, questions) = sync_channel::<Question>(AUTHENTICATIONS_MAX);
        thread::Builder::new()
            .name("passwords".into())
            .spawn(move || {
                for question in questions {
                    let proved = secrets::verify(&question.secret, &question.password);
                    let verdict = if proved {
                        Ok(question.rights)
                    } else {
                        Err(Refusal::Credentials)
                    };
                    answer(question.connection, verdict);
                }
            })?;
        Ok(Self {
            credentials,
            open,
            queue,
        })
    }

    /// Checks a client: the verdict, or `None` if it will come through `answer`.
    #[must_use]
    pub fn check(
        &self,
        connection: ConnectionId,
        username: Option<&str>,
        password: Option<&[u8]>,
    ) -> Option<Verdict> {
        let Some(username) = username else {
            let rights = self.open.clone().or_else(|| self.credentials.anonymous());
            return Some(rights.ok_or(Refusal::Credentials));
        };
        let Some((secret, rights)) = self.credentials.find(username) else {
            return Some(self.open.clone().ok_or(Refusal::Credentials));
        };
        let password = password.unwrap_or_default();
        if !secrets::is_slow(secret) {
            let proved = secrets::verify(secret, password);
            return Some(if proved {
                Ok(rights)
            } else {
                Err(Refusal::Credentials)
            });
        }
        let question = Question {
            connection,
            secret: secret.to_owned(),
            password: password.to_vec(),
            rights,
        };
        match self.queue.try_send(question) {
            Ok(()) => None,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Some(Err(Refusal::Busy)),
        }
    }
}
