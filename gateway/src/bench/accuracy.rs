//! `tidegate bench accuracy`: the detectors on public data with labels, by the published rules, beside published detectors and
//! beside baselines that read no value.
//!
//! One set of numbers holds for all files, and nothing of a file is known before it is read: neither its range nor its length.

mod cost;
mod engine_plot;
mod engines;
mod events;
mod nab;
mod numenta;
mod series;
mod skab;
mod valves;

use core::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cleaning::{self, CleaningError};

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
pub enum AccuracyError {
    /// The folder, or a file in it.
    #[error(
        "{path} cannot be read: {source}; give the folder that holds nab, skab, cmapss, wsn, telemetry and clean"
    )]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A result.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line without a time.
    #[error("{path}:{line} does not begin with a time such as `2014-04-01 12:00:00`")]
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which one, from 1.
        line: usize,
    },
    /// Drawings are wanted of a program that has none.
    #[error(
        "this program is built for a box and draws nothing: build it without --no-default-features"
    )]
    NoPlots,
    /// The plan of a drawing and its memory do not go together.
    #[error("the plan of the drawings cannot be used: {0}")]
    Plan(#[from] pipeline::Unusable),
    /// The part on cleaning.
    #[error(transparent)]
    Cleaning(#[from] CleaningError),
    /// Labels that belong to no row.
    #[error("{path}: {what}")]
    Labels {
        /// Of which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl AccuracyError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// Where results go, beside the report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outlets<'a> {
    /// Folder for the scores of each row, as CSV.
    pub scores: Option<&'a Path>,
    /// Folder for a drawing of each file, as SVG.
    pub plots: Option<&'a Path>,
}

impl Outlets<'_> {
    /// Writes the scores of a file in two columns, which the benchmarks' scorers read. 1 is an alarm.
    fn write_scores<'s>(
        &self,
        file: &str,
        rows: impl Iterator<Item = (&'s str, f64)>,
    ) -> Result<(), AccuracyError> {
        let Some(folder) = self.scores else {
            return Ok(());
        };
        // The Numenta benchmark has its own name for the column.
        let column = if file.starts_with("nab/") {
            "anomaly_score"
        } else {
            "score"
        };
        let mut text = format!("timestamp,{column}\n");
        for (stamp, score) in rows {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{stamp},{score:.6}");
        }
        write(&folder.join(file), &text)
    }

    /// Writes the drawing of a file. Where the feature is off, the compiler sees that nothing is ever drawn and leaves it out.
    pub(super) fn write_plot(
        &self,
        file: &str,
        page: impl FnOnce() -> Result<String, pipeline::Unusable>,
    ) -> Result<(), AccuracyError> {
        match self.plots.filter(|_| cfg!(feature = "plots")) {
            Some(folder) => write(&folder.join(file).with_extension("svg"), &page()?),
            None => Ok(()),
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), AccuracyError> {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| AccuracyError::Write {
        path: path.to_owned(),
        source,
    })
}

/// A score of a row as a benchmark reads it: 1 for an alarm, less than a half otherwise.
fn told(score: f64, limit: f64, is_alarm: bool) -> f64 {
    if is_alarm {
        1.0
    } else {
        0.49 * (score / limit).clamp(0.0, 1.0)
    }
}

/// All parts, as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Report(String);

/// Measures on each data set that `data` holds.
///
/// # Errors
/// [`AccuracyError`] if a file can't be read or a result not be written.
pub fn run(data: &Path, outlets: Outlets<'_>) -> Result<Report, AccuracyError> {
    if outlets.plots.is_some() && !cfg!(feature = "plots") {
        return Err(AccuracyError::NoPlots);
    }
    let mut text = String::new();
    for (folder, measure) in [
        (
            "nab",
            numenta::run as fn(&Path, Outlets<'_>) -> Result<String, AccuracyError>,
        ),
        ("skab", valves::run),
        ("wsn", events::run),
        ("telemetry", events::run),
        ("cmapss", engines::run),
    ] {
        let folder = data.join(folder);
        if folder.is_dir() {
            text += &measure(&folder, outlets)?;
            text.push('\n');
        }
    }
    if data.join("clean").is_dir() {
        let _ = writeln!(text, "{}\n", cleaning::run(data)?);
        cleaning::draw(data, outlets)?;
    }
    if text.is_empty() {
        let source = io::Error::new(io::ErrorKind::NotFound, "it holds none of the data sets");
        return Err(AccuracyError::read(data, source));
    }
    text += &cost::run();
    Ok(Report(text))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
