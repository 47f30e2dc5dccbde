//! The only place that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What the two clocks of the box say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process began, ms: only ever grows.
    pub monotonic_ms: u64,
    /// Wall clock, ms since the Unix epoch: may be wrong, may jump.
    pub wall_ms: i64,
}

/// The box's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the ban leaves"
    )]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// What the clocks say.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the ban leaves"
    )]
    pub fn now(&self) -> Moment {
        let wall_ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        let monotonic_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment {
            monotonic_ms,
            wall_ms,
        }
    }

    /// The standard library's instant `monotonic_ms` after the start, for timers.
    #[must_use]
    pub fn instant_at(&self, monotonic_ms: u64) -> Instant {
        self.start + core::time::Duration::from_millis(monotonic_ms)
    }

    /// Microseconds since the start, for histograms.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the ban leaves"
    )]
    pub fn micros(&self) -> u64 {
        u64::try_from(Instant::now().duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }
}

/// Now, for timers of the sockets: never for anything that the engine sees.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that the ban leaves"
)]
pub fn timer_now() -> Instant {
    Instant::now()
}
