//! Opening the store: what a crash left behind, and what becomes of a file that cannot be read.

use core::ops::ControlFlow;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, OptionalExtension, Row};

use super::journal::{Journal, open_ring};
use super::ring::Ring;
use super::schema::connect;
use super::writer::Writer;
use super::{
    FILE_NAME, LaneUsage, MOVED_ASIDE_MAX, Reply, SEQUENCE_MAX, Settings, StoreError, Usage,
    file_set, lane_and_sequence, place, suspicion, with_suffix,
};
use crate::outbox::{LANES, Lane, Sequence, Sequences};

/// What the store knew when it was last used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Which life of the store this is; none: it has not been told yet.
    pub epoch: Option<u64>,
    /// Positions of the checkpoints kept, the newest first; [`Opened::checkpoint`] reads one.
    pub checkpoints: Vec<u64>,
    /// Lowest and highest sequence in the outbox, per lane; 0: the lane is empty.
    pub first: Sequences,
    /// See `first`.
    pub last: Sequences,
    /// What waits in the outbox, and the size of the file.
    pub usage: Usage,
    /// The file found was corrupt; a new one was started.
    pub moved_aside: Option<MovedAside>,
}

/// A corrupt database that was put out of the way. It is never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// A store that is open but not yet in use: for the start, which reads all that is kept.
#[derive(Debug)]
pub struct Opened {
    pub(super) connection: Connection,
    pub(super) ring: Option<Ring>,
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
    pub(super) usage: Usage,
}

/// Opens the store in `dir`, and makes both if need be. A corrupt file is moved aside, and a new one started.
///
/// # Errors
/// [`StoreError`]: it is in use, the disk refuses, or a newer program wrote it.
pub fn open(dir: &Path, settings: Settings) -> Result<(Recovered, Opened), StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io(dir, "make this directory"))?;
    let path = dir.join(FILE_NAME);
    match open_file(&path, settings) {
        Err(StoreError::Corrupt { detail, .. }) => start_afresh(&path, settings, detail),
        result => result,
    }
}

impl Opened {
    /// State of the machine at one of [`Recovered::checkpoints`].
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn checkpoint(&self, position: u64) -> Result<Vec<u8>, StoreError> {
        self.connection
            .query_row(
                "SELECT state FROM checkpoint WHERE position = ?1",
                [position.cast_signed()],
                |row| row.get(0),
            )
            .map_err(StoreError::sqlite(&self.path, "read a checkpoint"))
    }

    /// The oldest batch of readings that waits and was not thinned: its sequence and its bytes.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn oldest_batch(&self) -> Result<Option<(Sequence, Vec<u8>)>, StoreError> {
        let from = place(Lane::Telemetry, Sequence(0));
        let mut oldest = None;
        let sql = "SELECT place, bytes FROM outbox WHERE place >= ?1 AND length(bytes) > 0 ORDER BY place LIMIT 1";
        self.visit(sql, &[&from], "read the outbox", |row| {
            if let Some((_, sequence)) = lane_and_sequence(row.get(0)?) {
                oldest = Some((sequence, row.get(1)?));
            }
            Ok(ControlFlow::Break(()))
        })?;
        Ok(oldest)
    }

    /// Visits the chunks of the journal in order, from the one that holds `position` on, each with the
    /// position of its first entry.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read.
    pub fn for_each_chunk(
        &self,
        position: u64,
        visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let journal = Journal {
            connection: &self.connection,
            ring: self.ring.as_ref(),
            path: &self.path,
        };
        journal.for_each_from(position, visit)
    }

    /// Visits all pairs of the broker's state.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read.
    pub fn for_each_state(
        &self,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.visit(
            "SELECT key, value FROM state ORDER BY key",
            &[],
            "read the broker's state",
            |row| {
                Ok(visit(
                    row.get_ref(0)?.as_blob()?,
                    row.get_ref(1)?.as_blob()?,
                ))
            },
        )
    }

    /// Moves the file aside because its content makes no sense to the reader, and starts a new one.
    ///
    /// # Errors
    /// [`StoreError`] if the disk refuses.
    pub fn give_up(self, why: &str) -> Result<(Recovered, Self), StoreError> {
        let Self {
            connection,
            ring,
            path,
            settings,
            ..
        } = self;
        drop((connection, ring));
        start_afresh(&path, settings, why.to_owned())
    }

    /// Gives the file to its thread, which calls `reply` for each request.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there can be no thread.
    pub fn start(self, reply: impl FnMut(Reply) + Send + 'static) -> Result<Writer, StoreError> {
        Writer::start(self, reply)
    }

    fn visit(
        &self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
        tried: &'static str,
        mut row: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> Result<(), StoreError> {
        let mut walk = || {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(next) = rows.next()? {
                if row(next)?.is_break() {
                    break;
                }
            }
            Ok(())
        };
        walk().map_err(StoreError::sqlite(&self.path, tried))
    }
}

