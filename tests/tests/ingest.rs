//! Every form of payload through the whole engine: what is kept, what is refused, and what the errors topic says.

#![expect(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use gateway::broker::auth::Credentials;
use gateway::broker::{ReasonCode, Rights};
use serde_json::Value;
use tests::harness::{Gateway, Sink, config, fresh};

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
[[mapping]]
topic = "sensors/{device}/{signal}"
[[mapping]]
topic = "sensors/{device}"
[[mapping]]
topic = "senml/+"
form = "senml"
[[mapping]]
topic = "tele/{device}/SENSOR"
values = { temperature = "/DHT22/Temperature" }
[[mapping]]
topic = "spBv1.0/#"
form = "sparkplug"
[[rename]]
signal = "raw"
to = "named"
[[sensor]]
signal = "named"
[[sensor.alerts]]
name = "hot"
above = 90.0
"#;

struct Site {
    gateway: Gateway,
    sink: Sink,
}

impl Site {
    fn new() -> Self {
        let config = config(CONFIG);
        let mut sink = Sink::default();
        sink.heard = Some(Vec::new());
        let mut gateway = Gateway::with(&config, fresh(&config), 0, &mut sink);
        gateway.subscribe_all(&mut sink);
        Self { gateway, sink }
    }

    /// Publishes, and tells how many readings that gave, and what else was said.
    fn publish(&mut self, topic: &str, payload: &[u8]) -> (u64, Vec<(String, Vec<u8>)>) {
        let before = self.gateway.engine.status().counters.readings;
        self.gateway.publish(topic, payload, &mut self.sink);
        let said = self.sink.heard.as_mut().map(core::mem::take);
        let mut said = said.unwrap_or_default();
        said.retain(|(heard, _)| heard != topic);
        (
            self.gateway.engine.status().counters.readings - before,
            said,
        )
    }

    #[track_caller]
    fn check(&mut self, topic: &str, payload: &[u8], readings: u64, faults: &[(&str, u64)]) {
        let (taken, said) = self.publish(topic, payload);
        assert_eq!(taken, readings, "{topic}");
        let errors = said
            .iter()
            .filter(|(topic, _)| topic == "tidegate/edge-1/errors");
        let errors: Vec<Value> = errors
            .map(|(_, json)| serde_json::from_slice(json).unwrap())
            .collect();
        assert_eq!(errors.len(), faults.len(), "{errors:?}");
        for (error, (reason, offset)) in errors.iter().zip(faults) {
            assert_eq!(error["topic"], topic);
            assert!(
                error["reason"].as_str().unwrap().contains(reason),
                "{error}"
            );
            assert_eq!(error["offset"], *offset, "{error}");
            assert!(error["payload"].as_str().unwrap().len() <= 3 * 256);
        }
    }
}

