//! The memory bill: all that the gateway may take, summed before it takes it.
//!
//! What stands here is a ceiling. Much of it is address space that is touched only under load.

use core::fmt;

use crate::broker;
use crate::commit::COMMIT_BYTES;
use crate::config::{Config, Listener, Protocol};
use crate::credentials_file;
use crate::fleet::limits as fleet;
use crate::form::RecordForm;
use crate::limits::{
    ACKS_PENDING_MAX, AUTHENTICATION_BYTES, CHUNK_BYTES_MAX, COMMITS_MAX, DELIVERIES_MAX,
    EVENTS_MAX, HANDSHAKES_MAX, HTTP_BUFFER_BYTES, HTTP_HEAD_BYTES_MAX, HTTP_POSTS_MAX,
    LARGE_BYTES_MAX, MUTATION_STEPS_PER_COMMIT, OUTPUT_BYTES, PROCESS_BYTES, RECEIVE_BUFFER_BYTES,
    RECORD_BYTES_MAX, REHEARSAL_STACK_BYTES, TLS_SESSION_BYTES, TRANSFER_BYTES_MAX,
    UPLINK_QUEUE_BYTES, WEBSOCKET_OUTBOUND_BYTES_MAX, WEBSOCKET_READ_BYTES,
};
use crate::machine;
use crate::nodes;
use crate::store;

/// One line: what for, and how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub what: &'static str,
    /// Bytes.
    pub bytes: usize,
}

/// The lines; their sum is the ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// In the order of the way of a reading.
    pub lines: Vec<Line>,
}

impl Bill {
    /// The bill of a config.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let limits = config.broker_limits();
        let connections = usize::from(config.broker.connections_max);
        let per_connection = RECEIVE_BUFFER_BYTES + limits.send_buffer_bytes_max + TASK_BYTES;
        let machine = machine::memory_bytes(&config.sizes());
        let store = config.store_settings();
        let mutations = config.mutation_step().times(MUTATION_STEPS_PER_COMMIT);
        let lines = [
            ("code, libraries, thread stacks", PROCESS_BYTES),
            (
                "connections: receive and send buffers",
                connections * per_connection + LARGE_BYTES_MAX,
            ),
            (
                "connections: TLS, WebSocket, handshakes",
                layers_bytes(config),
            ),
            ("HTTP: buffers and bodies", http_bytes(config)),
            ("passwords being checked", AUTHENTICATION_BYTES),
            (
                "credentials: users, devices, tokens",
                credentials_bytes(config),
            ),
            ("events", EVENTS_MAX * size_of::<crate::run::Incoming>()),
            (
                "broker: sessions, queues, retained messages",
                broker::Broker::memory_bytes(&limits),
            ),
            (
                "acknowledgements that wait for the disk",
                ACKS_PENDING_MAX * 16,
            ),
            ("messages taken lately", DELIVERIES_MAX * 8),
            ("Sparkplug: nodes and their aliases", nodes::MEMORY_BYTES),
            ("pipeline: sensors, windows, open batches", machine),
            (
                "commits: one gathers, one at the disk",
                COMMITS_MAX * (COMMIT_BYTES + mutations.memory_bytes()),
            ),
            ("checkpoint being written", machine + DELIVERIES_MAX * 8),
            ("store: pages", store.cache_bytes as usize + STORE_BYTES),
            (
                "store: the ring's frames",
                usize::try_from(store::ring_memory_bytes(&store)).unwrap_or(usize::MAX),
            ),
            (
                "transfer to Kafka",
                3 * TRANSFER_BYTES_MAX + UPLINK_QUEUE_BYTES + form_bytes(config),
            ),
            ("fleet: documents, messages", fleet_bytes(config)),
            ("fleet: dry-run", dry_run_bytes(config, machine)),
            (
                "lamp and webhook",
                OUTPUT_BYTES * usize::from(config.lamp.is_some() || config.webhook.is_some()),
            ),
        ];
        Self {
            lines: lines.map(|(what, bytes)| Line { what, bytes }).into(),
        }
    }

    /// The ceiling, bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.lines.iter().map(|line| line.bytes).sum()
    }
}

