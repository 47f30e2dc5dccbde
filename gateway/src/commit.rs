//! What one group commit makes durable: a chunk of the journal and all that follows from it, in one transaction.
//!
//! A commit's buffers are taken once and used again: the box goes to the store and comes back empty.

use crate::limits::{CHUNK_BYTES_MAX, OUTBOX_BYTES_PER_COMMIT_MAX, OUTBOX_ROWS_PER_COMMIT_MAX};
use crate::outbox::{LANES, Lane, Sequence};

/// The commit has no room; nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the commit has no room left")]
pub struct Full;

/// A row to be inserted into the outbox; its bytes stand in the commit's arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedRow<'a> {
    /// Lane.
    pub lane: Lane,
    /// Order.
    pub sequence: Sequence,
    /// Key of the Kafka record.
    pub key: &'a str,
    /// Readings or summaries inside.
    pub readings: u32,
    /// The record's value.
    pub bytes: &'a [u8],
}

/// A change of the broker's durable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation<'a> {
    /// The key has this value from now on.
    Put {
        /// Key.
        key: &'a [u8],
        /// Value.
        value: &'a [u8],
    },
    /// The key is gone.
    Delete {
        /// Key.
        key: &'a [u8],
    },
}

/// One group commit.
#[derive(Debug)]
pub struct Commit {
    /// Position of the chunk's first entry.
    pub position: u64,
    /// The chunk, complete; empty: no entry.
    pub journal: Vec<u8>,
    rows: Vec<RowSpan>,
    row_bytes: Vec<u8>,
    mutations: Vec<MutationSpan>,
    mutation_bytes: Vec<u8>,
    room: MutationRoom,
    /// State of the machine behind the chunk's last entry, with the position of the next one.
    pub checkpoint: Option<(u64, Vec<u8>)>,
    /// Rows up to these are in Kafka and may go.
    pub trim_outbox: [Option<Sequence>; LANES],
    /// A new epoch of this store.
    pub epoch: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct RowSpan {
    lane: Lane,
    sequence: Sequence,
    readings: u32,
    start: usize,
    key_len: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct MutationSpan {
    start: usize,
    key_len: usize,
    /// `None`: delete.
    value_len: Option<usize>,
}

/// Room for changes of the broker's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MutationRoom {
    /// Changes.
    pub count: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl MutationRoom {
    /// Room for `factor` times as much.
    #[must_use]
    pub const fn times(self, factor: usize) -> Self {
        Self {
            count: self.count * factor,
            bytes: self.bytes * factor,
        }
    }

    /// Memory that this much room takes, bytes.
    #[must_use]
    pub const fn memory_bytes(self) -> usize {
        self.bytes + self.count * size_of::<MutationSpan>()
    }
}

/// Memory that a commit takes beside the room for the broker's state, bytes.
pub const COMMIT_BYTES: usize = CHUNK_BYTES_MAX
    + OUTBOX_BYTES_PER_COMMIT_MAX
    + OUTBOX_ROWS_PER_COMMIT_MAX * size_of::<RowSpan>()
    + size_of::<Commit>();

impl Commit {
    /// An empty commit with room for changes of the broker's state; the only allocation.
    #[must_use]
    pub fn new(room: MutationRoom) -> Self {
        Self {
            room,
            position: 0,
            journal: Vec::with_capacity(CHUNK_BYTES_MAX),
            rows: Vec::with_capacity(OUTBOX_ROWS_PER_COMMIT_MAX),
            row_bytes: Vec::with_capacity(OUTBOX_BYTES_PER_COMMIT_MAX),
            mutations: Vec::with_capacity(room.count),
            mutation_bytes: Vec::with_capacity(room.bytes),
            checkpoint: None,
            trim_outbox: [None; LANES],
            epoch: None,
        }
    }
}

impl Commit {
    /// Adds a row.
    ///
    /// # Errors
    /// [`Full`] if rows or bytes are at their bound.
    pub fn push_row(&mut self, row: &SealedRow<'_>) -> Result<(), Full> {
        let len = row.key.len() + row.bytes.len();
        if self.rows.len() == OUTBOX_ROWS_PER_COMMIT_MAX || self.row_bytes_left() < len {
            return Err(Full);
        }
        self.rows.push(RowSpan {
            lane: row.lane,
            sequence: row.sequence,
            readings: row.readings,
            start: self.row_bytes.len(),
            key_len: row.key.len(),
            len,
        });
        self.row_bytes.extend_from_slice(row.key.as_bytes());
        self.row_bytes.extend_from_slice(row.bytes);
        Ok(())
    }

    /// Adds a change of the broker's state.
    ///
    /// # Errors
    /// [`Full`] if changes or bytes are at their bound.
    pub fn push_mutation(&mut self, mutation: &Mutation<'_>) -> Result<(), Full> {
        let (key, value) = match *mutation {
            Mutation::Put { key, value } => (key, Some(value)),
            Mutation::Delete { key } => (key, None),
        };
        let value_bytes = value.unwrap_or_default();
        let len = key.len() + value_bytes.len();
        if self.mutations.len() == self.room.count
            || self.room.bytes - self.mutation_bytes.len() < len
        {
            return Err(Full);
        }
        self.mutations.push(MutationSpan {
            start: self.mutation_bytes.len(),
            key_len: key.len(),
            value_len: value.map(<[u8]>::len),
        });
        self.mutation_bytes.extend_from_slice(key);
        self.mutation_bytes.extend_from_slice(value_bytes);
        Ok(())
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = SealedRow<'_>> {
        self.rows.iter().map(|span| {
            let (key, bytes) =
                self.row_bytes[span.start..span.start + span.len].split_at(span.key_len);
            SealedRow {
                lane: span.lane,
                sequence: span.sequence,
                key: core::str::from_utf8(key).unwrap_or_default(),
                readings: span.readings,
                bytes,
            }
        })
    }

    /// The changes of the broker's state, in order.
    pub fn mutations(&self) -> impl ExactSizeIterator<Item = Mutation<'_>> {
        self.mutations.iter().map(|span| {
            let bytes = &self.mutation_bytes[span.start..];
            let (key, rest) = bytes.split_at(span.key_len);
            match span.value_len {
                Some(len) => Mutation::Put {
                    key,
                    value: &rest[..len],
                },
                None => Mutation::Delete { key },
            }
        })
    }

    /// Bytes left for rows.
    #[must_use]
    pub fn row_bytes_left(&self) -> usize {
        OUTBOX_BYTES_PER_COMMIT_MAX - self.row_bytes.len()
    }

    /// Rows left.
    #[must_use]
    pub fn rows_left(&self) -> usize {
        OUTBOX_ROWS_PER_COMMIT_MAX - self.rows.len()
    }

    /// What is left for changes of the broker's state.
    #[must_use]
    pub fn mutation_room(&self) -> MutationRoom {
        MutationRoom {
            count: self.room.count - self.mutations.len(),
            bytes: self.room.bytes - self.mutation_bytes.len(),
        }
    }

    /// Whether there is nothing to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty() && self.is_journal_only()
    }

