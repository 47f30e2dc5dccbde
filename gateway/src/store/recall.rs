//! Reads of what was written earlier, beside the commits: a checkpoint, and the journal in slices.

use core::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Row};

use super::journal::Journal;
use super::{Recall, Recalled, StoreError};

pub(super) fn read_again(journal: &Journal<'_>, recall: Recall) -> Result<Recalled, StoreError> {
    match recall {
        Recall::Checkpoint { entries_max } => {
            let newest = journal.newest_until(u64::MAX)?.unwrap_or(0);
            let from = newest.saturating_sub(entries_max);
            checkpoint(journal.connection, from)
                .map(Recalled::Checkpoint)
                .map_err(StoreError::sqlite(journal.path, "read a checkpoint again"))
        }
        Recall::Chunks { from, bytes_max } => {
            Ok(Recalled::Chunks(chunks(journal, from, bytes_max)?))
        }
    }
}

/// The oldest from this position on, or the newest.
fn checkpoint(connection: &Connection, from: u64) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    let saved = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
    let near =
        "SELECT position, state FROM checkpoint WHERE position >= ?1 ORDER BY position LIMIT 1";
    let found = connection
        .query_row(near, [from.cast_signed()], saved)
        .optional()?;
    match found {
        Some(found) => Ok(Some(found)),
        None => connection
            .query_row(
                "SELECT position, state FROM checkpoint ORDER BY position DESC LIMIT 1",
                [],
                saved,
            )
            .optional(),
    }
}

fn chunks(journal: &Journal<'_>, from: u64, bytes_max: usize) -> Result<Vec<Vec<u8>>, StoreError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    journal.for_each_from(from, |_, chunk| {
        bytes += chunk.len();
        if bytes > bytes_max && !found.is_empty() {
            return ControlFlow::Break(());
        }
        found.push(chunk.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
