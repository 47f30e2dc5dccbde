//! What is unusual for this sensor, without settings: a score of how rare its latest readings are, and when it is an alarm.
//!
//! Nothing is known in advance: neither range nor length nor rate. Five views give a size each, each size a rarity by the sizes
//! before it, and the sum of the rarities is the score:
//! * *shapes*: the newest stretch against all earlier ones, at three time scales (left discord of the matrix profile, Yeh et al.
//!   2016, with a ring instead of the whole past);
//! * *level*: a fast average against a slow one (EWMA chart, Roberts 1959);
//! * *hour*: a value against the usual one of the hour of the day.
//!
//! Feed it what is valid but not repaired: what a repair takes away is what is to be found.

mod chart;
mod pace;
mod shapes;
mod tail;
mod together;
mod trend;
mod watch;

use self::chart::{Chart, Day};
use self::pace::Pace;
pub(crate) use self::shapes::Shapes;
use self::tail::Tail;
pub use self::together::{Course, Departure, Together};
pub use self::trend::{Crossing, Forecast, Trend};
use self::watch::Watch;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// Blocks that a detector of the standard kind remembers at each scale: two days of half hours, five of hours.
pub const STANDARD_BLOCKS: usize = 128;
/// Blocks that a detector of the full kind remembers at each scale: three weeks of hours.
pub const FULL_BLOCKS: usize = 504;

/// The score of an alarm, for a detector with all views. On a plateau: two less or one more change the score of the published
/// benchmark by less than its noise.
const THETA: f32 = 12.0;
/// The same for the level alone.
const THETA_LITE: f32 = 3.0;
/// Readings without an alarm at first: what is rare is not known yet.
const LEARNING: u32 = 300;
/// How much an alarm raises the limit of the next ones.
const HABIT: f32 = 0.15;
/// What is left of a habit with each reading: half of it after two thousand.
const HABIT_DECAY: f32 = 0.999_667;
/// After an alarm the next must be this much stronger, until the sensor has rested.
const REST_BROKEN_BY: f32 = 2.0;
/// How long it rests, in ms, and in readings at least and at most.
const REST_MS: f64 = 36_000_000.0;
const REST_READINGS: [u32; 2] = [48, 120];
/// Length of a block at each scale, in ms, its readings at most, and how many blocks are compared.
const SCALES: [(f64, u32, usize); 3] =
    [(900_000.0, 3, 8), (1_800_000.0, 6, 4), (3_600_000.0, 12, 4)];
/// How much the rarity of a shape counts against that of the others.
const SHAPE_WEIGHT: f32 = 2.0;
/// Sizes below and above are as good as these: nothing, and what no histogram has room for.
const SIZE_MIN: f32 = 1e-6;
/// How much a size itself adds to its rarity, at most, in powers of ten above a tenth.
const SIZE_ADDS_MAX: f32 = 2.5;
/// Shapes are kept relative to the first value, within this: four billion squares of it fit 32-bit floats.
const OFFSET_ABS_MAX: f64 = 1e14;

/// How a detector sees a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// A stretch of this number of blocks of 15 min, 30 min or 1 h.
    Shape,
    /// The average of the last few values.
    #[default]
    Level,
    /// The hour of the day.
    Hour,
}

/// What a detector found in a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// How unusual it is.
    pub score: f32,
    /// From where on it would be an alarm.
    pub limit: f32,
    /// Whether it is one.
    pub is_alarm: bool,
    /// Which view adds most to the score.
    pub view: View,
    /// How large that view finds it, in its standard deviations.
    pub size: f32,
    /// How rare such a size is: one in so many.
    pub one_in: f32,
}

/// The least kind: the level alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lite {
    chart: Chart,
    level: Tail,
    pace: Pace,
    watch: Watch,
}

/// All views, with `M` blocks of memory at each scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detector<const M: usize> {
    pub(crate) front: Front,
    pub(crate) shapes: [Shapes<M>; 3],
}

/// What is the same in each kind that has all views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Front {
    chart: Chart,
    day: Day,
    pace: Pace,
    watch: Watch,
    tails: [Tail; 5],
    spread: Spread,
}

/// Mean and spread of all values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Spread {
    first: f64,
    mean: f64,
    square: f64,
    count: u32,
}

impl Spread {
    fn push(&mut self, value: f64) {
        if self.count == 0 {
            self.first = value;
        }
        self.count = self.count.saturating_add(1);
        let before = value - self.mean;
        self.mean += before / f64::from(self.count);
        self.square += (before * (value - self.mean) - self.square) / f64::from(self.count);
    }

