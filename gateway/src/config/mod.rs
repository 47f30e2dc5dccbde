//! `gateway.toml`: every setting with its default, checked before anything starts.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::form::RecordForm;
use crate::limits::{CONNECT_TIMEOUT_MS, SLOW_READER_TIMEOUT_MS, STATUS_INTERVAL_MS};
use crate::mapping::{Form, Mapping, Rule};
use crate::payload::pointers::{Pointer, Pointers};

pub mod alarms;
mod check;
mod cleaning;
pub mod derived;
mod fleet;
mod forward;
pub mod http;
mod layers;
mod listener;
pub mod load;
mod outputs;
pub mod plan;
pub mod rename;
mod settings;
mod store;
pub mod together;
mod tls;
pub mod units;

pub use fleet::Fleet;
pub use layers::{Layers, Origin};
pub use listener::{Listener, Mode, Place, Protocol};
pub use load::{ConfigError, Fault, Source};
pub use outputs::{LampSettings, WebhookSettings};
pub use store::Store;
pub use tls::{ClientName, TlsFiles, TlsKeys};
pub use units::{Bytes, Millis};

/// The whole config.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this box is.
    pub gateway: Gateway,
    /// The MQTT broker.
    #[serde(default)]
    pub broker: Broker,
    /// The store on disk.
    pub store: Store,
    /// The way to Kafka.
    #[serde(default)]
    pub kafka: Kafka,
    /// Memory and batches of the pipeline.
    #[serde(default)]
    pub pipeline: Pipeline,
    /// The fleet that this box belongs to.
    #[serde(default)]
    pub fleet: Option<Fleet>,
    /// A lamp or horn for alerts.
    #[serde(default)]
    pub lamp: Option<LampSettings>,
    /// A web address for alerts.
    #[serde(default)]
    pub webhook: Option<WebhookSettings>,
    /// Ingest, metrics and health by HTTP.
    #[serde(default)]
    pub http: http::Http,
    /// From topics to devices and signals.
    #[serde(default = "default_mappings", rename = "mapping")]
    pub mappings: Vec<TopicMapping>,
    /// Signals that go by another name.
    #[serde(default, rename = "rename")]
    pub renames: Vec<rename::Rename>,
    /// What holds for every sensor.
    #[serde(default)]
    pub defaults: plan::Sensor,
    /// What holds for some; later ones win.
    #[serde(default, rename = "sensor")]
    pub sensors: Vec<plan::Sensor>,
    /// Signals that are calculated from others.
    #[serde(default)]
    pub derived: Vec<derived::Derived>,
    /// Signals that are judged together.
    #[serde(default)]
    pub together: Vec<together::Together>,
}

/// `[gateway]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Name of the box: key of its records in Kafka, part of its topics.
    pub id: String,
    /// The wall clock is set once this file is there; without it, once what it says is plausible.
    #[serde(default)]
    pub clock_file: Option<PathBuf>,
}

/// `[broker]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// Address and port.
    pub listen: SocketAddr,
    /// More ways in.
    pub listeners: Vec<Listener>,
    /// File of users and devices; without it only `allow_anonymous` lets anyone in.
    pub credentials: Option<PathBuf>,
    /// Users and devices in that file.
    pub users_max: u16,
    /// Lets clients in without a name; only where `listen` is a loopback address.
    pub allow_anonymous: bool,
    /// Connections at once.
    pub connections_max: u16,
    /// Of these, from one address; all of them if absent.
    pub connections_per_address_max: Option<u16>,
    /// Of these, of one user; all of them if absent.
    pub connections_per_user_max: Option<u16>,
    /// Longest time from the connection to a CONNECT that is let in.
    pub connect_timeout: Millis,
    /// Longest time in which a peer takes no byte of what waits for it.
    pub slow_reader_timeout: Millis,
    /// Largest MQTT packet.
    pub packet_bytes_max: Bytes,
    /// Sessions kept for clients that are away.
    pub sessions_max: u16,
    /// How often the gateway says on `tidegate/<id>/status` how it is.
    pub status_interval: Millis,
}

/// How rows get into Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KafkaMode {
    /// Exactly once: rows and watermark in one transaction.
    #[default]
    Transactional,
    /// At least once with ids to drop doubles by: for clusters without transactions.
    Idempotent,
}

/// `[kafka]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Brokers, `host:port,host:port`; empty: nothing is forwarded, the outbox grows up to its bound.
    pub bootstrap: String,
    /// Exactly or at least once.
    pub mode: KafkaMode,
    /// In which form values are sent.
    pub format: RecordForm,
    /// Topic of batches of readings.
    pub topic_telemetry: String,
    /// Topic of summaries.
    pub topic_aggregates: String,
    /// Topic of alerts and gaps.
    pub topic_alerts: String,
    /// Compacted topic of watermarks.
    pub topic_watermarks: String,
    /// TLS to the brokers.
    pub tls: bool,
    /// CA certificates, PEM; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// SASL mechanism: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
    pub sasl_mechanism: Option<String>,
    /// SASL user.
    pub sasl_username: Option<String>,
    /// File that holds the SASL password.
    pub sasl_password_file: Option<PathBuf>,
    /// What every record says of this box in its headers: `site = "berlin"`.
    pub labels: BTreeMap<String, String>,
    /// Part of the time in which a backlog is sent, percent.
    pub drain_share: u8,
    /// Any other property of librdkafka.
    pub properties: BTreeMap<String, String>,
}

