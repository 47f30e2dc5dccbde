//! Summaries against an exact computation over all readings, and independence of the order of arrival.

use super::*;
use crate::config::Sliding;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::{Stats, WindowKind};

const LATENESS_MS: i64 = 2000;

fn windowed() -> Plan {
    plan(|config| {
        config.lateness_ms = LATENESS_MS as u32;
        config.sliding = Some(Sliding {
            window_ms: 3000,
            hop_ms: 1000,
        });
    })
}

/// Readings that come in order, each with its time in ms.
fn steps() -> impl Strategy<Value = Vec<(i64, f64)>> {
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
fn last_word(events: &[Event]) -> BTreeMap<(i64, WindowKind), Summary> {
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
    let mut rig = Rig::of(&windowed());
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

fn is_close(a: f64, b: f64, size: f64) -> bool {
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

fn check_all(events: &[Event], readings: &[(i64, f64)]) {
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
                Event::Alert { .. } | Event::Rows(_) => {}
            }
        }
        let key = |summary: &Summary| (summary.window, summary.revision);
        single.sort_by_key(key);
        batched.sort_by_key(key);
        prop_assert_eq!(single, batched);
    }
}
