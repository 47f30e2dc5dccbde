//! Columns of the times of a sensor's readings: event times along a period, arrivals by their lag behind them.
//!
//! Each column can be written in two ways, and the writer takes the one whose numbers are smaller. A difference to the number
//! before doubles the noise of a clock that jitters around its beat; a difference to the beat adds up the errors of a clock
//! that counts from its last reading.

use crate::bytes::{Cursor, Full, Malformed, Writer, bits, mean, nearest};
use core::iter::once;

/// Bit of the shape: times are distances from a grid with the period; else steps from one to the next, less the period.
const GRID: u8 = 1;

/// How the lags of a sensor are written; the shape has it above the bit for times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LagKind {
    /// One lag for all readings.
    Constant = 0,
    /// Each by how much it is above the least.
    Above = 2,
    /// Each as difference to the one before.
    Steps = 4,
}

/// Writes the shape of both columns, then times, of which there is at least one, relative to `base`.
///
/// Differences wrap around, so that any two times have one.
pub(crate) fn write_times(
    writer: &mut Writer<'_>,
    base: i64,
    times: impl Iterator<Item = i64> + Clone,
    lags: impl Iterator<Item = i64> + Clone,
) -> Result<(), Full> {
    let Some(first) = times.clone().next() else {
        return Ok(());
    };
    let period = usual_step(times.clone());
    let steps = steps(times.clone(), period);
    let (grid_start, grid_period) = grid(first, times.clone());
    let distances = distances(times, grid_start, grid_period);
    let is_grid = bits(distances.clone()) < bits(steps.clone());
    let (shape, start, period) = if is_grid {
        (GRID, grid_start, grid_period)
    } else {
        (0, first, period)
    };
    writer.byte(shape | lag_kind(lags) as u8)?;
    writer.signed(start.wrapping_sub(base))?;
    writer.signed(period)?;
    if is_grid {
        distances
            .into_iter()
            .try_for_each(|distance| writer.signed(distance))
    } else {
        steps.into_iter().try_for_each(|step| writer.signed(step))
    }
}

/// The middle one of the first three steps: near the usual step, even if one of them is a gap.
fn usual_step(times: impl Iterator<Item = i64> + Clone) -> i64 {
    let mut first = [0; 3];
    let mut count = 0;
    for (place, step) in first.iter_mut().zip(steps(times, 0)) {
        *place = step;
        count += 1;
    }
    match count {
        0..=2 => first[0],
        _ => {
            first.sort_unstable();
            first[1]
        }
    }
}

fn steps(
    times: impl Iterator<Item = i64> + Clone,
    period: i64,
) -> impl Iterator<Item = i64> + Clone {
    let pairs = times.clone().zip(times.skip(1));
    pairs.map(move |(before, time)| time.wrapping_sub(before).wrapping_sub(period))
}

/// Start and period of a grid in the middle of the times. The period is what lies between the means of both halves: what a
/// single time is off by hardly moves it.
fn grid(first: i64, times: impl Iterator<Item = i64> + Clone) -> (i64, i64) {
    let count = times.clone().count();
    let half = count / 2;
    let since_first = distances(times.clone(), first, 0).map(i128::from);
    let early: i128 = since_first.clone().take(half).sum();
    let late: i128 = since_first.skip(count - half).sum();
    let period = nearest(late - early, half as i128 * (count - half) as i128);
    let start = first.wrapping_add(mean(distances(times, first, period)));
    (start, period)
}

fn distances(
    times: impl Iterator<Item = i64> + Clone,
    start: i64,
    period: i64,
) -> impl Iterator<Item = i64> + Clone {
    (0_i64..).zip(times).map(move |(number, time)| {
        let line = start.wrapping_add(number.wrapping_mul(period));
        time.wrapping_sub(line)
    })
}

