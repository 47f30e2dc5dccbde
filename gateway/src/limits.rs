//! Every bound of the gateway outside of the broker and the pipeline, with the reason for its number.
//!
//! The bill that these make is summed in [`bill`](crate::bill) and printed at start.

/// Longest device name, bytes: as in the pipeline's sensor table.
pub const DEVICE_BYTES_MAX: usize = pipeline::limits::DEVICE_BYTES_MAX;
/// Longest signal name, bytes: as in the pipeline's sensor table.
pub const SIGNAL_BYTES_MAX: usize = pipeline::limits::SIGNAL_BYTES_MAX;

/// Readings in one message: a device with more signals than this sends two messages.
pub const READINGS_PER_MESSAGE_MAX: usize = 64;

/// Items refused in one message whose reasons are told; of the others only the number is.
pub const ITEM_FAULTS_MAX: usize = 8;

/// Metrics in one Sparkplug message: births name all that a node or device has.
pub const METRICS_PER_MESSAGE_MAX: usize = 256;
/// Metrics of one Sparkplug node with its devices: when it dies, each gets a reading in one commit.
pub const METRICS_PER_NODE_MAX: usize = 512;
/// Devices behind one Sparkplug node.
pub const NODE_DEVICES_MAX: usize = 64;
/// Sparkplug nodes: more than any box of this size has; the table takes a MiB.
pub const NODES_MAX: usize = 32;
/// A Sparkplug node is asked for its birth once in this time, ms: births are large.
pub const REBIRTH_INTERVAL_MS: u64 = 10_000;

/// JSON pointers of one mapping: each walks the payload once.
pub const POINTERS_MAX: usize = 16;
/// Keys of one JSON pointer: deeper than any device nests.
pub const POINTER_KEYS_MAX: usize = 8;

/// Topic mappings in the config: each is tried in turn for every message.
pub const MAPPINGS_MAX: usize = 32;
/// Signals that get another name: each is compared with the name of every reading.
pub const RENAMES_MAX: usize = 64;
/// Levels of a mapping: MQTT allows more, no site has been seen with more.
pub const MAPPING_LEVELS_MAX: usize = 12;

/// Alarms that one message may acknowledge: a screen of them. What is left is for the next.
pub const OPERATED_PER_MESSAGE_MAX: usize = 32;

/// Largest plan as postcard bytes: `RULES_MAX` rules of at most 300 bytes.
pub const PLAN_BYTES_MAX: usize = 128 * 1024;
/// Largest batch: 8192 readings at their worst. Kafka takes records up to 1 MB unless told otherwise.
pub const BATCH_BYTES: usize = 256 * 1024;
/// Summaries of an open batch.
pub const SUMMARIES_OPEN_MAX: usize = 1024;
/// Largest gap record: the gateway's id and five numbers.
pub const GAP_BYTES_MAX: usize = 256;
/// Largest alert: all names at their longest, and the why.
pub const ALERT_BYTES_MAX: usize = 512;

/// Largest chunk of the journal. At 20 bytes a reading this holds 25 000 readings: two seconds of a
/// stalled disk at 12 000 readings a second.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// What a disk writes as a whole.
pub const SECTOR_BYTES: u64 = 512;
/// Half of what a file system writes as a whole.
pub const HALF_PAGE_BYTES: u64 = 2048;
/// What the store adds to a chunk, at most.
pub const FRAME_BYTES_MAX: usize = 32;
/// Bytes of sealed batches and alerts that one commit carries: two full batches and the alerts of a burst.
pub const OUTBOX_BYTES_PER_COMMIT_MAX: usize = 3 * 1024 * 1024;
/// Sealed batches and alerts that one commit carries.
pub const OUTBOX_ROWS_PER_COMMIT_MAX: usize = 8 * 1024;
/// Room for changes of broker state in one commit, as a multiple of the most that one packet causes: two for
/// packets of clients, the rest for what cannot wait (connections that end, deadlines).
pub const MUTATION_STEPS_PER_COMMIT: usize = 4;
/// A packet is handled only where this many steps are left.
pub const MUTATION_STEPS_KEPT: usize = 2;
/// Room in the outbox arena that one entry may need: a batch of each kind, the alerts and summaries it causes.
pub const OUTBOX_BYTES_PER_ENTRY_MAX: usize = 2 * 1024 * 1024;
/// Rows that one entry may seal: alerts of all sensors that are due, and their batches.
pub const OUTBOX_ROWS_PER_ENTRY_MAX: usize = 2 * 1024;
/// Commits in memory: one gathers while the other is on its way to the disk.
pub const COMMITS_MAX: usize = 2;

