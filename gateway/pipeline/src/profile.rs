//! What is usual for a signal, learned on the box in fixed memory: range, noise, how regularly it sends, its best period, what it
//! goes along with, and how healthy it is.

mod course;

use self::course::Course;
use crate::gate::Cleaned;
use crate::sensor::{Counts, NEVER};
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use wire::{Quality, Reasons, SensorId, Sketch};

/// No sensor owns this miner.
pub(crate) const FREE: u16 = u16::MAX;
/// How fast noise and sampling period follow, on a logarithmic scale (Robbins and Monro, 1951).
const PACE: f64 = 0.02;
/// Steps after which the sampling period may be relied on.
const LEARNED_N: u32 = 64;
/// From the median distance to the line between both neighbours to the standard deviation of white noise.
const MEDIAN_TO_DEVIATION: f64 = 0.6745 * 1.224_744_871_391_589;
/// Signals that a profile names as going along.
pub const PARTNERS_MAX: usize = 3;
/// Values in which two signals must overlap to be compared.
const OVERLAP_MIN: usize = 24;
/// Weaker correlations are not told.
const CORRELATION_MIN: f64 = 0.7;

/// What is learned of one signal, or room for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Miner {
    /// Whose it is.
    pub(crate) owner: u16,
    /// When it is told next.
    pub(crate) due: Instant,
    sketch: Sketch,
    course: Course,
    /// The last two values.
    last: [f64; 2],
    last_at: i64,
    least: f64,
    most: f64,
    /// Median distance of a value to the line between its neighbours.
    residual: f64,
    /// Median step, ms.
    period_ms: f64,
    values: u32,
    steps: u32,
    regular: u32,
    gaps: u32,
    mended: u32,
    stuck: u32,
}

impl Default for Miner {
    fn default() -> Self {
        Self {
            owner: FREE,
            due: NEVER,
            sketch: Sketch::default(),
            course: Course::default(),
            last: [f64::NAN; 2],
            last_at: i64::MIN,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            residual: 0.0,
            period_ms: 0.0,
            values: 0,
            steps: 0,
            regular: 0,
            gaps: 0,
            mended: 0,
            stuck: 0,
        }
    }
}

/// What a signal is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Values that it is about.
    pub values: u32,
    /// The typical range: 1 % of the values are below, 1 % above; and the median.
    pub range: [f64; 3],
    /// Standard deviation of the noise: what a value has that both neighbours have not.
    pub noise: f64,
    /// From one reading to the next as a rule, in ms.
    pub sampling_ms: Option<f64>,
    /// Share of the steps that are within a quarter of that.
    pub regularity: Option<f64>,
    /// Its best period in ms, and the autocorrelation there; none if it has none.
    pub season: Option<(f64, f64)>,
    /// Signals of the same device that go along with it, and how far (Pearson's r): the strongest first.
    pub partners: [Option<(SensorId, f64)>; PARTNERS_MAX],
    /// From 0 to 100; what is missing to 100 is told by the losses.
    pub health: u8,
    /// Points that were lost, by cause.
    pub losses: [Loss; 7],
}

/// Points of health that were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// By what.
    pub cause: &'static str,
    /// How many.
    pub points: u8,
}

impl Miner {
    /// Takes a row of its sensor.
    pub(crate) fn push(&mut self, row: &Cleaned) {
        let reasons = row.flags.reasons();
        let is_mended = [Reasons::SPIKE, Reasons::UNIT, Reasons::FILLED]
            .into_iter()
            .any(|reason| reasons.contains(reason));
        self.mended += u32::from(is_mended);
        self.stuck += u32::from(reasons.contains(Reasons::STUCK));
        let is_usual = row.flags.quality() == Quality::Good;
        let Some(value) = row.content.value().filter(|_| is_usual) else {
            return;
        };
        self.values = self.values.saturating_add(1);
        self.sketch.push(value);
        self.least = libm::fminimum_num(self.least, value);
        self.most = libm::fmaximum_num(self.most, value);
        let at = row.time.0;
        if at > self.last_at {
            if self.last_at > i64::MIN {
                self.step(at.saturating_sub(self.last_at) as f64);
            }
            self.course.push(at, value);
            self.note_residual(value);
            self.last_at = at;
        }
    }

