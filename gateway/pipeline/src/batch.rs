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
}

/// Writes `items` into as few batches as `buffer` allows, and hands each to `emit` with the number of its items.
pub(crate) fn write_parts<T>(
    items: &[T],
    buffer: &mut [u8],
    write: &impl for<'b> Fn(&[T], &'b mut [u8]) -> Result<&'b [u8], Full>,
    emit: &mut impl FnMut(&[u8], usize),
) {
    match write(items, buffer) {
        Ok(bytes) => emit(bytes, items.len()),
        Err(Full) => {
            assert!(
                items.len() > 1,
                "the buffer for batches is smaller than one row, which BATCH_BYTES_MIN rules out"
            );
            let (first, second) = items.split_at(items.len() / 2);
            write_parts(first, buffer, write, emit);
            write_parts(second, buffer, write, emit);
        }
    }
}
