//! `[[broker.listeners]]`: the ways in beside `broker.listen`.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Broker, ClientName, Fault, TlsFiles, TlsKeys};
use crate::limits::LISTENERS_MAX;

/// One `[[broker.listeners]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Where: `"0.0.0.0:8883"`, or `"unix:/run/tidegate/mqtt.sock"`.
    pub listen: Place,
    /// What is spoken there.
    #[serde(default)]
    pub protocol: Protocol,
    /// The server's certificate and what follows it in the chain, PEM: turns TLS on.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key: Option<PathBuf>,
    /// Who signs the certificates of clients, PEM: turns their verification on.
    pub client_ca: Option<PathBuf>,
    /// Which of those are revoked, PEM.
    pub crl_file: Option<PathBuf>,
    /// Turns clients without a certificate away.
    #[serde(default)]
    pub require_client_certificate: bool,
    /// Where in a client's certificate its user's name stands.
    #[serde(default)]
    pub client_name: ClientName,
    /// Mode of the Unix socket, octal.
    pub mode: Option<Mode>,
    /// Users of clients on the Unix socket by their uid, who then need no password.
    #[serde(default)]
    pub uids: BTreeMap<String, String>,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// MQTT as it is.
    #[default]
    Mqtt,
    /// MQTT over WebSocket, at `/mqtt`.
    Websocket,
}

/// Permissions of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Listener {
    /// A plain listener, as `broker.listen` is one.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            listen: Place::Tcp(address),
            protocol: Protocol::Mqtt,
            certificate: None,
            key: None,
            client_ca: None,
            crl_file: None,
            require_client_certificate: false,
            client_name: ClientName::Cn,
            mode: None,
            uids: BTreeMap::new(),
        }
    }

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

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.listen {
            Place::Tcp(address) => address.ip().is_loopback(),
            Place::Unix(_) => true,
        }
    }
}

impl Broker {
    /// All ways in: `listen`, then `[[broker.listeners]]`.
    pub fn ways_in(&self) -> impl Iterator<Item = Listener> + '_ {
        core::iter::once(Listener::plain(self.listen)).chain(self.listeners.iter().cloned())
    }

    pub(super) fn check_listeners(&self, check: &mut impl FnMut(bool, Fault)) {
        check(
            self.listeners.len() <= LISTENERS_MAX,
            Fault::at(
                "broker.listeners",
                "too many",
                format!("give at most {LISTENERS_MAX} [[broker.listeners]]"),
            ),
        );
        for (index, listener) in self.listeners.iter().enumerate() {
            let key = |name: &str| format!("broker.listeners[{index}].{name}");
            check(
                !self.allow_anonymous || listener.is_local(),
                Fault::at(
                    key("listen"),
                    "anyone on the network could publish, for `allow_anonymous` is set",
                    "set `credentials = \"FILE\"` instead, or listen on 127.0.0.1",
                ),
            );
            listener.tls_keys().check(&key, check);
            listener.check_unix(&key, check);
        }
    }
}

impl Listener {
    fn check_unix(&self, key: &impl Fn(&str) -> String, check: &mut impl FnMut(bool, Fault)) {
        let unix = matches!(self.listen, Place::Unix(_));
        check(
            unix || (self.mode.is_none() && self.uids.is_empty()),
            Fault::at(
                key("listen"),
                "`mode` and `uids` are for Unix sockets",
                "listen on \"unix:/PATH\", or leave them out",
            ),
        );
        check(
            self.uids.keys().all(|uid| uid.parse::<u32>().is_ok()),
            Fault::at(
                key("uids"),
                "a key is no uid",
                "write uids = { 1000 = \"anna\" }; `id -u NAME` tells the number",
            ),
        );
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tcp(address) => serializer.collect_str(address),
            Self::Unix(path) => serializer.collect_str(&format_args!("unix:{}", path.display())),
        }
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04o}", self.0))
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(path) = text
            .strip_prefix("unix:")
            .filter(|path| path.starts_with('/'))
        {
            return Ok(Self::Unix(path.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            de::Error::custom(
                "expected an address and port such as \"0.0.0.0:8883\", or \"unix:/PATH\"",
            )
        })
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u32::from_str_radix(&text, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .map(Self)
            .ok_or_else(|| de::Error::custom("expected an octal mode such as \"0660\""))
    }
}
