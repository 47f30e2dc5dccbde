//! What a clock that is not set, and is set later, means to the sensors.

use super::Pipeline;
use crate::clean::Steady;
use crate::gate::Cleaned;
use crate::memory::Memory;
use crate::time::Now;
use serde::{Deserialize, Serialize};
use wire::{Clock, Flags, Reasons, Summary, Timestamp, Window};

/// The times that a clock gave while it was not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unset {
    span: Option<(i64, i64)>,
    /// How often the clock was not set so far.
    pub(super) era: u16,
    /// The latest time that the clock was set to. What was read before may be moved up to there.
    pub(super) set_to: Timestamp,
}

impl Unset {
    pub(super) fn extend(&mut self, wall: Timestamp) {
        let (from, to) = self.span.unwrap_or((wall.0, wall.0));
        self.span = Some((from.min(wall.0), to.max(wall.0)));
    }

    /// Whether a window has such a time in it.
    fn meets(&self, window: Window) -> bool {
        let start = window.start.0;
        let end = start.saturating_add(window.length_ms.into());
        let is_in = |(from, to)| start <= to && from < end;
        self.span.is_some_and(is_in)
    }
}

/// Why a row is to be moved once the clock is set: its time is that of a clock which is not.
const PLACED: Reasons = Reasons::CLOCK_UNSYNCED;

impl<M: Memory> Pipeline<M> {
    /// From here on the gateway's wall clock can be trusted so far. What was read before keeps its times and says by which clock it
    /// has them. One that is not set is another one after each start.
    pub fn set_clock(&mut self, now: Now, clock: Clock) {
        if self.clock == clock && clock == Clock::Synced {
            return;
        }
        self.clock = clock;
        if clock == Clock::Synced {
            self.unset.set_to = self.unset.set_to.max(now.wall);
        } else {
            self.unset = Unset {
                span: None,
                era: self.unset.era.wrapping_add(1),
                set_to: self.unset.set_to,
            };
        }
        // The time from the last value to the next one is not what the two clocks say, so that nobody knows how long it stood still.
        for sensor in &mut self.memory.sensors[..usize::from(self.sensors)] {
            sensor.steady = Steady::default();
        }
    }

    /// By which clock the values of a window have their times.
    pub(super) fn clock_of(&self, summary: &Summary) -> Clock {
        let sensor = &self.memory.sensors[usize::from(summary.sensor.0)];
        let has_such = |era| era != self.unset.era || self.unset.meets(summary.window);
        if sensor.placed_in.is_some_and(has_such) {
            Clock::Unsynced
        } else {
            Clock::Synced
        }
    }

    /// What is filled in before a reading has its place by the same clock.
    pub(super) fn placed_like_the_last(&self, place: usize, cleaned: Cleaned) -> Cleaned {
        let reasons = self.memory.sensors[place].last.flags.reasons();
        let own = cleaned.flags.reasons();
        if !own.contains(Reasons::FILLED) || !is_placed(reasons) {
            return cleaned;
        }
        let flags = Flags::new(
            cleaned.flags.quality(),
            own | Reasons::ARRIVAL_TIME | PLACED,
        );
        Cleaned { flags, ..cleaned }
    }
}

/// Whether the event time is that of the gateway's clock while that was not set.
pub(crate) const fn is_placed(reasons: Reasons) -> bool {
    reasons.contains(PLACED) && reasons.meets(Reasons::TIME_OF_GATEWAY)
}

/// The clock of a whole: not to be trusted if any of its parts is not.
pub(super) fn worst(own: Clock, mut parts: impl Iterator<Item = Clock>) -> Clock {
    match own {
        Clock::Synced => parts
            .find(|clock| *clock != Clock::Synced)
            .unwrap_or(Clock::Synced),
        Clock::Unsynced | Clock::Repaired => own,
    }
}

/// The clock of a row.
pub(super) const fn clock_of(flags: Flags) -> Clock {
    if flags.reasons().contains(PLACED) {
        Clock::Unsynced
    } else {
        Clock::Synced
    }
}
