//! A look into the store of a stopped gateway: nothing is written, repaired or moved aside.

use core::ops::ControlFlow;
use core::time::Duration;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::journal::{Journal, find_ring};
use super::ring::Ring;
use super::schema::{MIGRATIONS, run_check, schema_version};
use super::{FILE_NAME, StoreError, file_set, lane_and_sequence};
use crate::outbox::OutboxRow;

/// The store, opened to be read.
#[derive(Debug)]
pub struct Inspected {
    connection: Connection,
    ring: Option<Ring>,
    path: PathBuf,
}

impl Inspected {
    /// Opens the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError`] if there is none, a gateway has it open, or another release wrote it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let opening = "open it to be read";
        let failed = || StoreError::sqlite(&path, opening);
        std::fs::metadata(&path).map_err(StoreError::io(&path, opening))?;
        // The index of the log needs a file of its own beside it; the database itself is only read.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(failed())?;
        connection.busy_timeout(Duration::ZERO).map_err(failed())?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(failed())?;
        for (pragma, value) in [("query_only", "1"), ("locking_mode", "EXCLUSIVE")] {
            connection
                .pragma_update(None, pragma, value)
                .map_err(failed())?;
        }
        let found = schema_version(&connection, &path)?;
        let known = MIGRATIONS.len() as u64;
        if found > known {
            return Err(StoreError::Newer { path, found, known });
        }
        let ring = find_ring(&connection, &path, &mut OpenOptions::new())?;
        Ok(Self {
            connection,
            ring,
            path,
        })
    }

    /// Shows each row that waits, lane by lane in the order of forwarding.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read, and what `show` says.
    pub fn for_each_row<E: From<StoreError>>(
        &self,
        mut show: impl FnMut(OutboxRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = || StoreError::sqlite(&self.path, "read the outbox");
        let sql = "SELECT place, key, readings, bytes FROM outbox ORDER BY place";
        let mut statement = self.connection.prepare(sql).map_err(failed())?;
        let mut found = statement.query([]).map_err(failed())?;
        while let Some(row) = found.next().map_err(failed())? {
            show(read_row(row).map_err(failed())?)?;
        }
        Ok(())
    }

    /// Journal entries' chunks, and the positions of the checkpoints, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn journal(&self) -> Result<(u64, Vec<u64>), StoreError> {
        let failed = || StoreError::sqlite(&self.path, "read the journal");
        let chunks: i64 = self
            .connection
            .query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
            .map_err(failed())?;
        let mut statement = self
            .connection
            .prepare("SELECT position FROM checkpoint ORDER BY position DESC")
            .map_err(failed())?;
        let positions = statement
            .query_map([], |row| row.get::<_, i64>(0))
            .map_err(failed())?;
        let positions: Result<Vec<u64>, _> = positions
            .map(|position| position.map(i64::cast_unsigned))
            .collect();
        let in_ring = self.ring.iter().flat_map(|ring| ring.frames_from(0));
        let chunks = chunks.cast_unsigned() + in_ring.count() as u64;
        Ok((chunks, positions.map_err(failed())?))
    }

    /// State of the machine at one of the positions that [`journal`](Self::journal) tells.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn checkpoint(&self, position: u64) -> Result<Vec<u8>, StoreError> {
        let sql = "SELECT state FROM checkpoint WHERE position = ?1";
        self.connection
            .query_row(sql, [position.cast_signed()], |row| row.get(0))
            .map_err(StoreError::sqlite(&self.path, "read a checkpoint"))
    }

    /// Shows each chunk of the journal in its order, from the one on that holds the oldest checkpoint.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read, and what `show` says.
    pub fn for_each_chunk<E: From<StoreError>>(
        &self,
        mut show: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let journal = Journal {
            connection: &self.connection,
            ring: self.ring.as_ref(),
            path: &self.path,
        };
        let mut shown = Ok(());
        journal.for_each_from(journal.floor()?, |_, chunk| {
            shown = show(chunk);
            match shown {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        shown
    }

    /// Reads every page, and holds the trees against each other.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first finding.
    pub fn check(&self) -> Result<(), StoreError> {
        run_check(&self.connection, &self.path, "PRAGMA integrity_check")
    }

    /// Copies the store's files into `to`, which is made and must hold no store yet; gives their bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`] if a file cannot be copied.
    pub fn back_up(&self, to: &Path) -> Result<u64, StoreError> {
        let copying = "copy it";
        std::fs::create_dir_all(to).map_err(StoreError::io(to, "make the folder"))?;
        let mut bytes = 0;
        for from in file_set(&self.path) {
            let Some(name) = from.file_name().filter(|_| from.exists()) else {
                continue;
            };
            let copy = to.join(name);
            let failed = || StoreError::io(&copy, copying);
            let mut target = std::fs::File::create_new(&copy).map_err(failed())?;
            let mut source = std::fs::File::open(&from).map_err(failed())?;
            bytes += std::io::copy(&mut source, &mut target).map_err(failed())?;
            target.sync_all().map_err(failed())?;
        }
        Ok(bytes)
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<OutboxRow> {
    let place = row.get(0)?;
    let (lane, sequence) =
        lane_and_sequence(place).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, place))?;
    Ok(OutboxRow {
        part: 0,
        lane,
        sequence,
        key: row.get(1)?,
        readings: row.get(2)?,
        bytes: row.get(3)?,
    })
}
