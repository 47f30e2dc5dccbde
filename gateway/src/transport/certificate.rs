//! From PEM files to a TLS configuration, and from a client's certificate to a user's name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Any, Decode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::config::{ClientName, TlsFiles};
use crate::limits::CERTIFICATE_FILE_BYTES_MAX;

/// Why a listener has no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} holds no {what} in PEM form: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// Certificate and key do not fit, or rustls has no use for them.
    #[error("{}: {source}; does the key belong to the certificate?", path.display())]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The list of revoked certificates is none.
    #[error("{} is no list of revoked certificates: {reason}", path.display())]
    Revoked {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The authority is none.
    #[error("{} cannot vouch for clients: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the files of a listener.
///
/// # Errors
/// [`CertificateError`] says which file, and what is wrong with it.
pub(super) fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, CertificateError> {
    let chain = certificates(&files.certificate)?;
    let bytes = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|source| CertificateError::Pem {
        path: files.key.clone(),
        what: "private key",
        source,
    })?;
    let verifier = match &files.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(authority) => verifier(files, authority)?,
    };
    server_config(verifier, chain, key).map_err(|source| CertificateError::Pair {
        path: files.certificate.clone(),
        source,
    })
}

/// The configuration of all listeners.
///
/// Sessions are not resumed: a client proves itself anew each time, and nothing is kept for those that are gone.
///
/// # Errors
/// rustls says what is wrong with certificate or key.
pub(crate) fn server_config(
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let versions = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Who may come in by a certificate. A list of revoked ones that is out of date holds on: a box that was offline for a month
/// has to let its devices in.
fn verifier(
    files: &TlsFiles,
    path: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let provider = Arc::new(ring::default_provider());
    let mut verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider);
    if let Some(path) = &files.crl_file {
        verifier = verifier.with_crls(revoked(path)?);
    }
    if !files.require_client_certificate {
        verifier = verifier.allow_unauthenticated();
    }
    verifier.build().map_err(|error| match &files.crl_file {
        Some(path) if matches!(error, VerifierBuilderError::InvalidCrl(_)) => {
            let (path, reason) = (path.clone(), error.to_string());
            CertificateError::Revoked { path, reason }
        }
        _ => authority(path, &error.to_string()),
    })
}

fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateError> {
    let fail = |source| CertificateError::Pem {
        path: path.to_owned(),
        what: "list of revoked certificates",
        source,
    };
    let lists = CertificateRevocationListDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    if lists.is_empty() {
        return Err(fail(pem::Error::NoItemsFound));
    }
    Ok(lists)
}

/// The user that a client's certificate names; `None` if it names none in that place.
#[must_use]
pub(super) fn user(certificate: &[u8], place: ClientName) -> Option<Arc<str>> {
    let certificate = Certificate::from_der(certificate).ok()?.tbs_certificate;
    match place {
        ClientName::Cn => {
            // The most specific one stands last.
            let mut names = certificate.subject.0.iter().flat_map(|set| set.0.iter());
            let common = names.rfind(|name| name.oid == COMMON_NAME)?;
            text(&common.value)
        }
        ClientName::San => {
            let (_, names) = certificate.get::<SubjectAltName>().ok()??;
            names.0.iter().find_map(|name| match name {
                GeneralName::DnsName(name) => Some(Arc::from(name.as_str())),
                GeneralName::Rfc822Name(name) => Some(Arc::from(name.as_str())),
                GeneralName::UniformResourceIdentifier(name) => Some(Arc::from(name.as_str())),
                _ => None,
            })
        }
    }
}

fn text(value: &Any) -> Option<Arc<str>> {
    match value.tag() {
        Tag::Utf8String => Some(Arc::from(
            value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str(),
        )),
        Tag::PrintableString => Some(Arc::from(
            value.decode_as::<PrintableStringRef<'_>>().ok()?.as_str(),
        )),
        Tag::TeletexString => Some(Arc::from(
            value.decode_as::<TeletexStringRef<'_>>().ok()?.as_str(),
        )),
        _ => None,
    }
}

fn roots(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| authority(path, &error.to_string()))?;
    }
    Ok(roots)
}

fn authority(path: &Path, reason: &str) -> CertificateError {
    CertificateError::Authority {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let fail = |source| CertificateError::Pem {
        path: path.to_owned(),
        what: "certificate",
        source,
    };
    let bytes = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    if chain.is_empty() {
        return Err(fail(pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let fail = |source| CertificateError::File {
        path: path.to_owned(),
        source,
    };
    let len = std::fs::metadata(path).map_err(fail)?.len();
    if len > CERTIFICATE_FILE_BYTES_MAX {
        return Err(fail(io::Error::other(
            "too large to be a certificate or a key",
        )));
    }
    std::fs::read(path).map_err(fail)
}
