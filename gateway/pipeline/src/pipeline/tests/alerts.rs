//! Timelines of alerts.

use super::*;
use crate::config::{SilenceRule, Threshold};
use wire::Severity;

fn high(on_delay_ms: u32, off_delay_ms: u32) -> Threshold {
    let rule = "high".try_into().unwrap();
    Threshold {
        rule,
        limit: 90.0,
        hysteresis: 2.0,
        on_delay_ms,
        off_delay_ms,
        ..Threshold::default()
    }
}

fn watched(threshold: Threshold) -> Rig {
    Rig::new(|config| {
        config.tumbling_ms = None;
        config.unit = "bar".try_into().unwrap();
        config.thresholds.push(threshold).unwrap();
    })
}

#[test]
fn an_alert_says_what_it_saw() {
    let mut rig = watched(high(0, 0));
    rig.read(0, 92.5);
    let Some(Event::Alert {
        why, transition, ..
    }) = rig.events.first()
    else {
        panic!("{:?}", rig.events)
    };
    assert_eq!(
        (why.as_str(), *transition),
        ("92.5 bar is above 90 bar", Transition::Raised)
    );
}

#[test]
fn delays_end_by_the_gateways_time() {
    let mut rig = watched(high(300, 200));
    rig.read(0, 95.0);
    assert_eq!(rig.pipeline.deadline(), Some(Instant(300)));
    assert_eq!(rig.wait(299).alerts().len(), 0);
    assert_eq!(rig.wait(300).alerts(), ["+high 1"]);
    rig.read(1000, 10.0);
    assert_eq!(rig.pipeline.deadline(), Some(Instant(1200)));
    assert_eq!(rig.wait(1200).alerts(), ["+high 1", "-high 1"]);
}

#[test]
fn what_is_due_comes_before_the_reading() {
    let mut rig = watched(high(300, 0));
    rig.read(0, 95.0).read(400, 10.0);
    assert_eq!(rig.alerts(), ["+high 1", "-high 1"]);
}

#[test]
fn bad_and_late_values_move_no_alarm() {
    let mut rig = watched(high(0, 0));
    rig.read(10_000, 20.0).read(10_001, f64::INFINITY);
    let _ = rig.read_of(10_002, Some(5000), 99.0);
    assert!(rig.alerts().is_empty());
}

#[test]
fn an_alert_is_handed_out_before_the_summary_of_its_reading() {
    let mut rig = Rig::new(|config| config.thresholds.push(high(0, 0)).unwrap());
    rig.read(0, 1.0).read(1000, 95.0);
    assert!(
        matches!(rig.events[..], [Event::Alert { .. }, Event::Summary(_)]),
        "{:?}",
        rig.events
    );
}

#[test]
fn silence_raises_and_a_reading_clears() {
    let mut rig = Rig::new(|config| {
        config.tumbling_ms = None;
        config.silence = Some(SilenceRule {
            after_ms: 1000,
            severity: Severity::Critical,
        });
    });
    assert_eq!(rig.wait(1000).alerts(), ["+silence 1"]);
    rig.read(1500, 1.0);
    assert_eq!(rig.alerts(), ["+silence 1", "-silence 1"]);
    rig.read(2400, f64::NAN);
    assert_eq!(rig.wait(3399).alerts().len(), 2);
    assert_eq!(rig.wait(3400).alerts()[2..], ["+silence 2"]);
}

#[test]
fn alerts_that_are_raised_can_be_told_again() {
    let mut rig = watched(high(0, 500));
    rig.read(7, 95.5);
    let before = rig.pipeline.alerts().next().unwrap();
    assert_eq!(
        (before.id, before.at, before.since),
        (1, Timestamp(WALL + 7), Timestamp(WALL + 7))
    );
    assert_eq!(
        (before.name.device, before.rule, before.value),
        ("pump", "high", Some(95.5))
    );
    rig.read(100, 1.0);
    assert_eq!(
        rig.pipeline.alerts().count(),
        1,
        "it is falling, and not cleared"
    );
    rig.wait(600);
    assert_eq!(rig.pipeline.alerts().count(), 0);
}
