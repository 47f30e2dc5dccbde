//! The only place that reads a clock.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that never jumps: it reads the wall clock once and counts on by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    wall_ms: i64,
}

impl Clock {
    /// A clock that begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the ban leaves"
    )]
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// µs since the start.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The wall clock at `us` after the start, ms since the Unix epoch.
    pub(crate) const fn wall_ms(&self, us: u64) -> i64 {
        self.wall_ms.saturating_add_unsigned(us / 1000)
    }

    /// The instant `us` after the start, for timers.
    pub(crate) fn instant(&self, us: u64) -> tokio::time::Instant {
        // Nobody waits longer than a year.
        const YEAR_US: u64 = 365 * 86_400 * 1_000_000;
        tokio::time::Instant::from_std(self.start + Duration::from_micros(us.min(YEAR_US)))
    }
}
