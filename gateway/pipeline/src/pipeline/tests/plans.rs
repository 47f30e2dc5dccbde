//! Timelines of plans that change, and of the table of sensors.

use super::*;
use crate::config::{SensorRule, SilenceRule, Threshold};
use wire::Severity;

fn high(limit: f64) -> Threshold {
    Threshold {
        rule: "high".try_into().unwrap(),
        limit,
        ..Threshold::default()
    }
}

#[test]
fn a_sensor_for_which_nothing_changes_goes_on() {
    let mut rig = Rig::new(|config| config.thresholds.push(high(90.0)).unwrap());
    rig.read(0, 95.0).read(500, 96.0);
    let mut plan = rig.pipeline.plan().clone();
    let (device, signal) = ("other-*".try_into().unwrap(), "*".try_into().unwrap());
    plan.rules
        .push(SensorRule {
            device,
            signal,
            config: SensorConfig::default(),
        })
        .unwrap();
    rig.change(600, &plan).unwrap();
    rig.read(1000, 97.0);
    assert_eq!(rig.alerts(), ["+high 1"]);
    assert_eq!(rig.summaries(), ["0+1000: 95.5 of 2"]);
}

#[test]
fn a_rule_that_changes_clears_its_alert() {
    let mut rig = Rig::new(|config| config.thresholds.push(high(90.0)).unwrap());
    rig.read(0, 95.0);
    rig.change(
        100,
        &plan(|config| config.thresholds.push(high(94.0)).unwrap()),
    )
    .unwrap();
    assert_eq!(rig.alerts(), ["+high 1", "-high 1"]);
    rig.read(200, 95.0);
    assert_eq!(rig.alerts()[2..], ["+high 2"]);
}

#[test]
fn a_silence_rule_that_goes_clears_its_alert() {
    let silence = SilenceRule {
        after_ms: 100,
        severity: Severity::Info,
    };
    let mut rig = Rig::new(|config| config.silence = Some(silence));
    rig.wait(100);
    rig.change(200, &plan(|_| {})).unwrap();
    assert_eq!(rig.alerts(), ["+silence 1", "-silence 1"]);
    assert_eq!(rig.pipeline.deadline(), None);
}

#[test]
fn windows_that_change_are_told_as_partial_and_begin_anew() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0).read(400, 3.0);
    rig.change(500, &plan(|config| config.tumbling_ms = Some(500)))
        .unwrap();
    assert_eq!(rig.summaries(), ["0+1000: 2 of 2 ~"]);
    rig.read(600, 5.0).read(1000, 6.0).read(1500, 7.0);
    assert_eq!(
        rig.summaries()[1..],
        ["500+500: 5 of 1 r1 ~", "1000+500: 6 of 1"]
    );
}

#[test]
fn open_batches_are_sealed_under_the_old_plan() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0);
    rig.change(500, &plan(|_| {})).unwrap();
    assert_eq!(rig.rows().len(), 1);
}

#[test]
fn a_plan_that_is_wrong_changes_nothing() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0);
    let digest = rig.pipeline.digest();
    let invalid = rig
        .change(500, &plan(|config| config.tumbling_ms = Some(1)))
        .unwrap_err();
    assert_eq!(invalid.field, "tumbling_ms");
    assert_eq!(rig.pipeline.digest(), digest);
}

#[test]
fn a_sensor_is_found_again_and_the_table_fills_up() {
    let mut rig = Rig::new(|_| {});
    for place in 1..SENSORS as u16 {
        let device = std::format!("pump-{place}");
        assert_eq!(
            rig.pipeline.register(at(0), &device, "flow"),
            Ok(SensorId(place))
        );
        assert_eq!(
            rig.pipeline.register(at(0), &device, "flow"),
            Ok(SensorId(place))
        );
    }
    assert_eq!(
        rig.pipeline.register(at(0), "pump-9", "flow"),
        Err(Refused::TableFull)
    );
    assert_eq!(rig.pipeline.find("pump-3", "flow"), Some(SensorId(3)));
    assert_eq!(rig.pipeline.find("pump-3flow", ""), None);
    assert_eq!(rig.pipeline.counters().table_full, 1);
}

