//! What waits, for people and programs that do not speak the batch format.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use wire::{Alert, BatchReader, Gap, SummaryReader};

use super::{QueueError, Selection, bad_row};
use crate::form::json::{AlertJson, GapJson, ReadingJson, SummaryJson};
use crate::outbox::{Lane, OutboxRow};
use crate::store::Inspected;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

/// An item with the sequence of its row.
#[derive(Serialize)]
struct Line<T> {
    sequence: u64,
    #[serde(flatten)]
    item: T,
}

/// The columns of each lane's table.
const fn columns(lane: Lane) -> &'static [&'static str] {
    match lane {
        Lane::Alert => &[
            "sequence", "device", "signal", "unit", "id", "rule", "state", "severity", "at",
            "since", "value", "limit", "why",
        ],
        Lane::Gap => &["sequence", "lane", "reason", "from", "to", "count", "at"],
        Lane::Aggregate => &[
            "sequence",
            "device",
            "signal",
            "unit",
            "kind",
            "start",
            "length_ms",
            "n",
            "mean",
            "stddev",
            "min",
            "max",
            "first",
            "last",
            "time_weighted_mean",
            "ewma",
            "uncertain",
            "bad",
            "revision",
            "partial",
        ],
        Lane::Telemetry => &[
            "sequence", "device", "signal", "unit", "time", "arrival", "value", "raw", "quality",
            "reasons",
        ],
    }
}

/// Writes what waits and is selected, in the order of forwarding.
///
/// # Errors
/// [`QueueError`] at the first row that is not sound, or if the output ends.
pub fn export(
    dir: &Path,
    selection: &Selection,
    format: Format,
    out: &mut impl Write,
) -> Result<(), QueueError> {
    let lane = selection.lane;
    if format == Format::Csv {
        writeln!(out, "{}\r", columns(lane).join(","))?;
    }
    let mut lines = Lines {
        selection,
        format,
        sequence: 0,
        out,
    };
    Inspected::open(dir)?.for_each_row(|row| {
        if row.lane == lane && !row.is_thinned() {
            lines.write_row(&row)
        } else {
            Ok(())
        }
    })
}

/// Where items go.
struct Lines<'o, W> {
    selection: &'o Selection,
    format: Format,
    sequence: u64,
    out: &'o mut W,
}

impl<W: Write> Lines<'_, W> {
    fn write_row(&mut self, row: &OutboxRow) -> Result<(), QueueError> {
        let sound = |source| bad_row(row, source);
        self.sequence = row.sequence.0;
        match row.lane {
            Lane::Telemetry => {
                for item in BatchReader::new(&row.bytes).map_err(sound)? {
                    let (name, reading) = item.map_err(sound)?;
                    if self.selection.has(name, reading.time) {
                        self.write(ReadingJson::new(name, &reading))?;
                    }
                }
                Ok(())
            }
            Lane::Aggregate => {
                for item in SummaryReader::new(&row.bytes).map_err(sound)? {
                    let (name, summary) = item.map_err(sound)?;
                    if self.selection.has(name, summary.window.start) {
                        self.write(SummaryJson::new(name, &summary))?;
                    }
                }
                Ok(())
            }
            Lane::Alert => {
                let (gateway, alert) = Alert::read(&row.bytes).map_err(sound)?;
                if self.selection.has(alert.name, alert.at) {
                    self.write(AlertJson::new(gateway, &alert))?;
                }
                Ok(())
            }
            Lane::Gap => {
                let (gateway, gap) = Gap::read(&row.bytes).map_err(sound)?;
                if self.selection.has_time(gap.at) {
                    self.write(GapJson::new(gateway, &gap))?;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, item: impl Serialize) -> Result<(), QueueError> {
        let sequence = self.sequence;
        let line = Line { sequence, item };
        match self.format {
            Format::Ndjson => {
                serde_json::to_writer(&mut *self.out, &line).map_err(std::io::Error::from)?;
                writeln!(self.out)?;
            }
            Format::Csv => {
                let fields = serde_json::to_value(&line).map_err(std::io::Error::from)?;
                let cells = columns(self.selection.lane)
                    .iter()
                    .map(|column| cell(&fields[*column]));
                writeln!(self.out, "{}\r", cells.collect::<Vec<_>>().join(","))?;
            }
        }
        Ok(())
    }
}

/// Texts are quoted, for a name may hold a comma (RFC 4180); several are joined by |; what is not there is empty.
fn cell(field: &Value) -> String {
    match field {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::Array(texts) => {
            let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            texts.join("|")
        }
        other => other.to_string(),
    }
}
