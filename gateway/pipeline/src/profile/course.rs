//! The course of a signal in a few averages: as fine as they can be for the time they cover, and on the same grid for all signals.

use serde::{Deserialize, Serialize};

/// Averages that are kept, in two halves: arrays of this length have what a checkpoint needs.
const HALF: usize = 32;
const SLOTS: usize = 4 * HALF;
/// The finest grid, ms.
const FINEST_MS: i64 = 1_000;
/// The coarsest: three weeks are covered.
const COARSEST_MS: i64 = FINEST_MS << 14;
/// Autocorrelation from which a period is one.
const SEASON_MIN: f64 = 0.4;
/// Slots that must be filled before any is told.
const FILLED_MIN: usize = 48;

/// Averages by slots of equal length, which double when the time they cover is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Course {
    slot_ms: i64,
    /// Number of the first slot: its time divided by the length.
    first: i64,
    /// No number where nothing came.
    slots: [[f32; HALF]; 4],
    /// Slots up to the newest.
    len: u16,
    /// Values in the newest.
    count: u32,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            slot_ms: FINEST_MS,
            first: 0,
            slots: [[f32::NAN; HALF]; 4],
            len: 0,
            count: 0,
        }
    }
}

impl Course {
    /// Adds a value; one that belongs to an older slot than the newest is passed over.
    pub(super) fn push(&mut self, at: i64, value: f64) {
        if self.len == 0 {
            self.first = at.div_euclid(self.slot_ms);
        }
        let mut nth = at.div_euclid(self.slot_ms).saturating_sub(self.first);
        while nth >= SLOTS as i64 {
            if self.slot_ms < COARSEST_MS {
                self.double();
            } else {
                self.forget(nth - SLOTS as i64 + 1);
            }
            nth = at.div_euclid(self.slot_ms).saturating_sub(self.first);
        }
        let newest = i64::from(self.len) - 1;
        if nth < newest || nth < 0 {
            return;
        }
        if nth > newest {
            self.len = nth as u16 + 1;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        let slot = &mut self.slots.as_flattened_mut()[nth as usize];
        *slot = match self.count {
            1 => value as f32,
            count => *slot + (value as f32 - *slot) / count as f32,
        };
    }

    /// Puts every two slots together.
    fn double(&mut self) {
        let before = self.clone();
        self.slot_ms *= 2;
        self.first = before.first.div_euclid(2);
        self.slots = [[f32::NAN; HALF]; 4];
        self.len = 0;
        self.count = 0;
        for (nth, value) in before.values() {
            let place = ((before.first + nth as i64).div_euclid(2) - self.first) as usize;
            let slot = &mut self.slots.as_flattened_mut()[place];
            *slot = if slot.is_nan() {
                value as f32
            } else {
                0.5 * (*slot + value as f32)
            };
            self.len = self.len.max(place as u16 + 1);
        }
    }

    /// Lets go of the oldest slots.
    fn forget(&mut self, count: i64) {
        let gone = usize::try_from(count).map_or(SLOTS, |count| count.min(SLOTS));
        let slots = self.slots.as_flattened_mut();
        slots.copy_within(gone.., 0);
        slots[SLOTS - gone..].fill(f32::NAN);
        self.first = self.first.saturating_add(count);
        self.len = self.len.saturating_sub(gone as u16);
    }

    fn values(&self) -> impl Iterator<Item = (usize, f64)> {
        let slots = self.slots.as_flattened().iter().enumerate();
        slots
            .filter(|(_, value)| value.is_finite())
            .map(|(nth, value)| (nth, f64::from(*value)))
    }

    /// The lag in ms at which it is most like itself, behind the first at which it is not, and how much.
    pub(super) fn season(&self) -> Option<(f64, f64)> {
        let n = self.values().count();
        if n < FILLED_MIN {
            return None;
        }
        let mean = self.values().map(|(_, value)| value).sum::<f64>() / n as f64;
        let variance = self
            .values()
            .map(|(_, value)| (value - mean) * (value - mean));
        let variance = variance.sum::<f64>() / n as f64;
        if variance <= 0.0 || !variance.is_finite() {
            return None;
        }
        let slots = self.slots.as_flattened();
        let likeness = |lag: usize| {
            let pairs = slots.iter().zip(&slots[lag..]);
            let products = pairs.map(|(a, b)| (f64::from(*a) - mean) * (f64::from(*b) - mean));
            let (sum, pairs) = products
                .filter(|product| product.is_finite())
                .fold((0.0, 0_u32), |(sum, n), product| (sum + product, n + 1));
            (pairs >= 16).then(|| sum / f64::from(pairs) / variance)
        };
        let lag_max = usize::from(self.len) / 2;
        let unlike = (1..lag_max).find(|lag| likeness(*lag).is_some_and(|r| r < 0.0))?;
        let mut best: Option<(usize, f64)> = None;
        for lag in unlike..lag_max {
            let r = likeness(lag).unwrap_or(0.0);
            if best.is_none_or(|(_, most)| r > most + 0.02) {
                best = Some((lag, r));
            }
        }
        let (lag, r) = best.filter(|(lag, r)| *r >= SEASON_MIN && *lag + 1 < lag_max)?;
        Some((lag as f64 * self.slot_ms as f64, r))
    }

    /// Pearson's correlation of the slots that both have, on the coarser of both grids, and how many these are.
    pub(super) fn correlation(&self, other: &Self) -> Option<(f64, usize)> {
        let (mut one, mut other) = (self.clone(), other.clone());
        while one.slot_ms < other.slot_ms {
            one.double();
        }
        while other.slot_ms < one.slot_ms {
            other.double();
        }
        let pairs = || {
            one.values().filter_map(|(nth, a)| {
                let place = one.first + nth as i64 - other.first;
                let slot = usize::try_from(place).ok()?;
                let b = *other.slots.as_flattened().get(slot)?;
                b.is_finite().then(|| (a, f64::from(b)))
            })
        };
        let n = pairs().count();
        let (sum_a, sum_b) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
        let (mean_a, mean_b) = (sum_a / n as f64, sum_b / n as f64);
        let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
        for (a, b) in pairs() {
            let (a, b) = (a - mean_a, b - mean_b);
            (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
        }
        let r = ab / libm::sqrt(aa * bb);
        r.is_finite().then_some((r, n))
    }

    /// Whether a checkpoint could have made it.
    pub(super) fn is_sound(&self) -> bool {
        let is_grid = (FINEST_MS..=COARSEST_MS).contains(&self.slot_ms);
        let is_time = self.first.unsigned_abs() <= 1 << 53;
        is_grid && is_time && usize::from(self.len) <= SLOTS
    }
}
