//! The uplink against a cluster: librdkafka's mock in this process, and a real one where there is one.
//!
//! What the mock does not do, as of librdkafka 2.12: records of a transaction are visible at once and stay
//! after an abort, the last stable offset is the end of the log, a second producer with the same
//! transactional id does not fence the first, and topics cannot be created by request. So the mock shows
//! how errors are handled, and the real one that the promises hold.

use core::time::Duration;
use std::sync::mpsc::{Receiver, sync_channel};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Error};

use super::context::Context;
use super::*;
use crate::outbox::LANES;

mod cluster;
mod errors;

/// Longer than any request takes; only a hang is slower.
const PATIENCE: Duration = Duration::from_secs(90);

struct Running {
    uplink: Uplink,
    replies: Receiver<Reply>,
}

impl Running {
    fn start(settings: Settings) -> Self {
        let (sender, replies) = sync_channel(4);
        let reply = move |reply| sender.send(reply).expect("the test listens");
        Self {
            uplink: start(settings, Clock::start(), reply).expect("a thread"),
            replies,
        }
    }

    fn ask(&self, request: Request) -> Reply {
        self.uplink.request(request).expect("the queue has room");
        self.replies.recv_timeout(PATIENCE).expect("an answer")
    }

    fn connect(&self) -> Option<Watermark> {
        match self.ask(Request::Connect) {
            Reply::Connected { watermark } => watermark,
            other => panic!("{other:?}"),
        }
    }

    fn send(&self, rows: &[OutboxRow], watermark: Watermark) {
        let reply = self.ask(Request::Send {
            rows: rows.to_vec(),
            watermark,
        });
        let bytes = rows.iter().map(|row| row.bytes.len() as u64).sum();
        assert_eq!(
            reply,
            Reply::Sent {
                watermark,
                records: rows.len() as u32,
                bytes
            }
        );
    }

