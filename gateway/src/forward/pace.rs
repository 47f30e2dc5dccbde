//! How large transfers are, and how they share the way to Kafka with what comes in: the governor of a drain.
//!
//! A transfer is to last no longer than a moment, for an alert may have to wait for its end: where Kafka is slow or throttles, they
//! become smaller. While there is a backlog, each is followed by a pause in proportion to what it took; so the rest of the
//! box, and the network, keep their share.

use pipeline::Instant;

use crate::limits::{
    TRANSFER_BYTES_MAX, TRANSFER_BYTES_MIN, TRANSFER_MS_GOAL, TRANSFER_PAUSE_MS_MAX,
};

/// The governor's state.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Part of the time that transfers of a backlog may take, percent.
    drain_share: u8,
    bytes_max: usize,
    begun: Option<Instant>,
    rested: Instant,
}

impl Pace {
    pub(super) fn new(drain_share: u8) -> Self {
        Self {
            drain_share: drain_share.clamp(1, 100),
            bytes_max: TRANSFER_BYTES_MAX,
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

    /// The transfer is in Kafka; `has_backlog`: there were rows behind it already when it began.
    pub(super) fn succeed(&mut self, now: Instant, has_backlog: bool) {
        let Some(begun) = self.begun.take() else {
            return;
        };
        let took_ms = now.0.saturating_sub(begun.0);
        if took_ms > TRANSFER_MS_GOAL {
            self.shrink();
        } else if took_ms * 2 <= TRANSFER_MS_GOAL {
            self.bytes_max = (self.bytes_max * 2).min(TRANSFER_BYTES_MAX);
        }
        if has_backlog {
            let share = u64::from(self.drain_share);
            let pause_ms = took_ms * (100 - share) / share;
            self.rested = Instant(now.0 + pause_ms.min(TRANSFER_PAUSE_MS_MAX));
        }
    }

    pub(super) fn fail(&mut self) {
        if self.begun.take().is_some() {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.bytes_max = (self.bytes_max / 2).max(TRANSFER_BYTES_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(pace: &mut Pace, took_ms: u64) -> u64 {
        let now = pace.rested();
        pace.begin(now);
        let end = Instant(now.0 + took_ms);
        pace.succeed(end, true);
        pace.rested().0 - end.0
    }

    #[test]
    fn a_slow_kafka_gets_small_transfers_and_a_quick_one_large_ones_again() {
        let mut pace = Pace::new(80);
        for _ in 0..20 {
            transfer(&mut pace, 5 * TRANSFER_MS_GOAL);
        }
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MIN);
        for _ in 0..20 {
            transfer(&mut pace, TRANSFER_MS_GOAL / 10);
        }
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MAX);
        pace.begin(Instant(0));
        pace.fail();
        assert_eq!(pace.bytes_max(), TRANSFER_BYTES_MAX / 2);
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
