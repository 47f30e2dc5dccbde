//! A file of readings: a time stamp and numbers in each row.

use std::fs;
use std::path::{Path, PathBuf};

use super::AccuracyError;
use crate::bench::runs::runs;

/// The rows of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// What the columns are called, without the time stamp's.
    pub(super) columns: Vec<String>,
    /// The time stamps as they stand in the file.
    pub(super) stamps: Vec<String>,
    /// The same, in ms since 1970.
    pub(super) times: Vec<i64>,
    /// The numbers, row by row.
    pub(super) rows: Vec<Vec<f64>>,
}

impl Series {
    /// Reads a file with a header and rows of a time stamp and numbers, between commas or semicolons. Rows that are cut short
    /// are left out.
    ///
    /// # Errors
    /// If it cannot be read, or a row has no time.
    pub(super) fn read(path: &Path) -> Result<Self, AccuracyError> {
        let text = fs::read_to_string(path).map_err(|source| AccuracyError::read(path, source))?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let separator = if header.contains(';') { ';' } else { ',' };
        let mut series = Self {
            columns: header.split(separator).skip(1).map(str::to_owned).collect(),
            ..Self::default()
        };
        for (nth, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let mut fields = line.split(separator);
            let stamp = fields.next().unwrap_or_default();
            let Some(time) = parse_time(stamp) else {
                return Err(AccuracyError::Line {
                    path: path.to_owned(),
                    line: nth + 2,
                });
            };
            let row: Vec<f64> = fields
                .map(|field| field.trim().parse().unwrap_or(f64::NAN))
                .collect();
            if row.len() < series.columns.len() {
                continue;
            }
            series.stamps.push(stamp.to_owned());
            series.times.push(time);
            series.rows.push(row);
        }
        Ok(series)
    }

    /// Name and values of each of the first `signals` columns.
    #[must_use]
    pub(super) fn signals(&self, signals: usize) -> Vec<(String, Vec<f64>)> {
        let names = self.columns.iter().take(signals).cloned().enumerate();
        names.map(|(nth, name)| (name, self.column(nth))).collect()
    }

    /// Stretches of rows whose label, in this column, is set: first and last.
    #[must_use]
    pub(super) fn labelled(&self, column: usize) -> Vec<(usize, usize)> {
        runs(self.rows.iter().map(|row| row[column] >= 0.5))
    }

    /// One column.
    #[must_use]
    pub(super) fn column(&self, nth: usize) -> Vec<f64> {
        self.rows.iter().map(|row| row[nth]).collect()
    }
}

/// `2014-04-01 12:00:00`, as UTC, or a plain number of seconds, in ms since 1970.
#[must_use]
pub(super) fn parse_time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some((seconds * 1000.0) as i64);
    }
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let date = numbers::<3>(date, '-')?;
    let time = numbers::<3>(time.trim_end_matches('Z').split('.').next()?, ':')?;
    Some((days_since_1970(date) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]) * 1000)
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let numbers: Option<Vec<i64>> = text
        .split(separator)
        .map(|part| part.parse().ok())
        .collect();
    numbers?.try_into().ok()
}

/// In the Gregorian calendar, counted in years that begin in March, so that the leap day is the last.
fn days_since_1970([year, month, day]: [i64; 3]) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// All `.csv` files of a folder and of those in it, in order.
///
/// # Errors
/// If a folder cannot be read.
pub(super) fn csv_files(folder: &Path) -> Result<Vec<PathBuf>, AccuracyError> {
    let entries = fs::read_dir(folder).map_err(|source| AccuracyError::read(folder, source))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(csv_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    Ok(files)
}
