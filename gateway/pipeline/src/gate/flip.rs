//! Values that come in another unit: an affine relation to where the signal was.

use serde::{Deserialize, Serialize};

/// A wrong unit: what was sent is brought back by `value * factor + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Flip {
    factor: f64,
    offset: f64,
}

/// Units that are mixed up in the field: °F for °C, °C for °F, K for °C, and a thousand for one (mbar and bar, mV and V).
const FLIPS: [Flip; 5] = [
    Flip {
        factor: 1.0 / 1.8,
        offset: -32.0 / 1.8,
    },
    Flip {
        factor: 1.8,
        offset: 32.0,
    },
    Flip {
        factor: 1.0,
        offset: -273.15,
    },
    Flip {
        factor: 1e-3,
        offset: 0.0,
    },
    Flip {
        factor: 1e3,
        offset: 0.0,
    },
];

impl Flip {
    /// The value in the sensor's own unit.
    pub(super) fn undo(self, sent: f64) -> f64 {
        sent * self.factor + self.offset
    }

    /// The unit by which a suspect and the one behind it would both be where the signal was.
    pub(super) fn of(level: f64, first: f64, second: f64, jump_min: f64) -> Option<Self> {
        let fits = |flip: &Self| {
            (flip.undo(first) - level).abs() <= jump_min
                && (flip.undo(second) - flip.undo(first)).abs() <= jump_min
        };
        let distance = |flip: &Self| (flip.undo(first) - level).abs();
        FLIPS
            .into_iter()
            .filter(fits)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}