/// `[pipeline]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pipeline {
    /// Sensors (device and signal) that have a place; more are refused and counted.
    pub sensors_max: u16,
    /// Of these, how many may be cleaned; as many as there are, if absent and any is to be.
    pub cleaned_max: Option<u16>,
    /// Of these, how many may have `forward`; likewise.
    pub thinned_max: Option<u16>,
    /// Of these, how many may have `profile`; likewise.
    pub profiled_max: Option<u16>,
    /// Of these, how many may have quantiles; as many as there are, if absent and any is to have some.
    pub quantiles_max: Option<u16>,
    /// How many sensors detectors may watch; as many as `detect` calls for, if absent.
    pub detectors_max: Option<alarms::Detectors>,
    /// Longest time until a batch is sealed.
    pub batch_interval: Millis,
    /// Most readings of a batch.
    pub batch_readings_max: u32,
    /// Keeps the raw value beside a changed one.
    pub keep_raw: bool,
    /// Publishes each average on `tidegate/<id>/average/<device>/<signal>/<window>`.
    pub publish_averages: bool,
}

/// `[[mapping]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicMapping {
    /// Such as `sensors/{device}/{signal}`.
    pub topic: String,
    /// How payloads are to be read.
    #[serde(default)]
    pub form: MappingForm,
    /// JSON pointer to the value, where the topic names the signal.
    pub value: Option<String>,
    /// Signals, each with the JSON pointer to its value.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// JSON pointer to the time of all values.
    pub time: Option<String>,
}

/// How payloads are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingForm {
    /// As the first byte says, or by pointers where there are some.
    #[default]
    Auto,
    /// SenML packs.
    Senml,
    /// Sparkplug B.
    Sparkplug,
}

impl TopicMapping {
    /// What it means.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub fn rule(&self) -> Result<Rule, (&'static str, String)> {
        let has_pointers = self.value.is_some() || !self.values.is_empty() || self.time.is_some();
        match self.form {
            MappingForm::Auto if has_pointers => {
                Ok(Rule::Readings(Form::Pointers(self.pointers()?)))
            }
            _ if has_pointers => Err((
                "form",
                "pointers lead into plain JSON, not into this form".to_owned(),
            )),
            MappingForm::Auto => Ok(Rule::Readings(Form::Plain)),
            MappingForm::Senml => Ok(Rule::Readings(Form::Senml)),
            MappingForm::Sparkplug => Ok(Rule::Sparkplug),
        }
    }

    fn pointers(&self) -> Result<Pointers, (&'static str, String)> {
        let parse = |key: &'static str, text: &str| {
            Pointer::parse(text).map_err(|error| (key, error.to_string()))
        };
        let mut values = Vec::new();
        if let Some(text) = &self.value {
            values.push((None, parse("value", text)?));
        }
        for (signal, text) in &self.values {
            values.push((Some(signal.clone()), parse("values", text)?));
        }
        let time = self
            .time
            .as_ref()
            .map(|text| parse("time", text))
            .transpose()?;
        Pointers::new(values, time).map_err(|error| ("values", error.to_string()))
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            listeners: Vec::new(),
            credentials: None,
            users_max: 1024,
            allow_anonymous: false,
            connections_max: 256,
            connections_per_address_max: None,
            connections_per_user_max: None,
            connect_timeout: Millis(CONNECT_TIMEOUT_MS),
            slow_reader_timeout: Millis(SLOW_READER_TIMEOUT_MS),
            packet_bytes_max: Bytes(64 * 1024),
            sessions_max: 512,
            status_interval: Millis(STATUS_INTERVAL_MS),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            bootstrap: String::new(),
            mode: KafkaMode::default(),
            format: RecordForm::default(),
            topic_telemetry: "edge.telemetry".into(),
            topic_aggregates: "edge.aggregates".into(),
            topic_alerts: "edge.alerts".into(),
            topic_watermarks: "edge.watermarks".into(),
            tls: false,
            ca_file: None,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password_file: None,
            labels: BTreeMap::new(),
            drain_share: 20,
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            sensors_max: 1024,
            cleaned_max: None,
            thinned_max: None,
            profiled_max: None,
            quantiles_max: None,
            detectors_max: None,
            batch_interval: Millis(5_000),
            batch_readings_max: 4096,
            keep_raw: true,
            publish_averages: true,
        }
    }
}

fn default_mappings() -> Vec<TopicMapping> {
    ["sensors/{device}/{signal}", "sensors/{device}"]
        .map(|topic| TopicMapping {
            topic: topic.to_owned(),
            form: MappingForm::Auto,
            value: None,
            values: BTreeMap::new(),
            time: None,
        })
        .into()
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong, each with its line and remedy.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::from_source(&Source::read(path)?)
    }

    /// Parses and checks the text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        let config: Self = source.parse()?;
        let mut faults = config.faults();
        faults.extend(config.plan().err().into_iter().flatten());
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(source.report(&faults))
        }
    }

    /// The topic mapping, compiled; [`from_source`](Self::from_source) has checked it.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        let rules = self.mappings.iter();
        let rules =
            rules.filter_map(|mapping| Some((mapping.topic.as_str(), mapping.rule().ok()?)));
        Mapping::new(rules)
            .unwrap_or_default()
            .with_renames(self.renames())
    }
}

#[cfg(test)]
mod tests;
