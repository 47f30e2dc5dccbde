//! Each signal alone, on files whose events are labelled: found or not, how late, and how many false alarms.

use core::fmt::Write;
use std::path::Path;

use pipeline::detect::{Detector, FULL_BLOCKS};
use wire::Timestamp;

use super::series::{Series, csv_files};
use super::{AccuracyError, Outlets, told};
use crate::bench::plots::{self, Alarms, Axis, Below, Known, Subject};
use crate::bench::runs::runs;

/// Labelled rows with fewer others between them are one event, and alarms that are nearer are one alarm.
const GAP_ROWS: usize = 60;
/// An alarm this many rows behind an event has still found it.
const GRACE_ROWS: usize = 60;
/// The first rows are not scored.
const LEARNING_ROWS: usize = 300;

/// What the alarms came to.
#[derive(Clone, Debug, Default)]
struct Count {
    events: usize,
    delays: Vec<usize>,
    false_alarms: usize,
    healthy_rows: usize,
}

impl Count {
    fn add(&mut self, labels: &[f64], alarms: &[usize]) {
        let events = joined(runs(labels.iter().map(|label| *label >= 0.5)));
        let found = |(first, last): &(usize, usize)| {
            alarms
                .iter()
                .find(|row| (*first..=last + GRACE_ROWS).contains(row))
                .map(|row| row - first)
        };
        let is_false = |row: &&usize| {
            !events
                .iter()
                .any(|(first, last)| (*first..=last + GRACE_ROWS).contains(row))
        };
        self.events += events.len();
        self.delays.extend(events.iter().filter_map(found));
        self.false_alarms += alarms.iter().filter(is_false).count();
        self.healthy_rows += labels
            .iter()
            .skip(LEARNING_ROWS)
            .filter(|label| **label < 0.5)
            .count();
    }

    fn write(&mut self, text: &mut String, name: &str) {
        self.delays.sort_unstable();
        let middle = self.delays.get(self.delays.len() / 2);
        let delay = middle.map_or("-".to_owned(), usize::to_string);
        let rate = 1e4 * self.false_alarms as f64 / self.healthy_rows.max(1) as f64;
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<34} {}/{} events, median delay {delay} rows, {} false alarms ({rate:.1} in 10 000 healthy rows)",
            self.delays.len(),
            self.events,
            self.false_alarms
        );
    }
}

pub(super) fn run(folder: &Path, outlets: Outlets<'_>) -> Result<String, AccuracyError> {
    let set = folder.file_name().unwrap_or_default().to_string_lossy();
    let (mut ours, mut metronome, mut files) = (Count::default(), Count::default(), 0);
    for path in csv_files(folder)? {
        let series = Series::read(&path)?;
        let signals = series.columns.len() - 1;
        let labels = series.column(signals);
        let scores = detect(&series, signals);
        let alarms = apart(&scores);
        ours.add(&labels, &alarms);
        let rows = series.times.len();
        let beats: Vec<usize> = (LEARNING_ROWS..rows).step_by((rows / 20).max(1)).collect();
        metronome.add(&labels, &beats);
        files += 1;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        tell(&format!("{set}/{file}"), &series, &scores, &alarms, outlets)?;
    }
    let mut text = format!("{set}: {files} files, each signal alone, detector full\n");
    ours.write(&mut text, "full");
    metronome.write(&mut text, "metronome, every 5 % of the rows");
    Ok(text)
}

fn tell(
    name: &str,
    series: &Series,
    scores: &[f64],
    alarms: &[usize],
    outlets: Outlets<'_>,
) -> Result<(), AccuracyError> {
    let stamps = series.stamps.iter().map(String::as_str);
    outlets.write_scores(name, stamps.zip(scores.iter().copied()))?;
    outlets.write_plot(name, || {
        let signals = series.columns.len() - 1;
        let events = joined(series.labelled(signals));
        let found = Alarms::new("full", alarms, &events, GRACE_ROWS);
        let is_found = |(first, last): &&(usize, usize)| {
            found
                .hits
                .iter()
                .any(|row| (*first..=last + GRACE_ROWS).contains(row))
        };
        let sum = format!(
            "each signal alone, detector full: {} of {} events found, {} false alarms",
            events.iter().filter(is_found).count(),
            events.len(),
            found.misses.len()
        );
        plots::draw(&Subject {
            title: name.to_owned(),
            scores: vec![sum],
            axis: Axis::Time,
            times: &series.times,
            signals: series.signals(signals),
            known: Known::default(),
            truth: None,
            labels: ("labelled", &events),
            alarms: vec![found],
            below: Some(Below::score(
                "the largest score",
                &series.times,
                scores.iter().map(|score| (*score, 1.0)),
            )),
        })
    })
}

/// The largest score of each row, 1 for an alarm of any signal.
fn detect(series: &Series, signals: usize) -> Vec<f64> {
    let mut scores = vec![0.0f64; series.times.len()];
    for signal in 0..signals {
        let mut detector = Box::new(Detector::<FULL_BLOCKS>::default());
        for ((time, row), score) in series.times.iter().zip(&series.rows).zip(&mut scores) {
            if row[signal].is_finite() {
                let found = detector.push(Timestamp(*time), row[signal], 1.0);
                *score = score.max(told(found.score.into(), found.limit.into(), found.is_alarm));
            }
        }
    }
    scores
}

/// Rows with an alarm that is more than a rise of one that goes on.
fn apart(scores: &[f64]) -> Vec<usize> {
    let mut alarms: Vec<usize> = Vec::new();
    for row in LEARNING_ROWS..scores.len() {
        let is_new =
            scores[row - 1] < 1.0 || alarms.last().is_some_and(|last| row - last > GAP_ROWS);
        if scores[row] >= 1.0 && is_new {
            alarms.push(row);
        }
    }
    alarms
}

fn joined(runs: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut events: Vec<(usize, usize)> = Vec::new();
    for (first, last) in runs {
        match events.last_mut() {
            Some(event) if first - event.1 <= GAP_ROWS => event.1 = last,
            _ => events.push((first, last)),
        }
    }
    events
}
