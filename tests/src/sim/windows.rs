//! What the summaries of a sensor must say, by the definitions of the pipeline's paper on windows, from all its values at
//! hand.

use std::collections::BTreeMap;

use pipeline::config::SensorConfig;
use wire::{Quality, Reasons, Row, Stats, Summary, WindowKind};

use super::marks::Marks;

/// Largest difference that a number may have, relative to the largest value.
const TOLERANCE: f64 = 1e-9;

/// A window: is it one that slides, its length in ms, its begin.
type Key = (bool, u32, i64);

/// Every window of a sensor whose times never went back says what its readings say. Where a clock that was not set gave the times,
/// reading and window may have gone to Kafka on either side of its setting, and windows have begun at any time.
///
/// # Errors
/// The first one that does not.
pub fn check(
    rows: &[Row],
    summaries: &[Summary],
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    let is_placed = |row: &Row| {
        let reasons = row.flags.reasons();
        reasons.meets(Reasons::CLOCK_UNSYNCED | Reasons::CLOCK_REPAIRED)
            && reasons.meets(Reasons::TIME_OF_GATEWAY)
    };
    if !rows.is_sorted_by_key(|row| row.time) || rows.iter().any(is_placed) {
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
        compare(told[key], rows, config).map_err(|why| format!("window {key:?}: {why}"))?;
    }
    Ok(())
}

fn gather<'r>(rows: &'r [Row], config: &SensorConfig) -> BTreeMap<Key, Vec<&'r Row>> {
    let mut windows: BTreeMap<Key, Vec<&Row>> = BTreeMap::new();
    let tumbling = config.tumbling_ms.map(|ms| (false, ms, ms));
    let sliding = config.sliding.map(|it| (true, it.window_ms, it.hop_ms));
    for row in rows {
        for (is_sliding, length_ms, hop_ms) in tumbling.into_iter().chain(sliding) {
            let hop = i64::from(hop_ms);
            let mut begin = row.time.0.div_euclid(hop) * hop;
            while begin > row.time.0 - i64::from(length_ms) {
                let key = (is_sliding, length_ms, begin);
                windows.entry(key).or_default().push(row);
                begin -= hop;
            }
        }
    }
    windows
}

fn compare(summary: &Summary, rows: &[&Row], config: &SensorConfig) -> Result<(), String> {
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
    for (what, told, expected, size) in numbers(&stats, &values, config.gap_ms_max) {
        // Not a number is within no distance.
        let is_near = (told - expected).abs() <= TOLERANCE * size;
        if !is_near {
            return Err(format!("{what} is {told}, not {expected}, of {values:?}"));
        }
    }
    Ok(())
}

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