    fn deviation(&self) -> f32 {
        libm::sqrt(self.square) as f32
    }
}

/// The rarest view so far, while a score is summed.
#[derive(Default)]
struct Sum {
    finding: Finding,
    most: f32,
}

impl Sum {
    /// Adds what a view finds; nothing if the size is as usual.
    fn add(&mut self, view: View, size: f32, tail: &mut Tail, weight: f32) {
        let size = size.max(SIZE_MIN);
        let log = libm::log10f(size);
        let rarity = tail.rarity(log);
        if rarity <= 0.0 {
            return;
        }
        let term = weight * (rarity + (1.0 + log).min(SIZE_ADDS_MAX)).max(0.0);
        self.finding.score += term;
        if term > self.most {
            self.most = term;
            self.finding.view = view;
            self.finding.size = size;
            self.finding.one_in = libm::exp10f(rarity);
        }
    }

    fn judged(self, watch: &mut Watch, theta: f32, rest: u32) -> Finding {
        let limit = watch.limit(theta);
        let is_alarm = watch.step(self.finding.score, theta, rest);
        Finding {
            limit,
            is_alarm,
            ..self.finding
        }
    }
}

impl Lite {
    /// One value, in the order of time. `calm` raises the limit (2: half as keen).
    pub fn push(&mut self, time: Timestamp, value: f64, calm: f32) -> Finding {
        self.pace.push(time.0);
        let mut sum = Sum::default();
        sum.add(
            View::Level,
            self.chart.push(value) as f32,
            &mut self.level,
            1.0,
        );
        sum.judged(&mut self.watch, THETA_LITE * calm, rest(&self.pace))
    }

    /// Whether it has seen too little to judge.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.watch.is_learning()
    }

    /// Whether an alarm came within the time of rest.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.watch.is_within(rest(&self.pace))
    }

    /// Whether a checkpoint could have made it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.level.is_sound()
    }
}

impl<const M: usize> Detector<M> {
    /// One value, in the order of time. `calm` raises the limit (2: half as keen).
    pub fn push(&mut self, time: Timestamp, value: f64, calm: f32) -> Finding {
        let front = &mut self.front;
        front.pace.push(time.0);
        front.spread.push(value);
        let offset = (value - front.spread.first).clamp(-OFFSET_ABS_MAX, OFFSET_ABS_MAX) as f32;
        let deviation = front.spread.deviation();
        let [level, hour, tails @ ..] = &mut front.tails;
        let mut sum = Sum::default();
        for ((shapes, (ms, most, stretch)), tail) in self.shapes.iter_mut().zip(SCALES).zip(tails) {
            let block = front.pace.readings(ms, 1, most) as u16;
            if let Some(distance) = shapes.push(offset, block, stretch)
                && deviation > 0.0
            {
                sum.add(View::Shape, distance / deviation, tail, SHAPE_WEIGHT);
            }
        }
        sum.add(View::Level, front.chart.push(value) as f32, level, 1.0);
        sum.add(View::Hour, front.day.push(time.0, offset), hour, 1.0);
        sum.judged(&mut front.watch, THETA * calm, rest(&front.pace))
    }

    /// Whether an alarm came within the time of rest.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.front.watch.is_within(rest(&self.front.pace))
    }

    /// Whether it has seen too little to judge.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.front.watch.is_learning()
    }

    /// Forgets everything, in place: it is too large to be moved about.
    pub fn clear(&mut self) {
        self.front = Front::default();
        self.shapes.iter_mut().for_each(Shapes::clear);
    }

    /// Whether a checkpoint could have made it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.front.is_sound() && self.shapes.iter().all(Shapes::is_sound)
    }
}

impl Front {
    pub(crate) fn is_sound(&self) -> bool {
        self.day.is_sound() && self.tails.iter().all(Tail::is_sound)
    }
}

/// Readings without a further alarm, unless it is much stronger.
fn rest(pace: &Pace) -> u32 {
    let [least, most] = REST_READINGS;
    pace.readings(REST_MS, least, most)
}

const _: () = {
    assert!(size_of::<Lite>() <= 256);
    assert!(
        size_of::<Detector<STANDARD_BLOCKS>>() + crate::limits::SENSOR_LITE_BYTES_MAX <= 4 * 1024
    );
    assert!(size_of::<Detector<FULL_BLOCKS>>() + crate::limits::SENSOR_LITE_BYTES_MAX <= 16 * 1024);
};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tests_noise;
