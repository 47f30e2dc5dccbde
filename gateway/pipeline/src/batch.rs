//! Rows and summaries that wait for their batch to be sealed.

use crate::time::Instant;
use serde::{Deserialize, Serialize};
use wire::{Full, Row};

/// Room for one row of the open batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpenRow {
    pub(crate) row: Row,
    /// How many came before it, so that sorting by sensor keeps the order of arrival.
    pub(crate) order: u32,
}

impl OpenRow {
    /// By sensor, then in order of arrival: as one number, for a batch is sorted by it.
    pub(crate) const fn key(&self) -> u64 {
        (self.row.sensor.0 as u64) << 32 | self.order as u64
    }
}

impl AsRef<Row> for OpenRow {
    fn as_ref(&self) -> &Row {
        &self.row
    }
}

/// How far an open batch is filled, and when it is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) len: usize,
    pub(crate) due: Option<Instant>,
}

impl Open {
    /// Takes the next place; the first one sets the time.
    pub(crate) fn take_place(&mut self, now: Instant, ms_max: u32) -> usize {
        self.due.get_or_insert(now.after_ms(ms_max));
        self.len += 1;
        self.len - 1
    }

    /// Takes the first `count` of its items out; those behind them move up.
    pub(crate) fn leave<T: Copy>(&mut self, items: &mut [T], count: usize) {
        items.copy_within(count.., 0);
        self.len -= count;
        if self.len == 0 {
            self.due = None;
        }
    }
}

/// Writes as many of the first `items` as `buffer` holds: all, or a half of them, or a half of that. Gives how many bytes
/// that takes, and how many of the items stand in them.
pub(crate) fn write_front<T>(
    items: &[T],
    buffer: &mut [u8],
    write: impl Fn(&[T], &mut [u8]) -> Result<usize, Full>,
) -> (usize, usize) {
    let mut count = items.len();
    loop {
        match write(&items[..count], buffer) {
            Ok(len) => return (len, count),
            Err(Full) => {
                assert!(
                    count > 1,
                    "the buffer for batches is smaller than one row, which BATCH_BYTES_MIN rules out"
                );
                count /= 2;
            }
        }
    }
}
