//! What the gateway itself says on MQTT, as JSON: alerts, averages, errors, status.

use core::fmt::Write;

use pipeline::{PARTNERS_MAX, Profile};
use serde::Serialize;
use wire::{Alert, SensorName, Sketch, Stats, Summary, WindowKind};

use crate::form::json::AlertJson;

/// Room for the longest topic: the names at their longest.
const TOPIC_BYTES: usize = 256;
/// Room for the longest payload, the status with all its counters at their largest.
const PAYLOAD_BYTES: usize = 4096;

mod profile;

use self::profile::ProfileJson;

/// Topic and payload of one message, written into buffers that are used again.
#[derive(Debug)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            topic: String::with_capacity(TOPIC_BYTES),
            payload: Vec::with_capacity(PAYLOAD_BYTES),
        }
    }
}

#[derive(Serialize)]
struct AverageJson<'a> {
    device: &'a str,
    signal: &'a str,
    unit: &'a str,
    start: i64,
    end: i64,
    n: u32,
    mean: Option<f64>,
    time_weighted_mean: Option<f64>,
    stddev: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    first: Option<f64>,
    last: Option<f64>,
    ewma: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantiles: Option<Quantiles<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantile_error: Option<f64>,
    uncertain: u32,
    bad: u32,
    revision: u32,
    partial: bool,
}

/// Quantiles at these parts of all values, by the part.
struct Quantiles<'a>(&'a [f64], &'a Sketch, &'a Stats);

impl Serialize for Quantiles<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(parts, sketch, stats) = self;
        let told = |part: &f64| (*part, sketch.quantile(*part, stats.min, stats.max));
        serializer.collect_map(parts.iter().map(told))
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    topic: &'a str,
    reason: &'a str,
    offset: usize,
    payload: &'a str,
    at: i64,
}

/// What the topics of a gateway's alerts begin with.
#[derive(Clone, Copy, Debug)]
pub struct AlertTopics<'a>(
    /// The gateway's id.
    pub &'a str,
);

impl core::fmt::Display for AlertTopics<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "tidegate/{}/alert/", self.0)
    }
}

impl Message {
    /// An alert, on `tidegate/<gateway>/alert/<device>/<signal>/<rule>`.
    pub fn write_alert(&mut self, gateway: &str, alert: &Alert<'_>) {
        let SensorName { device, signal, .. } = alert.name;
        self.topic(format_args!(
            "{}{device}/{signal}/{}",
            AlertTopics(gateway),
            alert.rule
        ));
        self.payload(&AlertJson::new(gateway, alert));
    }

    /// A summary, on `tidegate/<gateway>/average/<device>/<signal>/<window>`.
    pub fn write_average(
        &mut self,
        gateway: &str,
        summary: &Summary,
        name: SensorName<'_>,
        quantiles: &[f64],
    ) {
        let SensorName {
            device,
            signal,
            unit,
        } = name;
        let window = &summary.window;
        let kind = match window.kind {
            WindowKind::Tumbling => "",
            WindowKind::Sliding => "rolling-",
            WindowKind::Session => "session",
        };
        // Each session has a length of its own.
        let span = Some(Span(window.length_ms)).filter(|_| window.kind != WindowKind::Session);
        let topic = format_args!("tidegate/{gateway}/average/{device}/{signal}/{kind}");
        match span {
            Some(span) => self.topic(format_args!("{topic}{span}")),
            None => self.topic(topic),
        }
        let stats = summary.stats.as_ref();
        let told = summary.sketch.as_ref().zip(stats);
        let told = told.filter(|_| !quantiles.is_empty());
        self.payload(&AverageJson {
            device,
            signal,
            unit,
            start: window.start.0,
            end: window.start.0.saturating_add(i64::from(window.length_ms)),
            n: stats.map_or(0, |stats| stats.n),
            mean: stats.map(|stats| stats.mean),
            time_weighted_mean: stats.and_then(Stats::time_weighted_mean),
            stddev: stats.and_then(Stats::stddev),
            min: stats.map(|stats| stats.min),
            max: stats.map(|stats| stats.max),
            first: stats.map(|stats| stats.first),
            last: stats.map(|stats| stats.last),
            ewma: summary.ewma,
            quantiles: told.map(|(sketch, stats)| Quantiles(quantiles, sketch, stats)),
            quantile_error: told.map(|(sketch, _)| sketch.error_max()),
            uncertain: summary.uncertain,
            bad: summary.bad,
            revision: summary.revision,
            partial: summary.partial,
        });
    }

    /// What is usual for a signal, on `tidegate/<gateway>/profile/<device>/<signal>`.
    pub fn write_profile(
        &mut self,
        gateway: &str,
        profile: &Profile,
        name: SensorName<'_>,
        partners: [&str; PARTNERS_MAX],
    ) {
        let SensorName { device, signal, .. } = name;
        self.topic(format_args!("tidegate/{gateway}/profile/{device}/{signal}"));
        self.payload(&ProfileJson::new(profile, name, partners));
    }

