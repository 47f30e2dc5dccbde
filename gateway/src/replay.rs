//! From what a store keeps to the machine as it was: the newest checkpoint that can be read, and the journal behind it.

use core::ops::ControlFlow;

use pipeline::Plan;
use wire::{Alert, SensorName, Summary};

use crate::commit::{Commit, MutationRoom, SealedRow};
use crate::engine::Restored;
use crate::journal::{ChunkReader, Malformed, Position};
use crate::machine::{Effects, Machine, Sizes, StateError};
use crate::outbox::{Lane, Sequences};

/// What can be read of a store at the start.
pub trait Kept {
    /// Why it cannot be read.
    type Error;

    /// State of the machine at one of [`Extent::checkpoints`].
    ///
    /// # Errors
    /// If it cannot be read.
    fn checkpoint(&self, position: u64) -> Result<Vec<u8>, Self::Error>;

    /// Visits the chunks of the journal in order, from the one that holds `position` on, each with the
    /// position of its first entry.
    ///
    /// # Errors
    /// If one cannot be read.
    fn for_each_chunk(
        &self,
        position: u64,
        visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}

/// What is there to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Which life of the store; none: it has not been told yet.
    pub epoch: Option<u64>,
    /// Positions of the checkpoints kept, the newest first.
    pub checkpoints: Vec<u64>,
    /// Highest sequence in the outbox, per lane; 0: the lane is empty.
    pub last: Sequences,
}

/// Why there is no machine to go on with.
#[derive(Debug)]
pub enum ReplayError<E> {
    /// It cannot be read.
    Kept(E),
    /// The config asks for more than its own limits give.
    State(StateError),
    /// Another release wrote it; what of it cannot be read.
    OtherRelease(String),
    /// What was read makes no sense.
    Nonsense(Nonsense),
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// It cannot be read.
    #[error("the journal: {0}")]
    Malformed(Malformed),
    /// A part of it is gone.
    #[error("the journal goes on at {found}, not at {expected}")]
    Missing {
        /// The entry that was to come.
        expected: Position,
        /// The one that came.
        found: Position,
    },
}

/// Applies the journal to the newest checkpoint that can be used; `unusable` is told of those that cannot.
///
/// # Errors
/// [`ReplayError`] if there is no machine to go on with.
pub fn replay<K: Kept>(
    extent: &Extent,
    kept: &K,
    plan: &Plan,
    sizes: &Sizes,
    unusable: impl FnMut(u64, &StateError),
) -> Result<Restored, ReplayError<K::Error>> {
    let (machine, position) = newest_state(extent, kept, plan, sizes, unusable)?;
    let mut replay = Replay::new(extent, machine, position);
    let mut stop = Ok(());
    kept.for_each_chunk(position.0, |_, chunk| {
        stop = replay.apply(chunk);
        if stop.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .map_err(ReplayError::Kept)?;
    match stop {
        Ok(()) => Ok(replay.finish()),
        Err(Nonsense::Malformed(version @ Malformed::Version(_))) => {
            Err(ReplayError::OtherRelease(version.to_string()))
        }
        Err(nonsense) => Err(ReplayError::Nonsense(nonsense)),
    }
}

fn newest_state<K: Kept>(
    extent: &Extent,
    kept: &K,
    plan: &Plan,
    sizes: &Sizes,
    mut unusable: impl FnMut(u64, &StateError),
) -> Result<(Machine, Position), ReplayError<K::Error>> {
    for position in &extent.checkpoints {
        let state = kept.checkpoint(*position).map_err(ReplayError::Kept)?;
        match Machine::restore(&state, sizes) {
            Ok(machine) => return Ok((machine, Position(*position))),
            Err(error) if error.is_of_another_release() => {
                return Err(ReplayError::OtherRelease(error.to_string()));
            }
            Err(error) => unusable(*position, &error),
        }
    }
    let machine = Machine::new(plan, sizes).map_err(ReplayError::State)?;
    Ok((machine, Position(0)))
}

/// Applies chunks to a machine, and keeps the rows that the outbox lacks.
pub struct Replay<'r> {
    extent: &'r Extent,
    /// The machine so far.
    pub machine: Machine,
    next: Position,
    journal_bytes: u64,
    commits: Vec<Commit>,
}

impl<'r> Replay<'r> {
    /// Begins with this machine, before the entry at `next`.
    #[must_use]
    pub fn new(extent: &'r Extent, machine: Machine, next: Position) -> Self {
        Self {
            extent,
            machine,
            next,
            journal_bytes: 0,
            commits: Vec::new(),
        }
    }

    /// Applies a chunk, as far as it is new.
    ///
    /// # Errors
    /// [`Nonsense`] if it does not continue what was applied, or cannot be read.
    pub fn apply(&mut self, chunk: &[u8]) -> Result<(), Nonsense> {
        let mut entries =
            ChunkReader::new(chunk, self.machine.offset_ms()).map_err(Nonsense::Malformed)?;
        if entries.first() > self.next {
            return Err(Nonsense::Missing {
                expected: self.next,
                found: entries.first(),
            });
        }
        self.journal_bytes += chunk.len() as u64;
        loop {
            let at = entries.first();
            let Some(entry) = entries.next() else {
                return Ok(());
            };
            let (instant, entry) = entry.map_err(Nonsense::Malformed)?;
            if at == self.next {
                let mut lacking = Lacking {
                    last: &self.extent.last,
                    commits: &mut self.commits,
                };
                self.machine.apply(instant, &entry, &mut lacking);
                self.next = Position(at.0 + 1);
            }
        }
    }

    /// What the engine goes on with.
    #[must_use]
    pub fn finish(self) -> Restored {
        let mut durable = self.machine.sealed();
        // A gap that a person left by `queue purge` is in no machine.
        let gap = &mut durable[Lane::Gap.index()];
        *gap = self.extent.last[Lane::Gap.index()].max(*gap);
        Restored {
            machine: self.machine,
            is_fresh: self.extent.checkpoints.is_empty(),
            next: self.next,
            journal_bytes: self.journal_bytes,
            epoch: self.extent.epoch,
            durable,
            commits: self.commits,
        }
    }
}

/// Alerts and averages were published before the crash; rows are kept if the outbox never had them.
struct Lacking<'a> {
    last: &'a Sequences,
    commits: &'a mut Vec<Commit>,
}

impl Effects for Lacking<'_> {
    fn alert(&mut self, _: &Alert<'_>) {}

    fn average(&mut self, _: &Summary, _: SensorName<'_>, _: &[f64]) {}

    fn seal(&mut self, row: &SealedRow<'_>) {
        if row.sequence <= self.last[row.lane.index()] {
            return;
        }
        let pushed = self
            .commits
            .last_mut()
            .is_some_and(|commit| commit.push_row(row).is_ok());
        if !pushed {
            let mut commit = Commit::new(MutationRoom::default());
            let fits = commit.push_row(row);
            debug_assert!(fits.is_ok(), "an empty commit holds any row");
            self.commits.push(commit);
        }
    }
}
