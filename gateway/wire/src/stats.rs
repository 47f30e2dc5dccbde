//! What a window knows of its values: moments, extremes, ends and integral, in fixed memory and mergeable.

use serde::{Deserialize, Serialize};

/// The statistics of one or more values.
///
/// Mean and squares are updated by Welford's method (Technometrics 4, 1962) and merged by that of Chan, Golub and LeVeque
/// (1983): nothing is ever subtracted from a sum, so a large value leaves no error behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// How many values; at least one.
    pub n: u32,
    /// Time within which the integral is known, in ms.
    pub covered_ms: u32,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sum of the squared differences to the mean.
    pub m2: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The value with the earliest time; of several the one that came first.
    pub first: f64,
    /// The value with the latest time; of several the one that came last.
    pub last: f64,
    /// Event time of `first`, in ms since the Unix epoch.
    pub first_at: i64,
    /// Event time of `last`, in ms since the Unix epoch.
    pub last_at: i64,
    /// Integral over time by trapezoids, in value times ms. A value that comes out of order has no part in it.
    pub integral: f64,
}

impl Stats {
    /// The statistics of a single value with its event time.
    #[must_use]
    pub const fn of(at: i64, value: f64) -> Self {
        Self {
            n: 1,
            covered_ms: 0,
            mean: value,
            m2: 0.0,
            min: value,
            max: value,
            first: value,
            last: value,
            first_at: at,
            last_at: at,
            integral: 0.0,
        }
    }

    /// Adds a finite value. Between values further apart than `gap_ms_max` the integral has a gap.
    pub fn push(&mut self, at: i64, value: f64, gap_ms_max: u32) {
        if at >= self.last_at {
            self.bridge(at, value, gap_ms_max);
            self.last_at = at;
            self.last = value;
        } else if at < self.first_at {
            self.first_at = at;
            self.first = value;
        }
        self.n = self.n.saturating_add(1);
        let difference = value - self.mean;
        self.mean += difference / f64::from(self.n);
        self.m2 += difference * (value - self.mean);
        // Of a zero and a negative zero, f64::min takes either, as the processor likes; libm's knows which is less.
        self.min = libm::fminimum_num(self.min, value);
        self.max = libm::fmaximum_num(self.max, value);
    }

    /// Adds the statistics of other values, which in time come after these (or, if they don't, add nothing to the integral
    /// but their own part).
    pub fn merge(&mut self, later: &Self, gap_ms_max: u32) {
        if later.first_at >= self.last_at {
            self.bridge(later.first_at, later.first, gap_ms_max);
        }
        self.integral += later.integral;
        self.covered_ms = self.covered_ms.saturating_add(later.covered_ms);
        if later.first_at < self.first_at {
            self.first_at = later.first_at;
            self.first = later.first;
        }
        if later.last_at >= self.last_at {
            self.last_at = later.last_at;
            self.last = later.last;
        }
        let (n, m) = (f64::from(self.n), f64::from(later.n));
        let difference = later.mean - self.mean;
        self.mean += difference * (m / (n + m));
        self.m2 += later.m2 + difference * difference * (n * m / (n + m));
        self.n = self.n.saturating_add(later.n);
        self.min = libm::fminimum_num(self.min, later.min);
        self.max = libm::fmaximum_num(self.max, later.max);
    }

    /// Adds the trapezoid from the last value to one at `at`.
    fn bridge(&mut self, at: i64, value: f64, gap_ms_max: u32) {
        let Ok(step_ms) = u32::try_from(at.saturating_sub(self.last_at)) else {
            return;
        };
        if step_ms <= gap_ms_max {
            self.integral += (self.last + value) * 0.5 * f64::from(step_ms);
            self.covered_ms = self.covered_ms.saturating_add(step_ms);
        }
    }

    /// Sample variance; none of a single value.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.m2 / f64::from(self.n - 1))
    }

    /// Sample standard deviation; none of a single value.
    #[must_use]
    pub fn stddev(&self) -> Option<f64> {
        self.variance().map(libm::sqrt)
    }

    /// Mean weighted by time; none if no time is covered.
    #[must_use]
    pub fn time_weighted_mean(&self) -> Option<f64> {
        (self.covered_ms > 0).then(|| self.integral / f64::from(self.covered_ms))
    }
}

#[cfg(test)]
mod tests;
