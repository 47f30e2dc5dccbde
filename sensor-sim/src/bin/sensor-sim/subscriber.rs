//! What an MQTT subscriber hears of the readings, for `verify`.

use anyhow::Result;
use sensor_sim::audit::Refusals;
use sensor_sim::payload::Reader;

use crate::cli::Verify;
use crate::clock::Clock;
use crate::listener::{Listener, OWN_TOPICS, Subscription};
use crate::verify::Heard;

/// Where gateways say what they refused and what they counted.
const GATEWAY_FILTERS: [&str; 2] = ["tidegate/+/errors", "tidegate/+/status"];

/// Subscribes and listens until it is quiet.
pub(crate) fn listen(broker: &str, options: &Verify, clock: &Clock) -> Result<Heard> {
    let dialect = options.payload;
    let filter = options.filter.as_deref().unwrap_or(dialect.filter());
    let template = options.mqtt_topic.as_deref().unwrap_or(dialect.topic());
    let subscription = Subscription {
        broker: broker.to_owned(),
        filter: filter.to_owned(),
        aside: if options.explain {
            GATEWAY_FILTERS.map(str::to_owned).to_vec()
        } else {
            vec![]
        },
        name: "verify",
        username: options.username.clone(),
        password_file: options.password_file.clone(),
        wait: options.wait,
        idle: options.idle,
        until: options.until.clone(),
        is_shown: true,
    };
    let mut heard = Heard::default();
    let mut reader = Reader::default();
    let mut refusals = options.explain.then(Refusals::default);
    let device_of = |topic: &str| names(template, topic).map(|(device, _)| device.to_owned());
    let reconnects = Listener::new(&subscription, clock).listen(&mut |topic, payload| match (
        &mut refusals,
        topic.strip_prefix(OWN_TOPICS),
    ) {
        (Some(refusals), Some(own)) if own.ends_with("/errors") => {
            refusals.note_error(payload, device_of);
        }
        (Some(refusals), Some(_)) => refusals.note_status(payload),
        _ => hear(&mut heard, &mut reader, template, topic, payload),
    })?;
    heard.note = format!("  ({reconnects} reconnects)");
    heard.refusals = refusals;
    Ok(heard)
}

fn hear(heard: &mut Heard, reader: &mut Reader, template: &str, topic: &str, payload: &[u8]) {
    let Some(found) = reader.read(topic, payload) else {
        return;
    };
    let Some((device, signal)) = names(template, topic) else {
        return heard.add(topic, "", None, None);
    };
    if found.is_empty() {
        heard.add(device, signal, None, None);
    }
    for reading in found {
        let signal = reading.signal.as_deref().unwrap_or(signal);
        heard.add(device, signal, reading.time, reading.value);
    }
}

/// Device and signal of a topic, by a template such as `sensors/{device}/{signal}`; the signal is empty where the topic
/// ends before it.
fn names<'t>(template: &str, topic: &'t str) -> Option<(&'t str, &'t str)> {
    let (mut device, mut signal) = (None, "");
    let mut levels = topic.split('/');
    for wanted in template.split('/') {
        match (wanted, levels.next()) {
            ("{device}", level) => device = level,
            ("{signal}", level) => signal = level.unwrap_or_default(),
            (literal, Some(level)) if literal == level => {}
            _ => return None,
        }
    }
    device
        .filter(|_| levels.next().is_none())
        .map(|device| (device, signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_device_and_signal() {
        let template = "sensors/{device}/{signal}";
        assert_eq!(names(template, "sensors/pump/flow"), Some(("pump", "flow")));
        assert_eq!(names(template, "sensors/pump"), Some(("pump", "")));
        for other in ["sensors", "other/pump/flow", "sensors/pump/flow/x"] {
            assert_eq!(names(template, other), None, "{other}");
        }
    }
}
