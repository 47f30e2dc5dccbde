//! What a listener shows of itself and asks of its clients: TLS from its files, and made anew when they change.

use core::cell::RefCell;
use std::sync::Arc;

use rustls::ServerConfig;

use super::certificate::{self, CertificateError};
use super::fingerprint::Watched;
use crate::config::TlsFiles;

/// The TLS of one listener.
#[derive(Debug)]
pub struct Identity {
    files: TlsFiles,
    config: RefCell<Arc<ServerConfig>>,
    watched: RefCell<Watched>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`] says which file, and what is wrong with it.
    pub(super) fn load(files: TlsFiles) -> Result<Self, CertificateError> {
        let watched = Watched::new(files.paths());
        let config = certificate::load(&files)?;
        Ok(Self {
            files,
            config: RefCell::new(config),
            watched: RefCell::new(watched),
        })
    }

    /// What holds for the next handshake.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// The user that a client's verified certificate (DER) names.
    #[must_use]
    pub fn user(&self, certificate: &[u8]) -> Option<Arc<str>> {
        certificate::user(certificate, self.files.client_name)
    }

    /// Reads the files anew if one has changed, or if `asked`; what went wrong, if something did. Then the old ones hold.
    pub(super) fn reload(&self, asked: bool) -> Option<Result<(), String>> {
        if !self.watched.borrow_mut().changed() && !asked {
            return None;
        }
        match certificate::load(&self.files) {
            Ok(config) => {
                tracing::info!(file = %self.files.certificate.display(), "certificate reloaded");
                self.config.replace(config);
                Some(Ok(()))
            }
            Err(error) => Some(Err(error.to_string())),
        }
    }
}
