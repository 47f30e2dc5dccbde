use super::*;

fn label(sensor: &str, kind: Kind, from_ms: i64, until_ms: i64) -> Label {
    let (device, signal) = sensor.split_once('/').unwrap_or((sensor, ""));
    Label {
        device: device.into(),
        signal: (!signal.is_empty()).then(|| signal.to_owned()),
        kind,
        from_ms,
        until_ms,
        size: 1.0,
    }
}

fn alert(sensor: &str, rule: &str, at: i64) -> Alert {
    let (device, signal) = sensor.split_once('/').unwrap();
    Alert {
        id: None,
        gateway: None,
        device: device.into(),
        signal: signal.into(),
        rule: rule.into(),
        state: State::Raised,
        at,
        since: None,
    }
}

fn terms(grace_ms: i64) -> Terms {
    Terms {
        grace_ms,
        kinds: vec![],
        sensors: None,
        span_ms: None,
    }
}

/// Whether one alert at `at` finds a label of `sensor` from 1000 to 2000 with a grace of 500.
#[track_caller]
fn check_found(sensor: &str, alert_sensor: &str, at: i64, expected: bool) {
    let labels = [label(sensor, Kind::Stuck, 1000, 2000)];
    let score = score(&labels, &[alert(alert_sensor, "r", at)], &terms(500));
    assert_eq!(score.found == 1, expected, "{alert_sensor} at {at}");
    assert_eq!(score.false_alarms == 0, expected, "{alert_sensor} at {at}");
}

#[test]
fn a_label_is_found_from_its_beginning_to_the_end_of_the_grace() {
    check_found("a/x", "a/x", 999, false);
    check_found("a/x", "a/x", 1000, true);
    check_found("a/x", "a/x", 2000, true);
    check_found("a/x", "a/x", 2500, true);
    check_found("a/x", "a/x", 2501, false);
    check_found("a/x", "a/y", 1500, false);
    check_found("a/x", "b/x", 1500, false);
    check_found("a", "a/anything", 1500, true);
    check_found("a", "b/anything", 1500, false);
}

#[test]
fn the_figures_are_those_of_a_hand_count() {
    // Five labels: two of three stuck ones and one of two spikes are found, after 100, 900 and 0 ms.
    let labels = [
        label("a/x", Kind::Stuck, 1000, 2000),
        label("a/y", Kind::Stuck, 1000, 2000),
        label("b/x", Kind::Stuck, 5000, 6000),
        label("a/x", Kind::Spike, 8000, 8100),
        label("b/x", Kind::Spike, 9000, 9100),
    ];
    // Seven alerts: the second one of a label is right too, the cleared one is none, two are false.
    let mut alerts = vec![
        alert("a/x", "stands", 1100),
        alert("a/x", "stands", 1700),
        alert("b/x", "stands", 5900),
        alert("b/x", "far", 9000),
        alert("a/y", "stands", 7000),
        alert("c/z", "far", 7500),
    ];
    let mut cleared = alert("c/z", "far", 7600);
    cleared.state = State::Cleared;
    alerts.push(cleared);

    let terms = Terms {
        sensors: Some(4),
        span_ms: Some([0, 43_200_000]),
        ..terms(0)
    };
    let score = score(&labels, &alerts, &terms);
    assert_eq!((score.labels, score.found, score.recall), (5, 3, Some(0.6)));
    assert_eq!((score.alerts, score.false_alarms), (6, 2));
    assert_eq!(score.precision, Some(4.0 / 6.0));
    assert_eq!(
        (score.delay.p50_ms, score.delay.p95_ms),
        (Some(100), Some(900))
    );
    // Two false ones in four sensors times half a day.
    assert_eq!(
        (score.sensor_days, score.false_per_sensor_day),
        (2.0, Some(1.0))
    );
    let stuck = &score.by_kind[&Kind::Stuck];
    assert_eq!((stuck.labels, stuck.found, stuck.recall), (3, 2, 2.0 / 3.0));
    assert_eq!(
        (stuck.delay.p50_ms, stuck.delay.p95_ms),
        (Some(100), Some(900))
    );
    let spike = &score.by_kind[&Kind::Spike];
    assert_eq!(
        (spike.labels, spike.found, spike.delay.p50_ms),
        (2, 1, Some(0))
    );
    let far = score.by_rule["far"];
    assert_eq!((far.alerts, far.false_alarms, far.precision), (2, 1, 0.5));
    let stands = score.by_rule["stands"];
    assert_eq!(
        (stands.alerts, stands.false_alarms, stands.precision),
        (4, 1, 0.75)
    );
}

#[test]
fn quantiles_are_by_nearest_rank() {
    let delay = |count: i64| Delay::of((1..=count).rev().collect());
    for (count, p50, p95) in [(1, 1, 1), (2, 1, 2), (3, 2, 3), (20, 10, 19), (100, 50, 95)] {
        assert_eq!(
            (delay(count).p50_ms, delay(count).p95_ms),
            (Some(p50), Some(p95)),
            "{count}"
        );
    }
    assert_eq!(delay(0), Delay::default());
}

#[test]
fn an_alert_that_finds_a_kind_which_does_not_count_is_not_judged() {
    let labels = [
        label("a/x", Kind::Stuck, 0, 10),
        label("a", Kind::Gap, 0, 100),
    ];
    let alerts = [
        alert("a/x", "r", 5),
        alert("a/x", "r", 50),
        alert("a/x", "r", 500),
    ];
    let terms = Terms {
        kinds: vec![Kind::Stuck],
        ..terms(0)
    };
    let score = score(&labels, &alerts, &terms);
    assert_eq!((score.labels, score.found), (1, 1));
    assert_eq!((score.alerts, score.false_alarms), (2, 1));
    assert_eq!(score.by_kind.len(), 1);
}

#[test]
fn one_alert_finds_all_labels_at_once() {
    let labels = [
        label("a/x", Kind::Stuck, 0, 100),
        label("a", Kind::Gap, 20, 100),
    ];
    let score = score(&labels, &[alert("a/x", "r", 30)], &terms(0));
    assert_eq!((score.found, score.alerts, score.false_alarms), (2, 1, 0));
    assert_eq!(
        (score.delay.p50_ms, score.delay.p95_ms),
        (Some(10), Some(30))
    );
}

#[test]
fn what_was_watched_is_taken_from_labels_and_alerts_if_nobody_says() {
    let day = 86_400_000;
    let labels = [
        label("a/x", Kind::Stuck, 0, 100),
        label("a", Kind::Gap, 0, 100),
        label("b", Kind::Gap, 0, 100),
    ];
    // Sensors a/x, c/z and the device b; from 0 to a day.
    let score = score(&labels, &[alert("c/z", "r", day)], &terms(0));
    assert_eq!(score.sensor_days, 3.0);
}

#[test]
fn nothing_at_all_has_no_shares() {
    let score = score(&[], &[], &terms(0));
    assert_eq!(
        (score.recall, score.precision, score.false_per_sensor_day),
        (None, None, None)
    );
    let text = score.to_string();
    assert!(text.contains("nobody watched"), "{text}");
}
