//! The thread that owns the database.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::{Connection, Statement};

use super::schema::PAGE_BYTES;
use super::{
    CHECKPOINTS_KEPT, REQUESTS_MAX, Reply, Request, SEQUENCE_MAX, STACK_BYTES, Settings,
    StoreError, Usage, lane_and_sequence, place, suspicion,
};
use crate::commit::{Commit, Mutation, SealedRow};
use crate::outbox::{Lane, OutboxRow, Sequence};

/// Bytes that the write-ahead log holds beside each page.
const FRAME_HEADER_BYTES: u64 = 24;

/// The way to the thread. Dropping it waits until the thread has served what it was given.
#[derive(Debug)]
pub struct Writer {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        settings: Settings,
        usage: Usage,
        reply: impl FnMut(Reply) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let failed = StoreError::io(&path, "start the thread of the store");
        let (requests, received) = sync_channel(REQUESTS_MAX);
        let thread = Builder::new()
            .name("store".into())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(&connection, path, settings, usage, &received, reply))
            .map_err(failed)?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Hands a request to the thread, without waiting.
    ///
    /// # Errors
    /// The request, if [`REQUESTS_MAX`] wait already or the thread has ended.
    pub fn request(&self, request: Request) -> Result<(), Request> {
        let Some(requests) = &self.requests else {
            return Err(request);
        };
        requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(request) | TrySendError::Disconnected(request) => request,
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook.
            let _ = thread.join();
        }
    }
}

fn serve(
    connection: &Connection,
    path: PathBuf,
    settings: Settings,
    usage: Usage,
    requests: &Receiver<Request>,
    mut reply: impl FnMut(Reply),
) {
    let mut store = Store {
        connection,
        path,
        settings,
        usage,
        statements: None,
        log_frames: 0,
        broken: false,
    };
    while let Ok(request) = requests.recv() {
        let answer = match request {
            Request::Commit(mut commit) => match store.commit(&commit) {
                Ok(()) => {
                    commit.clear();
                    Reply::Committed {
                        commit,
                        usage: store.usage,
                    }
                }
                Err(error) => Reply::CommitFailed { commit, error },
            },
            Request::Load {
                lane,
                after,
                bytes_max,
                rows_max,
            } => match store.load(lane, after, bytes_max, rows_max) {
                Ok(rows) => Reply::Loaded(rows),
                Err(error) => Reply::LoadFailed(error),
            },
            Request::Close => return reply(Reply::Closed(store.close())),
        };
        reply(answer);
    }
}

/// The database in use.
struct Store<'c> {
    connection: &'c Connection,
    path: PathBuf,
    settings: Settings,
    usage: Usage,
    /// Prepared at the first use, so that their failure has a request to answer.
    statements: Option<Statements<'c>>,
    /// Length of the write-ahead log.
    log_frames: u64,
    /// The disk failed once: nothing is written any more.
    broken: bool,
}

