//! The buffers in which bytes cross from the connections to the engine.
//!
//! A connection has one while a byte of it waits, and none while it is idle. The usual size holds many
//! small packets; what large packets need beyond it comes out of one budget for all connections.

use core::cell::Cell;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::limits::{LARGE_BYTES_MAX, RECEIVE_BUFFER_BYTES};

/// Bytes that may be on loan for large packets.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    left: Cell<usize>,
    returned: Notify,
}

/// A buffer; what it borrowed for a large packet goes back when it is dropped.
#[derive(Debug)]
pub struct ReceiveBuffer {
    bytes: Vec<u8>,
    borrowed: usize,
    budget: Budget,
}

impl Default for Budget {
    fn default() -> Self {
        Self(Rc::new(Shared {
            left: Cell::new(LARGE_BYTES_MAX),
            returned: Notify::new(),
        }))
    }
}

impl Budget {
    /// A buffer of the usual size.
    #[must_use]
    pub fn buffer(&self) -> ReceiveBuffer {
        let bytes = Vec::with_capacity(RECEIVE_BUFFER_BYTES);
        ReceiveBuffer {
            bytes,
            borrowed: 0,
            budget: self.clone(),
        }
    }

    /// Ends when something has come back: try again then.
    pub fn returned(&self) -> impl Future<Output = ()> + '_ {
        self.0.returned.notified()
    }
}

impl ReceiveBuffer {
    /// Makes room for a packet of `len` bytes; `false` if too much is on loan already.
    #[must_use]
    pub fn fit(&mut self, len: usize) -> bool {
        let wanted = len.saturating_sub(RECEIVE_BUFFER_BYTES + self.borrowed);
        let left = self.budget.0.left.get();
        if wanted > left {
            return false;
        }
        self.budget.0.left.set(left - wanted);
        self.borrowed += wanted;
        let missing = len.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(missing);
        true
    }
}

impl Deref for ReceiveBuffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for ReceiveBuffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for ReceiveBuffer {
    fn drop(&mut self) {
        if self.borrowed > 0 {
            let left = &self.budget.0.left;
            left.set(left.get() + self.borrowed);
            self.budget.0.returned.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_packets_share_a_budget_that_comes_back() {
        let budget = Budget::default();
        let (mut first, mut second) = (budget.buffer(), budget.buffer());
        assert!(first.fit(LARGE_BYTES_MAX + RECEIVE_BUFFER_BYTES));
        assert!(
            first.fit(LARGE_BYTES_MAX + RECEIVE_BUFFER_BYTES),
            "granted already"
        );
        assert!(!second.fit(RECEIVE_BUFFER_BYTES + 1));
        assert!(
            second.fit(RECEIVE_BUFFER_BYTES),
            "the usual size costs nothing"
        );
        drop(first);
        assert!(second.fit(RECEIVE_BUFFER_BYTES + 1));
    }
}