    fn check_failed(&self, request: Request, expected: Class, words: &str) {
        match self.ask(request) {
            Reply::Failed { class, text } => {
                assert_eq!(class, expected, "{text}");
                assert!(text.contains(words), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    fn close(self) {
        assert_eq!(self.ask(Request::Close), Reply::Closed);
    }
}

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
}

impl Cluster {
    fn start() -> Self {
        let mock = MockCluster::new(1).expect("a cluster");
        let topics = Topics::default();
        for topic in [
            &topics.telemetry,
            &topics.aggregates,
            &topics.alerts,
            &topics.watermarks,
        ] {
            mock.create_topic(topic, 3, 1).expect("a topic");
        }
        Self { mock }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.mock.bootstrap_servers(), "edge-1");
        settings.connect_timeout_ms = 20_000;
        settings.transaction_timeout_ms = 20_000;
        settings
    }

    fn connected(&self) -> Running {
        let running = Running::start(self.settings());
        assert_eq!(running.connect(), None);
        running
    }
}

fn row(lane: Lane, sequence: u64) -> OutboxRow {
    OutboxRow {
        part: 0,
        lane,
        sequence: Sequence(sequence),
        key: if lane == Lane::Alert {
            "press-4".into()
        } else {
            "edge-1".into()
        },
        readings: 1,
        bytes: format!("row {sequence}").into_bytes(),
    }
}

fn rows(sequences: core::ops::RangeInclusive<u64>) -> Vec<OutboxRow> {
    sequences
        .map(|sequence| row(Lane::Telemetry, sequence))
        .collect()
}

fn mark(sequences: [u64; LANES]) -> Watermark {
    Watermark {
        epoch: 3,
        sequences,
    }
}

/// Marks `last` of the lane of readings.
fn mark_at(last: u64) -> Watermark {
    mark([0, 0, 0, last])
}

/// A transfer of one row.
fn one_row() -> Request {
    Request::Send {
        rows: rows(1..=1),
        watermark: mark_at(1),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Record {
    key: String,
    value: String,
    headers: Vec<(String, String)>,
}

/// All records of a topic that are committed, partition after partition.
fn read_topic(settings: &Settings, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = properties::reader(settings, properties::Isolation::ReadCommitted)
        .create()
        .expect("a consumer");
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .expect("an answer");
    let partitions = metadata.topics()[0].partitions().len();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .expect("a partition");
    }
    consumer.assign(&assignment).expect("assigned");
    let mut ends = 0;
    let mut records = Vec::new();
    while ends < partitions {
        match consumer.poll(PATIENCE).expect("an event") {
            Ok(message) => records.push(record_of(&message)),
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{error}"),
        }
    }
    records
}

fn record_of(message: &impl Message) -> Record {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let headers = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter());
    Record {
        key: text(message.key().expect("a key")),
        value: text(message.payload().expect("a value")),
        headers: headers
            .map(|header| (header.key.to_owned(), text(header.value.expect("a value"))))
            .collect(),
    }
}

fn values(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.value.as_str()).collect()
}

fn with(settings: &Settings, change: impl FnOnce(&mut Settings)) -> Settings {
    let mut changed = settings.clone();
    change(&mut changed);
    changed
}

#[test]
fn rows_arrive_as_cloud_events_in_the_topic_of_their_lane() {
    let cluster = Cluster::start();
    let running = cluster.connected();
    let sent: Vec<OutboxRow> = (11..)
        .zip(Lane::ALL)
        .map(|(sequence, lane)| row(lane, sequence))
        .collect();
    running.send(&sent, mark([11, 12, 13, 14]));
    let topics = Topics::default();
    let settings = cluster.settings();
    assert_eq!(
        values(&read_topic(&settings, &topics.telemetry)),
        ["row 12", "row 14"]
    );
    assert_eq!(
        values(&read_topic(&settings, &topics.aggregates)),
        ["row 13"]
    );
    let expected = Record {
        key: "press-4".into(),
        value: "row 11".into(),
        headers: [
            ("ce_specversion", "1.0"),
            ("ce_id", "edge-1/3/11"),
            ("ce_source", "tidegate/edge-1"),
            ("ce_type", "tidegate.alert.v1"),
            ("content-type", "application/vnd.tidegate.alert"),
            ("clock", "synced"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec(),
    };
    assert_eq!(read_topic(&settings, &topics.alerts), [expected]);
    let watermarks = read_topic(&settings, &topics.watermarks);
    assert_eq!(watermarks[0].key, "edge-1");
    assert_eq!(
        watermarks[0].value,
        r#"{"epoch":3,"sequences":[11,12,13,14]}"#
    );
}

fn check_a_new_process_goes_on(mode: Mode) {
    let cluster = Cluster::start();
    let settings = with(&cluster.settings(), |settings| settings.mode = mode);
    let first = Running::start(settings.clone());
    assert_eq!(first.connect(), None);
    first.send(&rows(1..=2), mark_at(2));
    first.send(&rows(3..=3), mark_at(3));
    assert_eq!(
        first.connect(),
        Some(mark_at(3)),
        "a reconnect of the same process"
    );
    first.send(&rows(4..=4), mark_at(4));
    assert_eq!(
        first.connect(),
        Some(mark_at(4)),
        "which reads on from where it was"
    );
    first.close();
    let second = Running::start(settings.clone());
    assert_eq!(second.connect(), Some(mark_at(4)));
    let other = Running::start(with(&settings, |settings| {
        settings.gateway = "edge-2".into()
    }));
    assert_eq!(
        other.connect(),
        None,
        "another gateway's watermark is not ours"
    );
    let telemetry = read_topic(&settings, &settings.topics.telemetry);
    assert_eq!(values(&telemetry), ["row 1", "row 2", "row 3", "row 4"]);
}

#[test]
fn a_new_process_goes_on_where_the_watermark_is() {
    check_a_new_process_goes_on(Mode::Transactional);
}

#[test]
fn without_transactions_it_goes_on_where_the_watermark_is() {
    check_a_new_process_goes_on(Mode::Idempotent);
}

#[test]
fn a_cluster_that_is_away_is_found_when_it_returns() {
    let cluster = Cluster::start();
    let settings = with(&cluster.settings(), |settings| {
        settings.connect_timeout_ms = 1_500
    });
    let running = Running::start(settings.clone());
    cluster.mock.broker_down(-1).expect("down");
    running.check_failed(Request::Connect, Class::Retry, "tried again");
    running.check_failed(Request::Connect, Class::Retry, "tried again");
    cluster.mock.broker_up(-1).expect("up");
    let patient = Running::start(cluster.settings());
    assert_eq!(patient.connect(), None);
    patient.send(&rows(1..=1), mark_at(1));
}

#[test]
fn a_cluster_that_goes_away_in_a_transfer_is_a_retry_and_then_the_watermark_decides() {
    let cluster = Cluster::start();
    let settings = with(&cluster.settings(), |settings| {
        settings.transaction_timeout_ms = 2_000
    });
    let running = Running::start(settings);
    assert_eq!(running.connect(), None);
    running.send(&rows(1..=1), mark_at(1));
    cluster.mock.broker_down(-1).expect("down");
    let lost = Request::Send {
        rows: rows(2..=2),
        watermark: mark_at(2),
    };
    running.check_failed(lost, Class::Retry, "tried again");
    running.check_failed(one_row(), Class::Retry, "connect first");
    cluster.mock.broker_up(-1).expect("up");
    assert_eq!(running.connect(), Some(mark_at(1)));
    running.send(&rows(2..=2), mark_at(2));
    assert_eq!(running.connect(), Some(mark_at(2)));
}

#[test]
fn a_topic_of_watermarks_that_cannot_be_made_is_waited_for() {
    let mock = MockCluster::new(1).expect("a cluster");
    let mut settings = Settings::new(&mock.bootstrap_servers(), "edge-1");
    settings.connect_timeout_ms = 3_000;
    let running = Running::start(settings);
    running.check_failed(Request::Connect, Class::Retry, "edge.watermarks");
}

#[test]
fn nothing_is_sent_before_a_connect() {
    let cluster = Cluster::start();
    let running = Running::start(cluster.settings());
    running.check_failed(one_row(), Class::Retry, "connect first");
}

#[test]
fn a_close_does_not_wait_for_a_cluster_that_is_away() {
    let clock = Clock::start();
    let mut settings = Settings::new("127.0.0.1:1", "edge-1");
    settings.connect_timeout_ms = 600_000;
    let running = Running::start(settings);
    running
        .uplink
        .request(Request::Connect)
        .expect("the queue has room");
    running
        .uplink
        .request(Request::Close)
        .expect("the queue has room");
    drop(running.uplink);
    let replies: Vec<Reply> = running.replies.iter().collect();
    assert!(matches!(
        replies[..],
        [
            Reply::Failed {
                class: Class::Retry,
                ..
            },
            Reply::Closed
        ]
    ));
    assert!(clock.now().monotonic_ms < 60_000);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let mut settings = Settings::new("127.0.0.1:1", "edge-1");
    settings.properties.insert("acks".into(), "0".into());
    let refused = start(settings, Clock::start(), |_| {});
    assert!(matches!(refused, Err(UplinkError::Reserved { key }) if key == "acks"));
}
