//! Quantiles of a window, in fixed memory and mergeable: a histogram whose bins widen with the size of the values.
//!
//! Bins are those of DDSketch (Masson, Rim and Lee, VLDB 12, 2019), with the borders of HdrHistogram: a bin is the sign, the
//! exponent and the first bits of the mantissa, so that no logarithm is taken and every machine finds the same one. Where there
//! are too many, all of them are halved at once, as in UDDSketch (Epicoco et al., IEEE Access 8, 2020). The level is therefore the
//! least at which the bins of all values fit, whatever their order: sketches that are merged are, bit for bit, the sketch of
//! all values.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use core::fmt;
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bins of a sketch: a minute at one reading a second is told as exactly as the finest level can.
pub const BINS_MAX: usize = 64;
/// Bits of the mantissa that a bin of level 0 has.
const FINE_BITS: u32 = 12;
/// Bits of a double below these.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - FINE_BITS;
/// The level at which all values of a sign share a bin.
const LEVEL_MAX: u8 = 11 + FINE_BITS as u8;
/// The longest sketch, in bytes of the format: its level, how many bins, the first one in four bytes, the steps to the others
/// in three (those that need four are outweighed by those that need less), and the counts in four.
pub const SKETCH_BYTES_MAX: usize = 8 + BINS_MAX * 7;

/// How many values fell into which bin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sketch {
    /// How often all bins were halved.
    level: u8,
    len: u8,
    /// In ascending order: the bin's number, negative for negative values, 0 for what is as good as 0.
    keys: [i32; BINS_MAX],
    counts: [u32; BINS_MAX],
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            level: 0,
            len: 0,
            keys: [0; BINS_MAX],
            counts: [0; BINS_MAX],
        }
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {} ", self.level)?;
        f.debug_map().entries(self.bins()).finish()
    }
}

impl Sketch {
    /// Adds a finite value.
    pub fn push(&mut self, value: f64) {
        self.add(|level| key_of(value, level), 1);
    }

    /// Adds all values of another sketch. Which of the two comes first makes no difference.
    pub fn merge(&mut self, other: &Self) {
        while self.level < other.level {
            self.widen();
        }
        for (key, count) in other.bins() {
            self.add(|level| key / (1 << (level - other.level)), count);
        }
    }

