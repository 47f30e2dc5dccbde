//! Reads of what was written earlier, beside the commits: a checkpoint, and the journal in slices.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Recall, Recalled};

pub(super) fn read_again(connection: &Connection, recall: Recall) -> rusqlite::Result<Recalled> {
    match recall {
        Recall::Checkpoint { entries_max } => {
            Ok(Recalled::Checkpoint(checkpoint(connection, entries_max)?))
        }
        Recall::Chunks { from, bytes_max } => {
            Ok(Recalled::Chunks(chunks(connection, from, bytes_max)?))
        }
    }
}

fn checkpoint(
    connection: &Connection,
    entries_max: u64,
) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    let saved = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
    let near = "SELECT position, state FROM checkpoint
                WHERE position >= (SELECT coalesce(max(position), 0) FROM journal) - ?1 ORDER BY position LIMIT 1";
    let found = connection
        .query_row(near, [entries_max.cast_signed()], saved)
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

fn chunks(connection: &Connection, from: u64, bytes_max: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = connection.prepare(
        "SELECT chunk FROM journal WHERE position >= coalesce(
             (SELECT max(position) FROM journal WHERE position <= ?1), 0)
         ORDER BY position",
    )?;
    let mut rows = statement.query([from.cast_signed()])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let chunk = row.get_ref(0)?.as_blob()?;
        bytes += chunk.len();
        if bytes > bytes_max && !found.is_empty() {
            break;
        }
        found.push(chunk.to_vec());
    }
    Ok(found)
}
