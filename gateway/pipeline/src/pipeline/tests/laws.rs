//! Laws that hold whatever comes: of late values, of parts and wholes, and of batches and streams.

use super::oracle::{check_all, is_close, last_word, play_by, steps, windowed};
use super::*;
use crate::config::{Cleaning, Fill, Range};
use proptest::prelude::*;
use wire::{Content, Flags, Stats, WindowKind};

/// Readings of two seconds, whose panes are kept for all windows that they are in, in any order.
fn shuffled() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let times = proptest::collection::btree_set(0_i64..2000, 1..40);
    let readings = times.prop_flat_map(|times| {
        let values = proptest::collection::vec(-100.0..100.0_f64, times.len());
        values.prop_map(move |values| times.iter().copied().zip(values).collect::<Vec<_>>())
    });
    readings.prop_shuffle()
}

/// The statistics of tumbling windows in the order of time, and their sketches.
fn tumbling(events: &[Event]) -> Vec<(Stats, wire::Sketch)> {
    last_word(events)
        .into_iter()
        .filter(|((_, kind), _)| *kind == WindowKind::Tumbling)
        .map(|(_, summary)| (summary.stats.unwrap(), summary.sketch.unwrap()))
        .collect()
}

/// Seconds with a sentinel now and then, a value that cannot be, a spike, and a gap.
fn dirty() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        20 => 19.0..23.0_f64,
        1 => Just(-127.0),
        1 => Just(900.0),
        1 => 30.0..80.0_f64,
    ];
    let step = prop_oneof![9 => Just(1000_i64), 1 => 2000_i64..9000];
    proptest::collection::vec((step, value), 1..120).prop_map(|steps| {
        let quiet = (0..300).map(|n| (1000, 20.0 + f64::from(n % 7) / 8.0));
        let mut time = 0;
        let summed = |(step, value): (i64, f64)| {
            time += step;
            (time, value)
        };
        quiet.chain(steps).map(summed).collect()
    })
}

fn cleaned() -> Plan {
    plan(|config| {
        config.sentinels = [-127.0].into_iter().collect();
        config.range = Some(Range {
            min: -40.0,
            max: 85.0,
        });
        config.stuck_ms = Some(20_000);
        config.ewma_tau_ms = Some(5000);
        config.cleaning = Some(Cleaning {
            // By the gateway's time, which a batch has none of.
            wait_ms_max: 24 * 3_600_000,
            fill: Fill::Linear,
            ..Cleaning::default()
        });
    })
}

/// Rows in the order of time, and the last word on each window. A window of a stream that pauses is told when the gateway's time is
/// up, and again when more comes: how often is not what a batch can tell.
fn told(rig: &Rig) -> (Vec<(Timestamp, Flags, Content)>, Vec<Summary>) {
    let rows = rig.rows();
    let mut rows: Vec<_> = rows
        .iter()
        .map(|row| (row.time, row.flags, row.content))
        .collect();
    rows.sort_by_key(|(time, ..)| *time);
    let words = last_word(&rig.events).into_values().map(|word| Summary {
        revision: 0,
        partial: false,
        ..word
    });
    (rows, words.collect())
}

proptest! {
    /// Without any lateness, what comes behind a later value corrects its windows: in the end they say what they would have said.
    #[test]
    fn the_order_of_late_arrivals_makes_no_difference(readings in shuffled()) {
        let mut plan = windowed();
        plan.defaults.lateness_ms = 0;
        check_all(&play_by(&plan, &readings), &readings);
    }

    /// Summaries of short windows are, merged by whoever reads them, the summary of the long one.
    #[test]
    fn summaries_of_parts_merge_to_that_of_the_whole(readings in steps(), parts in 2_u32..9) {
        let of_length = |length_ms| plan(|config| {
            config.tumbling_ms = Some(length_ms);
            config.quantiles = [0.5].into_iter().collect();
        });
        let gap_ms_max = of_length(1000).defaults.gap_ms_max;
        // As many parts as make one whole window, which begins where the first one does.
        let from = i64::from(1000 * parts) - WALL.rem_euclid(i64::from(1000 * parts));
        let until = from + i64::from(1000 * parts);
        let readings: Vec<_> = readings.into_iter().map(|(time, value)| (time + from, value)).filter(|(time, _)| *time < until).collect();
        let small = tumbling(&play_by(&of_length(1000), &readings));
        let large = tumbling(&play_by(&of_length(1000 * parts), &readings));
        let merge = |(mut stats, mut sketch): (Stats, wire::Sketch), (later, other): (Stats, wire::Sketch)| {
            stats.merge(&later, gap_ms_max);
            sketch.merge(&other);
            (stats, sketch)
        };
        let (merged, sketch) = small.into_iter().reduce(merge).unwrap();
        prop_assert_eq!(large.len(), 1);
        let (whole, whole_sketch) = &large[0];
        let exact = |stats: &Stats| (stats.n, stats.min, stats.max, stats.first_at, stats.last_at, stats.first, stats.last, stats.covered_ms);
        prop_assert_eq!(exact(&merged), exact(whole));
        let size = whole.max.abs().max(whole.min.abs());
        prop_assert!(is_close(merged.mean, whole.mean, size));
        prop_assert!(is_close(merged.m2, whole.m2, whole.m2.max(size * size * 1e-6)));
        prop_assert!(is_close(merged.integral, whole.integral, size * f64::from(whole.covered_ms)));
        prop_assert_eq!(sketch, *whole_sketch);
    }

    /// A device that was offline sends all it has at once: it is cleaned and averaged as if each reading had come when it was made.
    #[test]
    fn a_batch_is_cleaned_as_the_stream(readings in dirty()) {
        let end = readings.last().map_or(0, |(time, _)| *time as u64);
        let (mut stream, mut batch) = (Rig::of(&cleaned()), Rig::of(&cleaned()));
        for (time, value) in &readings {
            let _ = stream.read_of(*time as u64, Some(*time), *value);
            let _ = batch.read_of(end, Some(*time), *value);
        }
        for rig in [&mut stream, &mut batch] {
            rig.wait(end + 90_000_000).seal(end + 90_000_000);
        }
        let ((rows, summaries), (batch_rows, batch_summaries)) = (told(&stream), told(&batch));
        prop_assert_eq!(rows.len(), batch_rows.len());
        for (row, of_batch) in rows.iter().zip(&batch_rows) {
            prop_assert_eq!(row, of_batch);
        }
        prop_assert_eq!(summaries.len(), batch_summaries.len());
        for (summary, of_batch) in summaries.iter().zip(&batch_summaries) {
            prop_assert_eq!(summary, of_batch);
        }
    }
}
