//! Alarms from the reading to the message and back: raised, foretold, acknowledged, shelved, over a crash.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

use std::path::Path;

use gateway::config::Config;
use serde_json::Value;
use tests::harness::{Gateway, Sink, config};
use tests::lives::open;

fn config_in(dir: &Path) -> Config {
    config(&format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\n\
         [[sensor]]\nsignal = \"t\"\nunit = \"°C\"\ndetect = \"lite\"\ngroup = \"line\"\n\
         [[sensor.alerts]]\nname = \"hot\"\nabove = 90.0\nlatch = true\n\
         [[sensor.alerts]]\nname = \"fast\"\nof = \"rate\"\nover = \"1m\"\nbeyond = 40.0\n",
        dir.display()
    ))
}

fn hearing(config: &Config, now_ms: u64) -> (Gateway, Sink) {
    let (mut gateway, mut sink) = open(config, now_ms);
    gateway.subscribe_all(&mut sink);
    sink.heard = Some(Vec::new());
    (gateway, sink)
}

fn read(gateway: &mut Gateway, sink: &mut Sink, value: f64) {
    gateway.publish("sensors/oven/t", value.to_string().as_bytes(), sink);
    gateway.wait(1_000, sink);
}

/// What was heard on topics that begin so, since it was last asked.
fn heard(sink: &mut Sink, topic: &str) -> Vec<Value> {
    let heard = sink.heard.as_mut().expect("it hears");
    let (wanted, _): (Vec<_>, Vec<_>) = core::mem::take(heard)
        .into_iter()
        .partition(|(heard, _)| heard.starts_with(topic));
    let json = |(_, payload): (String, Vec<u8>)| serde_json::from_slice(&payload).expect("JSON");
    wanted.into_iter().map(json).collect()
}

fn ask(gateway: &mut Gateway, sink: &mut Sink, verb: &str, payload: &str) -> (Value, Vec<Value>) {
    sink.heard = Some(Vec::new());
    let topic = format!("tidegate/edge-1/alarm/{verb}");
    gateway.publish(&topic, payload.as_bytes(), sink);
    let all = sink.heard.clone();
    let answer = heard(sink, "tidegate/edge-1/alarm/answer").remove(0);
    sink.heard = all;
    (answer, heard(sink, "tidegate/edge-1/alert/"))
}

#[track_caller]
fn check(alert: &Value, rule: &str, transition: &str, standing: &str, state: &str) {
    let field = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        ["rule", "transition", "standing", "state"].map(field),
        [rule, transition, standing, state],
        "{alert}"
    );
}

#[test]
fn an_alarm_is_raised_acknowledged_and_cleared_over_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config_in(dir.path());
    let (mut gateway, mut sink) = hearing(&config, 0);
    for value in [70.0, 70.5, 70.0, 95.0] {
        read(&mut gateway, &mut sink, value);
    }
    let alerts = heard(&mut sink, "tidegate/edge-1/alert/oven/t/hot");
    check(&alerts[0], "hot", "raised", "unacknowledged", "raised");
    assert_eq!(alerts[0]["why"], "95 °C is above 90 °C");
    assert_eq!(
        (&alerts[0]["id"], &alerts[0]["first_out"]),
        (&1.into(), &1.into())
    );
    // It is latched: the value is back, and the alarm stays.
    read(&mut gateway, &mut sink, 70.0);
    assert!(heard(&mut sink, "tidegate/edge-1/alert/oven/t/hot").is_empty());
    drop((gateway, sink));

    let (mut gateway, mut sink) = hearing(&config, 10_000);
    let request = r#"{"id": 1, "note": "on my \"way\"", "request": "r-7"}"#;
    let (answer, alerts) = ask(&mut gateway, &mut sink, "acknowledge", request);
    assert_eq!(
        (&answer["done"], &answer["request"]),
        (&1.into(), &"r-7".into()),
        "{answer}"
    );
    check(&alerts[0], "hot", "acknowledged", "normal", "cleared");
    assert_eq!(alerts[0]["why"], "acknowledged by abc: on my \"way\"");
    gateway.wait(100, &mut sink);
    drop((gateway, sink));

    let (mut gateway, mut sink) = hearing(&config, 20_000);
    let (answer, alerts) = ask(&mut gateway, &mut sink, "acknowledge", r#"{"id": 1}"#);
    assert_eq!(answer["refused"], "no alarm that stands has this id");
    assert!(alerts.is_empty());
}

