//! How large transfers are, and how they share the way to Kafka with what comes in: the governor of a drain.
//!
//! An alert may have to wait for the end of a transfer. So one is to take no longer than an alert takes by itself: a transfer
//! costs something whatever is in it, which round trips and the brokers' disks make, and about as much again its bytes may
//! cost. Where Kafka is slow or throttles by bytes, transfers become smaller, and where the line is long, larger. While there is
//! a backlog each is followed by a pause in proportion to what it took; so the rest of the box, and the network, keep their share.

use pipeline::Instant;

use crate::limits::{
    TRANSFER_BYTES_MAX, TRANSFER_BYTES_MIN, TRANSFER_FIXED_MS_MAX, TRANSFER_MS_GOAL,
    TRANSFER_PAUSE_MS_MAX,
};

/// A slow transfer moves what is thought to be the fixed cost by this part of it at most: it may have been bad luck, or have
/// stood still with the line for an hour.
const SMOOTHING: u64 = 8;

/// The governor's state.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Part of the time that transfers of a backlog may take, percent.
    drain_share: u8,
    bytes_max: usize,
    /// What a transfer costs whatever is in it, ms; none: there was none yet.
    fixed_ms: Option<u64>,
    begun: Option<Instant>,
    rested: Instant,
}

impl Pace {
    pub(super) fn new(drain_share: u8) -> Self {
        Self {
            drain_share: drain_share.clamp(1, 100),
            bytes_max: TRANSFER_BYTES_MIN,
            fixed_ms: None,
            begun: None,
            rested: Instant(0),
        }
    }

    /// Bytes of the next transfer.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// From when on the next transfer of readings or summaries may begin.
    pub(super) fn rested(&self) -> Instant {
        self.rested
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// A transfer of batches is in Kafka; `has_backlog`: there were rows behind it already when it began.
    pub(super) fn succeed(&mut self, now: Instant, has_backlog: bool) {
        let Some(took_ms) = self.end(now) else { return };
        self.learn(took_ms, self.bytes_max == TRANSFER_BYTES_MIN);
        let fixed_ms = self.fixed_ms.unwrap_or(took_ms);
        let goal_ms = (2 * fixed_ms).max(TRANSFER_MS_GOAL);
        if took_ms > goal_ms {
            self.shrink();
        } else if has_backlog && took_ms + (took_ms - fixed_ms.min(took_ms)) <= goal_ms {
            self.bytes_max = (self.bytes_max * 2).min(TRANSFER_BYTES_MAX);
        }
        if has_backlog {
            let share = u64::from(self.drain_share);
            let pause_ms = took_ms * (100 - share) / share;
            self.rested = Instant(now.0 + pause_ms.min(TRANSFER_PAUSE_MS_MAX));
        }
    }

    /// A transfer of alerts or gaps is in Kafka.
    pub(super) fn succeed_small(&mut self, now: Instant) {
        if let Some(took_ms) = self.end(now) {
            self.learn(took_ms, true);
        }
    }

    /// What comes after a failure begins small: nobody knows what the line is like by then.
    pub(super) fn fail(&mut self) {
        if self.begun.take().is_some() {
            self.bytes_max = TRANSFER_BYTES_MIN;
        }
    }

    fn end(&mut self, now: Instant) -> Option<u64> {
        let begun = self.begun.take()?;
        Some(now.0.saturating_sub(begun.0))
    }

    /// A quicker transfer proves that the fixed cost is less; a slower one says something about it only if it is small.
    fn learn(&mut self, took_ms: u64, is_small: bool) {
        let took_ms = took_ms.min(TRANSFER_FIXED_MS_MAX);
        self.fixed_ms = Some(match self.fixed_ms {
            Some(fixed_ms) if is_small => took_ms.min(fixed_ms + (fixed_ms / SMOOTHING).max(1)),
            Some(fixed_ms) => fixed_ms.min(took_ms),
            None => took_ms,
        });
    }

    fn shrink(&mut self) {
        self.bytes_max = (self.bytes_max / 2).max(TRANSFER_BYTES_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Kafka that takes so long for each transfer, and for each MiB.
    struct Kafka {
        fixed_ms: u64,
        mib_ms: u64,
    }

    impl Kafka {
        /// Sends a backlog in so many transfers; gives what the last one took, ms.
        fn drain(&self, pace: &mut Pace, transfers: u32) -> u64 {
            let mut took_ms = 0;
            for _ in 0..transfers {
                took_ms = self.fixed_ms + self.mib_ms * pace.bytes_max() as u64 / (1024 * 1024);
                transfer(pace, took_ms);
            }
            took_ms
        }
    }

    /// Gives the pause behind it.
    fn transfer(pace: &mut Pace, took_ms: u64) -> u64 {
        let now = pace.rested();
        pace.begin(now);
        let end = Instant(now.0 + took_ms);
        pace.succeed(end, true);
        pace.rested().0 - end.0
    }

    #[test]
    fn a_transfer_takes_about_twice_what_an_alert_takes() {
        for (fixed_ms, mib_ms) in [(40, 100), (100, 1_000), (300, 200)] {
            let mut pace = Pace::new(80);
            let kafka = Kafka { fixed_ms, mib_ms };
            kafka.drain(&mut pace, 20);
            let longest = (0..20).map(|_| kafka.drain(&mut pace, 1)).max();
            // The smallest transfer is the best that is known of it; a doubling may go beyond the goal once.
            let alert_ms = fixed_ms + mib_ms * TRANSFER_BYTES_MIN as u64 / (1024 * 1024);
            assert!(longest <= Some(5 * alert_ms / 2), "{fixed_ms}: {longest:?}");
            assert!(
                pace.bytes_max() > TRANSFER_BYTES_MIN,
                "{fixed_ms}, {mib_ms}"
            );
        }
    }

    #[test]
    fn a_kafka_that_throttles_gets_small_transfers_and_a_quick_one_large_ones_again() {
        let mut pace = Pace::new(80);
        let quick = Kafka {
            fixed_ms: 5,
            mib_ms: 5,
        };
        quick.drain(&mut pace, 20);
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MAX);
        let throttling = Kafka {
            fixed_ms: 5,
            mib_ms: 2_000,
        };
        throttling.drain(&mut pace, 6);
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MIN);
        quick.drain(&mut pace, 20);
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MAX);
    }