    /// Whether there is nothing but entries of the journal.
    #[must_use]
    pub fn is_journal_only(&self) -> bool {
        self.is_for_ring() && self.trim_outbox.iter().all(Option::is_none)
    }

    /// Whether there is nothing but entries of the journal, and rows to be removed, which can wait.
    #[must_use]
    pub fn is_for_ring(&self) -> bool {
        self.rows.is_empty() && self.checkpoint.is_none() && !self.is_indivisible()
    }

    /// Whether there is what a replay of the journal does not make again: it must become durable together with its chunk.
    /// Rows and a checkpoint may come after it.
    #[must_use]
    pub fn is_indivisible(&self) -> bool {
        !self.mutations.is_empty() || self.epoch.is_some()
    }

    /// Empties the commit; its buffers stay.
    pub fn clear(&mut self) {
        self.position = 0;
        self.journal.clear();
        self.rows.clear();
        self.row_bytes.clear();
        self.mutations.clear();
        self.mutation_bytes.clear();
        self.checkpoint = None;
        self.trim_outbox = [None; LANES];
        self.epoch = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: MutationRoom = MutationRoom {
        count: 100,
        bytes: 4096,
    };

    fn row(bytes: &[u8]) -> SealedRow<'_> {
        SealedRow {
            lane: Lane::Telemetry,
            sequence: Sequence(7),
            key: "edge-1",
            readings: 3,
            bytes,
        }
    }

    #[test]
    fn what_was_pushed_comes_out_in_order() {
        let mut commit = Commit::new(ROOM);
        assert!(commit.is_empty());
        let mutations = [
            Mutation::Put {
                key: b"retained/a",
                value: b"1",
            },
            Mutation::Delete { key: b"retained/b" },
            Mutation::Put {
                key: b"c",
                value: b"",
            },
        ];
        for mutation in &mutations {
            commit.push_mutation(mutation).expect("room");
        }
        commit.push_row(&row(b"batch")).expect("room");
        commit.push_row(&row(b"")).expect("room");
        assert_eq!(commit.rows().collect::<Vec<_>>(), [row(b"batch"), row(b"")]);
        assert_eq!(commit.mutations().collect::<Vec<_>>(), mutations);
        commit.clear();
        assert!(commit.is_empty());
    }

    #[test]
    fn a_full_commit_refuses_and_keeps_what_it_has() {
        let mut commit = Commit::new(ROOM);
        let large = vec![0; OUTBOX_BYTES_PER_COMMIT_MAX / 2 - "edge-1".len()];
        assert_eq!(commit.push_row(&row(&large)), Ok(()));
        assert_eq!(commit.push_row(&row(&large)), Ok(()));
        assert_eq!(commit.push_row(&row(b"")), Err(Full));
        assert_eq!(commit.rows().len(), 2);
        let value = vec![0; ROOM.bytes];
        assert_eq!(
            commit.push_mutation(&Mutation::Put {
                key: b"k",
                value: &value
            }),
            Err(Full)
        );
    }
}