/// Acknowledgements that wait for the disk. Full means: no more is read from the publishers.
pub const ACKS_PENDING_MAX: usize = 64 * 1024;

/// Fingerprints of messages taken lately; with 8 bytes each they are in every checkpoint.
pub const DELIVERIES_MAX: usize = 16 * 1024;
/// How many of a client's latest messages may be redelivered: twice its receive maximum.
pub const DELIVERIES_PER_CLIENT: usize = 512;

/// Passwords that wait to be checked, 80 ms each; more are told to come again.
pub const AUTHENTICATIONS_MAX: usize = 32;
/// Of these, from one address: the others have their turn whatever one of them does.
pub const AUTHENTICATIONS_PER_ORIGIN_MAX: u16 = 4;
/// Addresses whose failed attempts are remembered; beyond these the one that failed longest ago is forgotten.
pub const THROTTLED_ORIGINS_MAX: usize = 1024;
/// Attempts that may fail before an address is slowed: people mistype.
pub const FREE_FAILURES: u32 = 3;
/// First delay of an address that failed too often, ms; each further failure doubles it.
pub const THROTTLE_MS_MIN: u64 = 250;
/// Longest delay, ms: below the broker's default connect time-out, so that the answer still comes.
pub const THROTTLE_MS_MAX: u64 = 4_000;
/// An address that does not fail for this long is clean again, ms.
pub const THROTTLE_FORGET_MS: u64 = 10 * 60 * 1_000;

/// Keys of tokens that are looked at for one that comes without a name: `tidegate device` gives a file one.
pub const TOKEN_KEYS_MAX: usize = 4;

/// Largest `broker.connections_max`: ten thousand clients that all come at once, and room for those that look after them. Ids of
/// places have 16 bits, and the posts of HTTP have theirs behind these.
pub const CONNECTIONS_MAX: u16 = 12_000;
const _: () = assert!(CONNECTIONS_MAX as usize + HTTP_POSTS_MAX < u16::MAX as usize);

/// Ways in beside `broker.listen`: TLS, WebSocket, both, a Unix socket, some for each network.
pub const LISTENERS_MAX: usize = 16;
/// TLS and WebSocket handshakes under way, over all listeners.
pub const HANDSHAKES_MAX: u16 = 64;
/// Of these, from one address, so that one who stalls does not take all.
pub const HANDSHAKES_PER_ORIGIN_MAX: u16 = 16;
/// A handshake must be done within this time, ms: a slow radio link with a long chain takes two seconds.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 5_000;
/// How often certificates and credentials are looked at for a change, ms.
pub const RELOAD_INTERVAL_MS: u64 = 2_000;
/// Largest file of certificates or keys, bytes: a chain has a few kB, a bundle of all public authorities 220 kB.
pub const CERTIFICATE_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of the credentials file for each user that the config has room for: a device's line has up to 200.
pub const CREDENTIALS_BYTES_PER_USER: usize = 256;
/// Bytes of it for roles and comments.
pub const CREDENTIALS_ROLES_BYTES: usize = 64 * 1024;
/// What rustls may hold for a socket that takes no bytes.
pub const TLS_OUTBOUND_BYTES_MAX: usize = 16 * 1024;
/// A TLS session at its worst, bytes: its state, a record being received, what waits for the socket. An idle one was
/// measured at 7.4 KiB over plain TCP.
pub const TLS_SESSION_BYTES: usize = TLS_OUTBOUND_BYTES_MAX + 24 * 1024;
/// Largest opening request of a WebSocket, bytes: browsers send cookies.
pub const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Buffer into which frames are read, bytes.
pub const WEBSOCKET_READ_BYTES: usize = 4 * 1024;
/// Largest frame that is sent, bytes.
pub const WEBSOCKET_FRAME_BYTES_MAX: usize = 8 * 1024;
/// Frames that wait for the socket, bytes.
pub const WEBSOCKET_OUTBOUND_BYTES_MAX: usize = 16 * 1024;
/// Time to hear from a peer which version it speaks, so that it can be turned away in its words, ms.
pub const TURN_AWAY_MS_MAX: u64 = 1_000;

