//! Reads batches of readings from Kafka, as a consumer that sees only what was committed.

use core::time::Duration;
use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sensor_sim::alert::{Alert, State};
use wire::{BatchReader, Content, Reasons, Row};

use crate::cli::Verify;
use crate::clock::Clock;
use crate::progress::Progress;
use crate::verify::Heard;

/// How long one look at Kafka may take.
const LOOK: Duration = Duration::from_millis(200);
/// How long Kafka may take to name the partitions of a topic.
const METADATA_TIME: Duration = Duration::from_secs(15);

/// What is read, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The cluster.
    pub broker: &'a str,
    /// The topic, from its beginning.
    pub topic: &'a str,
    /// Other properties of librdkafka, KEY=VALUE.
    pub properties: &'a [String],
    /// Longest wait for the first record.
    pub wait: Duration,
    /// Nothing more comes once it was quiet for so long.
    pub idle: Duration,
}

/// Reads the readings of the topic from its beginning until it is quiet.
pub(crate) fn consume(broker: &str, options: &Verify, clock: &Clock) -> Result<Heard> {
    let source = Source {
        broker,
        topic: &options.topic,
        properties: &options.property,
        wait: options.wait,
        idle: options.idle,
    };
    let mut heard = Heard::default();
    let mut seen = HashSet::new();
    let mut records = Records::default();
    each_record(&source, clock, &mut |message| {
        take(message, options, &mut seen, &mut records, &mut heard)
    })?;
    let Records {
        taken,
        passed,
        doubled,
    } = records;
    heard.note = format!("  ({taken} records, {doubled} doubled ce_ids, {passed} of others)");
    Ok(heard)
}

/// Reads the alerts of the topic from its beginning until it is quiet.
pub(crate) fn consume_alerts(
    source: &Source<'_>,
    gateway: Option<&str>,
    clock: &Clock,
) -> Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    each_record(source, clock, &mut |message| {
        let (id, alert) = wire::Alert::read(message.payload().unwrap_or_default())
            .with_context(|| place(message))?;
        let is_ours = gateway.is_none_or(|gateway| gateway == id);
        if is_ours {
            alerts.push(Alert {
                id: Some(alert.id),
                gateway: Some(id.to_owned()),
                device: alert.name.device.to_owned(),
                signal: alert.name.signal.to_owned(),
                rule: alert.rule.to_owned(),
                state: match alert.state() {
                    wire::AlertState::Raised => State::Raised,
                    wire::AlertState::Cleared => State::Cleared,
                },
                at: alert.at.0,
                since: Some(alert.since.0),
            });
        }
        Ok(is_ours)
    })?;
    Ok(alerts)
}

/// Hands all records of a topic to `take`, which says whether a record was one of those that are waited for.
fn each_record(
    source: &Source<'_>,
    clock: &Clock,
    take: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<bool>,
) -> Result<()> {
    let consumer = connect(source)?;
    let progress = Progress::open();
    let mut count = 0_u64;
    let mut is_first = true;
    let mut last_us = clock.now_us();
    loop {
        let now_us = clock.now_us();
        let wait = if is_first { source.wait } else { source.idle };
        if u128::from(now_us.saturating_sub(last_us)) > wait.as_micros() {
            progress.end();
            return Ok(());
        }
        progress.show(
            0,
            format_args!("{count} records read from {}", source.topic),
        );
        match consumer.poll(LOOK) {
            None => continue,
            Some(Ok(message)) => {
                count += 1;
                if take(&message)? {
                    is_first = false;
                    last_us = clock.now_us();
                }
            }
            // librdkafka tries again by itself; only what it calls fatal ends it.
            Some(Err(error)) => match consumer.client().fatal_error() {
                Some((code, text)) => {
                    bail!("Kafka at {} failed: {text} ({code})", source.broker)
                }
                None => eprintln!("Kafka: {error}"),
            },
        }
    }
}

fn place(message: &BorrowedMessage<'_>) -> String {
    let (offset, partition) = (message.offset(), message.partition());
    format!("record {offset} of partition {partition}")
}

/// What the gateway says of a batch of readings in its header `content-type`.
const BATCH: &[u8] = b"application/vnd.tidegate.batch";

/// How many records came.
#[derive(Debug, Default)]
struct Records {
    taken: u64,
    passed: u64,
    doubled: u64,
}

fn connect(source: &Source<'_>) -> Result<BaseConsumer> {
    let Source {
        broker,
        topic,
        properties,
        ..
    } = *source;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker)
        .set("group.id", "sensor-sim-verify")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest");
    for property in properties {
        let (key, value) = property
            .split_once('=')
            .context("--property is KEY=VALUE")?;
        config.set(key, value);
    }
    let consumer: BaseConsumer = config.create().context("cannot make a Kafka consumer")?;
    let metadata = consumer
        .fetch_metadata(Some(topic), METADATA_TIME)
        .with_context(|| format!("Kafka at {broker} doesn't answer"))?;
    let partitions = metadata
        .topics()
        .first()
        .map_or(&[][..], |topic| topic.partitions());
    ensure!(
        !partitions.is_empty(),
        "Kafka at {broker} has no topic {topic}"
    );
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer
        .assign(&assignment)
        .context("cannot read the topic's partitions")?;
    Ok(consumer)
}

/// Takes the readings of a record; whether it was one of ours.
fn take(
    message: &BorrowedMessage<'_>,
    options: &Verify,
    seen: &mut HashSet<Vec<u8>>,
    records: &mut Records,
    heard: &mut Heard,
) -> Result<bool> {
    // Gaps stand between the batches; and other gateways may send in other forms.
    if header(message, "content-type").is_some_and(|content| content != BATCH) {
        records.passed += 1;
        return Ok(false);
    }
    let payload = message.payload().unwrap_or_default();
    let reader = BatchReader::new(payload).with_context(|| place(message))?;
    if options
        .gateway
        .as_ref()
        .is_some_and(|id| id != reader.frame().gateway)
    {
        records.passed += 1;
        return Ok(false);
    }
    records.taken += 1;
    if let Some(ce_id) = header(message, "ce_id")
        && !seen.insert(ce_id.to_vec())
    {
        records.doubled += 1;
        if options.dedup {
            return Ok(true);
        }
    }
    for item in reader {
        let (name, row) = item.with_context(|| place(message))?;
        // What the gateway filled in was never sent.
        if !matches!(row.content, Content::Filled(_)) {
            heard.add(name.device, name.signal, own_time(&row), row.content.raw());
        }
    }
    Ok(true)
}

fn header<'m>(message: &'m BorrowedMessage<'_>, key: &str) -> Option<&'m [u8]> {
    message
        .headers()?
        .iter()
        .find(|header| header.key == key)?
        .value
}

/// The device's own time, if the row still has it.
fn own_time(row: &Row) -> Option<i64> {
    let reasons = row.flags.reasons();
    let is_replaced = [
        Reasons::TIME_REPAIRED,
        Reasons::FUTURE,
        Reasons::ARRIVAL_TIME,
    ]
    .iter()
    .any(|it| reasons.contains(*it));
    (!is_replaced).then_some(row.time.0)
}