    /// How many values are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins().map(|(_, count)| u64::from(count)).sum()
    }

    /// The value that `part` of all values are not above (0.5: the median): a number in the bin of the exact one, which is the
    /// least value with at least `part` of all values at or below it. All lie from `min` to `max`. None if there is no value.
    #[must_use]
    pub fn quantile(&self, part: f64, min: f64, max: f64) -> Option<f64> {
        let n = self.count();
        let rank = (libm::ceil(part * n as f64) as u64).clamp(1, n.max(1));
        let mut before = 0;
        for (key, count) in self.bins() {
            if before + u64::from(count) >= rank {
                let within = ((rank - before) as f64 - 0.5) / f64::from(count);
                let (low, high) = self.borders(key);
                let (low, high) = (low.max(min), high.min(max));
                return Some(low + (high - low) * within);
            }
            before += u64::from(count);
        }
        None
    }

    /// By what part of itself a quantile may differ from the exact one at most; without bound at levels at which a bin is wider than
    /// an octave, which only values over hundreds of octaves lead to.
    #[must_use]
    pub fn error_max(&self) -> f64 {
        match FINE_BITS.checked_sub(u32::from(self.level)) {
            Some(bits) => 1.0 / f64::from(1_u32 << bits),
            None => f64::INFINITY,
        }
    }

    /// How often all bins were halved: 0 is the finest.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The bins in ascending order: the number of each (FORMAT.md says which values fall into it), and how many values it holds.
    pub fn bins(&self) -> impl Iterator<Item = (i32, u32)> {
        let len = usize::from(self.len);
        self.keys[..len]
            .iter()
            .copied()
            .zip(self.counts[..len].iter().copied())
    }

    /// Adds to the bin which `key` tells for a level, at the first level that has room for it.
    fn add(&mut self, key: impl Fn(u8) -> i32, count: u32) {
        loop {
            let len = usize::from(self.len);
            let key = key(self.level);
            match self.keys[..len].binary_search(&key) {
                Ok(at) => {
                    self.counts[at] = self.counts[at].saturating_add(count);
                    return;
                }
                Err(at) if len < BINS_MAX => {
                    self.keys.copy_within(at..len, at + 1);
                    self.counts.copy_within(at..len, at + 1);
                    (self.keys[at], self.counts[at]) = (key, count);
                    self.len += 1;
                    return;
                }
                // At the highest level there are three bins at most.
                Err(_) => self.widen(),
            }
        }
    }

    /// Puts every two bins together.
    fn widen(&mut self) {
        let before = *self;
        *self = Self {
            level: before.level + 1,
            ..Self::default()
        };
        for (key, count) in before.bins() {
            self.add(|_| key / 2, count);
        }
    }

    /// Least and largest value of a bin.
    fn borders(&self, key: i32) -> (f64, f64) {
        let border = |number: u64| {
            let bits = (number << self.level) << SHIFT;
            f64::from_bits(bits.min(f64::MAX.to_bits()))
        };
        let number = u64::from(key.unsigned_abs());
        match key {
            0 => (-border(1), border(1)),
            1.. => (border(number), border(number + 1)),
            _ => (-border(number + 1), -border(number)),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.byte(self.level)?;
        writer.byte(self.len)?;
        let mut last = 0;
        for (nth, (key, count)) in self.bins().enumerate() {
            let step = i64::from(key) - last;
            match nth {
                0 => writer.signed(step)?,
                _ => writer.unsigned(step.unsigned_abs())?,
            }
            writer.unsigned(u64::from(count))?;
            last = i64::from(key);
        }
        Ok(())
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed::Part("sketch");
        let mut sketch = Self {
            level: cursor.byte()?,
            ..Self::default()
        };
        let len = cursor.byte()?;
        let mut key = 0_i64;
        for nth in 0..len {
            let step = match nth {
                0 => cursor.signed()?,
                _ => cursor.small::<u32>("bin of a sketch")?.into(),
            };
            key = key.checked_add(step).ok_or(WRONG)?;
            let key = i32::try_from(key).map_err(|_| WRONG)?;
            let count = cursor.small("count of a bin")?;
            sketch.append(key, count).ok_or(WRONG)?;
        }
        Ok(sketch)
    }

    /// Puts a bin behind the others, if that is where it belongs.
    fn append(&mut self, key: i32, count: u32) -> Option<()> {
        let at = usize::from(self.len);
        let is_behind = at == 0 || self.keys[at - 1] < key;
        let key_max = 1_u32.checked_shl(u32::from(LEVEL_MAX.checked_sub(self.level)?))?;
        if at == BINS_MAX || !is_behind || key.unsigned_abs() >= key_max || count == 0 {
            return None;
        }
        (self.keys[at], self.counts[at]) = (key, count);
        self.len += 1;
        Some(())
    }
}

/// The bin of a value. What is below the least of level 0 is as good as 0.
fn key_of(value: f64, level: u8) -> i32 {
    // The sign is shifted out, and 23 bits are left.
    let number = ((value.to_bits() << 1 >> 1) >> SHIFT >> level) as i32;
    if value < 0.0 { -number } else { number }
}

/// The level, then key and count of each bin.
impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bins = serializer.serialize_seq(Some(1 + usize::from(self.len)))?;
        bins.serialize_element(&(i32::from(self.level), 0_u32))?;
        self.bins()
            .try_for_each(|bin| bins.serialize_element(&bin))?;
        bins.end()
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Bins)
    }
}

struct Bins;

impl<'de> Visitor<'de> for Bins {
    type Value = Sketch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the level and the bins of a sketch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bins: A) -> Result<Sketch, A::Error> {
        let wrong = || A::Error::custom("these are no bins of a sketch");
        let (level, _) = bins.next_element::<(i32, u32)>()?.ok_or_else(wrong)?;
        let mut sketch = Sketch {
            level: u8::try_from(level).map_err(|_| wrong())?,
            ..Sketch::default()
        };
        while let Some((key, count)) = bins.next_element()? {
            sketch.append(key, count).ok_or_else(wrong)?;
        }
        Ok(sketch)
    }
}

#[cfg(test)]
mod tests;
