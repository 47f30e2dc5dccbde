//! What is held against a limit where it isn't the value itself: how fast a signal changes, how noisy it is, and the like.
//!
//! Each takes good values in the order of time; a value that is not later than the last one does not count. The formulas stand
//! in `ALARMS.md`.

use crate::config::{Measure, Side, Threshold};
use crate::detect::Trend;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// Where a longer average is called for, it is so many times the shorter.
const LONG: f64 = 20.0;
/// Values until there is a measure of noise, drift or level.
const LEARNING: u32 = 30;
/// Values until there is a rate.
const LEARNING_RATE: u32 = 3;
/// Part of a deviation that a drift is forgiven with each value (Montgomery, "Introduction to Statistical Quality Control").
const SLACK: f64 = 0.5;
/// A sum of a drift stays below so many limits, so that it comes back.
const SUM_MAX: f64 = 2.0;
/// A value counts as at most so many deviations: one that is wrong is no drift.
const DEVIATIONS_MAX: f64 = 3.0;
/// A square counts as at most so many usual ones in what is usual.
const SQUARE_MAX: f64 = 9.0;
/// A forecast is over once the limit is further off than so many times what raised it.
const AHEAD_RATIO: f64 = 1.5;

/// What one limit of a sensor has to remember, or room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gauge(Memory);

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Memory {
    #[default]
    Empty,
    Averages(Averages),
    Noise(Noise),
    Still(Still),
    Drift(Drift),
    Trend(Trend),
}

/// What a gauge says of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measured {
    /// Not known yet, or of no meaning.
    Nothing,
    /// This is held against the limit.
    Number(f64),
    /// The limit will be crossed in so many ms, give or take so many.
    Crosses(f64, f64),
    /// It will be, but later than is asked for.
    Later,
    /// It won't be.
    Never,
}

/// A short and a long average of the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Averages {
    last: Timestamp,
    short: f64,
    long: f64,
    /// The change over the short one's time.
    change: f64,
    count: u32,
}

/// A short and a long average of squared second differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Noise {
    last: Timestamp,
    before: [f64; 2],
    short: f64,
    long: f64,
    count: u32,
}

/// Since when a value is where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Still {
    since: Timestamp,
    last: Timestamp,
    value: f64,
}

/// Mean and mean square of the first values, and the sums of what is above and below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Drift {
    first: Timestamp,
    last: Timestamp,
    mean: f64,
    square: f64,
    count: u32,
    above: f64,
    below: f64,
}

impl Gauge {
    /// Takes a value, and says what it makes of it.
    pub(crate) fn push(&mut self, threshold: &Threshold, time: Timestamp, value: f64) -> Measured {
        match threshold.of {
            Measure::Value | Measure::Together => Measured::Number(value),
            Measure::Rate { over_ms } => self.averages(time, value, over_ms).rate(),
            Measure::Level { over_ms } => self.averages(time, value, over_ms).level(),
            Measure::Noise { over_ms } => self.noise(time, value, over_ms).deviation(),
            Measure::Burst { over_ms } => self.noise(time, value, over_ms).burst(),
            Measure::Stuck { within } => self.still(time, value, f64::from(within)),
            Measure::Drift { learn_ms } => self.drift(time, value, learn_ms, threshold.limit),
            Measure::Forecast { over_ms, ahead_ms } => {
                let ahead_ms = f64::from(ahead_ms);
                self.forecast(time, value, over_ms, ahead_ms, threshold)
            }
        }
    }

    fn averages(&mut self, time: Timestamp, value: f64, over_ms: u32) -> Averages {
        let mut averages = match self.0 {
            Memory::Averages(averages) => averages,
            Memory::Empty
            | Memory::Noise(_)
            | Memory::Still(_)
            | Memory::Drift(_)
            | Memory::Trend(_) => Averages {
                last: time,
                short: value,
                long: value,
                change: 0.0,
                count: 0,
            },
        };
        averages.push(time, value, f64::from(over_ms));
        self.0 = Memory::Averages(averages);
        averages
    }

    fn noise(&mut self, time: Timestamp, value: f64, over_ms: u32) -> Noise {
        let mut noise = match self.0 {
            Memory::Noise(noise) => noise,
            Memory::Empty
            | Memory::Averages(_)
            | Memory::Still(_)
            | Memory::Drift(_)
            | Memory::Trend(_) => Noise {
                last: time,
                before: [value; 2],
                short: 0.0,
                long: 0.0,
                count: 0,
            },
        };
        noise.push(time, value, f64::from(over_ms));
        self.0 = Memory::Noise(noise);
        noise
    }

    fn still(&mut self, time: Timestamp, value: f64, within: f64) -> Measured {
        let mut still = match self.0 {
            Memory::Still(still) if (value - still.value).abs() <= within => still,
            _ => Still {
                since: time,
                last: time,
                value,
            },
        };
        still.last = still.last.max(time);
        self.0 = Memory::Still(still);
        Measured::Number(still.last.0.saturating_sub(still.since.0) as f64)
    }

