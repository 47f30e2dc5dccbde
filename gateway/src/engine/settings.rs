//! What the engine is told at its start: settings, and what the last life left.

use crate::commit::{Commit, MutationRoom};
use crate::journal::Position;
use crate::machine::Machine;
use crate::outbox::Sequences;

/// What the engine needs to know beside its parts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the box.
    pub gateway: String,
    /// Longest wait of a reading until its commit begins, ms.
    pub commit_interval_ms: u64,
    /// How often the status is published, ms.
    pub status_interval_ms: u64,
    /// Longest time between checkpoints, ms.
    pub checkpoint_interval_ms: u64,
    /// Most journal between checkpoints, bytes.
    pub checkpoint_bytes: u64,
    /// Whether averages are published.
    pub publish_averages: bool,
    /// Whether rows are forwarded at all.
    pub forward: bool,
    /// Part of the time in which a backlog is sent, percent.
    pub drain_share: u8,
    /// The most that one packet changes of the broker's state.
    pub mutation_step: MutationRoom,
    /// Seed of what is left to chance.
    pub seed: u64,
}

/// The machine as it was, and what the engine has to know with it.
pub struct Restored {
    /// The machine.
    pub machine: Machine,
    /// Whether there is no checkpoint yet.
    pub is_fresh: bool,
    /// Position of the journal's next entry.
    pub next: Position,
    /// Bytes of journal behind the newest checkpoint.
    pub journal_bytes: u64,
    /// Which life of the store.
    pub epoch: Option<u64>,
    /// Highest sequence on disk, per lane, once `commits` are.
    pub durable: Sequences,
    /// Rows that the replay made and the outbox does not have: to be made durable before all else.
    pub commits: Vec<Commit>,
}
