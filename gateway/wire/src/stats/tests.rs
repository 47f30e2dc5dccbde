use super::*;
use proptest::prelude::*;

const GAP_MS: u32 = 60_000;

fn of(values: &[(i64, f64)]) -> Stats {
    let mut stats = Stats::of(values[0].0, values[0].1);
    for (at, value) in &values[1..] {
        stats.push(*at, *value, GAP_MS);
    }
    stats
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.max(1e-300)
}

/// The same by two passes over all values.
fn check_exact(values: &[(i64, f64)], stats: &Stats) {
    let n = values.len() as f64;
    let mean = values.iter().map(|(_, v)| v / n).sum::<f64>();
    let squares = values
        .iter()
        .map(|(_, v)| (v - mean) * (v - mean))
        .sum::<f64>();
    let size = values.iter().map(|(_, v)| v.abs()).fold(0.0, f64::max);
    assert_eq!(stats.n as usize, values.len());
    assert!(close(stats.mean, mean, size), "mean {} {mean}", stats.mean);
    assert!(
        close(stats.m2, squares, squares.max(size * size * n * 1e-6)),
        "m2 {} {squares}",
        stats.m2
    );
    assert_eq!(
        stats.min,
        values.iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min)
    );
    assert_eq!(
        stats.max,
        values
            .iter()
            .map(|(_, v)| *v)
            .fold(f64::NEG_INFINITY, f64::max)
    );
}

#[test]
fn one_value_has_no_deviation() {
    let stats = of(&[(0, 5.0)]);
    assert_eq!(
        (
            stats.mean,
            stats.variance(),
            stats.stddev(),
            stats.time_weighted_mean()
        ),
        (5.0, None, None, None)
    );
}

#[test]
fn a_large_counter_keeps_its_deviation() {
    let values: std::vec::Vec<_> = (0..1000)
        .map(|n| (n, 4.2e9 + (n % 21 - 10) as f64))
        .collect();
    check_exact(&values, &of(&values));
}

#[test]
fn the_integral_weighs_by_time_and_leaves_gaps_out() {
    let stats = of(&[
        (0, 10.0),
        (1000, 10.0),
        (2000, 20.0),
        (2000 + i64::from(GAP_MS) + 1, 99.0),
    ]);
    assert_eq!(stats.covered_ms, 2000);
    assert_eq!(stats.time_weighted_mean(), Some(12.5));
}

#[test]
fn a_value_out_of_order_may_become_the_first_but_not_part_of_the_integral() {
    let stats = of(&[(1000, 1.0), (2000, 2.0), (500, 9.0), (1500, 9.0)]);
    assert_eq!(
        (stats.first, stats.first_at, stats.last, stats.covered_ms),
        (9.0, 500, 2.0, 1000)
    );
}

/// f64::min of them gives one on x86-64 and the other on ARM, so a box and a replay of its journal sealed different bytes.
#[test]
fn the_least_and_greatest_of_zeros_are_the_same_on_every_processor() {
    for values in [[0.0, -0.0], [-0.0, 0.0]] {
        let pushed = of(&[(0, values[0]), (1, values[1])]);
        let mut merged = of(&[(0, values[0])]);
        merged.merge(&of(&[(1, values[1])]), GAP_MS);
        for stats in [pushed, merged] {
            assert!(stats.min.is_sign_negative(), "{values:?}");
            assert!(stats.max.is_sign_positive(), "{values:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_split_merges_to_the_whole(
        values in proptest::collection::vec(-1e6_f64..1e6, 2..200),
        offset in prop_oneof![Just(0.0), Just(1e9), Just(-4.2e9)],
        cut in any::<prop::sample::Index>(),
    ) {
        let values: std::vec::Vec<_> = values.iter().enumerate().map(|(n, v)| (n as i64 * 700, v + offset)).collect();
        let whole = of(&values);
        check_exact(&values, &whole);
        let (before, after) = values.split_at(1 + cut.index(values.len() - 1));
        let mut merged = of(before);
        merged.merge(&of(after), GAP_MS);
        check_exact(&values, &merged);
        prop_assert_eq!((merged.first, merged.last, merged.covered_ms), (whole.first, whole.last, whole.covered_ms));
        prop_assert!(close(merged.integral, whole.integral, 6e9 * f64::from(merged.covered_ms)));
    }

    #[test]
    fn any_times_are_taken(times in proptest::collection::vec(any::<i64>(), 1..20)) {
        let values: std::vec::Vec<_> = times.into_iter().map(|at| (at, 1.0)).collect();
        let stats = of(&values);
        prop_assert_eq!(stats.first_at, values.iter().map(|(at, _)| *at).min().unwrap());
        prop_assert_eq!(stats.last_at, values.iter().map(|(at, _)| *at).max().unwrap());
    }
}
