//! How the uplink reaches Kafka, as plain values.

use core::fmt;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::form::RecordForm;
use crate::limits::{RECORD_BYTES_MAX, TRANSFER_BYTES_MAX, TRANSFER_ROWS_MAX};

/// How the uplink reaches Kafka and what it does there.
#[derive(Clone)]
pub struct Settings {
    /// Brokers, `host:port,host:port`.
    pub bootstrap: String,
    /// How rows get into Kafka.
    pub mode: Mode,
    /// In which form rows become values.
    pub form: RecordForm,
    /// Id of this gateway: part of its transactional id, its records' ids, and key of its watermark.
    pub gateway: String,
    /// Where records go.
    pub topics: Topics,
    /// TLS; none: plain text.
    pub tls: Option<Tls>,
    /// Who we are; none: nobody asks.
    pub sasl: Option<Sasl>,
    /// Attributes of every record: extensions of CloudEvents.
    pub labels: BTreeMap<String, String>,
    /// Any other property of librdkafka, as it stands in its CONFIGURATION.md.
    pub properties: BTreeMap<String, String>,
    /// Largest record, bytes: no larger than `max.message.bytes` of the topics.
    pub message_bytes_max: u32,
    /// Memory for records under way, bytes.
    pub queue_bytes: u32,
    /// Records under way.
    pub queue_records: u32,
    /// How long a record waits for others that go into the same request, ms.
    pub linger_ms: u32,
    /// Longest duration of one transfer, ms: then Kafka aborts the transaction by itself.
    pub transaction_timeout_ms: u32,
    /// Longest duration of one connect, with the reading of the watermark, ms.
    pub connect_timeout_ms: u32,
}

impl Settings {
    /// Settings that need no more than these two.
    #[must_use]
    pub fn new(bootstrap: &str, gateway: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            mode: Mode::Transactional,
            form: RecordForm::Batch,
            gateway: gateway.to_owned(),
            topics: Topics::default(),
            tls: None,
            sasl: None,
            labels: BTreeMap::new(),
            properties: BTreeMap::new(),
            message_bytes_max: RECORD_BYTES_MAX as u32,
            queue_bytes: 2 * TRANSFER_BYTES_MAX as u32,
            queue_records: 2 * TRANSFER_ROWS_MAX as u32,
            linger_ms: 5,
            transaction_timeout_ms: 60_000,
            connect_timeout_ms: 30_000,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of properties may be secrets.
        f.debug_struct("Settings")
            .field("bootstrap", &self.bootstrap)
            .field("mode", &self.mode)
            .field("gateway", &self.gateway)
            .field("topics", &self.topics)
            .field("tls", &self.tls)
            .field("sasl", &self.sasl)
            .field("properties", &self.properties.keys())
            .finish_non_exhaustive()
    }
}

/// How rows get into Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Each transfer is a transaction: exactly once for a read_committed consumer.
    #[default]
    Transactional,
    /// For clusters without transactions: at least once, doubles have the same `ce_id`.
    Idempotent,
}

/// Names of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Batches of readings, and the gaps between them.
    pub telemetry: String,
    /// Summaries of windows.
    pub aggregates: String,
    /// Alerts raised and cleared.
    pub alerts: String,
    /// Compacted: how far each gateway is.
    pub watermarks: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            telemetry: "edge.telemetry".into(),
            aggregates: "edge.aggregates".into(),
            alerts: "edge.alerts".into(),
            watermarks: "edge.watermarks".into(),
        }
    }
}

/// TLS towards the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who signed the brokers' certificates (PEM); none: the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key (PEM), where the brokers ask for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How it is proven.
    pub mechanism: SaslMechanism,
    /// User.
    pub username: String,
    /// Password.
    pub password: Password,
}

/// How it is proven who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself (RFC 4616): only with TLS.
    Plain,
    /// Challenge and response (RFC 5802, RFC 7677).
    ScramSha256,
    /// As above with SHA-512.
    ScramSha512,
}

impl SaslMechanism {
    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// Why the uplink cannot work with these settings.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The property is the uplink's own.
    #[error("kafka.properties: `{key}` is set by tidegate, its promises depend on it; remove it")]
    Reserved {
        /// Name of the property.
        key: String,
    },
    /// librdkafka does not know the property or does not take its value.
    #[error("kafka.properties: {text}; see CONFIGURATION.md of librdkafka")]
    Property {
        /// librdkafka's account.
        text: String,
    },
    /// The operating system refused.
    #[error("cannot start the thread of the uplink: {0}; check the limits on threads and memory")]
    Thread(std::io::Error),
}
