//! Engine time: grows with the monotonic clock, goes on where the journal ends, and carries the wall clock beside it.

use pipeline::{Instant, Now};

use crate::clock::Moment;
use crate::journal::wall_at;
use crate::limits::CLOCK_STEP_MS;

/// Maps the box's clocks to engine time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    /// Engine time minus the process's monotonic time, ms.
    base_ms: u64,
    now: Instant,
    /// Wall clock minus engine time, ms, as the journal has it.
    offset_ms: i64,
}

impl Timeline {
    /// Goes on at `resumed`, the engine time at which the journal ends.
    pub(super) fn new(moment: Moment, resumed: Instant) -> Self {
        let base_ms = resumed.0.saturating_sub(moment.monotonic_ms);
        let mut timeline = Self {
            base_ms,
            now: resumed,
            offset_ms: 0,
        };
        timeline.offset_ms = timeline.offset_at(moment);
        timeline
    }

    /// Moves on to `moment`; engine time never goes back.
    pub(super) fn advance(&mut self, moment: Moment) {
        self.now = self.now.max(Instant(self.base_ms + moment.monotonic_ms));
    }

    /// Engine time, and the wall clock as the journal has it.
    pub(super) fn now(&self) -> Now {
        Now {
            instant: self.now,
            wall: wall_at(self.now, self.offset_ms),
        }
    }

    /// Wall clock minus engine time, ms.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Whether the wall clock has left the offset; then the new one holds.
    pub(super) fn follow_wall(&mut self, moment: Moment) -> bool {
        let offset_ms = self.offset_at(moment);
        let left = offset_ms.abs_diff(self.offset_ms) > CLOCK_STEP_MS;
        if left {
            self.offset_ms = offset_ms;
        }
        left
    }

    /// The process's monotonic time at `instant`, ms.
    pub(super) fn monotonic_ms(&self, instant: Instant) -> u64 {
        instant.0.saturating_sub(self.base_ms)
    }

    fn offset_at(&self, moment: Moment) -> i64 {
        moment.wall_ms.wrapping_sub(self.now.0 as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(monotonic_ms: u64, wall_ms: i64) -> Moment {
        Moment {
            monotonic_ms,
            wall_ms,
        }
    }

    #[test]
    fn time_goes_on_where_the_journal_ends() {
        let mut timeline = Timeline::new(moment(3, 500_000), Instant(90_000));
        assert_eq!(timeline.now().instant, Instant(90_000));
        assert_eq!(timeline.now().wall.0, 500_000);
        timeline.advance(moment(10, 500_007));
        assert_eq!(timeline.now().instant, Instant(90_007));
        assert_eq!(timeline.monotonic_ms(Instant(90_007)), 10);
    }

    #[test]
    fn a_wall_clock_that_jumps_moves_the_offset_and_not_the_time() {
        let mut timeline = Timeline::new(moment(0, 1_000), Instant(0));
        timeline.advance(moment(100, 1_000_000));
        assert!(timeline.follow_wall(moment(100, 1_000_000)));
        assert_eq!(
            (timeline.now().instant.0, timeline.now().wall.0),
            (100, 1_000_000)
        );
        timeline.advance(moment(200, 1_000_100 + CLOCK_STEP_MS as i64));
        assert!(
            !timeline.follow_wall(moment(200, 1_000_100 + CLOCK_STEP_MS as i64)),
            "a small drift is let be"
        );
    }
}
