//! `sensor-sim replay`: one device that says what a CSV or NDJSON file says.

use std::fs;

use anyhow::{Context, Result, ensure};
use sensor_sim::limits::SIGNALS_MAX;
use sensor_sim::profile::is_name;
use sensor_sim::recording::{Layout, Object, Objects, Recording, read_objects};
use sensor_sim::truth::write_label;

use crate::cli::{Replay, Speed};
use crate::feed::Feed;
use crate::fleet::{Entry, Fleet, Plan};
use crate::player::{Played, Player};
use crate::publish::{finish, topic_of, transport};
use crate::score::{labels_of_set, skab_layout};

/// Replays, and gives the exit code.
pub(crate) fn replay(options: &Replay) -> Result<u8> {
    let file = options.file.display();
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {file}"))?;
    let layout = layout(options, &text);
    let (signals, rows) = rows(options, &text, &layout).with_context(|| file.to_string())?;
    let joins_signals = !options.topic.contains("{signal}");
    ensure!(
        is_name(&options.device),
        "{:?} can't be a level of a topic",
        options.device
    );
    ensure!(
        !joins_signals || signals.len() <= SIGNALS_MAX,
        "a message has at most {SIGNALS_MAX} values; choose --columns"
    );
    ensure!(!rows.is_empty(), "{file} has no rows");

    let plan = Plan {
        transport: transport(&options.mqtt, options.speed == Speed::Acknowledged)?,
        devices: 1,
        // It ends with its last row.
        duration_us: u64::MAX / 4,
        seed: 0,
        ledger: options.mqtt.ledger.as_deref(),
        labels: None,
    };
    let mut fleet = Fleet::prepare(&plan)?;
    let shift_ms = if options.shift == "now" {
        shift_ms(&rows, options.speed, fleet.start())
    } else {
        0
    };
    write_labels(options, shift_ms)?;
    let speed = if let Speed::Times(speed) = options.speed {
        speed
    } else {
        1.0
    };
    let player = Player::new(rows, signals.clone(), joins_signals, speed, shift_ms);
    fleet.add(
        entry(options, signals, joins_signals),
        Feed::Recording(Box::new(player)),
    );
    let (figures, seconds) = fleet.go()?;
    finish(&figures, seconds, &options.mqtt)
}

/// Signals and rows of the file. JSON is known by the brace that it begins with: no table's first name has one.
fn rows(options: &Replay, text: &str, layout: &Layout) -> Result<(Vec<String>, Vec<Played>)> {
    let rows_max = options.rows.unwrap_or(usize::MAX);
    if text.trim_start().starts_with('{') {
        let Objects { signals, rows } = read_objects(text, layout, rows_max)?;
        let rows = rows
            .into_iter()
            .map(|Object { time, cells }| Played { time, cells });
        return Ok((signals, rows.collect()));
    }
    let recording = Recording::new(text, layout)?;
    let signals = recording.signals().to_vec();
    let rows = recording.take(rows_max).map(|row| {
        let row = row?;
        Ok(Played {
            time: row.time,
            cells: row
                .cells
                .into_iter()
                .map(|cell| Some(cell.to_owned()))
                .collect(),
        })
    });
    Ok((signals, rows.collect::<Result<_>>()?))
}

/// How the file is read: as the command line says, or in SKAB's form without its two columns of labels.
fn layout(options: &Replay, text: &str) -> Layout {
    let columns = options.columns.clone();
    if !options.marks.skab {
        return Layout {
            delimiter: options.delimiter,
            time_column: options.time_column.clone(),
            columns,
        };
    }
    let mut layout = skab_layout();
    let head = text.lines().next().unwrap_or_default();
    let names = head.split(layout.delimiter).map(str::trim);
    let is_value =
        |name: &&str| ![layout.time_column.as_str(), "anomaly", "changepoint"].contains(name);
    layout.columns = if columns.is_empty() {
        names.filter(is_value).map(str::to_owned).collect()
    } else {
        columns
    };
    layout
}

fn write_labels(options: &Replay, shift_ms: i64) -> Result<()> {
    let Some(path) = &options.labels else {
        return Ok(());
    };
    ensure!(
        options.marks.skab || options.marks.nab.is_some(),
        "--labels needs --nab or --skab: other files have none"
    );
    let cannot = || format!("cannot write the labels to {}", path.display());
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let mut out = file.with_context(cannot)?;
    for mut label in labels_of_set(&options.marks, &options.file, &options.device)? {
        label.from_ms += shift_ms;
        label.until_ms += shift_ms;
        write_label(&mut out, &label).with_context(cannot)?;
    }
    Ok(())
}

/// At real speed the first row is now. Faster, the last one is: no row may lie in the future.
fn shift_ms(rows: &[Played], speed: Speed, now: i64) -> i64 {
    let row = if speed == Speed::Times(1.0) {
        rows.first()
    } else {
        rows.iter().max_by_key(|row| row.time)
    };
    now - row.map_or(now, |row| row.time)
}

fn entry(options: &Replay, signals: Vec<String>, joins_signals: bool) -> Entry {
    let topic = |signal: &str| topic_of(&options.topic, &options.device, signal);
    let streams = if joins_signals {
        vec![(topic(""), signals)]
    } else {
        signals
            .into_iter()
            .map(|signal| (topic(&signal), vec![signal]))
            .collect()
    };
    Entry {
        name: options.device.clone(),
        streams,
        edge: None,
    }
}
