//! What a reading costs a detector: time, beside its bound.

use core::fmt::Write;

use pipeline::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use wire::Timestamp;

use crate::clock::Clock;

/// Readings that are timed: the memory is full after a tenth of them.
const READINGS: u32 = 100_000;
/// A reading each five minutes.
const STEP_MS: i64 = 300_000;

pub(super) fn run() -> String {
    let mut text = format!("cost: {READINGS} readings, ns each (on this machine, now)\n");
    let mut lite = Lite::default();
    write_line(&mut text, "lite", 500, |time, value| {
        lite.push(time, value, 1.0).score
    });
    let mut standard = Box::new(Detector::<STANDARD_BLOCKS>::default());
    write_line(&mut text, "standard", 2_000, |time, value| {
        standard.push(time, value, 1.0).score
    });
    let mut full = Box::new(Detector::<FULL_BLOCKS>::default());
    write_line(&mut text, "full", 10_000, |time, value| {
        full.push(time, value, 1.0).score
    });
    text
}

fn write_line(
    text: &mut String,
    name: &str,
    bound_ns: u64,
    mut push: impl FnMut(Timestamp, f64) -> f32,
) {
    let clock = Clock::start();
    let mut sum = 0.0;
    for nth in 0..READINGS {
        let value = 20.0
            + f64::from(nth % 288) * 0.01
            + f64::from(nth.wrapping_mul(2_654_435_761) >> 24) * 0.001;
        sum += push(Timestamp(i64::from(nth) * STEP_MS), value);
    }
    let ns = clock.now().monotonic_ms * 1_000_000 / u64::from(READINGS);
    let _ = writeln!(
        text,
        "{name:<34} {ns:>8}   bound {bound_ns}   mean score {:.2}",
        sum / READINGS as f32
    );
}