#[test]
fn names_have_their_limits() {
    let mut rig = Rig::new(|_| {});
    for (device, signal) in [
        ("", "x"),
        ("x", ""),
        (&*"d".repeat(65), "x"),
        ("x", &*"s".repeat(33)),
    ] {
        assert_eq!(
            rig.pipeline.register(at(0), device, signal),
            Err(Refused::BadName)
        );
    }
    assert!(
        rig.pipeline
            .register(at(0), &"d".repeat(64), &"s".repeat(32))
            .is_ok()
    );
}

#[test]
fn batches_are_sealed_by_size_and_by_age() {
    let mut small = plan(|config| config.tumbling_ms = None);
    small.batch.readings_max = 3;
    small.batch.ms_max = 1000;
    let mut rig = Rig::of(&small);
    rig.read(0, 1.0).read(1, 2.0);
    assert!(rig.rows().is_empty());
    rig.read(2, 3.0);
    assert_eq!(rig.rows().len(), 3);
    rig.read(100, 4.0);
    assert_eq!(rig.pipeline.deadline(), Some(Instant(1100)));
    assert_eq!(rig.wait(1100).rows().len(), 4);
}

#[test]
fn a_batch_that_is_too_long_is_split() {
    let mut memory = memory();
    memory.bytes = vec![0; 1024].into();
    let plan = plan(|config| config.tumbling_ms = None);
    let mut rig = Rig {
        pipeline: Box::new(Pipeline::new(plan, memory).unwrap()),
        events: Vec::new(),
    };
    for place in 0..SENSORS {
        let device = std::format!("{place}{}", "d".repeat(63));
        rig.pipeline
            .register(at(0), &device, &"s".repeat(32))
            .unwrap();
    }
    for ms in 0..50 {
        let reading = Reading {
            time: Some(Timestamp(WALL - 977 * (ms * ms) as i64)),
            value: 1.0 / (ms + 3) as f64,
        };
        let Rig { pipeline, events } = &mut rig;
        let sensor = SensorId((ms % 5) as u16);
        let _ = pipeline.handle_reading(at(ms), sensor, &reading, &mut |output: Output<'_>| {
            events.push(keep(output))
        });
    }
    assert!((1..50).contains(&rig.rows().len()), "the rest waits");
    assert_eq!(rig.seal(50).rows().len(), 50);
}

#[test]
fn what_was_sent_is_dropped_where_it_is_not_kept() {
    let mut plan = plan(|_| {});
    plan.batch.keep_raw = false;
    let mut rig = Rig::of(&plan);
    rig.read(0, f64::NAN).read(1, 2.0).seal(2);
    let contents: Vec<_> = rig
        .rows()
        .iter()
        .map(|row| (row.content.raw(), row.content.value()))
        .collect();
    assert_eq!(contents, [(None, None), (Some(2.0), Some(2.0))]);
}

#[test]
fn memory_that_does_not_fit_is_refused() {
    let check = |change: fn(&mut Parts<Boxed>), part| {
        let mut memory = memory();
        change(&mut memory);
        assert!(
            matches!(Pipeline::new(plan(|_| {}), memory), Err(Unusable::Memory(misfit)) if misfit.part == part)
        );
    };
    check(|memory| memory.sensors = Box::new([]), "sensors");
    check(|memory| memory.links = Box::new([]), "links");
    check(
        |memory| memory.panes = vec![Pane::default(); 7].into(),
        "panes",
    );
    check(|memory| memory.rows = Box::new([]), "rows");
    check(|memory| memory.summaries = Box::new([]), "summaries");
    check(|memory| memory.bytes = vec![0; 1023].into(), "bytes");
}
