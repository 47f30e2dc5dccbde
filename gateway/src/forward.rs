//! Which rows of the outbox go to Kafka next, and when again after a failure: sans-IO.
//!
//! One transfer is under way at a time. Its position comes from the watermark *record* in Kafka,
//! read anew after each connect, never from what this process remembers: a commit whose outcome is
//! unknown is settled by reading.
//!
//! ```text
//! Paused ─► Connecting ─► Ready ─► Loading ─► Sending ─► Ready
//!    ▲          │                     │          │
//!    └──────────┴─────── failed ──────┴──────────┘        Stopped: a person must act
//! ```

mod pace;

use pipeline::Instant;

use crate::limits::{RETRY_MS_MAX, RETRY_MS_MIN};
use crate::outbox::{LANES, Lane, Sequence, Sequences, Watermark};
use pace::Pace;

/// What the forwarder wants done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a session with Kafka and read the watermark.
    Connect,
    /// Read rows of this lane behind this sequence.
    Load {
        /// Lane.
        lane: Lane,
        /// Rows with a higher sequence.
        after: Sequence,
        /// Together no larger than this, unless the first is.
        bytes_max: usize,
    },
    /// Send the rows that were loaded, with this watermark in the same transaction.
    Send {
        /// The watermark once they are in Kafka.
        watermark: Watermark,
    },
}

/// Why a transfer or a connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Kafka is away, or the outcome is unknown: again later.
    Retry,
    /// Credentials or rights are refused: again later, a person should know.
    Refused,
    /// Another process has this gateway's id: stop, a person must act.
    Fenced,
    /// The client library is in a state that only a new session mends.
    Fatal,
}

/// What a connect found out about this store's place in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The store's own watermark, or none yet: goes on in this epoch.
    Same,
    /// The store is new, or older than what Kafka has: this new epoch must be durable before a row is sent.
    NewEpoch(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Paused {
        until: Instant,
    },
    Connecting,
    Ready,
    Loading {
        lane: Lane,
    },
    Loaded {
        lane: Lane,
        last: Sequence,
    },
    Sending {
        lane: Lane,
        last: Sequence,
        has_backlog: bool,
    },
    Stopped,
}

/// The forwarder's state.
#[derive(Clone, Debug)]
pub struct Forwarder {
    state: State,
    epoch: Option<u64>,
    /// The epoch stands in the store.
    epoch_durable: bool,
    sent: Sequences,
    durable: Sequences,
    /// Up to here rows of this store can be in Kafka: what was durable at the start, and what was sent since.
    offered: Sequences,
    failures: u32,
    /// The lane of batches that went last: the two take turns.
    last_large: Lane,
    /// Alerts or gaps went last: batches are next, if they may.
    is_turn_of_large: bool,
    pace: Pace,
}

impl Forwarder {
    /// Starts with what the store holds: its epoch, and the highest sequence of each lane. A backlog is sent in `drain_share`
    /// percent of the time.
    #[must_use]
    pub fn new(now: Instant, epoch: Option<u64>, durable: Sequences, drain_share: u8) -> Self {
        Self {
            state: State::Paused { until: now },
            epoch,
            epoch_durable: epoch.is_some(),
            sent: [Sequence(0); LANES],
            durable,
            offered: durable,
            failures: 0,
            last_large: Lane::Telemetry,
            is_turn_of_large: false,
            pace: Pace::new(drain_share),
        }
    }

    /// The epoch, once Kafka has been asked.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Highest sequence in Kafka, per lane, as far as is known.
    #[must_use]
    pub fn sent(&self) -> &Sequences {
        &self.sent
    }

