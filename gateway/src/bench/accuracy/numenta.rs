//! The detectors on the Numenta Anomaly Benchmark.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pipeline::detect::{Detector, FULL_BLOCKS, Finding, Lite, STANDARD_BLOCKS};
use wire::Timestamp;

use super::nab::{Labels, PROFILES, Profile, Score};
use super::series::{Series, parse_time};
use super::{AccuracyError, Outlets, told};
use crate::bench::plots::{self, Alarms, Axis, Below, Known, Subject};

/// How keen the detectors are made where the limit is chosen on one half of the files: from twice as keen to half as keen.
const CALMS: [f32; 13] = [
    0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.4,
];
/// The detectors of the scoreboard that say something here, over all 58 files of the benchmark, and what they know in advance.
const PUBLISHED: [(&str, [f64; 3]); 5] = [
    ("ARTime (knows range and length)", [74.9, 65.2, 80.4]),
    ("Numenta HTM (knows the range)", [70.1, 63.2, 74.3]),
    ("CAD OSE (knows the range)", [69.9, 67.0, 73.2]),
    ("KNN-CAD", [58.0, 43.4, 64.8]),
    ("Random Cut Forest", [51.7, 38.4, 59.8]),
];

/// A file with its labels.
struct Labelled {
    name: String,
    series: Series,
    windows: Vec<(usize, usize)>,
    labels: Labels,
}

/// A detector of one kind, on one file.
type Run = fn(&Series, f32) -> Vec<Finding>;

const KINDS: [(&str, Run, usize); 3] = [
    ("lite", run_lite, size_of::<Lite>()),
    (
        "standard",
        run_full::<STANDARD_BLOCKS>,
        size_of::<Detector<STANDARD_BLOCKS>>(),
    ),
    (
        "full",
        run_full::<FULL_BLOCKS>,
        size_of::<Detector<FULL_BLOCKS>>(),
    ),
];

pub(super) fn run(folder: &Path, outlets: Outlets<'_>) -> Result<String, AccuracyError> {
    let files = read_all(folder)?;
    let mut text = format!(
        "NAB: {} of 58 files, {} windows; the limit is fixed, no file is known in advance\n{:<34} {:>8} {:>8} {:>8} {:>9} {:>7}\n",
        files.len(),
        files.iter().map(|file| file.windows.len()).sum::<usize>(),
        "detector",
        "standard",
        "low FP",
        "low FN",
        "hits",
        "false"
    );
    for (kind, run, bytes) in KINDS {
        let alarms = alarms_of_all(&files, run, 1.0);
        write_line(
            &mut text,
            &format!("{kind}, {bytes} bytes"),
            &files,
            &alarms,
        );
        write_scores(&files, kind, run, outlets)?;
    }
    for file in &files {
        outlets.write_plot(&format!("nab/{}", file.name), || {
            plots::draw(&subject(file))
        })?;
    }
    let every = |step: fn(usize) -> usize| -> Vec<Vec<usize>> {
        let rows = files.iter().map(|file| file.series.times.len());
        rows.map(|rows| (0..rows).step_by(step(rows).max(1)).collect())
            .collect()
    };
    write_line(
        &mut text,
        "metronome, every 5 % of the rows",
        &files,
        &every(|rows| rows / 20),
    );
    write_line(&mut text, "always alarm", &files, &every(|_| 1));
    for (name, [standard, low_fp, low_fn]) in PUBLISHED {
        let _ = writeln!(
            text,
            "{name:<34} {standard:>8.1} {low_fp:>8.1} {low_fn:>8.1}   published, all 58 files"
        );
    }
    for (kind, run, _) in KINDS {
        text += &split(&files, kind, run);
    }
    Ok(text)
}

fn read_all(folder: &Path) -> Result<Vec<Labelled>, AccuracyError> {
    let path = folder.join("combined_windows.json");
    let text = fs::read_to_string(&path).map_err(|source| AccuracyError::read(&path, source))?;
    let labels: BTreeMap<String, Vec<[String; 2]>> =
        serde_json::from_str(&text).map_err(|error| AccuracyError::Labels {
            path: path.clone(),
            what: error.to_string(),
        })?;
    let mut files = Vec::new();
    for (name, windows) in labels {
        let file = folder.join("data").join(&name);
        if !file.is_file() {
            continue;
        }
        let series = Series::read(&file)?;
        let row_of = |stamp: &String| {
            let time = parse_time(stamp);
            series.times.iter().position(|row| Some(*row) == time)
        };
        let windows: Option<Vec<_>> = windows
            .iter()
            .map(|[first, last]| row_of(first).zip(row_of(last)))
            .collect();
        let what = format!("a window of {name} begins or ends in none of its rows");
        let windows = windows.ok_or(AccuracyError::Labels {
            path: path.clone(),
            what,
        })?;
        files.push(Labelled {
            labels: Labels::new(series.times.len(), &windows),
            name,
            series,
            windows,
        });
    }
    Ok(files)
}

