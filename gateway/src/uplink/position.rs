//! Where this gateway is in Kafka: its newest record on the topic of watermarks.
//!
//! The end of the log is taken first, from a client that sees open transactions. Then, on a client that
//! sees only committed ones, the last stable offset must have passed that end: until then a record of
//! ours can stand behind another gateway's open transaction, and "end of partition" comes too early.

use std::collections::BTreeMap;

use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Class;
use super::context::Context;
use super::deadline::{Deadline, retry};
use super::failure::Failure;
use super::properties::{Isolation, reader};
use super::settings::Settings;
use super::topics;
use crate::outbox::Watermark;

/// Partitions of the topic of watermarks that are read; no cluster is known to use more for one topic.
const PARTITIONS_MAX: usize = 4_096;

/// What was read so far. A later connect of the same process reads on from here.
#[derive(Debug, Default)]
pub(super) struct Position {
    partitions: BTreeMap<i32, Scanned>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Scanned {
    /// All records before this offset were read.
    next: i64,
    /// This gateway's newest of them.
    newest: Option<Watermark>,
}

impl Position {
    /// Reads on to the end of the log as it is now, and returns this gateway's watermark.
    pub(super) fn read(
        &mut self,
        settings: &Settings,
        deadline: &Deadline<'_>,
    ) -> Result<Option<Watermark>, Failure> {
        let ends = read_ends(settings, deadline)?;
        self.forget_what_is_gone(&ends);
        let ahead: BTreeMap<i32, i64> = ends
            .into_iter()
            .filter(|(partition, end)| self.next(*partition) < *end)
            .collect();
        if !ahead.is_empty() {
            self.read_up_to(&ahead, settings, deadline)?;
        }
        Ok(newest(
            self.partitions
                .values()
                .filter_map(|scanned| scanned.newest),
        ))
    }

    fn next(&self, partition: i32) -> i64 {
        self.partitions
            .get(&partition)
            .map_or(0, |scanned| scanned.next)
    }

    /// A log that is shorter than what was read is another one: the topic was made anew.
    fn forget_what_is_gone(&mut self, ends: &BTreeMap<i32, i64>) {
        let same = |(partition, scanned): (&i32, &Scanned)| {
            ends.get(partition).is_some_and(|end| *end >= scanned.next)
        };
        if !self.partitions.iter().all(same) {
            self.partitions.clear();
        }
    }