impl<'c> Store<'c> {
    /// Makes all of `commit` durable.
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let result = self.try_commit(commit);
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    fn try_commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.refuse_if_broken()?;
        let outbox_before = self.usage.outbox;
        let path = self.path.clone();
        let connection = self.connection;
        let usage = &mut self.usage;
        let statements = prepared(&mut self.statements, connection, &path)?;
        if let Err(error) = statements.write(commit, usage) {
            usage.outbox = outbox_before;
            // SQLite has rolled back by itself after some errors.
            if !connection.is_autocommit()
                && let Err(error) = statements.rollback.execute([])
            {
                return Err(StoreError::Failed {
                    path,
                    tried: "roll back",
                    source: error,
                });
            }
            return Err(StoreError::sqlite(&path, "write a commit")(error));
        }
        self.count_commit()
            .map_err(StoreError::sqlite(&path, "measure the file"))?;
        if self.log_frames * (PAGE_BYTES + FRAME_HEADER_BYTES) < self.settings.wal_bytes {
            return Ok(());
        }
        match self.checkpoint_log("PASSIVE") {
            // The commit stands in the log, which goes into the database when there is room again.
            Err(StoreError::Full { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn count_commit(&mut self) -> rusqlite::Result<()> {
        let (_, frames, _) = checkpoint_log(self.connection, "NOOP")?;
        // A log that has been moved into the database is written from its beginning again.
        let written = if frames < self.log_frames {
            frames
        } else {
            frames - self.log_frames
        };
        self.log_frames = frames;
        self.usage.commits += 1;
        self.usage.syncs += 1;
        self.usage.bytes_written += written * (PAGE_BYTES + FRAME_HEADER_BYTES);
        (self.usage.file_bytes, self.usage.free_bytes) = file_usage(self.connection)?;
        Ok(())
    }

    /// Moves the write-ahead log into the database, and looks whether that is done.
    fn checkpoint_log(&mut self, mode: &str) -> Result<(), StoreError> {
        let tried = "move the write-ahead log into the database";
        let (busy, frames, moved) =
            checkpoint_log(self.connection, mode).map_err(StoreError::sqlite(&self.path, tried))?;
        if busy || frames != moved {
            // There is no other reader that could hold it back.
            return Err(StoreError::corrupt(
                &self.path,
                tried,
                format!("{moved} of {frames} pages moved"),
            ));
        }
        self.usage.syncs += 2;
        self.usage.wal_checkpoints += 1;
        self.usage.bytes_written += self.log_frames * PAGE_BYTES;
        self.log_frames = 0;
        Ok(())
    }

    fn load(
        &mut self,
        lane: Lane,
        after: Sequence,
        bytes_max: usize,
        rows_max: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let statements = prepared(&mut self.statements, self.connection, &self.path)?;
        let result = statements
            .load(lane, after, bytes_max, rows_max)
            .map_err(StoreError::sqlite(&self.path, "read the outbox"));
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.refuse_if_broken()?;
        self.statements = None;
        self.checkpoint_log("TRUNCATE")
    }

    fn refuse_if_broken(&self) -> Result<(), StoreError> {
        if self.broken {
            let source = "the disk failed before; the process must exit and recover".into();
            return Err(StoreError::Io {
                path: self.path.clone(),
                tried: "write to it",
                source,
            });
        }
        Ok(())
    }

    /// Remembers what the next request, or the next process, must know.
    fn note(&mut self, error: &StoreError) {
        match error {
            StoreError::Corrupt { .. } => {
                self.broken = true;
                // Without the mark the next start checks only part of the file: nothing better can be done.
                let _ = std::fs::write(suspicion(&self.path), error.to_string());
            }
            StoreError::Failed { .. } | StoreError::Io { .. } => self.broken = true,
            StoreError::Full { .. } | StoreError::Locked { .. } | StoreError::Newer { .. } => {}
        }
    }
}

/// Runs a checkpoint of the write-ahead log: whether it was held back, pages in the log, pages of them
/// that are in the database.
fn checkpoint_log(connection: &Connection, mode: &str) -> rusqlite::Result<(bool, u64, u64)> {
    let count = |pages: i64| u64::try_from(pages).unwrap_or(0);
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get(0)?, count(row.get(1)?), count(row.get(2)?)))
    })
}

/// Size of the database file and of what is free in it, bytes.
pub(super) fn file_usage(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let pages = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let bytes = |pages: i64| pages.cast_unsigned() * PAGE_BYTES;
    Ok((bytes(pages("page_count")?), bytes(pages("freelist_count")?)))
}

fn prepared<'s, 'c>(
    statements: &'s mut Option<Statements<'c>>,
    connection: &'c Connection,
    path: &Path,
) -> Result<&'s mut Statements<'c>, StoreError> {
    match statements {
        Some(statements) => Ok(statements),
        None => {
            let fresh = Statements::prepare(connection);
            Ok(statements
                .insert(fresh.map_err(StoreError::sqlite(path, "prepare its statements"))?))
        }
    }
}

