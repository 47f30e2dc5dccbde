//! How far a signal is from itself: a fast against a slow average, and a value against the usual one of this time of day.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Weight of a value in the fast average.
pub(super) const FAST: f64 = 0.1;
/// Weight of a value in the slow average.
const SLOW: f64 = 0.001;
/// Parts of the day, each with its usual value.
const HOURS: usize = 24;
const DAY_MS: i64 = 86_400_000;

/// Averages of a signal, exponentially weighted; as long as few values are known, plain ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Chart {
    fast: f64,
    slow: f64,
    /// Mean square of the distance from the slow average.
    spread: f64,
    count: u32,
}

impl Chart {
    /// How far the fast average is from the slow one, in standard deviations of the fast one. Then the value counts.
    pub(super) fn push(&mut self, value: f64) -> f64 {
        self.count = self.count.saturating_add(1);
        let share = 1.0 / f64::from(self.count);
        self.fast += (value - self.fast) * FAST.max(share);
        let deviation = libm::sqrt(self.spread * FAST / (2.0 - FAST));
        let distance = if deviation > 0.0 {
            (self.fast - self.slow).abs() / deviation
        } else {
            0.0
        };
        let before = value - self.slow;
        self.slow += before * SLOW.max(share);
        self.spread += (before * (value - self.slow) - self.spread) * SLOW.max(share);
        distance
    }
}

/// The usual value of each hour of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Day {
    /// No number: nothing was seen at that hour yet.
    usual: Vec<f32, HOURS, u8>,
    /// Mean square of the distances.
    spread: f32,
}

impl Default for Day {
    fn default() -> Self {
        let mut usual = Vec::new();
        usual.resize(HOURS, f32::NAN).unwrap_or_default();
        Self { usual, spread: 0.0 }
    }
}

impl Day {
    /// How far a value is from the usual one, in usual distances. Then it counts.
    pub(super) fn push(&mut self, time_ms: i64, value: f32) -> f32 {
        let hour = (time_ms.rem_euclid(DAY_MS) / (DAY_MS / HOURS as i64)) as usize;
        let usual = &mut self.usual[hour];
        if usual.is_nan() {
            *usual = value;
            return 0.0;
        }
        let residual = value - *usual;
        let deviation = libm::sqrtf(self.spread);
        *usual += residual * FAST as f32;
        self.spread += (residual * residual - self.spread) * 0.01;
        if deviation > 0.0 {
            residual.abs() / deviation
        } else {
            0.0
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.usual.len() == HOURS
    }
}
