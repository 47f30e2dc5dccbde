use super::*;
use crate::gate::Cleaned;
use std::vec::Vec as List;
use wire::{Flags, Timestamp};

const DAY: i64 = 1_767_225_600_000;

/// Around 20, one a second.
fn quiet(n: i64) -> f64 {
    20.0 + (n as f64 / 8.0).sin()
}

/// What comes of 300 quiet values with some others among them.
fn run(method: Method, others: &[(i64, f64)]) -> List<Cleaned> {
    let config = Cleaning {
        method,
        ..Cleaning::default()
    };
    let mut gate = Gate::default();
    let mut all = List::new();
    for n in 0..300 {
        let other = others.iter().find(|(at, _)| *at == n);
        let value = other.map_or(quiet(n), |(_, value)| *value);
        let time = Timestamp(DAY + 1000 * n);
        let item = Item {
            time,
            arrival: time,
            raw: value,
            value,
            flags: Flags::default(),
        };
        let mut out = Released::new();
        gate.offer(Now::default(), item, &config, &mut out);
        all.extend(out);
        assert!(gate.is_sound());
    }
    let mut out = Released::new();
    gate.let_go(&mut out);
    all.extend(out);
    all
}

#[test]
fn a_spike_is_put_back_and_says_so() {
    for method in [Method::Hampel, Method::Screen] {
        let rows = run(method, &[(200, 50.0)]);
        assert_eq!(rows.len(), 300);
        let spike = &rows[200];
        assert_eq!(spike.time.0, DAY + 200_000);
        assert!((spike.content.value().unwrap() - 20.0).abs() < 2.0);
        assert_eq!(spike.content.raw(), Some(50.0));
        assert!(spike.flags.reasons().contains(Reasons::SPIKE));
    }
}

#[test]
fn a_step_is_kept_by_the_median() {
    let step: List<_> = (200..300).map(|n| (n, quiet(n) + 10.0)).collect();
    let rows = run(Method::Hampel, &step);
    let changed = rows.iter().filter(|row| row.flags != Flags::default());
    assert_eq!(changed.count(), 0);
}

#[test]
fn a_sensor_at_its_ease_is_left_alone() {
    for method in [Method::Hampel, Method::Screen] {
        let rows = run(method, &[]);
        let as_sent = |(n, row): (usize, &Cleaned)| row.content.value() == Some(quiet(n as i64));
        assert!(rows.iter().enumerate().all(as_sent), "{method:?}");
    }
}

#[test]
fn no_speed_is_above_the_bound_once_it_is_known() {
    let ramp: List<_> = (200..230)
        .map(|n| (n, 20.0 + 40.0 * (n % 3) as f64))
        .collect();
    let rows = run(Method::Screen, &ramp);
    let values: List<f64> = rows
        .iter()
        .map(|row| row.content.value().unwrap())
        .collect();
    let longest = |values: &[f64]| {
        let steps = values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        steps.fold(0.0, f64::max)
    };
    // The values sent among these are up to 80 apart.
    assert!(
        longest(&values[198..232]) < 10.0,
        "{}",
        longest(&values[198..232])
    );
}
