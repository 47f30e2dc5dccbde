//! What people do about alarms, and what the plan does.

use super::*;
use crate::commands::{Command, Futile, Verb};
use crate::config::{Measure, SensorRule, Side, Suppression, Threshold};

fn high(rule: &str, limit: f64) -> Threshold {
    Threshold {
        rule: rule.try_into().unwrap(),
        limit,
        ..Threshold::default()
    }
}

fn watched(change: impl FnOnce(&mut Plan)) -> Rig {
    let mut plan = plan(|config| {
        config.tumbling_ms = None;
        config.thresholds.push(high("high", 90.0)).unwrap();
    });
    change(&mut plan);
    Rig::of(&plan)
}

fn operate(rig: &mut Rig, ms: u64, verb: Verb) -> Result<(), Futile> {
    let alarm = rig.pipeline.find_alarm(SensorId(0), "high").unwrap();
    let command = Command {
        verb,
        sensor: SensorId(0),
        alarm,
        by: "anna",
        note: "I look",
    };
    let events = &mut rig.events;
    rig.pipeline
        .handle_command(at(ms), &command, &mut |output: Output<'_>| {
            events.push(keep(output))
        })
}

/// All that was told: transition, standing, id, why.
fn told(rig: &Rig) -> Vec<String> {
    let tell = |event: &Event| match event {
        Event::Alert {
            id,
            transition,
            standing,
            why,
            ..
        } => Some(std::format!("{transition:?} {standing:?} {id}: {why}")),
        _ => None,
    };
    rig.events.iter().filter_map(tell).collect()
}

#[test]
fn an_acknowledgement_is_told_with_who_and_why() {
    let mut rig = watched(|_| {});
    assert_eq!(
        operate(&mut rig, 0, Verb::Acknowledge),
        Err(Futile::NothingNew)
    );
    rig.read(1, 95.0);
    assert_eq!(operate(&mut rig, 2, Verb::Acknowledge), Ok(()));
    rig.read(3, 80.0);
    assert_eq!(
        told(&rig),
        [
            "Raised Unacknowledged 1: 95 is above 90",
            "Acknowledged Acknowledged 1: acknowledged by anna: I look",
            "Cleared Normal 1: 80 is no more above 90"
        ]
    );
}

#[test]
fn a_shelf_ends_by_the_gateways_time() {
    let mut rig = watched(|_| {});
    assert_eq!(
        operate(&mut rig, 0, Verb::Unshelve),
        Err(Futile::NotShelved)
    );
    assert_eq!(operate(&mut rig, 0, Verb::Shelve(1000)), Ok(()));
    rig.read(10, 95.0);
    assert_eq!(rig.pipeline.deadline(), Some(Instant(1000)));
    rig.wait(1000);
    assert_eq!(
        told(&rig),
        [
            "Shelved Shelved 0: shelved by anna: I look",
            "Unshelved Unacknowledged 1: the time on the shelf is over"
        ]
    );
    assert_eq!(rig.pipeline.counters().alarms_untold, 1);
}

#[test]
fn there_is_no_alarm_but_those_of_the_plan() {
    let mut rig = watched(|_| {});
    assert_eq!(rig.pipeline.find_alarm(SensorId(0), "low"), None);
    assert_eq!(rig.pipeline.find_alarm(SensorId(7), "high"), None);
    let command = Command {
        verb: Verb::Shelve(1),
        sensor: SensorId(0),
        alarm: 1,
        by: "",
        note: "",
    };
    let answer = rig
        .pipeline
        .handle_command(at(0), &command, &mut |_: Output<'_>| {});
    assert_eq!(answer, Err(Futile::NoAlarm));
}

#[test]
fn alarms_are_silent_while_the_machine_is_off() {
    let mut rig = watched(|plan| {
        let off = Suppression {
            signal: "running".try_into().unwrap(),
            side: Side::Below,
            limit: 0.5,
        };
        plan.suppressions.push(off).unwrap();
        let mut silent = plan.defaults.clone();
        silent.suppress = Some(0);
        plan.defaults.thresholds.clear();
        let rule = SensorRule {
            device: "pump".try_into().unwrap(),
            signal: "flow".try_into().unwrap(),
            config: silent,
        };
        let _ = plan.rules.push(rule);
    });
    let running = rig.pipeline.register(at(0), "pump", "running").unwrap();
    let switch = |rig: &mut Rig, ms: u64, value: f64| {
        let reading = Reading { time: None, value };
        let _ = rig
            .pipeline
            .handle_reading(at(ms), running, &reading, &mut |_: Output<'_>| {});
    };
    rig.read(1, 95.0).read(2, 80.0);
    switch(&mut rig, 3, 0.0);
    rig.read(4, 95.0);
    switch(&mut rig, 5, 1.0);
    rig.read(6, 96.0);
    assert_eq!(
        told(&rig),
        [
            "Raised Unacknowledged 1: 95 is above 90",
            "Cleared Returned 1: 80 is no more above 90",
            "Suppressed Suppressed 1: suppressed by running",
            "Released Unacknowledged 2: released by running"
        ]
    );
}

#[test]
fn of_a_group_it_is_told_which_came_first() {
    let mut plan = plan(|config| {
        config.tumbling_ms = None;
        config.group = Some(3);
        config.thresholds.push(high("high", 90.0)).unwrap();
        config.thresholds.push(high("higher", 95.0)).unwrap();
    });
    plan.batch.readings_max = 100;
    let mut rig = Rig::of(&plan);
    let mut firsts = Vec::new();
    let mut read = |ms: u64, value: f64| {
        let reading = Reading { time: None, value };
        let mut note = |output: Output<'_>| {
            if let Output::Alert(alert) = output {
                firsts.push((alert.id, alert.first_out));
            }
        };
        let _ = rig
            .pipeline
            .handle_reading(at(ms), SensorId(0), &reading, &mut note);
    };
    read(1, 92.0);
    read(2, 97.0);
    read(3, 80.0);
    // The first one again is another occurrence, and the group begins anew.
    read(4, 97.0);
    assert_eq!(
        firsts,
        [
            (1, Some(1)),
            (2, Some(1)),
            (1, Some(1)),
            (2, Some(1)),
            (3, Some(3)),
            (4, Some(3))
        ]
    );
}

#[test]
fn a_trend_warns_before_the_limit_is_reached() {
    let mut rig = watched(|plan| {
        let soon = Threshold {
            of: Measure::Forecast {
                over_ms: 600_000,
                ahead_ms: 1_800_000,
            },
            ..high("soon", 90.0)
        };
        plan.defaults.thresholds.push(soon).unwrap();
        plan.defaults.unit.push_str("°C").unwrap();
    });
    for second in 0..7200_u64 {
        let wobble = (second % 5) as f64 / 50.0;
        rig.read(1000 * second, 20.0 + 0.01 * second as f64 + wobble);
    }
    assert_eq!(rig.alerts()[..2], ["+soon 1", "+high 2"]);
    let why = told(&rig).remove(0);
    assert!(why.contains("crosses 90 °C in "), "{why}");
    assert!(why.contains(" ± "), "{why}");
}
