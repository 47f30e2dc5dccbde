//! The start: from what a crash left on the disk to the machine as it was.

use core::ops::ControlFlow;

use pipeline::Plan;
use wire::{Alert, SensorName, Summary};

use crate::broker::Broker;
use crate::commit::{Commit, MutationRoom, SealedRow};
use crate::engine::Restored;
use crate::journal::{ChunkReader, Malformed, Position};
use crate::machine::{Effects, Machine, Sizes, StateError};
use crate::outbox::Sequences;
use crate::store::{self, Opened, Recovered, StoreError};

/// Why there is no machine to go on with.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The config asks for more than its own limits give.
    #[error("{0}; raise `pipeline.sensors_max`, or ask for fewer windows")]
    State(#[from] StateError),
    /// Another release wrote the store. Going on would mean to forget what it holds.
    #[error(
        "the store was written by another release of tidegate: {what}; it is left as it is: install that release again, \
         or a later one"
    )]
    OtherRelease {
        /// What cannot be read.
        what: String,
    },
}

impl RecoverError {
    fn other_release(what: &impl ToString) -> Self {
        Self::OtherRelease {
            what: what.to_string(),
        }
    }
}

/// What stands in the way of a replay.
enum Stop {
    Journal(Malformed),
    Missing { expected: Position, found: Position },
}

/// Opens the machine of a store: the newest checkpoint that can be read, and the journal behind it. A
/// store whose content makes no sense is moved aside, and a new one is begun; one of another release is left alone.
///
/// # Errors
/// [`RecoverError`] if there is no way to go on.
pub fn recover(
    recovered: Recovered,
    opened: Opened,
    plan: &Plan,
    sizes: &Sizes,
) -> Result<(Restored, Opened), RecoverError> {
    let why = match replay(&recovered, &opened, plan, sizes)? {
        Ok(restored) => return Ok((restored, opened)),
        Err(Stop::Journal(version @ Malformed::Version(_))) => {
            return Err(RecoverError::other_release(&version));
        }
        Err(Stop::Journal(malformed)) => format!("the journal: {malformed}"),
        Err(Stop::Missing { expected, found }) => {
            format!("the journal goes on at {found}, not at {expected}")
        }
    };
    tracing::error!(%why, "the store cannot be gone on with: it is moved aside");
    let (recovered, opened) = opened.give_up(&why)?;
    let restored =
        Replay::new(&recovered, Machine::new(plan.clone(), sizes)?, Position(0)).finish();
    Ok((restored, opened))
}

/// Gives the broker its retained messages and sessions.
///
/// # Errors
/// [`StoreError`] if they cannot be read.
pub fn restore_broker(opened: &Opened, broker: &mut Broker) -> Result<(), StoreError> {
    opened.for_each_state(|key, value| {
        if let Err(error) = broker.restore(key, value) {
            tracing::error!(%error, "a retained message or session cannot be restored");
        }
        ControlFlow::Continue(())
    })
}

fn replay(
    recovered: &Recovered,
    opened: &Opened,
    plan: &Plan,
    sizes: &Sizes,
) -> Result<Result<Restored, Stop>, RecoverError> {
    let (machine, position) = newest_state(recovered, opened, plan, sizes)?;
    let mut replay = Replay::new(recovered, machine, position);
    let mut stop = None;
    opened.for_each_chunk(position.0, |_, chunk| match replay.apply(chunk) {
        Ok(()) => ControlFlow::Continue(()),
        Err(reason) => {
            stop = Some(reason);
            ControlFlow::Break(())
        }
    })?;
    Ok(stop.map_or_else(|| Ok(replay.finish()), Err))
}

fn newest_state(
    recovered: &Recovered,
    opened: &Opened,
    plan: &Plan,
    sizes: &Sizes,
) -> Result<(Machine, Position), RecoverError> {
    for position in &recovered.checkpoints {
        match Machine::restore(&opened.checkpoint(*position)?, sizes) {
            Ok(machine) => return Ok((machine, Position(*position))),
            Err(error) if error.is_of_another_release() => {
                return Err(RecoverError::other_release(&error));
            }
            Err(error) => tracing::error!(%error, position, "a checkpoint cannot be used"),
        }
    }
    Ok((Machine::new(plan.clone(), sizes)?, Position(0)))
}

/// Applies chunks to a machine, and keeps the rows that the outbox lacks.
pub struct Replay<'r> {
    recovered: &'r Recovered,
    machine: Machine,
    next: Position,
    journal_bytes: u64,
    commits: Vec<Commit>,
}

impl<'r> Replay<'r> {
    fn new(recovered: &'r Recovered, machine: Machine, next: Position) -> Self {
        Self {
            recovered,
            machine,
            next,
            journal_bytes: 0,
            commits: Vec::new(),
        }
    }

    fn apply(&mut self, chunk: &[u8]) -> Result<(), Stop> {
        let mut entries =
            ChunkReader::new(chunk, self.machine.offset_ms()).map_err(Stop::Journal)?;
        if entries.first() > self.next {
            return Err(Stop::Missing {
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
            let (instant, entry) = entry.map_err(Stop::Journal)?;
            if at == self.next {
                let mut lacking = Lacking {
                    last: &self.recovered.last,
                    commits: &mut self.commits,
                };
                self.machine.apply(instant, &entry, &mut lacking);
                self.next = Position(at.0 + 1);
            }
        }
    }

    fn finish(self) -> Restored {
        let durable = self.machine.sealed();
        Restored {
            machine: self.machine,
            is_fresh: self.recovered.checkpoints.is_empty(),
            next: self.next,
            journal_bytes: self.journal_bytes,
            epoch: self.recovered.epoch,
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

    fn average(&mut self, _: &Summary, _: SensorName<'_>) {}

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

/// What `tidegate replay` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Position of the older checkpoint, from which the journal was replayed.
    pub from: Position,
    /// Position of the newer one.
    pub to: Position,
    /// Digest of the state that the replay arrived at.
    pub replayed: u64,
    /// Digest of the state that was saved while the gateway ran.
    pub saved: u64,
}

/// Replays the journal from the older checkpoint kept to the newer one, and compares. `None`: there are
/// no two checkpoints yet.
///
/// # Errors
/// [`RecoverError`] if store or checkpoints cannot be read.
pub fn compare(
    recovered: &Recovered,
    opened: &Opened,
    sizes: &Sizes,
) -> Result<Option<Compared>, RecoverError> {
    let [newer, older] = recovered.checkpoints[..] else {
        return Ok(None);
    };
    let goal = Machine::restore(&opened.checkpoint(newer)?, sizes)?;
    let saved = goal.digest();
    // A plan that came between them may need more memory than the older one had.
    let machine = Machine::restore(&opened.checkpoint(older)?, goal.sizes())?;
    let mut replay = Replay::new(recovered, machine, Position(older));
    opened.for_each_chunk(older, |first, chunk| {
        if first >= newer || replay.apply(chunk).is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let compared = Compared {
        from: Position(older),
        to: Position(newer),
        replayed: replay.machine.digest(),
        saved,
    };
    Ok(Some(compared))
}

/// Opens the store of a config.
///
/// # Errors
/// [`StoreError`] if it cannot be opened.
pub fn open(
    dir: &std::path::Path,
    settings: store::Settings,
) -> Result<(Recovered, Opened), StoreError> {
    let (recovered, opened) = store::open(dir, settings)?;
    if let Some(moved) = &recovered.moved_aside {
        tracing::error!(path = %moved.path.display(), why = %moved.why, "a corrupt store was moved aside; a new one is begun");
    }
    Ok((recovered, opened))
}
