//! Signals that are calculated from others.

use super::*;
use crate::config::Allotment;
use crate::config::Derived;
use crate::expression::Expression;

/// Power is volts times amps; each device `pump*` has it.
fn power() -> Plan {
    let mut plan = plan(|_| {});
    let (formula, inputs) = Expression::formula("volts * amps").unwrap();
    let derived = Derived {
        device: "pump*".try_into().unwrap(),
        signal: "power".try_into().unwrap(),
        formula,
        inputs,
        fresh_ms: 5_000,
        rate_ms: None,
    };
    plan.derived.push(derived).unwrap();
    plan
}

/// A rig in which a device sends volts and amps, at those ms; gives what became of power: time and value.
fn check(device: &str, readings: &[(u64, &str, f64)], expected: &[(i64, f64)]) {
    let mut rig = Rig::of(&power());
    for (ms, signal, value) in readings {
        let sensor = rig.pipeline.register(at(*ms), device, signal).unwrap();
        let reading = Reading {
            time: Some(at(*ms).wall),
            value: *value,
        };
        let events = &mut rig.events;
        let _ = rig
            .pipeline
            .handle_reading(at(*ms), sensor, &reading, &mut |output: Output<'_>| {
                events.push(keep(output))
            });
        // The deadline that a derived signal sets is at most a ms away.
        rig.wait(*ms + 1);
    }
    rig.seal(100_000);
    let power = rig.pipeline.find(device, "power");
    let rows: Vec<_> = rig
        .rows()
        .iter()
        .filter(|row| Some(row.sensor) == power)
        .map(|row| (row.time.0 - WALL, row.content.raw().unwrap()))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn each_input_makes_a_sample_once_all_are_known() {
    check(
        "pump-1",
        &[
            (0, "volts", 230.0),
            (100, "amps", 2.0),
            (1000, "amps", 3.0),
            (2000, "volts", 231.0),
        ],
        &[(100, 460.0), (1000, 690.0), (2000, 693.0)],
    );
}

#[test]
fn an_input_that_is_too_old_makes_no_sample() {
    check(
        "pump-1",
        &[(0, "volts", 230.0), (100, "amps", 2.0), (5200, "amps", 3.0)],
        &[(100, 460.0)],
    );
}

#[test]
fn a_bad_input_makes_no_sample() {
    check(
        "pump-1",
        &[
            (0, "volts", 230.0),
            (100, "amps", f64::NAN),
            (200, "amps", 1.0),
        ],
        &[(200, 230.0)],
    );
}

#[test]
fn other_devices_and_signals_have_none() {
    check("valve", &[(0, "volts", 230.0), (100, "amps", 2.0)], &[]);
    check("pump-1", &[(0, "flow", 1.0), (100, "amps", 2.0)], &[]);
}

#[test]
fn inputs_that_come_together_make_one_sample() {
    let mut rig = Rig::of(&power());
    for (signal, value) in [("volts", 230.0), ("amps", 2.0)] {
        let sensor = rig.pipeline.register(at(0), "pump-1", signal).unwrap();
        let reading = Reading {
            time: Some(at(0).wall),
            value,
        };
        let _ = rig
            .pipeline
            .handle_reading(at(0), sensor, &reading, &mut |_: Output<'_>| {});
    }
    assert_eq!(rig.pipeline.deadline(), Some(Instant(0)));
    rig.wait(0).seal(1);
    assert_eq!(rig.rows().len(), 3);
    assert_eq!(rig.pipeline.counters().derived_stale, 0);
}

#[test]
fn what_is_calculated_is_no_input_of_another() {
    let mut plan = power();
    let (formula, inputs) = Expression::formula("power * 2").unwrap();
    let twice = Derived {
        signal: "twice".try_into().unwrap(),
        formula,
        inputs,
        ..plan.derived[0].clone()
    };
    plan.derived.push(twice).unwrap();
    assert_eq!(
        plan.validate(Allotment::MAX).unwrap_err().field,
        "derived.formula"
    );
}

#[test]
fn a_restart_between_input_and_sample_makes_no_difference() {
    let mut rig = Rig::of(&power());
    for (signal, value) in [("volts", 230.0), ("amps", 2.0)] {
        let sensor = rig.pipeline.register(at(0), "pump-1", signal).unwrap();
        let reading = Reading {
            time: Some(at(0).wall),
            value,
        };
        let _ = rig
            .pipeline
            .handle_reading(at(0), sensor, &reading, &mut |_: Output<'_>| {});
    }
    let mut saved = Vec::new();
    rig.pipeline.save(|bytes| saved.extend_from_slice(bytes));
    *rig.pipeline = Pipeline::restore(memory(), &saved).unwrap();
    rig.wait(1).seal(2);
    let power = rig.pipeline.find("pump-1", "power").unwrap();
    assert_eq!(rig.pipeline.status(power).unwrap().value, 460.0);
}

#[test]
fn a_rate_is_the_change_since_the_sample_before() {
    let mut plan = plan(|_| {});
    let (formula, inputs) = Expression::formula("flow").unwrap();
    plan.derived
        .push(Derived {
            device: "*".try_into().unwrap(),
            signal: "speed".try_into().unwrap(),
            formula,
            inputs,
            fresh_ms: 10_000,
            rate_ms: Some(60_000),
        })
        .unwrap();
    let mut rig = Rig::of(&plan);
    for (ms, value) in [
        (0, 1.0),
        (1000, 3.0),
        (3000, 3.0),
        (20_000, 9.0),
        (21_000, 8.0),
    ] {
        rig.read(ms, value).wait(ms + 1);
    }
    rig.seal(21_002);
    let speed = rig.pipeline.find("pump", "speed").unwrap();
    let rows = rig.rows();
    let rows = rows.iter().filter(|row| row.sensor == speed);
    let told: Vec<_> = rows
        .map(|row| (row.time.0 - WALL, row.content.value().unwrap()))
        .collect();
    // The sample at 20 s is too far behind the one before.
    assert_eq!(told, [(1000, 120.0), (3000, 0.0), (21_000, -60.0)]);
}
