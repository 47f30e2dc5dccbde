//! The filters of the field, for those who want what they know: Hampel's and SCREEN, each over the values around one.
//!
//! Both judge a value by three behind it, so each waits for three readings. On sensor data with known faults the gate is better.

use super::{Gate, Held, Item, Released, put};
use crate::config::{Cleaning, Method};
use crate::limits::GATE_HELD_MAX;
use crate::time::Now;
use heapless::Vec;
use serde::{Deserialize, Serialize};
use wire::{Quality, Reasons};

/// Values before the one that is judged.
const PAST: usize = 3;
/// From the median of all distances to the standard deviation, where they are normal.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// So many of these are too many (Pearson, "Outliers in process modeling and identification", 2002).
const DEVIATIONS: f64 = 3.0;

/// Values that were released last, the newest at the end; none while there is no filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Past(Vec<f64, PAST, u8>);

impl Past {
    pub(super) fn is_filtering(&self) -> bool {
        !self.0.is_empty()
    }

    fn push(&mut self, value: f64) {
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room.
        let _ = self.0.push(value);
    }
}

/// All that a value is judged by.
type Around = Vec<f64, { 2 * (PAST + GATE_HELD_MAX + 1) }>;

impl Gate {
    /// Takes a value that is possible; the one three before it is judged.
    pub(super) fn filter(&mut self, now: Now, item: Item, config: &Cleaning, out: &mut Released) {
        if self.past.0.is_empty() {
            // The first one is taken as it is: there is nothing before it.
            self.release(item, item.value, out);
            return;
        }
        if self.held.is_full() {
            let judged = self.held.remove(0).item;
            let value = match config.method {
                Method::Hampel => self.hampel(judged, item),
                Method::Screen | Method::Gate => self.screen(judged, item, config),
            };
            self.release(judged, value, out);
        }
        if self.held.is_empty() {
            self.due = Some(now.instant.after_ms(config.wait_ms_max));
        }
        // There is room: one was taken out.
        let _ = self.held.push(Held {
            item,
            is_lost: false,
        });
    }

    fn release(&mut self, item: Item, value: f64, out: &mut Released) {
        if let Some(level) = self.level {
            let step_ms = item.time.0.saturating_sub(level.at);
            self.period.push(step_ms);
            self.scale.push(value, value - level.value);
        }
        self.level = Some(super::Level {
            at: item.time.0,
            value,
        });
        self.past.push(value);
        if value.to_bits() == item.value.to_bits() {
            return put(out, item.as_sent());
        }
        let item = item.because(Quality::Uncertain, Reasons::SPIKE);
        put(out, item.repaired(value));
    }

    /// Hampel's filter: the median, where the value is too far from it. Where more than half of the values are equal, every
    /// other one would be; then it is left as it is.
    fn hampel(&self, judged: Item, newest: Item) -> f64 {
        let behind = self.held.iter().map(|held| held.item.value);
        let around = self.past.0.iter().copied().chain([judged.value]);
        let mut around: Around = around.chain(behind).chain([newest.value]).collect();
        let median = median(&mut around);
        around
            .iter_mut()
            .for_each(|value| *value = (*value - median).abs());
        let deviation = MAD_TO_DEVIATION * self::median(&mut around);
        let is_far = deviation > 0.0 && (judged.value - median).abs() > DEVIATIONS * deviation;
        if is_far { median } else { judged.value }
    }

    /// SCREEN (Song, Zhang, Wang and Yu, SIGMOD 2015), the local one: the least change after which no speed is above the bound, by
    /// the value before and those behind. The bound is learned: as many usual steps a period as a jump.
    fn screen(&self, judged: Item, newest: Item, config: &Cleaning) -> f64 {
        let (Some(level), Some(speed)) = (self.level, self.speed(config.jump)) else {
            return judged.value;
        };
        let behind = self.held.iter().map(|held| held.item).chain([newest]);
        let mut around = Around::new();
        around.extend([judged.value]);
        for item in behind {
            let way = speed * item.time.0.saturating_sub(judged.time.0) as f64;
            around.extend([item.value - way, item.value + way]);
        }
        let way = speed * judged.time.0.saturating_sub(level.at) as f64;
        median(&mut around).clamp(level.value - way, level.value + way)
    }

    /// How fast the sensor moves at most, by ms; none while it is not known.
    fn speed(&self, jump: f64) -> Option<f64> {
        Some(self.scale.jump(jump)? / self.period.ms()?)
    }
}

/// The one in the middle, the upper one of two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
