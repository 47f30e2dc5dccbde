//! The store: a SQLite file and a ring beside it that survive kill -9 and power cuts, written by one thread.
//!
//! [`open`] repairs or replaces what it finds and returns what is needed to go on; [`Opened::start`]
//! gives the file to its thread. From then on there are only [`Request`]s and [`Reply`]s, in order.
//!
//! A commit is one transaction and one fsync. Where there are only readings it is none: their chunk goes into the ring, which
//! costs the device a page. A large chunk goes there too when rows or a checkpoint come with it, and before them: what follows
//! from the journal is made again by a replay. What does not follow from it, the broker's state and the epoch, is in one
//! transaction with its chunk. The write-ahead log goes into the database when it has
//! reached its size, by an explicit checkpoint: an fsync that fails in an automatic one is swallowed by
//! SQLite, and the commit would still be reported as done.

mod error;
mod inspect;
mod journal;
mod recall;
mod recovery;
mod ring;
mod room;
mod schema;
mod statements;
mod thinning;
mod writer;

use std::path::{Path, PathBuf};

use crate::commit::Commit;
use crate::outbox::{Backlog, LANES, Lane, OutboxRow, Sequence};

pub use error::StoreError;
pub use inspect::Inspected;
pub use recovery::{MovedAside, Opened, Recovered, open};
pub use writer::Writer;

/// Name of the database inside of its directory.
pub const FILE_NAME: &str = "tidegate.db";
/// Checkpoints that are kept: the newest, and the one before it if the newest cannot be read.
pub const CHECKPOINTS_KEPT: u32 = 2;
/// Requests that wait for the thread: both commits, a load, a recall, a close.
pub const REQUESTS_MAX: usize = 5;
/// Stack of the thread: SQLite needs less than 100 KiB.
pub const STACK_BYTES: usize = 256 * 1024;
/// Corrupt files that are kept beside each other before a person must clear up.
pub const MOVED_ASIDE_MAX: u32 = 1_000;
/// Highest sequence that fits beside its lane in one integer of SQLite.
pub const SEQUENCE_MAX: u64 = (1 << 56) - 1;

/// Room that is kept free in the file by thinning: the largest commit, and a checkpoint of a thousand sensors.
pub const ROOM_BYTES: u64 = 6 << 20;
/// Most bytes that one commit thins: more than one commit brings.
pub const THINNED_BYTES_PER_COMMIT_MAX: u64 = 8 << 20;
/// Most rows that one commit thins: a tenth of a second of work.
pub const THINNED_ROWS_PER_COMMIT_MAX: u64 = 4096;
/// A chunk that is smaller goes into one transaction with what comes with it: a page more there costs less than an fsync.
pub const ALONE_BYTES_MIN: usize = 4096;
/// The reserve is restored by the first commit of so many for which the disk has room.
pub const RESERVE_EVERY_COMMITS: u64 = 256;

/// How the store uses memory and disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Largest size of database file and ring, bytes. Near it the oldest rows are thinned; a commit that finds no room even so
    /// is refused with [`StoreError::Full`].
    pub bytes_max: u64,
    /// What the disk must keep free, bytes: with less the file grows no more, and its oldest rows are thinned. 0: the disk is
    /// not looked at, and has no reserve.
    pub bytes_free_min: u64,
    /// Length of the ring, bytes; 0: there is none, and all goes into the database. It holds the journal of two checkpoints, or what
    /// it can: the rest goes into the database.
    pub ring_bytes: u64,
    /// Memory for pages, bytes.
    pub cache_bytes: u32,
    /// The write-ahead log goes into the database when it is this long, bytes. Longer means fewer writes
    /// to the device, and a longer start after a power cut.
    pub wal_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 30,
            bytes_free_min: 0,
            ring_bytes: 1 << 20,
            cache_bytes: 2 << 20,
            wal_bytes: 4 << 20,
        }
    }
}

impl Settings {
    /// Length of the ring in whole pages, bytes.
    fn ring_bytes(&self) -> u64 {
        self.ring_bytes / schema::PAGE_BYTES * schema::PAGE_BYTES
    }

    /// What is left for the database file, bytes.
    fn database_bytes_max(&self) -> u64 {
        self.bytes_max.saturating_sub(self.ring_bytes())
    }
}

/// Memory that the ring takes at most, bytes.
#[must_use]
pub const fn ring_memory_bytes(settings: &Settings) -> u64 {
    ring::memory_bytes(settings.ring_bytes)
}

