//! Acknowledgements that wait for the disk, in the order in which they are owed.

use std::collections::VecDeque;

use super::RequestId;
use crate::broker::{ReasonCode, Receipt};
use crate::limits::ACKS_PENDING_MAX;

/// An acknowledgement that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) to: Creditor,
    pub(super) reason: ReasonCode,
}

/// Whom it is owed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creditor {
    /// A client of the broker: PUBACK or PUBREC.
    Packet(Receipt),
    /// Whoever posted a message.
    Post(RequestId),
}

/// The acknowledgements owed: the front ones wait for the commit at the disk, the rest for the next.
#[derive(Debug)]
pub(super) struct Acks {
    owed: VecDeque<Ack>,
    /// How many of them the commit at the disk covers.
    covered: usize,
}

impl Acks {
    pub(super) fn new() -> Self {
        Self {
            owed: VecDeque::with_capacity(ACKS_PENDING_MAX),
            covered: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.owed.len() == ACKS_PENDING_MAX
    }

    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    /// Owes one more. The caller has asked [`is_full`](Self::is_full) before it took the message.
    pub(super) fn push(&mut self, ack: Ack) {
        debug_assert!(
            !self.is_full(),
            "a message is taken only where its acknowledgement has a place"
        );
        self.owed.push_back(ack);
    }

    /// A commit goes to the disk: all that is owed now waits for it.
    pub(super) fn cover(&mut self) {
        self.covered = self.owed.len();
    }

    /// The next acknowledgement that the finished commit covers.
    pub(super) fn pop_covered(&mut self) -> Option<Ack> {
        self.covered = self.covered.checked_sub(1)?;
        self.owed.pop_front()
    }

    /// The next acknowledgement, where nothing has to become durable before it.
    pub(super) fn pop_uncovered(&mut self) -> Option<Ack> {
        debug_assert_eq!(self.covered, 0, "what a commit covers waits for it");
        self.owed.pop_front()
    }
}
