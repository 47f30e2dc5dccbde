//! Engine time: grows with the monotonic clock, goes on where the journal ends, and carries the wall clock beside it.

use pipeline::{Instant, Now};
use wire::Clock;

use crate::clock::Moment;
use crate::journal::wall_at;
use crate::limits::{CLOCK_MS_MIN, CLOCK_STALE_MS, CLOCK_STEP_MS};

/// Maps the box's clocks to engine time.
///
/// While the wall clock is not set, it goes on where the journal ends, unless the box says that it is later: how long the process was away
/// is not known, but what is read now comes behind what was read before. What the box says is followed from the moment at which it can be
/// believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    /// Engine time minus the process's monotonic time, ms.
    base_ms: u64,
    now: Instant,
    /// Wall clock minus engine time, ms, as the journal has it.
    offset_ms: i64,
    clock: Clock,
}

impl Timeline {
    /// Goes on at `resumed`, the engine time at which the journal ends, with the wall clock `offset_ms` from it.
    pub(super) fn new(moment: Moment, resumed: Instant, offset_ms: i64) -> Self {
        let base_ms = resumed.0.saturating_sub(moment.monotonic_ms);
        let mut timeline = Self {
            base_ms,
            now: resumed,
            offset_ms,
            clock: Clock::Synced,
        };
        let by_box_ms = timeline.offset_at(moment);
        if timeline.is_believable(moment) {
            timeline.offset_ms = by_box_ms;
        } else {
            timeline.clock = Clock::Unsynced;
            timeline.offset_ms = by_box_ms.max(offset_ms);
        }
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

    /// Whether the wall clock is set.
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether the wall clock has left the offset, or was set; then the new one holds. One that falls back to before this program
    /// was written is not followed.
    pub(super) fn follow_wall(&mut self, moment: Moment) -> bool {
        let offset_ms = self.offset_at(moment);
        let has_changed = match self.clock {
            Clock::Synced => {
                moment.wall_ms >= CLOCK_MS_MIN && offset_ms.abs_diff(self.offset_ms) > CLOCK_STEP_MS
            }
            Clock::Unsynced | Clock::Repaired => self.is_believable(moment),
        };
        if has_changed {
            self.offset_ms = offset_ms;
            self.clock = Clock::Synced;
        }
        has_changed
    }

    /// The process's monotonic time at `instant`, ms.
    pub(super) fn monotonic_ms(&self, instant: Instant) -> u64 {
        instant.0.saturating_sub(self.base_ms)
    }

    fn is_believable(&self, moment: Moment) -> bool {
        let behind_ms = self.now().wall.0.saturating_sub(moment.wall_ms);
        moment.wall_ms >= CLOCK_MS_MIN
            && moment
                .is_vouched
                .unwrap_or(!CLOCK_STALE_MS.contains(&behind_ms))
    }

    fn offset_at(&self, moment: Moment) -> i64 {
        moment.wall_ms.wrapping_sub(self.now.0 as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_764_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn moment(monotonic_ms: u64, wall_ms: i64) -> Moment {
        Moment {
            monotonic_ms,
            wall_ms,
            is_vouched: None,
        }
    }

    /// A process that starts when the journal, if there is one, ends at `WALL`.
    fn started(instant: u64, wall_ms: i64) -> Timeline {
        let offset_ms = if instant == 0 {
            0
        } else {
            WALL - instant as i64
        };
        Timeline::new(moment(0, wall_ms), Instant(instant), offset_ms)
    }

    #[test]
    fn time_goes_on_where_the_journal_ends() {
        let mut timeline = Timeline::new(moment(3, WALL + HOUR), Instant(90_000), WALL - 90_000);
        assert_eq!(timeline.now().instant, Instant(90_000));
        assert_eq!(timeline.now().wall.0, WALL + HOUR);
        timeline.advance(moment(10, WALL + HOUR + 7));
        assert_eq!(timeline.now().instant, Instant(90_007));
        assert_eq!(timeline.monotonic_ms(Instant(90_007)), 10);
    }

    #[test]
    fn a_wall_clock_that_jumps_moves_the_offset_and_not_the_time() {
        let mut timeline = started(0, WALL);
        timeline.advance(moment(100, WALL + HOUR));
        assert!(timeline.follow_wall(moment(100, WALL + HOUR)));
        assert_eq!(
            (timeline.now().instant.0, timeline.now().wall.0),
            (100, WALL + HOUR)
        );
        let drifted = moment(200, WALL + HOUR + 100 + CLOCK_STEP_MS as i64);
        timeline.advance(drifted);
        assert!(!timeline.follow_wall(drifted), "a small drift is let be");
        assert!(!timeline.follow_wall(moment(200, 0)), "1970 is no time");
        assert_eq!(timeline.clock(), Clock::Synced);
    }

    #[test]
    fn a_clock_is_believed_unless_it_cannot_be_or_is_a_little_behind_the_journal() {
        let day = 24 * HOUR;
        for (instant, wall_ms, expected) in [
            (0, 5_000, (Clock::Unsynced, 5_000)),
            (0, WALL, (Clock::Synced, WALL)),
            (90_000, 5_000, (Clock::Unsynced, WALL)),
            (90_000, WALL - HOUR, (Clock::Unsynced, WALL)),
            (90_000, WALL - 59_999, (Clock::Synced, WALL - 59_999)),
            (90_000, WALL - day - 1, (Clock::Synced, WALL - day - 1)),
            (90_000, WALL + day, (Clock::Synced, WALL + day)),
        ] {
            let timeline = started(instant, wall_ms);
            let found = (timeline.clock(), timeline.now().wall.0);
            assert_eq!(found, expected, "{instant} {wall_ms}");
        }
    }

    #[test]
    fn a_clock_that_was_not_set_is_followed_once_it_is() {
        let mut timeline = started(90_000, 5_000);
        timeline.advance(moment(1_000, 6_000));
        assert!(!timeline.follow_wall(moment(1_000, 6_000)));
        assert_eq!(timeline.now().wall.0, WALL + 1_000);
        assert!(timeline.follow_wall(moment(1_000, WALL + HOUR)));
        assert_eq!(
            (timeline.clock(), timeline.now().wall.0),
            (Clock::Synced, WALL + HOUR)
        );
    }

    #[test]
    fn where_somebody_is_asked_his_word_counts() {
        let vouched = |wall_ms, is_vouched| Moment {
            is_vouched: Some(is_vouched),
            ..moment(0, wall_ms)
        };
        let clock = |moment| Timeline::new(moment, Instant(90_000), WALL - 90_000).clock();
        assert_eq!(clock(vouched(WALL + HOUR, false)), Clock::Unsynced);
        assert_eq!(clock(vouched(WALL - HOUR, true)), Clock::Synced);
        assert_eq!(clock(vouched(5_000, true)), Clock::Unsynced);
    }
}
