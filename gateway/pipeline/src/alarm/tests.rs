use super::*;
use crate::config::{Chatter, Detect, Measure, Rule, SilenceRule, Threshold};
use crate::detect::{Finding, View};
use std::string::{String, ToString};
use std::vec::Vec;
use wire::{SensorId, SensorName, Severity};

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

fn event_of(threshold: &Threshold, value: f64, at: u64) -> Event {
    let (limit, hysteresis) = (threshold.limit, threshold.hysteresis);
    let time = Timestamp(at as i64);
    Event::of(threshold.side, limit, hysteresis, value, time)
}

/// Plays `(instant, value)` (no value: only time went on) and tells what was reported, as `instant+value` and `instant-value`.
fn check(threshold: &Threshold, timeline: &[(u64, Option<f64>)], expected: &str) {
    let mut slot = Slot::default();
    let mut id = 0;
    let mut reported = Vec::new();
    for (instant, value) in timeline {
        let event = value.map_or(Event::Elapsed, |value| event_of(threshold, value, *instant));
        let terms = Rule::Threshold(threshold, None).terms();
        match slot.step(now(*instant), event, &terms, &mut id) {
            None => {}
            Some(Transition::Raised) => reported.push(std::format!("{instant}+{}", slot.value)),
            Some(_) => reported.push(std::format!("{instant}-{}", slot.value)),
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
fn beyond_looks_at_both_sides() {
    let far = Threshold {
        side: Side::Beyond,
        ..high(5.0, 1.0, 0, 0)
    };
    check(
        &far,
        &[
            (1, Some(4.9)),
            (2, Some(-5.1)),
            (3, Some(-4.5)),
            (4, Some(4.0)),
            (5, Some(6.0)),
        ],
        "2+-5.1 4-4 5+6",
    );
}

/// What a person or the plan does, or a value: in words, as a timeline.
#[derive(Clone, Copy)]
enum Do {
    Value(f64),
    Time,
    Acknowledge,
    Shelve(u64),
    Unshelve,
    Suppress(bool),
}

/// Plays a timeline, and gives how the alarm stands after each step, with the transition in front if there was one.
fn standings(threshold: &Threshold, chatter: Option<Chatter>, steps: &[(u64, Do)]) -> Vec<String> {
    let (mut slot, mut id) = (Slot::default(), 0);
    let terms = Rule::Threshold(threshold, chatter).terms();
    let mut told = Vec::new();
    for (at, step) in steps {
        let transition = match *step {
            Do::Value(value) => {
                slot.step(now(*at), event_of(threshold, value, *at), &terms, &mut id)
            }
            Do::Time => slot
                .unshelve_if_due(now(*at))
                .or_else(|| slot.step(now(*at), Event::Elapsed, &terms, &mut id)),
            Do::Acknowledge => slot.acknowledge(),
            Do::Shelve(until) => Some(slot.shelve(Instant(until))),
            Do::Unshelve => slot.unshelve(),
            Do::Suppress(is_so) => slot.suppress(is_so),
        };
        let standing = std::format!("{:?}", slot.standing());
        told.push(match transition {
            Some(transition) => std::format!("{transition:?} {standing}"),
            None => standing,
        });
    }
    told
}

#[test]
fn an_alarm_is_acknowledged_before_or_after_it_is_over() {
    use Do::{Acknowledge, Value};
    let plain = high(90.0, 0.0, 0, 0);
    let before = [
        (1, Value(91.0)),
        (2, Acknowledge),
        (3, Value(80.0)),
        (4, Acknowledge),
    ];
    assert_eq!(
        standings(&plain, None, &before),
        [
            "Raised Unacknowledged",
            "Acknowledged Acknowledged",
            "Cleared Normal",
            "Normal"
        ]
    );
    let after = [(1, Value(91.0)), (2, Value(80.0)), (3, Acknowledge)];
    assert_eq!(
        standings(&plain, None, &after),
        [
            "Raised Unacknowledged",
            "Cleared Returned",
            "Acknowledged Normal"
        ]
    );
}

#[test]
fn a_latched_alarm_waits_for_somebody_to_see_it() {
    use Do::{Acknowledge, Value};
    let latched = Threshold {
        latch: true,
        ..high(90.0, 0.0, 0, 0)
    };
    let over = [
        (1, Value(91.0)),
        (2, Value(80.0)),
        (3, Value(92.0)),
        (4, Value(80.0)),
        (5, Acknowledge),
    ];
    assert_eq!(
        standings(&latched, None, &over),
        [
            "Raised Unacknowledged",
            "Unacknowledged",
            "Unacknowledged",
            "Unacknowledged",
            "Acknowledged Normal"
        ]
    );
    let seen = [(1, Value(91.0)), (2, Acknowledge), (3, Value(80.0))];
    assert_eq!(
        standings(&latched, None, &seen),
        [
            "Raised Unacknowledged",
            "Acknowledged Acknowledged",
            "Cleared Normal"
        ]
    );
}

#[test]
fn a_shelved_alarm_comes_back_as_it_is_by_then() {
    use Do::{Shelve, Time, Unshelve, Value};
    let plain = high(90.0, 0.0, 0, 0);
    let expires = [
        (1, Value(91.0)),
        (2, Shelve(100)),
        (50, Value(80.0)),
        (99, Time),
        (100, Time),
    ];
    assert_eq!(
        standings(&plain, None, &expires),
        [
            "Raised Unacknowledged",
            "Shelved Shelved",
            "Cleared Shelved",
            "Shelved",
            "Unshelved Returned"
        ]
    );
    let taken = [
        (1, Shelve(100)),
        (2, Value(91.0)),
        (3, Unshelve),
        (4, Unshelve),
    ];
    assert_eq!(
        standings(&plain, None, &taken),
        [
            "Shelved Shelved",
            "Raised Shelved",
            "Unshelved Unacknowledged",
            "Unacknowledged"
        ]
    );
}

#[test]
fn a_suppressed_alarm_is_followed_and_silent() {
    use Do::{Suppress, Value};
    let plain = high(90.0, 0.0, 0, 0);
    let steps = [
        (1, Suppress(true)),
        (2, Suppress(false)),
        (3, Value(91.0)),
        (4, Suppress(true)),
        (5, Suppress(true)),
        (6, Suppress(false)),
    ];
    assert_eq!(
        standings(&plain, None, &steps),
        [
            "Suppressed",
            "Normal",
            "Raised Unacknowledged",
            "Suppressed Suppressed",
            "Suppressed",
            "Released Unacknowledged"
        ]
    );
}

#[test]
fn an_alarm_that_flips_too_often_is_held() {
    use Do::{Time, Value};
    let plain = high(90.0, 0.0, 0, 0);
    let chatter = Some(Chatter {
        raises_max: 2,
        within_ms: 1000,
    });
    let mut steps = Vec::new();
    for nth in 0..4 {
        steps.push((10 * nth, Value(91.0)));
        steps.push((10 * nth + 5, Value(80.0)));
    }
    steps.push((1034, Time));
    steps.push((1035, Time));
    steps.push((2100, Value(91.0)));
    steps.push((2101, Value(80.0)));
    assert_eq!(
        standings(&plain, chatter, &steps),
        [
            "Raised Unacknowledged",
            "Cleared Returned",
            "Raised Unacknowledged",
            "Cleared Returned",
            "Raised Unacknowledged",
            "Unacknowledged",
            "Unacknowledged",
            "Unacknowledged",
            "Unacknowledged",
            "Cleared Returned",
            "Raised Unacknowledged",
            "Cleared Returned"
        ]
    );
}

#[test]
fn each_occurrence_has_an_id_of_its_own() {
    let plain = high(90.0, 0.0, 0, 0);
    let terms = Rule::Threshold(&plain, None).terms();
    let (mut slot, mut id) = (Slot::default(), 0);
    for expected in 1..=3 {
        let event = Event::Beyond(91.0, Timestamp(0));
        assert_eq!(
            slot.step(now(0), event, &terms, &mut id),
            Some(Transition::Raised)
        );
        assert_eq!(slot.id, expected);
        let cleared = slot.step(now(0), Event::Back(1.0), &terms, &mut id);
        assert_eq!((cleared, slot.id), (Some(Transition::Cleared), expected));
    }
}

/// What is said of a slot that has this value.
fn told(
    rule: Rule<'_>,
    unit: &str,
    value: f64,
    transition: Transition,
    cause: Cause<'_>,
) -> String {
    let name = SensorName {
        device: "d",
        signal: "s",
        unit,
    };
    let slot = Slot {
        id: 1,
        value,
        ..Slot::default()
    };
    alert(now(7), (SensorId(1), name), rule, &slot, transition, cause)
        .why
        .to_string()
}

#[track_caller]
fn check_why(
    threshold: &Threshold,
    unit: &str,
    value: f64,
    of: (Transition, Cause<'_>),
    why: &str,
) {
    let rule = Rule::Threshold(threshold, None);
    assert_eq!(told(rule, unit, value, of.0, of.1), why);
    assert!(why.len() <= 96, "{why}");
}

const RAISED: (Transition, Cause<'_>) = (Transition::Raised, Cause::Condition);

#[test]
fn an_alert_says_why_in_words_with_the_numbers() {
    let plain = high(90.0, 2.0, 0, 0);
    check_why(&plain, "°C", 92.5, RAISED, "92.5 °C is above 90 °C");
    let slow = high(90.0, 2.0, 5000, 0);
    check_why(&slow, "", 92.5, RAISED, "92.5 is above 90 for 5 s");
    let cleared = (Transition::Cleared, Cause::Condition);
    check_why(&slow, "", 88.0, cleared, "88 is no more above 90");
    check_why(&slow, "", 1e100, RAISED, "1e100 is above 90 for 5 s");
    check_why(
        &slow,
        "",
        91.234_567_89,
        RAISED,
        "91.2346 is above 90 for 5 s",
    );
    let rule = SilenceRule {
        after_ms: 90_000,
        severity: Severity::Warning,
    };
    assert_eq!(
        told(Rule::Silence(&rule, None), "", 0.0, RAISED.0, RAISED.1),
        "no reading for 90 s"
    );
}

#[test]
fn what_a_person_did_is_told_with_the_name() {
    let plain = high(90.0, 2.0, 0, 0);
    let seen = (Transition::Acknowledged, Cause::Person("anna", "on my way"));
    check_why(&plain, "", 1.0, seen, "acknowledged by anna: on my way");
    let shelved = (Transition::Shelved, Cause::Person("anna", ""));
    check_why(&plain, "", 1.0, shelved, "shelved by anna");
}

#[test]
fn each_measure_has_its_words() {
    let of = |of: Measure| Threshold {
        of,
        ..high(90.0, 2.0, 0, 0)
    };
    let rate = of(Measure::Rate { over_ms: 600_000 });
    check_why(
        &rate,
        "K",
        95.0,
        RAISED,
        "a change by 95 K in 10 min is above 90 K",
    );
    let soon = of(Measure::Forecast {
        over_ms: 1,
        ahead_ms: 1,
    });
    let crosses = (Transition::Raised, Cause::Forecast(1_500_000.0));
    let why = "crosses 90 °C in 3 h 10 min ± 25 min";
    check_why(&soon, "°C", 11_400_000.0, crosses, why);
    let stuck = of(Measure::Stuck { within: 0.0 });
    check_why(&stuck, "", 1_860_000.0, RAISED, "has not moved for 31 min");
    let finding = Finding {
        score: 14.23,
        limit: 12.0,
        is_alarm: true,
        view: View::Shape,
        size: 3.21,
        one_in: 3000.0,
    };
    let unusual = Detect::default();
    let (rule, cause) = (Rule::Unusual(&unusual, None), Cause::Found(&finding));
    assert_eq!(
        told(rule, "", 0.0, Transition::Raised, cause),
        "no shape before was like this: 3.2 deviations, one in 3000, score 14.2 of 12.0"
    );
}
