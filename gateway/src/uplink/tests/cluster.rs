//! What only a real Kafka shows.

use super::*;

/// A real cluster, with topics of this run alone; none: says how to get one.
fn real(test: &str) -> Option<Settings> {
    let Ok(bootstrap) = std::env::var("TIDEGATE_KAFKA") else {
        println!(
            "{test}: not checked, this needs a Kafka: tests/kafka/up, then TIDEGATE_KAFKA=HOST:PORT"
        );
        return None;
    };
    let name = |kind| format!("{test}.{}.{kind}", std::process::id());
    let mut settings = Settings::new(&bootstrap, "edge-1");
    settings.topics = Topics {
        telemetry: name("telemetry"),
        aggregates: name("aggregates"),
        alerts: name("alerts"),
        watermarks: name("watermarks"),
    };
    settings.gateway = name("edge");
    Some(settings)
}

#[test]
fn real_kafka_shows_a_transfer_once_and_an_aborted_one_never() {
    let Some(settings) = real("transfers") else {
        return;
    };
    let running = Running::start(settings.clone());
    assert_eq!(connect_once_made(&running), None);
    running.send(&rows(1..=100), mark_at(100));
    assert_eq!(running.connect(), Some(mark_at(100)));
    let mut too_large = rows(101..=102);
    too_large[1].bytes = vec![0; 2_000_000];
    let expected = Class::TooLarge {
        lane: Lane::Telemetry,
        sequence: Sequence(102),
    };
    running.check_failed(
        Request::Send {
            rows: too_large,
            watermark: mark_at(102),
        },
        expected,
        "row 102",
    );
    running.send(&rows(101..=101), mark_at(101));
    let telemetry = read_topic(&settings, &settings.topics.telemetry);
    assert_eq!(telemetry.len(), 101);
    let newest = Running::start(settings.clone());
    assert_eq!(newest.connect(), Some(mark_at(101)));
    running.check_failed(one_row(), Class::Fenced, "gateway.id");
    newest.send(&rows(102..=102), mark_at(102));
    assert_eq!(newest.connect(), Some(mark_at(102)));
}

/// Topics are made by the first connect; a broker may not know them at once.
fn connect_once_made(running: &Running) -> Option<Watermark> {
    let attempt = |_| match running.ask(Request::Connect) {
        Reply::Connected { watermark } => Some(watermark),
        Reply::Failed {
            class: Class::Retry,
            ..
        } => None,
        other => panic!("{other:?}"),
    };
    (0..20).find_map(attempt).expect("the topics are made")
}

/// The topic takes less than the producer was told: only the broker can say which row is too large.
#[test]
fn real_kafka_names_the_row_that_is_too_large_for_its_topic() {
    let Some(settings) = real("sizes") else {
        return;
    };
    make_topic(
        &settings,
        &settings.topics.telemetry,
        ("max.message.bytes", "2000"),
    );
    let running = Running::start(settings.clone());
    connect_once_made(&running);
    let with_noise = |sequence, len| OutboxRow {
        part: 0,
        bytes: noise(sequence, len),
        ..row(Lane::Telemetry, sequence)
    };
    running.send(
        &[1, 2, 3].map(|sequence| with_noise(sequence, 900)),
        mark_at(3),
    );
    let transfer = vec![with_noise(4, 900), with_noise(5, 5_000), with_noise(6, 900)];
    let expected = Class::TooLarge {
        lane: Lane::Telemetry,
        sequence: Sequence(5),
    };
    running.check_failed(
        Request::Send {
            rows: transfer,
            watermark: mark_at(6),
        },
        expected,
        "row 5",
    );
    assert_eq!(running.connect(), Some(mark_at(3)));
    running.send(&[with_noise(4, 900)], mark_at(4));
    assert_eq!(running.connect(), Some(mark_at(4)));
}

/// Bytes that compression makes no smaller.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn make_topic(settings: &Settings, name: &str, property: (&str, &str)) {
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(-1)).set(property.0, property.1);
    let client: AdminClient<Context> = properties::administrator(settings)
        .create_with_context(Context::default())
        .expect("a client");
    let timer = Timer::new(Clock::start(), Arc::new(AtomicBool::new(false)));
    let made = topics::wait_for(
        client.create_topics([&topic], &AdminOptions::new()),
        &timer.deadline(PATIENCE.as_millis() as u64),
    );
    made.expect("in time").expect("an answer")[0]
        .as_ref()
        .expect("the topic");
}

/// Another gateway's transaction is open before our record: "end of partition" comes before ours.
#[test]
fn real_kafka_hides_a_watermark_behind_an_open_transaction_and_it_is_waited_for() {
    let Some(settings) = real("stable") else {
        return;
    };
    let settings = with(&settings, |settings| settings.connect_timeout_ms = 6_000);
    let running = Running::start(settings.clone());
    let connect = || match running.ask(Request::Connect) {
        Reply::Connected { watermark } => Ok(watermark),
        Reply::Failed {
            class: Class::Retry,
            text,
        } => Err(text),
        other => panic!("{other:?}"),
    };
    connect_once_made(&running);
    let other: BaseProducer = properties::producer(&with(&settings, |settings| {
        settings.gateway.push_str("-other");
    }))
    .create()
    .expect("a producer");
    other.init_transactions(PATIENCE).expect("a session");
    other.begin_transaction().expect("a transaction");
    for partition in 0..read_partitions(&other, &settings.topics.watermarks) {
        let record = BaseRecord::to(&settings.topics.watermarks)
            .key("other")
            .payload("{}");
        other
            .send(record.partition(partition))
            .map_err(|(error, _)| error)
            .expect("room");
    }
    other.flush(PATIENCE).expect("delivered");
    running.send(&rows(1..=1), mark_at(1));
    let hidden = connect().expect_err("our record is behind the open transaction");
    assert!(
        hidden.contains("transaction of another gateway"),
        "{hidden}"
    );
    other.commit_transaction(PATIENCE).expect("committed");
    assert_eq!(connect(), Ok(Some(mark_at(1))));
}

fn read_partitions(producer: &BaseProducer, topic: &str) -> i32 {
    let metadata = producer
        .client()
        .fetch_metadata(Some(topic), PATIENCE)
        .expect("an answer");
    metadata.topics()[0].partitions().len() as i32
}
