//! `tidegate queue` and `tidegate store`: what waits in the store of a stopped gateway, whether it is sound, and copies of it.

use core::time::Duration;
use std::io::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use wire::{Frame, Malformed, Timestamp};

use crate::form::count_items;
use crate::machine::StateError;
use crate::outbox::{LANES, Lane, OutboxRow};
use crate::recover::RecoverError;
use crate::replay::Nonsense;
use crate::store::{Inspected, StoreError};

mod compare;
mod export;
mod purge;
mod selection;

pub use compare::{compare, write_findings};
pub use export::{Format, export};
pub use purge::{Loss, losses, purge};
pub use selection::{Selection, SensorPattern, parse_time};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what it should be.
    #[error("row {sequence} of lane {}: {source}; the rows before it are sound", name_of(*lane))]
    Row {
        /// Its lane.
        lane: Lane,
        /// Its sequence.
        sequence: u64,
        /// What is wrong with its bytes.
        source: Malformed,
    },
    /// A row holds another number of readings than it says.
    #[error("row {sequence} of lane {} says {said} readings and holds {held}", name_of(*lane))]
    Count {
        /// Its lane.
        lane: Lane,
        /// Its sequence.
        sequence: u64,
        /// As the store says.
        said: u64,
        /// As its bytes say.
        held: u64,
    },
    /// The machine behind the store cannot be made.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A plan asks for more than its config gives, or a checkpoint cannot be read.
    #[error("{0}; raise `pipeline.sensors_max`, or ask for fewer windows")]
    State(#[from] StateError),
    /// The journal makes no sense.
    #[error("{0}; `tidegate run` would move this store aside")]
    Nonsense(#[from] Nonsense),
    /// The thread of the store ended before it was done.
    #[error("the store ended before all was written; look at it by `tidegate store check`")]
    Ended,
    /// The output ended.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

/// What a lane is called in commands and tables.
#[must_use]
pub const fn name_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Alert => "alerts",
        Lane::Gap => "gaps",
        Lane::Aggregate => "aggregates",
        Lane::Telemetry => "telemetry",
    }
}

/// What waits in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    rows: u64,
    /// Rows of which only place and count are left.
    thinned: u64,
    readings: u64,
    bytes: u64,
    /// First and last sequence.
    sequences: Option<(u64, u64)>,
    /// When the first and the last row were sealed.
    sealed: Option<(Timestamp, Timestamp)>,
}

impl Waiting {
    /// `at`: when it was sealed; of a row that was thinned this is not known any more.
    fn add(&mut self, row: &OutboxRow, at: Option<Timestamp>) {
        self.rows += 1;
        self.thinned += u64::from(row.is_thinned());
        self.readings += u64::from(row.readings);
        self.bytes += row.bytes.len() as u64;
        let sequence = row.sequence.0;
        self.sequences = Some((self.sequences.map_or(sequence, |(from, _)| from), sequence));
        if let Some(at) = at {
            self.sealed = Some((self.sealed.map_or(at, |(from, _)| from), at));
        }
    }
}

/// Writes a table of what waits, lane by lane.
///
/// # Errors
/// [`QueueError`] if the store cannot be read.
pub fn list(dir: &Path, out: &mut impl Write) -> Result<(), QueueError> {
    let store = Inspected::open(dir)?;
    let mut lanes = [Waiting::default(); LANES];
    store.for_each_row(|row| {
        let at = if row.is_thinned() {
            None
        } else {
            Some(
                Frame::read(&row.bytes)
                    .map_err(|source| bad_row(&row, source))?
                    .at,
            )
        };
        lanes[row.lane.index()].add(&row, at);
        Ok::<_, QueueError>(())
    })?;
    writeln!(
        out,
        "{:<11}{:>9}{:>9}{:>12}{:>14}  {:<24}sealed (UTC)",
        "lane", "rows", "thinned", "readings", "bytes", "sequences"
    )?;
    for lane in Lane::ALL {
        let waiting = lanes[lane.index()];
        let span = |ends: Option<(String, String)>| match ends {
            Some((from, to)) => format!("{from} to {to}"),
            None => "-".to_owned(),
        };
        writeln!(
            out,
            "{:<11}{:>9}{:>9}{:>12}{:>14}  {:<24}{}",
            name_of(lane),
            waiting.rows,
            waiting.thinned,
            waiting.readings,
            waiting.bytes,
            span(
                waiting
                    .sequences
                    .map(|(from, to)| (from.to_string(), to.to_string()))
            ),
            span(waiting.sealed.map(|(from, to)| (utc(from), utc(to)))),
        )?;
    }
    Ok(())
}

/// Decodes every row that waits; gives how many readings, summaries, alerts and gaps they hold.
///
/// # Errors
/// [`QueueError`] at the first row that is not sound.
pub fn verify(dir: &Path) -> Result<u64, QueueError> {
    let store = Inspected::open(dir)?;
    let mut items = 0;
    store.for_each_row(|row| {
        if row.is_thinned() {
            return Ok(());
        }
        let held = count_items(&row.bytes).map_err(|source| bad_row(&row, source))?;
        let said = u64::from(row.readings);
        if held != said {
            return Err(QueueError::Count {
                lane: row.lane,
                sequence: row.sequence.0,
                said,
                held,
            });
        }
        items += held;
        Ok(())
    })?;
    Ok(items)
}

/// Reads every page and every row; gives a line of what was found sound.
///
/// # Errors
/// [`QueueError`] with the first finding.
pub fn check(dir: &Path) -> Result<String, QueueError> {
    let store = Inspected::open(dir)?;
    store.check()?;
    let (chunks, checkpoints) = store.journal()?;
    drop(store);
    let items = verify(dir)?;
    Ok(format!(
        "sound: {chunks} chunks of journal, {} checkpoints, {items} items that wait",
        checkpoints.len()
    ))
}

/// Copies the store into the folder `to`, and checks the copy; gives its bytes.
///
/// # Errors
/// [`QueueError`] if it cannot be copied, or the copy is not sound.
pub fn back_up(dir: &Path, to: &Path) -> Result<u64, QueueError> {
    let bytes = Inspected::open(dir)?.back_up(to)?;
    check(to)?;
    Ok(bytes)
}

fn bad_row(row: &OutboxRow, source: Malformed) -> QueueError {
    QueueError::Row {
        lane: row.lane,
        sequence: row.sequence.0,
        source,
    }
}

/// Date and time of a moment, to the second; a moment before 1970 is shown as its milliseconds.
fn utc(at: Timestamp) -> String {
    u64::try_from(at.0).map_or_else(
        |_| at.0.to_string(),
        |ms| humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string(),
    )
}

#[cfg(test)]
mod tests;
