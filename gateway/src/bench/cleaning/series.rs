//! A healthy series on an even grid: the truth that faults are put into.

use std::fs;
use std::path::Path;

use super::CleaningError;
use crate::limits::{BENCH_LEARNED, BENCH_ROWS_MAX};

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Its file, without the folder.
    pub(super) name: String,
    /// The true values, one for each slot.
    pub(super) truth: Vec<f64>,
    /// From one slot to the next, ms.
    pub(super) period_ms: i64,
    /// What the sensor can measure.
    pub(super) range: [f64; 2],
    /// Standard deviation.
    pub(super) deviation: f64,
    /// Half of the step that nine of ten are not above.
    pub(super) step: f64,
}

/// What sensors of a kind can measure, by a part of the series' name: as their data sheets say.
const RANGES: [(&str, [f64; 2]); 6] = [
    ("temp", [-45.0, 60.0]),
    ("dewp", [-60.0, 40.0]),
    ("rh", [0.0, 100.0]),
    ("co2", [300.0, 5_000.0]),
    ("light", [0.0, 20_000.0]),
    ("pres", [850.0, 1_100.0]),
];

impl Series {
    /// All series of a folder, by name.
    pub(super) fn read_all(folder: &Path) -> Result<Vec<Self>, CleaningError> {
        let unreadable = |source| CleaningError::Read {
            path: folder.to_owned(),
            source,
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|end| end == "csv"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, CleaningError> {
        let text = fs::read_to_string(path).map_err(|source| CleaningError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut times = Vec::new();
        let mut truth = Vec::new();
        let lines = text.lines().enumerate().skip(1);
        for (at, line) in lines.filter(|(_, line)| !line.ends_with(",NA") && !line.ends_with(',')) {
            let (time, value) = reading_of(line).ok_or_else(|| CleaningError::Line {
                path: path.to_owned(),
                line: at + 1,
            })?;
            times.push(time);
            truth.push(value);
        }
        truth.truncate(BENCH_ROWS_MAX);
        if truth.len() < 2 * BENCH_LEARNED {
            return Err(CleaningError::Short {
                path: path.to_owned(),
                rows: truth.len(),
            });
        }
        let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_unstable();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let range = RANGES.iter().find(|(part, _)| name.contains(part));
        let range = range.map_or([-1e9, 1e9], |(_, range)| *range);
        let period_ms = 1000 * steps[steps.len() / 2].max(1);
        Ok(Self::new(&name, truth, period_ms, range))
    }

    pub(super) fn new(name: &str, truth: Vec<f64>, period_ms: i64, range: [f64; 2]) -> Self {
        let n = truth.len() as f64;
        let mean = truth.iter().sum::<f64>() / n;
        let variance = truth
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / n;
        let deviation = variance.sqrt().max(f64::MIN_POSITIVE);
        let mut steps: Vec<f64> = truth
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .collect();
        steps.sort_unstable_by(f64::total_cmp);
        let step = (steps[steps.len() * 9 / 10] / 2.0).max(1e-3 * deviation);
        Self {
            name: name.to_owned(),
            truth,
            period_ms,
            range,
            deviation,
            step,
        }
    }
}

/// `YYYY-MM-DD hh:mm:ss,number` as seconds and a value.
fn reading_of(line: &str) -> Option<(i64, f64)> {
    let (time, value) = line.split_once(',')?;
    let mut parts = time
        .split(['-', ' ', ':'])
        .map(|part| part.parse::<i64>().ok());
    let mut part = || parts.next().flatten();
    let (year, month, day) = (part()?, part()?, part()?);
    let (hour, minute, second) = (part()?, part()?, part()?);
    let days = days_from_civil(year, month, day);
    Some((
        86_400 * days + 3_600 * hour + 60 * minute + second,
        value.parse().ok()?,
    ))
}

/// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that a leap day ends one.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}
