//! How far a sensor moves from one reading to the next, and how often it sends: learned from what can be trusted.

use serde::{Deserialize, Serialize};

/// Readings after which the scale may be relied on.
const LEARNED_N: u32 = 128;
/// Of these, so many must have moved: a sensor that has only stood still has shown nothing.
const LEARNED_MOVES: u32 = 32;
/// How long the spread remembers, in readings: long enough for a signal with a daily course at one reading a minute.
const SPREAD_N: f64 = 3_000.0;
/// The part of steps that are no longer than the usual one.
const USUAL: f64 = 0.9;
/// How fast the usual step follows, while it is learned and afterwards.
const PACE: [f64; 2] = [0.05, 0.01];
/// A jump is at least this part of the spread: what is smaller does no harm.
const JUMP_SPREAD: f64 = 0.35;
/// A value brought back from another unit is not further than so many usual steps from the one before.
const UNIT_STEPS: f64 = 2.5;
/// In the middle of a fast event a jump is longer than so many of its last step.
const RESTLESS: f64 = 2.0;
/// A gap of readings widens what is no jump by its root, up to here.
const WIDENED_MAX: f64 = 8.0;

/// Spread and usual step of a sensor.
///
/// The usual step is the 0.9 quantile of all steps, followed by stochastic approximation (Robbins and Monro, 1951) on a
/// logarithmic scale, so that it needs no first guess and no unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scale {
    n: u32,
    moves: u32,
    mean: f64,
    variance: f64,
    step: f64,
    /// The last step.
    latest: f64,
}

impl Scale {
    /// Takes a trusted value, and its difference to the one before.
    pub(super) fn push(&mut self, value: f64, difference: f64) {
        let is_moved = difference != 0.0;
        self.n = self.n.saturating_add(1);
        self.moves = self.moves.saturating_add(u32::from(is_moved));
        if self.n == 1 {
            self.mean = value;
        }
        let weight = (1.0 / f64::from(self.n)).max(1.0 / SPREAD_N);
        let distance = value - self.mean;
        self.mean += weight * distance;
        self.variance = (1.0 - weight) * (self.variance + weight * distance * distance);
        let pace = PACE[usize::from(self.is_learned())];
        self.latest = difference.abs();
        if self.step == 0.0 {
            self.step = difference.abs();
        } else if difference.abs() > self.step {
            self.step *= 1.0 + pace * USUAL / (1.0 - USUAL);
        } else {
            self.step *= 1.0 - pace;
        }
        // A sensor at rest must not forget how it moves.
        self.step = self.step.max(1e-3 * libm::sqrt(self.variance)).min(1e150);
    }

    fn is_learned(&self) -> bool {
        self.n >= LEARNED_N && self.moves >= LEARNED_MOVES
    }

    /// How far it goes within a period, whatever it did last; none while nothing is known.
    pub(super) fn jump(&self, factor: f64) -> Option<f64> {
        let spread = JUMP_SPREAD * libm::sqrt(self.variance);
        self.is_learned().then(|| (factor * self.step).max(spread))
    }

    /// How far it may go within `steps` periods, by a factor for the usual step and a part of the spread; without bound while
    /// nothing is known.
    pub(super) fn reach(&self, factor: f64, part: f64, steps: f64) -> Reach {
        if !self.is_learned() {
            let jump = f64::INFINITY;
            return Reach { jump, width: 0.0 };
        }
        let wider = libm::sqrt(steps).min(WIDENED_MAX);
        let spread = part * JUMP_SPREAD * libm::sqrt(self.variance);
        let jump = (factor * self.step).max(spread).max(RESTLESS * self.latest);
        Reach {
            jump: wider * jump,
            width: wider * UNIT_STEPS * self.step,
        }
    }
}

/// How far a sensor may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reach {
    /// A longer jump is suspect.
    pub(super) jump: f64,
    /// Brought back to its unit, a value is not further from the one before than this.
    pub(super) width: f64,
}

/// How often a sensor sends, ms; 0 while it isn't known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Period {
    ms: f64,
    strange: u8,
}

/// Quicker sensors are not filled: the way of a message jitters by more, and a burst is no beat.
const FILLED_MS_MIN: f64 = 20.0;
/// So many strange steps in a row are a new period.
const STRANGE_MAX: u8 = 8;

impl Period {
    /// Takes the time between two trusted values.
    pub(super) fn push(&mut self, step_ms: i64) {
        let step_ms = step_ms as f64;
        if (step_ms - self.ms).abs() <= 0.25 * self.ms {
            self.strange = 0;
            self.ms += 0.1 * (step_ms - self.ms);
        } else if self.ms == 0.0 || self.strange == STRANGE_MAX {
            *self = Self {
                ms: step_ms,
                strange: 0,
            };
        } else {
            self.strange += 1;
        }
    }

    /// Its length; none while it isn't known.
    pub(super) fn ms(self) -> Option<f64> {
        (self.ms > 0.0).then_some(self.ms)
    }

    /// How many periods a time is, at least one.
    pub(super) fn steps(self, step_ms: i64) -> f64 {
        if self.ms > 0.0 {
            (step_ms as f64 / self.ms).max(1.0)
        } else {
            1.0
        }
    }

    /// How many readings should have come within a time that is longer than a period and a half.
    pub(super) fn missing(self, step_ms: i64) -> usize {
        let steps = self.steps(step_ms);
        if steps > 1.5 && self.ms >= FILLED_MS_MIN {
            (libm::round(steps) as usize).saturating_sub(1)
        } else {
            0
        }
    }
}
