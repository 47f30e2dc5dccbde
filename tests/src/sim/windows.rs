//! What the summaries of a sensor must say, by the definitions of the pipeline's paper on windows, from all its values at
//! hand.

use std::collections::BTreeMap;

use pipeline::config::SensorConfig;
use wire::{Quality, Row, Stats, Summary, WindowKind};

use super::marks::Marks;

/// Largest difference that a number may have, relative to the largest value.
const TOLERANCE: f64 = 1e-9;

/// A window: is it one that slides, its length in ms, its begin.
type Key = (bool, u32, i64);

/// A kind of windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) is_sliding: bool,
    pub(super) length_ms: u32,
    /// From the begin of one to that of the next.
    pub(super) hop_ms: u32,
}

/// The kinds of windows that a sensor has.
pub(super) fn shapes(config: &SensorConfig) -> impl Iterator<Item = Shape> + Clone {
    let tumbling = config.tumbling_ms.map(|ms| Shape {
        is_sliding: false,
        length_ms: ms,
        hop_ms: ms,
    });
    let sliding = config.sliding.map(|it| Shape {
        is_sliding: true,
        length_ms: it.window_ms,
        hop_ms: it.hop_ms,
    });
    tumbling.into_iter().chain(sliding)
}

/// Every window of a sensor whose times never went back says what its readings say.
///
/// # Errors
/// The first one that does not.
pub fn check(
    rows: &[Row],
    summaries: &[Summary],
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    if !rows.is_sorted_by_key(|row| row.time) {
        return Ok(());
    }
    let mut told: BTreeMap<Key, &Summary> = BTreeMap::new();
    for summary in summaries {
        marks.add("summary-revised", u64::from(summary.revision > 0));
        marks.add("summary-partial", u64::from(summary.partial));
        let window = summary.window;
        let is_sliding = window.kind == WindowKind::Sliding;
        let key = (is_sliding, window.length_ms, window.start.0);
        let before = told.insert(key, summary);
        if before.is_some_and(|before| before.revision >= summary.revision) {
            return Err(format!("{key:?} was told twice: {before:?}, {summary:?}"));
        }
    }
    let expected = gather(rows, config);
    if !told.keys().eq(expected.keys()) {
        let (told, expected) = (told.keys().collect::<Vec<_>>(), expected.keys());
        return Err(format!("windows {told:?} were told of {expected:?}"));
    }
    for (key, rows) in &expected {
        marks.hit("summary");
        compare(told[key], rows, config, true).map_err(|why| format!("window {key:?}: {why}"))?;
    }
    Ok(())
}

fn gather<'r>(rows: &'r [Row], config: &SensorConfig) -> BTreeMap<Key, Vec<&'r Row>> {
    let mut windows: BTreeMap<Key, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        for shape in shapes(config) {
            let hop = i64::from(shape.hop_ms);
            let mut begin = row.time.0.div_euclid(hop) * hop;
            while begin > row.time.0 - i64::from(shape.length_ms) {
                let key = (shape.is_sliding, shape.length_ms, begin);
                windows.entry(key).or_default().push(row);
                begin -= hop;
            }
        }
    }
    windows
}

/// Whether a summary says what its readings say. `is_whole`: their times are by one clock, so that the time between them can be told.
///
/// # Errors
/// What it does not.
pub(super) fn compare(
    summary: &Summary,
    rows: &[&Row],
    config: &SensorConfig,
    is_whole: bool,
) -> Result<(), String> {
    let count = |quality| {
        rows.iter()
            .filter(|row| row.flags.quality() == quality)
            .count()
    };
    let counts = (count(Quality::Bad), count(Quality::Uncertain));
    if (summary.bad as usize, summary.uncertain as usize) != counts {
        return Err(format!(
            "bad and uncertain are {counts:?}, told {summary:?}"
        ));
    }
    let usable = rows
        .iter()
        .filter(|row| row.flags.quality() != Quality::Bad);
    let values: Vec<(i64, f64)> = usable
        .filter_map(|row| Some((row.time.0, row.content.value()?)))
        .collect();
    let Some(stats) = summary.stats else {
        return if values.is_empty() {
            Ok(())
        } else {
            Err(format!("no statistics of {values:?}"))
        };
    };
    if stats.n as usize != values.len() {
        return Err(format!("n is {}, not {}", stats.n, values.len()));
    }
    let untimed = if is_whole { 0 } else { TIMED };
    let numbers = numbers(&stats, &values, config.gap_ms_max);
    for (what, told, expected, size) in numbers.into_iter().rev().skip(untimed) {
        // Not a number is within no distance.
        let is_near = (told - expected).abs() <= TOLERANCE * size;
        if !is_near {
            return Err(format!("{what} is {told}, not {expected}, of {values:?}"));
        }
    }
    Ok(())
}

/// How many of the numbers, from the last one on, are about the time between the values.
const TIMED: usize = 2;

/// Each number: its name, what was told, what it is by definition, and the size against which a difference is held.
fn numbers(
    stats: &Stats,
    values: &[(i64, f64)],
    gap_ms_max: u32,
) -> [(&'static str, f64, f64, f64); 8] {
    let n = values.len() as f64;
    let only = values.iter().map(|(_, value)| *value);
    let mean = only.clone().sum::<f64>() / n;
    let (mut integral, mut covered) = (0.0, 0);
    for pair in values.windows(2) {
        let step = pair[1].0 - pair[0].0;
        if step <= i64::from(gap_ms_max) {
            integral += f64::midpoint(pair[0].1, pair[1].1) * step as f64;
            covered += step;
        }
    }
    let (min, max) = (only.clone().reduce(f64::min), only.clone().reduce(f64::max));
    let largest = only
        .clone()
        .fold(1.0, |largest: f64, it| largest.max(it.abs()));
    let squares: f64 = only.map(|value| (value - mean) * (value - mean)).sum();
    [
        ("mean", stats.mean, mean, largest),
        ("squares", stats.m2, squares, largest * largest * n),
        ("min", stats.min, min.unwrap_or(f64::NAN), largest),
        ("max", stats.max, max.unwrap_or(f64::NAN), largest),
        ("first", stats.first, values[0].1, largest),
        ("last", stats.last, values[values.len() - 1].1, largest),
        (
            "integral",
            stats.integral,
            integral,
            largest * covered.max(1) as f64,
        ),
        ("covered", f64::from(stats.covered_ms), covered as f64, 1.0),
    ]
}
