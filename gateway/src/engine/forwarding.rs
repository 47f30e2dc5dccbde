//! The engine's side of the way to Kafka: what the forwarder asks for, and what came of it.

use pipeline::{Instant, Now};
use rand_pcg::rand_core::Rng;

use super::oversize::Oversize;
use super::{Action, Engine, Perform};
use crate::forward::{Failure, Found, Step};
use crate::outbox::{OutboxRow, Sequence, Watermark};

impl Engine {
    /// Takes the next steps.
    pub(super) fn forward<P: Perform>(&mut self, now: Now, out: &mut P) {
        if !self.settings.forward {
            return;
        }
        while let Some(step) = self.forwarder.poll(now.instant) {
            out.perform(match step {
                Step::Connect => Action::Connect,
                Step::Load { lane, after } => Action::Load { lane, after },
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

    pub(super) fn handle_loaded(&mut self, rows: Vec<OutboxRow>) {
        self.forwarder
            .handle_loaded(rows.last().map(|row| row.sequence));
        self.loaded = self.oversize.apply(rows, &mut self.counters.rows_dead);
    }

    pub(super) fn handle_connected(&mut self, now: Now, watermark: Option<Watermark>) {
        if let Found::NewEpoch(epoch) = self
            .forwarder
            .handle_connected(watermark, self.machine.next_sequence())
        {
            self.commits.gathering(now.instant).epoch = Some(epoch);
        }
        self.trim();
    }

    pub(super) fn handle_sent(&mut self) {
        self.counters.rows_sent += self.loaded.len() as u64;
        self.loaded.clear();
        self.oversize = Oversize::default();
        self.forwarder.handle_sent();
        self.trim();
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

    /// Rows that are in Kafka go with the next commit; they are no reason for one.
    fn trim(&mut self) {
        let sent = *self.forwarder.sent();
        self.commits
            .trim(sent.map(|sequence| (sequence > Sequence(0)).then_some(sequence)));
    }
}
