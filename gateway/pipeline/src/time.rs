//! The two times of the gateway. The third, event time, is the sensor's and a plain [`Timestamp`].

use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// Milliseconds of the engine's own time, which only ever grows, whatever the wall clock does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Instant(pub u64);

impl Instant {
    /// The instant `ms` later.
    #[must_use]
    pub const fn after_ms(self, ms: u32) -> Self {
        Self(self.0.saturating_add(ms as u64))
    }

    /// Milliseconds from `earlier` to this one; 0 if it is not earlier.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The earlier of two instants, either of which may never come.
pub(crate) const fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(Instant(at)), Some(Instant(other))) if other < at => b,
        (Some(_), _) => a,
        (None, _) => b,
    }
}

/// Both clocks of the gateway at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The engine's time.
    pub instant: Instant,
    /// The wall clock, as far as the gateway knows it: the arrival time of what comes now.
    pub wall: Timestamp,
}
