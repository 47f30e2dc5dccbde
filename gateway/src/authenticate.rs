//! Checks who a client is: certificates and tokens at once, passwords one at a time on a thread of their own.
//!
//! A wrong guess slows the next one from its address (see [`throttle`](crate::throttle)). What a file says is held against
//! live sessions as soon as it changes: a session goes on as long as its user is there with the secret that it proved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::broker::auth::Credentials;
use crate::broker::{ConnectionId, Refusal, Rights};
use crate::limits::{AUTHENTICATIONS_MAX, AUTHENTICATIONS_PER_ORIGIN_MAX};
use crate::refusals::{Refusals, Refused};
use crate::secrets;
use crate::throttle::{Throttle, Turn};
use crate::tokens::Tokens;
use crate::transport::Guest;

/// The gateway as a client of its own broker; no user of a file can be called so.
const OWN_USER: &str = "the gateway";

/// The answer to one client.
pub type Verdict = Result<Admitted, Refusal>;

/// A client that is let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What it may do.
    pub rights: Rights,
    /// What it is let in by.
    pub proof: Proof,
}

/// What a client is let in by; without it the client has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The config lets anyone in.
    Open,
    /// The credentials file lets anyone in.
    Anonymous,
    /// TLS or the system says which user it is.
    Certified,
    /// It is the gateway itself.
    Own,
    /// It knew what stands behind this secret.
    Secret(Arc<str>),
}

/// Checks clients against one credentials file.
pub struct Authenticator {
    credentials: Credentials,
    tokens: Tokens,
    /// What a client without a name may do, where the config lets anyone in.
    open: Option<Rights>,
    throttle: Throttle,
    /// Attempts that wait for their time: one for each address at most.
    delayed: Vec<(u64, Attempt)>,
    /// Attempts whose password is being checked, in order.
    checking: VecDeque<Attempt>,
    queue: SyncSender<Question>,
    refusals: Arc<Refusals>,
}

/// A client that has said who it is.
#[derive(Debug)]
pub struct Attempt {
    /// Its connection.
    pub connection: ConnectionId,
    /// Where it comes from, and who it is by certificate.
    pub guest: Guest,
    /// The name that it gave.
    pub username: Option<Box<str>>,
    /// The password that it gave; without a name it is a token, which says whose it is.
    pub password: Box<[u8]>,
}

/// A password to be checked.
struct Question {
    connection: ConnectionId,
    secret: Arc<str>,
    password: Box<[u8]>,
}

/// A password's check is done.
#[derive(Clone, Debug)]
pub struct Answer {
    connection: ConnectionId,
    secret: Arc<str>,
    proved: bool,
}

