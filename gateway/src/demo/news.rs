//! What the parts of the demo tell its loop; all of them through one queue, so that nothing is shared.

use sensor_sim::truth::Label;
use serde::Deserialize;
use wire::{Flags, Timestamp};

/// News that wait for the loop: two seconds of the whole site.
pub(super) const NEWS_MAX: usize = 1024;

/// Something happened.
#[derive(Debug)]
pub(super) enum News {
    /// A client is connected to the broker.
    Connected,
    /// A client is no more.
    Disconnected,
    /// A device hands a message to its client.
    Sent(Sent),
    /// The gateway has acknowledged a message.
    Acknowledged {
        /// Index of the device.
        device: usize,
        /// Time of its readings.
        time: Timestamp,
    },
    /// A fault of a sensor begins.
    Fault(Label),
    /// The gateway says how it is.
    Status(Status),
    /// It raises or clears an alert.
    Alert(AlertSeen),
    /// It has a new average.
    Average(AverageSeen),
    /// Kafka has one more batch.
    Delivered(Vec<Delivery>),
    /// Kafka has one more alert.
    AlertDelivered,
    /// Kafka has one more record of another kind.
    OtherDelivered,
    /// A record in Kafka is not what FORMAT.md says.
    Unreadable(String),
    /// The gateway has ended by itself.
    GatewayEnded(String),
}

/// A message of a device, as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Index of the device.
    pub(super) device: usize,
    /// Time of its readings by the device's clock.
    pub(super) time: Timestamp,
    /// A value for each signal.
    pub(super) values: Box<[f64]>,
    /// Whether it is the one before once more.
    pub(super) is_repeat: bool,
}

/// A reading that a consumer of Kafka got.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Its device.
    pub(super) device: String,
    /// Its signal.
    pub(super) signal: String,
    /// Its time.
    pub(super) time: Timestamp,
    /// What was sent.
    pub(super) raw: Option<f64>,
    /// What the gateway thinks of it.
    pub(super) flags: Flags,
}

/// What the demo reads of the gateway's status.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Status {
    pub(super) counters: Counters,
    pub(super) uplink: String,
    pub(super) sealed: Vec<u64>,
}

/// See [`Status`].
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Counters {
    pub(super) readings: u64,
    pub(super) rows_sent: u64,
}

/// What the demo reads of an alert.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AlertSeen {
    pub(super) device: String,
    pub(super) signal: String,
    pub(super) rule: String,
    pub(super) state: String,
    pub(super) at: i64,
    pub(super) why: String,
}

/// What the demo reads of an average.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AverageSeen {
    pub(super) device: String,
    pub(super) signal: String,
    pub(super) start: i64,
    pub(super) mean: Option<f64>,
    pub(super) uncertain: u32,
    pub(super) bad: u32,
}

impl Status {
    /// Rows of the outbox that are not in Kafka yet. The demo's store is new, so that sequences count rows from 1.
    pub(super) fn backlog(&self) -> u64 {
        let sealed = self.sealed.iter().copied().max().unwrap_or(0);
        sealed.saturating_sub(self.counters.rows_sent)
    }
}