    /// Whether rows flow or could flow at once.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match self.state {
            State::Ready | State::Loading { .. } | State::Loaded { .. } | State::Sending { .. } => {
                true
            }
            State::Paused { .. } | State::Connecting | State::Stopped => false,
        }
    }

    /// Whether it waits for a person.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Attempts that failed since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When [`poll`](Self::poll) will have a step without another event.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Ready if self.epoch_durable => self.next_lane(true).map(|_| self.pace.rested()),
            State::Connecting
            | State::Ready
            | State::Loading { .. }
            | State::Loaded { .. }
            | State::Sending { .. }
            | State::Stopped => None,
        }
    }

    /// The next thing to do, if any; each is given once.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        match self.state {
            State::Paused { until } if until <= now => {
                self.state = State::Connecting;
                Some(Step::Connect)
            }
            State::Ready if self.epoch_durable => {
                let lane = self.next_lane(self.pace.rested() <= now)?;
                self.state = State::Loading { lane };
                Some(Step::Load {
                    lane,
                    after: self.sent[lane.index()],
                    bytes_max: self.pace.bytes_max(),
                })
            }
            State::Loaded { lane, last } => {
                self.offered[lane.index()] = last.max(self.offered[lane.index()]);
                self.state = State::Sending {
                    lane,
                    last,
                    has_backlog: self.durable[lane.index()] > last,
                };
                self.pace.begin(now);
                Some(Step::Send {
                    watermark: self.watermark_with(lane, last),
                })
            }
            State::Paused { .. }
            | State::Connecting
            | State::Ready
            | State::Loading { .. }
            | State::Sending { .. }
            | State::Stopped => None,
        }
    }

    /// Rows up to `sequence` of `lane` are on disk.
    pub fn handle_durable(&mut self, lane: Lane, sequence: Sequence) {
        let durable = &mut self.durable[lane.index()];
        *durable = sequence.max(*durable);
    }

    /// The session is open; `watermark` is this gateway's record in Kafka. A record that is ahead of all that this store can
    /// have sent was written from a later state of it: the store was restored from a copy, or its disk has lost the end.
    pub fn handle_connected(&mut self, watermark: Option<Watermark>) -> Found {
        self.state = State::Ready;
        let offered = self.offered;
        let ahead = |mark: &Watermark| {
            let mut lanes = mark.sequences.iter().zip(offered);
            lanes.any(|(sent, offered)| *sent > offered.0)
        };
        let found = match (self.epoch, watermark) {
            (None, None) => Found::NewEpoch(1),
            (Some(_), None) => Found::Same,
            (Some(own), Some(mark)) if own == mark.epoch && !ahead(&mark) => {
                self.sent = mark.sequences.map(Sequence);
                return Found::Same;
            }
            (Some(own), Some(mark)) if own > mark.epoch => Found::Same,
            (_, Some(mark)) => Found::NewEpoch(mark.epoch + 1),
        };
        self.sent = [Sequence(0); LANES];
        if let Found::NewEpoch(epoch) = found {
            self.epoch = Some(epoch);
            self.epoch_durable = false;
        }
        found
    }

    /// The epoch stands in the store.
    pub fn handle_epoch_durable(&mut self) {
        self.epoch_durable = true;
    }

    /// Rows were loaded, the last with this sequence; `None`: there were none behind the one asked for.
    pub fn handle_loaded(&mut self, last: Option<Sequence>) {
        let State::Loading { lane } = self.state else {
            return;
        };
        self.state = match last {
            Some(last) => State::Loaded { lane, last },
            None => {
                // The rows were dropped to make room on the disk: nothing is left to send here.
                self.sent[lane.index()] = self.durable[lane.index()];
                State::Ready
            }
        };
    }

    /// The transaction with the rows is committed.
    pub fn handle_sent(&mut self, now: Instant) {
        let State::Sending {
            lane,
            last,
            has_backlog,
        } = self.state
        else {
            return;
        };
        self.sent[lane.index()] = last;
        self.is_turn_of_large = !is_large(lane);
        if is_large(lane) {
            self.last_large = lane;
            self.pace.succeed(now, has_backlog);
        } else {
            self.pace.succeed_small(now);
        }
        self.failures = 0;
        self.state = State::Ready;
    }

    /// A row of the transfer was refused for its size; the session stands, the rows are loaded again.
    pub fn handle_too_large(&mut self) {
        if let State::Sending { .. } = self.state {
            self.state = State::Ready;
        }
    }

    /// Connect, load or send failed. `random` spreads the attempts of a fleet.
    pub fn handle_failed(&mut self, now: Instant, failure: Failure, random: u64) {
        self.failures += 1;
        self.pace.fail();
        self.state = match failure {
            Failure::Fenced => State::Stopped,
            Failure::Retry | Failure::Refused | Failure::Fatal => State::Paused {
                until: Instant(now.0 + pause_ms(self.failures, random)),
            },
        };
    }

    /// Alerts and gaps first. But behind each transfer of them batches have their turn, or a flood of alerts would keep
    /// them back for as long as it lasts.
    fn next_lane(&self, is_rested: bool) -> Option<Lane> {
        let has_rows = |lane: &Lane| self.durable[lane.index()] > self.sent[lane.index()];
        let small = [Lane::Alert, Lane::Gap].into_iter().find(has_rows);
        let order = match self.last_large {
            Lane::Aggregate => [Lane::Telemetry, Lane::Aggregate],
            Lane::Alert | Lane::Gap | Lane::Telemetry => [Lane::Aggregate, Lane::Telemetry],
        };
        let large = order.into_iter().find(has_rows).filter(|_| is_rested);
        if self.is_turn_of_large {
            large.or(small)
        } else {
            small.or(large)
        }
    }

    fn watermark_with(&self, lane: Lane, last: Sequence) -> Watermark {
        let mut sequences = self.sent.map(|sequence| sequence.0);
        sequences[lane.index()] = last.0;
        Watermark {
            epoch: self.epoch.unwrap_or(0),
            sequences,
        }
    }
}