/// What the thread is asked to do. Requests are served in their order.
#[derive(Debug)]
pub enum Request {
    /// Make this durable.
    Commit(Box<Commit>),
    /// Read rows of one lane in their order.
    Load {
        /// Lane.
        lane: Lane,
        /// Only rows with a higher sequence.
        after: Sequence,
        /// Stop before the sum of keys and values exceeds this; the first row is always returned.
        bytes_max: usize,
        /// At most this many rows.
        rows_max: usize,
    },
    /// Read what was written earlier, for a dry-run.
    Recall(Recall),
    /// Move the write-ahead log into the database; the last request.
    Close,
}

/// What is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// The oldest checkpoint that has at most so many entries of the journal behind it; the newest if all have more.
    Checkpoint {
        /// So many.
        entries_max: u64,
    },
    /// Chunks of the journal in order, from the one that holds this position on.
    Chunks {
        /// Position of an entry.
        from: u64,
        /// Stop before their sum exceeds this; the first chunk is always returned.
        bytes_max: usize,
    },
}

/// What was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// Position and state, if there is a checkpoint.
    Checkpoint(Option<(u64, Vec<u8>)>),
    /// Chunks; the last of the journal among them if no entry follows.
    Chunks(Vec<Vec<u8>>),
}

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    /// All of the commit is on the disk. The box is empty, with its buffers.
    Committed {
        /// For the next commit.
        commit: Box<Commit>,
        /// What the store holds and did so far.
        usage: Usage,
    },
    /// Nothing of the commit is in the database, or the error says that this is unknown.
    CommitFailed {
        /// As it was given.
        commit: Box<Commit>,
        /// Why.
        error: StoreError,
    },
    /// Rows in their order; none: there is no row behind the sequence asked for.
    Loaded(Vec<OutboxRow>),
    /// What was asked for.
    Recalled(Recalled),
    /// What was asked for could not be read.
    LoadFailed(StoreError),
    /// The thread ends. With an error, all that was committed still stands in the write-ahead log.
    Closed(Result<(), StoreError>),
}

/// What the store holds, and what it has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Commits that are durable.
    pub commits: u64,
    /// fsyncs that were made for them: one each, one more where a chunk stands in the ring and something came with it, two more for
    /// each checkpoint of the write-ahead log.
    pub syncs: u64,
    /// Times that the write-ahead log was moved into the database.
    pub wal_checkpoints: u64,
    /// Bytes written to ring and write-ahead log, and at most that many to the database; the file system adds its own.
    pub bytes_written: u64,
    /// Rows and bytes that wait, per lane.
    pub outbox: [LaneUsage; LANES],
    /// Rows that were thinned since it was opened.
    pub thinned_rows: u64,
    /// Readings, summaries and alerts that were in them.
    pub thinned_items: u64,
    /// Chunks that went into the ring since it was opened.
    pub ring_chunks: u64,
    /// Length of the ring, bytes; 0: there is none.
    pub ring_bytes: u64,
    /// Size of the database file, bytes.
    pub file_bytes: u64,
    /// Part of it that is free for new data, bytes.
    pub free_bytes: u64,
}

impl Usage {
    /// What waits in the outbox.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        Backlog {
            rows: self.outbox.map(|lane| lane.rows),
            bytes: self.outbox.map(|lane| lane.bytes),
            thinned_rows: self.thinned_rows,
            thinned_items: self.thinned_items,
        }
    }
}

/// Rows of one lane that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneUsage {
    /// Number of rows.
    pub rows: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

/// Lane and sequence as one integer, so that the outbox is one B-tree in the order of forwarding.
fn place(lane: Lane, sequence: Sequence) -> i64 {
    let sequence = sequence.0.min(SEQUENCE_MAX);
    ((lane.index() as u64) << 56 | sequence).cast_signed()
}

/// Inverse of [`place`].
fn lane_and_sequence(place: i64) -> Option<(Lane, Sequence)> {
    let place = u64::try_from(place).ok()?;
    let lane = Lane::from_index(usize::try_from(place >> 56).ok()?)?;
    Some((lane, Sequence(place & SEQUENCE_MAX)))
}

/// Files of one store, in the order in which they are moved: SQLite deletes a log that it finds beside
/// no database. The rollback journal exists only while the file is made.
fn file_set(database: &Path) -> [PathBuf; 4] {
    [
        with_suffix(database, "-journal"),
        with_suffix(database, "-wal"),
        journal::ring_path(database),
        database.to_path_buf(),
    ]
}

/// Says that a running process met corruption: the next start reads the whole file before it trusts it.
fn suspicion(database: &Path) -> PathBuf {
    with_suffix(database, ".suspect")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