fn run_lite(series: &Series, calm: f32) -> Vec<Finding> {
    let mut detector = Lite::default();
    let rows = series.times.iter().zip(&series.rows);
    rows.map(|(time, row)| detector.push(Timestamp(*time), row[0], calm))
        .collect()
}

fn run_full<const M: usize>(series: &Series, calm: f32) -> Vec<Finding> {
    let mut detector = Box::new(Detector::<M>::default());
    let rows = series.times.iter().zip(&series.rows);
    rows.map(|(time, row)| detector.push(Timestamp(*time), row[0], calm))
        .collect()
}

fn alarms_of(findings: &[Finding]) -> Vec<usize> {
    (0..findings.len())
        .filter(|row| findings[*row].is_alarm)
        .collect()
}

fn alarms_of_all(files: &[Labelled], run: Run, calm: f32) -> Vec<Vec<usize>> {
    files
        .iter()
        .map(|file| alarms_of(&run(&file.series, calm)))
        .collect()
}

/// The score over the files of which `is_in` says so.
fn score(
    files: &[Labelled],
    alarms: &[Vec<usize>],
    profile: Profile,
    is_in: impl Fn(usize) -> bool,
) -> Score {
    let chosen = files
        .iter()
        .zip(alarms)
        .enumerate()
        .filter(|(nth, _)| is_in(*nth));
    chosen
        .map(|(_, (file, alarms))| file.labels.score(profile, alarms.iter().copied()))
        .sum()
}

fn write_line(text: &mut String, name: &str, files: &[Labelled], alarms: &[Vec<usize>]) {
    let [standard, low_fp, low_fn] =
        PROFILES.map(|profile| score(files, alarms, profile, |_| true));
    let _ = writeln!(
        text,
        "{name:<34} {:>8.1} {:>8.1} {:>8.1} {:>5}/{:<3} {:>7}",
        standard.normalised(),
        low_fp.normalised(),
        low_fn.normalised(),
        standard.hits,
        standard.windows,
        standard.false_alarms
    );
}

/// The limit is chosen on every other file, and the others are scored by it, and the other way round.
fn split(files: &[Labelled], kind: &str, run: Run) -> String {
    let runs: Vec<_> = CALMS
        .iter()
        .map(|calm| alarms_of_all(files, run, *calm))
        .collect();
    let standard = PROFILES[0];
    let held_out = |half: usize| {
        let at_best = runs.iter().max_by(|a, b| {
            let chosen = |run: &[Vec<usize>]| {
                score(files, run, standard, |nth| nth % 2 != half).normalised()
            };
            chosen(a).total_cmp(&chosen(b))
        });
        at_best
            .map(|run| score(files, run, standard, |nth| nth % 2 == half))
            .unwrap_or_default()
    };
    let (even, odd) = (held_out(0), held_out(1));
    format!(
        "{kind:<9} limit chosen on one half, scored on the other: {:.1} and {:.1}, together {:.1}\n",
        even.normalised(),
        odd.normalised(),
        [even, odd].into_iter().sum::<Score>().normalised()
    )
}

fn write_scores(
    files: &[Labelled],
    kind: &str,
    run: Run,
    outlets: Outlets<'_>,
) -> Result<(), AccuracyError> {
    if outlets.scores.is_none() {
        return Ok(());
    }
    for file in files {
        let findings = run(&file.series, 1.0);
        let scores = findings
            .iter()
            .map(|found| told(found.score.into(), found.limit.into(), found.is_alarm));
        let stamps = file.series.stamps.iter().map(String::as_str);
        outlets.write_scores(&format!("nab/{kind}/{}", file.name), stamps.zip(scores))?;
    }
    Ok(())
}

/// What is drawn of a file: the findings of the full detector, and the alarms of all.
fn subject(file: &Labelled) -> Subject<'_> {
    let (mut alarms, mut below, mut told) = (Vec::new(), None, Vec::new());
    for (kind, run, _) in KINDS.into_iter().rev() {
        let findings = run(&file.series, 1.0);
        let found = alarms_of(&findings);
        let score = file.labels.score(PROFILES[0], found.iter().copied());
        told.push(format!(
            "{kind} {} of {} windows, {} false alarms{}",
            score.hits,
            score.windows,
            score.false_alarms,
            if score.windows > 0 {
                format!(", standard score {:.1}", score.normalised())
            } else {
                String::new()
            }
        ));
        // What a detector says while it learns is not scored.
        let scored: Vec<usize> = found
            .into_iter()
            .filter(|row| file.labels.is_scored(*row))
            .collect();
        alarms.push(Alarms::new(kind, &scored, &file.windows, 0));
        below.get_or_insert_with(|| {
            let rows = findings
                .iter()
                .map(|it| (f64::from(it.score), f64::from(it.limit)));
            Below::score("detector full", &file.series.times, rows)
        });
    }
    Subject {
        title: format!("nab/{}", file.name),
        scores: vec![told.join("; ")],
        axis: Axis::Time,
        times: &file.series.times,
        signals: vec![("value".into(), file.series.column(0))],
        known: Known::default(),
        truth: None,
        labels: ("labelled", &file.windows),
        alarms,
        below,
    }
}
