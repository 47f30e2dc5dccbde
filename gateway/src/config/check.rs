//! What a config must hold beside its form: each fault with the key, the reason and the remedy.

use super::{Config, Fault};
use crate::limits::{CONNECTIONS_MAX, LABEL_BYTES_MAX, LABELS_MAX, MAPPINGS_MAX};
use crate::mapping::Mapping;

impl Config {
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, fault: Fault| {
            if !ok {
                faults.push(fault);
            }
        };
        check(
            is_name(&self.gateway.id),
            Fault::at(
                "gateway.id",
                "not a name",
                "use 1 to 64 of A-Z a-z 0-9 . _ -",
            ),
        );
        self.check_broker(&mut check);
        self.check_store(&mut check);
        self.check_kafka(&mut check);
        self.check_fleet(&mut check);
        self.check_outputs(&mut check);
        check(
            (64..=8192).contains(&self.pipeline.batch_readings_max),
            Fault::at(
                "pipeline.batch_readings_max",
                "out of range",
                "choose 64 to 8192",
            ),
        );
        check(
            self.pipeline.sensors_max >= 1,
            Fault::at(
                "pipeline.sensors_max",
                "no sensor has a place",
                "choose 1 to 65535",
            ),
        );
        check(
            (100..=3_600_000).contains(&self.pipeline.batch_interval.0),
            Fault::at(
                "pipeline.batch_interval",
                "out of range",
                "choose 100ms to 1h",
            ),
        );
        self.check_http(&mut check);
        self.check_renames(&mut check);
        self.check_mappings(&mut faults);
        faults
    }

    fn check_mappings(&self, faults: &mut Vec<Fault>) {
        if self.mappings.is_empty() || self.mappings.len() > MAPPINGS_MAX {
            let help = "give 1 to 32 [[mapping]] tables";
            faults.push(Fault::at("mapping", "no mapping, or too many", help));
        }
        for (index, mapping) in self.mappings.iter().enumerate() {
            let fault = match mapping.rule() {
                Err((key, message)) => Some((key, message, "see the comments in gateway.toml")),
                Ok(rule) => Mapping::new([(mapping.topic.as_str(), rule)])
                    .err()
                    .map(|error| {
                        let help = "levels are plain text, {device}, {signal} or +";
                        ("topic", error.to_string(), help)
                    }),
            };
            if let Some((key, message, help)) = fault {
                faults.push(Fault::at(format!("mapping[{index}].{key}"), message, help));
            }
        }
    }

    fn check_broker(&self, check: &mut impl FnMut(bool, Fault)) {
        let broker = &self.broker;
        check(
            !broker.allow_anonymous || broker.listen.ip().is_loopback(),
            Fault::at(
                "broker.allow_anonymous",
                format!("anyone on the network of {} could publish", broker.listen),
                "set `credentials = \"FILE\"` instead, or listen on 127.0.0.1",
            ),
        );
        check(
            broker.allow_anonymous || broker.credentials.is_some(),
            Fault::at(
                "broker",
                "nobody could connect: neither `credentials` nor `allow_anonymous` is set",
                "set `credentials = \"FILE\"`; make an entry with `tidegate passwd FILE USER`",
            ),
        );
        self.check_broker_limits(check);
        broker.check_listeners(check);
        check(
            (1024..=(1 << 20)).contains(&broker.packet_bytes_max.0),
            Fault::at(
                "broker.packet_bytes_max",
                "out of range",
                "choose 1KiB to 1MiB",
            ),
        );
    }

    fn check_broker_limits(&self, check: &mut impl FnMut(bool, Fault)) {
        let broker = &self.broker;
        check(
            (100..=3_600_000).contains(&broker.status_interval.0),
            Fault::at(
                "broker.status_interval",
                "out of range",
                "choose 100ms to 1h",
            ),
        );
        check(
            (1..=CONNECTIONS_MAX).contains(&broker.connections_max),
            Fault::at(
                "broker.connections_max",
                "out of range",
                format!("choose 1 to {CONNECTIONS_MAX}"),
            ),
        );
        check(
            broker.users_max >= 1,
            Fault::at(
                "broker.users_max",
                "no user has a place",
                format!("choose 1 to {}", u16::MAX),
            ),
        );
        for (key, most) in [
            (
                "broker.connections_per_address_max",
                broker.connections_per_address_max,
            ),
            (
                "broker.connections_per_user_max",
                broker.connections_per_user_max,
            ),
        ] {
            check(
                most.is_none_or(|most| (1..=broker.connections_max).contains(&most)),
                Fault::at(
                    key,
                    "out of range",
                    "choose 1 to connections_max, or leave it out",
                ),
            );
        }
        for (key, timeout) in [
            ("broker.connect_timeout", broker.connect_timeout),
            ("broker.slow_reader_timeout", broker.slow_reader_timeout),
        ] {
            check(
                (500..=3_600_000).contains(&timeout.0),
                Fault::at(key, "out of range", "choose 500ms to 1h"),
            );
        }
    }

    fn check_store(&self, check: &mut impl FnMut(bool, Fault)) {
        check(
            (1..=10_000).contains(&self.store.commit_interval.0),
            Fault::at(
                "store.commit_interval",
                "out of range",
                "choose 1ms to 10s: short for latency, long for the life of the SD card",
            ),
        );
        check(
            self.store.checkpoint_interval.0 >= 100,
            Fault::at(
                "store.checkpoint_interval",
                "too short",
                "choose at least 100ms; 5m is usual",
            ),
        );
        check(
            self.store.max_bytes.0 >= 16 << 20,
            Fault::at("store.max_bytes", "too small", "choose at least 16MiB"),
        );
        let ring = self.store.ring_bytes.0;
        check(
            ring == 0 || (4 << 20..=256 << 20).contains(&ring),
            Fault::at(
                "store.ring_bytes",
                "out of range",
                "choose 4MiB to 256MiB, or 0B for none",
            ),
        );
        // The journal is kept back to the checkpoint before the newest; thinning makes no room in it.
        check(
            self.store.max_bytes.0 / 4 >= self.store.checkpoint_bytes.0,
            Fault::at(
                "store.max_bytes",
                "too small for the journal of two checkpoints",
                "choose at least four times `checkpoint_bytes`, or lower that",
            ),
        );
    }

    /// Labels are extension attributes of CloudEvents, whose names are short and plain.
    fn check_labels(&self, check: &mut impl FnMut(bool, Fault)) {
        let labels = &self.kafka.labels;
        let help = format!("give at most {LABELS_MAX}: they stand in every record");
        check(
            labels.len() <= LABELS_MAX,
            Fault::at("kafka.labels", "too many labels", help),
        );
        for (name, value) in labels {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let is_name = (1..=20).contains(&name.len()) && name.chars().all(is_plain);
            let is_taken = ["id", "source", "type", "specversion"].contains(&name.as_str());
            check(
                is_name && !is_taken && value.len() <= LABEL_BYTES_MAX,
                Fault::at(
                    format!("kafka.labels.{name}"),
                    "this label cannot be used",
                    "a name has up to 20 letters a-z and digits, and is not an attribute that CloudEvents has already; a value has up to 64 bytes",
                ),
            );
        }
    }

    fn check_kafka(&self, check: &mut impl FnMut(bool, Fault)) {
        self.check_labels(check);
        let kafka = &self.kafka;
        check(
            (1..=100).contains(&kafka.drain_share),
            Fault::at("kafka.drain_share", "no percentage", "choose 1 to 100"),
        );
        let mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
        if let Some(mechanism) = &kafka.sasl_mechanism {
            check(
                mechanisms.contains(&mechanism.as_str()),
                Fault::at(
                    "kafka.sasl_mechanism",
                    format!("`{mechanism}` is not supported"),
                    "choose PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                ),
            );
            check(
                kafka.sasl_username.is_some() && kafka.sasl_password_file.is_some(),
                Fault::at(
                    "kafka",
                    "SASL without a user",
                    "set sasl_username and sasl_password_file",
                ),
            );
        }
        for (key, topic) in [
            ("kafka.topic_telemetry", &kafka.topic_telemetry),
            ("kafka.topic_aggregates", &kafka.topic_aggregates),
            ("kafka.topic_alerts", &kafka.topic_alerts),
            ("kafka.topic_watermarks", &kafka.topic_watermarks),
        ] {
            check(
                is_topic(topic),
                Fault::at(key, "no Kafka topic", "use 1 to 249 of A-Z a-z 0-9 . _ -"),
            );
        }
    }
}

pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && is_topic(text)
}

fn is_topic(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&text.len()) && text.bytes().all(legal)
}