#[test]
fn a_shelf_holds_over_a_crash_and_its_time_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config_in(dir.path());
    let (mut gateway, mut sink) = hearing(&config, 0);
    read(&mut gateway, &mut sink, 70.0);
    let named = r#"{"device": "oven", "signal": "t", "rule": "hot", "minutes": 5}"#;
    let (answer, alerts) = ask(&mut gateway, &mut sink, "shelve", named);
    assert_eq!(answer["done"], 1, "{answer}");
    check(&alerts[0], "hot", "shelved", "shelved", "cleared");
    gateway.wait(100, &mut sink);
    drop((gateway, sink));

    let (mut gateway, mut sink) = hearing(&config, 60_000);
    read(&mut gateway, &mut sink, 95.0);
    assert!(
        heard(&mut sink, "tidegate/edge-1/alert/oven/t/hot").is_empty(),
        "it is shelved"
    );
    gateway.wait(300_000, &mut sink);
    let alerts = heard(&mut sink, "tidegate/edge-1/alert/oven/t/hot");
    check(&alerts[0], "hot", "unshelved", "unacknowledged", "raised");
}

#[test]
fn a_request_that_is_none_is_told_what_it_lacks() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut gateway, mut sink) = hearing(&config_in(dir.path()), 0);
    read(&mut gateway, &mut sink, 70.0);
    for (verb, payload, refused) in [
        ("acknowledge", "", "the payload is no JSON object"),
        ("acknowledge", "{}", "name the alarm by id, or by"),
        ("acknowledge", r#"{"id": 9}"#, "no alarm that stands"),
        (
            "acknowledge",
            r#"{"device": "oven", "signal": "t", "rule": "hot"}"#,
            "there is nothing to acknowledge",
        ),
        (
            "shelve",
            r#"{"device": "oven", "signal": "t", "rule": "cold"}"#,
            "there is no such alarm",
        ),
        ("shelve", r#"{"all": true}"#, "one by one"),
        ("shelve", r#"{"id": 1, "minutes": 0}"#, "1 to 1440"),
        (
            "unshelve",
            r#"{"device": "oven", "signal": "t", "rule": "hot"}"#,
            "not shelved",
        ),
        ("paint", "{}", "the topic ends in"),
    ] {
        let (answer, _) = ask(&mut gateway, &mut sink, verb, payload);
        let said = answer["refused"].as_str().unwrap_or_default();
        assert!(said.contains(refused), "{verb} {payload}: {answer}");
    }
}

#[test]
fn all_that_is_new_is_acknowledged_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut gateway, mut sink) = hearing(&config_in(dir.path()), 0);
    for value in [20.0, 20.0, 20.0, 95.0] {
        read(&mut gateway, &mut sink, value);
    }
    let (answer, alerts) = ask(&mut gateway, &mut sink, "acknowledge", r#"{"all": true}"#);
    assert_eq!(
        (&answer["done"], &answer["left"]),
        (&2.into(), &0.into()),
        "{answer}"
    );
    check(&alerts[0], "hot", "acknowledged", "acknowledged", "raised");
    check(&alerts[1], "fast", "acknowledged", "acknowledged", "raised");
}

/// An ordinary day, and then the heating sticks.
#[test]
fn a_detector_tells_why_a_level_is_unusual() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut gateway, mut sink) = hearing(&config_in(dir.path()), 0);
    for nth in 0..600 {
        read(
            &mut gateway,
            &mut sink,
            50.0 + f64::from(nth * 7 % 11) / 10.0,
        );
    }
    assert!(
        heard(&mut sink, "tidegate/edge-1/alert/").is_empty(),
        "all is as usual"
    );
    for nth in 0..30 {
        read(
            &mut gateway,
            &mut sink,
            62.0 + f64::from(nth * 7 % 11) / 10.0,
        );
    }
    let alerts = heard(&mut sink, "tidegate/edge-1/alert/oven/t/unusual");
    check(&alerts[0], "unusual", "raised", "unacknowledged", "raised");
    let why = alerts[0]["why"].as_str().unwrap_or_default();
    assert!(why.starts_with("the level has left its usual: "), "{why}");
    assert_eq!(alerts[0]["kind"], "unusual");
}
