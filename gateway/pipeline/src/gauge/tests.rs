use super::*;
use crate::detect::tests_noise::Noise as Chance;
use proptest::prelude::*;

const MINUTE_MS: u32 = 60_000;

fn of(measure: Measure, side: Side, limit: f64) -> Threshold {
    Threshold {
        of: measure,
        side,
        limit,
        ..Threshold::default()
    }
}

/// The measures of values that come once a second.
fn measures(threshold: &Threshold, count: i64, mut value: impl FnMut(i64) -> f64) -> Vec<Measured> {
    let mut gauge = Gauge::default();
    (0..count)
        .map(|at| gauge.push(threshold, Timestamp(1000 * at), value(at)))
        .collect()
}

fn last(threshold: &Threshold, count: i64, value: impl FnMut(i64) -> f64) -> f64 {
    match measures(threshold, count, value).last() {
        Some(Measured::Number(number)) => *number,
        other => panic!("{other:?}"),
    }
}

use std::vec::Vec;

#[test]
fn a_steady_slope_has_the_rate_of_its_change() {
    let rate = of(Measure::Rate { over_ms: MINUTE_MS }, Side::Beyond, 5.0);
    let rising = last(&rate, 1000, |at| 3.0 + 0.1 * at as f64);
    assert!((rising - 6.0).abs() < 1e-5, "{rising}");
    let falling = last(&rate, 1000, |at| 3.0 - 0.1 * at as f64);
    assert!((falling + 6.0).abs() < 1e-5, "{falling}");
    assert_eq!(last(&rate, 100, |_| 7.0), 0.0);
}

#[test]
fn noise_is_the_deviation_whatever_the_slope() {
    let noise = of(
        Measure::Noise {
            over_ms: 5 * MINUTE_MS,
        },
        Side::Above,
        1.0,
    );
    let mut chance = Chance(3);
    let flat = last(&noise, 5000, |_| 2.0 * chance.next());
    assert!((1.6..2.4).contains(&flat), "{flat}");
    let mut chance = Chance(3);
    let steep = last(&noise, 5000, |at| at as f64 + 2.0 * chance.next());
    assert!((flat - steep).abs() < 1e-6, "{flat} {steep}");
}

#[test]
fn a_burst_is_told_against_the_usual_noise() {
    let burst = of(Measure::Burst { over_ms: MINUTE_MS }, Side::Above, 3.0);
    let mut chance = Chance(5);
    let loud = |at: i64| if at >= 3000 { 6.0 } else { 1.0 };
    let numbers = measures(&burst, 3120, |at| loud(at) * chance.next());
    let most = |from: usize, to: usize| {
        let number = |it: &Measured| match it {
            Measured::Number(number) => *number,
            _ => 0.0,
        };
        numbers[from..to].iter().map(number).fold(0.0, f64::max)
    };
    assert!(most(100, 3000) < 2.0, "{}", most(100, 3000));
    assert!(most(3060, 3120) > 3.0, "{}", most(3060, 3120));
}

#[test]
fn a_value_that_stands_still_is_stuck() {
    let stuck = of(Measure::Stuck { within: 0.05 }, Side::Above, 60_000.0);
    let jitter = |at: i64| 20.0 + 0.04 * (at % 2) as f64;
    assert_eq!(last(&stuck, 101, jitter), 100_000.0);
    let moved = |at: i64| if at == 90 { 21.0 } else { 20.0 };
    assert_eq!(last(&stuck, 101, moved), 9_000.0);
}

#[test]
fn a_slow_drift_sums_up_and_noise_does_not() {
    let drift = of(
        Measure::Drift {
            learn_ms: 5 * MINUTE_MS,
        },
        Side::Beyond,
        8.0,
    );
    let mut chance = Chance(7);
    let still = measures(&drift, 3000, |_| 50.0 + chance.next());
    let is_beyond = |it: &Measured| matches!(it, Measured::Number(sum) if sum.abs() > 8.0);
    assert!(!still.iter().any(is_beyond), "noise alone");
    let mut chance = Chance(7);
    let wears = measures(&drift, 1500, |at| 50.0 - 0.002 * at as f64 + chance.next());
    let first = wears.iter().position(is_beyond).expect("it is found");
    assert!(
        matches!(wears[first], Measured::Number(sum) if sum < 0.0),
        "downwards"
    );
    assert!(first > 300, "{first}");
}