    fn drift(&mut self, time: Timestamp, value: f64, learn_ms: u32, limit: f64) -> Measured {
        let mut drift = match self.0 {
            Memory::Drift(drift) => drift,
            _ => Drift {
                first: time,
                last: Timestamp(i64::MIN),
                mean: 0.0,
                square: 0.0,
                count: 0,
                above: 0.0,
                below: 0.0,
            },
        };
        let measured = drift.push(time, value, learn_ms, limit);
        self.0 = Memory::Drift(drift);
        measured
    }

    fn forecast(
        &mut self,
        time: Timestamp,
        value: f64,
        over_ms: u32,
        ahead_ms: f64,
        threshold: &Threshold,
    ) -> Measured {
        let mut trend = match self.0 {
            Memory::Trend(trend) => trend,
            _ => Trend::new(f64::from(over_ms)),
        };
        trend.push(time, value);
        self.0 = Memory::Trend(trend);
        let is_beyond = match threshold.side {
            Side::Above | Side::Beyond => value > threshold.limit,
            Side::Below => value < threshold.limit,
        };
        if is_beyond || !trend.is_known() {
            return Measured::Nothing;
        }
        match trend.crossing(threshold.limit, AHEAD_RATIO * ahead_ms) {
            // What may as well be twice as late, or now, is no forecast yet.
            Some(crossing) if crossing.in_ms <= ahead_ms && crossing.give_ms <= crossing.in_ms => {
                Measured::Crosses(crossing.in_ms, crossing.give_ms)
            }
            Some(_) => Measured::Later,
            None => Measured::Never,
        }
    }
}

/// Weight of a value that comes this long after the last one.
fn weight(apart_ms: f64, over_ms: f64, count: u32) -> f64 {
    let weight = 1.0 - libm::exp(-apart_ms / over_ms);
    // As long as little is known, all of it counts alike.
    weight.max(1.0 / f64::from(count.max(1))).min(1.0)
}

impl Averages {
    fn push(&mut self, time: Timestamp, value: f64, over_ms: f64) {
        if time <= self.last && self.count > 0 {
            return;
        }
        let apart_ms = time.0.saturating_sub(self.last.0) as f64;
        self.last = time;
        self.count = self.count.saturating_add(1);
        self.long += (value - self.long) * weight(apart_ms, LONG * over_ms, self.count);
        if apart_ms > 0.0 {
            // Behind a steady slope the average lags by this much less than the change over its time.
            let share = 1.0 - libm::exp(-apart_ms / over_ms);
            self.change = (value - self.short) * share * over_ms / apart_ms;
            self.short += (value - self.short) * share;
        }
    }

    fn rate(self) -> Measured {
        match self.count {
            0..LEARNING_RATE => Measured::Nothing,
            _ => Measured::Number(self.change),
        }
    }

    fn level(self) -> Measured {
        match self.count {
            0..LEARNING => Measured::Nothing,
            _ => Measured::Number(self.short - self.long),
        }
    }
}

impl Noise {
    fn push(&mut self, time: Timestamp, value: f64, over_ms: f64) {
        if time <= self.last && self.count > 0 {
            return;
        }
        let apart_ms = time.0.saturating_sub(self.last.0) as f64;
        let [earlier, last] = self.before;
        self.last = time;
        self.before = [last, value];
        self.count = self.count.saturating_add(1);
        if self.count < 3 {
            return;
        }
        // The second difference of white noise has six times its variance, and a slope has none.
        let difference = value - 2.0 * last + earlier;
        let square = difference * difference / 6.0;
        let known = self.count - 2;
        self.short += (square - self.short) * weight(apart_ms, over_ms, known);
        let usual = if known < LEARNING {
            square
        } else {
            square.min(SQUARE_MAX * self.long)
        };
        self.long += (usual - self.long) * weight(apart_ms, LONG * over_ms, known);
    }

    fn deviation(self) -> Measured {
        match self.count {
            0..LEARNING => Measured::Nothing,
            _ => Measured::Number(libm::sqrt(self.short)),
        }
    }

    fn burst(self) -> Measured {
        if self.count < LEARNING || self.long <= 0.0 {
            return Measured::Nothing;
        }
        Measured::Number(libm::sqrt(self.short / self.long))
    }
}

impl Drift {
    fn push(&mut self, time: Timestamp, value: f64, learn_ms: u32, limit: f64) -> Measured {
        if time <= self.last {
            return Measured::Nothing;
        }
        self.last = time;
        let learned_ms = time.0.saturating_sub(self.first.0);
        if learned_ms <= i64::from(learn_ms) || self.count < LEARNING {
            self.count = self.count.saturating_add(1);
            let before = value - self.mean;
            self.mean += before / f64::from(self.count);
            self.square += (before * (value - self.mean) - self.square) / f64::from(self.count);
            return Measured::Nothing;
        }
        let deviation = libm::sqrt(self.square);
        if deviation <= 0.0 {
            return Measured::Nothing;
        }
        let off = ((value - self.mean) / deviation).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX);
        let most = SUM_MAX * limit.abs();
        self.above = (self.above + off - SLACK).clamp(0.0, most);
        self.below = (self.below - off - SLACK).clamp(0.0, most);
        Measured::Number(if self.above >= self.below {
            self.above
        } else {
            -self.below
        })
    }
}

#[cfg(test)]
mod tests;
