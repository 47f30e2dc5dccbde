//! Certificates and credentials while the gateway runs: looked at every few seconds, and at once on SIGHUP.
//!
//! What cannot be used changes nothing: the old one stays, the log says why, and so does the status until it is mended.

use core::time::Duration;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::fingerprint::Watched;
use super::identity::Identity;
use crate::config::Broker;
use crate::credentials_file;
use crate::limits::RELOAD_INTERVAL_MS;
use crate::run::Report;

/// What is reloaded beside the doors' own certificates, and who is told.
#[derive(Debug)]
pub struct Reload {
    credentials: Option<(PathBuf, Watched)>,
    users_max: usize,
    reporter: mpsc::Sender<Report>,
}

impl Reload {
    /// Watches the credentials file as it looks now: to be called before it is read.
    #[must_use]
    pub fn new(broker: &Broker, reporter: mpsc::Sender<Report>) -> Self {
        let credentials = broker.credentials.clone().map(|path| {
            let watched = Watched::new([path.clone()]);
            (path, watched)
        });
        Self {
            credentials,
            users_max: broker.users_max.into(),
            reporter,
        }
    }

    /// What went wrong, if something did.
    async fn reload_credentials(&mut self, asked: bool) -> Option<Result<(), String>> {
        let (path, watched) = self.credentials.as_mut()?;
        if !watched.changed() && !asked {
            return None;
        }
        match credentials_file::read(path, self.users_max) {
            Ok(credentials) => {
                tracing::info!(file = %path.display(), users = credentials.len(), "credentials reloaded");
                let report = Report::Credentials(Box::new(credentials));
                // The loop is gone only when the process ends.
                let _ = self.reporter.send(report).await;
                Some(Ok(()))
            }
            Err(error) => Some(Err(error.to_string())),
        }
    }
}

/// Looks after the files as long as the doors are open.
pub(super) async fn keep_current(identities: Vec<Rc<Identity>>, mut reload: Reload) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "files are not reloaded"),
    };
    let mut faults: Vec<Option<String>> = vec![None; identities.len() + 1];
    loop {
        let asked = tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(RELOAD_INTERVAL_MS)) => false,
            _ = hangup.recv() => true,
        };
        let mut found: Vec<_> = identities
            .iter()
            .map(|identity| identity.reload(asked))
            .collect();
        found.push(reload.reload_credentials(asked).await);
        let mut told = false;
        for (fault, result) in faults.iter_mut().zip(found) {
            let Some(result) = result else { continue };
            told = true;
            *fault = result
                .inspect_err(|error| {
                    tracing::error!(%error, "cannot reload; what held before holds on");
                })
                .err();
        }
        if told {
            let fault = faults.iter().flatten().next().cloned();
            // The loop is gone only when the process ends.
            let _ = reload.reporter.send(Report::Reloaded { fault }).await;
        }
    }
}