/// Documents that are good, under way and waiting; what comes and goes; one TLS session.
fn fleet_bytes(config: &Config) -> usize {
    if config.fleet.is_none() {
        return 0;
    }
    let documents = fleet::SLOT_COPIES_MAX * (fleet::LAYERS_MAX + 1) + fleet::LAYERS_MAX;
    let packets = (fleet::LINK_INCOMING_MAX + 2) * fleet::LINK_PACKET_BYTES_MAX as usize;
    documents * fleet::DOCUMENT_MEMORY_BYTES
        + packets
        + fleet::LINK_MESSAGES_MAX * fleet::REPORT_BYTES_MAX
        + TLS_SESSION_BYTES
}

/// Two machines and the state from which they begin, slices of the journal, and the thread.
fn dry_run_bytes(config: &Config, machine: usize) -> usize {
    match config.fleet {
        None => 0,
        Some(_) => 3 * machine + 3 * CHUNK_BYTES_MAX + REHEARSAL_STACK_BYTES,
    }
}

/// A connection has a buffer each way and a body; so has each post that waits for the disk.
fn http_bytes(config: &Config) -> usize {
    let settings = config.http_settings();
    let tls = config.http.tls().map_or(0, |_| TLS_SESSION_BYTES);
    let connection = 2 * HTTP_BUFFER_BYTES + settings.body_bytes_max + HTTP_TASK_BYTES + tls;
    match config.http.listen {
        None => 0,
        Some(_) => settings.connections_max * connection + HTTP_POSTS_MAX * settings.body_bytes_max,
    }
}

fn credentials_bytes(config: &Config) -> usize {
    let connections = config.broker.connections_max.into();
    match config.broker.credentials {
        None => 0,
        Some(_) => credentials_file::memory_bytes(config.broker.users_max.into(), connections),
    }
}

/// A value that is no batch is made in a buffer of the largest record's size.
fn form_bytes(config: &Config) -> usize {
    match config.kafka.format {
        RecordForm::Batch => 0,
        RecordForm::Json | RecordForm::Protobuf => RECORD_BYTES_MAX,
    }
}

/// What the task of an HTTP connection takes, its headers as they were parsed included.
const HTTP_TASK_BYTES: usize = 8 * 1024;
/// What the task of a connection and its socket take.
const TASK_BYTES: usize = 2048;
/// What SQLite takes beside its pages: statements, the index of the write-ahead log.
const STORE_BYTES: usize = 1 << 20;
const _: () = assert!(store::STACK_BYTES <= STORE_BYTES);

/// What the layers between socket and MQTT hold at their worst: any connection may come through the door that costs most.
fn layers_bytes(config: &Config) -> usize {
    let packet = usize::try_from(config.broker.packet_bytes_max.0).unwrap_or(usize::MAX);
    let layers = |listener: Listener| {
        let tls = listener.tls().map_or(0, |_| TLS_SESSION_BYTES);
        let websocket = match listener.protocol {
            Protocol::Mqtt => 0,
            Protocol::Websocket => WEBSOCKET_READ_BYTES + WEBSOCKET_OUTBOUND_BYTES_MAX + packet,
        };
        tls + websocket
    };
    let most = config.broker.ways_in().map(layers).max().unwrap_or(0);
    let connections = usize::from(config.broker.connections_max);
    let handshakes = usize::from(HANDSHAKES_MAX) * HTTP_HEAD_BYTES_MAX;
    connections * most + if most > 0 { handshakes } else { 0 }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "memory bill")?;
        for line in &self.lines {
            writeln!(
                f,
                "  {:<46} {:>9} KiB",
                line.what,
                line.bytes.div_ceil(1024)
            )?;
        }
        write!(
            f,
            "  {:<46} {:>9} KiB",
            "ceiling",
            self.total().div_ceil(1024)
        )
    }
}
