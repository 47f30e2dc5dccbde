//! What waits, for people and programs that do not speak the batch format.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use wire::{Alert, BatchReader, Gap, Row, SensorName, SummaryReader};

use super::{QueueError, bad_row};
use crate::form::json::{AlertJson, GapJson, ReadingJson, SummaryJson};
use crate::outbox::{Lane, OutboxRow};
use crate::store::Inspected;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values with a header (RFC 4180); readings only.
    Csv,
}

/// An item with the sequence of its row.
#[derive(Serialize)]
struct Line<T> {
    sequence: u64,
    #[serde(flatten)]
    item: T,
}

/// Writes what waits in a lane, in the order of forwarding.
///
/// # Errors
/// [`QueueError`] at the first row that is not sound, or if the output ends.
pub fn export(
    dir: &Path,
    lane: Lane,
    format: Format,
    out: &mut impl Write,
) -> Result<(), QueueError> {
    if format == Format::Csv {
        if lane != Lane::Telemetry {
            return Err(QueueError::NoTable { lane });
        }
        writeln!(
            out,
            "sequence,device,signal,unit,time,arrival,value,raw,quality,reasons\r"
        )?;
    }
    Inspected::open(dir)?.for_each_row(|row| {
        if row.lane == lane {
            write_row(&row, format, out)
        } else {
            Ok(())
        }
    })
}

fn write_row(row: &OutboxRow, format: Format, out: &mut impl Write) -> Result<(), QueueError> {
    let sound = |source| bad_row(row, source);
    let sequence = row.sequence.0;
    match row.lane {
        Lane::Telemetry => {
            for item in BatchReader::new(&row.bytes).map_err(sound)? {
                let (name, reading) = item.map_err(sound)?;
                match format {
                    Format::Ndjson => write_line(sequence, ReadingJson::new(name, &reading), out)?,
                    Format::Csv => write_csv(sequence, name, &reading, out)?,
                }
            }
            Ok(())
        }
        Lane::Aggregate => {
            for item in SummaryReader::new(&row.bytes).map_err(sound)? {
                let (name, summary) = item.map_err(sound)?;
                write_line(sequence, SummaryJson::new(name, &summary), out)?;
            }
            Ok(())
        }
        Lane::Alert => {
            let (gateway, alert) = Alert::read(&row.bytes).map_err(sound)?;
            write_line(sequence, AlertJson::new(gateway, &alert), out)
        }
        Lane::Gap => {
            let (gateway, gap) = Gap::read(&row.bytes).map_err(sound)?;
            write_line(sequence, GapJson::new(gateway, &gap), out)
        }
    }
}

fn write_line(sequence: u64, item: impl Serialize, out: &mut impl Write) -> Result<(), QueueError> {
    serde_json::to_writer(&mut *out, &Line { sequence, item }).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Names are levels of a topic that the mapping let through, so they are quoted to be sure.
fn write_csv(
    sequence: u64,
    name: SensorName<'_>,
    row: &Row,
    out: &mut impl Write,
) -> Result<(), QueueError> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let reasons: Vec<&str> = row.flags.reasons().names().collect();
    writeln!(
        out,
        "{sequence},{},{},{},{},{},{},{},{},{}\r",
        quoted(name.device),
        quoted(name.signal),
        quoted(name.unit),
        row.time.0,
        row.arrival.0,
        number(row.content.value()),
        number(row.content.raw()),
        row.flags.quality().name(),
        reasons.join("|"),
    )?;
    Ok(())
}