    fn read_up_to(
        &mut self,
        ends: &BTreeMap<i32, i64>,
        settings: &Settings,
        deadline: &Deadline<'_>,
    ) -> Result<(), Failure> {
        let tried = "read the watermarks";
        let consumer: BaseConsumer<Context> = reader(settings, Isolation::ReadCommitted)
            .create_with_context(Context::default())
            .map_err(|error| Failure::of(tried, &error))?;
        let topic = &settings.topics.watermarks;
        wait_until_stable(consumer.client(), topic, ends, deadline)?;
        let mut assignment = TopicPartitionList::new();
        for partition in ends.keys() {
            let offset = Offset::Offset(self.next(*partition));
            assignment
                .add_partition_offset(topic, *partition, offset)
                .map_err(|error| Failure::of(tried, &error))?;
        }
        consumer
            .assign(&assignment)
            .map_err(|error| Failure::of(tried, &error))?;
        let mut open = ends.clone();
        while !open.is_empty() {
            let slice = deadline.slice().ok_or_else(|| {
                Failure::new(Class::Retry, format!("cannot {tried}: no time left"))
            })?;
            match consumer.poll(slice) {
                None => {}
                Some(Ok(message)) => self.take(&message, &settings.gateway)?,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(end) = open.remove(&partition) {
                        let scanned = self.partitions.entry(partition).or_default();
                        scanned.next = scanned.next.max(end);
                    }
                }
                // Nothing is needed of the group: no right to it is no obstacle.
                Some(Err(KafkaError::MessageConsumption(Code::GroupAuthorizationFailed))) => {}
                Some(Err(error)) => {
                    let failure = Failure::of(tried, &error);
                    if failure.class != Class::Retry {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &impl Message, gateway: &str) -> Result<(), Failure> {
        let scanned = self.partitions.entry(message.partition()).or_default();
        if message.key() == Some(gateway.as_bytes()) {
            // No value: the record was deleted on purpose, and the position with it.
            scanned.newest = message.payload().map(decode).transpose()?;
        }
        scanned.next = message.offset() + 1;
        Ok(())
    }
}

/// Value of a watermark record.
pub(super) fn encode(watermark: &Watermark) -> String {
    serde_json::json!({ "epoch": watermark.epoch, "sequences": watermark.sequences }).to_string()
}

fn decode(value: &[u8]) -> Result<Watermark, Failure> {
    serde_json::from_slice(value).map_err(|error| {
        let text = format!(
            "cannot read this gateway's watermark record ({error}): a newer tidegate may have written it; \
             install that version again"
        );
        Failure::new(Class::Fatal, text)
    })
}

/// The newest of the records found in the partitions: the number of partitions may have grown since the
/// first, so there can be one in each. Within an epoch sequences only grow.
fn newest(found: impl Iterator<Item = Watermark>) -> Option<Watermark> {
    found.reduce(|left, right| {
        if left.epoch != right.epoch {
            return if left.epoch > right.epoch {
                left
            } else {
                right
            };
        }
        let mut sequences = left.sequences;
        for (sequence, other) in sequences.iter_mut().zip(right.sequences) {
            *sequence = other.max(*sequence);
        }
        Watermark {
            epoch: left.epoch,
            sequences,
        }
    })
}

/// Takes the end of each partition's log, with the records of transactions that are still open.
fn read_ends(settings: &Settings, deadline: &Deadline<'_>) -> Result<BTreeMap<i32, i64>, Failure> {
    let tried = "find the end of the watermarks";
    let consumer: BaseConsumer<Context> = reader(settings, Isolation::ReadUncommitted)
        .create_with_context(Context::default())
        .map_err(|error| Failure::of(tried, &error))?;
    let client = consumer.client();
    topics::ensure(settings, client, deadline)?;
    let topic = &settings.topics.watermarks;
    let metadata = retry(client.context(), tried, deadline, |timeout| {
        client.fetch_metadata(Some(topic), timeout)
    })?;
    let partitions = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions());
    let mut ends = BTreeMap::new();
    for partition in partitions
        .take(PARTITIONS_MAX)
        .map(|partition| partition.id())
    {
        ends.insert(partition, read_end(client, topic, partition, deadline)?);
    }
    if ends.is_empty() {
        // Just made: the brokers do not all know it yet.
        return Err(Failure::new(
            Class::Retry,
            format!("{topic}: no partitions yet; it is tried again"),
        ));
    }
    Ok(ends)
}

/// End of one partition, as far as the client may see it.
fn read_end(
    client: &Client<Context>,
    topic: &str,
    partition: i32,
    deadline: &Deadline<'_>,
) -> Result<i64, Failure> {
    retry(
        client.context(),
        "find the end of the watermarks",
        deadline,
        |timeout| client.fetch_watermarks(topic, partition, timeout),
    )
    .map(|(_, end)| end)
}

/// Waits until the committed view reaches the ends: at most as long as other gateways' transactions are open.
fn wait_until_stable(
    client: &Client<Context>,
    topic: &str,
    ends: &BTreeMap<i32, i64>,
    deadline: &Deadline<'_>,
) -> Result<(), Failure> {
    for (partition, end) in ends {
        while read_end(client, topic, *partition, deadline)? < *end {
            deadline.pause();
            if deadline.slice().is_none() {
                let text = format!(
                    "{topic}: a transaction of another gateway is still open; it ends by its timeout \
                     (it is tried again)"
                );
                return Err(Failure::new(Class::Retry, text));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    const GATEWAY: &str = "edge-1";

    fn mark(epoch: u64, sequences: [u64; 4]) -> Watermark {
        Watermark { epoch, sequences }
    }

    fn record(key: &str, value: Option<&str>, partition: i32, offset: i64) -> OwnedMessage {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let value = value.map(bytes);
        OwnedMessage::new(
            value,
            Some(bytes(key)),
            "w".into(),
            Timestamp::NotAvailable,
            partition,
            offset,
            None,
        )
    }

    fn read(records: &[OwnedMessage]) -> (Position, Option<Watermark>) {
        let mut position = Position::default();
        for record in records {
            position
                .take(record, GATEWAY)
                .expect("a record of this version");
        }
        let found = newest(
            position
                .partitions
                .values()
                .filter_map(|scanned| scanned.newest),
        );
        (position, found)
    }

    #[test]
    fn a_watermark_survives_its_record() {
        let watermark = mark(3, [1, 0, u64::MAX, 7]);
        let text = encode(&watermark);
        assert_eq!(
            text,
            r#"{"epoch":3,"sequences":[1,0,18446744073709551615,7]}"#
        );
        assert_eq!(decode(text.as_bytes()), Ok(watermark));
    }

    #[test]
    fn the_newest_record_of_this_gateway_counts() {
        let texts = [1, 2, 9].map(|last| encode(&mark(1, [0, 0, 0, last])));
        let (position, found) = read(&[
            record(GATEWAY, Some(&texts[0]), 0, 10),
            record(GATEWAY, Some(&texts[1]), 0, 14),
            record("edge-2", Some(&texts[2]), 0, 15),
        ]);
        assert_eq!(found, Some(mark(1, [0, 0, 0, 2])));
        assert_eq!(position.next(0), 16);
    }

    #[test]
    fn after_the_topic_grew_the_record_of_the_right_partition_counts() {
        let old = encode(&mark(4, [9, 0, 0, 50]));
        let new = encode(&mark(4, [9, 0, 60, 55]));
        let later_epoch = encode(&mark(5, [0, 0, 0, 1]));
        let records = [
            record(GATEWAY, Some(&old), 2, 1),
            record(GATEWAY, Some(&new), 0, 1),
        ];
        assert_eq!(read(&records).1, Some(mark(4, [9, 0, 60, 55])));
        let records = [
            record(GATEWAY, Some(&later_epoch), 1, 1),
            record(GATEWAY, Some(&old), 2, 1),
        ];
        assert_eq!(read(&records).1, Some(mark(5, [0, 0, 0, 1])));
    }

    #[test]
    fn a_deleted_record_is_no_position() {
        let text = encode(&mark(1, [0, 0, 0, 1]));
        let records = [
            record(GATEWAY, Some(&text), 0, 1),
            record(GATEWAY, None, 0, 2),
        ];
        assert_eq!(read(&records).1, None);
    }

    #[test]
    fn a_record_that_is_not_understood_is_not_taken_for_none() {
        let record = record(GATEWAY, Some("{\"epoch\":1}"), 0, 1);
        let failure = Position::default()
            .take(&record, GATEWAY)
            .expect_err("refused");
        assert_eq!(failure.class, Class::Fatal);
        assert!(failure.text.contains("newer tidegate"), "{}", failure.text);
    }

    #[test]
    fn a_topic_that_was_made_anew_is_read_from_its_beginning() {
        let text = encode(&mark(1, [0, 0, 0, 1]));
        let (mut position, _) = read(&[record(GATEWAY, Some(&text), 0, 99)]);
        position.forget_what_is_gone(&BTreeMap::from([(0, 100), (1, 0)]));
        assert_eq!(position.next(0), 100, "it only grew");
        position.forget_what_is_gone(&BTreeMap::from([(0, 99)]));
        assert_eq!(position.next(0), 0);
    }
}
