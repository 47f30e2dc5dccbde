//! The only place of this package that reads a clock or sleeps: tests that drive whole processes cannot be given the time.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// Between two looks at a condition: short against what processes take, long against the look itself.
const POLL: Duration = Duration::from_millis(10);

/// A point in real time after which a test stops waiting.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that lies `span` ahead.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of the tests that drive processes"
    )]
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// What is left until the deadline; zero once it has passed.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of the tests that drive processes"
    )]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}

/// Time since a start, for latencies.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of the tests that drive processes"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn micros(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Looks at `condition` until it holds.
///
/// # Panics
/// When it does not hold within `span`; the message names `what` was waited for.
pub fn wait_until(what: &str, span: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Deadline::after(span);
    while !condition() {
        assert!(!deadline.has_passed(), "waited {span:?} in vain for {what}");
        pause(POLL);
    }
}

/// Sleeps; for load and faults that are spread over real time, never to wait for something that can be looked at.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of the tests that drive processes"
)]
pub fn pause(span: Duration) {
    thread::sleep(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_true_ends_the_wait() {
        let mut looks = 0;
        wait_until("the third look", Duration::from_secs(60), || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[test]
    #[should_panic(expected = "in vain for a wonder")]
    fn what_never_comes_true_is_named() {
        wait_until("a wonder", Duration::ZERO, || false);
    }
}