#[test]
fn each_form_becomes_readings() {
    let mut site = Site::new();
    let mut report = [0; 64];
    let report = wire::write_report(1, None, &[("t", 1.0), ("u", 2.0)], &mut report).unwrap();
    site.check("sensors/d/t", b"21.5", 1, &[]);
    site.check("sensors/d", br#"{"values":{"t":1,"u":2,"v":3}}"#, 3, &[]);
    site.check("sensors/d", br#"[{"n":"t","v":1},{"n":"u","v":2}]"#, 2, &[]);
    site.check("sensors/d", report, 2, &[]);
    site.check("senml/x", br#"[{"bn":"urn:dev:7:","n":"t","v":1}]"#, 1, &[]);
    site.check(
        "tele/plug/SENSOR",
        br#"{"DHT22":{"Temperature":20}}"#,
        1,
        &[],
    );
    site.check("elsewhere/d/t", b"{", 0, &[]);
    assert_eq!(site.gateway.engine.status().sensors.0, 5);
}

#[test]
fn what_is_refused_is_told_with_its_place() {
    let mut site = Site::new();
    site.check("sensors/d/t", b"warm", 0, &[("not a number", 0)]);
    site.check("sensors/d", &[1, 0, 0, 1, 9], 0, &[("cut short", 4)]);
    site.check(
        "senml/x",
        br#"[{"n":"a/t","v":1},{"n":"a/u","vs":"x"},{"n":"a/w","v":2}]"#,
        2,
        &[("text", 19)],
    );
    let mut long = vec![b' '; 2_000];
    long.extend_from_slice(b"{]");
    site.check("sensors/d", &long, 0, &[("key must be", 2_001)]);
    let counters = site.gateway.engine.status().counters;
    assert_eq!((counters.payloads_refused, counters.items_refused), (3, 1));
}

/// Names stand in topics of averages and alerts: with a wildcard in it such a message would cut off its subscribers.
#[test]
fn a_name_with_a_wildcard_is_no_name() {
    let mut site = Site::new();
    site.check(
        "sensors/d",
        br##"{"values":{"#":1,"a/+":2,"ok":3}}"##,
        1,
        &[],
    );
    assert_eq!(site.gateway.engine.status().counters.names_refused, 2);
}

/// What a client may do that has the rights of `role device` with this rule.
fn rights(rule: &str) -> Rights {
    let text = format!("role device\n  publish {rule}\nuser pump secret device\n");
    let credentials = Credentials::parse(&text).unwrap();
    credentials.find("pump").unwrap().1
}

#[test]
fn a_post_is_answered_once_it_is_durable() {
    let mut site = Site::new();
    let Site { gateway, sink } = &mut site;
    let device = rights("sensors/%u/#");
    let good: (&str, &[u8]) = ("sensors/pump", br#"{"values":{"t":1}}"#);
    gateway.post(0, &device, good, None, sink);
    gateway.post(1, &device, ("sensors/fan", good.1), None, sink);
    assert_eq!(
        sink.answers,
        [(1, ReasonCode::NotAuthorized)],
        "only what is refused has its answer at once"
    );
    gateway.post(2, &device, ("sensors/pump", b"[]"), None, sink);
    assert_eq!(
        sink.faults,
        ["no record of the pack has a value: base fields alone measure nothing"]
    );
    gateway.wait(100, sink);
    let answers = [
        (1, ReasonCode::NotAuthorized),
        (0, ReasonCode::Success),
        (2, ReasonCode::PayloadFormatInvalid),
    ];
    assert_eq!(sink.answers, answers);
    assert_eq!(gateway.engine.status().counters.readings, 1);
}

#[test]
fn a_post_with_a_name_is_taken_once() {
    let mut site = Site::new();
    let Site { gateway, sink } = &mut site;
    let device = rights("sensors/%u/#");
    for (index, name) in [7, 7, 8].into_iter().enumerate() {
        let message: (&str, &[u8]) = ("sensors/pump", br#"{"values":{"t":1}}"#);
        gateway.post(index as u16, &device, message, Some(name), sink);
        gateway.wait(100, sink);
    }
    assert_eq!(
        sink.answers,
        [0, 1, 2].map(|index| (index, ReasonCode::Success))
    );
    let counters = gateway.engine.status().counters;
    assert_eq!((counters.readings, counters.redeliveries), (2, 1));
}

/// A message of Sparkplug: its sequence, and metrics as name, alias (0 beside a name: none) and a double (none: null).
fn sparkplug(sequence: u8, metrics: &[(&str, u8, Option<f64>)]) -> Vec<u8> {
    let mut bytes = vec![0x18, sequence | 0x80, sequence >> 7];
    for (name, alias, value) in metrics {
        let has_alias = *alias > 0 || name.is_empty();
        let mut metric = if has_alias {
            vec![0x10, *alias]
        } else {
            Vec::new()
        };
        if !name.is_empty() {
            metric.extend_from_slice(&[0x20, 10, 0x0A, name.len() as u8]);
            metric.extend_from_slice(name.as_bytes());
        }
        match value {
            None => metric.extend_from_slice(&[0x38, 1]),
            Some(value) => {
                metric.push(0x69);
                metric.extend_from_slice(&value.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&[0x12, metric.len() as u8]);
        bytes.extend_from_slice(&metric);
    }
    bytes
}

fn asks_rebirth(said: &[(String, Vec<u8>)]) -> bool {
    let wanted = |(topic, payload): &(String, Vec<u8>)| {
        let name = b"Node Control/Rebirth";
        topic == "spBv1.0/g/NCMD/n" && payload.windows(name.len()).any(|window| window == name)
    };
    said.iter().any(wanted)
}

impl Site {
    /// Publishes a message of Sparkplug's, and holds readings and the asking for a rebirth against what is expected.
    #[track_caller]
    fn check_node(
        &mut self,
        path: &str,
        sequence: u8,
        metrics: &[(&str, u8, Option<f64>)],
        expected: (u64, bool),
    ) {
        // So long that a node may be asked again.
        self.gateway.wait(20_000, &mut self.sink);
        let (taken, said) =
            self.publish(&format!("spBv1.0/g/{path}"), &sparkplug(sequence, metrics));
        assert_eq!((taken, asks_rebirth(&said)), expected, "{path} {sequence}");
    }

    fn bear(&mut self) {
        let birth = [("bdSeq", 0, None), ("t", 1, Some(20.0)), ("u", 2, None)];
        self.check_node("NBIRTH/n", 0, &birth, (1, false));
        let birth = [
            ("rpm", 3, Some(900.0)),
            ("Device Control/Stop", 4, Some(0.0)),
        ];
        self.check_node("DBIRTH/n/pump", 1, &birth, (1, false));
    }
}

#[test]
fn a_sparkplug_node_is_followed_from_its_birth_on() {
    let mut site = Site::new();
    site.check_node("NDATA/n", 4, &[("", 1, Some(1.0))], (0, true));
    site.bear();
    site.check_node("NDATA/n", 2, &[("", 2, Some(5.0))], (1, false));
    site.check_node(
        "DDATA/n/pump",
        3,
        &[("", 3, Some(1e3)), ("", 4, Some(1.0))],
        (1, false),
    );
    // A message is missing: what came is kept.
    site.check_node("NDATA/n", 5, &[("", 1, Some(21.0))], (1, true));
    // An alias is not known: the other is kept.
    site.check_node(
        "NDATA/n",
        6,
        &[("", 9, Some(1.0)), ("", 1, Some(2.0))],
        (1, true),
    );
    let counters = site.gateway.engine.status().counters;
    let asked = (
        counters.sparkplug_gaps,
        counters.rebirths_asked,
        counters.items_refused,
    );
    assert_eq!(asked, (1, 3, 1));
}

#[test]
fn the_sensors_of_a_sparkplug_node_that_died_are_bad() {
    let mut site = Site::new();
    site.bear();
    site.check_node("NDEATH/n", 0, &[("bdSeq", 0, None)], (0, false));
    site.gateway.wait(20_000, &mut site.sink);
    let heard = site.sink.heard.replace(Vec::new()).unwrap();
    for sensor in ["g/n/t", "g/n/u", "g/n/pump/rpm"] {
        let wanted = format!("tidegate/edge-1/average/{sensor}/10s");
        let is_bad = |(topic, json): &(String, Vec<u8>)| {
            *topic == wanted
                && serde_json::from_slice::<Value>(json)
                    .is_ok_and(|average| average["bad"] == 1 && average["n"] == 0)
        };
        assert!(
            heard.iter().any(is_bad),
            "{wanted} with a bad value is not among {heard:?}"
        );
    }
    site.check_node("NDATA/n", 2, &[("", 1, Some(1.0))], (0, true));
}

#[test]
fn a_renamed_signal_has_its_new_name_in_every_form_and_everywhere() {
    let mut site = Site::new();
    let mut said = Vec::new();
    for (topic, payload) in [
        ("sensors/topic/raw", "95"),
        ("sensors/json", r#"{"values":{"raw":95}}"#),
        ("sensors/senml", r#"[{"n":"raw","v":95}]"#),
    ] {
        let (taken, heard) = site.publish(topic, payload.as_bytes());
        assert_eq!(taken, 1, "{topic}");
        said.extend(heard);
    }
    site.check_node("NBIRTH/n", 0, &[("raw", 1, Some(20.0))], (1, false));
    let (taken, heard) = site.publish(
        "spBv1.0/g/NDATA/n",
        &sparkplug(1, &[("raw", 0, Some(95.0))]),
    );
    assert_eq!(taken, 1, "a metric by its name");
    said.extend(heard);
    site.gateway.wait(20_000, &mut site.sink);
    said.extend(site.sink.heard.replace(Vec::new()).unwrap());
    let topics: Vec<&str> = said.iter().map(|(topic, _)| topic.as_str()).collect();
    for device in ["topic", "json", "senml", "g/n"] {
        let alert = format!("tidegate/edge-1/alert/{device}/named/hot");
        assert!(topics.contains(&alert.as_str()), "{alert}: {topics:?}");
    }
    assert!(
        topics.contains(&"tidegate/edge-1/average/g/n/named/10s"),
        "{topics:?}"
    );
    assert!(topics.iter().all(|topic| !topic.contains("/raw/")));
    assert_eq!(site.gateway.engine.status().sensors.0, 4);
}