/// Every statement of the thread, prepared once.
struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    insert_chunk: Statement<'c>,
    insert_row: Statement<'c>,
    measure_rows: Statement<'c>,
    delete_rows: Statement<'c>,
    select_rows: Statement<'c>,
    put_state: Statement<'c>,
    delete_state: Statement<'c>,
    put_epoch: Statement<'c>,
    put_checkpoint: Statement<'c>,
    trim_checkpoints: Statement<'c>,
    trim_journal: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            insert_chunk: prepare("INSERT INTO journal VALUES (?1, ?2)")?,
            insert_row: prepare("INSERT OR IGNORE INTO outbox VALUES (?1, ?2, ?3, ?4)")?,
            measure_rows: prepare(
                "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM outbox WHERE place BETWEEN ?1 AND ?2",
            )?,
            delete_rows: prepare("DELETE FROM outbox WHERE place BETWEEN ?1 AND ?2")?,
            select_rows: prepare(
                "SELECT place, key, readings, bytes FROM outbox
                 WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
            )?,
            put_state: prepare("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?,
            delete_state: prepare("DELETE FROM state WHERE key = ?1")?,
            put_epoch: prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?1)")?,
            put_checkpoint: prepare("INSERT OR REPLACE INTO checkpoint VALUES (?1, ?2)")?,
            trim_checkpoints: prepare(
                "DELETE FROM checkpoint WHERE position NOT IN
                     (SELECT position FROM checkpoint ORDER BY position DESC LIMIT ?1)",
            )?,
            // The chunk that holds the oldest checkpoint's position stays, with all behind it.
            trim_journal: prepare(
                "DELETE FROM journal WHERE position <
                     (SELECT max(position) FROM journal
                      WHERE position <= (SELECT min(position) FROM checkpoint))",
            )?,
        })
    }

    /// Deletes come first: in a full file they make the room for what is inserted.
    fn write(&mut self, commit: &Commit, usage: &mut Usage) -> rusqlite::Result<()> {
        self.begin.execute([])?;
        for lane in Lane::ALL {
            if let Some(sequence) = commit.trim_outbox[lane.index()] {
                self.trim_rows(lane, sequence, usage)?;
            }
        }
        if let Some(epoch) = commit.epoch {
            self.put_epoch.execute([epoch.cast_signed()])?;
        }
        if let Some((position, state)) = &commit.checkpoint {
            self.write_checkpoint(*position, state)?;
        }
        if !commit.journal.is_empty() {
            self.insert_chunk
                .execute((commit.position.cast_signed(), commit.journal.as_slice()))?;
        }
        for row in commit.rows() {
            self.insert_row(&row, usage)?;
        }
        for mutation in commit.mutations() {
            match mutation {
                Mutation::Put { key, value } => self.put_state.execute((key, value))?,
                Mutation::Delete { key } => self.delete_state.execute([key])?,
            };
        }
        self.commit.execute([])?;
        Ok(())
    }

    fn trim_rows(
        &mut self,
        lane: Lane,
        sequence: Sequence,
        usage: &mut Usage,
    ) -> rusqlite::Result<()> {
        let range = [place(lane, Sequence(0)), place(lane, sequence)];
        let (rows, bytes): (i64, i64) = self
            .measure_rows
            .query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.delete_rows.execute(range)?;
        let lane = &mut usage.outbox[lane.index()];
        lane.rows = lane.rows.saturating_sub(rows.cast_unsigned());
        lane.bytes = lane.bytes.saturating_sub(bytes.cast_unsigned());
        Ok(())
    }

    fn write_checkpoint(&mut self, position: u64, state: &[u8]) -> rusqlite::Result<()> {
        self.put_checkpoint
            .execute((position.cast_signed(), state))?;
        self.trim_checkpoints.execute([CHECKPOINTS_KEPT])?;
        self.trim_journal.execute([])?;
        Ok(())
    }

    /// Inserts a row. A replay after a crash makes the very same rows again: those that are there are left.
    fn insert_row(&mut self, row: &SealedRow<'_>, usage: &mut Usage) -> rusqlite::Result<()> {
        let inserted = self.insert_row.execute((
            place(row.lane, row.sequence),
            row.key,
            row.readings,
            row.bytes,
        ))?;
        if inserted > 0 {
            let lane = &mut usage.outbox[row.lane.index()];
            lane.rows += 1;
            lane.bytes += row.bytes.len() as u64;
        }
        Ok(())
    }

    fn load(
        &mut self,
        lane: Lane,
        after: Sequence,
        bytes_max: usize,
        rows_max: usize,
    ) -> rusqlite::Result<Vec<OutboxRow>> {
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let range = (
            place(lane, after),
            place(lane, Sequence(SEQUENCE_MAX)),
            rows_max,
        );
        let mut found = self.select_rows.query(range)?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(row) = found.next()? {
            let key = row.get_ref(1)?.as_str()?;
            let value = row.get_ref(3)?.as_blob()?;
            bytes += key.len() + value.len();
            if bytes > bytes_max && !rows.is_empty() {
                break;
            }
            let place = row.get(0)?;
            let (lane, sequence) = lane_and_sequence(place)
                .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, place))?;
            let readings = row.get(2)?;
            rows.push(OutboxRow {
                lane,
                sequence,
                key: key.to_owned(),
                readings,
                bytes: value.to_vec(),
            });
        }
        Ok(rows)
    }
}
