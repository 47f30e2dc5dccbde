//! What a receiver finds in payloads of any dialect.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{json, sparkplug};
use crate::limits::{DEVICES_MAX, SIGNALS_MAX};
use crate::recording::read_time;

/// A reading as a receiver of the payload finds it: signal (if the payload names it), time, value.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The signal, if the payload names it.
    pub signal: Option<String>,
    /// Time by the device's clock, if the payload carries it.
    pub time: Option<i64>,
    /// The value; `None` if it is no number.
    pub value: Option<f64>,
}

/// A receiver. It knows a dialect by its topic and its bytes, and keeps what Sparkplug B's births say of aliases.
#[derive(Debug, Default)]
pub struct Reader {
    /// By edge node and device, what each alias stands for.
    aliases: HashMap<String, HashMap<u64, String>>,
}

impl Reader {
    /// Reads a message. `None` if its topic says that it is no reading; empty if its payload holds none.
    pub fn read(&mut self, topic: &str, payload: &[u8]) -> Option<Vec<Found>> {
        if let Some(rest) = topic.strip_prefix("spBv1.0/") {
            return self.read_sparkplug(rest, payload);
        }
        Some(match payload.first() {
            Some(b'{') => read_object(payload),
            Some(b'[') => read_senml(payload),
            Some(&wire::REPORT_VERSION) => read_report(payload),
            _ => read_number(payload),
        })
    }

    fn read_sparkplug(&mut self, topic: &str, payload: &[u8]) -> Option<Vec<Found>> {
        let mut levels = topic.splitn(3, '/');
        let (_group, kind, device) = (levels.next()?, levels.next()?, levels.next()?);
        match kind {
            "DBIRTH" => {
                let room = self.aliases.len() < DEVICES_MAX as usize;
                if room || self.aliases.contains_key(device) {
                    let aliases = read_aliases(payload).unwrap_or_default();
                    self.aliases.insert(device.to_owned(), aliases);
                }
                None
            }
            "DDATA" => {
                let aliases = self.aliases.get(device);
                let metrics = sparkplug::read(payload).unwrap_or_default();
                let found = metrics.into_iter().map(|metric| Found {
                    signal: metric.name.map(str::to_owned).or_else(|| {
                        let name = aliases?.get(&metric.alias?)?;
                        Some(name.clone())
                    }),
                    time: metric.time,
                    value: metric.value,
                });
                Some(found.collect())
            }
            _ => None,
        }
    }
}

fn read_aliases(payload: &[u8]) -> Option<HashMap<u64, String>> {
    let metrics = sparkplug::read(payload)?;
    let named = metrics
        .into_iter()
        .filter_map(|metric| Some((metric.alias?, metric.name?.to_owned())));
    Some(named.take(SIGNALS_MAX * 8).collect())
}

fn read_number(payload: &[u8]) -> Vec<Found> {
    let text = core::str::from_utf8(payload).unwrap_or_default().trim();
    let found = (!text.is_empty()).then(|| Found {
        signal: None,
        time: None,
        value: text.parse().ok(),
    });
    found.into_iter().collect()
}

fn read_report(payload: &[u8]) -> Vec<Found> {
    let Ok(report) = wire::Report::read(payload) else {
        return vec![];
    };
    let time = report.time.map(|time| time.0);
    let found = report.values().map(|(signal, value)| Found {
        signal: (!signal.is_empty()).then(|| signal.to_owned()),
        time,
        value: value.is_finite().then_some(value),
    });
    found.collect()
}

fn read_object(payload: &[u8]) -> Vec<Found> {
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(payload) else {
        return vec![];
    };
    if let Some(time) = object.get("Time").and_then(Value::as_str) {
        return read_tasmota(&object, read_time(time));
    }
    if object.get("method").and_then(Value::as_str) == Some("NotifyStatus") {
        return read_shelly(object["params"].as_object());
    }
    if let Some(time) = object.get("last_seen") {
        let own = |name: &str| ["linkquality", "last_seen", "sim"].contains(&name);
        return named(object.iter().filter(|(name, _)| !own(name)), time.as_i64());
    }
    let time = object.get("ts").and_then(Value::as_i64);
    if let Some(value) = object.get("value") {
        let value = value.as_f64();
        return vec![Found {
            signal: None,
            time,
            value,
        }];
    }
    let values = object.get("values").and_then(Value::as_object);
    named(values.into_iter().flatten(), time)
}

fn read_tasmota(object: &Map<String, Value>, time: Option<i64>) -> Vec<Found> {
    let sensors = object.iter().filter(|(name, _)| *name != "sim");
    let values = sensors
        .filter_map(|(_, sensor)| sensor.as_object())
        .flatten();
    let mut found = named(values, time);
    for signal in found.iter_mut().filter_map(|found| found.signal.as_mut()) {
        let mut letters = signal.chars();
        let first = letters.next().into_iter().flat_map(char::to_lowercase);
        *signal = first.chain(letters).collect();
    }
    found
}

fn read_shelly(params: Option<&Map<String, Value>>) -> Vec<Found> {
    let Some(params) = params else { return vec![] };
    let seconds = params.get("ts").and_then(Value::as_f64);
    let time = seconds.map(|seconds| (seconds * 1000.0).round() as i64);
    let values = params.iter().filter_map(|(component, status)| {
        let (name, _) = component.split_once(':')?;
        Some((name, status.get(json::shelly_key(name))?))
    });
    named(values, time)
}

fn read_senml(payload: &[u8]) -> Vec<Found> {
    let Ok(records) = serde_json::from_slice::<Vec<Map<String, Value>>>(payload) else {
        return vec![];
    };
    let mut base_s = 0.0;
    let mut found = Vec::new();
    for record in records {
        let number = |label: &str| record.get(label).and_then(Value::as_f64);
        base_s = number("bt").unwrap_or(base_s);
        if let (Some(name), Some(value)) = (record.get("n").and_then(Value::as_str), number("v")) {
            let seconds = base_s + number("t").unwrap_or(0.0);
            found.push(Found {
                signal: Some(name.to_owned()),
                time: Some((seconds * 1000.0).round() as i64),
                value: Some(value),
            });
        }
    }
    found
}

fn named<N: AsRef<str>>(
    values: impl Iterator<Item = (N, impl core::borrow::Borrow<Value>)>,
    time: Option<i64>,
) -> Vec<Found> {
    let found = values.map(|(signal, value)| Found {
        signal: Some(signal.as_ref().to_owned()),
        time,
        value: value.borrow().as_f64(),
    });
    found.collect()
}
