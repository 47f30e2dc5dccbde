//! The upstream of the demo: the Kafka that librdkafka has inside for tests, and a consumer that counts.
//!
//! It speaks Kafka's protocol on a loopback port, so the gateway's uplink is the one that runs at a real
//! site. What it lacks, as of librdkafka 2.12: an abort leaves the records of its transaction where they are,
//! and `read_committed` sees records before their commit. So the demo takes it away between two transfers
//! only; that nothing doubles when it goes in the midst of one is shown against a real Kafka, by
//! `./test crash`. It keeps its records in memory, the last 5 MiB of each partition.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use wire::{BatchReader, Frame, Kind, Malformed};

use super::news::{Delivery, News};
use crate::uplink::Topics;

/// Longest wait for a record before the thread looks whether it shall end.
const POLL_MS: u64 = 100;
/// All brokers, in librdkafka's words.
const ALL_BROKERS: i32 = -1;

/// Why there is no upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// librdkafka refuses.
    #[error("the embedded Kafka cannot start: {0}")]
    Kafka(#[from] KafkaError),
    /// The system refuses.
    #[error("the consumer's thread cannot start: {0}; check the limits on threads and memory")]
    Thread(#[from] io::Error),
}

/// The cluster, and the thread of its consumer.
pub(super) struct Upstream {
    cluster: MockCluster<'static, DefaultProducerContext>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Starts both. What the consumer gets goes to `news`.
    ///
    /// # Errors
    /// [`UpstreamError`]: who refuses.
    pub(super) fn start(news: mpsc::Sender<News>) -> Result<Self, UpstreamError> {
        let cluster = MockCluster::new(1)?;
        let Topics {
            telemetry,
            aggregates,
            alerts,
            watermarks,
        } = Topics::default();
        let topics = [telemetry, aggregates, alerts, watermarks];
        for topic in &topics {
            cluster.create_topic(topic, 1, 1)?;
        }
        let consumer = consumer(&cluster.bootstrap_servers(), &topics)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Builder::new()
            .name("consumer".into())
            .spawn(move || consume(&consumer, &stopped, &news))?;
        Ok(Self {
            cluster,
            stop,
            thread: Some(thread),
        })
    }

    /// Brokers, `host:port`.
    pub(super) fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Cuts all connections and takes no new ones.
    ///
    /// # Errors
    /// [`UpstreamError`] if librdkafka refuses.
    pub(super) fn go_away(&self) -> Result<(), UpstreamError> {
        Ok(self.cluster.broker_down(ALL_BROKERS)?)
    }

    /// Takes connections again.
    ///
    /// # Errors
    /// [`UpstreamError`] if librdkafka refuses.
    pub(super) fn come_back(&self) -> Result<(), UpstreamError> {
        Ok(self.cluster.broker_up(ALL_BROKERS)?)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook.
            let _ = thread.join();
        }
    }
}

/// A consumer of all topics, from their begin.
fn consumer(bootstrap: &str, topics: &[String]) -> Result<BaseConsumer, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "demo-consumer")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for topic in topics {
        assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn consume(consumer: &BaseConsumer, stop: &AtomicBool, news: &mpsc::Sender<News>) {
    while !stop.load(Ordering::Relaxed) {
        // While the upstream is away there are errors; the consumer connects again by itself.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(POLL_MS))
            && news
                .blocking_send(read(message.topic(), message.payload().unwrap_or_default()))
                .is_err()
        {
            return;
        }
    }
}

fn read(topic: &str, record: &[u8]) -> News {
    let kind = Frame::read(record).map(|frame| frame.kind);
    let read = match kind {
        Ok(Kind::Telemetry) => read_batch(record).map(News::Delivered),
        Ok(Kind::Alert) => Ok(News::AlertDelivered),
        Ok(Kind::Aggregates | Kind::Gap) => Ok(News::OtherDelivered),
        // Watermarks are JSON.
        Err(_) if topic == Topics::default().watermarks => Ok(News::OtherDelivered),
        Err(error) => Err(error),
    };
    read.unwrap_or_else(|error| News::Unreadable(format!("a record of {topic}: {error}")))
}

fn read_batch(record: &[u8]) -> Result<Vec<Delivery>, Malformed> {
    let rows = BatchReader::new(record)?;
    rows.map(|row| {
        let (name, row) = row?;
        Ok(Delivery {
            device: name.device.to_owned(),
            signal: name.signal.to_owned(),
            time: row.time,
            raw: row.content.raw(),
            flags: row.flags,
        })
    })
    .collect()
}
