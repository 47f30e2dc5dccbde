//! `[http]`: ingest, metrics and health beside MQTT. Nothing listens unless it is configured.

use core::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bytes, ClientName, Config, Fault, TlsFiles, TlsKeys};
use crate::http::server;
use crate::mapping::{Found, Mapped};

/// `[http]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port; nothing listens without.
    pub listen: Option<SocketAddr>,
    /// Connections at once.
    pub connections_max: u16,
    /// Largest body.
    pub body_bytes_max: Bytes,
    /// The topic of what is posted, with `{device}` where the device stands.
    pub topic: String,
    /// The server's certificate and what follows it in the chain, PEM: turns TLS on.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key: Option<PathBuf>,
    /// Who signs the certificates of clients, PEM: turns their verification on.
    pub client_ca: Option<PathBuf>,
    /// Which of those are revoked, PEM.
    pub crl_file: Option<PathBuf>,
    /// Turns clients without a certificate away.
    pub require_client_certificate: bool,
    /// Where in a client's certificate its user's name stands.
    pub client_name: ClientName,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: None,
            connections_max: 64,
            body_bytes_max: Bytes(64 * 1024),
            topic: "sensors/{device}".to_owned(),
            certificate: None,
            key: None,
            client_ca: None,
            crl_file: None,
            require_client_certificate: false,
            client_name: ClientName::Cn,
        }
    }
}

impl Http {
    /// Its files, if it has TLS.
    #[must_use]
    pub fn tls(&self) -> Option<TlsFiles> {
        self.tls_keys().files()
    }

    fn tls_keys(&self) -> TlsKeys {
        TlsKeys {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
            crl_file: self.crl_file.clone(),
            require_client_certificate: self.require_client_certificate,
            client_name: self.client_name,
        }
    }
}

impl Config {
    pub(super) fn check_http(&self, check: &mut impl FnMut(bool, Fault)) {
        let http = &self.http;
        let Some(listen) = http.listen else { return };
        check(
            !self.broker.allow_anonymous || listen.ip().is_loopback(),
            Fault::at(
                "http.listen",
                format!("anyone on the network of {listen} could post"),
                "set `broker.credentials = \"FILE\"` instead of `allow_anonymous`, or listen on 127.0.0.1",
            ),
        );
        check(
            (1..=1_000).contains(&http.connections_max),
            Fault::at("http.connections_max", "out of range", "choose 1 to 1000"),
        );
        check(
            (1024..=(1 << 20)).contains(&http.body_bytes_max.0),
            Fault::at("http.body_bytes_max", "out of range", "choose 1KiB to 1MiB"),
        );
        http.tls_keys().check(&|name| format!("http.{name}"), check);
        let topic = http.topic.replace("{device}", "d");
        let found = self.mapping();
        let is_device = matches!(
            found.find(&topic),
            Some(Found::Readings(Mapped {
                device: Some("d"),
                signal: None,
                ..
            }))
        );
        check(
            is_device,
            Fault::at(
                "http.topic",
                "no [[mapping]] finds a device in it, and leaves the signal to the payload",
                "write for example `sensors/{device}`, and map it",
            ),
        );
    }

    /// For the HTTP server.
    #[must_use]
    pub fn http_settings(&self) -> server::Settings {
        server::Settings {
            topic: self.http.topic.clone(),
            body_bytes_max: usize::try_from(self.http.body_bytes_max.0).unwrap_or(usize::MAX),
            connections_max: usize::from(self.http.connections_max),
        }
    }
}