/// Deadlines of clients and sessions served before an event; the rest are served with the next.
pub const BROKER_DEADLINES_PER_TURN_MAX: usize = 64;
/// Pause before a commit that the disk had no room for is tried again, ms.
pub const COMMIT_RETRY_MS: u64 = 1_000;
/// How often the status is published unless the config says otherwise, ms.
pub const STATUS_INTERVAL_MS: u64 = 10_000;
/// Longest wait for the disk when the gateway is asked to stop, ms: systemd kills after 90 s.
pub const STOP_MS_MAX: u64 = 10_000;
/// Pause after the system had no socket for a connection, ms.
pub const ACCEPT_PAUSE_MS: u64 = 100;

/// Memory that argon2id takes for one password, bytes (RFC 9106 by way of the `argon2` crate's defaults).
pub const AUTHENTICATION_BYTES: usize = 20 * 1024 * 1024;
/// Code, libraries and thread stacks, bytes: measured, with a margin.
pub const PROCESS_BYTES: usize = 16 * 1024 * 1024;
/// What librdkafka may queue, bytes.
pub const UPLINK_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Peers that have come through a door and wait for the loop; more wait at the door.
pub const ARRIVALS_MAX: usize = 64;
/// HTTP requests that wait for the loop: their bodies are on the bill with their connections, and each connection has one.
pub const ERRANDS_MAX: usize = 64;
/// Events that wait for the engine.
pub const EVENTS_MAX: usize = 1024;
/// Reports of the threads that wait: each thread works on one thing at a time, and passwords are few.
pub const REPORTS_MAX: usize = 64;
/// Overrides by a technician that wait for the agent: he has two hands.
pub const OVERRIDES_MAX: usize = 8;
/// Readings that a dry-run looks at: three minutes of a thousand a second; the slowest box takes four seconds for them.
pub const REHEARSAL_READINGS_MAX: u64 = 200_000;
/// Entries of the journal before its end from which a dry-run may begin: a message of QoS 1 is two.
pub const REHEARSAL_ENTRIES_MAX: u64 = 2 * REHEARSAL_READINGS_MAX;
/// Journal that the store reads for a dry-run at a time, bytes, or one chunk: a commit behind it waits a few milliseconds.
pub const REHEARSAL_SLICE_BYTES: usize = 64 * 1024;
/// Stack of the dry-run's thread, bytes: plans of 86 KiB go through it by value, unoptimized some forty times.
pub const REHEARSAL_STACK_BYTES: usize = 4 * 1024 * 1024;
/// A dry-run ends after this time with what it has seen, ms: the fleet's agent waits for it.
pub const REHEARSAL_MS_MAX: u64 = 10_000;
/// The gateway publishes to itself this often where it belongs to a fleet, ms.
pub const SELF_TEST_INTERVAL_MS: u64 = 1_000;
/// Its message must come back within this time, ms; what a slow box takes a tenth of a second for.
pub const SELF_TEST_MS_MAX: u64 = 2_000;
/// Largest packet that its client takes, bytes: a topic and a number.
pub const SELF_TEST_BYTES_MAX: usize = 512;
/// Events that the engine takes in one turn before it lets the connections write.
pub const EVENTS_PER_TURN_MAX: usize = 128;

/// Buffer in which a connection's bytes cross to the engine. A connection has one while a byte of it waits. It holds a window
/// of 20 messages of 200 bytes, the usual one of clients, with room to spare: cut in two, a window costs twice the calls into the
/// system and twice the packets of acknowledgements.
pub const RECEIVE_BUFFER_BYTES: usize = 8 * 1024;

