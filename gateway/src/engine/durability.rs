//! The engine's side of the disk: what is due goes there, and what waited for it goes out.

use pipeline::{Instant, Now};

use super::acks::{Ack, Creditor};
use super::commits::Due;
use super::{Action, Checkpoints, Committing, Engine, Perform};
use crate::commit::Commit;
use crate::limits::{FRAME_BYTES_MAX, HALF_PAGE_BYTES, SECTOR_BYTES};
use crate::outbox::Lane;

/// What a chunk takes of the store at most: a sector or more, and whole pages if two of its size do not share one.
const fn bytes_at_disk(chunk_bytes: usize) -> u64 {
    let bytes = (chunk_bytes + FRAME_BYTES_MAX) as u64;
    if bytes <= SECTOR_BYTES {
        SECTOR_BYTES
    } else if bytes <= HALF_PAGE_BYTES {
        bytes.next_power_of_two()
    } else {
        bytes.next_multiple_of(2 * HALF_PAGE_BYTES)
    }
}

impl Engine {
    /// Ends: clients are told, and what gathers goes to the disk with a checkpoint. It is there once
    /// [`is_settled`](Self::is_settled); the caller takes nothing more until then but what the store says.
    pub fn stop<P: Perform>(&mut self, out: &mut P) {
        let now = self.timeline.now();
        self.with_port(now, out, |broker, port| broker.handle_shutdown(port));
        self.commits.hurry();
        self.checkpoints.due = now.instant;
        self.proceed(now, out);
    }

    /// Whether all that was taken is durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.commits.is_settled()
    }

    /// Commits what is due, and goes on forwarding.
    pub(super) fn proceed<P: Perform>(&mut self, now: Now, out: &mut P) {
        match self.commits.take_due(now.instant) {
            Some(Due::Again(commit)) => out.perform(Action::Commit(commit)),
            Some(Due::New(mut commit)) => {
                self.acks.cover();
                self.held.cover();
                self.committing = Committing {
                    sealed: self.machine.sealed(),
                    epoch: commit.epoch.is_some(),
                };
                self.add_checkpoint(now, &mut commit);
                out.perform(Action::Commit(commit));
            }
            None => {}
        }
        self.forward(now, out);
    }

    fn add_checkpoint(&mut self, now: Now, commit: &mut Commit) {
        self.checkpoints.journal_bytes += bytes_at_disk(commit.journal.len());
        let due = self.checkpoints.due <= now.instant
            || self.checkpoints.journal_bytes >= self.settings.checkpoint_bytes;
        if due && !commit.journal.is_empty() {
            let mut state = Vec::new();
            self.machine.save(&mut |part| state.extend_from_slice(part));
            commit.checkpoint = Some((self.commits.next().0, state));
            self.checkpoints = Checkpoints {
                due: Instant(now.instant.0 + self.settings.checkpoint_interval_ms),
                journal_bytes: 0,
            };
        }
    }

    /// Acknowledges what has nothing to wait for.
    pub(super) fn release_settled<P: Perform>(&mut self, now: Now, out: &mut P) {
        while self.commits.is_settled() {
            let Some(ack) = self.acks.pop_uncovered() else {
                return;
            };
            self.acknowledge(now, ack, out);
        }
    }

    /// Sends what waited for the disk, if there is nothing more to wait for.
    pub(super) fn send_settled<P: Perform>(&mut self, out: &mut P) {
        if self.commits.is_settled() {
            self.held.cover();
            self.send_covered(out);
        }
    }

    fn send_covered<P: Perform>(&mut self, out: &mut P) {
        self.held.release_covered(|to, packet| {
            out.perform(Action::Transmit {
                to,
                parts: &[packet],
            });
        });
    }

    fn acknowledge<P: Perform>(&mut self, now: Now, ack: Ack, out: &mut P) {
        let Ack { to, reason } = ack;
        match to {
            Creditor::Packet(receipt) => self.with_port(now, out, |broker, port| {
                broker.acknowledge(receipt, reason, port);
            }),
            Creditor::Post(request) => out.perform(Action::Answer { request, reason }),
        }
    }

    pub(super) fn handle_committed<P: Perform>(
        &mut self,
        now: Now,
        commit: Box<Commit>,
        out: &mut P,
    ) {
        self.counters.commits += 1;
        self.commits.handle_committed(commit);
        self.send_covered(out);
        while let Some(ack) = self.acks.pop_covered() {
            self.acknowledge(now, ack, out);
        }
        let committing = core::mem::take(&mut self.committing);
        for lane in Lane::ALL {
            self.forwarder
                .handle_durable(lane, committing.sealed[lane.index()]);
        }
        let sealed = committing.sealed[Lane::Telemetry.index()];
        if sealed > self.forwarder.sent()[Lane::Telemetry.index()] {
            self.drain.note_sealed(sealed, now.wall);
        }
        if committing.epoch {
            self.forwarder.handle_epoch_durable();
        }
        self.release_settled(now, out);
    }
}
