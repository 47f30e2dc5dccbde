//! What the summaries of a sensor must say whose times the gateway's clock gave, some of them while it was not set. Readings and
//! windows may have gone to Kafka on either side of its setting, so they are told apart by their order, not by their times.

use pipeline::config::SensorConfig;
use wire::{Clock, Quality, Reasons, Row, Summary, WindowKind};

use super::marks::Marks;
use super::windows::{Shape, compare, shapes};

/// Whether the reading has its time by a clock that was not set then, though it may be by now.
pub(super) fn is_placed(row: &Row) -> bool {
    let reasons = row.flags.reasons();
    reasons.meets(Reasons::CLOCK_UNSYNCED | Reasons::CLOCK_REPAIRED)
        && reasons.meets(Reasons::TIME_OF_GATEWAY)
}

/// Every reading is in as many windows of each shape as there are at a time, every window says what its readings say, and by which
/// clock. For a sensor whose readings all came in the order of their times.
///
/// # Errors
/// The first one that does not.
pub(super) fn check(
    rows: &[Row],
    summaries: &[Summary],
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    for shape in shapes(config) {
        let is_its = |summary: &&Summary| {
            let window = summary.window;
            window.length_ms == shape.length_ms
                && (window.kind == WindowKind::Sliding) == shape.is_sliding
        };
        let told: Vec<&Summary> = summaries.iter().filter(is_its).collect();
        check_shape(rows, &told, shape, config, marks)?;
    }
    Ok(())
}

fn check_shape(
    rows: &[Row],
    told: &[&Summary],
    shape: Shape,
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    for summary in told {
        marks.hit(match summary.clock {
            Clock::Synced => "summary-synced",
            Clock::Repaired => "summary-repaired",
            Clock::Unsynced => "summary-unsynced",
        });
    }
    let mut match_up = Match {
        rows,
        config,
        told: told.to_vec(),
        covered: vec![0; rows.len()],
        windows_of_each: shape.length_ms / shape.hop_ms,
    };
    match_up.find()
}

/// Which readings each summary is of.
struct Match<'a> {
    rows: &'a [Row],
    config: &'a SensorConfig,
    /// Those that have no readings yet.
    told: Vec<&'a Summary>,
    /// In how many windows each reading is.
    covered: Vec<u32>,
    windows_of_each: u32,
}

impl Match<'_> {
    /// Windows are told in the order of their begin, so the next one begins with the first reading that is not in all of its own yet.
    /// But those that one batch tells of are in the order of the batch, so it may be any that fits.
    fn find(&mut self) -> Result<(), String> {
        let is_open = |count: &u32| *count < self.windows_of_each;
        let first = match (self.covered.iter().position(is_open), self.told.first()) {
            (None, None) => return Ok(()),
            (None, Some(next)) => return Err(format!("no readings are left for {next:?}")),
            (Some(first), None) => return Err(format!("reading {first} is not in all windows")),
            (Some(first), Some(_)) => first,
        };
        let mut reason = None;
        for place in 0..self.told.len() {
            let summary = self.told[place];
            let tried = check_one(summary, &self.rows[first..], self.config);
            let tried = tried.and_then(|()| self.take(place, first));
            let Err(why) = tried else {
                return Ok(());
            };
            reason.get_or_insert_with(|| {
                format!("of the readings from {first} on: {why}: {summary:?}")
            });
        }
        Err(reason.unwrap_or_default())
    }

    /// Takes this one for that of the readings from `first` on, and goes on with the others.
    fn take(&mut self, place: usize, first: usize) -> Result<(), String> {
        let summary = self.told.remove(place);
        let its = first..first + count_of(summary);
        self.covered[its.clone()]
            .iter_mut()
            .for_each(|count| *count += 1);
        let found = self.find();
        if found.is_err() {
            self.covered[its].iter_mut().for_each(|count| *count -= 1);
            self.told.insert(place, summary);
        }
        found
    }
}

/// Whether the summary tells of the first ones of these readings.
fn check_one(summary: &Summary, rows: &[Row], config: &SensorConfig) -> Result<(), String> {
    let Some((its, behind)) = rows.split_at_checked(count_of(summary)) else {
        return Err(format!("there are {} only", rows.len()));
    };
    check_clock(summary, its)?;
    check_times(summary, its, behind.first())?;
    let its: Vec<&Row> = its.iter().collect();
    let is_whole = its.iter().all(|row| is_moved(row) == is_moved(its[0]));
    compare(summary, &its, config, is_whole)
}

fn count_of(summary: &Summary) -> usize {
    summary.bad as usize + summary.stats.map_or(0, |stats| stats.n as usize)
}

/// A window says that its times hold only if those of all its readings do.
fn check_clock(summary: &Summary, rows: &[Row]) -> Result<(), String> {
    let placed = rows.iter().filter(|row| is_placed(row)).count();
    let is_right = match summary.clock {
        Clock::Synced => placed == 0,
        Clock::Repaired => placed == rows.len(),
        Clock::Unsynced => placed > 0,
    };
    if is_right {
        Ok(())
    } else {
        let count = rows.len();
        Err(format!(
            "{placed} of {count} have times of a clock that was not set"
        ))
    }
}

/// What has its times by the same clock lies in its window, and what follows does not, unless the clock was set between.
fn check_times(summary: &Summary, rows: &[Row], next: Option<&Row>) -> Result<(), String> {
    let window = summary.window;
    let span = window.start.0..window.start.0 + i64::from(window.length_ms);
    let is_moved_too = |row: &&Row| is_moved(row) == (summary.clock == Clock::Repaired);
    let mut its = rows.iter().filter(is_moved_too);
    if let Some(row) = its.find(|row| !span.contains(&row.time.0)) {
        return Err(format!("one of {} is not in the window", row.time.0));
    }
    let mut usable = rows
        .iter()
        .filter(|row| row.flags.quality() != Quality::Bad);
    let ends = [usable.next(), usable.next_back()];
    let told = summary
        .stats
        .map(|stats| [stats.first_at, stats.last_at])
        .unwrap_or_default();
    for (row, told) in ends.into_iter().zip(told) {
        if let Some(row) = row.filter(is_moved_too).filter(|row| row.time.0 != told) {
            return Err(format!("one is of {}, not {told}", row.time.0));
        }
    }
    let is_synced = !rows.iter().any(is_placed);
    let missed = next.filter(|row| is_synced && !is_placed(row) && span.contains(&row.time.0));
    match missed {
        None => Ok(()),
        Some(row) => Err(format!("the one of {} is missing", row.time.0)),
    }
}

/// Whether its time was moved with the clock.
fn is_moved(row: &Row) -> bool {
    row.flags.reasons().contains(Reasons::CLOCK_REPAIRED)
}

/// Whether no two summaries tell of the same window under the same revision.
///
/// # Errors
/// Two that do.
pub(super) fn check_revisions(summaries: &[Summary]) -> Result<(), String> {
    let key = |summary: &Summary| {
        let window = summary.window;
        let is_sliding = window.kind == WindowKind::Sliding;
        (is_sliding, window.length_ms, window.start, summary.revision)
    };
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by_key(|summary| key(summary));
    let twice = sorted.windows(2).find(|pair| key(pair[0]) == key(pair[1]));
    twice.map_or(Ok(()), |pair| {
        Err(format!("told twice: {:?}, {:?}", pair[0], pair[1]))
    })
}