/// Rows and bytes of one transfer to Kafka. One transaction of this size takes well under a second.
pub const TRANSFER_ROWS_MAX: usize = 512;
/// See [`TRANSFER_ROWS_MAX`].
pub const TRANSFER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest record, as brokers have it by default (`message.max.bytes` is 1 MiB, with the record's own frame).
pub const RECORD_BYTES_MAX: usize = 1_000_000;
/// Smallest bound of a transfer's bytes: what a slow Kafka gets, and the first transfers of a drain are.
pub const TRANSFER_BYTES_MIN: usize = 64 * 1024;
/// A transfer that takes no longer than this is not made smaller, ms, however little one without bytes takes.
pub const TRANSFER_MS_GOAL: u64 = 20;
/// The most that is believed of what a transfer takes whatever is in it, ms: a line by satellite.
pub const TRANSFER_FIXED_MS_MAX: u64 = 2_000;
/// Longest pause between two transfers of a backlog, ms.
pub const TRANSFER_PAUSE_MS_MAX: u64 = 10_000;
/// Moments at which it is noted how far the outbox had come: a mark a minute for four hours, then one every two minutes, and so on.
pub const BACKLOG_MARKS_MAX: usize = 256;
/// Shortest time between two of these, ms.
pub const BACKLOG_MARK_MS: u64 = 60_000;
/// Shortest time between two looks at what a drain has left, ms.
pub const DRAIN_SAMPLE_MS: u64 = 2_000;
/// Looks from which the speed of a drain is told: a minute, for Kafka and the disk go by fits and starts.
pub const DRAIN_SAMPLES_MAX: usize = 32;
/// Parts into which a batch is cut that Kafka finds too large: 256 KiB in parts of 4 KiB.
pub const OVERSIZE_PARTS_MAX: usize = 64;
/// Labels of a gateway: where it is, whose it is.
pub const LABELS_MAX: usize = 8;
/// Longest value of a label, bytes.
pub const LABEL_BYTES_MAX: usize = 64;
/// First pause after a failed transfer, ms.
pub const RETRY_MS_MIN: u64 = 500;
/// Longest pause after repeated failures, ms: a returning Kafka is found within this.
pub const RETRY_MS_MAX: u64 = 30_000;

/// Difference between wall clock and engine time that is written into the journal, ms.
pub const CLOCK_STEP_MS: u64 = 50;
/// The year 2025, ms since the Unix epoch: this program is younger, so that an earlier clock was never set.
pub const CLOCK_MS_MIN: i64 = 1_735_689_600_000;
/// A box without a battery for its clock may come up with a time that it saved before: by as much, ms, the clock is then behind the
/// journal. Less is a correction of a clock that is set; more is one of a clock that was ahead when the journal was written.
pub const CLOCK_STALE_MS: core::ops::RangeInclusive<i64> = 60_000..=86_400_000;
/// Lives in which the clock was set late and whose rows may wait for Kafka: a start every day for a month away.
pub const CLOCK_ERAS_MAX: usize = 32;
/// How often it is looked whether somebody says that the clock is set, ms.
pub const CLOCK_FILE_MS: u64 = 1_000;
/// Longest text of a payload that is quoted on the errors topic, bytes.
pub const ERROR_PAYLOAD_BYTES_MAX: usize = 256;

/// Posts by HTTP that wait for the disk. More are told to come again: so many readings are a second's work of a sensor
/// network, and whoever posts can wait.
pub const HTTP_POSTS_MAX: usize = 32;
/// Lines of one post, each a message.
pub const HTTP_LINES_MAX: usize = 4 * 1024;
/// Faults told in one answer.
pub const HTTP_FAULTS_MAX: usize = 16;
/// Headers of one request: browsers and proxies send thirty.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Buffer of an HTTP connection, which bounds the headers, bytes: twice the least that the library takes.
pub const HTTP_BUFFER_BYTES: usize = 16 * 1024;
/// Headers must be whole, and the next request of a connection must begin, within this time, ms.
pub const HTTP_HEADER_TIMEOUT_MS: u64 = 15_000;
/// A body must be whole within this time, ms: 64 KiB over a slow modem.
pub const HTTP_BODY_TIMEOUT_MS: u64 = 15_000;
/// Longest wait for the disk, ms; then the sender is told that it is not known.
pub const HTTP_ANSWER_TIMEOUT_MS: u64 = 10_000;
/// When to come again, s.
pub const HTTP_RETRY_AFTER_S: u32 = 1;
/// Retry-After for who comes from an address that is slowed, seconds: the longest delay.
pub const HTTP_THROTTLED_RETRY_AFTER_S: u32 = 4;

/// Bytes on loan for packets larger than a receive buffer, over all connections.
pub const LARGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A packet that has begun must be whole within this time, ms.
pub const PACKET_TIMEOUT_MS: u64 = 30_000;
/// A peer must have been let in within this time unless the config says otherwise, ms: a radio link wakes in two seconds.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// A peer must take bytes within this time once its socket is full unless the config says otherwise, ms.
pub const SLOW_READER_TIMEOUT_MS: u64 = 30_000;
/// How long a peer that the broker has closed may take to close too, ms: its place is taken until then.
pub const LINGER_MS_MAX: u64 = 1_000;
/// Capacity that an idle connection keeps for what it will send, bytes.
pub const OUTBOUND_KEPT_BYTES: usize = 512;

/// Most readings of a series in a benchmark.
pub const BENCH_ROWS_MAX: usize = 4_000;
/// Readings of a series that are not scored, because the pipeline learns from them.
pub const BENCH_LEARNED: usize = 300;
/// How often a benchmark puts faults into each series, each time at other places.
pub const BENCH_SEEDS: u64 = 3;
/// Columns of a drawing: as many pixels as a page is wide, beside its words.
pub const PLOT_COLUMNS: usize = 900;
/// Panels of a drawing: a machine's signals, and what is said of all of them.
pub const PLOT_PANELS_MAX: usize = 40;
/// Forecasts of a drawing that wait for their time: more are too near to each other to be told apart.
pub const PLOT_FORECASTS_OPEN: i64 = 64;

const _: () = {
    assert!(OUTBOX_BYTES_PER_ENTRY_MAX <= OUTBOX_BYTES_PER_COMMIT_MAX);
    assert!(PLAN_BYTES_MAX < CHUNK_BYTES_MAX);
    assert!(DELIVERIES_PER_CLIENT < DELIVERIES_MAX);
    assert!(THROTTLE_MS_MAX < CONNECT_TIMEOUT_MS);
    assert!(THROTTLE_MS_MAX <= HTTP_THROTTLED_RETRY_AFTER_S as u64 * 1_000);
    assert!(HANDSHAKES_PER_ORIGIN_MAX < HANDSHAKES_MAX);
    assert!((AUTHENTICATIONS_PER_ORIGIN_MAX as usize) < AUTHENTICATIONS_MAX);
    assert!(WEBSOCKET_FRAME_BYTES_MAX < WEBSOCKET_OUTBOUND_BYTES_MAX);
    assert!(BATCH_BYTES <= TRANSFER_BYTES_MAX);
    // What one deadline of the pipeline tells at its worst.
    let bytes = pipeline::limits::call_bytes_max(
        pipeline::limits::PANES_MAX,
        SUMMARIES_OPEN_MAX,
        BATCH_BYTES,
    );
    assert!(bytes <= OUTBOX_BYTES_PER_ENTRY_MAX);
    assert!(
        pipeline::limits::call_rows_max(pipeline::limits::PANES_MAX) <= OUTBOX_ROWS_PER_ENTRY_MAX
    );
    assert!(pipeline::limits::ALERT_BYTES_MAX <= ALERT_BYTES_MAX);
};

/// Of each kind of thing that `replay --diff` compares, what one side may have told and the other not yet: the open batches of an hour at
/// a reading a second from 50 sensors.
pub const COMPARED_WAITING_MAX: usize = 200_000;
/// Differences of each kind that are shown in words: a screen of them.
pub const COMPARED_EXAMPLES_MAX: usize = 8;
/// Deadlines of a machine that are served before one entry: a day of windows of a second. More are served before the next one.
pub const DEADLINES_PER_ENTRY_MAX: usize = 86_400;

/// Alerts that the lamp tells apart; with more at once it stays on.
pub const LAMP_ALERTS_MAX: usize = 4096;
/// Pause before a lamp that could not be switched is tried again, ms.
pub const LAMP_RETRY_MS: u64 = 10_000;

/// Alerts that wait for a webhook: an hour of one a minute. Those behind are on MQTT and in Kafka only.
pub const WEBHOOK_QUEUE_MAX: usize = 64;
/// Pauses between attempts, ms: the first, doubled each time up to the longest.
pub const WEBHOOK_RETRY_MS: u64 = 1_000;
/// The longest pause, ms.
pub const WEBHOOK_RETRY_MS_MAX: u64 = 60_000;
/// Attempts for one alert: a quarter of an hour. Then the next, newer one has its turn.
pub const WEBHOOK_ATTEMPTS_MAX: u32 = 20;
/// What the outputs take: their queue, the lamp's alerts, a TLS session.
pub const OUTPUT_BYTES: usize = WEBHOOK_QUEUE_MAX * 1024 + LAMP_ALERTS_MAX * 16 + 512 * 1024;
