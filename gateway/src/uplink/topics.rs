//! Making the topics that are not there yet.

use core::future::Future;
use core::pin::pin;
use core::task::{Context as TaskContext, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;
use std::thread::{Thread, current, park_timeout};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::context::Context;
use super::deadline::{Deadline, retry};
use super::failure::Failure;
use super::properties::administrator;
use super::settings::Settings;
use super::{Class, SLICE_MS};

/// "As the cluster has it": KIP-464, brokers since 2.4.
const DEFAULT_OF_THE_CLUSTER: i32 = -1;
/// A watermark is overwritten with every transfer: without early compaction, a start would read them all.
const WATERMARKS: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("segment.ms", "600000"),
    ("segment.bytes", "16777216"),
];

/// Makes the topics that are missing. Those of rows may also come by themselves with the first record.
/// The one of watermarks must be there for certain: "no such topic" can also mean that a broker which
/// just started does not know it yet, and then "nothing was ever sent" would be wrong.
pub(super) fn ensure(
    settings: &Settings,
    client: &Client<Context>,
    deadline: &Deadline<'_>,
) -> Result<(), Failure> {
    let topics = &settings.topics;
    let names = [
        &topics.watermarks,
        &topics.telemetry,
        &topics.aggregates,
        &topics.alerts,
    ];
    let mut missing: Vec<&str> = Vec::new();
    for name in names {
        if !missing.contains(&name.as_str()) && !exists(client, name, deadline)? {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let results = create(settings, &missing, deadline);
    let of_watermarks = missing.iter().position(|name| *name == topics.watermarks);
    let Some(index) = of_watermarks else {
        return Ok(());
    };
    match results.map(|mut results| results.swap_remove(index)) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((_, Code::TopicAlreadyExists))) => Err(Failure::new(
            Class::Retry,
            format!(
                "{}: this broker does not know the topic yet; it is tried again",
                topics.watermarks
            ),
        )),
        Ok(Err((_, code))) => Err(absent(&topics.watermarks, &code.to_string())),
        Err(error) => Err(absent(&topics.watermarks, &error.to_string())),
    }
}

fn absent(topic: &str, reason: &str) -> Failure {
    let text = format!(
        "{topic}: the topic is not there and cannot be made ({reason}); \
         create it with cleanup.policy=compact (it is tried again)"
    );
    Failure::new(Class::Retry, text)
}

/// Whether the cluster knows the topic.
fn exists(client: &Client<Context>, topic: &str, deadline: &Deadline<'_>) -> Result<bool, Failure> {
    let tried = "ask for the topics";
    let metadata = retry(client.context(), tried, deadline, |timeout| {
        client.fetch_metadata(Some(topic), timeout)
    })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(|found| found.error()).map(Code::from) {
        None => Ok(found.is_some_and(|found| !found.partitions().is_empty())),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(false),
        Some(code) => Err(Failure::of_code(tried, code, false, topic)),
    }
}

fn create(
    settings: &Settings,
    missing: &[&str],
    deadline: &Deadline<'_>,
) -> KafkaResult<Vec<TopicResult>> {
    let client: AdminClient<Context> =
        administrator(settings).create_with_context(Context::default())?;
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|name| {
            let replication = TopicReplication::Fixed(DEFAULT_OF_THE_CLUSTER);
            let topic = NewTopic::new(name, DEFAULT_OF_THE_CLUSTER, replication);
            if *name == settings.topics.watermarks {
                WATERMARKS
                    .iter()
                    .fold(topic, |topic, (key, value)| topic.set(key, value))
            } else {
                topic
            }
        })
        .collect();
    let timeout = Duration::from_millis(u64::from(settings.connect_timeout_ms) / 2);
    let options = AdminOptions::new()
        .request_timeout(Some(timeout))
        .operation_timeout(Some(timeout));
    wait_for(client.create_topics(&topics, &options), deadline).unwrap_or(Err(KafkaError::Canceled))
}

/// Waits for the one future that librdkafka's wrapper gives us, without a runtime; none: time is up.
pub(super) fn wait_for<T>(future: impl Future<Output = T>, deadline: &Deadline<'_>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            return Some(value);
        }
        deadline.slice()?;
        park_timeout(Duration::from_millis(SLICE_MS));
    }
}
