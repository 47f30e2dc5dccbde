//! How far readings are apart, usually.

use serde::{Deserialize, Serialize};

/// How much the estimate moves with each reading; within this it takes the distance as it is.
const STEP: f64 = 1.05;

/// The median distance of readings, in ms, followed in small steps, so that a gap does not count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pace {
    /// The least number: there was none yet.
    last_ms: i64,
    apart_ms: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            last_ms: i64::MIN,
            apart_ms: 0.0,
        }
    }
}

impl Pace {
    pub(super) fn push(&mut self, time_ms: i64) {
        let last_ms = core::mem::replace(&mut self.last_ms, time_ms);
        if last_ms == i64::MIN {
            return;
        }
        let apart_ms = time_ms.saturating_sub(last_ms) as f64;
        if apart_ms <= 0.0 {
            return;
        }
        let ratio = apart_ms / self.apart_ms;
        if self.apart_ms == 0.0 || (1.0 / STEP..STEP).contains(&ratio) {
            self.apart_ms = apart_ms;
        } else if ratio > 1.0 {
            self.apart_ms *= STEP;
        } else {
            self.apart_ms /= STEP;
        }
    }

    /// How many readings come in this time, between two bounds; the most as long as that is not known.
    pub(super) fn readings(&self, span_ms: f64, least: u32, most: u32) -> u32 {
        // While it is not known, the division gives infinity, and the cast the largest number.
        (libm::round(span_ms / self.apart_ms) as u32).clamp(least, most)
    }
}
