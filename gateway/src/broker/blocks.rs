//! Byte strings of any length in a pool of equal blocks: never fragmented, full only when it is full.

use super::slab::NONE;

/// Small enough that a short message wastes little, large enough that most messages need one.
pub(super) const BLOCK_BYTES: usize = 256;

/// The pool.
pub(super) struct Blocks {
    bytes: Box<[u8]>,
    next: Box<[u32]>,
    free: u32,
    free_count: usize,
}

impl Blocks {
    pub(super) fn new(bytes: usize) -> Self {
        let count = bytes / BLOCK_BYTES;
        let next = (1..=count as u32)
            .map(|next| if next as usize == count { NONE } else { next })
            .collect();
        Self {
            bytes: vec![0; count * BLOCK_BYTES].into_boxed_slice(),
            next,
            free: if count == 0 { NONE } else { 0 },
            free_count: count,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(bytes: usize) -> usize {
        bytes / BLOCK_BYTES * (BLOCK_BYTES + size_of::<u32>())
    }

    /// Blocks needed for `len` bytes; an empty string has one too, so that it has a place.
    pub(super) const fn count(len: usize) -> usize {
        if len == 0 {
            1
        } else {
            len.div_ceil(BLOCK_BYTES)
        }
    }

    /// True if less than a quarter is left.
    pub(super) const fn is_scarce(&self) -> bool {
        self.free_count < self.next.len() / 4
    }

    /// Stores the pieces behind one another and returns the first block, or `None` if there is no room.
    pub(super) fn store(&mut self, pieces: &[&[u8]]) -> Option<u32> {
        let needed = Self::count(pieces.iter().map(|piece| piece.len()).sum());
        if needed > self.free_count {
            return None;
        }
        let first = self.free;
        let (mut block, mut used) = (first, 0);
        for mut rest in pieces.iter().copied() {
            while !rest.is_empty() {
                if used == BLOCK_BYTES {
                    (block, used) = (self.next[block as usize], 0);
                }
                let (now, later) = rest.split_at(rest.len().min(BLOCK_BYTES - used));
                let start = block as usize * BLOCK_BYTES + used;
                self.bytes[start..start + now.len()].copy_from_slice(now);
                used += now.len();
                rest = later;
            }
        }
        self.free = core::mem::replace(&mut self.next[block as usize], NONE);
        self.free_count -= needed;
        Some(first)
    }

    /// Appends the `len` bytes stored from block `first` on to `out`.
    pub(super) fn read(&self, first: u32, len: usize, out: &mut Vec<u8>) {
        let (mut block, mut left) = (first, len);
        while left > 0 {
            let now = left.min(BLOCK_BYTES);
            let start = block as usize * BLOCK_BYTES;
            out.extend_from_slice(&self.bytes[start..start + now]);
            left -= now;
            block = self.next[block as usize];
        }
    }

    /// True if what is stored from block `first` on starts with `wanted`.
    pub(super) fn starts_with(&self, first: u32, wanted: &[u8]) -> bool {
        let mut block = first;
        for piece in wanted.chunks(BLOCK_BYTES) {
            let start = block as usize * BLOCK_BYTES;
            if self.bytes[start..start + piece.len()] != *piece {
                return false;
            }
            block = self.next[block as usize];
        }
        true
    }

    /// Gives the blocks from `first` on back.
    pub(super) fn release(&mut self, first: u32) {
        let (mut last, mut count) = (first, 1);
        while self.next[last as usize] != NONE {
            last = self.next[last as usize];
            count += 1;
        }
        self.next[last as usize] = self.free;
        self.free = first;
        self.free_count += count;
    }

    #[cfg(test)]
    pub(super) const fn free_count(&self) -> usize {
        self.free_count
    }
}

#[cfg(test)]
mod tests;
