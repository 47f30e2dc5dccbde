//! Quantiles of windows, and who has memory for them.

use super::*;
use crate::config::{SensorRule, Sliding};
use proptest::prelude::*;
use wire::Sketch;

fn with_quantiles() -> Plan {
    plan(|config| {
        config.sliding = Some(Sliding {
            window_ms: 3000,
            hop_ms: 1000,
        });
        config.quantiles = [0.5, 0.95].into();
    })
}

fn sketches(events: &[Event]) -> Vec<(i64, u32, Option<Sketch>)> {
    let told = events.iter().filter_map(|event| match event {
        Event::Summary(summary) => Some((
            summary.window.start.0 - WALL,
            summary.window.length_ms,
            summary.sketch,
        )),
        _ => None,
    });
    told.collect()
}

proptest! {
    #[test]
    fn each_window_has_the_sketch_of_its_values(values in proptest::collection::vec(-1e3..1e3_f64, 1..60)) {
        let mut rig = Rig::of(&with_quantiles());
        for (nth, value) in values.iter().enumerate() {
            rig.read(nth as u64 * 250, *value);
        }
        rig.wait(1_000_000);
        let told = sketches(&rig.events);
        prop_assert!(!told.is_empty());
        for (start, length_ms, sketch) in told {
            let mut exact = Sketch::default();
            let within = |nth: usize| (start..start + i64::from(length_ms)).contains(&(nth as i64 * 250));
            let values = values.iter().enumerate().filter(|(nth, _)| within(*nth));
            values.for_each(|(_, value)| exact.push(*value));
            prop_assert_eq!(sketch, Some(exact));
        }
    }
}

#[test]
fn who_finds_no_sketches_left_has_averages_all_the_same() {
    // There is memory for two.
    let mut rig = Rig::of(&with_quantiles());
    let second = rig.pipeline.register(at(0), "pump", "b").unwrap();
    let third = rig.pipeline.register(at(0), "pump", "c").unwrap();
    assert_eq!(rig.pipeline.counters().sketches_full, 1);
    let reading = Reading {
        time: None,
        value: 1.0,
    };
    let mut told = Vec::new();
    for sensor in [SensorId(0), second, third] {
        let mut out = |output: Output<'_>| told.push(keep(output));
        let _ = rig
            .pipeline
            .handle_reading(at(100), sensor, &reading, &mut out);
        let _ = rig
            .pipeline
            .handle_reading(at(1100), sensor, &reading, &mut out);
    }
    let has: Vec<bool> = sketches(&told)
        .iter()
        .filter(|(start, ..)| *start == 0)
        .map(|(.., sketch)| sketch.is_some())
        .collect();
    assert_eq!(has, [true, true, false]);
}

#[test]
fn a_plan_that_asks_for_none_gives_them_back() {
    let mut rig = Rig::of(&with_quantiles());
    rig.read(0, 1.0);
    rig.pipeline.register(at(0), "pump", "b").unwrap();
    let mut next = with_quantiles();
    let mut config = next.defaults.clone();
    config.quantiles.clear();
    let (device, signal) = ("*".try_into().unwrap(), "flow".try_into().unwrap());
    next.rules
        .push(SensorRule {
            device,
            signal,
            config,
        })
        .unwrap();
    rig.change(10, &next).unwrap();
    rig.pipeline.register(at(20), "pump", "c").unwrap();
    assert_eq!(rig.pipeline.counters().sketches_full, 0);
    rig.read(30, 1.0).read(1100, 1.0);
    let told = sketches(&rig.events);
    assert!(told.last().is_some_and(|(.., sketch)| sketch.is_none()));
}
