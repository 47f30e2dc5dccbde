//! The only place that reads a clock.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::limits::CLOCK_FILE_MS;

/// What the two clocks of the box say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process began, ms: only ever grows.
    pub monotonic_ms: u64,
    /// Wall clock, ms since the Unix epoch: may be wrong, may jump.
    pub wall_ms: i64,
    /// Whether somebody who knows says that the wall clock is set; none: nobody is asked.
    pub is_vouched: Option<bool>,
}

impl Moment {
    /// The same, with the word of the witness, if there is one.
    #[must_use]
    pub fn attested(self, witness: &mut Option<Witness>) -> Self {
        let is_vouched = witness.as_mut().map(|it| it.has_come(self.monotonic_ms));
        Self { is_vouched, ..self }
    }
}

/// The file that tells that the wall clock is set, such as the one that systemd-timesyncd makes: what the kernel itself knows of it
/// (`adjtimex`) it tells to unsafe code only.
#[derive(Clone, Debug)]
pub struct Witness {
    path: PathBuf,
    /// It was there once in this life.
    has_come: bool,
    look_at_ms: u64,
}

impl Witness {
    /// One that has not been looked for.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            has_come: false,
            look_at_ms: 0,
        }
    }

    /// Whether the file has come by now, in the process's monotonic time.
    pub fn has_come(&mut self, monotonic_ms: u64) -> bool {
        if !self.has_come && monotonic_ms >= self.look_at_ms {
            self.has_come = self.path.exists();
            self.look_at_ms = monotonic_ms.saturating_add(CLOCK_FILE_MS);
        }
        self.has_come
    }
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
            is_vouched: None,
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
