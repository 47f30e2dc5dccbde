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

use pipeline::config::Method;

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
    /// The error with each of [`FILTERS`] in the gate's place.
    filters: [f64; FILTERS.len()],
}

/// The filters of the field, beside which the gate is measured: by the same plan, but for `method`.
const FILTERS: [Method; 2] = [Method::Hampel, Method::Screen];

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
        let mut filtered = [const { Vec::new() }; FILTERS.len()];
        for (nth, series) in series.iter().enumerate() {
            for seed in 0..BENCH_SEEDS {
                let injected = Injected::new(series, fault, seed << 16 | nth as u64);
                let score = |method| {
                    let slots = drive::clean(series, &injected, method)?;
                    Ok::<_, CleaningError>(Score::of(series, &injected, &slots))
                };
                scores.push(score(Method::Gate)?);
                for (method, scores) in FILTERS.into_iter().zip(&mut filtered) {
                    scores.push(score(method)?);
                }
            }
        }
        lines.push(Line {
            fault,
            score: Score::mean(&scores),
            filters: filtered.map(|scores| Score::mean(&scores).rmse),
        });
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
            "{:<10} {:>8} {:>8} {:>8} {:>10} {:>9} {:>8} {:>10} {:>10}",
            "fault",
            "rmse",
            "hampel",
            "screen",
            "published",
            "untreated",
            "recall",
            "precision",
            "healthy"
        )?;
        for Line {
            fault,
            score,
            filters: [hampel, screen],
        } in &self.lines
        {
            let published = fault
                .published()
                .map_or("-".into(), |rmse| format!("{rmse:.3}"));
            let share =
                |share: Option<f64>| share.map_or("-".into(), |share| format!("{share:.3}"));
            writeln!(
                f,
                "{:<10} {:>8.4} {hampel:>8.4} {screen:>8.4} {:>10} {:>9.3} {:>8} {:>10} {:>8.3} %",
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
            "hampel, screen: the error with `method = \"hampel\"` and `\"screen\"` in the same plan\n\
             published: the best of Hampel, SCREEN (Song et al. 2015), speed clamp and exponential smoothing on such data, and a \
             gate of fixed width\nhealthy: readings without a fault whose value was changed"
        )
    }
}

#[cfg(test)]
mod tests;
