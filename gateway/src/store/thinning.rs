//! What goes when the disk is full: the bytes of the oldest rows. Their places and counts stay, and a gap record goes to Kafka
//! in their place, so that what is missing there is known to the reading.

use rusqlite::{Connection, Statement};

use super::{
    SEQUENCE_MAX, THINNED_BYTES_PER_COMMIT_MAX, THINNED_ROWS_PER_COMMIT_MAX, Usage,
    lane_and_sequence, place,
};
use crate::outbox::{LANES, Lane, Sequence, Sequences};

/// Readings go first: their summaries stay. Alerts go last; what says that something is missing stays.
const ORDER: [Lane; LANES - 1] = [Lane::Telemetry, Lane::Aggregate, Lane::Alert];
/// Rows that are looked up at once.
const ROWS_AT_ONCE: i64 = 64;

/// Thins rows, the oldest of the least important lane first.
pub(super) struct Thinning<'c> {
    select: Statement<'c>,
    empty: Statement<'c>,
    /// Up to here nothing is left to thin, per lane.
    done: Sequences,
    /// The same before the transaction.
    done_before: Sequences,
}

#[derive(Clone, Copy)]
struct Thinned {
    place: i64,
    bytes: u64,
    items: u64,
}

impl<'c> Thinning<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            select: connection.prepare(
                "SELECT place, length(bytes), readings FROM outbox
                 WHERE place > ?1 AND place <= ?2 AND length(bytes) > 0 ORDER BY place LIMIT ?3",
            )?,
            empty: connection.prepare("UPDATE outbox SET bytes = zeroblob(0) WHERE place = ?1")?,
            done: [Sequence(0); LANES],
            done_before: [Sequence(0); LANES],
        })
    }

    /// Thins rows until `excess` bytes are gone, or as many as one commit may.
    pub(super) fn thin(&mut self, excess: u64, usage: &mut Usage) -> rusqlite::Result<()> {
        self.done_before = self.done;
        let bytes_max = excess.min(THINNED_BYTES_PER_COMMIT_MAX);
        let (mut bytes, mut rows) = (0, 0);
        for lane in ORDER {
            while bytes < bytes_max && rows < THINNED_ROWS_PER_COMMIT_MAX {
                let oldest = self.oldest(lane)?;
                if oldest.is_empty() {
                    break;
                }
                for row in oldest {
                    if bytes >= bytes_max {
                        return Ok(());
                    }
                    self.empty.execute([row.place])?;
                    self.note(lane, row, usage);
                    bytes += row.bytes;
                    rows += 1;
                }
            }
        }
        Ok(())
    }

    /// The transaction came to nothing: its rows are as they were.
    pub(super) fn take_back(&mut self) {
        self.done = self.done_before;
    }

    fn oldest(&mut self, lane: Lane) -> rusqlite::Result<Vec<Thinned>> {
        let range = (
            place(lane, self.done[lane.index()]),
            place(lane, Sequence(SEQUENCE_MAX)),
            ROWS_AT_ONCE,
        );
        self.select
            .query_map(range, |row| {
                Ok(Thinned {
                    place: row.get(0)?,
                    bytes: row.get::<_, i64>(1)?.cast_unsigned(),
                    items: row.get::<_, i64>(2)?.cast_unsigned(),
                })
            })?
            .collect()
    }

    fn note(&mut self, lane: Lane, row: Thinned, usage: &mut Usage) {
        if let Some((_, sequence)) = lane_and_sequence(row.place) {
            self.done[lane.index()] = sequence;
        }
        let waiting = &mut usage.outbox[lane.index()];
        waiting.bytes = waiting.bytes.saturating_sub(row.bytes);
        usage.thinned_rows += 1;
        usage.thinned_items += row.items;
    }
}
