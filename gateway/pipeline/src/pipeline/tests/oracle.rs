//! Summaries against an exact computation over all readings, and independence of the order of arrival.

use super::*;
use crate::config::Sliding;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::{Stats, WindowKind};

const LATENESS_MS: i64 = 2000;

pub(super) fn windowed() -> Plan {
    plan(|config| {
        config.lateness_ms = LATENESS_MS as u32;
        config.sliding = Some(Sliding {
            window_ms: 3000,
            hop_ms: 1000,
        });
    })
}

/// Readings that come in order, each with its time in ms.
pub(super) fn steps() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![-100.0..100.0, Just(1e9), 1e6..1.000_01e6, Just(0.0)];
    proptest::collection::vec((0_i64..1500, value), 1..120).prop_map(|steps| {
        let mut time = 0;
        let summed = |(step, value): (i64, f64)| {
            time += step + 1;
            (time, value)
        };
        steps.into_iter().map(summed).collect()
    })
}

/// The last word on each window: the summary with the highest revision.
pub(super) fn last_word(events: &[Event]) -> BTreeMap<(i64, WindowKind), Summary> {
    let mut words = BTreeMap::new();
    for event in events {
        let Event::Summary(summary) = event else {
            continue;
        };
        let key = (summary.window.start.0 - WALL, summary.window.kind);
        let word = words.entry(key).or_insert(*summary);
        if summary.revision >= word.revision {
            *word = *summary;
        }
    }
    words
}

/// Plays readings in the order given; each comes when the newest so far was measured. Then the sensor falls silent.
fn play(readings: &[(i64, f64)]) -> Vec<Event> {
    play_by(&windowed(), readings)
}

pub(super) fn play_by(plan: &Plan, readings: &[(i64, f64)]) -> Vec<Event> {
    let mut rig = Rig::of(plan);
    let mut newest = 0;
    for (time, value) in readings {
        newest = newest.max(*time as u64);
        let _ = rig.read_of(newest, Some(*time), *value);
    }
    rig.wait(newest + 60_000).seal(newest + 60_000);
    rig.events
}

/// Windows with at least one reading, each with its readings in the order of time.
fn exact(readings: &[(i64, f64)]) -> BTreeMap<(i64, WindowKind), Vec<(i64, f64)>> {
    let mut windows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut sorted = readings.to_vec();
    sorted.sort_by_key(|(time, _)| *time);
    for reading in sorted {
        let second = reading.0.div_euclid(1000) * 1000;
        windows
            .entry((second, WindowKind::Tumbling))
            .or_default()
            .push(reading);
        for hop in 0..3 {
            windows
                .entry((second - hop * 1000, WindowKind::Sliding))
                .or_default()
                .push(reading);
        }
    }
    windows
}

pub(super) fn is_close(a: f64, b: f64, size: f64) -> bool {
    (a - b).abs() <= 1e-9 * size.max(1e-30)
}

