//! Values for readings that did not come or could not be used: on the line between two that can be trusted.

use super::scale::Period;
use super::{Cleaned, Released, put};
use crate::config::{Cleaning, Fill};
use crate::limits::{GATE_FILLED_MAX, GATE_HELD_MAX, GATE_RELEASED_MAX};
use wire::{Content, Flags, Quality, Reasons, Timestamp};

/// The line, or the level, from one trusted value to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) from: i64,
    pub(super) to: i64,
    value: f64,
    difference: f64,
}

impl Line {
    pub(super) fn new(from: i64, value: f64, to: i64, value_to: f64, fill: Fill) -> Self {
        let difference = match fill {
            Fill::Hold => 0.0,
            Fill::Linear | Fill::None => value_to - value,
        };
        Self {
            from,
            to,
            value,
            difference,
        }
    }

    pub(super) fn at(&self, time: i64) -> f64 {
        let length = self.to.saturating_sub(self.from).max(1) as f64;
        self.value + self.difference * (time.saturating_sub(self.from) as f64 / length)
    }

    /// Fills the slots between two readings that came, if they are not too many.
    pub(super) fn fill(
        &self,
        from: i64,
        to: i64,
        period: Period,
        config: &Cleaning,
        arrival: Timestamp,
        out: &mut Released,
    ) {
        let length = to.saturating_sub(from);
        let missing = period.missing(length);
        let is_wanted = config.fill != Fill::None && length <= i64::from(config.fill_ms_max);
        // What waits must still find its place behind the filled ones.
        let room = (GATE_RELEASED_MAX - GATE_HELD_MAX - 1).saturating_sub(out.len());
        if !is_wanted || missing > GATE_FILLED_MAX.min(room) {
            return;
        }
        for nth in 1..=missing as i64 {
            let time = from + length * nth / (missing as i64 + 1);
            put(
                out,
                Cleaned {
                    time: Timestamp(time),
                    arrival,
                    content: Content::Filled(self.at(time)),
                    flags: Flags::new(Quality::Uncertain, Reasons::FILLED),
                },
            );
        }
    }
}