    /// A payload that holds no reading, on `tidegate/<gateway>/errors`.
    pub fn write_error(
        &mut self,
        gateway: &str,
        topic: &str,
        reason: &str,
        offset: usize,
        sample: &[u8],
        at: i64,
    ) {
        self.topic(format_args!("tidegate/{gateway}/errors"));
        let payload = &String::from_utf8_lossy(sample);
        self.payload(&ErrorJson {
            topic,
            reason,
            offset,
            payload,
            at,
        });
    }

    /// What came of a request about alarms, on `tidegate/<gateway>/alarm/answer`.
    pub fn write_operated(&mut self, gateway: &str, answer: &impl Serialize) {
        self.topic(format_args!("tidegate/{gateway}/alarm/answer"));
        self.payload(answer);
    }

    /// The status, on `tidegate/<gateway>/status`.
    pub fn write_status(&mut self, gateway: &str, status: &impl Serialize) {
        self.topic(format_args!("tidegate/{gateway}/status"));
        self.payload(status);
    }

    fn topic(&mut self, topic: core::fmt::Arguments<'_>) {
        self.topic.clear();
        // Writing into a string cannot fail.
        let _ = self.topic.write_fmt(topic);
    }

    fn payload(&mut self, payload: &impl Serialize) {
        self.payload.clear();
        let written = serde_json::to_writer(&mut self.payload, payload);
        debug_assert!(
            written.is_ok(),
            "these structs have string keys and write into memory"
        );
    }
}

/// A span as people say it: `60s`, `5m`.
struct Span(u32);

impl core::fmt::Display for Span {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (unit, ms) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if self.0.is_multiple_of(ms) && self.0 > ms {
                return write!(f, "{}{unit}", self.0 / ms);
            }
        }
        if self.0 == 1_000 {
            f.write_str("1s")
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{SensorId, Severity, Timestamp, Why, Window};

    use super::*;

    #[test]
    fn spans_are_written_as_people_say_them() {
        for (ms, text) in [
            (60_000, "60s"),
            (300_000, "5m"),
            (7_200_000, "2h"),
            (1_500, "1500ms"),
            (1_000, "1s"),
        ] {
            assert_eq!(Span(ms).to_string(), text);
        }
    }

    #[test]
    fn an_alert_has_its_topic_and_its_numbers() {
        let mut message = Message::default();
        let alert = Alert {
            clock: wire::Clock::Synced,
            id: 3,
            sensor: SensorId(0),
            name: SensorName {
                device: "boiler \"1\"",
                signal: "t",
                unit: "°C",
            },
            rule: "hot",
            kind: wire::AlertKind::Limit,
            transition: wire::Transition::Raised,
            standing: wire::Standing::Unacknowledged,
            first_out: None,
            severity: Severity::Critical,
            at: Timestamp(5),
            since: Timestamp(4),
            value: Some(91.5),
            limit: Some(90.0),
            why: Why::new(format_args!("91.5 above 90")),
        };
        message.write_alert("edge-1", &alert);
        assert_eq!(message.topic, "tidegate/edge-1/alert/boiler \"1\"/t/hot");
        let json: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(json["state"], "raised");
        assert_eq!(json["severity"], "critical");
        assert_eq!(json["device"], "boiler \"1\"");
        assert_eq!(json["value"], 91.5);
    }

    #[test]
    fn an_average_without_values_has_no_mean() {
        let mut message = Message::default();
        let window = Window {
            start: Timestamp(60_000),
            length_ms: 60_000,
            kind: WindowKind::Sliding,
        };
        let summary = Summary {
            window,
            bad: 2,
            ..Summary::default()
        };
        message.write_average(
            "g",
            &summary,
            SensorName {
                device: "d",
                signal: "s",
                unit: "",
            },
            &[],
        );
        assert_eq!(message.topic, "tidegate/g/average/d/s/rolling-60s");
        let json: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(
            (&json["mean"], &json["bad"], &json["end"]),
            (&serde_json::Value::Null, &2.into(), &120_000.into())
        );
    }

    #[test]
    fn quantiles_stand_under_their_parts() {
        let mut message = Message::default();
        let mut sketch = Sketch::default();
        (1..=100).for_each(|n| sketch.push(f64::from(n)));
        let stats = Stats {
            n: 100,
            min: 1.0,
            max: 100.0,
            ..Stats::default()
        };
        let summary = Summary {
            window: Window {
                start: Timestamp(7),
                length_ms: 90_001,
                kind: WindowKind::Session,
            },
            stats: Some(stats),
            sketch: Some(sketch),
            ..Summary::default()
        };
        let name = SensorName {
            device: "d",
            signal: "s",
            unit: "",
        };
        message.write_average("g", &summary, name, &[0.5, 0.95]);
        assert_eq!(message.topic, "tidegate/g/average/d/s/session");
        let json: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        let told = |part: &str| json["quantiles"][part].as_f64().expect("a number");
        let error = json["quantile_error"].as_f64().expect("a number");
        for (part, exact) in [("0.5", 50.0), ("0.95", 95.0)] {
            assert!((told(part) - exact).abs() <= error * exact, "{json}");
        }
    }
}
