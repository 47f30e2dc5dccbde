//! A hash table of fixed size from keys to entry numbers; the keys themselves lie elsewhere.

use super::slab::NONE;

/// Hashes with a seed, so that nobody outside can choose colliding keys. Folded multiplication over eight bytes at a time.
pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 over the golden ratio
    let fold = |left: u64, right: u64| {
        let product = u128::from(left) * u128::from(right);
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(ODD);
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), ODD);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(fold(state ^ u64::from_le_bytes(last), ODD) ^ seed, ODD)
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    number: u32,
}

const EMPTY: Slot = Slot {
    hash: 0,
    number: NONE,
};

/// Open addressing with linear probing, at most half full, so that probes stay short.
pub(super) struct HashIndex {
    slots: Box<[Slot]>,
}

impl HashIndex {
    /// For at most `capacity` entries.
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            slots: vec![EMPTY; Self::slots(capacity)].into_boxed_slice(),
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(capacity: u32) -> usize {
        Self::slots(capacity) * size_of::<Slot>()
    }

    const fn slots(capacity: u32) -> usize {
        (capacity as usize * 2).next_power_of_two()
    }

    /// The entry whose key has this hash and is the `wanted` one.
    pub(super) fn find(&self, hash: u64, mut wanted: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = hash as u32;
        let mut at = self.home(hash);
        while self.slots[at].number != NONE {
            let slot = self.slots[at];
            if slot.hash == hash && wanted(slot.number) {
                return Some(slot.number);
            }
            at = self.after(at);
        }
        None
    }

    /// Adds an entry whose key is not there yet.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        let hash = hash as u32;
        let mut at = self.home(hash);
        while self.slots[at].number != NONE {
            at = self.after(at);
        }
        self.slots[at] = Slot { hash, number };
    }

    /// Takes an entry out, closing the gap so that no tombstones pile up.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        let mut gap = self.home(hash as u32);
        while self.slots[gap].number != number {
            if self.slots[gap].number == NONE {
                return;
            }
            gap = self.after(gap);
        }
        let mut at = self.after(gap);
        while self.slots[at].number != NONE {
            let home = self.home(self.slots[at].hash);
            let mask = self.slots.len() - 1;
            // Whoever's way from home to its place leads over the gap may move into it.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.slots[gap] = EMPTY;
    }

    const fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests;
