//! Settings → properties of librdkafka's clients.

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

use super::settings::{Mode, Settings, UplinkError};

/// Properties that the promises rest on.
const RESERVED: [&str; 14] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "metadata.broker.list",
    "request.required.acks",
    "transaction.timeout.ms",
    "transactional.id",
];
/// Largest answer to one fetch of watermark records, bytes.
const FETCH_BYTES: u32 = 128 * 1024;
/// Watermark records that are fetched before the ones before them are read: each takes several hundred
/// bytes of memory, and librdkafka would take 100 000.
const FETCH_AHEAD_RECORDS: u32 = 1_000;

/// Says whether librdkafka takes these settings, without connecting.
///
/// # Errors
/// [`UplinkError`]: which property is wrong.
pub fn check(settings: &Settings) -> Result<(), UplinkError> {
    if let Some(key) = settings
        .properties
        .keys()
        .find(|key| RESERVED.contains(&key.as_str()))
    {
        return Err(UplinkError::Reserved { key: key.clone() });
    }
    for config in [
        producer(settings),
        reader(settings, Isolation::ReadCommitted),
    ] {
        config
            .create_native_config()
            .map_err(|error| UplinkError::Property {
                text: match error {
                    // Without the value, which may be a secret.
                    KafkaError::ClientConfig(_, reason, key, _) => format!("`{key}`: {reason}"),
                    other => other.to_string(),
                },
            })?;
    }
    Ok(())
}

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Up to the first transaction that is still open.
    ReadCommitted,
    /// Up to the end of the log.
    ReadUncommitted,
}

/// The producer.
pub(super) fn producer(settings: &Settings) -> ClientConfig {
    let mut config = common(settings);
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "zstd")
        // Batches are up to 3 % smaller than at level 3, for 0.03 s more of a million readings; higher levels find little more.
        .set("compression.level", "6")
        .set("linger.ms", settings.linger_ms.to_string())
        .set("message.max.bytes", settings.message_bytes_max.to_string())
        .set("batch.size", settings.message_bytes_max.to_string())
        .set(
            "queue.buffering.max.kbytes",
            (settings.queue_bytes / 1024).max(1).to_string(),
        )
        .set(
            "queue.buffering.max.messages",
            settings.queue_records.max(2).to_string(),
        )
        // The same key goes to the same partition, as with the Java clients.
        .set("partitioner", "murmur2_random");
    match settings.mode {
        Mode::Transactional => {
            config
                .set("transactional.id", format!("tidegate-{}", settings.gateway))
                .set(
                    "transaction.timeout.ms",
                    settings.transaction_timeout_ms.to_string(),
                );
        }
        Mode::Idempotent => {
            config.set(
                "message.timeout.ms",
                settings.transaction_timeout_ms.to_string(),
            );
        }
    }
    with_extra(config, settings)
}

/// A consumer that reads watermark records. It joins no group; librdkafka wants the name of one.
pub(super) fn reader(settings: &Settings, isolation: Isolation) -> ClientConfig {
    let isolation = match isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    let mut config = common(settings);
    config
        .set("group.id", format!("tidegate-{}", settings.gateway))
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "100")
        // librdkafka wants this to be no more than a fetch; a single larger record is still taken.
        .set("message.max.bytes", (FETCH_BYTES / 2).to_string())
        .set("fetch.max.bytes", FETCH_BYTES.to_string())
        .set("max.partition.fetch.bytes", (FETCH_BYTES / 2).to_string())
        .set("queued.min.messages", FETCH_AHEAD_RECORDS.to_string())
        // Else a full queue stops the fetching for a second each time.
        .set("fetch.queue.backoff.ms", "10")
        .set(
            "queued.max.messages.kbytes",
            (FETCH_BYTES / 1024).to_string(),
        );
    with_extra(config, settings)
}

/// A client that makes topics.
pub(super) fn administrator(settings: &Settings) -> ClientConfig {
    with_extra(common(settings), settings)
}

fn common(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap)
        .set("client.id", format!("tidegate-{}", settings.gateway))
        // A connect tries for its own timeout only: it must find a returning broker within that.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true")
        .set("security.protocol", security_protocol(settings));
    if let Some(tls) = &settings.tls {
        let ca = tls
            .ca_file
            .as_deref()
            .map_or("probe".into(), |file| file.to_string_lossy());
        config.set("ssl.ca.location", ca);
        if let Some((certificate, key)) = &tls.certificate {
            config
                .set("ssl.certificate.location", certificate.to_string_lossy())
                .set("ssl.key.location", key.to_string_lossy());
        }
    }
    if let Some(sasl) = &settings.sasl {
        config
            .set("sasl.mechanism", sasl.mechanism.name())
            .set("sasl.username", &sasl.username)
            .set("sasl.password", &sasl.password.0);
    }
    config
}

fn security_protocol(settings: &Settings) -> &'static str {
    match (&settings.tls, &settings.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    }
}

fn with_extra(mut config: ClientConfig, settings: &Settings) -> ClientConfig {
    for (key, value) in &settings.properties {
        config.set(key, value);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Password, Sasl, SaslMechanism, Tls};
    use super::*;

    fn settings() -> Settings {
        Settings::new("127.0.0.1:1", "edge-1")
    }

    fn check_refused(key: &str, value: &str, expected: &str) {
        let mut settings = settings();
        settings.properties.insert(key.into(), value.into());
        let text = check(&settings).expect_err("refused").to_string();
        assert!(text.contains(expected) && text.contains(key), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn properties_that_cannot_work_are_refused_before_any_connect() {
        check_refused("enable.idempotence", "false", "its promises depend on it");
        check_refused(
            "isolation.level",
            "read_uncommitted",
            "its promises depend on it",
        );
        check_refused("socket.timeout.msec", "s3cret", "CONFIGURATION.md");
        check_refused("socket.timeout.ms", "s3cret", "CONFIGURATION.md");
    }

    #[test]
    fn every_mechanism_of_the_config_is_in_this_build() {
        for mechanism in [
            SaslMechanism::Plain,
            SaslMechanism::ScramSha256,
            SaslMechanism::ScramSha512,
        ] {
            let mut settings = settings();
            settings.tls = Some(Tls::default());
            let password = Password("s3cret".into());
            settings.sasl = Some(Sasl {
                mechanism,
                username: "edge-1".into(),
                password,
            });
            check(&settings).expect("supported");
            assert!(!format!("{settings:?}").contains("s3cret"));
            let client = producer(&settings).create::<rdkafka::producer::BaseProducer>();
            assert!(client.is_ok(), "{mechanism:?}: {:?}", client.err());
        }
    }

    #[test]
    fn what_the_user_sets_goes_to_every_client() {
        let mut settings = settings();
        settings
            .properties
            .insert("socket.timeout.ms".into(), "1234".into());
        check(&settings).expect("known to librdkafka");
        let all = [
            producer(&settings),
            reader(&settings, Isolation::ReadUncommitted),
            administrator(&settings),
        ];
        assert!(
            all.iter()
                .all(|config| config.get("socket.timeout.ms") == Some("1234"))
        );
    }
}
