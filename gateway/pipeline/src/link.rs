//! A cell of the two indexes over the sensors: the chains of the name index, and the heap of the timers.

use crate::time::Instant;

/// No sensor.
pub(crate) const NONE: u16 = u16::MAX;

/// One cell of memory for both indexes; there are as many as sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// First sensor of the chain for names whose hash is this cell's place.
    pub(crate) chain: u16,
    /// The sensor behind this cell's sensor in its chain.
    pub(crate) next: u16,
    /// Which sensor stands at this cell's place in the heap.
    pub(crate) waiting: u16,
    /// Where this cell's sensor stands in the heap.
    pub(crate) place: u16,
    /// When this cell's sensor is due.
    pub(crate) due: Instant,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            chain: NONE,
            next: NONE,
            waiting: NONE,
            place: NONE,
            due: Instant(0),
        }
    }
}
