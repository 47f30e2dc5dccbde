//! The dry-run: the newest part of the journal through two copies of the machine, one under the plan that holds, one under
//! the plan that is to come. What they drop and raise is compared; the machine that runs is not touched.

use core::ops::ControlFlow;

use pipeline::{Instant, Plan};
use wire::{Alert, SensorId, SensorName, Summary};

use crate::commit::SealedRow;
use crate::fleet::trial::{Both, Findings};
use crate::journal::{ChunkReader, Entry, Malformed, Position};
use crate::limits::REHEARSAL_READINGS_MAX;
use crate::machine::{Effects, Machine, Sizes, StateError};

/// Two machines on the way through the journal.
pub struct Rehearsal {
    now: Copy,
    then: Copy,
    next: Position,
    since: Instant,
    readings: u64,
}

/// A machine, and what it had counted when it began.
struct Copy {
    machine: Machine,
    begin: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    dropped: u64,
    alerts: u64,
}

impl Rehearsal {
    /// Two copies of the machine that was saved at `position`, under these plans; of one that has seen nothing where none
    /// was saved yet.
    ///
    /// # Errors
    /// [`StateError`] if the bytes are no state.
    pub fn new(
        saved: Option<&(u64, Vec<u8>)>,
        sizes: &Sizes,
        plans: &[Box<Plan>; 2],
    ) -> Result<Self, StateError> {
        let [now, then] = plans;
        let (position, state) = match saved {
            Some((position, state)) => (*position, Some(state.as_slice())),
            None => (0, None),
        };
        let now = Copy::new(state, sizes, now)?;
        let then = Copy::new(state, sizes, then)?;
        Ok(Self {
            since: now.machine.instant(),
            now,
            then,
            next: Position(position),
            readings: 0,
        })
    }

    /// Lets both take a chunk. `Break`: they have seen enough, or the chunk does not follow.
    ///
    /// # Errors
    /// [`Malformed`] if it is no chunk.
    pub fn apply(&mut self, chunk: &[u8]) -> Result<ControlFlow<()>, Malformed> {
        let mut entries = ChunkReader::new(chunk, self.now.machine.offset_ms())?;
        if entries.first() > self.next {
            return Ok(ControlFlow::Break(()));
        }
        loop {
            let at = entries.first();
            let Some(entry) = entries.next() else {
                return Ok(ControlFlow::Continue(()));
            };
            let (instant, entry) = entry?;
            if at != self.next {
                continue;
            }
            self.next = Position(at.0 + 1);
            self.readings += u64::from(matches!(entry, Entry::Reading { .. }));
            // Each keeps to its own plan.
            if !matches!(entry, Entry::Plan { .. }) {
                self.now.machine.apply(instant, &entry, &mut Nobody);
                self.then.machine.apply(instant, &entry, &mut Nobody);
            }
            if self.readings >= REHEARSAL_READINGS_MAX {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Position of the entry that comes next.
    #[must_use]
    pub const fn next(&self) -> Position {
        self.next
    }

    /// What both came to.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let (now, then) = (self.now.tally(), self.then.tally());
        Findings {
            seconds: (self.now.machine.instant().0 - self.since.0) / 1_000,
            readings: self.readings,
            dropped: Both {
                now: now.dropped,
                then: then.dropped,
            },
            alerts: Both {
                now: now.alerts,
                then: then.alerts,
            },
        }
    }
}

impl Copy {
    fn new(state: Option<&[u8]>, sizes: &Sizes, plan: &Plan) -> Result<Self, StateError> {
        let machine = match state {
            None => Machine::new(plan, sizes)?,
            Some(state) => {
                let mut machine = Machine::restore(state, sizes)?;
                machine.replan(plan, &mut Nobody);
                machine
            }
        };
        Ok(Self {
            begin: Tally::of(&machine),
            machine,
        })
    }

    /// Since it began.
    fn tally(&self) -> Tally {
        let end = Tally::of(&self.machine);
        Tally {
            dropped: end.dropped.saturating_sub(self.begin.dropped),
            alerts: end.alerts - self.begin.alerts,
        }
    }
}

impl Tally {
    fn of(machine: &Machine) -> Self {
        let counters = machine.counters();
        let sensors = (0..machine.sensors().0).filter_map(|place| u16::try_from(place).ok());
        let refused = sensors.filter_map(|place| machine.counts(SensorId(place)));
        let refused: u64 = refused
            .map(|counts| u64::from(counts.bad) + u64::from(counts.late))
            .sum();
        Self {
            dropped: refused + counters.spikes + counters.duplicates,
            alerts: counters.alerts_raised,
        }
    }
}

/// What follows from a rehearsal is for nobody.
struct Nobody;

impl Effects for Nobody {
    fn alert(&mut self, _: &Alert<'_>) {}

    fn average(&mut self, _: &Summary, _: SensorName<'_>, _: &[f64]) {}

    fn seal(&mut self, _: &SealedRow<'_>) {}
}

#[cfg(test)]
mod tests;