#[test]
fn a_drift_that_is_mended_comes_back() {
    let drift = of(
        Measure::Drift {
            learn_ms: MINUTE_MS,
        },
        Side::Beyond,
        8.0,
    );
    let mut chance = Chance(9);
    let off = |at: i64| if (500..5000).contains(&at) { 2.0 } else { 0.0 };
    let sums = measures(&drift, 5100, |at| off(at) + chance.next());
    assert!(matches!(sums[4999], Measured::Number(sum) if sum > 12.0));
    assert!(matches!(sums[5099], Measured::Number(sum) if sum < 8.0));
}

#[test]
fn a_new_level_is_told_and_then_becomes_the_usual_one() {
    let level = of(Measure::Level { over_ms: MINUTE_MS }, Side::Beyond, 5.0);
    let step = |at: i64| if at >= 2000 { 30.0 } else { 20.0 };
    assert_eq!(last(&level, 2000, step), 0.0);
    let soon = last(&level, 2180, step);
    assert!((8.0..10.0).contains(&soon), "{soon}");
    let late = last(&level, 20_000, step);
    assert!(late.abs() < 0.1, "{late}");
}

#[test]
fn a_forecast_tells_when_and_only_where_it_goes() {
    let ahead = Measure::Forecast {
        over_ms: 10 * MINUTE_MS,
        ahead_ms: 30 * MINUTE_MS,
    };
    let hot = of(ahead, Side::Above, 90.0);
    let mut chance = Chance(11);
    // A hundredth a second: 90 is reached after 7000 s.
    let told = measures(&hot, 6000, |at| {
        20.0 + 0.01 * at as f64 + 0.1 * chance.next()
    });
    let first = told
        .iter()
        .position(|it| matches!(it, Measured::Crosses(..)))
        .expect("it is foretold");
    let ahead_s = 7000 - first as i64;
    assert!((1200..2400).contains(&ahead_s), "{ahead_s} s ahead");
    let mut chance = Chance(11);
    let cools = measures(&hot, 6000, |at| {
        80.0 - 0.01 * at as f64 + 0.1 * chance.next()
    });
    let crosses = |it: &&Measured| matches!(it, Measured::Crosses(..));
    assert_eq!(cools[600..].iter().filter(crosses).count(), 0);
    let over = measures(&hot, 6000, |_| 95.0);
    assert!(
        over.iter().all(|it| *it == Measured::Nothing),
        "it has happened"
    );
}

fn any_measure() -> impl Strategy<Value = Measure> {
    let over = prop_oneof![Just(100_u32), any::<u32>().prop_map(|ms| ms.max(1))];
    (0..7, over, any::<u32>()).prop_map(|(kind, over_ms, ahead_ms)| match kind {
        0 => Measure::Rate { over_ms },
        1 => Measure::Noise { over_ms },
        2 => Measure::Burst { over_ms },
        3 => Measure::Stuck {
            within: ahead_ms as f32,
        },
        4 => Measure::Drift { learn_ms: over_ms },
        5 => Measure::Level { over_ms },
        _ => Measure::Forecast { over_ms, ahead_ms },
    })
}

proptest! {
    #[test]
    fn any_values_at_any_times_are_taken(
        measure in any_measure(),
        limit in -1e140..1e140,
        readings in proptest::collection::vec((any::<i64>(), -1e140..1e140), 0..200),
    ) {
        let threshold = of(measure, Side::Above, limit);
        let mut gauge = Gauge::default();
        for (time, value) in readings {
            if let Measured::Number(number) = gauge.push(&threshold, Timestamp(time), value) {
                prop_assert!(!number.is_nan(), "{measure:?}");
            }
        }
    }

    #[test]
    fn another_unit_makes_no_difference(values in proptest::collection::vec(-50.0..50.0, 1..200)) {
        for measure in [Measure::Burst { over_ms: MINUTE_MS }, Measure::Drift { learn_ms: MINUTE_MS }] {
            let threshold = of(measure, Side::Above, 8.0);
            let told = |factor: f64| measures(&threshold, values.len() as i64, |at| factor * values[at as usize]);
            prop_assert_eq!(told(1.0), told(1024.0));
        }
    }
}
