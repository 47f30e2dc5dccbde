//! What waits, for people and programs that do not speak the batch format.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use wire::{Alert, BatchReader, Gap, Quality, Row, SensorName, Summary, SummaryReader};

use super::{QueueError, bad_row};
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

/// What all items have.
#[derive(Clone, Copy, Serialize)]
struct Origin<'a> {
    sequence: u64,
    device: &'a str,
    signal: &'a str,
    unit: &'a str,
}

#[derive(Serialize)]
struct ReadingLine<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    time: i64,
    arrival: i64,
    value: Option<f64>,
    raw: Option<f64>,
    quality: &'static str,
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    #[serde(flatten)]
    summary: SummaryNumbers,
}

#[derive(Serialize)]
struct SummaryNumbers {
    start: i64,
    length_ms: u32,
    n: u32,
    mean: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    ewma: Option<f64>,
    uncertain: u32,
    bad: u32,
    revision: u32,
    partial: bool,
}

#[derive(Serialize)]
struct AlertLine<'a> {
    #[serde(flatten)]
    origin: Origin<'a>,
    id: u64,
    rule: &'a str,
    state: &'static str,
    severity: wire::Severity,
    at: i64,
    since: i64,
    value: Option<f64>,
    limit: Option<f64>,
    why: &'a str,
}

#[derive(Serialize)]
struct GapLine {
    sequence: u64,
    #[serde(flatten)]
    gap: Gap,
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
                let line = reading_line(origin(sequence, name), &reading);
                match format {
                    Format::Ndjson => write_line(&line, out)?,
                    Format::Csv => write_csv(&line, out)?,
                }
            }
            Ok(())
        }
        Lane::Aggregate => {
            for item in SummaryReader::new(&row.bytes).map_err(sound)? {
                let (name, summary) = item.map_err(sound)?;
                let line = SummaryLine {
                    origin: origin(sequence, name),
                    summary: numbers(&summary),
                };
                write_line(&line, out)?;
            }
            Ok(())
        }
        Lane::Alert => {
            let (_, alert) = Alert::read(&row.bytes).map_err(sound)?;
            write_line(&alert_line(sequence, &alert), out)
        }
        Lane::Gap => {
            let (_, gap) = Gap::read(&row.bytes).map_err(sound)?;
            write_line(&GapLine { sequence, gap }, out)
        }
    }
}

fn origin(sequence: u64, name: SensorName<'_>) -> Origin<'_> {
    Origin {
        sequence,
        device: name.device,
        signal: name.signal,
        unit: name.unit,
    }
}

fn reading_line<'a>(origin: Origin<'a>, row: &Row) -> ReadingLine<'a> {
    ReadingLine {
        origin,
        time: row.time.0,
        arrival: row.arrival.0,
        value: row.content.value(),
        raw: row.content.raw(),
        quality: match row.flags.quality() {
            Quality::Good => "good",
            Quality::Uncertain => "uncertain",
            Quality::Bad => "bad",
        },
        reasons: row.flags.reasons().names().collect(),
    }
}

fn numbers(summary: &Summary) -> SummaryNumbers {
    let stats = summary.stats.as_ref();
    SummaryNumbers {
        start: summary.window.start.0,
        length_ms: summary.window.length_ms,
        n: summary.good(),
        mean: stats.map(|stats| stats.mean),
        min: stats.map(|stats| stats.min),
        max: stats.map(|stats| stats.max),
        ewma: summary.ewma,
        uncertain: summary.uncertain,
        bad: summary.bad,
        revision: summary.revision,
        partial: summary.partial,
    }
}

fn alert_line<'a>(sequence: u64, alert: &'a Alert<'a>) -> AlertLine<'a> {
    AlertLine {
        origin: origin(sequence, alert.name),
        id: alert.id,
        rule: alert.rule,
        state: alert.state.name(),
        severity: alert.severity,
        at: alert.at.0,
        since: alert.since.0,
        value: alert.value,
        limit: alert.limit,
        why: alert.why.as_str(),
    }
}

fn write_line(line: &impl Serialize, out: &mut impl Write) -> Result<(), QueueError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Names hold no comma and no quote: they are levels of a topic that the mapping let through, so they are quoted to be sure.
fn write_csv(line: &ReadingLine<'_>, out: &mut impl Write) -> Result<(), QueueError> {
    let Origin {
        sequence,
        device,
        signal,
        unit,
    } = line.origin;
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    writeln!(
        out,
        "{sequence},{},{},{},{},{},{},{},{},{}\r",
        quoted(device),
        quoted(signal),
        quoted(unit),
        line.time,
        line.arrival,
        number(line.value),
        number(line.raw),
        line.quality,
        line.reasons.join("|"),
    )?;
    Ok(())
}
