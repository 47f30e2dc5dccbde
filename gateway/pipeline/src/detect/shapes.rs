//! Whether the newest stretch of a signal looks like any that was seen before: the left discord of the matrix profile, over
//! means of blocks, in a ring.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// A memory of `M` block means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shapes<const M: usize> {
    means: Vec<f32, M, u16>,
    /// Where the next mean goes, once the ring is full.
    next: u16,
    sum: f32,
    count: u16,
}

/// The longest stretch that is compared, in blocks.
const STRETCH_MAX: usize = 8;

impl<const M: usize> Shapes<M> {
    /// One value; at the end of a block of `block` values it gives the distance of the newest `stretch` blocks to the nearest
    /// stretch that does not overlap them, per block, in the units of the values. None: no block ended, or too few are known.
    pub(super) fn push(&mut self, value: f32, block: u16, stretch: usize) -> Option<f32> {
        self.sum += value;
        self.count += 1;
        if self.count < block {
            return None;
        }
        let mean = self.sum / f32::from(self.count);
        (self.sum, self.count) = (0.0, 0);
        if self.means.push(mean).is_err() {
            self.means[usize::from(self.next)] = mean;
            self.next = (self.next + 1) % M as u16;
        }
        self.nearest(stretch)
    }

    fn nearest(&self, stretch: usize) -> Option<f32> {
        let len = self.means.len();
        let starts = (len + 1)
            .checked_sub(2 * stretch)
            .filter(|starts| *starts > 0)?;
        let mut newest = [0.0; STRETCH_MAX];
        for (nth, mean) in newest[..stretch].iter_mut().enumerate() {
            *mean = self.at(len - stretch + nth);
        }
        let newest = &newest[..stretch];
        let mut least = f32::INFINITY;
        for start in 0..starts {
            let place = self.place(start);
            let distance = if place + stretch <= len {
                squares(&self.means[place..place + stretch], newest, least)
            } else {
                let mut wrapped = [0.0; STRETCH_MAX];
                for (nth, mean) in wrapped[..stretch].iter_mut().enumerate() {
                    *mean = self.at(start + nth);
                }
                squares(&wrapped[..stretch], newest, least)
            };
            least = least.min(distance);
        }
        Some(libm::sqrtf(least / stretch as f32))
    }

    /// The place of the block with this number, from the oldest.
    fn place(&self, nth: usize) -> usize {
        let place = usize::from(self.next) + nth;
        if place >= self.means.len() {
            place - self.means.len()
        } else {
            place
        }
    }

    fn at(&self, nth: usize) -> f32 {
        self.means[self.place(nth)]
    }

    /// Forgets everything, in place.
    pub(super) fn clear(&mut self) {
        self.means.clear();
        (self.next, self.sum, self.count) = (0, 0.0, 0);
    }

    pub(crate) fn is_sound(&self) -> bool {
        usize::from(self.next) < M && (self.next == 0 || self.means.is_full())
    }
}

/// The sum of the squared differences; it ends early once it is above `enough`.
fn squares(a: &[f32], b: &[f32], enough: f32) -> f32 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += (a - b) * (a - b);
        if sum > enough {
            return sum;
        }
    }
    sum
}
