//! Profiles: when they are told, and that they survive.

use super::*;

fn profiled() -> Plan {
    plan(|config| config.profile_ms = Some(3_600_000))
}

/// A tank whose level follows its inflow, and a signal of another device.
fn play(pipeline: &mut Pipeline<Boxed>, seconds: core::ops::Range<u64>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut out = |output: Output<'_>| events.push(keep(output));
    for second in seconds {
        let wave = (second as f64 / 200.0).sin();
        for (sensor, value) in [(0, wave), (1, 3.0 - wave), (2, wave)] {
            let reading = Reading { time: None, value };
            let now = at(second * 1000);
            let _ = pipeline.handle_reading(now, SensorId(sensor), &reading, &mut out);
            pipeline.handle_timeout(now, &mut out);
        }
    }
    events.retain(|event| matches!(event, Event::Profile(..)));
    events
}

fn rig() -> Rig {
    let mut rig = Rig::of(&profiled());
    rig.pipeline.register(at(0), "pump", "level").unwrap();
    rig.pipeline.register(at(0), "other", "flow").unwrap();
    rig
}

#[test]
fn a_profile_is_told_each_hour_with_what_goes_along() {
    let mut rig = rig();
    assert_eq!(play(&mut rig.pipeline, 1..3600), []);
    let events = play(&mut rig.pipeline, 3600..3610);
    let [
        Event::Profile(flow, partner),
        Event::Profile(level, _),
        Event::Profile(other, none),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((&partner[..], &none[..]), ("level", ""));
    assert!(flow.partners[0].unwrap().1 < -0.99);
    assert_eq!((flow.values, flow.health), (3599, 100));
    assert!((level.range[1] - 3.0).abs() < 0.2);
    let (season_ms, _) = other.season.unwrap();
    assert!((season_ms / 1_256_637.0 - 1.0).abs() < 0.1, "{season_ms}");
}

#[test]
fn what_was_learned_survives() {
    let mut rig = rig();
    play(&mut rig.pipeline, 1..1000);
    let mut bytes = Vec::new();
    rig.pipeline.save(|part| bytes.extend_from_slice(part));
    let mut other = Box::new(Pipeline::restore(memory(), &bytes).unwrap());
    assert_eq!(rig.pipeline.digest(), other.digest());
    let told = play(&mut rig.pipeline, 1000..3700);
    assert_eq!(told.len(), 3);
    assert_eq!(told, play(&mut other, 1000..3700));
}

#[test]
fn a_plan_without_profiles_forgets_them() {
    let mut rig = rig();
    play(&mut rig.pipeline, 1..10);
    rig.change(11_000, &plan(|_| {})).unwrap();
    assert_eq!(play(&mut rig.pipeline, 11..4000), []);
    rig.change(4_000_000, &profiled()).unwrap();
    assert_eq!(rig.pipeline.counters().miners_full, 0);
}
