//! How rare a size is, by the sizes that were seen before: a histogram with logarithmic bins.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Bins of a tail that is coarse enough for a sensor of the least kind: six for each decade.
pub(super) const BINS: usize = 48;
/// Bins for each factor of ten.
const PER_DECADE: f32 = 6.0;
/// The size at the lower end of the second bin; smaller ones are as good as nothing.
const SMALLEST_LOG10: f32 = -3.0;
/// At so many sizes, of each pair one is forgotten: a count has 16 bits.
const TOTAL_MAX: u16 = u16::MAX - 1;
/// What one bin beyond the largest that was ever seen adds to the rarity, in powers of ten.
const BEYOND: f32 = 0.3;

/// Counts of sizes, by their logarithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    counts: Vec<u16, BINS, u8>,
    total: u16,
}

impl Default for Tail {
    fn default() -> Self {
        let mut counts = Vec::new();
        counts.resize_default(BINS).unwrap_or_default();
        Self { counts, total: 0 }
    }
}

impl Tail {
    /// How rare a size is, whose logarithm to the base ten this is: the negative logarithm of the share of earlier sizes that
    /// are as large. Then it is counted.
    pub(super) fn rarity(&mut self, size_log10: f32) -> f32 {
        let bin = ((size_log10 - SMALLEST_LOG10) * PER_DECADE + 1.0).clamp(0.0, (BINS - 1) as f32);
        let bin = bin as usize;
        let above = self.counts[bin..].iter().map(|count| f32::from(*count));
        let above: f32 = above.sum();
        let mut rarity = -libm::log10f((above + 0.5) / (f32::from(self.total) + 1.0));
        if above == 0.0 {
            let largest = self.counts[..bin].iter().rposition(|count| *count > 0);
            rarity += BEYOND * (bin - largest.unwrap_or(bin)) as f32;
        }
        if self.total >= TOTAL_MAX {
            self.halve();
        }
        self.counts[bin] += 1;
        self.total += 1;
        rarity
    }

    /// What was seen once stays seen.
    fn halve(&mut self) {
        for count in &mut self.counts {
            *count = count.div_ceil(2);
        }
        self.total = self.counts.iter().sum();
    }

    pub(super) fn is_sound(&self) -> bool {
        self.counts.len() == BINS
            && self.counts.iter().map(|it| u32::from(*it)).sum::<u32>() == u32::from(self.total)
    }
}