    fn step(&mut self, step_ms: f64) {
        self.period_ms = follow(self.period_ms, step_ms);
        self.steps = self.steps.saturating_add(1);
        if self.steps > LEARNED_N {
            let is_regular = (step_ms - self.period_ms).abs() <= 0.25 * self.period_ms;
            self.regular += u32::from(is_regular);
            self.gaps += u32::from(step_ms > 3.0 * self.period_ms);
        }
    }

    fn note_residual(&mut self, value: f64) {
        let [before, between] = self.last;
        let residual = (between - 0.5 * before - 0.5 * value).abs();
        if residual.is_finite() {
            self.residual = follow(self.residual, residual);
        }
        self.last = [between, value];
    }

    /// What is known; none before there are values.
    pub(crate) fn profile(&self, counts: Counts) -> Option<Profile> {
        let quantile = |part| self.sketch.quantile(part, self.least, self.most);
        let judged = self.steps.saturating_sub(LEARNED_N);
        let share = |count: u32| (judged > 0).then(|| f64::from(count) / f64::from(judged));
        let losses = self.losses(counts);
        let lost = losses
            .iter()
            .map(|loss| u32::from(loss.points))
            .sum::<u32>();
        Some(Profile {
            values: self.values,
            range: [quantile(0.01)?, quantile(0.5)?, quantile(0.99)?],
            noise: self.residual / MEDIAN_TO_DEVIATION,
            sampling_ms: (judged > 0).then_some(self.period_ms),
            regularity: share(self.regular),
            season: self.course.season(),
            partners: [None; PARTNERS_MAX],
            health: 100_u32.saturating_sub(lost) as u8,
            losses,
        })
    }

    /// How far the courses of two signals go along.
    pub(crate) fn correlation(&self, other: &Self) -> Option<f64> {
        let (r, n) = self.course.correlation(&other.course)?;
        (n >= OVERLAP_MIN && r.abs() >= CORRELATION_MIN).then_some(r)
    }

    /// Whether a checkpoint could have made it.
    pub(crate) fn is_sound(&self) -> bool {
        self.course.is_sound()
    }

    /// Each cause costs so many points for a share of all readings, up to a most.
    fn losses(&self, counts: Counts) -> [Loss; 7] {
        let readings = counts.readings.max(1);
        let judged = self.steps.saturating_sub(LEARNED_N);
        let irregular = judged - self.regular.min(judged);
        let loss = |cause, count: u32, of: u32, points: f64, most: f64| {
            let share = f64::from(count) / f64::from(of.max(1));
            let points = (points * share).min(most) as u8;
            Loss { cause, points }
        };
        [
            loss("bad", counts.bad, readings, 400.0, 40.0),
            loss("stuck", self.stuck, readings, 100.0, 30.0),
            loss("mended", self.mended, readings, 200.0, 20.0),
            loss("gaps", self.gaps, judged, 400.0, 20.0),
            loss("late", counts.late, readings, 100.0, 15.0),
            loss("irregular", irregular, judged, 20.0, 15.0),
            loss("duplicates", counts.duplicates, readings, 50.0, 10.0),
        ]
    }
}

impl Profile {
    /// Takes a signal among the partners, if it is one of the strongest.
    pub(crate) fn take_partner(&mut self, sensor: SensorId, r: f64) {
        let strength = |partner: &Option<(SensorId, f64)>| partner.map_or(0.0, |(_, r)| r.abs());
        let weaker = |partner: &Option<(SensorId, f64)>| strength(partner) < r.abs();
        if let Some(nth) = self.partners.iter().position(weaker) {
            self.partners[nth..].rotate_right(1);
            self.partners[nth] = Some((sensor, r));
        }
    }
}

/// A median that follows: a little up where the value is above it, a little down where not.
fn follow(median: f64, value: f64) -> f64 {
    if median <= 0.0 {
        value
    } else if value > median {
        (median * (1.0 + PACE)).min(1e300)
    } else {
        median * (1.0 - PACE)
    }
}

#[cfg(test)]
mod tests;