fn open_file(path: &Path, settings: Settings) -> Result<(Recovered, Opened), StoreError> {
    let connection = connect(path, &settings)?;
    let ring = open_ring(&connection, path, &settings)?;
    sync_directory(path)?;
    let mut recovered =
        recover(&connection).map_err(StoreError::sqlite(path, "read what it holds"))?;
    recovered.usage.ring_bytes = ring.as_ref().map_or(0, Ring::bytes);
    let usage = recovered.usage;
    Ok((
        recovered,
        Opened {
            connection,
            ring,
            path: path.to_path_buf(),
            settings,
            usage,
        },
    ))
}

fn start_afresh(
    path: &Path,
    settings: Settings,
    why: String,
) -> Result<(Recovered, Opened), StoreError> {
    let aside = move_aside(path)?;
    let (recovered, opened) = open_file(path, settings)?;
    Ok((
        Recovered {
            moved_aside: Some(MovedAside { path: aside, why }),
            ..recovered
        },
        opened,
    ))
}

/// Renames the files to the first name that is free.
fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let tried = "move it aside";
    let free = |aside: &PathBuf| file_set(aside).iter().all(|file| !file.exists());
    let aside = (1..=MOVED_ASIDE_MAX)
        .map(|number| with_suffix(path, &format!(".corrupt-{number}")))
        .find(free)
        .ok_or_else(|| {
            let source = "too many corrupt files beside it: look at them and remove some".into();
            StoreError::Io {
                path: path.to_path_buf(),
                tried,
                source,
            }
        })?;
    for (from, to) in file_set(path).iter().zip(file_set(&aside)) {
        if from.exists() {
            fs::rename(from, to).map_err(StoreError::io(from, tried))?;
        }
    }
    let suspicion = suspicion(path);
    if suspicion.exists() {
        fs::remove_file(&suspicion).map_err(StoreError::io(&suspicion, "remove it"))?;
    }
    sync_directory(path)?;
    Ok(aside)
}

/// A file's name is durable once its directory is; the directory's own name once its parent is.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    for directory in path
        .ancestors()
        .skip(1)
        .take(2)
        .filter(|path| !path.as_os_str().is_empty())
    {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(StoreError::io(directory, "sync this directory"))?;
    }
    Ok(())
}

fn recover(connection: &Connection) -> rusqlite::Result<Recovered> {
    let mut recovered = Recovered {
        epoch: connection
            .query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| {
                row.get(0)
            })
            .optional()?
            .map(i64::cast_unsigned),
        ..Recovered::default()
    };
    let mut statement =
        connection.prepare("SELECT position FROM checkpoint ORDER BY position DESC")?;
    let positions = statement.query_map([], |row| row.get(0).map(i64::cast_unsigned))?;
    recovered.checkpoints = positions.collect::<rusqlite::Result<_>>()?;
    let mut rows = 0;
    for lane in Lane::ALL {
        rows += recover_lane(connection, lane, &mut recovered)?;
    }
    let all: i64 = connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
    if all.cast_unsigned() != rows {
        // Rows of no lane: they could never be sent.
        return Err(Error::IntegralValueOutOfRange(0, all));
    }
    let (file_bytes, free_bytes) = super::writer::file_usage(connection)?;
    recovered.usage.file_bytes = file_bytes;
    recovered.usage.free_bytes = free_bytes;
    Ok(recovered)
}

/// Reads extent and size of one lane. The sizes stand in the headers of the rows, so that values are not read.
fn recover_lane(
    connection: &Connection,
    lane: Lane,
    recovered: &mut Recovered,
) -> rusqlite::Result<u64> {
    let range = [
        place(lane, Sequence(0)),
        place(lane, Sequence(SEQUENCE_MAX)),
    ];
    let sql = "SELECT min(place), max(place), count(*), coalesce(sum(length(bytes)), 0)
               FROM outbox WHERE place BETWEEN ?1 AND ?2";
    let (first, last, rows, bytes): (Option<i64>, Option<i64>, i64, i64) =
        connection.query_row(sql, range, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    let sequence = |place: Option<i64>| {
        place
            .and_then(lane_and_sequence)
            .map_or(Sequence(0), |(_, sequence)| sequence)
    };
    recovered.first[lane.index()] = sequence(first);
    recovered.last[lane.index()] = sequence(last);
    let usage = LaneUsage {
        rows: rows.cast_unsigned(),
        bytes: bytes.cast_unsigned(),
    };
    recovered.usage.outbox[lane.index()] = usage;
    Ok(usage.rows)
}

const _: () = assert!(LANES <= 128, "a lane has 7 bits in the key of the outbox");
