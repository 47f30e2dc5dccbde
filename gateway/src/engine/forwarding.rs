//! The engine's side of the way to Kafka: what the forwarder asks for, and what came of it.

use pipeline::{Instant, Now};
use rand_pcg::rand_core::Rng;
use wire::{GapReason, Timestamp};

use super::oversize::Oversize;
use super::{Action, Engine, Perform, Waiting, gaps};
use crate::forward::{Failure, Found, Step};
use crate::limits::TRANSFER_BYTES_MAX;
use crate::outbox::{Backlog, Lane, OutboxRow, Sequence, Watermark};
use crate::repair::repair;

impl Engine {
    /// Takes the next steps.
    pub(super) fn forward<P: Perform>(&mut self, now: Now, out: &mut P) {
        if !self.settings.forward {
            return;
        }
        while let Some(step) = self.forwarder.poll(now.instant) {
            out.perform(match step {
                Step::Connect => Action::Connect,
                Step::Load {
                    lane,
                    after,
                    bytes_max,
                } => Action::Load {
                    lane,
                    after,
                    bytes_max,
                },
                Step::Send { watermark } => Action::Send {
                    rows: self.loaded.clone(),
                    watermark,
                },
            });
        }
    }

    /// When the next step is due without another event.
    pub(super) fn forward_deadline(&self) -> Option<Instant> {
        self.forwarder.deadline().filter(|_| self.settings.forward)
    }

    /// What was thinned, and what is too large for Kafka, goes as gap records under the sequences of the rows: so they are
    /// exactly once where the rows would have been. What has times of a clock that was not set goes with right ones, if it is set now.
    pub(super) fn handle_loaded(&mut self, now: Now, mut rows: Vec<OutboxRow>) {
        self.forwarder
            .handle_loaded(rows.last().map(|row| row.sequence));
        let gateway = &self.settings.gateway;
        let at = (now.wall, self.timeline.clock());
        for row in &mut rows {
            if row.is_thinned() {
                let reason = gaps::reason_of_thinning(row.lane);
                *row = gaps::in_place_of(row, reason, gateway, at);
            } else {
                repair(row, self.machine.eras());
            }
        }
        self.loaded = self.oversize.apply(rows, |dead| {
            gaps::in_place_of(dead, GapReason::Refused, gateway, at)
        });
    }

    pub(super) fn handle_connected(&mut self, now: Now, watermark: Option<Watermark>) {
        if let Found::NewEpoch(epoch) = self.forwarder.handle_connected(watermark) {
            self.commits.gathering(now.instant).epoch = Some(epoch);
        }
        self.trim(now);
    }

    pub(super) fn handle_sent(&mut self, now: Now) {
        self.counters.rows_sent += self.loaded.len() as u64;
        for gap in self.loaded.iter().filter(|row| row.lane == Lane::Gap) {
            self.counters.gaps_sent += 1;
            self.counters.items_in_gaps += u64::from(gap.readings);
        }
        self.loaded.clear();
        self.oversize = Oversize::default();
        self.forwarder.handle_sent(now.instant);
        self.trim(now);
    }

    pub(super) fn handle_uplink_failed(&mut self, now: Now, failure: Failure) {
        self.counters.transfers_failed += 1;
        self.loaded.clear();
        self.forwarder
            .handle_failed(now.instant, failure, self.random.next_u64());
    }

    /// The transfer is loaded again, with the row in more parts.
    pub(super) fn handle_too_large(&mut self, sequence: Sequence) {
        self.oversize.refuse(sequence);
        self.loaded.clear();
        self.forwarder.handle_too_large();
    }

    /// Takes note of what waits in the store.
    pub fn note_backlog(&mut self, backlog: Backlog) {
        self.drain.note(self.timeline.now(), backlog);
    }

    /// Takes note of the oldest batch that a start finds: its sequence, and when it was sealed.
    pub fn note_oldest(&mut self, sequence: Sequence, at: Timestamp) {
        self.drain.note_sealed(sequence, at);
    }

    /// What waits for Kafka.
    pub(super) fn waiting(&self) -> Waiting {
        let (sent, sealed) = (self.forwarder.sent(), self.machine.sealed());
        let is_sent = Lane::ALL.map(|lane| sent[lane.index()] >= sealed[lane.index()]);
        self.drain.waiting(self.timeline.now(), is_sent)
    }

    /// Rows that are in Kafka go with the next commit of rows. Many are a reason for one.
    fn trim(&mut self, now: Now) {
        let sent = *self.forwarder.sent();
        self.drain.note_sent(sent[Lane::Telemetry.index()]);
        if self.drain.bytes() > TRANSFER_BYTES_MAX as u64 {
            self.commits.trim_soon(now.instant);
        }
        self.commits
            .trim(sent.map(|sequence| (sequence > Sequence(0)).then_some(sequence)));
    }
}
