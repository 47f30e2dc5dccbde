//! One deadline per owner and the earliest of all: a tournament of fixed size.

use super::Instant;

const NEVER: u64 = u64::MAX;

/// The instant `ms` after another.
pub(super) const fn later(at: Instant, ms: u64) -> Instant {
    Instant(at.0.saturating_add(ms))
}

/// A binary tree over the owners' deadlines; each node holds the smaller of its two children.
pub(super) struct Deadlines {
    tree: Box<[u64]>,
    leaves: usize,
}

impl Deadlines {
    pub(super) fn new(owners: usize) -> Self {
        let leaves = owners.next_power_of_two();
        Self {
            tree: vec![NEVER; 2 * leaves].into_boxed_slice(),
            leaves,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(owners: usize) -> usize {
        2 * owners.next_power_of_two() * size_of::<u64>()
    }

    /// Sets or clears the owner's deadline.
    pub(super) fn set(&mut self, owner: usize, at: Option<Instant>) {
        let mut node = self.leaves + owner;
        self.tree[node] = at.map_or(NEVER, |at| at.0);
        while node > 1 {
            node /= 2;
            let smaller = self.tree[2 * node].min(self.tree[2 * node + 1]);
            if self.tree[node] == smaller {
                return;
            }
            self.tree[node] = smaller;
        }
    }

    /// Brings the owner's deadline forward; never puts it off.
    pub(super) fn advance(&mut self, owner: usize, at: Instant) {
        if at.0 < self.tree[self.leaves + owner] {
            self.set(owner, Some(at));
        }
    }

    /// The earliest deadline.
    pub(super) const fn earliest(&self) -> Option<Instant> {
        match self.tree[1] {
            NEVER => None,
            at => Some(Instant(at)),
        }
    }

    /// Takes the owner of the earliest deadline if that is not after `now`, and clears it.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        if self.tree[1] == NEVER || self.tree[1] > now.0 {
            return None;
        }
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            if self.tree[node] > self.tree[node + 1] {
                node += 1;
            }
        }
        self.set(node - self.leaves, None);
        Some(node - self.leaves)
    }
}

#[cfg(test)]
mod tests;
