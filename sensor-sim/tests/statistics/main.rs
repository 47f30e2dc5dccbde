//! The statistics of every kind of device and of fault.
//!
//! Bounds follow from the profile and the size of the sample: a mean of n values with deviation s lies within five
//! `s / √n`, a deviation within five `s / √(2n)`, a share p within five `√(p (1 - p) / n)`. Seeds are fixed; a bound of
//! five standard errors would pass nearly all others, too. Where values depend on each other, n counts what is independent.

mod faults;
mod profiles;

use sensor_sim::fault::FaultPlan;
use sensor_sim::observed::Watch;
use sensor_sim::profile::Profile;

/// 2026-01-06, a Tuesday: neither it nor the next days are touched by a weekend.
const TUESDAY: i64 = 1_767_657_600_000;
/// Standard errors that a figure may be off.
const ERRORS: f64 = 5.0;

fn profile(name: &str) -> Profile {
    Profile::shipped(name).unwrap_or_else(|error| panic!("{error}"))
}

fn watch(name: &str, seconds: f64) -> Watch {
    Watch {
        profile: profile(name),
        device: format!("{name}-0"),
        seed: 11,
        start: TUESDAY,
        seconds,
        plan: FaultPlan::default(),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let square = values.iter().map(|it| (it - centre).powi(2)).sum::<f64>();
    (square / values.len() as f64).sqrt()
}

#[track_caller]
fn near(what: &str, got: f64, expected: f64, off_max: f64) {
    let off = (got - expected).abs();
    assert!(
        off <= off_max,
        "{what}: {got} is not {expected} ± {off_max}"
    );
}
