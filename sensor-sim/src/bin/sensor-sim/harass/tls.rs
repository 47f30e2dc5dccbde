//! A bad citizen who knocks at the broker's TLS door with a certificate of his own.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, ClientConnection, RootCertStore};

use super::raw::{Answer, Answers, Raw, note};
use crate::cli::TlsDoor;
use crate::publish::resolve;

/// Where the door is, and what is shown there.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Door {
    /// The door of the command line.
    pub(crate) fn new(options: &TlsDoor) -> Result<Self> {
        let (target, ca) = (&options.tls_target, &options.tls_ca);
        let host = target.rsplit_once(':').map_or(&**target, |(host, _)| host);
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots
                .add(certificate)
                .with_context(|| format!("{}", ca.display()))?;
        }
        let key = PrivateKeyDer::from_pem_file(&options.tls_key)
            .with_context(|| format!("cannot read {}", options.tls_key.display()))?;
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_client_auth_cert(certificates(&options.tls_certificate)?, key)?;
        Ok(Self {
            address: resolve(target)?,
            name: ServerName::try_from(host.to_owned())?,
            config: Arc::new(config),
        })
    }

    /// Shakes hands, sends `first` as one who is in, and waits for what comes back.
    pub(crate) async fn knock(
        &self,
        raw: &mut Raw,
        first: &[u8],
        wait: Duration,
        answers: &Answers,
    ) -> Answer {
        let config = Arc::clone(&self.config);
        let Ok(mut session) = ClientConnection::new(config, self.name.clone()) else {
            note(answers, "no TLS session on this side");
            return Answer::Closed;
        };
        let mut is_in = false;
        loop {
            if !session.is_handshaking() && !is_in {
                is_in = true;
                // It is taken into the session's buffer.
                let _ = session.writer().write_all(first);
            }
            let mut out = Vec::new();
            while session.wants_write() {
                // A vector takes all.
                let _ = session.write_tls(&mut out);
            }
            if !out.is_empty() && !raw.send(&out).await {
                return Answer::Closed;
            }
            let Some(bytes) = raw.receive(wait).await else {
                return Answer::Closed;
            };
            match take(&mut session, &bytes) {
                Ok(0) => {}
                Ok(_) => {
                    note(answers, "let in by TLS: an answer of the broker");
                    return Answer::Accepted;
                }
                Err(error) => {
                    note(answers, name_of(&error));
                    return Answer::Refused;
                }
            }
        }
    }
}

/// Hands bytes to the session; how many of the broker's came out.
fn take(session: &mut ClientConnection, mut bytes: &[u8]) -> Result<usize, rustls::Error> {
    let mut plain = 0;
    while !bytes.is_empty() {
        if session.read_tls(&mut bytes).is_err() {
            break;
        }
        plain = session.process_new_packets()?.plaintext_bytes_to_read();
    }
    Ok(plain)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let failed = || format!("cannot read {}", path.display());
    CertificateDer::pem_file_iter(path)
        .with_context(failed)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(failed)
}

const fn name_of(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => "TLS alert: certificate expired",
            AlertDescription::UnknownCA => "TLS alert: unknown CA",
            AlertDescription::BadCertificate => "TLS alert: bad certificate",
            AlertDescription::CertificateRequired => "TLS alert: certificate required",
            _ => "TLS alert: another",
        },
        rustls::Error::InvalidCertificate(_) => "the broker's certificate is not of --tls-ca",
        _ => "TLS failed",
    }
}
