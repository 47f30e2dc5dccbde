use super::*;
use std::string::{String, ToString};
use std::vec::Vec;

fn now(instant: u64) -> Now {
    Now {
        instant: Instant(instant),
        wall: Timestamp(instant as i64),
    }
}

fn high(limit: f64, hysteresis: f64, on_delay_ms: u32, off_delay_ms: u32) -> Threshold {
    let rule = "high".try_into().unwrap();
    Threshold {
        rule,
        limit,
        hysteresis,
        on_delay_ms,
        off_delay_ms,
        ..Threshold::default()
    }
}

/// Plays `(instant, value)` (no value: only time went on) and tells what was reported, as `instant+value` and `instant-value`.
fn check(threshold: &Threshold, timeline: &[(u64, Option<f64>)], expected: &str) {
    let mut alarm = Alarm::default();
    let mut id = 0;
    let mut last = f64::NAN;
    let mut reported = Vec::new();
    for (instant, value) in timeline {
        let event = value.map_or(Event::Elapsed(last), |value| {
            Event::of(threshold, value, Timestamp(*instant as i64))
        });
        last = value.unwrap_or(last);
        match alarm.step(now(*instant), event, threshold, &mut id) {
            None => {}
            Some(Change::Raised(raise)) => reported.push(std::format!("{instant}+{}", raise.value)),
            Some(Change::Cleared(_, value)) => reported.push(std::format!("{instant}-{value}")),
        }
    }
    assert_eq!(reported.join(" "), expected);
}

#[test]
fn without_delays_a_crossing_is_reported_at_once() {
    let plain = high(90.0, 0.0, 0, 0);
    check(
        &plain,
        &[
            (1, Some(90.0)),
            (2, Some(90.1)),
            (3, Some(95.0)),
            (4, Some(90.0)),
        ],
        "2+90.1 4-90",
    );
}

#[test]
fn within_the_hysteresis_an_alert_stays() {
    let wide = high(90.0, 2.0, 0, 0);
    check(
        &wide,
        &[
            (1, Some(91.0)),
            (2, Some(89.0)),
            (3, Some(88.1)),
            (4, Some(88.0)),
        ],
        "1+91 4-88",
    );
    check(&wide, &[(1, Some(89.0)), (2, Some(88.5))], "");
}

#[test]
fn a_crossing_shorter_than_the_on_delay_is_not_reported() {
    let slow = high(90.0, 2.0, 100, 0);
    check(
        &slow,
        &[
            (0, Some(91.0)),
            (99, Some(89.5)),
            (150, None),
            (199, Some(91.0)),
            (298, None),
        ],
        "",
    );
}

#[test]
fn the_on_delay_ends_by_a_reading_or_by_time_alone() {
    let slow = high(90.0, 0.0, 100, 0);
    check(
        &slow,
        &[(0, Some(91.0)), (50, Some(92.0)), (100, Some(93.0))],
        "100+93",
    );
    check(
        &slow,
        &[(0, Some(91.0)), (50, Some(92.0)), (100, None), (101, None)],
        "100+92",
    );
}

#[test]
fn an_alert_clears_only_after_the_off_delay() {
    let slow = high(90.0, 2.0, 0, 100);
    check(
        &slow,
        &[(0, Some(91.0)), (10, Some(80.0)), (109, None), (110, None)],
        "0+91 110-80",
    );
    check(
        &slow,
        &[
            (0, Some(91.0)),
            (10, Some(80.0)),
            (60, Some(89.0)),
            (110, None),
        ],
        "0+91 110-89",
    );
    check(
        &slow,
        &[
            (0, Some(91.0)),
            (10, Some(80.0)),
            (60, Some(91.0)),
            (110, None),
            (300, None),
        ],
        "0+91",
    );
}

#[test]
fn below_is_the_mirror_of_above() {
    let low = Threshold {
        side: Side::Below,
        ..high(5.0, 1.0, 0, 0)
    };
    check(
        &low,
        &[
            (1, Some(5.0)),
            (2, Some(4.9)),
            (3, Some(5.5)),
            (4, Some(6.0)),
        ],
        "2+4.9 4-6",
    );
}

#[test]
fn each_occurrence_has_an_id_of_its_own() {
    let plain = high(90.0, 0.0, 0, 0);
    let (mut alarm, mut id) = (Alarm::default(), 0);
    for expected in 1..=3 {
        let raised = alarm.step(now(0), Event::Beyond(91.0, Timestamp(0)), &plain, &mut id);
        assert!(matches!(raised, Some(Change::Raised(Raise { id, .. })) if id == expected));
        let cleared = alarm.step(now(0), Event::Back(1.0), &plain, &mut id);
        assert!(matches!(cleared, Some(Change::Cleared(Raise { id, .. }, _)) if id == expected));
    }
}

#[test]
fn silence_is_reported_once_and_ends_with_a_reading() {
    let rule = SilenceRule {
        after_ms: 1000,
        severity: Severity::Critical,
    };
    let (mut silence, mut id) = (Silence::Heard(now(0)), 0);
    assert_eq!(silence.due(Some(&rule)), Some(Instant(1000)));
    assert_eq!(silence.elapse(now(999), Some(&rule), &mut id), None);
    assert!(matches!(
        silence.elapse(now(1000), Some(&rule), &mut id),
        Some(Change::Raised(_))
    ));
    assert_eq!(silence.elapse(now(9000), Some(&rule), &mut id), None);
    assert!(matches!(silence.hear(now(9001)), Some(Change::Cleared(..))));
    assert_eq!(silence.due(Some(&rule)), Some(Instant(10_001)));
    assert_eq!(silence.elapse(now(u64::MAX), None, &mut id), None);
}

fn told(cause: Cause<'_>, unit: &str, change: Change) -> String {
    let name = SensorName {
        device: "d",
        signal: "s",
        unit,
    };
    alert(now(7), SensorId(1), name, cause, change)
        .why
        .to_string()
}

#[test]
fn an_alert_says_why_in_words_with_the_numbers() {
    let raise = Raise {
        id: 1,
        at: Timestamp(1),
        since: Timestamp(0),
        value: 92.5,
    };
    let mut threshold = high(90.0, 2.0, 0, 0);
    assert_eq!(
        told(Cause::Threshold(&threshold), "°C", Change::Raised(raise)),
        "92.5 °C is above 90 °C"
    );
    threshold.on_delay_ms = 5000;
    assert_eq!(
        told(Cause::Threshold(&threshold), "", Change::Raised(raise)),
        "92.5 is above 90 for 5 s"
    );
    let cleared = Change::Cleared(raise, 88.0);
    assert_eq!(
        told(Cause::Threshold(&threshold), "", cleared),
        "88 is no more above 90"
    );
    let huge = Raise {
        value: 1e100,
        ..raise
    };
    assert_eq!(
        told(Cause::Threshold(&threshold), "", Change::Raised(huge)),
        "1e100 is above 90 for 5 s"
    );
    let rule = SilenceRule {
        after_ms: 90_000,
        severity: Severity::Warning,
    };
    assert_eq!(
        told(Cause::Silence(&rule), "", Change::Raised(raise)),
        "no reading for 90 s"
    );
}
