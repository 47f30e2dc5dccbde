//! `[lamp]` and `[webhook]`: where alerts go beside MQTT and Kafka.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wire::Severity;

use super::{Config, Fault, Millis};

/// `[lamp]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LampSettings {
    /// Character device of the GPIO chip.
    #[serde(default = "default_chip")]
    pub chip: PathBuf,
    /// Line of the chip.
    pub line: u32,
    /// The lamp is on while the line is low.
    #[serde(default)]
    pub active_low: bool,
    /// On for alerts at least this urgent.
    #[serde(default)]
    pub severity: Severity,
}

/// `[webhook]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where each alert is posted to.
    pub url: String,
    /// For alerts at least this urgent.
    #[serde(default)]
    pub severity: Severity,
    /// File that holds a token, sent as `Authorization: Bearer`.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Longest wait for an answer.
    #[serde(default = "default_timeout")]
    pub timeout: Millis,
}

fn default_chip() -> PathBuf {
    "/dev/gpiochip0".into()
}

fn default_timeout() -> Millis {
    Millis(10_000)
}

impl Config {
    pub(super) fn check_outputs(&self, check: &mut impl FnMut(bool, Fault)) {
        let Some(webhook) = &self.webhook else {
            return;
        };
        check(
            webhook.url.starts_with("https://") || webhook.url.starts_with("http://"),
            Fault::at(
                "webhook.url",
                "not a web address",
                "write it as https://host/path",
            ),
        );
        check(
            webhook.token_file.is_none() || !webhook.url.starts_with("http://"),
            Fault::at(
                "webhook.token_file",
                "the token would go over the network in plain text",
                "use an https:// address",
            ),
        );
        check(
            (100..=60_000).contains(&webhook.timeout.0),
            Fault::at("webhook.timeout", "out of range", "choose 100ms to 1m"),
        );
    }
}
