//! The journal over both of its places: the ring, and the table of the database. Each chunk stands in one of them, whole.

use core::ops::ControlFlow;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::ring::{self, Frame, Ring};
use super::room::free_bytes;
use super::{Settings, StoreError, with_suffix};

const READING: &str = "read the journal";
const OPENING: &str = "open the journal's ring";

/// Both places, to be read in the order of positions. Where one position stands in both, the table's chunk counts.
pub(super) struct Journal<'a> {
    pub(super) connection: &'a Connection,
    pub(super) ring: Option<&'a Ring>,
    pub(super) path: &'a Path,
}

impl Journal<'_> {
    /// Position of the oldest chunk that a start may need: the one that holds the oldest checkpoint.
    pub(super) fn floor(&self) -> Result<u64, StoreError> {
        let oldest: Option<i64> = self
            .connection
            .query_row("SELECT min(position) FROM checkpoint", [], |row| row.get(0))
            .map_err(StoreError::sqlite(self.path, "read the checkpoints"))?;
        match oldest {
            None => Ok(0),
            Some(oldest) => Ok(self.newest_until(oldest.cast_unsigned())?.unwrap_or(0)),
        }
    }

    /// Position of the newest chunk that begins at or before this one.
    pub(super) fn newest_until(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT max(position) FROM journal WHERE position <= ?1";
        let in_table: Option<i64> = self
            .connection
            .query_row(sql, [position.min(i64::MAX as u64).cast_signed()], |row| {
                row.get(0)
            })
            .optional()
            .map(Option::flatten)
            .map_err(StoreError::sqlite(self.path, READING))?;
        let in_ring = self.ring.and_then(|ring| ring.newest_until(position));
        Ok(in_table.map(i64::cast_unsigned).max(in_ring))
    }

    /// Visits the chunks in order, from the one that holds `position` on.
    pub(super) fn for_each_from(
        &self,
        position: u64,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let failed = || StoreError::sqlite(self.path, READING);
        let from = self.newest_until(position)?.unwrap_or(0);
        let mut frames = self
            .ring
            .into_iter()
            .flat_map(|ring| ring.frames_from(from))
            .peekable();
        let sql = "SELECT position, chunk FROM journal WHERE position >= ?1 ORDER BY position";
        let mut statement = self.connection.prepare(sql).map_err(failed())?;
        let mut rows = statement.query([from.cast_signed()]).map_err(failed())?;
        let mut buffer = Vec::new();
        loop {
            let row = rows.next().map_err(failed())?;
            let in_table = match row {
                None => None,
                Some(row) => Some(row.get(0).map(i64::cast_unsigned).map_err(failed())?),
            };
            while let Some(frame) =
                frames.next_if(|frame| in_table.is_none_or(|next| frame.position < next))
            {
                self.read(frame, &mut buffer)?;
                if visit(frame.position, &buffer).is_break() {
                    return Ok(());
                }
            }
            let Some((row, first)) = row.zip(in_table) else {
                return Ok(());
            };
            frames.next_if(|frame| frame.position == first);
            let chunk = row
                .get_ref(1)
                .and_then(|value| Ok(value.as_blob()?))
                .map_err(failed())?;
            if visit(first, chunk).is_break() {
                return Ok(());
            }
        }
    }

    fn read(&self, frame: Frame, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some(ring) = self.ring else {
            return Ok(());
        };
        let failed = StoreError::data(&ring_path(self.path), READING);
        ring.read(frame, buffer).map_err(failed)
    }
}

/// The ring stands beside its database.
pub(super) fn ring_path(database: &Path) -> PathBuf {
    with_suffix(database, "-ring")
}

/// Opens the ring, or makes it, as long as the settings say. Chunks of one that has another length go into the table first.
/// `None`: there is to be none, or the disk has no room for it.
pub(super) fn open_ring(
    connection: &Connection,
    database: &Path,
    settings: &Settings,
) -> Result<Option<Ring>, StoreError> {
    let path = ring_path(database);
    let failed = || StoreError::data(&path, OPENING);
    if let Some(mut ring) = find_ring(connection, database, OpenOptions::new().write(true))? {
        if ring.bytes() == settings.ring_bytes() && ring.is_in_order() {
            ring.settle().map_err(failed())?;
            return Ok(Some(ring));
        }
        match move_into_table(connection, database, &ring) {
            // It stays as it is, and is found again by the next start.
            Err(StoreError::Full { .. }) if ring.is_in_order() => return Ok(Some(ring)),
            moved => moved?,
        }
        fs::remove_file(&path).map_err(failed())?;
    }
    let has_room = settings.bytes_free_min == 0
        || free_bytes(database)
            .is_ok_and(|free| free > settings.ring_bytes() + settings.bytes_free_min);
    if settings.ring_bytes() == 0 || !has_room {
        return Ok(None);
    }
    match ring::make(&path, settings.ring_bytes()).map_err(failed()) {
        Err(StoreError::Full { .. }) => {
            fs::remove_file(&path).map_err(failed())?;
            Ok(None)
        }
        made => {
            made?;
            find_ring(connection, database, OpenOptions::new().write(true))
        }
    }
}

/// The ring as it is, if there is one, with the chunks that a start may need.
pub(super) fn find_ring(
    connection: &Connection,
    database: &Path,
    how: &mut OpenOptions,
) -> Result<Option<Ring>, StoreError> {
    let path = ring_path(database);
    let failed = || StoreError::data(&path, OPENING);
    let file: File = match how.read(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(&path, OPENING)(error)),
    };
    let id: Option<i64> = connection
        .query_row("SELECT value FROM meta WHERE key = 'ring'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(StoreError::sqlite(database, OPENING))?;
    // A store of the first version has none yet, so this is another one's.
    let Some(id) = id else {
        return Ok(None);
    };
    let mut ring = Ring::open(file, id.cast_unsigned()).map_err(failed())?;
    let journal = Journal {
        connection,
        ring: Some(&ring),
        path: database,
    };
    let floor = journal.floor()?;
    ring.keep_from(floor);
    Ok(Some(ring))
}

fn move_into_table(
    connection: &Connection,
    database: &Path,
    ring: &Ring,
) -> Result<(), StoreError> {
    let failed = || StoreError::sqlite(database, "move the ring's chunks into the table");
    let transaction = connection.unchecked_transaction().map_err(failed())?;
    let mut chunk = Vec::new();
    for frame in ring.frames_from(0) {
        ring.read(frame, &mut chunk)
            .map_err(StoreError::data(&ring_path(database), READING))?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO journal VALUES (?1, ?2)",
                (frame.position.cast_signed(), &chunk),
            )
            .map_err(failed())?;
    }
    transaction.commit().map_err(failed())
}