/// Reads the times of one sensor, one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    is_grid: bool,
    period: i64,
    /// The next line of the grid, or the time before less what makes the first step fit.
    line: i64,
    is_first: bool,
}

/// Reads the shape of a sensor's columns, and what stands at their beginnings.
pub(crate) fn open_times(
    base: i64,
    times: &mut Cursor<'_>,
    lags: &mut Cursor<'_>,
) -> Result<(Times, Lags), Malformed> {
    let shape = times.byte()?;
    let lags = match [LagKind::Constant, LagKind::Above, LagKind::Steps]
        .into_iter()
        .find(|kind| *kind as u8 == shape & !GRID)
    {
        Some(LagKind::Constant) => Lags::Constant(lags.signed()?),
        Some(LagKind::Above) => Lags::Above(lags.signed()?),
        Some(LagKind::Steps) => Lags::Steps(0),
        None => return Err(Malformed::Part("shape of times")),
    };
    let times = Times {
        is_grid: shape & GRID > 0,
        line: base.wrapping_add(times.signed()?),
        period: times.signed()?,
        is_first: true,
    };
    Ok((times, lags))
}

impl Times {
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<i64, Malformed> {
        if !core::mem::take(&mut self.is_first) {
            self.line = self.line.wrapping_add(self.period);
        } else if !self.is_grid {
            return Ok(self.line);
        }
        let time = self.line.wrapping_add(cursor.signed()?);
        if !self.is_grid {
            self.line = time;
        }
        Ok(time)
    }
}

/// Writes lags, of which there is at least one.
pub(crate) fn write_lags(
    writer: &mut Writer<'_>,
    lags: impl Iterator<Item = i64> + Clone,
) -> Result<(), Full> {
    let least = lags.clone().min().unwrap_or_default();
    match lag_kind(lags.clone()) {
        LagKind::Constant => writer.signed(least),
        LagKind::Above => {
            writer.signed(least)?;
            lags.map(|lag| lag.wrapping_sub(least).cast_unsigned())
                .try_for_each(|above| writer.unsigned(above))
        }
        LagKind::Steps => steps_from_0(lags).try_for_each(|step| writer.signed(step)),
    }
}

fn lag_kind(lags: impl Iterator<Item = i64> + Clone) -> LagKind {
    let least = lags.clone().min().unwrap_or_default();
    if lags.clone().all(|lag| lag == least) {
        return LagKind::Constant;
    }
    // What is above the least is written without a sign, which saves a bit each.
    let above = lags.clone().map(|lag| lag.wrapping_sub(least) / 2);
    if bits(once(least).chain(above)) <= bits(steps_from_0(lags)) {
        LagKind::Above
    } else {
        LagKind::Steps
    }
}

fn steps_from_0(lags: impl Iterator<Item = i64> + Clone) -> impl Iterator<Item = i64> {
    steps(once(0).chain(lags), 0)
}

/// Reads the lags of one sensor, one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lags {
    /// Always this one.
    Constant(i64),
    /// Above this one.
    Above(i64),
    /// By a step from this one.
    Steps(i64),
}

