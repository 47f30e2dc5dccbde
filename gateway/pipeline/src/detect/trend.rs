//! Where a signal goes: a damped trend, and when it crosses a limit, give or take.
//!
//! A line is fitted to the values, the older the less (discounted least squares, Brown 1963), and flattens ahead (damped trend, Gardner
//! and McKenzie 1985). A value that is far from the forecast counts as one that is less far. How much to give or take is the
//! line's standard error times what the trend's own forecasts were wrong by, so it is not better than its past.

use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// A forecast error counts as this many usual ones at most.
const ERROR_MAX: f64 = 3.0;
/// Weight of an error in the usual one, and of a forecast in how wrong they are.
const ERROR_WEIGHT: f64 = 0.05;
const WRONG_WEIGHT: f64 = 0.2;
/// Before any forecast came due: its square is so many times the standard error's.
const WRONG_FIRST: f64 = 4.0;
/// The trend is flat after this many of its time constants.
const DAMPING: f64 = 4.0;
/// Values before there is a trend.
const LEARNING: u32 = 8;
/// A slope is one if it is this many times its error.
const SLOPE_MIN: f64 = 2.0;

/// The trend of one signal; time counts in ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    memory_ms: f64,
    last: Option<Timestamp>,
    count: u32,
    /// Discounted sums of 1, t, t², y and ty, where t is 0 at the last value and y counts from the first.
    sums: [f64; 5],
    first: f64,
    /// Mean square of the forecast errors.
    error: f64,
    /// What is forecast, its standard error, and when it comes due.
    pending: Option<(Timestamp, f64, f64)>,
    /// Mean square of how many standard errors forecasts were wrong by.
    wrong: f64,
}

/// When a limit will be crossed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// In this time, ms.
    pub in_ms: f64,
    /// Give or take this, ms: about two times in three.
    pub give_ms: f64,
}

/// Where a signal will be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// There.
    pub value: f64,
    /// Give or take this: about two times in three.
    pub give: f64,
}

/// A line through the values, at the last one.
#[derive(Clone, Copy)]
struct Line {
    level: f64,
    slope: f64,
    level_error: f64,
    slope_error: f64,
}

impl Trend {
    /// A trend that remembers for about this many ms.
    #[must_use]
    pub const fn new(memory_ms: f64) -> Self {
        Self {
            memory_ms,
            last: None,
            count: 0,
            sums: [0.0; 5],
            first: 0.0,
            error: 0.0,
            pending: None,
            wrong: WRONG_FIRST,
        }
    }

    /// One value. What is not later than the last one does not count.
    pub fn push(&mut self, time: Timestamp, value: f64) {
        let apart_ms = match self.last {
            None => 0.0,
            Some(last) if time > last => time.0.saturating_sub(last.0) as f64,
            Some(_) => return,
        };
        if self.count == 0 {
            self.first = value;
        }
        self.judge(time, value - self.first);
        let value = self.bounded(apart_ms, value - self.first);
        self.last = Some(time);
        self.count = self.count.saturating_add(1);
        let keep = libm::exp(-apart_ms / self.memory_ms);
        let [n, t, tt, y, ty] = self.sums;
        self.sums = [
            keep * n + 1.0,
            keep * (t - apart_ms * n),
            keep * (tt - 2.0 * apart_ms * t + apart_ms * apart_ms * n),
            keep * y + value,
            keep * (ty - apart_ms * y),
        ];
        self.promise(time);
    }

    /// Whether there are values enough for a trend.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.line().is_some()
    }

    /// Where the signal will be in `ahead_ms`; what it may be wrong by is learned from forecasts half of the memory ahead.
    #[must_use]
    pub fn ahead(&self, ahead_ms: f64) -> Option<Forecast> {
        let line = self.line()?;
        Some(Forecast {
            value: self.first + self.at(line, ahead_ms),
            give: libm::sqrt(self.wrong) * line.error_in(ahead_ms),
        })
    }

    /// When the trend crosses `limit`, if it does within `ahead_ms`.
    #[must_use]
    pub fn crossing(&self, limit: f64, ahead_ms: f64) -> Option<Crossing> {
        let line = self.line()?;
        let scale = libm::sqrt(self.wrong);
        if line.slope.abs() < SLOPE_MIN * line.slope_error {
            return None;
        }
        let damping_ms = DAMPING * self.memory_ms;
        let share = (limit - self.first - line.level) / (line.slope * damping_ms);
        if !(0.0..1.0).contains(&share) {
            return None;
        }
        let in_ms = -damping_ms * libm::log(1.0 - share);
        let speed = line.slope.abs() * (1.0 - share);
        let give_ms = scale * line.error_in(in_ms.min(damping_ms)) / speed;
        (in_ms <= ahead_ms).then_some(Crossing { in_ms, give_ms })
    }

    /// Holds the forecast that has come due against the value.
    fn judge(&mut self, time: Timestamp, value: f64) {
        let Some((_, forecast, error)) = self.pending.filter(|(due, ..)| *due <= time) else {
            return;
        };
        let wrong = (value - forecast) / error;
        self.wrong += WRONG_WEIGHT * ((wrong * wrong).min(100.0) - self.wrong);
        self.pending = None;
    }

    /// Makes a forecast for when half of the memory will have passed, if none is open.
    fn promise(&mut self, time: Timestamp) {
        let Some(line) = self.line().filter(|_| self.pending.is_none()) else {
            return;
        };
        let ahead_ms = self.memory_ms / 2.0;
        let error = line.error_in(ahead_ms);
        if error > 0.0 {
            let due = Timestamp(time.0.saturating_add(ahead_ms as i64));
            self.pending = Some((due, self.at(line, ahead_ms), error));
        }
    }

    /// The value as it counts: not further from the forecast than is usual.
    fn bounded(&mut self, apart_ms: f64, value: f64) -> f64 {
        let Some(line) = self.line() else {
            return value;
        };
        let forecast = self.at(line, apart_ms);
        let usual = libm::sqrt(self.error);
        let error = if self.count > 2 * LEARNING {
            (value - forecast).clamp(-ERROR_MAX * usual, ERROR_MAX * usual)
        } else {
            value - forecast
        };
        // A level that has moved for good must be believed in the end: what is cut off still widens the usual error.
        let width = (value - forecast).clamp(-2.0 * ERROR_MAX * usual, 2.0 * ERROR_MAX * usual);
        let square = if self.count > 2 * LEARNING {
            width * width
        } else {
            error * error
        };
        self.error += ERROR_WEIGHT.max(1.0 / f64::from(self.count)) * (square - self.error);
        forecast + error
    }

    fn at(&self, line: Line, ahead_ms: f64) -> f64 {
        let damping_ms = DAMPING * self.memory_ms;
        line.level + line.slope * damping_ms * (1.0 - libm::exp(-ahead_ms / damping_ms))
    }

    fn line(&self) -> Option<Line> {
        let [n, t, tt, y, ty] = self.sums;
        let spread = tt - t * t / n;
        if self.count < LEARNING || spread <= 0.0 {
            return None;
        }
        let slope = (ty - t * y / n) / spread;
        let level = (y - slope * t) / n;
        let slope_square = self.error / spread;
        Some(Line {
            level,
            slope,
            level_error: libm::sqrt(self.error / n + slope_square * t * t / (n * n)),
            slope_error: libm::sqrt(slope_square),
        })
    }
}

impl Line {
    fn error_in(&self, ahead_ms: f64) -> f64 {
        libm::hypot(self.level_error, self.slope_error * ahead_ms)
    }
}
