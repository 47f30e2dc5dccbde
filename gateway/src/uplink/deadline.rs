//! Waiting in slices: until the deadline, or until the uplink is closed.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use rdkafka::error::KafkaResult;

use super::context::Context;
use super::failure::Failure;
use super::{Class, ROUND_TRIP_MS_MAX, SLICE_MS};
use crate::clock::Clock;

/// Makes deadlines.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    clock: Clock,
    closing: Arc<AtomicBool>,
}

/// A moment after which nothing is waited for.
#[derive(Clone, Debug)]
pub(super) struct Deadline<'t> {
    timer: &'t Timer,
    begun_ms: u64,
    duration_ms: u64,
}

impl Timer {
    pub(super) fn new(clock: Clock, closing: Arc<AtomicBool>) -> Self {
        Self { clock, closing }
    }

    pub(super) fn deadline(&self, duration_ms: u64) -> Deadline<'_> {
        Deadline {
            timer: self,
            begun_ms: self.clock.now().monotonic_ms,
            duration_ms,
        }
    }
}

impl Deadline<'_> {
    /// How long the next call may block, if it goes on where it was when it is made again; none: it is
    /// time to give up.
    pub(super) fn slice(&self) -> Option<Duration> {
        self.at_most(SLICE_MS)
    }

    /// How long the next call may block, if it begins anew each time: longer than the round trip of a
    /// poor line; none: it is time to give up.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.at_most(ROUND_TRIP_MS_MAX)
    }

    fn at_most(&self, limit_ms: u64) -> Option<Duration> {
        let left_ms = self.duration_ms.saturating_sub(self.elapsed_ms());
        if left_ms == 0 || self.timer.closing.load(Ordering::Relaxed) {
            return None;
        }
        Some(Duration::from_millis(left_ms.min(limit_ms)))
    }

    /// Lets a broker that refused at once come to itself.
    pub(super) fn pause(&self) {
        if let Some(slice) = self.slice() {
            std::thread::park_timeout(slice);
        }
    }

    /// Time since it was made, ms.
    pub(super) fn elapsed_ms(&self) -> u64 {
        self.timer
            .clock
            .now()
            .monotonic_ms
            .saturating_sub(self.begun_ms)
    }
}

/// Makes a call that begins anew each time until it succeeds, fails for good, or the deadline passes.
pub(super) fn retry<T>(
    context: &Context,
    tried: &str,
    deadline: &Deadline<'_>,
    mut call: impl FnMut(Duration) -> KafkaResult<T>,
) -> Result<T, Failure> {
    let mut last = None;
    while let Some(timeout) = deadline.round_trip() {
        match call(timeout) {
            Ok(value) => return Ok(value),
            Err(error) => {
                let failure = Failure::of(tried, &error);
                if failure.class != Class::Retry {
                    return Err(failure);
                }
                last = Some(failure);
            }
        }
        if let Some(refusal) = context.take_refusal() {
            return Err(refusal);
        }
        deadline.pause();
    }
    Err(last.unwrap_or_else(|| Failure::new(Class::Retry, format!("cannot {tried}: no time left"))))
}