impl Lags {
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<i64, Malformed> {
        match self {
            Self::Constant(lag) => Ok(*lag),
            Self::Above(least) => Ok(least.wrapping_add(cursor.unsigned()?.cast_signed())),
            Self::Steps(before) => {
                *before = before.wrapping_add(cursor.signed()?);
                Ok(*before)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Writes both columns and reads them back; gives the shape and the length of each.
    fn check(times: &[i64], lags: &[i64], base: i64) -> (u8, usize, usize) {
        let (mut buffer, mut lag_buffer) = ([0; 2048], [0; 2048]);
        let mut writer = Writer::new(&mut buffer);
        let (all_times, all_lags) = (times.iter().copied(), lags.iter().copied());
        write_times(&mut writer, base, all_times, all_lags.clone()).unwrap();
        let len = writer.written().len();
        let mut writer = Writer::new(&mut lag_buffer);
        write_lags(&mut writer, all_lags).unwrap();
        let lag_len = writer.written().len();
        let mut times_left = Cursor::new(&buffer[..len]);
        let mut lags_left = Cursor::new(&lag_buffer[..lag_len]);
        let (mut time_reader, mut lag_reader) =
            open_times(base, &mut times_left, &mut lags_left).unwrap();
        for (time, lag) in times.iter().zip(lags) {
            assert_eq!(time_reader.read(&mut times_left), Ok(*time), "{times:?}");
            assert_eq!(lag_reader.read(&mut lags_left), Ok(*lag), "{lags:?}");
        }
        assert_eq!((times_left.end(), lags_left.end()), (Ok(()), Ok(())));
        (buffer[0], len, lag_len)
    }

    fn check_times(times: &[i64], base: i64) -> usize {
        check(times, times, base).1
    }

    fn check_lags(lags: &[i64]) -> (u8, usize) {
        let (shape, _, len) = check(lags, lags, 0);
        (shape & !GRID, len)
    }

    #[test]
    fn a_steady_beat_takes_one_byte_a_step() {
        let times: Vec<i64> = (0..60).map(|n| 1_700_000_000_000 + n * 1000).collect();
        assert_eq!(check_times(&times, 1_700_000_000_000), 1 + 1 + 2 + 59);
    }

    #[test]
    fn a_clock_that_jitters_around_its_beat_keeps_to_a_grid() {
        let jitter = |n: i64| n * n * 7919 % 100 - 50;
        let times: Vec<i64> = (0..60).map(|n| n * 1000 + jitter(n)).collect();
        assert!(check_times(&times, 0) <= 1 + 1 + 2 + 60, "a byte a time");
    }

    #[test]
    fn a_gap_does_not_spoil_the_times_around_it() {
        let times: Vec<i64> = (0..60).map(|n| n * 1000 + n / 30 * 1_000_000).collect();
        assert_eq!(check_times(&times, 0), 1 + 1 + 2 + 58 + 3);
    }

    #[test]
    fn lags_that_jitter_stand_above_the_least_one() {
        let lags: Vec<i64> = (0..60).map(|n| 5 + n * n * 31 % 120).collect();
        assert_eq!(check_lags(&lags), (LagKind::Above as u8, 1 + 60));
    }

    #[test]
    fn lags_of_readings_that_come_all_at_once_are_steps() {
        let lags: Vec<i64> = (0..60).map(|n| 60_000 - 1000 * n).collect();
        assert_eq!(check_lags(&lags), (LagKind::Steps as u8, 3 + 2 * 59));
    }

    #[test]
    fn a_shape_that_no_writer_makes_is_refused() {
        let opened = open_times(0, &mut Cursor::new(&[6, 0, 0]), &mut Cursor::new(&[0]));
        assert_eq!(opened.err(), Some(Malformed::Part("shape of times")));
    }

    #[test]
    fn one_lag_for_all_is_written_once() {
        assert_eq!(check_lags(&[5; 60]), (LagKind::Constant as u8, 1));
    }

    proptest! {
        #[test]
        fn any_times_come_back(times in proptest::collection::vec(any::<i64>(), 1..32), base: i64) {
            check_times(&times, base);
        }

        #[test]
        fn times_near_a_beat_come_back(times in proptest::collection::vec(-50_i64..50, 1..99), beat in -9999_i64..9999) {
            let times: Vec<i64> = (0..).zip(times).map(|(n, jitter)| n * beat + jitter).collect();
            check_times(&times, 0);
        }

        #[test]
        fn any_lags_come_back(lags in proptest::collection::vec(any::<i64>(), 1..32)) {
            check_lags(&lags);
        }

        #[test]
        fn lags_near_each_other_come_back(lags in proptest::collection::vec(-50_i64..50, 1..99)) {
            check_lags(&lags);
        }
    }
}
