//! Early warning: engines that run until they fail (NASA C-MAPSS), each held against its own first cycles.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pipeline::detect::{Course, Crossing, Together, Trend};
use wire::Timestamp;

use super::{AccuracyError, Outlets, engine_plot};

/// The warning comes once the engine was unusual for so many cycles in a row.
const CYCLES_IN_A_ROW: usize = 3;
/// A warning that is earlier is premature: the engine is as good as new.
const PREMATURE_CYCLES: usize = 125;
/// A warning that is later leaves no time to act.
const LATE_CYCLES: usize = 10;
/// How many cycles a trend remembers.
pub(super) const TREND_CYCLES: f64 = 30.0;
/// The departure whose time is foretold.
pub(super) const CROSSED: f64 = 2.0;
/// Cycles before it at which the trend is asked.
const LEFT: [usize; 4] = [5, 10, 20, 30];
/// A crossing that is further away is not told.
pub(super) const AHEAD_CYCLES: f64 = 200.0;
/// Columns before the sensors: unit, cycle, three settings.
const LEADING_COLUMNS: usize = 5;

pub(super) fn run(folder: &Path, outlets: Outlets<'_>) -> Result<String, AccuracyError> {
    let path = folder.join("train_FD001.txt");
    let engines = read(&path)?;
    let sizes: Vec<Vec<f64>> = engines.values().map(|cycles| wear(cycles)).collect();
    for ((unit, cycles), sizes) in engines.iter().zip(&sizes) {
        let rows: Vec<String> = (1..=sizes.len()).map(|cycle| cycle.to_string()).collect();
        outlets.write_scores(
            &format!("cmapss/{unit}.csv"),
            rows.iter().map(String::as_str).zip(sizes.iter().copied()),
        )?;
        outlets.write_plot(&format!("cmapss/engine-{unit:03}.csv"), || {
            engine_plot::draw(*unit, cycles, sizes, lead(sizes))
        })?;
    }
    let mut text = format!(
        "C-MAPSS FD001: {} engines, run to failure; a warning {PREMATURE_CYCLES} cycles ahead is premature, {LATE_CYCLES} are too few\n{:<34} {:>8} {:>7} {:>5} {:>5} {:>10} {:>5}\n",
        engines.len(),
        "warning",
        "warned",
        "median",
        "p10",
        "least",
        "premature",
        "late"
    );
    let ours: Vec<Option<usize>> = sizes.iter().map(|sizes| lead(sizes)).collect();
    write_line(&mut text, "together, limit fixed", &ours);
    let after = |cycle: usize| -> Vec<Option<usize>> {
        sizes
            .iter()
            .map(|sizes| sizes.len().checked_sub(cycle))
            .collect()
    };
    write_line(&mut text, "calendar, at cycle 120", &after(120));
    write_line(&mut text, "calendar, at cycle 150", &after(150));
    write_line(&mut text, "always alarm", &after(31));
    text += &predict(&sizes);
    Ok(text)
}

fn read(path: &Path) -> Result<BTreeMap<u32, Vec<Vec<f64>>>, AccuracyError> {
    let text = fs::read_to_string(path).map_err(|source| AccuracyError::read(path, source))?;
    let mut engines: BTreeMap<u32, Vec<Vec<f64>>> = BTreeMap::new();
    for (nth, line) in text.lines().enumerate() {
        // Some copies of the set have fields such as `N/A`.
        let row: Vec<f64> = line
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(f64::NAN))
            .collect();
        if row.len() <= LEADING_COLUMNS || !row[0].is_finite() {
            return Err(AccuracyError::Line {
                path: path.to_owned(),
                line: nth + 1,
            });
        }
        engines
            .entry(row[0] as u32)
            .or_default()
            .push(row[LEADING_COLUMNS..].to_vec());
    }
    Ok(engines)
}

/// How unusual each cycle is, 1 at the limit.
fn wear(cycles: &[Vec<f64>]) -> Vec<f64> {
    let mut together = Together::new(Course::WEAR);
    cycles
        .iter()
        .map(|row| together.push(row).score())
        .collect()
}

/// Cycles from the warning to the failure.
fn lead(sizes: &[f64]) -> Option<usize> {
    let at = sizes
        .windows(CYCLES_IN_A_ROW)
        .position(|row| row.iter().all(|size| *size >= 1.0))?;
    Some(sizes.len() - (at + CYCLES_IN_A_ROW))
}

/// The trend of the departure's logarithm is asked, some cycles before, when the departure will be twice the limit.
fn predict(sizes: &[Vec<f64>]) -> String {
    let (mut asked, mut answers) = (0, Vec::new());
    for sizes in sizes {
        let Some(crossed) = sizes.iter().position(|size| *size >= CROSSED) else {
            continue;
        };
        let mut trend = Trend::new(TREND_CYCLES);
        for (cycle, size) in sizes[..crossed]
            .iter()
            .enumerate()
            .filter(|(_, size)| **size > 0.0)
        {
            trend.push(Timestamp(cycle as i64), size.ln());
            let left = crossed - cycle;
            if LEFT.contains(&left) {
                asked += 1;
                let crossing = trend.crossing(CROSSED.ln(), AHEAD_CYCLES);
                answers.extend(crossing.map(|crossing| (left, crossing)));
            }
        }
    }
    let is_within = |(left, crossing): &&(usize, Crossing)| {
        (crossing.in_ms - *left as f64).abs() <= crossing.give_ms
    };
    let within = answers.iter().filter(is_within).count();
    let mut text = format!(
        "trend: twice the limit foretold {} of {asked} times, right within its give or take {} times;",
        answers.len(),
        within
    );
    for left in LEFT {
        let of = answers.iter().filter(|(at, _)| *at == left);
        let (count, error, give) =
            of.fold((0usize, 0.0, 0.0), |(count, error, give), (_, crossing)| {
                (
                    count + 1,
                    error + (crossing.in_ms - left as f64).abs(),
                    give + crossing.give_ms,
                )
            });
        let share = 1.0 / count.max(1) as f64;
        let _ = write!(
            text,
            "\n  {left} cycles before: {count} engines, wrong by {:.1}, give or take {:.1}",
            error * share,
            give * share
        );
    }
    text.push('\n');
    text
}

fn write_line(text: &mut String, name: &str, leads: &[Option<usize>]) {
    let mut known: Vec<usize> = leads.iter().flatten().copied().collect();
    known.sort_unstable();
    let quantile = |share: f64| {
        known
            .get((share * known.len() as f64) as usize)
            .map_or("-".to_owned(), usize::to_string)
    };
    let premature = known
        .iter()
        .filter(|lead| **lead > PREMATURE_CYCLES)
        .count();
    let late = known.iter().filter(|lead| **lead < LATE_CYCLES).count();
    let warned = format!("{}/{}", known.len(), leads.len());
    let _ = writeln!(
        text,
        "{name:<34} {warned:>8} {:>7} {:>5} {:>5} {premature:>10} {late:>5}",
        quantile(0.5),
        quantile(0.1),
        quantile(0.0)
    );
}
