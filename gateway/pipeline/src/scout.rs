//! A detector on duty: whose it is, and which kind.

use crate::detect::{Course, Detector, FULL_BLOCKS, Finding, Lite, STANDARD_BLOCKS, Together};
use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// The owner of a scout that is free.
pub(crate) const FREE: u16 = u16::MAX;

/// A detector, or room for one.
#[derive(Clone, Debug, PartialEq)]
pub struct Scout<D> {
    /// Place of its sensor.
    pub(crate) owner: u16,
    pub(crate) detector: D,
}

/// Where a sensor's detector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Among those of the least kind.
    Lite(u16),
    /// Among the standard ones.
    Standard(u16),
    /// Among the full ones.
    Full(u16),
    /// Among the charts of several signals.
    Chart(u16),
}

/// A chart of several signals, and which of them departs most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crew {
    pub(crate) together: Together,
    pub(crate) most: u8,
}

impl Default for Crew {
    fn default() -> Self {
        Self {
            together: Together::new(Course::STEADY),
            most: 0,
        }
    }
}

/// How many sensors are watched by detectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// By one of the least kind.
    pub lite: u32,
    /// By a standard one.
    pub standard: u32,
    /// By a full one.
    pub full: u32,
    /// Of these, by one that still learns: it raises no alert yet.
    pub learning: u32,
    /// Several signals of a device, by a chart.
    pub together: u32,
    /// By none, because none was left.
    pub refused: u64,
}

/// What each kind of detector can do.
pub(crate) trait Watch: Default {
    /// One value, in the order of time.
    fn look(&mut self, time: Timestamp, value: f64, calm: f32) -> Finding;
    /// Whether an alarm came within the time of rest.
    fn is_alarmed(&self) -> bool;
    /// Whether it has seen too little to judge.
    fn is_learning(&self) -> bool;
    /// Forgets everything.
    fn clear(&mut self);
}

impl Watch for Lite {
    fn look(&mut self, time: Timestamp, value: f64, calm: f32) -> Finding {
        self.push(time, value, calm)
    }

    fn is_alarmed(&self) -> bool {
        self.is_alarmed()
    }

    fn is_learning(&self) -> bool {
        self.is_learning()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<const M: usize> Watch for Detector<M> {
    fn look(&mut self, time: Timestamp, value: f64, calm: f32) -> Finding {
        self.push(time, value, calm)
    }

    fn is_alarmed(&self) -> bool {
        self.is_alarmed()
    }

    fn is_learning(&self) -> bool {
        self.is_learning()
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl<D: Default> Default for Scout<D> {
    fn default() -> Self {
        Self {
            owner: FREE,
            detector: D::default(),
        }
    }
}

/// Sets it free.
pub(crate) fn clear<D: Watch>(scout: &mut Scout<D>) {
    scout.owner = FREE;
    scout.detector.clear();
}

/// Gives the first one that is free to a sensor.
pub(crate) fn claim<D>(scouts: &mut [Scout<D>], owner: u16) -> Option<u16> {
    let free = scouts.iter().position(|scout| scout.owner == FREE)?;
    scouts[free].owner = owner;
    Some(free as u16)
}

/// What a detector makes of a value: what it found, and whether it is alarmed.
pub(crate) fn look<D: Watch>(
    scout: &mut Scout<D>,
    time: Timestamp,
    value: f64,
    calm: f32,
) -> (Finding, bool) {
    let finding = scout.detector.look(time, value, calm);
    (finding, scout.detector.is_alarmed())
}

const _: () = {
    // A sensor's detector fits beside what the sensor itself takes.
    assert!(size_of::<Scout<Lite>>() <= 256);
    assert!(size_of::<Scout<Detector<STANDARD_BLOCKS>>>() <= 3 * 1024);
    assert!(size_of::<Scout<Detector<FULL_BLOCKS>>>() <= 8 * 1024);
};
