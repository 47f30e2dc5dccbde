//! One reading with what became of it: sensor, times, raw and cleaned value, quality and reasons.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};
use serde::{Deserialize, Serialize};

/// A sensor's place in the gateway's table: a signal of a device. It is stable while the gateway keeps its store.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SensorId(pub u16);

/// Milliseconds since the Unix epoch (UTC), by the clock which the field's name or doc says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

/// How far a value may be trusted, in the words of OPC UA (part 8).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Quality {
    /// Use it.
    #[default]
    Good = 0,
    /// Use it with care; the reasons say why.
    Uncertain = 1,
    /// Don't use it.
    Bad = 2,
}

impl Quality {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }
}

/// Why a reading has its quality, and what was done to it: a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reasons(pub u16);

impl Reasons {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// The value is outside of the sensor's range.
    pub const OUT_OF_RANGE: Self = Self(1);
    /// The value is infinite or not a number.
    pub const NOT_FINITE: Self = Self(1 << 1);
    /// It came behind the watermark of its sensor.
    pub const LATE: Self = Self(1 << 2);
    /// The sensor's time was absurd (before 2001) and was replaced by the arrival time.
    pub const TIME_REPAIRED: Self = Self(1 << 3);
    /// The sensor's time was too far ahead and was replaced by the arrival time.
    pub const FUTURE: Self = Self(1 << 4);
    /// The payload carried no time: it has the arrival time.
    pub const ARRIVAL_TIME: Self = Self(1 << 5);
    /// A jump which the next readings took back.
    pub const SPIKE: Self = Self(1 << 6);
    /// The value stands still for longer than this sensor does.
    pub const STUCK: Self = Self(1 << 7);
    /// Nothing was sent: the value was filled in.
    pub const FILLED: Self = Self(1 << 8);
    /// The value was converted from another unit.
    pub const UNIT: Self = Self(1 << 9);
    /// The value is one by which the sensor says that it has none.
    pub const SENTINEL: Self = Self(1 << 10);
    /// The signal is noisier than it is wont to be.
    pub const NOISY: Self = Self(1 << 11);
    /// The gateway's own clock was not set when the reading came.
    pub const CLOCK_UNSYNCED: Self = Self(1 << 12);

    /// A jump which the next readings confirmed.
    pub const STEP: Self = Self(1 << 13);

    /// A condition of the user says that it is not wanted.
    pub const CONDITION: Self = Self(1 << 14);

    /// The gateway's own clock was not set when the reading came, and what it gave was moved since.
    pub const CLOCK_REPAIRED: Self = Self(1 << 15);

    /// The time that holds is the gateway's: the sensor gave none, or one that cannot be.
    pub const TIME_OF_GATEWAY: Self =
        Self(Self::TIME_REPAIRED.0 | Self::FUTURE.0 | Self::ARRIVAL_TIME.0);

    /// What each bit is called, from the lowest, in messages and exports.
    pub const NAMES: [&'static str; 16] = [
        "out_of_range",
        "not_finite",
        "late",
        "time_repaired",
        "future",
        "arrival_time",
        "spike",
        "stuck",
        "filled",
        "unit",
        "sentinel",
        "noisy",
        "clock_unsynced",
        "step",
        "condition",
        "clock_repaired",
    ];

    /// The names of the reasons in this set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..)
            .zip(Self::NAMES)
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
    }

    /// Whether all reasons of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any reason of `other` is in this set.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set without the reasons of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Reasons {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Reasons {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Most rows that were left out before one: what the bits of its flags can tell.
pub const LEFT_OUT_MAX: u32 = (1 << (32 - LEFT_OUT_BIT)) - 1;
/// The lowest bit of how many rows were left out.
const LEFT_OUT_BIT: u32 = 18;

/// Quality and reasons in one number: the quality in bits 0 and 1, the reasons in bits 2 to 17. The bits above tell how many
/// rows of the sensor were left out before this one, because a reader can put them in again (a deadband, a line).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flags(pub u32);

impl Flags {
    /// Packs a quality and its reasons.
    #[must_use]
    pub const fn new(quality: Quality, reasons: Reasons) -> Self {
        Self(quality as u32 | (reasons.0 as u32) << 2)
    }

    /// The same with other reasons.
    #[must_use]
    pub const fn with_reasons(self, reasons: Reasons) -> Self {
        Self(self.0 & !(0xffff << 2) | (reasons.0 as u32) << 2)
    }

    /// The same, behind so many rows that were left out, at most [`LEFT_OUT_MAX`].
    #[must_use]
    pub const fn with_left_out(self, count: u32) -> Self {
        Self(self.0 & ((1 << LEFT_OUT_BIT) - 1) | count << LEFT_OUT_BIT)
    }

    /// How many rows were left out before this one.
    #[must_use]
    pub const fn left_out(self) -> u32 {
        self.0 >> LEFT_OUT_BIT
    }

    /// The quality; the code that no writer makes counts as bad.
    #[must_use]
    pub const fn quality(self) -> Quality {
        match self.0 & 3 {
            0 => Quality::Good,
            1 => Quality::Uncertain,
            _ => Quality::Bad,
        }
    }

    /// The reasons.
    #[must_use]
    pub const fn reasons(self) -> Reasons {
        Reasons((self.0 >> 2) as u16)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:#x})", self.quality(), self.reasons().0)
    }
}

/// The numbers of a row: what was sent, and what it became.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// The value is the reading as it was sent, bit for bit.
    AsSent(f64),
    /// The reading has no value; this is what was sent.
    Refused(f64),
    /// The value differs from what was sent.
    Repaired {
        /// As sent.
        raw: f64,
        /// Once cleaned.
        value: f64,
    },
    /// The value was filled in, or what was sent is not kept.
    Filled(f64),
    /// The reading has no value, and what was sent is not kept.
    #[default]
    Nothing,
}

impl Content {
    /// What was sent, if it is kept.
    #[must_use]
    pub const fn raw(self) -> Option<f64> {
        match self {
            Self::AsSent(raw) | Self::Refused(raw) | Self::Repaired { raw, .. } => Some(raw),
            Self::Filled(_) | Self::Nothing => None,
        }
    }

    /// The cleaned value, if there is one.
    #[must_use]
    pub const fn value(self) -> Option<f64> {
        match self {
            Self::AsSent(value) | Self::Filled(value) | Self::Repaired { value, .. } => Some(value),
            Self::Refused(_) | Self::Nothing => None,
        }
    }
}

/// One row of a telemetry batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// When it was measured, by the sensor's clock, or by the gateway's where the reasons say so.
    pub time: Timestamp,
    /// When it came to the gateway, by the gateway's wall clock.
    pub arrival: Timestamp,
    /// What was sent, and what it became.
    pub content: Content,
    /// Quality and reasons.
    pub flags: Flags,
    /// Whose reading it is.
    pub sensor: SensorId,
}

impl AsRef<Self> for Row {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_give_back_what_they_were_made_of() {
        for quality in [Quality::Good, Quality::Uncertain, Quality::Bad] {
            for bit in 0..16 {
                let flags = Flags::new(quality, Reasons(1 << bit));
                assert_eq!(
                    (flags.quality(), flags.reasons()),
                    (quality, Reasons(1 << bit))
                );
            }
        }
    }
}
