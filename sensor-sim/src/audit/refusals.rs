//! What a gateway says that it refused, and why: the explanation of readings that were acknowledged and are missing.

use std::collections::HashMap;

use serde_json::Value;

use crate::limits::{REASONS_MAX, REFUSALS_MAX};
use crate::payload::Reader;

/// The refusals of a gateway, from its errors topic, and its counters, from its status.
#[derive(Debug, Default)]
pub struct Refusals {
    /// By device and time of the message, which reason.
    reasons: HashMap<String, HashMap<i64, usize>>,
    names: Vec<String>,
    /// Refusals that were told since the first status.
    told: u64,
    first: Option<Counters>,
    /// The last counters, and how much had been told by then.
    last: Option<(Counters, u64)>,
}

/// The gateway's counters of what it refused, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    payloads: u64,
    items: u64,
    sensors: u64,
}

impl Refusals {
    /// Takes what came on the errors topic; `device_of` finds the device of a topic.
    pub fn note_error(&mut self, message: &[u8], device_of: impl Fn(&str) -> Option<String>) {
        let Ok(error) = serde_json::from_slice::<Value>(message) else {
            return;
        };
        self.told += 1;
        let text = |member: &str| error[member].as_str().unwrap_or_default();
        let (topic, payload) = (text("topic"), text("payload"));
        if let (Some(device), Some(time)) = (device_of(topic), time_of(topic, payload))
            && self.reasons.len() < REFUSALS_MAX
        {
            let reason = self.reason(text("reason"));
            let of_device = self.reasons.entry(device).or_default();
            if of_device.len() < REFUSALS_MAX {
                of_device.insert(time, reason);
            }
        }
    }

    /// Takes what came on the status topic.
    pub fn note_status(&mut self, message: &[u8]) {
        let Ok(status) = serde_json::from_slice::<Value>(message) else {
            return;
        };
        let count = |name: &str| status["counters"][name].as_u64().unwrap_or_default();
        let counters = Counters {
            payloads: count("payloads_refused"),
            items: count("items_refused"),
            sensors: count("sensors_refused") + count("names_refused"),
        };
        if self.first.is_none() {
            self.first = Some(counters);
            self.told = 0;
        }
        self.last = Some((counters, self.told));
    }

    /// Where the gateway's counters say another thing than its errors topic: one error for each message that it refused,
    /// and at most one for each item.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let (first, (last, told)) = (self.first?, self.last?);
        let payloads = last.payloads.saturating_sub(first.payloads);
        let items = last.items.saturating_sub(first.items);
        (told < payloads || told > payloads + items).then(|| {
            format!(
                "the gateway counted {payloads} refused messages and {items} refused items, and told of {told}"
            )
        })
    }

    /// Readings of sensors for which the gateway had no place, since its start.
    pub(super) fn sensors_refused(&self) -> u64 {
        self.last.map_or(0, |(counters, _)| counters.sensors)
    }

    /// Why the message of a device at a time was refused.
    pub(super) fn find(&self, device: &str, time: i64) -> Option<&str> {
        let reason = self.reasons.get(device)?.get(&time)?;
        self.names.get(*reason).map(String::as_str)
    }

    /// Index of a reason, without the place in the payload that JSON's errors end with.
    fn reason(&mut self, text: &str) -> usize {
        let text = text.split(" at line ").next().unwrap_or(text);
        let known = self.names.iter().position(|name| name == text);
        known.unwrap_or_else(|| {
            let is_full = self.names.len() >= REASONS_MAX;
            if is_full {
                return REASONS_MAX - 1;
            }
            self.names.push(text.to_owned());
            self.names.len() - 1
        })
    }
}

/// The time of a message that was refused, by what is quoted of its payload.
fn time_of(topic: &str, payload: &str) -> Option<i64> {
    let found = Reader::default().read(topic, payload.as_bytes());
    let whole = found.into_iter().flatten().find_map(|found| found.time);
    whole.or_else(|| {
        let (_, rest) = payload.split_once("\"ts\":")?;
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '-');
        rest[..end.unwrap_or(rest.len())].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(payload: &str, reason: &str) -> Vec<u8> {
        serde_json::json!({ "topic": "sensors/pump/flow", "reason": reason, "payload": payload })
            .to_string()
            .into_bytes()
    }

    fn status(payloads: u64, items: u64) -> Vec<u8> {
        format!(
            r#"{{"counters":{{"payloads_refused":{payloads},"items_refused":{items},"sensors_refused":3,"names_refused":1}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_refusal_is_found_by_device_and_time_even_where_its_payload_was_cut() {
        let mut refusals = Refusals::default();
        let device = |topic: &str| Some(topic.split('/').nth(1)?.to_owned());
        let whole = error(r#"{"ts":7,"value":null}"#, "no number at line 1 column 20");
        refusals.note_error(&whole, device);
        refusals.note_error(&error(r#"{"ts":-8,"values":{"a":nu"#, "no number"), device);
        refusals.note_error(b"nonsense", device);
        assert_eq!(refusals.find("pump", 7), Some("no number"));
        assert_eq!(refusals.find("pump", -8), Some("no number"));
        assert_eq!(
            (refusals.find("pump", 9), refusals.find("fan", 7)),
            (None, None)
        );
    }

    #[test]
    fn counters_must_say_what_was_told() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.contradiction(), None);
        refusals.note_error(&error("", "before"), |_| None);
        refusals.note_status(&status(5, 0));
        refusals.note_error(&error("", "after"), |_| None);
        refusals.note_status(&status(6, 0));
        assert_eq!(refusals.contradiction(), None);
        assert_eq!(refusals.sensors_refused(), 4);
        refusals.note_status(&status(8, 0));
        assert!(
            refusals
                .contradiction()
                .unwrap()
                .contains("3 refused messages")
        );
    }
}
