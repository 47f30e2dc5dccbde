//! A reading on its way through the gate, and as it leaves.

use serde::{Deserialize, Serialize};
use wire::{Content, Flags, Quality, Reasons, Timestamp};

/// A reading on its way: its time is judged, its value may be refused already.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) time: Timestamp,
    pub(crate) arrival: Timestamp,
    pub(crate) raw: f64,
    /// The same in the sensor's unit.
    pub(crate) value: f64,
    pub(crate) flags: Flags,
}

/// A reading that leaves the gate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cleaned {
    pub(crate) time: Timestamp,
    pub(crate) arrival: Timestamp,
    pub(crate) content: Content,
    pub(crate) flags: Flags,
}

impl Item {
    pub(crate) fn as_sent(self) -> Cleaned {
        let content = match self.flags.quality() {
            Quality::Good | Quality::Uncertain if self.value.to_bits() == self.raw.to_bits() => {
                Content::AsSent(self.raw)
            }
            Quality::Good | Quality::Uncertain => Content::Repaired {
                raw: self.raw,
                value: self.value,
            },
            Quality::Bad => Content::Refused(self.raw),
        };
        self.with(content, self.flags)
    }

    const fn with(self, content: Content, flags: Flags) -> Cleaned {
        let Self { time, arrival, .. } = self;
        Cleaned {
            time,
            arrival,
            content,
            flags,
        }
    }

    pub(super) fn repaired(self, value: f64) -> Cleaned {
        let flags = Flags::new(Quality::Uncertain, self.flags.reasons());
        self.with(
            Content::Repaired {
                raw: self.raw,
                value,
            },
            flags,
        )
    }

    pub(super) fn because(mut self, quality: Quality, reasons: Reasons) -> Self {
        self.flags = Flags::new(quality, self.flags.reasons() | reasons);
        self
    }
}
