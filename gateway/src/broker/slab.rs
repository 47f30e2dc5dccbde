//! A table of fixed capacity whose entries keep their number, and queues threaded through it.

use core::ops::{Index, IndexMut};

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

enum Entry<T> {
    Used(T),
    Free(u32),
}

/// Numbered entries. Room for all of them is reserved at the start; inserting and removing allocate nothing.
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: u32,
    capacity: u32,
}

impl<T> Slab<T> {
    pub(super) fn new(capacity: u32) -> Self {
        Self {
            entries: Vec::with_capacity(capacity as usize),
            free: NONE,
            len: 0,
            capacity,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(capacity: u32) -> usize {
        capacity as usize * size_of::<Entry<T>>()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// True if less than a quarter is left.
    pub(super) const fn is_scarce(&self) -> bool {
        self.capacity - self.len < self.capacity / 4
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// One more than the highest number ever used.
    pub(super) const fn numbers(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Puts an item in, or gives it back when full.
    pub(super) fn insert(&mut self, item: T) -> Result<u32, T> {
        if self.is_full() {
            return Err(item);
        }
        self.len += 1;
        let number = self.free;
        match self.entries.get_mut(number as usize) {
            Some(entry) => {
                if let Entry::Free(next) = *entry {
                    self.free = next;
                }
                *entry = Entry::Used(item);
                Ok(number)
            }
            None => {
                self.entries.push(Entry::Used(item));
                Ok(self.entries.len() as u32 - 1)
            }
        }
    }

    /// Takes an item out; `None` if there is none of this number.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let entry = self
            .entries
            .get_mut(number as usize)
            .filter(|entry| matches!(entry, Entry::Used(_)))?;
        let taken = core::mem::replace(entry, Entry::Free(self.free));
        self.free = number;
        self.len -= 1;
        match taken {
            Entry::Used(item) => Some(item),
            Entry::Free(_) => None,
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        match self.entries.get(number as usize) {
            Some(Entry::Used(item)) => Some(item),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        match self.entries.get_mut(number as usize) {
            Some(Entry::Used(item)) => Some(item),
            _ => None,
        }
    }
}

/// Numbers are handed out by `insert` and forgotten at `remove`; one that names nothing is a broken invariant.
impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        match self.get(number) {
            Some(item) => item,
            None => panic!("entry {number} of the table is not in use"),
        }
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        match self.get_mut(number) {
            Some(item) => item,
            None => panic!("entry {number} of the table is not in use"),
        }
    }
}

/// An item that can stand in one [`List`].
pub(super) trait Linked {
    fn next(&self) -> u32;
    fn set_next(&mut self, next: u32);
}

/// A queue threaded through the entries of a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl List {
    pub(super) const fn new() -> Self {
        Self {
            head: NONE,
            tail: NONE,
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first item's number, or [`NONE`].
    pub(super) const fn head(&self) -> u32 {
        self.head
    }

    pub(super) fn push_back<T: Linked>(&mut self, slab: &mut Slab<T>, number: u32) {
        slab[number].set_next(NONE);
        match slab.get_mut(self.tail) {
            Some(tail) => tail.set_next(number),
            None => self.head = number,
        }
        self.tail = number;
        self.len += 1;
    }

    /// Takes the first item off the list; it stays in the slab.
    pub(super) fn pop_front<T: Linked>(&mut self, slab: &Slab<T>) -> Option<u32> {
        let number = self.head;
        let item = slab.get(number)?;
        self.head = item.next();
        self.len -= 1;
        if self.len == 0 {
            self.tail = NONE;
        }
        Some(number)
    }

    /// Takes the first item that is `wanted` off the list; it stays in the slab.
    pub(super) fn take<T: Linked>(
        &mut self,
        slab: &mut Slab<T>,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Option<u32> {
        let (mut before, mut number) = (NONE, self.head);
        while let Some(item) = slab.get(number) {
            let next = item.next();
            if wanted(item) {
                match slab.get_mut(before) {
                    Some(before) => before.set_next(next),
                    None => self.head = next,
                }
                if next == NONE {
                    self.tail = before;
                }
                self.len -= 1;
                return Some(number);
            }
            (before, number) = (number, next);
        }
        None
    }

    /// Looks at all items in order.
    pub(super) fn each<T: Linked>(&self, slab: &Slab<T>, mut look: impl FnMut(&T)) {
        self.find(slab, |item| {
            look(item);
            false
        });
    }

    /// The first item that is `wanted`.
    pub(super) fn find<T: Linked>(
        &self,
        slab: &Slab<T>,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Option<u32> {
        let mut number = self.head;
        while let Some(item) = slab.get(number) {
            if wanted(item) {
                return Some(number);
            }
            number = item.next();
        }
        None
    }
}

#[cfg(test)]
mod tests;
