//! The keys by which a listener has TLS, the same for MQTT and for HTTP.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Fault;

/// Where in a certificate the user's name stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientName {
    /// The subject's common name.
    #[default]
    Cn,
    /// The first DNS name, mail address or URI among the subject's alternative names.
    San,
}

/// What the keys say, whole or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsKeys {
    /// `certificate`: the server's and what follows it in the chain, PEM.
    pub certificate: Option<PathBuf>,
    /// `key`: the certificate's private key, PEM.
    pub key: Option<PathBuf>,
    /// `client_ca`: who signs the certificates of clients, PEM.
    pub client_ca: Option<PathBuf>,
    /// `crl_file`: which of those are revoked, PEM.
    pub crl_file: Option<PathBuf>,
    /// `require_client_certificate`: turns clients without one away.
    pub require_client_certificate: bool,
    /// `client_name`: where the user stands.
    pub client_name: ClientName,
}

/// The files of a listener with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// The authority of clients.
    pub client_ca: Option<PathBuf>,
    /// Certificates of clients that are revoked.
    pub crl_file: Option<PathBuf>,
    /// A client has to show a certificate.
    pub require_client_certificate: bool,
    /// Where the user stands in it.
    pub client_name: ClientName,
}

impl TlsFiles {
    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let all = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
            self.crl_file.as_ref(),
        ];
        all.into_iter().flatten().cloned()
    }
}

impl TlsKeys {
    /// The files, if the keys turn TLS on.
    #[must_use]
    pub fn files(self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.certificate?,
            key: self.key?,
            client_ca: self.client_ca,
            crl_file: self.crl_file,
            require_client_certificate: self.require_client_certificate,
            client_name: self.client_name,
        })
    }

    /// Checks the keys against each other; `key` makes the whole key of a name.
    pub(super) fn check(&self, key: &impl Fn(&str) -> String, check: &mut impl FnMut(bool, Fault)) {
        check(
            self.certificate.is_some() == self.key.is_some(),
            Fault::at(
                key("certificate"),
                "TLS needs both a certificate and its key",
                "set `certificate` and `key`, or neither",
            ),
        );
        check(
            self.client_ca.is_none() || self.certificate.is_some(),
            Fault::at(
                key("client_ca"),
                "certificates of clients come over TLS only",
                "set `certificate` and `key` as well",
            ),
        );
        for (name, is_set) in [
            ("crl_file", self.crl_file.is_some()),
            (
                "require_client_certificate",
                self.require_client_certificate,
            ),
        ] {
            check(
                !is_set || self.client_ca.is_some(),
                Fault::at(
                    key(name),
                    "no certificate could be verified",
                    "set `client_ca` to the file of who signs them",
                ),
            );
        }
    }
}
