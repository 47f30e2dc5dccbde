//! Signals judged together, on the pump rig of the Skoltech Anomaly Benchmark.

use core::fmt::Write;
use std::path::{Path, PathBuf};

use pipeline::detect::{Course, Departure, Together};

use super::series::{Series, csv_files};
use super::skab::{Judged, LEARNING_ROWS, Score};
use super::{AccuracyError, Outlets, told};
use crate::bench::plots::{self, Alarms, Axis, Below, Known, Subject};

/// Entries of the benchmark's leaderboard: F1, false and missed alarm rate, change points.
const PUBLISHED: [(&str, [f64; 4]); 4] = [
    ("Conv-AE (sees 59 s ahead)", [0.78, 13.6, 28.0, 23.6]),
    ("MSET (sees 30 s ahead)", [0.78, 39.7, 14.1, 13.8]),
    ("T-squared and Q", [0.76, 26.6, 24.9, 25.4]),
    ("LSTM-AE", [0.74, 30.0, 25.9, 23.5]),
];

pub(super) fn run(folder: &Path, outlets: Outlets<'_>) -> Result<String, AccuracyError> {
    let (mut ours, mut always, mut clock) = (Score::default(), Score::default(), Score::default());
    let paths: Vec<PathBuf> = csv_files(folder)?
        .into_iter()
        .filter(|path| !path.ends_with("anomaly-free.csv"))
        .collect();
    for path in &paths {
        let series = Series::read(path)?;
        let departures = depart(&series);
        let mut judged = judge(&series, &departures);
        let rows = series.times.len();
        ours.add(&judged);
        tell(folder, path, &series, &departures, outlets)?;
        judged.is_alarm.fill(true);
        always.add(&judged);
        judged.is_alarm = (LEARNING_ROWS..rows)
            .map(|row| (rows / 2..rows * 85 / 100).contains(&row))
            .collect();
        clock.add(&judged);
    }
    let mut text = format!(
        "SKAB: {} of 34 files, {} signals together, {} bytes; the limit is learned from the first {LEARNING_ROWS} rows\n{:<34} {:>6} {:>6} {:>6} {:>8} {:>7} {:>7}\n",
        paths.len(),
        8,
        size_of::<Together>(),
        "detector",
        "F1",
        "FAR %",
        "MAR %",
        "changes",
        "low FP",
        "low FN"
    );
    for (name, score) in [
        ("together", ours),
        ("always alarm", always),
        ("rows 50 to 85 % of each file", clock),
    ] {
        let [standard, low_fp, low_fn] = score.changes();
        let (f1, far, mar) = (
            score.f1(),
            score.false_alarm_rate(),
            score.missed_alarm_rate(),
        );
        let _ = writeln!(
            text,
            "{name:<34} {f1:>6.3} {far:>6.1} {mar:>6.1} {standard:>8.1} {low_fp:>7.1} {low_fn:>7.1}"
        );
    }
    for (name, [f1, far, mar, changes]) in PUBLISHED {
        let _ = writeln!(
            text,
            "{name:<34} {f1:>6.2} {far:>6.1} {mar:>6.1} {changes:>8.1}   published, all 34 files"
        );
    }
    Ok(text)
}

/// How many columns are signals: all but the two labels at the end.
fn signals(series: &Series) -> usize {
    series.columns.len() - 2
}

fn depart(series: &Series) -> Vec<Departure> {
    let mut together = Together::new(Course::STEADY);
    series
        .rows
        .iter()
        .map(|row| together.push(&row[..signals(series)]))
        .collect()
}

fn judge(series: &Series, departures: &[Departure]) -> Judged {
    let [anomaly, change] =
        [signals(series), signals(series) + 1].map(|column| series.column(column));
    Judged {
        times: series.times[LEARNING_ROWS..].to_vec(),
        is_anomaly: anomaly[LEARNING_ROWS..]
            .iter()
            .map(|label| *label >= 0.5)
            .collect(),
        is_change: change[LEARNING_ROWS..]
            .iter()
            .map(|label| *label >= 0.5)
            .collect(),
        is_alarm: departures[LEARNING_ROWS..]
            .iter()
            .map(|row| row.score() >= 1.0)
            .collect(),
    }
}

fn tell(
    folder: &Path,
    path: &Path,
    series: &Series,
    departures: &[Departure],
    outlets: Outlets<'_>,
) -> Result<(), AccuracyError> {
    let name = format!(
        "skab/{}",
        path.strip_prefix(folder).unwrap_or(path).display()
    );
    let scores = departures
        .iter()
        .map(|row| told(row.size, row.limit, row.score() >= 1.0));
    outlets.write_scores(&name, series.stamps.iter().map(String::as_str).zip(scores))?;
    outlets.write_plot(&name, || {
        let labels = series.labelled(signals(series));
        plots::draw(&subject(&name, series, departures, &labels))
    })
}

fn subject<'a>(
    name: &str,
    series: &'a Series,
    departures: &[Departure],
    labels: &'a [(usize, usize)],
) -> Subject<'a> {
    let mut score = Score::default();
    score.add(&judge(series, departures));
    let rows = LEARNING_ROWS..departures.len();
    let alarms: Vec<usize> = rows.filter(|row| departures[*row].score() >= 1.0).collect();
    Subject {
        title: name.to_owned(),
        scores: vec![format!(
            "signals judged together: F1 {:.3}, false alarms {:.1} %, missed {:.1} % of the rows behind the first {LEARNING_ROWS}",
            score.f1(),
            score.false_alarm_rate(),
            score.missed_alarm_rate()
        )],
        axis: Axis::Time,
        times: &series.times,
        signals: series.signals(signals(series)),
        known: Known::default(),
        truth: None,
        labels: ("labelled", labels),
        alarms: vec![Alarms::new("together", &alarms, labels, 0)],
        below: Some(Below::score(
            "departure of all together",
            &series.times,
            departures.iter().map(|row| (row.size, row.limit)),
        )),
    }
}
