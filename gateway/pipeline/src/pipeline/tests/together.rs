//! Several signals of a device, judged together.

use super::*;
use crate::config::{Chart, Measure, SensorRule, Threshold};
use crate::detect::tests_noise::Noise;

fn judged() -> Plan {
    let mut plan = plan(|config| config.tumbling_ms = None);
    let chart = Chart {
        device: "pump".try_into().unwrap(),
        signal: "together".try_into().unwrap(),
        signals: ["flow", "heat"]
            .map(|it| it.try_into().unwrap())
            .into_iter()
            .collect(),
        gather_ms: 100,
        wears: false,
    };
    plan.charts.push(chart).unwrap();
    let mut config = plan.defaults.clone();
    let alert = Threshold {
        rule: "together".try_into().unwrap(),
        of: Measure::Together,
        limit: 1.0,
        hysteresis: 0.2,
        ..Threshold::default()
    };
    config.thresholds.push(alert).unwrap();
    let rule = SensorRule {
        device: "pump".try_into().unwrap(),
        signal: "together".try_into().unwrap(),
        config,
    };
    let _ = plan.rules.push(rule);
    plan
}

/// Rows of both signals, a second apart; `apart` moves the heat.
fn rows(rig: &mut Rig, from: u64, to: u64, apart: f64) {
    let heat = rig.pipeline.register(at(0), "pump", "heat").unwrap();
    let mut noise = Noise(from + 1);
    for nth in from..to {
        let now = 1000 * nth;
        rig.read(now, 20.0 + noise.next());
        let reading = Reading {
            time: None,
            value: 50.0 + noise.next() + apart,
        };
        let events = &mut rig.events;
        let mut out = |output: Output<'_>| events.push(keep(output));
        let _ = rig
            .pipeline
            .handle_reading(at(now + 3), heat, &reading, &mut out);
        rig.wait(now + 100);
    }
}

#[test]
fn signals_that_depart_together_raise_the_alert_of_the_device() {
    let mut rig = Rig::of(&judged());
    rows(&mut rig, 0, 399, 0.0);
    assert_eq!(
        (
            rig.pipeline.watched().together,
            rig.pipeline.watched().learning
        ),
        (1, 1)
    );
    let own = rig.pipeline.find("pump", "together").unwrap();
    assert_eq!(
        rig.pipeline.status(own).unwrap().counts.readings,
        0,
        "it learns"
    );
    rows(&mut rig, 399, 700, 0.0);
    assert!(rig.alerts().is_empty(), "{:?}", rig.alerts());
    assert_eq!(
        rig.pipeline.status(own).unwrap().counts.readings,
        300,
        "one for each row"
    );
    rows(&mut rig, 700, 760, 4.0);
    let told = |event: &Event| match event {
        Event::Alert { sensor, why, .. } => Some((*sensor, why.clone())),
        _ => None,
    };
    let (sensor, why) = rig.events.iter().find_map(told).expect("an alert");
    assert_eq!(sensor, own);
    assert!(
        why.starts_with("together 1.") && why.ends_with("heat most"),
        "{why}"
    );
    rows(&mut rig, 760, 900, 0.0);
    assert_eq!(rig.alerts(), ["+together 1", "-together 1"]);
}

#[test]
fn a_restart_makes_no_difference() {
    let mut steady = Rig::of(&judged());
    rows(&mut steady, 0, 500, 0.0);
    let mut saved = Vec::new();
    steady.pipeline.save(|bytes| saved.extend_from_slice(bytes));
    let mut restored = Rig {
        pipeline: Box::new(Pipeline::restore(memory(), &saved).unwrap()),
        events: Vec::new(),
    };
    rows(&mut steady, 500, 600, 3.0);
    rows(&mut restored, 500, 600, 3.0);
    assert_eq!(steady.pipeline.digest(), restored.pipeline.digest());
    assert_eq!(steady.alerts(), restored.alerts());
}
