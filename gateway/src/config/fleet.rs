//! `[fleet]`: the way to the fleet's broker, whom the box trusts, and what remote may not touch.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Config, Fault, Millis};
use crate::fleet::agent;
use crate::fleet::document::{Part, Scope};
use crate::fleet::limits::{CHANGES_MAX, CHANGES_WINDOW_MS, GROUPS_MAX, RETRY_MS};

/// `[fleet]`: all of it is set on the box only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Name of the fleet: a level of its topics.
    pub name: String,
    /// Groups of this box, the strongest last.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The fleet's broker, `host:port`.
    pub broker: String,
    /// Who signed the broker's certificate, PEM. Without it there is no TLS, and the broker must be on a loopback address.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// This box's own certificate, PEM.
    #[serde(default)]
    pub cert_file: Option<PathBuf>,
    /// The key of it, PEM.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Name at the broker; `gateway.id` if absent.
    #[serde(default)]
    pub username: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The first key list, as `tidegate fleet keygen` writes it.
    pub trust_file: PathBuf,
    /// Keys that remote may not set, such as `kafka.topic_alerts`.
    #[serde(default)]
    pub locked: Vec<String>,
    /// How often the gates are looked at.
    #[serde(default = "default_look_interval")]
    pub look_interval: Millis,
    /// Wait before the second attempt of a change that failed.
    #[serde(default = "default_retry")]
    pub retry: Millis,
    /// Changes within `changes_window` after which further ones wait.
    #[serde(default = "default_changes_max")]
    pub changes_max: u16,
    /// See `changes_max`.
    #[serde(default = "default_changes_window")]
    pub changes_window: Millis,
}

fn default_look_interval() -> Millis {
    Millis(1_000)
}

fn default_retry() -> Millis {
    Millis(RETRY_MS)
}

fn default_changes_max() -> u16 {
    CHANGES_MAX as u16
}

fn default_changes_window() -> Millis {
    Millis(CHANGES_WINDOW_MS)
}

impl Fleet {
    /// For the agent of this box.
    #[must_use]
    pub fn agent_settings(&self, gateway: &str) -> agent::Settings {
        let part = |part| Scope {
            fleet: self.name.clone(),
            part,
        };
        let groups = self.groups.iter().cloned().map(Part::Group);
        let scopes = core::iter::once(Part::Fleet)
            .chain(groups)
            .chain([Part::Gateway(gateway.to_owned())]);
        let mut version = [0; 3];
        for (number, text) in version.iter_mut().zip(env!("CARGO_PKG_VERSION").split('.')) {
            *number = text.parse().unwrap_or(0);
        }
        agent::Settings {
            version,
            locked: self.locked.clone(),
            changes_max: usize::from(self.changes_max),
            changes_window_ms: self.changes_window.0,
            retry_ms: self.retry.0,
            ..agent::Settings::new(scopes.map(part).collect())
        }
    }

    /// Host and port of the fleet's broker.
    #[must_use]
    pub fn address(&self) -> Option<(&str, u16)> {
        let (host, port) = self.broker.rsplit_once(':')?;
        Some((host, port.parse().ok()?))
    }
}

impl Config {
    pub(super) fn check_fleet(&self, check: &mut impl FnMut(bool, Fault)) {
        let Some(fleet) = &self.fleet else {
            return;
        };
        let is_name = super::check::is_name;
        check(
            is_name(&fleet.name),
            Fault::at(
                "fleet.name",
                "not a name",
                "use 1 to 64 of A-Z a-z 0-9 . _ -",
            ),
        );
        check(
            fleet.groups.len() <= GROUPS_MAX && fleet.groups.iter().all(|name| is_name(name)),
            Fault::at(
                "fleet.groups",
                "not a list of names",
                "give at most four names",
            ),
        );
        check(
            fleet.address().is_some(),
            Fault::at("fleet.broker", "not an address", "write it as host:port"),
        );
        let is_local = fleet
            .address()
            .is_some_and(|(host, _)| ["127.0.0.1", "localhost", "::1"].contains(&host));
        check(
            fleet.ca_file.is_some() || is_local,
            Fault::at(
                "fleet.broker",
                "the password would go over the network in plain text",
                "set `ca_file`: who signed the broker's certificate",
            ),
        );
        check(
            (10..=10_000).contains(&fleet.look_interval.0),
            Fault::at("fleet.look_interval", "out of range", "choose 10ms to 10s"),
        );
        check(
            (1..=10_000).contains(&fleet.changes_max),
            Fault::at("fleet.changes_max", "out of range", "choose 1 to 10000"),
        );
    }
}