impl Authenticator {
    /// Starts the thread; `answer` is called there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        credentials: Credentials,
        open: Option<Rights>,
        refusals: Arc<Refusals>,
        answer: impl Fn(Answer) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, questions) = sync_channel::<Question>(AUTHENTICATIONS_MAX);
        thread::Builder::new()
            .name("passwords".into())
            .spawn(move || {
                for question in questions {
                    answer(Answer {
                        proved: secrets::verify(&question.secret, &question.password),
                        connection: question.connection,
                        secret: question.secret,
                    });
                }
            })?;
        Ok(Self {
            tokens: Tokens::of(&credentials),
            credentials,
            open,
            throttle: Throttle::default(),
            delayed: Vec::new(),
            checking: VecDeque::new(),
            queue,
            refusals,
        })
    }

    /// Checks a client: the verdict, or `None` if it will come through [`due`](Self::due) or [`answered`](Self::answered).
    #[must_use]
    pub fn check(&mut self, attempt: Attempt, now_ms: u64) -> Option<Verdict> {
        if let Some(admitted) = self.recognize(&attempt) {
            return Some(Ok(admitted));
        }
        match attempt.guest.origin {
            None => self.hear(attempt, now_ms),
            Some(origin) => match self.throttle.attempt(origin, now_ms) {
                Turn::Now => self.hear(attempt, now_ms),
                Turn::At(at_ms) => {
                    self.delayed.push((at_ms, attempt));
                    None
                }
                Turn::Never => {
                    self.refusals.add(Refused::Throttled);
                    Some(Err(Refusal::Throttled))
                }
            },
        }
    }

    /// When [`due`](Self::due) has something, ms.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.delayed.iter().map(|(at_ms, _)| *at_ms).min()
    }

    /// Hears one attempt whose time has come; its verdict, if there is one at once.
    pub fn due(&mut self, now_ms: u64) -> Option<(ConnectionId, Option<Verdict>)> {
        let index = self
            .delayed
            .iter()
            .position(|(at_ms, _)| *at_ms <= now_ms)?;
        let (_, attempt) = self.delayed.swap_remove(index);
        attempt
            .guest
            .origin
            .inspect(|origin| self.throttle.heard(*origin));
        let connection = attempt.connection;
        Some((connection, self.hear(attempt, now_ms)))
    }

    /// Takes what the thread found; the file may have changed meanwhile.
    pub fn answered(&mut self, answer: &Answer, now_ms: u64) -> Option<(ConnectionId, Verdict)> {
        // The thread answers in order; attempts whose connection is gone have left.
        let at = |attempt: &Attempt| attempt.connection == answer.connection;
        let index = self.checking.iter().position(at)?;
        let attempt = self.checking.remove(index)?;
        let found = attempt
            .username
            .as_deref()
            .and_then(|name| self.credentials.find(name));
        let verdict = match found {
            Some((secret, rights)) if answer.proved && **secret == *answer.secret => Ok(Admitted {
                rights,
                proof: Proof::Secret(Arc::clone(&answer.secret)),
            }),
            _ => Err(self.fail(&attempt, now_ms)),
        };
        Some((attempt.connection, verdict))
    }

    /// The client is gone: its attempt is dropped.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.checking
            .retain(|attempt| attempt.connection != connection);
        if let Some(index) = self
            .delayed
            .iter()
            .position(|(_, attempt)| attempt.connection == connection)
        {
            let (_, attempt) = self.delayed.swap_remove(index);
            attempt
                .guest
                .origin
                .inspect(|origin| self.throttle.heard(*origin));
        }
    }

    /// From now on this file holds.
    pub fn replace(&mut self, credentials: Credentials) {
        self.tokens = Tokens::of(&credentials);
        self.credentials = credentials;
    }

    /// What a client may do by the file as it is now, which `user` was let in by `proof`.
    ///
    /// # Errors
    /// Its user is gone, or has another secret by now.
    pub fn renew(&self, user: &str, proof: &Proof) -> Result<Rights, Refusal> {
        let found = self.credentials.find(user);
        let rights = match proof {
            Proof::Own => Some(Rights::all(OWN_USER)),
            Proof::Open => self.open.clone(),
            Proof::Anonymous => self.credentials.anonymous(),
            Proof::Certified => found.map(|(_, rights)| rights),
            Proof::Secret(proved) => found
                .filter(|(secret, _)| *secret == proved)
                .map(|(_, rights)| rights),
        };
        rights.ok_or_else(|| {
            self.refusals.add(Refused::RightsTaken);
            Refusal::NotAuthorized
        })
    }

    /// Who is known without a guess: by certificate, by token, or because anyone may come in.
    fn recognize(&self, attempt: &Attempt) -> Option<Admitted> {
        if attempt.guest.is_own {
            let (rights, proof) = (Rights::all(OWN_USER), Proof::Own);
            return Some(Admitted { rights, proof });
        }
        let name = attempt.username.as_deref();
        if let Some(certified) = attempt.guest.user.as_deref() {
            // A name beside the certificate has to be the same one.
            if name.is_none_or(|name| name == certified) {
                return match self.credentials.find(certified) {
                    Some((_, rights)) => Some(Admitted {
                        rights,
                        proof: Proof::Certified,
                    }),
                    None => self.let_anyone_in(),
                };
            }
            return None;
        }
        let device = match name {
            None if !attempt.password.is_empty() => self.tokens.find(&attempt.password),
            _ => None,
        };
        let Some(name) = name.or(device.as_deref()) else {
            return self.let_anyone_in().or_else(|| {
                // A token that is wrong is not nobody's.
                let is_nobody = attempt.password.is_empty();
                let rights = self.credentials.anonymous().filter(|_| is_nobody)?;
                let proof = Proof::Anonymous;
                Some(Admitted { rights, proof })
            });
        };
        let Some((secret, rights)) = self.credentials.find(name) else {
            return self.let_anyone_in();
        };
        let known = !secrets::is_slow(secret) && secrets::verify(secret, &attempt.password);
        known.then(|| Admitted {
            rights,
            proof: Proof::Secret(Arc::clone(secret)),
        })
    }

    fn let_anyone_in(&self) -> Option<Admitted> {
        self.open.clone().map(|rights| Admitted {
            rights,
            proof: Proof::Open,
        })
    }

    /// Decides on a guess. A name that nobody has is checked as long as one that somebody has, so that neither can be told
    /// from the other.
    fn hear(&mut self, mut attempt: Attempt, now_ms: u64) -> Option<Verdict> {
        let secret: Arc<str> = match attempt.username.as_deref() {
            None => return Some(Err(self.fail(&attempt, now_ms))),
            Some(_) if attempt.guest.user.is_some() => {
                return Some(Err(self.fail(&attempt, now_ms)));
            }
            Some(name) => match self.credentials.find(name) {
                Some((secret, _)) if secrets::is_slow(secret) => Arc::clone(secret),
                Some(_) => return Some(Err(self.fail(&attempt, now_ms))),
                None => Arc::from(secrets::NOBODY),
            },
        };
        let from_there = self
            .checking
            .iter()
            .filter(|other| other.guest.origin == attempt.guest.origin);
        let question = Question {
            connection: attempt.connection,
            secret,
            password: core::mem::take(&mut attempt.password),
        };
        if from_there.count() >= usize::from(AUTHENTICATIONS_PER_ORIGIN_MAX)
            || self.queue.try_send(question).is_err()
        {
            self.refusals.add(Refused::PasswordsFull);
            return Some(Err(Refusal::Busy));
        }
        self.checking.push_back(attempt);
        None
    }

    fn fail(&mut self, attempt: &Attempt, now_ms: u64) -> Refusal {
        self.refusals.add(Refused::Credentials);
        if let Some(origin) = attempt.guest.origin {
            self.throttle.failed(origin, now_ms);
        }
        Refusal::Credentials
    }
}

#[cfg(test)]
mod tests;
