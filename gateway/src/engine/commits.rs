//! Group commit: what gathers while the disk is busy, and when it goes there.
//!
//! One commit is at the disk at a time; the next gathers meanwhile. So load makes commits larger, not
//! more frequent, and two boxes are all the memory that durability needs.

use pipeline::{Instant, Now};

use crate::commit::{Commit, Full, Mutation, MutationRoom, SealedRow};
use crate::journal::{ChunkWriter, ENTRY_BYTES_MAX, Entry, Position};
use crate::limits::{
    CHUNK_BYTES_MAX, COMMIT_RETRY_MS, METRICS_PER_MESSAGE_MAX, METRICS_PER_NODE_MAX,
    MUTATION_STEPS_KEPT, MUTATION_STEPS_PER_COMMIT, OUTBOX_BYTES_PER_ENTRY_MAX,
    OUTBOX_ROWS_PER_ENTRY_MAX, READINGS_PER_MESSAGE_MAX,
};
use crate::outbox::{LANES, Sequence};

/// Room that a message may need in the journal: its delivery, and a sensor and a reading for each value.
const CHUNK_BYTES_PER_MESSAGE_MAX: usize = (2 + 2 * METRICS_PER_MESSAGE_MAX) * ENTRY_BYTES_MAX;
const _: () = {
    assert!(2 * CHUNK_BYTES_PER_MESSAGE_MAX < CHUNK_BYTES_MAX);
    assert!(READINGS_PER_MESSAGE_MAX <= METRICS_PER_MESSAGE_MAX);
    // The death of a node is a reading for each of its metrics.
    assert!((2 + METRICS_PER_NODE_MAX) * ENTRY_BYTES_MAX <= CHUNK_BYTES_PER_MESSAGE_MAX);
};

/// The two commits, and where they are.
#[derive(Debug)]
pub(super) struct Commits {
    gathering: Box<Commit>,
    chunk: Option<ChunkWriter>,
    /// Position of the next entry.
    next: Position,
    /// When the first thing was gathered.
    since: Option<Instant>,
    /// Whether rows are to go with the next commit, whatever is in it.
    trims_press: bool,
    disk: Disk,
    interval_ms: u64,
    step: MutationRoom,
    overflowed: bool,
}

#[derive(Debug)]
enum Disk {
    /// The other box is here, empty.
    Idle(Box<Commit>),
    /// The other box is at the store.
    Busy,
    /// The store had no room: the same commit again at this time.
    Retry(Instant, Box<Commit>),
}

/// A commit that goes to the disk.
pub(super) enum Due {
    /// For the first time.
    New(Box<Commit>),
    /// Once more: the disk had no room for it.
    Again(Box<Commit>),
}

impl Commits {
    /// `step` is the most that one packet changes of the broker's state.
    pub(super) fn new(next: Position, interval_ms: u64, step: MutationRoom) -> Self {
        let commit = || Box::new(Commit::new(step.times(MUTATION_STEPS_PER_COMMIT)));
        Self {
            gathering: commit(),
            chunk: None,
            next,
            since: None,
            trims_press: false,
            disk: Disk::Idle(commit()),
            interval_ms,
            step,
            overflowed: false,
        }
    }

    /// Commits wait this long from here on, ms.
    pub(super) const fn set_interval_ms(&mut self, interval_ms: u64) {
        self.interval_ms = interval_ms;
    }

    /// Position of the next entry.
    pub(super) fn next(&self) -> Position {
        self.next
    }

