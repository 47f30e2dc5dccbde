//! What becomes of values: the set formula, units, and the way through the gate.

use super::*;
use crate::config::{Cleaning, Range};
use crate::expression::Expression;
use proptest::prelude::*;
use wire::{Content, Quality, Reasons};

fn rows_of(change: impl FnOnce(&mut SensorConfig), values: &[f64]) -> Vec<Row> {
    rows_by(&plan(change), values)
}

fn rows_by(plan: &Plan, values: &[f64]) -> Vec<Row> {
    let mut rig = Rig::of(plan);
    let last = 1000 * values.len() as u64;
    for (second, value) in values.iter().enumerate() {
        rig.read(1000 * second as u64, *value);
    }
    rig.wait(last + 100_000).seal(last + 100_000);
    let mut rows = rig.rows();
    rows.sort_by_key(|row| row.time);
    rows
}

/// 300 readings by which a gate learns a sensor, then these.
fn learned(values: &[f64]) -> Vec<f64> {
    let quiet = (0..300).map(|n| 20.0 + f64::from(n % 7) / 8.0);
    quiet.chain(values.iter().copied()).collect()
}

#[test]
fn a_scaled_value_stands_beside_what_was_sent() {
    let rows = rows_of(
        |config| {
            config.scale = 0.5;
            config.offset = -10.0;
            config.range = Some(Range {
                min: 0.0,
                max: 50.0,
            });
            config.sentinels = [255.0].into_iter().collect();
        },
        &[40.0, 255.0, 16.0],
    );
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.content, row.flags.quality(), row.flags.reasons()))
        .collect();
    let expected = [
        (
            Content::Repaired {
                raw: 40.0,
                value: 10.0,
            },
            Quality::Good,
            Reasons::NONE,
        ),
        (Content::Refused(255.0), Quality::Bad, Reasons::SENTINEL),
        (Content::Refused(16.0), Quality::Bad, Reasons::OUT_OF_RANGE),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_spike_is_mended_in_rows_and_windows_and_still_raises_its_alert() {
    let mut rig = Rig::new(|config| {
        config.cleaning = Some(Cleaning::default());
        let threshold = crate::config::Threshold {
            rule: "high".try_into().unwrap(),
            limit: 50.0,
            ..Default::default()
        };
        config.thresholds.push(threshold).unwrap();
    });
    for (second, value) in learned(&[99.0, 20.5]).into_iter().enumerate() {
        rig.read(1000 * second as u64, value);
    }
    rig.wait(400_000).seal(400_000);
    assert_eq!(rig.alerts(), ["+high 1", "-high 1"]);
    let row = rig
        .rows()
        .into_iter()
        .find(|row| row.time.0 == WALL + 300_000)
        .unwrap();
    assert_eq!(row.content.raw(), Some(99.0));
    assert_eq!(
        (row.flags.quality(), row.flags.reasons()),
        (Quality::Uncertain, Reasons::SPIKE)
    );
    let highest = rig.events.iter().filter_map(|event| match event {
        Event::Summary(summary) => summary.stats.map(|stats| stats.max),
        _ => None,
    });
    assert!(highest.fold(0.0, f64::max) < 22.0);
    assert_eq!(rig.pipeline.counters().spikes, 1);
}

#[test]
fn a_suspect_waits_no_longer_than_it_may() {
    let mut rig = Rig::new(|config| {
        config.cleaning = Some(Cleaning {
            wait_ms_max: 5_000,
            ..Cleaning::default()
        })
    });
    for (second, value) in learned(&[99.0]).into_iter().enumerate() {
        rig.read(1000 * second as u64, value);
    }
    rig.wait(304_999).seal(304_999);
    assert_eq!(rig.rows().len(), 300);
    rig.wait(305_000).seal(305_000);
    let last = *rig.rows().last().unwrap();
    assert_eq!(
        (last.content, last.flags.quality()),
        (Content::AsSent(99.0), Quality::Uncertain)
    );
}

#[test]
fn without_a_gate_left_values_pass_as_they_are() {
    let mut memory = memory();
    memory.gates = [].into();
    let plan = plan(|config| config.cleaning = Some(Cleaning::default()));
    let mut pipeline = Pipeline::new(plan, memory).unwrap();
    pipeline.register(at(0), "pump", "flow").unwrap();
    assert_eq!(pipeline.counters().gates_full, 1);
}

#[test]
fn another_cleaning_lets_go_of_what_waits() {
    let mut rig = Rig::new(|config| config.cleaning = Some(Cleaning::default()));
    for (second, value) in learned(&[99.0]).into_iter().enumerate() {
        rig.read(1000 * second as u64, value);
    }
    rig.change(301_000, &plan(|_| {})).unwrap();
    assert_eq!(rig.rows().len(), 301);
}

proptest! {
    #[test]
    fn filtered_is_data_without_what_fits_the_condition(data in proptest::collection::vec(-100.0..150.0_f64, 1..40)) {
        let text = "value < -40 or value > 85";
        let mut plan = plan(|config| config.drop_if = Some(0));
        plan.conditions.push(Expression::condition(text).unwrap()).unwrap();
        let rows = rows_by(&plan, &data);
        let filtered: Vec<f64> = rows.iter().filter_map(|row| row.content.value()).collect();
        let expected: Vec<f64> = data.iter().copied().filter(|x| !(*x < -40.0 || *x > 85.0)).collect();
        prop_assert_eq!(filtered, expected);
        let is_told = |row: &&Row| row.flags.reasons() == Reasons::CONDITION && row.flags.quality() == Quality::Bad;
        prop_assert_eq!(rows.iter().filter(is_told).count() + rows.iter().filter(|row| row.content.value().is_some()).count(), data.len());
    }

    /// Cleaning knows no unit: eight times the values are mended to eight times the values.
    #[test]
    fn another_unit_makes_no_difference(tail in proptest::collection::vec(prop_oneof![4 => 19.0..23.0_f64, 1 => 30.0..80.0_f64], 1..60)) {
        let values = learned(&tail);
        let larger: Vec<f64> = values.iter().map(|value| 8.0 * value).collect();
        let clean = |config: &mut SensorConfig| config.cleaning = Some(Cleaning::default());
        let (small, large) = (rows_of(clean, &values), rows_of(clean, &larger));
        prop_assert_eq!(small.len(), large.len());
        for (small, large) in small.iter().zip(&large) {
            prop_assert_eq!((small.time, small.flags), (large.time, large.flags));
            prop_assert_eq!(small.content.value().map(|value| 8.0 * value), large.content.value());
        }
    }
}