    #[test]
    fn what_comes_after_a_failure_begins_small() {
        let mut pace = Pace::new(80);
        Kafka {
            fixed_ms: 5,
            mib_ms: 5,
        }
        .drain(&mut pace, 20);
        pace.begin(Instant(0));
        pace.fail();
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MIN);
    }

    /// An outage of an hour in the middle of a transfer says nothing about the line.
    #[test]
    fn one_transfer_that_took_forever_is_soon_forgotten() {
        let mut pace = Pace::new(80);
        let kafka = Kafka {
            fixed_ms: 10,
            mib_ms: 100,
        };
        kafka.drain(&mut pace, 20);
        transfer(&mut pace, 3_600_000);
        assert!(kafka.drain(&mut pace, 3) <= 30);
    }

    #[test]
    fn live_batches_do_not_make_the_first_transfers_of_a_drain_large() {
        let mut pace = Pace::new(80);
        for second in 0..100 {
            pace.begin(Instant(second * 1_000));
            pace.succeed(Instant(second * 1_000 + 5), false);
        }
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MIN);
    }

    #[test]
    fn a_backlog_leaves_the_rest_of_the_time_to_others() {
        for (drain_share, pause_ms) in [(100, 0), (80, 25), (50, 100), (20, 400)] {
            assert_eq!(transfer(&mut Pace::new(drain_share), 100), pause_ms);
        }
        let longest = transfer(&mut Pace::new(1), 60_000);
        assert_eq!(longest, TRANSFER_PAUSE_MS_MAX);
    }

    #[test]
    fn what_comes_in_is_sent_without_a_pause() {
        let mut pace = Pace::new(1);
        pace.begin(Instant(5));
        pace.succeed(Instant(105), false);
        assert_eq!(pace.rested(), Instant(0));
    }
}