fn check_exact(stats: &Stats, values: &[(i64, f64)]) {
    let n = values.len() as f64;
    let mean = values.iter().map(|(_, v)| v / n).sum::<f64>();
    let squares = values
        .iter()
        .map(|(_, v)| (v - mean) * (v - mean))
        .sum::<f64>();
    let size = values.iter().map(|(_, v)| v.abs()).fold(0.0, f64::max);
    assert_eq!(stats.n as usize, values.len());
    assert!(
        is_close(stats.mean, mean, size),
        "mean {} is not {mean}",
        stats.mean
    );
    assert!(
        is_close(stats.m2, squares, squares.max(size * size * 1e-6)),
        "m2 {} is not {squares}",
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
    assert_eq!(
        (stats.first, stats.first_at),
        (values[0].1, values[0].0 + WALL)
    );
    let last = values[values.len() - 1];
    assert_eq!((stats.last, stats.last_at), (last.1, last.0 + WALL));
}

pub(super) fn check_all(events: &[Event], readings: &[(i64, f64)]) {
    let words = last_word(events);
    let exact = exact(readings);
    assert_eq!(
        words.keys().collect::<Vec<_>>(),
        exact.keys().collect::<Vec<_>>()
    );
    for (key, values) in &exact {
        check_exact(&words[key].stats.unwrap(), values);
    }
}

/// Swaps neighbours that are within the lateness of each other, as often as `swaps` says.
fn shuffled(readings: &[(i64, f64)], swaps: &[prop::sample::Index]) -> Vec<(i64, f64)> {
    let mut shuffled = readings.to_vec();
    for swap in swaps {
        let at = swap.index(shuffled.len());
        let mut trial = shuffled.clone();
        trial.swap(at, (at + 1) % readings.len());
        if is_within_lateness(&trial) {
            shuffled = trial;
        }
    }
    shuffled
}

fn is_within_lateness(readings: &[(i64, f64)]) -> bool {
    let mut newest = i64::MIN;
    readings.iter().all(|(time, _)| {
        newest = newest.max(*time);
        *time >= newest - LATENESS_MS
    })
}

proptest! {
    #[test]
    fn each_window_is_told_exactly(readings in steps()) {
        check_all(&play(&readings), &readings);
    }

    #[test]
    fn the_order_of_arrival_within_the_lateness_makes_no_difference(
        readings in steps(),
        swaps in proptest::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let shuffled = shuffled(&readings, &swaps);
        let events = play(&shuffled);
        check_all(&events, &readings);
        let revised = |event: &&Event| matches!(event, Event::Summary(summary) if summary.uncertain > 0);
        prop_assert_eq!(events.iter().filter(revised).count(), 0, "nothing was late");
    }

    #[test]
    fn each_summary_stands_in_one_batch(readings in steps()) {
        let mut single: Vec<Summary> = Vec::new();
        let mut batched: Vec<Summary> = Vec::new();
        for event in &play(&readings) {
            match event {
                Event::Summary(summary) => single.push(*summary),
                Event::Summaries(summaries) => batched.extend(summaries),
                Event::Alert { .. } | Event::Rows(_) | Event::Profile(..) => {}
            }
        }
        let key = |summary: &Summary| (summary.window, summary.revision);
        single.sort_by_key(key);
        batched.sort_by_key(key);
        prop_assert_eq!(single, batched);
    }
}

/// Readings every 400 ms.
fn evenly(values: &[f64]) -> Vec<(i64, f64)> {
    (0..).step_by(400).zip(values.iter().copied()).collect()
}

#[test]
fn the_corners_are_told_exactly() {
    for values in [
        &[7.5][..],
        &[3.25; 20],
        &[0.0; 20],
        &[1e15, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
        &[1e15, 1e15 + 1.0, 1e15 + 2.0, 1e15 + 1.0, 1e15],
        &[-1e140, 1e140],
    ] {
        let readings = evenly(values);
        check_all(&play(&readings), &readings);
    }
}

#[test]
fn what_comes_after_a_huge_value_has_nothing_of_it() {
    let readings = evenly(&[1e15, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    let words = last_word(&play(&readings));
    let stats = words[&(2000, WindowKind::Tumbling)].stats.unwrap();
    // 2000, 2400 and 2800 ms: 5, 6 and 7.
    assert_eq!((stats.mean, stats.m2, stats.n), (6.0, 2.0, 3));
    assert_eq!((stats.integral, stats.covered_ms), (6.0 * 800.0, 800));
}

#[test]
fn a_gap_longer_than_may_be_is_not_covered() {
    let mut rig = Rig::new(|config| {
        config.tumbling_ms = Some(10_000);
        config.gap_ms_max = 2_000;
    });
    rig.read(0, 10.0)
        .read(2000, 20.0)
        .read(7000, 90.0)
        .read(8000, 90.0);
    rig.read(12_000, 0.0).seal(12_000);
    let summary = rig.events.iter().find_map(|event| match event {
        Event::Summary(summary) => Some(*summary),
        _ => None,
    });
    let stats = summary.unwrap().stats.unwrap();
    assert_eq!(
        (stats.integral, stats.covered_ms),
        (30_000.0 + 90_000.0, 3000)
    );
    assert_eq!(stats.time_weighted_mean(), Some(40.0));
}

#[test]
fn the_hour_in_which_clocks_are_set_forward_is_an_hour_like_any() {
    let mut rig = Rig::new(|config| config.tumbling_ms = Some(3_600_000));
    // 2026-03-29 00:30, 01:30 and 02:30 UTC: in Berlin 01:30, 03:30 and 04:30.
    let first = 1_774_744_200_000 - WALL;
    for nth in 0..3 {
        let time = first + 3_600_000 * nth;
        let _ = rig.read_of(time as u64, Some(time), 1.0);
    }
    rig.seal(first as u64 + 7_200_000);
    let starts: Vec<i64> = rig
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Summary(summary) => Some(summary.window.start.0 - WALL - first),
            _ => None,
        })
        .collect();
    assert_eq!(starts, [-1_800_000, 1_800_000]);
}
