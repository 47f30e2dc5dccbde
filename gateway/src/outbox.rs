//! What waits to be forwarded: sealed batches and alerts, in lanes by importance.

/// Number of lanes.
pub const LANES: usize = 4;

/// Rows of one lane are forwarded in their order; lanes by their importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Alerts raised and cleared: always first.
    Alert = 0,
    /// What was lost or thinned, and how much.
    Gap = 1,
    /// Summaries of windows.
    Aggregate = 2,
    /// Batches of readings.
    Telemetry = 3,
}

impl Lane {
    /// All lanes, the most important first.
    pub const ALL: [Self; LANES] = [Self::Alert, Self::Gap, Self::Aggregate, Self::Telemetry];

    /// Place in an array of lanes.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The lane with this place.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}

/// Order of a row among all rows of one epoch, over all lanes; the first is 1, so 0 means "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// Highest sequence of each lane.
pub type Sequences = [Sequence; LANES];

/// One sealed batch or alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Lane.
    pub lane: Lane,
    /// Order.
    pub sequence: Sequence,
    /// Which part of the row, counted from 1, if Kafka took it only in parts; 0: the whole.
    pub part: u16,
    /// Key of the Kafka record: the gateway's id for batches, the device for alerts.
    pub key: String,
    /// Readings (or summaries) inside, for counting.
    pub readings: u32,
    /// The record's value; empty: it was thinned.
    pub bytes: Vec<u8>,
}

impl OutboxRow {
    /// Whether only the row's place and its count are left, because the disk was full. A gap record goes in its place.
    #[must_use]
    pub fn is_thinned(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// What waits in the outbox, as the store last measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Rows per lane, thinned ones among them.
    pub rows: [u64; LANES],
    /// Bytes per lane.
    pub bytes: [u64; LANES],
    /// Rows thinned since the process started.
    pub thinned_rows: u64,
    /// Readings, summaries and alerts that were in these.
    pub thinned_items: u64,
}

impl Backlog {
    /// Bytes of all lanes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }
}

/// How far a gateway's rows are in Kafka: the record on the compacted topic, written in the same
/// transaction as the rows it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Watermark {
    /// Which life of the store: sequences begin anew with each.
    pub epoch: u64,
    /// Highest sequence in Kafka, per lane.
    pub sequences: [u64; LANES],
}
