//! Clocks that are wrong: a device's own harms nobody else, the box's own harms nothing for good.

#![expect(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use serde_json::Value;
use tests::harness::{Gateway, Sink, WALL_MS, config, fresh};

const CONFIG: &str = r#"
[gateway]
id = "edge-1"
[broker]
allow_anonymous = true
[store]
dir = "unused"
[defaults]
average = "10s"
lateness = "0ms"
"#;
const DAY_MS: i64 = 86_400_000;

/// The averages of devices whose names begin with `wanted`, as they are told on MQTT, while a device whose clock is `ahead_ms` ahead sends too.
fn averages(wanted: &str, ahead_ms: Option<i64>) -> Vec<String> {
    let config = config(CONFIG);
    let mut sink = Sink::default();
    sink.heard = Some(Vec::new());
    let mut gateway = Gateway::with(&config, fresh(&config), 0, &mut sink);
    gateway.subscribe_all(&mut sink);
    for second in 0..60 {
        let at = WALL_MS + second * 1_000;
        let mut send = |device: &str, at: i64| {
            let payload = format!("{{\"ts\":{at},\"value\":{second}.5}}");
            let topic = format!("sensors/{device}/t");
            gateway.publish(&topic, payload.as_bytes(), &mut sink);
        };
        send("good-1", at);
        if let Some(ahead_ms) = ahead_ms {
            send("fast-1", at + ahead_ms);
        }
        send("good-2", at);
        gateway.wait(1_000, &mut sink);
    }
    gateway.wait(20_000, &mut sink);
    let prefix = format!("tidegate/edge-1/average/{wanted}");
    let heard = sink.heard.unwrap().into_iter();
    heard
        .filter(|(topic, _)| topic.starts_with(&prefix))
        .map(|(topic, payload)| format!("{topic} {}", String::from_utf8(payload).unwrap()))
        .collect()
}

#[test]
fn a_device_whose_clock_is_a_day_fast_spoils_nobodys_windows() {
    let alone = averages("good", None);
    assert_eq!(alone.len(), 12, "six windows of each");
    for ahead_ms in [DAY_MS, -DAY_MS, 365 * DAY_MS] {
        assert_eq!(averages("good", Some(ahead_ms)), alone, "{ahead_ms}");
    }
}

#[test]
fn its_own_windows_are_those_of_the_arrival() {
    let start = |average: &String| {
        let (_, json) = average.split_once(' ').unwrap();
        let json: Value = serde_json::from_str(json).unwrap();
        json["start"].as_i64().unwrap()
    };
    let fast: Vec<i64> = averages("fast", Some(DAY_MS)).iter().map(start).collect();
    let good: Vec<i64> = averages("good-1", None).iter().map(start).collect();
    assert_eq!(fast, good);
}

/// What the gateway says of its clock, and how many readings it has marked so.
fn said(gateway: &Gateway) -> (&'static str, u64) {
    let status = gateway.engine.status();
    (status.clock, status.pipeline.clock_unsynced)
}

#[test]
fn a_box_that_comes_up_in_1970_says_so_until_its_clock_is_set() {
    let config = config(CONFIG);
    let mut sink = Sink::default();
    let clock = (0, 5_000 - WALL_MS);
    let mut gateway = Gateway::with_clock(&config, fresh(&config), clock, &mut sink);
    gateway.publish("sensors/good-1/t", b"20.5", &mut sink);
    assert_eq!(said(&gateway), ("unsynced", 1));
    gateway.clock_error_ms = 0;
    gateway.publish("sensors/good-1/t", b"20.5", &mut sink);
    assert_eq!(said(&gateway), ("synced", 1));
}

#[test]
fn a_box_that_knew_the_time_keeps_it_though_its_clock_falls_back_to_1970() {
    let config = config(CONFIG);
    let mut sink = Sink::default();
    let mut gateway = Gateway::with(&config, fresh(&config), 0, &mut sink);
    gateway.clock_error_ms = -WALL_MS;
    gateway.publish("sensors/good-1/t", b"20.5", &mut sink);
    assert_eq!(said(&gateway), ("synced", 0));
}
