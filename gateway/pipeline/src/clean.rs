//! The stages of cleaning: which reading is a duplicate, which time holds, which value is possible, which sensor is stuck.

use crate::config::SensorConfig;
use crate::expression::Expression;
use crate::limits::{RECENT_MAX, TIME_MS_MAX, TIME_MS_MIN, VALUE_ABS_MAX};
use crate::time::Now;
use serde::{Deserialize, Serialize};
use wire::{Clock, Quality, Reasons, Timestamp};

/// The last readings of a sensor as they were sent, to know a duplicate by.
///
/// Only an equal pair of time and value is one. Equal time alone is not: a clock that is set back an hour lands on earlier
/// times. A reading that carries no time is never one. Pairs are kept as 64 bits that are mixed of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    pairs: [u64; RECENT_MAX],
    newest: i64,
    len: u8,
    next: u8,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            pairs: [0; RECENT_MAX],
            newest: i64::MIN,
            len: 0,
            next: 0,
        }
    }
}

impl Recent {
    /// Whether this reading is among the last ones; if it is not, it is from now on.
    pub(crate) fn is_duplicate(&mut self, time: Timestamp, value: f64) -> bool {
        let (time, pair) = (time.0, mixed(time.0 as u64, value.to_bits()));
        if time > self.newest {
            self.newest = time;
        } else {
            let known = usize::from(self.len);
            if self.pairs[..known].contains(&pair) {
                return true;
            }
        }
        let next = usize::from(self.next);
        self.pairs[next] = pair;
        self.next = ((next + 1) % RECENT_MAX) as u8;
        self.len = (self.len + 1).min(RECENT_MAX as u8);
        false
    }

    /// Whether its places are places.
    pub(crate) fn is_sound(&self) -> bool {
        usize::from(self.len) <= RECENT_MAX && usize::from(self.next) < RECENT_MAX
    }
}

/// Both as one number, each bit of which depends on all of theirs: the last stage of SplitMix64 (Steele et al. 2014), twice.
const fn mixed(a: u64, b: u64) -> u64 {
    const fn stir(mut x: u64) -> u64 {
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }
    stir(stir(a).wrapping_add(b))
}

/// The event time that holds, and why if it is not the sensor's.
///
/// A gateway whose own clock is not set yet can't say that a sensor is ahead.
pub(crate) fn judge_time(
    now: Now,
    clock: Clock,
    config: &SensorConfig,
    time: Option<Timestamp>,
) -> (Timestamp, Reasons) {
    let is_synced = clock == Clock::Synced && now.wall.0 >= TIME_MS_MIN;
    let reasons = if is_synced {
        Reasons::NONE
    } else {
        Reasons::CLOCK_UNSYNCED
    };
    let latest = if is_synced {
        now.wall.0.saturating_add(i64::from(config.future_ms_max))
    } else {
        TIME_MS_MAX
    };
    match time {
        None => (now.wall, reasons | Reasons::ARRIVAL_TIME),
        Some(time) if time.0 < TIME_MS_MIN => (now.wall, reasons | Reasons::TIME_REPAIRED),
        Some(time) if time.0 > latest => (now.wall, reasons | Reasons::FUTURE),
        Some(time) => (time, reasons),
    }
}

/// What was sent, in the sensor's unit.
pub(crate) fn scaled(config: &SensorConfig, raw: f64) -> f64 {
    if config.scale == 1.0 && config.offset == 0.0 {
        raw
    } else {
        raw * config.scale + config.offset
    }
}

/// The quality of a reading by itself: what was sent, and what it is in the sensor's unit.
pub(crate) fn judge_value(
    config: &SensorConfig,
    condition: Option<&Expression>,
    raw: f64,
    value: f64,
) -> (Quality, Reasons) {
    let is_possible = |value: f64| match config.range {
        Some(range) => (range.min..=range.max).contains(&value),
        None => true,
    };
    let is_unwanted = |condition: &Expression| condition.holds(value);
    if !raw.is_finite() {
        (Quality::Bad, Reasons::NOT_FINITE)
    } else if config.sentinels.contains(&raw) {
        (Quality::Bad, Reasons::SENTINEL)
    } else if !value.is_finite() || value.abs() > VALUE_ABS_MAX || !is_possible(value) {
        (Quality::Bad, Reasons::OUT_OF_RANGE)
    } else if condition.is_some_and(is_unwanted) {
        (Quality::Bad, Reasons::CONDITION)
    } else {
        (Quality::Good, Reasons::NONE)
    }
}

/// Since when a sensor's value is what it is: values one behind the other that are like the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steady {
    bits: u64,
    since: Timestamp,
}

impl Default for Steady {
    /// Before the first value: none comes behind that time.
    fn default() -> Self {
        Self {
            bits: 0,
            since: Timestamp(i64::MAX),
        }
    }
}

impl Steady {
    /// Takes a value that is possible and not late; whether it has been the same, give or take `width`, for longer than
    /// `stuck_ms`.
    pub(crate) fn is_stuck(
        &mut self,
        time: Timestamp,
        value: f64,
        stuck_ms: u32,
        width: f64,
    ) -> bool {
        let bits = value.to_bits();
        let is_near = width > 0.0 && (f64::from_bits(self.bits) - value).abs() <= width;
        let goes_on = (self.bits == bits || is_near) && self.since <= time;
        if !goes_on {
            *self = Self { bits, since: time };
        }
        time.0.saturating_sub(self.since.0) > i64::from(stuck_ms)
    }
}

#[cfg(test)]
mod tests;
