//! What may be set from remote: the class of each key, and the floor below which no layer but the site's file goes.

use serde_json::Value;

use super::merge::leaves;
use super::reason::{Finding, Reason, Refusal};

/// When a key takes hold, and who may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// In order with readings, without a restart.
    Hot,
    /// From the next start on; set in the site's file only.
    Restart,
    /// On the box only: who it is, where its data are, whom it trusts, where it connects and listens.
    LocalOnly,
    /// It would open what the site has closed.
    Floor,
}

/// By the begin of the key; the longest that fits holds. What is in no line is for the box only.
const CLASSES: &[(&str, Class)] = &[
    ("/broker/allow_anonymous", Class::Floor),
    ("/broker/connections_max", Class::Restart),
    ("/broker/packet_bytes_max", Class::Restart),
    ("/broker/sessions_max", Class::Restart),
    ("/broker/status_interval", Class::Hot),
    ("/store/commit_interval", Class::Hot),
    ("/store/checkpoint_interval", Class::Hot),
    ("/store/checkpoint_bytes", Class::Hot),
    ("/store/ring_bytes", Class::Restart),
    ("/store/max_bytes", Class::Restart),
    ("/store/min_free_bytes", Class::Restart),
    ("/kafka/mode", Class::Hot),
    ("/kafka/format", Class::Hot),
    ("/kafka/topic_telemetry", Class::Hot),
    ("/kafka/topic_aggregates", Class::Hot),
    ("/kafka/topic_alerts", Class::Hot),
    ("/kafka/properties", Class::Hot),
    ("/kafka/drain_share", Class::Restart),
    ("/kafka/tls", Class::Floor),
    ("/pipeline/sensors_max", Class::Restart),
    ("/pipeline/batch_interval", Class::Hot),
    ("/pipeline/batch_readings_max", Class::Hot),
    ("/pipeline/keep_raw", Class::Hot),
    ("/pipeline/publish_averages", Class::Hot),
    ("/mapping", Class::Hot),
    ("/rename", Class::Hot),
    ("/defaults", Class::Hot),
    ("/sensor", Class::Hot),
];

/// Properties of librdkafka that weaken the way to Kafka, load code, or lead elsewhere; with these begins.
const KAFKA_FLOOR: &[&str] = &[
    "bootstrap",
    "enable.ssl",
    "enable.sasl",
    "https",
    "metadata.broker",
    "plugin",
    "sasl",
    "security",
    "ssl",
];

/// The class of a key, given as JSON pointer.
#[must_use]
pub fn class_of(pointer: &str) -> Class {
    if let Some(property) = pointer.strip_prefix("/kafka/properties/")
        && KAFKA_FLOOR.iter().any(|begin| property.starts_with(begin))
    {
        return Class::Floor;
    }
    let fits = |begin: &str| is_within(pointer, begin);
    let longest = CLASSES
        .iter()
        .filter(|(begin, _)| fits(begin))
        .max_by_key(|(begin, _)| begin.len());
    longest.map_or(Class::LocalOnly, |(_, class)| *class)
}

/// Refuses a layer with keys that may not come from remote. All of them are told; the reason is the gravest.
///
/// # Errors
/// [`Refusal`] with each such key.
pub fn admit(layer: &Value, locked: &[String]) -> Result<(), Refusal> {
    let mut findings = Vec::new();
    let mut gravest: Option<Reason> = None;
    for (pointer, _) in leaves(layer) {
        let Some((reason, text)) = objection(&pointer, locked) else {
            continue;
        };
        let rank = |it: Reason| {
            [Reason::Floor, Reason::LocalOnly, Reason::Locked]
                .iter()
                .position(|at| *at == it)
                .unwrap_or(usize::MAX)
        };
        gravest = Some(gravest.map_or(
            reason,
            |it| if rank(reason) < rank(it) { reason } else { it },
        ));
        findings.push(Finding {
            pointer,
            text: text.to_owned(),
        });
    }
    match gravest {
        None => Ok(()),
        Some(reason) => Err(Refusal::all(reason, findings)),
    }
}

fn objection(pointer: &str, locked: &[String]) -> Option<(Reason, &'static str)> {
    match class_of(pointer) {
        Class::Floor => Some((
            Reason::Floor,
            "only the site's file may open this; take it out of the layer",
        )),
        Class::LocalOnly => Some((
            Reason::LocalOnly,
            "is set on the box only; take it out of the layer",
        )),
        _ if is_locked(pointer, locked) => Some((
            Reason::Locked,
            "is locked by `fleet.locked` of the site's file",
        )),
        Class::Restart => Some((
            Reason::Restart,
            "holds from a restart on: set it in the site's file, and restart",
        )),
        Class::Hot => None,
    }
}

/// Whether a locked key is above, at, or below this one: a layer must not replace the table around it either.
fn is_locked(pointer: &str, locked: &[String]) -> bool {
    locked.iter().any(|key| {
        let key = format!("/{}", key.replace('.', "/"));
        is_within(pointer, &key) || is_within(&key, pointer)
    })
}

fn is_within(pointer: &str, begin: &str) -> bool {
    pointer
        .strip_prefix(begin)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(layer: &Value, expected: Option<Reason>) {
        let locked = [
            "kafka.topic_alerts".to_owned(),
            "defaults.silence".to_owned(),
        ];
        let found = admit(layer, &locked).err().map(|refusal| refusal.reason);
        assert_eq!(found, expected, "{layer}");
    }

    #[test]
    fn each_key_has_its_class() {
        check(&json!({"defaults": {"average": "30s"}, "sensor": []}), None);
        check(&json!({"kafka": {"properties": {"linger.ms": "5"}}}), None);
        check(&json!({"gateway": {"id": "x"}}), Some(Reason::LocalOnly));
        check(&json!({"gateway": {}}), Some(Reason::LocalOnly));
        check(&json!({"fleet": {"locked": []}}), Some(Reason::LocalOnly));
        check(
            &json!({"kafka": {"bootstrap": null}}),
            Some(Reason::LocalOnly),
        );
        check(&json!({"kafka": null}), Some(Reason::LocalOnly));
        check(
            &json!({"pipeline": {"sensors_max": 9}}),
            Some(Reason::Restart),
        );
        check(
            &json!({"broker": {"allow_anonymous": true}}),
            Some(Reason::Floor),
        );
        check(
            &json!({"kafka": {"properties": {"security.protocol": "plaintext"}}}),
            Some(Reason::Floor),
        );
    }

    #[test]
    fn a_locked_key_cannot_be_set_nor_removed_with_its_table() {
        check(
            &json!({"kafka": {"topic_alerts": "x"}}),
            Some(Reason::Locked),
        );
        check(
            &json!({"defaults": {"silence": null}}),
            Some(Reason::Locked),
        );
        check(&json!({"defaults": null}), Some(Reason::Locked));
        check(&json!({"defaults": {}}), Some(Reason::Locked));
    }

    #[test]
    fn all_keys_are_told_and_the_gravest_gives_the_reason() {
        let layer =
            json!({"pipeline": {"sensors_max": 9}, "kafka": {"tls": false}, "store": {"dir": "/"}});
        let refusal = admit(&layer, &[]).expect_err("refused");
        assert_eq!((refusal.reason, refusal.findings.len()), (Reason::Floor, 3));
    }
}
