//! Values that come in another unit: an affine relation to where the signal was.

use crate::config::Unit;
use serde::{Deserialize, Serialize};

/// How much wider a jump must be than what the unit would bring back to the level.
const TELLING: f64 = 1.5;

/// A wrong unit: what was sent is brought back by `value * factor + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Flip {
    factor: f64,
    offset: f64,
}

impl From<Unit> for Flip {
    fn from(unit: Unit) -> Self {
        let (factor, offset) = match unit {
            Unit::Fahrenheit => (1.0 / 1.8, -32.0 / 1.8),
            Unit::Celsius => (1.8, 32.0),
            Unit::Kelvin => (1.0, -273.15),
            Unit::Milli => (1e-3, 0.0),
            Unit::Kilo => (1e3, 0.0),
        };
        Self { factor, offset }
    }
}

impl Flip {
    /// The value in the sensor's own unit.
    pub(super) fn undo(self, sent: f64) -> f64 {
        sent * self.factor + self.offset
    }

    /// Whether what was sent is, in this unit, where the signal was, give or take `width`. Where so much would be that it says
    /// nothing, it is not: a thousandth of anything is near zero.
    pub(super) fn fits(self, level: f64, sent: f64, width: f64) -> bool {
        (self.undo(sent) - level).abs() <= width
            && (sent - level).abs() >= TELLING * width / self.factor
    }

    /// The unit by which a suspect and the one behind it would both be where the signal was.
    pub(super) fn of(
        units: &[Unit],
        level: f64,
        first: f64,
        second: f64,
        width: f64,
    ) -> Option<Self> {
        let distance = |flip: &Self| (flip.undo(first) - level).abs();
        units
            .iter()
            .map(|unit| Self::from(*unit))
            .filter(|flip| flip.fits(level, first, width))
            .filter(|flip| flip.fits(flip.undo(first), second, width))
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}
