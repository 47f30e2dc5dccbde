//! The thread that owns the database.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

use super::journal::{Journal, ring_path};
use super::recall::read_again;
use super::ring::Ring;
use super::room::{Reserve, free_bytes};
use super::schema::PAGE_BYTES;
use super::statements::{ChunkPlace, Statements};
use super::{
    ALONE_BYTES_MIN, Opened, REQUESTS_MAX, RESERVE_EVERY_COMMITS, ROOM_BYTES, Recall, Recalled,
    Reply, Request, STACK_BYTES, Settings, StoreError, Usage, suspicion,
};
use crate::commit::Commit;
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
        opened: Opened,
        reply: impl FnMut(Reply) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let failed = StoreError::io(&opened.path, "start the thread of the store");
        let (requests, received) = sync_channel(REQUESTS_MAX);
        let thread = Builder::new()
            .name("store".into())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(opened, &received, reply))
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

fn serve(opened: Opened, requests: &Receiver<Request>, mut reply: impl FnMut(Reply)) {
    let Opened {
        connection,
        ring,
        path,
        settings,
        usage,
    } = opened;
    let reserve = Reserve::new(&path, &settings);
    reserve.restore();
    let mut store = Store {
        connection: &connection,
        ring,
        path,
        reserve,
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
            Request::Recall(recall) => match store.recall(recall) {
                Ok(recalled) => Reply::Recalled(recalled),
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
    ring: Option<Ring>,
    path: PathBuf,
    reserve: Reserve,
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
        let mut result = self.try_commit(commit);
        if matches!(result, Err(StoreError::Full { .. })) && self.reserve.give_up() {
            // Room for a log and what it becomes in the database: enough to delete what is in Kafka, and to thin.
            result = self
                .checkpoint_if_there_is_room()
                .and_then(|()| self.try_commit(commit));
        } else if self.usage.commits.is_multiple_of(RESERVE_EVERY_COMMITS) {
            self.reserve.restore();
        }
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    fn try_commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.refuse_if_broken()?;
        let place = self.write_chunk(commit)?;
        if place == ChunkPlace::Ring && commit.is_journal_only() {
            self.usage.commits += 1;
            return Ok(());
        }
        self.write_to_database(commit, place)?;
        if self.log_frames * (PAGE_BYTES + FRAME_HEADER_BYTES) < self.settings.wal_bytes {
            return Ok(());
        }
        self.checkpoint_if_there_is_room()
    }

    /// Makes the chunk durable in the ring, if it may stand there alone and there is room.
    fn write_chunk(&mut self, commit: &Commit) -> Result<ChunkPlace, StoreError> {
        let may_be_alone = commit.is_journal_only()
            || !commit.is_indivisible() && commit.journal.len() >= ALONE_BYTES_MIN;
        let Some(ring) = &mut self.ring else {
            return Ok(ChunkPlace::Table);
        };
        if commit.journal.is_empty() || !may_be_alone {
            return Ok(ChunkPlace::Table);
        }
        if ring.newest_until(commit.position) == Some(commit.position) {
            // The same commit comes again: the database had no room for the rest of it.
            return Ok(ChunkPlace::Ring);
        }
        let failed = StoreError::data(&ring_path(&self.path), "write a commit");
        let written = match ring
            .append(commit.position, &commit.journal)
            .map_err(failed)
        {
            // Of a file system that writes each page to a new place.
            Err(StoreError::Full { .. }) => None,
            written => written?,
        };
        match written {
            None => Ok(ChunkPlace::Table),
            Some(bytes) => {
                self.usage.syncs += 1;
                self.usage.bytes_written += bytes;
                self.usage.ring_chunks += 1;
                Ok(ChunkPlace::Ring)
            }
        }
    }

    fn write_to_database(&mut self, commit: &Commit, place: ChunkPlace) -> Result<(), StoreError> {
        let usage_before = self.usage;
        let used_bytes_max = self.used_bytes_max();
        let path = self.path.clone();
        let connection = self.connection;
        let usage = &mut self.usage;
        let statements = prepared(&mut self.statements, connection, &path)?;
        match statements.write(commit, place, self.ring.as_ref(), used_bytes_max, usage) {
            Ok(floor) => {
                if let Some(ring) = &mut self.ring {
                    ring.keep_from(floor);
                }
            }
            Err(error) => {
                *usage = usage_before;
                statements.roll_back().map_err(|error| StoreError::Failed {
                    path: path.clone(),
                    tried: "roll back",
                    source: error.into(),
                })?;
                return Err(StoreError::sqlite(&path, "write a commit")(error));
            }
        }
        self.count_commit()
            .map_err(StoreError::sqlite(&path, "measure the file"))
    }

    /// What is committed stands in the log, and goes into the database when there is room again.
    fn checkpoint_if_there_is_room(&mut self) -> Result<(), StoreError> {
        match self.checkpoint_log("PASSIVE") {
            Err(StoreError::Full { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How much of the file may be in use before a commit: the rest is for what it brings.
    fn used_bytes_max(&self) -> u64 {
        let bytes_free_min = self.settings.bytes_free_min;
        let mut bytes = self.settings.database_bytes_max();
        // Where the disk cannot be measured its end is met by a commit that finds no room.
        if bytes_free_min > 0
            && let Ok(free) = free_bytes(&self.path)
        {
            bytes = bytes.min(self.usage.file_bytes + free.saturating_sub(bytes_free_min));
        }
        bytes - ROOM_BYTES.min(bytes / 4)
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
        // Of each page only the newest frame is written: no more pages than the file has.
        let pages_max = self.usage.file_bytes / PAGE_BYTES;
        self.usage.bytes_written += self.log_frames.min(pages_max) * PAGE_BYTES;
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

    fn recall(&mut self, recall: Recall) -> Result<Recalled, StoreError> {
        let journal = Journal {
            connection: self.connection,
            ring: self.ring.as_ref(),
            path: &self.path,
        };
        let result = read_again(&journal, recall);
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

/// How much of the database file holds data, bytes.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let (file, free) = file_usage(connection)?;
    Ok(file.saturating_sub(free))
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