/// Alerts and gaps are few, and wait for nothing.
const fn is_large(lane: Lane) -> bool {
    match lane {
        Lane::Alert | Lane::Gap => false,
        Lane::Aggregate | Lane::Telemetry => true,
    }
}

/// Doubles from the shortest to the longest pause; the last half of it is chance.
fn pause_ms(failures: u32, random: u64) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = (RETRY_MS_MIN << doublings).min(RETRY_MS_MAX);
    longest / 2 + random % (longest / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_000);

    fn connected(epoch: Option<u64>, durable: [u64; LANES]) -> Forwarder {
        let mut forwarder = Forwarder::new(NOW, epoch, durable.map(Sequence), 100);
        assert_eq!(forwarder.poll(NOW), Some(Step::Connect));
        assert_eq!(forwarder.poll(NOW), None, "a step is given once");
        forwarder
    }

    fn check_transfer(forwarder: &mut Forwarder, lane: Lane, after: u64, last: u64) -> Watermark {
        let Some(Step::Load {
            lane: found,
            after: Sequence(found_after),
            ..
        }) = forwarder.poll(NOW)
        else {
            panic!("nothing to load")
        };
        assert_eq!((found, found_after), (lane, after));
        forwarder.handle_loaded(Some(Sequence(last)));
        let Some(Step::Send { watermark }) = forwarder.poll(NOW) else {
            panic!("nothing to send")
        };
        assert_eq!(forwarder.poll(NOW), None);
        forwarder.handle_sent(NOW);
        watermark
    }

    #[test]
    fn a_fresh_store_takes_the_first_epoch_and_waits_until_it_is_durable() {
        let mut forwarder = connected(None, [0, 0, 0, 3]);
        assert_eq!(forwarder.handle_connected(None), Found::NewEpoch(1));
        assert_eq!(forwarder.poll(NOW), None);
        forwarder.handle_epoch_durable();
        let watermark = check_transfer(&mut forwarder, Lane::Telemetry, 0, 3);
        assert_eq!(
            watermark,
            Watermark {
                epoch: 1,
                sequences: [0, 0, 0, 3]
            }
        );
        assert_eq!(forwarder.poll(NOW), None);
    }

    #[test]
    fn the_position_comes_from_the_record() {
        let mut forwarder = connected(Some(2), [7, 0, 8, 9]);
        let record = Watermark {
            epoch: 2,
            sequences: [7, 0, 5, 6],
        };
        assert_eq!(forwarder.handle_connected(Some(record)), Found::Same);
        check_transfer(&mut forwarder, Lane::Aggregate, 5, 8);
        check_transfer(&mut forwarder, Lane::Telemetry, 6, 9);
        assert_eq!(forwarder.poll(NOW), None);
    }

    #[test]
    fn a_store_that_is_new_or_older_than_kafka_begins_a_new_epoch() {
        let record = Some(Watermark {
            epoch: 5,
            sequences: [0, 0, 0, 40],
        });
        let found = |epoch, durable| connected(epoch, [0, 0, 0, durable]).handle_connected(record);
        assert_eq!(found(None, 0), Found::NewEpoch(6));
        assert_eq!(
            found(Some(5), 39),
            Found::NewEpoch(6),
            "restored from an old copy"
        );
        assert_eq!(found(Some(5), 40), Found::Same);
        assert_eq!(found(Some(4), 99), Found::NewEpoch(6));
        assert_eq!(
            found(Some(6), 0),
            Found::Same,
            "announced, but nothing sent in it yet"
        );
    }

    /// Its new rows once took the numbers of those that it had lost, were thought to be in Kafka, and never sent.
    #[test]
    fn a_store_that_is_older_than_kafka_is_known_though_it_has_caught_up_since() {
        let record = Some(Watermark {
            epoch: 5,
            sequences: [0, 0, 0, 40],
        });
        let mut forwarder = connected(Some(5), [0, 0, 0, 30]);
        forwarder.handle_durable(Lane::Telemetry, Sequence(50));
        assert_eq!(forwarder.handle_connected(record), Found::NewEpoch(6));
    }

    #[test]
    fn what_was_sent_with_an_unknown_outcome_is_this_stores() {
        let mut forwarder = connected(Some(5), [0; LANES]);
        forwarder.handle_connected(None);
        forwarder.handle_durable(Lane::Telemetry, Sequence(7));
        assert!(matches!(forwarder.poll(NOW), Some(Step::Load { .. })));
        forwarder.handle_loaded(Some(Sequence(7)));
        assert!(matches!(forwarder.poll(NOW), Some(Step::Send { .. })));
        forwarder.handle_failed(NOW, Failure::Retry, 0);
        let record = Some(Watermark {
            epoch: 5,
            sequences: [0, 0, 0, 7],
        });
        assert_eq!(forwarder.handle_connected(record), Found::Same);
    }

    #[test]
    fn alerts_overtake_and_the_big_lanes_take_turns() {
        let mut forwarder = connected(Some(1), [0, 0, 20, 21]);
        forwarder.handle_connected(None);
        check_transfer(&mut forwarder, Lane::Aggregate, 0, 10);
        forwarder.handle_durable(Lane::Alert, Sequence(22));
        check_transfer(&mut forwarder, Lane::Alert, 0, 22);
        check_transfer(&mut forwarder, Lane::Telemetry, 0, 19);
        check_transfer(&mut forwarder, Lane::Aggregate, 10, 12);
        check_transfer(&mut forwarder, Lane::Telemetry, 19, 21);
        check_transfer(&mut forwarder, Lane::Aggregate, 12, 20);
        assert_eq!(forwarder.poll(NOW), None);
    }

    /// Alerts that came more often than a transaction took once kept all readings on the box.
    #[test]
    fn alerts_that_never_end_let_batches_have_their_turn() {
        let mut forwarder = connected(Some(1), [1, 0, 20, 20]);
        forwarder.handle_connected(None);
        for nth in 0..4 {
            check_transfer(&mut forwarder, Lane::Alert, nth, nth + 1);
            forwarder.handle_durable(Lane::Alert, Sequence(nth + 2));
            let lane = [Lane::Aggregate, Lane::Telemetry][nth as usize % 2];
            check_transfer(&mut forwarder, lane, nth / 2, nth / 2 + 1);
        }
    }

    #[test]
    fn a_backlog_pauses_between_its_transfers_and_alerts_do_not_wait() {
        let mut forwarder = Forwarder::new(NOW, Some(1), [0, 0, 0, 20].map(Sequence), 50);
        assert_eq!(forwarder.poll(NOW), Some(Step::Connect));
        forwarder.handle_connected(None);
        assert!(matches!(forwarder.poll(NOW), Some(Step::Load { .. })));
        forwarder.handle_loaded(Some(Sequence(10)));
        assert!(matches!(forwarder.poll(NOW), Some(Step::Send { .. })));
        let sent = Instant(NOW.0 + 100);
        forwarder.handle_sent(sent);
        assert_eq!(forwarder.poll(sent), None);
        let rested = Instant(sent.0 + 100);
        assert_eq!(forwarder.deadline(), Some(rested));
        forwarder.handle_durable(Lane::Alert, Sequence(21));
        let is_alert = |step| {
            matches!(
                step,
                Some(Step::Load {
                    lane: Lane::Alert,
                    ..
                })
            )
        };
        assert!(is_alert(forwarder.poll(sent)));
        forwarder.handle_loaded(Some(Sequence(21)));
        assert!(matches!(forwarder.poll(sent), Some(Step::Send { .. })));
        forwarder.handle_sent(sent);
        assert_eq!(forwarder.poll(sent), None);
        assert!(matches!(forwarder.poll(rested), Some(Step::Load { .. })));
    }

    #[test]
    fn failures_pause_longer_and_longer_and_then_it_connects_again() {
        let mut forwarder = connected(Some(1), [0, 0, 0, 1]);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            forwarder.handle_failed(NOW, Failure::Retry, u64::MAX);
            let until = forwarder.deadline().expect("it pauses");
            assert_eq!(forwarder.poll(NOW), None);
            assert_eq!(forwarder.poll(until), Some(Step::Connect));
            pauses.push(until.0 - NOW.0);
        }
        assert!(pauses.is_sorted() && pauses[0] <= RETRY_MS_MIN && pauses[9] <= RETRY_MS_MAX);
        assert!(pauses[9] >= RETRY_MS_MAX / 2);
    }

    #[test]
    fn a_fenced_forwarder_stops() {
        let mut forwarder = connected(Some(1), [0, 0, 0, 1]);
        forwarder.handle_failed(NOW, Failure::Fenced, 0);
        assert!(forwarder.is_stopped());
        assert_eq!(
            (forwarder.deadline(), forwarder.poll(Instant(u64::MAX))),
            (None, None)
        );
    }

    #[test]
    fn rows_that_were_dropped_are_passed_over() {
        let mut forwarder = connected(Some(1), [0, 0, 0, 5]);
        forwarder.handle_connected(None);
        assert!(matches!(forwarder.poll(NOW), Some(Step::Load { .. })));
        forwarder.handle_loaded(None);
        assert_eq!(forwarder.poll(NOW), None);
        assert!(forwarder.is_connected());
    }
}
