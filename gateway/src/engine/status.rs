//! What the engine counts, and what it says of itself on `tidegate/<gateway>/status`.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use pipeline::{Now, Watched};

use crate::broker::Counter;
use crate::refusals::{Refusals, Refused};

use super::{Engine, Perform, Waiting};
use crate::outbox::LANES;

/// Counted since the process started; each is named for what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Telemetry messages taken.
    pub messages: u64,
    /// Readings taken.
    pub readings: u64,
    /// Messages that were taken before: redelivered with DUP after a reconnect.
    pub redeliveries: u64,
    /// Messages whose payload held no reading.
    pub payloads_refused: u64,
    /// Items of payloads that held no reading, while others of the same payload did.
    pub items_refused: u64,
    /// Sequences of Sparkplug nodes that were not the next one.
    pub sparkplug_gaps: u64,
    /// Sparkplug nodes that were asked for their birth.
    pub rebirths_asked: u64,
    /// Readings of sensors for which the table has no place.
    pub sensors_refused: u64,
    /// Readings of sensors whose name is too long.
    pub names_refused: u64,
    /// Alerts raised or cleared.
    pub alerts: u64,
    /// Commits on disk.
    pub commits: u64,
    /// Commits that the disk had no room for.
    pub commits_refused: u64,
    /// Rows that are in Kafka.
    pub rows_sent: u64,
    /// Transfers that failed.
    pub transfers_failed: u64,
    /// Rows that went to Kafka as gap records: thinned for want of disk, or too large even in parts.
    pub gaps_sent: u64,
    /// Readings, summaries and alerts that were in them.
    pub items_in_gaps: u64,
}

/// The engine's state in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// What happened.
    pub counters: Counters,
    /// Sensors in the table, and its size.
    pub sensors: (usize, usize),
    /// Sensors that detectors watch.
    pub detectors: Watched,
    /// Alarms that are not normal.
    pub alarms: usize,
    /// Acknowledgements that wait for the disk.
    pub acks_pending: usize,
    /// `connected`, `away`, `off` (no Kafka is configured), or `stopped` (a person must act).
    pub uplink: &'static str,
    /// Whether the wall clock is set: `synced` or `unsynced`.
    pub clock: &'static str,
    /// Whether the disk has no room: nothing is acknowledged then.
    pub disk_full: bool,
    /// Highest sequence sealed: alerts, gaps, aggregates, telemetry.
    pub sealed: [u64; LANES],
    /// Highest sequence in Kafka, as far as is known.
    pub sent: [u64; LANES],
    /// What waits for Kafka.
    pub backlog: Waiting,
    /// Position of the journal's next entry.
    pub journal_position: u64,
    /// What the pipeline counted since the store was made.
    pub pipeline: pipeline::Counters,
    /// Which life of the store.
    pub epoch: Option<u64>,
    /// Whom and what the gateway refused, by reason.
    #[serde(serialize_with = "serialize_happened")]
    pub refused: RefusedByReason,
    /// What is wrong with a file that could not be reloaded: the old one holds until it is mended.
    pub reload_fault: Option<String>,
}

/// A name and a count for each reason there is: no allocation, for the status goes out among readings.
type RefusedByReason =
    heapless::Vec<(&'static str, u64), { Counter::REFUSALS.len() + Refused::ALL.len() }>;

impl Engine {
    pub(super) fn publish_status<P: Perform>(&mut self, now: Now, out: &mut P) {
        let status = self.status();
        self.message.write_status(&self.settings.gateway, &status);
        self.publish_message(now, out);
    }

    /// The engine in numbers.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            counters: self.counters,
            sensors: self.machine.sensors(),
            detectors: self.machine.watched(),
            alarms: self.machine.standings().count(),
            acks_pending: self.acks.len(),
            uplink: match (
                self.settings.forward,
                self.forwarder.is_stopped(),
                self.forwarder.is_connected(),
            ) {
                (false, _, _) => "off",
                (true, true, _) => "stopped",
                (true, false, true) => "connected",
                (true, false, false) => "away",
            },
            clock: self.timeline.clock().name(),
            disk_full: self.commits.is_refused(),
            sealed: self.machine.sealed().map(|sequence| sequence.0),
            sent: self.forwarder.sent().map(|sequence| sequence.0),
            backlog: self.waiting(),
            journal_position: self.commits.next().0,
            pipeline: self.machine.counters().clone(),
            epoch: self.forwarder.epoch(),
            refused: self.refused(),
            reload_fault: self.fault.clone(),
        }
    }
    /// Takes whom the doors turn away into the status.
    pub fn watch_refusals(&mut self, refusals: Arc<Refusals>) {
        self.refusals = refusals;
    }

    /// Takes into the status what is wrong with a file that could not be reloaded; `None`: nothing is.
    pub fn note_fault(&mut self, fault: Option<String>) {
        self.fault = fault;
    }

    /// By the doors, by HTTP and by the broker.
    fn refused(&self) -> RefusedByReason {
        let broker = self.broker.counters();
        let of_broker = Counter::REFUSALS.iter();
        of_broker
            .map(|&counter| (counter.name(), broker.count(counter)))
            .chain(self.refusals.iter())
            .collect()
    }
}

/// Reasons that never happened are left out.
fn serialize_happened<S: Serializer>(
    refused: &RefusedByReason,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(refused.iter().copied().filter(|&(_, count)| count > 0))
}