    /// Whether the store refused the last commit for want of room.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.disk, Disk::Retry(..))
    }

    /// Whether nothing gathers and nothing is at the disk: what is acknowledged now is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.since.is_none() && matches!(self.disk, Disk::Idle(_))
    }

    /// Whether all fits that a message's readings, or a deadline of the pipeline, may lead to.
    pub(super) fn has_room(&self) -> bool {
        let commit = &self.gathering;
        CHUNK_BYTES_MAX - commit.journal.len() > CHUNK_BYTES_PER_MESSAGE_MAX
            && commit.row_bytes_left() > OUTBOX_BYTES_PER_ENTRY_MAX
            && commit.rows_left() > OUTBOX_ROWS_PER_ENTRY_MAX
    }

    /// Whether all fits that a packet may change of the broker's state.
    pub(super) fn has_mutation_room(&self) -> bool {
        let left = self.gathering.mutation_room();
        let kept = self.step.times(MUTATION_STEPS_KEPT);
        left.count >= kept.count && left.bytes >= kept.bytes
    }

    /// Writes an entry into the gathering chunk.
    ///
    /// # Errors
    /// [`Full`]: the chunk has no room for it.
    pub(super) fn push_entry(&mut self, now: Now, entry: &Entry<'_>) -> Result<(), Full> {
        let journal = &mut self.gathering.journal;
        let chunk = self
            .chunk
            .get_or_insert_with(|| ChunkWriter::begin(journal, self.next, now.instant));
        chunk
            .push(journal, now.instant, now.wall, entry)
            .map_err(|_| Full)?;
        self.next = chunk.end();
        self.since.get_or_insert(now.instant);
        Ok(())
    }

    /// Adds a sealed row.
    ///
    /// # Errors
    /// [`Full`]: the commit has no room for it.
    pub(super) fn push_row(&mut self, row: &SealedRow<'_>) -> Result<(), Full> {
        self.gathering.push_row(row)
    }

    /// Adds a change of the broker's state. What does not fit is noted: the gateway cannot go on then, for
    /// the broker in memory is not the one on disk any more.
    pub(super) fn push_mutation(&mut self, now: Instant, mutation: &Mutation<'_>) {
        self.overflowed |= self.gathering.push_mutation(mutation).is_err();
        self.since.get_or_insert(now);
    }

    /// Whether a change of the broker's state was lost.
    pub(super) fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Rows up to these may go with the next commit that goes to the database; they are no reason for one, nor to take readings
    /// there that go into the ring alone. One that was refused goes with them too: they make the room for it.
    pub(super) fn trim(&mut self, sent: [Option<Sequence>; LANES]) {
        self.gathering.trim_outbox = sent;
        if let Disk::Retry(_, commit) = &mut self.disk {
            commit.trim_outbox = sent;
        }
    }

    /// They are a reason: there are many.
    pub(super) fn trim_soon(&mut self, now: Instant) {
        self.trims_press = true;
        self.since.get_or_insert(now);
    }

    /// The gathering commit, to say which epoch holds.
    pub(super) fn gathering(&mut self, now: Instant) -> &mut Commit {
        self.since.get_or_insert(now);
        &mut self.gathering
    }

    /// When [`take_due`](Self::take_due) will have a commit.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (&self.disk, self.since) {
            (Disk::Idle(_), Some(since)) if self.is_large() => Some(since),
            (Disk::Idle(_), Some(since)) => Some(Instant(since.0 + self.interval_ms)),
            (Disk::Retry(at, _), _) => Some(*at),
            (Disk::Idle(_), None) | (Disk::Busy, _) => None,
        }
    }

    /// The commit that is due, complete but for a checkpoint.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|due| due > now) {
            return None;
        }
        match core::mem::replace(&mut self.disk, Disk::Busy) {
            Disk::Idle(spare) => Some(Due::New(self.close(spare))),
            Disk::Retry(_, commit) => Some(Due::Again(commit)),
            Disk::Busy => None,
        }
    }

    /// The commit that gathered; the other box takes its place.
    fn close(&mut self, spare: Box<Commit>) -> Box<Commit> {
        self.since = None;
        if let Some(chunk) = self.chunk.take() {
            chunk.finish(&mut self.gathering.journal);
            self.gathering.position = chunk.first().0;
        }
        let mut commit = core::mem::replace(&mut self.gathering, spare);
        if !core::mem::take(&mut self.trims_press) && commit.is_for_ring() {
            self.gathering.trim_outbox = core::mem::take(&mut commit.trim_outbox);
        }
        commit
    }

    /// From now on a commit waits for nothing but the disk.
    pub(super) fn hurry(&mut self) {
        self.interval_ms = 0;
        self.trims_press = true;
    }

    /// The store is done with the box.
    pub(super) fn handle_committed(&mut self, mut commit: Box<Commit>) {
        commit.clear();
        self.disk = Disk::Idle(commit);
    }

    /// The store had no room for it.
    pub(super) fn handle_refused(&mut self, now: Instant, mut commit: Box<Commit>) {
        for (refused, newest) in commit
            .trim_outbox
            .iter_mut()
            .zip(self.gathering.trim_outbox)
        {
            *refused = newest.or(*refused);
        }
        self.disk = Disk::Retry(Instant(now.0 + COMMIT_RETRY_MS), commit);
    }

    /// Half a chunk: waiting longer would only make it overflow.
    fn is_large(&self) -> bool {
        self.gathering.journal.len() > CHUNK_BYTES_MAX / 2
            || !self.has_room()
            || !self.has_mutation_room()
    }
}

#[cfg(test)]
mod tests;
