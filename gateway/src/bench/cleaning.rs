//! `tidegate bench cleaning`: known faults are put into healthy series, and the pipeline's rows are held against the truth.
//!
//! The fault kinds follow Ni et al. ("Sensor network data fault types", ACM TOSN 5, 2009) and Sharma et al. ("Sensor faults",
//! ACM TOSN 6, 2010). One plan holds for all series but for the physical range, which an operator knows of his sensors. The first readings
//! of a series are healthy and not scored. Errors are in standard deviations of the series.

mod drawings;
mod drive;
mod faults;
mod score;
mod series;

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::BENCH_SEEDS;

use self::faults::{Fault, Injected};
use self::score::Score;
use self::series::Series;

pub(super) use self::drawings::draw;

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
pub enum CleaningError {
    /// The folder, or a file in it.
    #[error("{path} cannot be read: {source}; give the folder that holds clean/*.csv")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line without a time or a number.
    #[error("{path}:{line} is not `YYYY-MM-DD hh:mm:ss,number`")]
    Line {
        /// Of which file.
        path: PathBuf,
        /// Which one, from 1.
        line: usize,
    },
    /// Too few readings to learn from.
    #[error("{path} has {rows} readings: give series of at least 1000")]
    Short {
        /// Which.
        path: PathBuf,
        /// How many.
        rows: usize,
    },
    /// The bench's plan and memory do not go together.
    #[error("the bench's plan cannot be used: {0}")]
    Plan(pipeline::Unusable),
}

/// One line of the table: a fault kind over all series and seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    fault: Fault,
    score: Score,
}

/// The table.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    series: usize,
    /// In the order of `Fault::ALL`.
    pub lines: Vec<Line>,
}

/// Runs the benchmark over all series of `data`/clean.
///
/// # Errors
/// [`CleaningError`] if the data can't be read.
pub fn run(data: &Path) -> Result<Report, CleaningError> {
    let series = Series::read_all(&data.join("clean"))?;
    let mut lines = Vec::new();
    for fault in Fault::ALL {
        let mut scores = Vec::new();
        for (nth, series) in series.iter().enumerate() {
            for seed in 0..BENCH_SEEDS {
                let injected = Injected::new(series, fault, seed << 16 | nth as u64);
                let slots = drive::clean(series, &injected)?;
                scores.push(Score::of(series, &injected, &slots));
            }
        }
        let score = Score::mean(&scores);
        lines.push(Line { fault, score });
    }
    Ok(Report {
        series: series.len(),
        lines,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cleaning: {} series, {BENCH_SEEDS} seeds, one plan; errors in standard deviations",
            self.series
        )?;
        writeln!(
            f,
            "{:<10} {:>8} {:>10} {:>9} {:>8} {:>10} {:>10}",
            "fault", "rmse", "published", "untreated", "recall", "precision", "healthy"
        )?;
        for Line { fault, score } in &self.lines {
            let published = fault
                .published()
                .map_or("-".into(), |rmse| format!("{rmse:.3}"));
            let share =
                |share: Option<f64>| share.map_or("-".into(), |share| format!("{share:.3}"));
            writeln!(
                f,
                "{:<10} {:>8.4} {:>10} {:>9.3} {:>8} {:>10} {:>8.3} %",
                fault.name(),
                score.rmse,
                published,
                score.rmse_untreated,
                share(score.recall),
                share(score.precision),
                100.0 * score.healthy_changed,
            )?;
        }
        write!(
            f,
            "published: the best of Hampel, SCREEN (Song et al. 2015), speed clamp and exponential smoothing on such data, and a \
             gate of fixed width\nhealthy: readings without a fault whose value was changed"
        )
    }
}

#[cfg(test)]
mod tests;
