//! The SQL of the thread: one commit in, rows of the outbox out.

use rusqlite::{Connection, Statement};

use super::ring::Ring;
use super::thinning::Thinning;
use super::writer::used_bytes;
use super::{CHECKPOINTS_KEPT, SEQUENCE_MAX, Usage, lane_and_sequence, place};
use crate::commit::{Commit, Mutation, SealedRow};
use crate::outbox::{Lane, OutboxRow, Sequence};

/// Where the chunk of a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkPlace {
    Ring,
    Table,
}

/// Every statement of the thread, prepared once.
pub(super) struct Statements<'c> {
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
    oldest_checkpoint: Statement<'c>,
    newest_chunk_until: Statement<'c>,
    trim_journal: Statement<'c>,
    thinning: Thinning<'c>,
    connection: &'c Connection,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
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
            oldest_checkpoint: prepare("SELECT min(position) FROM checkpoint")?,
            newest_chunk_until: prepare("SELECT max(position) FROM journal WHERE position <= ?1")?,
            trim_journal: prepare("DELETE FROM journal WHERE position < ?1")?,
            thinning: Thinning::prepare(connection)?,
            connection,
        })
    }

    /// Deletes come first: in a full file they make the room for what is inserted. Rows are thinned until no more than
    /// `used_bytes_max` of the file are in use. Gives the position before which the journal is not needed any more.
    pub(super) fn write(
        &mut self,
        commit: &Commit,
        place: ChunkPlace,
        ring: Option<&Ring>,
        used_bytes_max: u64,
        usage: &mut Usage,
    ) -> rusqlite::Result<u64> {
        let mut floor = 0;
        self.begin.execute([])?;
        for lane in Lane::ALL {
            if let Some(sequence) = commit.trim_outbox[lane.index()] {
                self.trim_rows(lane, sequence, usage)?;
            }
        }
        if usage.file_bytes > used_bytes_max {
            let excess = used_bytes(self.connection)?.saturating_sub(used_bytes_max);
            self.thinning.thin(excess, usage)?;
        }
        if let Some(epoch) = commit.epoch {
            self.put_epoch.execute([epoch.cast_signed()])?;
        }
        if let Some((position, state)) = &commit.checkpoint {
            floor = self.write_checkpoint(*position, state, ring)?;
        }
        if place == ChunkPlace::Table && !commit.journal.is_empty() {
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
        Ok(floor)
    }

    /// The transaction came to nothing.
    pub(super) fn roll_back(&mut self) -> rusqlite::Result<()> {
        self.thinning.take_back();
        // SQLite has rolled back by itself after some errors.
        if !self.connection.is_autocommit() {
            self.rollback.execute([])?;
        }
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

    /// The chunk that holds the oldest checkpoint's position stays, with all behind it. Gives its position.
    fn write_checkpoint(
        &mut self,
        position: u64,
        state: &[u8],
        ring: Option<&Ring>,
    ) -> rusqlite::Result<u64> {
        self.put_checkpoint
            .execute((position.cast_signed(), state))?;
        self.trim_checkpoints.execute([CHECKPOINTS_KEPT])?;
        let oldest: i64 = self.oldest_checkpoint.query_row([], |row| row.get(0))?;
        let in_table: Option<i64> = self
            .newest_chunk_until
            .query_row([oldest], |row| row.get(0))?;
        let in_ring = ring.and_then(|ring| ring.newest_until(oldest.cast_unsigned()));
        let floor = in_table.map(i64::cast_unsigned).max(in_ring).unwrap_or(0);
        self.trim_journal.execute([floor.cast_signed()])?;
        Ok(floor)
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

    pub(super) fn load(
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
                part: 0,
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
