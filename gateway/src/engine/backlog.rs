//! What waits for Kafka, in numbers: how much, since when, and until when.

use heapless::Deque;
use pipeline::{Instant, Now};
use serde::Serialize;
use wire::Timestamp;

use crate::limits::{BACKLOG_MARK_MS, BACKLOG_MARKS_MAX, DRAIN_SAMPLE_MS, DRAIN_SAMPLES_MAX};
use crate::outbox::{Backlog, LANES, Sequence};

/// The backlog as the status tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Rows: alerts, gaps, aggregates, telemetry.
    pub rows: [u64; LANES],
    /// Their bytes.
    pub bytes: [u64; LANES],
    /// Age of the oldest batch of readings, s, to a minute; none: nothing waits.
    pub oldest_age_s: Option<u64>,
    /// When all will be in Kafka if it goes on as in the last minute, s from now; none: it does not become less.
    pub drain_eta_s: Option<u64>,
    /// Rows thinned since the start, because the disk was full.
    pub thinned_rows: u64,
    /// Readings, summaries and alerts that were in these.
    pub thinned_items: u64,
}

/// Follows the backlog.
#[derive(Debug)]
pub(super) struct Drain {
    backlog: Backlog,
    /// Sequences of batches with the time at which they were the newest, thinner the longer it lasts.
    marks: Deque<(Sequence, Timestamp), BACKLOG_MARKS_MAX>,
    mark_ms: u64,
    /// What was left, then; the first is the most of them.
    samples: Deque<(Instant, u64), DRAIN_SAMPLES_MAX>,
    eta_s: Option<u64>,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            backlog: Backlog::default(),
            marks: Deque::new(),
            mark_ms: BACKLOG_MARK_MS,
            samples: Deque::new(),
            eta_s: None,
        }
    }
}

impl Drain {
    /// Bytes that the store holds.
    pub(super) fn bytes(&self) -> u64 {
        self.backlog.bytes()
    }

    /// A batch was sealed, then.
    pub(super) fn note_sealed(&mut self, sequence: Sequence, at: Timestamp) {
        let is_new = match self.marks.back() {
            Some((newest, marked)) => *newest < sequence && marked.0.abs_diff(at.0) >= self.mark_ms,
            None => true,
        };
        if is_new && self.marks.push_back((sequence, at)).is_err() {
            self.thin_out();
        }
    }

    /// The clock was set: the batches were sealed so much later.
    pub(super) fn move_marks(&mut self, shift_ms: i64) {
        for (_, at) in &mut self.marks {
            at.0 = at.0.saturating_add(shift_ms);
        }
    }

    /// Batches up to this are in Kafka.
    pub(super) fn note_sent(&mut self, sequence: Sequence) {
        while self
            .marks
            .front()
            .is_some_and(|(marked, _)| *marked <= sequence)
        {
            self.marks.pop_front();
        }
        if self.marks.is_empty() {
            self.mark_ms = BACKLOG_MARK_MS;
        }
    }

    /// The store has measured.
    pub(super) fn note(&mut self, now: Now, backlog: Backlog) {
        self.backlog = backlog;
        let bytes = backlog.bytes();
        let passed_ms = |then: Instant| now.instant.0.saturating_sub(then.0);
        let is_soon = |(then, _): &(Instant, u64)| passed_ms(*then) < DRAIN_SAMPLE_MS;
        if self.samples.back().is_some_and(is_soon) {
            return;
        }
        // What grew before says nothing of the speed at which it becomes less.
        while self.samples.is_full()
            || self
                .samples
                .front()
                .is_some_and(|(_, before)| *before <= bytes)
        {
            self.samples.pop_front();
        }
        // There is room: one was taken.
        let _ = self.samples.push_back((now.instant, bytes));
        self.eta_s = self.samples.front().and_then(|(since, most)| {
            (bytes.saturating_mul(passed_ms(*since)) / 1_000).checked_div(most - bytes)
        });
    }

    /// In numbers; `is_sent` says of which lanes all is in Kafka, for the store may not know yet.
    pub(super) fn waiting(&self, now: Now, is_sent: [bool; LANES]) -> Waiting {
        let mut waiting = Waiting {
            rows: self.backlog.rows,
            bytes: self.backlog.bytes,
            oldest_age_s: self
                .marks
                .front()
                .map(|(_, at)| u64::try_from(now.wall.0.saturating_sub(at.0)).unwrap_or(0) / 1_000),
            drain_eta_s: self.eta_s,
            thinned_rows: self.backlog.thinned_rows,
            thinned_items: self.backlog.thinned_items,
        };
        for (lane, is_sent) in is_sent.into_iter().enumerate() {
            if is_sent {
                waiting.rows[lane] = 0;
                waiting.bytes[lane] = 0;
            }
        }
        if waiting.rows.iter().all(|rows| *rows == 0) {
            waiting.drain_eta_s = Some(0);
        }
        waiting
    }

    /// Keeps every second mark.
    fn thin_out(&mut self) {
        for nth in 0..self.marks.len() {
            if let Some(mark) = self.marks.pop_front()
                && nth % 2 == 0
            {
                // There is room: one was taken.
                let _ = self.marks.push_back(mark);
            }
        }
        self.mark_ms *= 2;
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Instant;

    use super::*;

    fn at(s: u64) -> Now {
        Now {
            instant: Instant(s * 1_000),
            wall: Timestamp(s as i64 * 1_000),
        }
    }

    fn holding(bytes: u64) -> Backlog {
        Backlog {
            rows: [0, 0, 0, 9],
            bytes: [0, 0, 0, bytes],
            ..Backlog::default()
        }
    }

    #[test]
    fn the_age_is_that_of_the_oldest_batch_that_waits() {
        let mut drain = Drain::default();
        for minute in 0..100_u64 {
            drain.note_sealed(Sequence(minute + 1), at(minute * 60).wall);
        }
        let age = |drain: &Drain| drain.waiting(at(6_000), [false; LANES]).oldest_age_s;
        assert_eq!(age(&drain), Some(6_000));
        drain.note_sent(Sequence(50));
        assert_eq!(age(&drain), Some(3_000));
        drain.note_sent(Sequence(100));
        assert_eq!(age(&drain), None);
    }

    #[test]
    fn months_of_batches_fit_into_the_marks() {
        let mut drain = Drain::default();
        let s = 90 * 24 * 3_600;
        for second in (0..s).step_by(5) {
            drain.note_sealed(Sequence(second + 1), at(second).wall);
        }
        let waiting = drain.waiting(at(s), [false; LANES]);
        assert_eq!(waiting.oldest_age_s, Some(s));
        assert!(drain.marks.len() > BACKLOG_MARKS_MAX / 4);
    }

    #[test]
    fn the_end_of_a_drain_is_foretold_from_its_speed() {
        let mut drain = Drain::default();
        let eta = |drain: &Drain, s| drain.waiting(at(s), [false; LANES]).drain_eta_s;
        drain.note(at(0), holding(10_000));
        drain.note(at(10), holding(20_000));
        assert_eq!(eta(&drain, 10), None, "it grows");
        drain.note(at(20), holding(15_000));
        assert_eq!(eta(&drain, 20), Some(30));
        drain.note(at(21), holding(5_000));
        assert_eq!(eta(&drain, 21), Some(30), "too soon to tell");
        drain.note(at(22), holding(14_000));
        assert_eq!(eta(&drain, 22), Some(28), "over all of it");
        assert_eq!(
            drain.waiting(at(21), [true; LANES]),
            Waiting {
                drain_eta_s: Some(0),
                ..Waiting::default()
            }
        );
    }
}
