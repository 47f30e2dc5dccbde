//! The engine without sockets, disk or Kafka: a client's packets go in, and a sink does as the shell would.

use std::collections::VecDeque;

use gateway::broker::{Broker, ConnectionId, Peer, ReasonCode, Rights};
use gateway::clock::Moment;
use gateway::commit::Commit;
use gateway::config::{Config, Source};
use gateway::engine::{Action, Engine, Event, Perform, RequestId, Restored};
use gateway::journal::Position;
use gateway::machine::Machine;
use gateway::outbox::{LANES, Sequence};

use crate::disk::Disk;

/// The wall clock when the test begins, ms.
pub const WALL_MS: i64 = 1_764_000_000_000;

const CONFIG: &str = r#"
[gateway]
id = "edge-1"
[broker]
allow_anonymous = true
[store]
dir = "unused"
checkpoint_interval = "7d"
checkpoint_bytes = "1GiB"
ring_bytes = "0B"
max_bytes = "4GiB"
[defaults]
average = "10s"
lateness = "0ms"
rolling = { window = "20s", every = "10s" }
[[sensor]]
signal = "t"
range = [-50.0, 150.0]
drop_if = "value == 96"
clean = { wait = "1s" }
detect = "auto"
alerts = [{ name = "hot", above = 1e3 }, { name = "soon", of = "forecast", above = 1e3 }]
"#;

/// Performs at once: what is committed is durable, what is transmitted is written.
#[derive(Default)]
pub struct Sink {
    /// PUBACKs seen.
    pub acknowledged: u64,
    /// Their packet ids, since they were last taken.
    pub packet_ids: Vec<u16>,
    /// Where commits go; without it they are durable as they are.
    pub disk: Option<Disk>,
    /// Messages that the client got, topic and payload, if they are wanted.
    pub heard: Option<Vec<(String, Vec<u8>)>>,
    /// First bytes of packets that the client got, if they are wanted.
    pub packets: Option<Vec<u8>>,
    /// Answers to messages that were posted, and what was wrong with them.
    pub answers: Vec<(u16, ReasonCode)>,
    /// Reasons of items that were refused.
    pub faults: Vec<String>,
    /// Rows that were committed.
    pub rows: usize,
    commits: VecDeque<Box<Commit>>,
    unreported: usize,
}

impl Perform for Sink {
    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Transmit { parts, .. } => {
                self.unreported += parts.iter().map(|part| part.len()).sum::<usize>();
                let first = parts.iter().find_map(|part| part.first());
                self.packets.iter_mut().for_each(|all| all.extend(first));
                if first == Some(&0x40) {
                    self.acknowledged += 1;
                    self.note_packet_id(parts);
                }
                if first.is_some_and(|first| first >> 4 == 3)
                    && let Some(heard) = &mut self.heard
                {
                    heard.push(read_publish(&parts.concat()));
                }
            }
            Action::Fault { error, .. } => self.faults.push(error.reason.clone()),
            Action::Answer { request, reason } => self.answers.push((request.index, reason)),
            Action::Commit(commit) => {
                self.rows += commit.rows().len();
                self.commits.push_back(commit);
            }
            // What only a shell can do.
            _ => {}
        }
    }
}

impl Sink {
    fn note_packet_id(&mut self, parts: &[&[u8]]) {
        if self.disk.is_some() {
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            self.packet_ids
                .push(u16::from_be_bytes([bytes[2], bytes[3]]));
        }
    }
}

/// Topic and payload of a PUBLISH of QoS 0.
fn read_publish(packet: &[u8]) -> (String, Vec<u8>) {
    let begin = 1
        + packet[1..]
            .iter()
            .take_while(|byte| **byte & 0x80 != 0)
            .count()
        + 1;
    let (len, rest) = packet[begin..].split_at(2);
    let (topic, payload) = rest.split_at(usize::from(u16::from_be_bytes([len[0], len[1]])));
    (
        String::from_utf8_lossy(topic).into_owned(),
        payload.to_vec(),
    )
}

/// The config of a text.
///
/// # Panics
/// If it is wrong.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test ends where its own config is wrong"
)]
pub fn config(text: &str) -> Config {
    let source = Source {
        path: "harness.toml".into(),
        text: text.to_owned(),
    };
    Config::from_source(&source).expect("valid")
}

/// What a store gives that has nothing in it yet.
///
/// # Panics
/// If the config is wrong.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test ends where its own config is wrong"
)]
pub fn fresh(config: &Config) -> Restored {
    let plan = config.plan().expect("valid");
    Restored {
        machine: Machine::new(&plan, &config.sizes()).expect("fits"),
        is_fresh: true,
        next: Position(0),
        journal_bytes: 0,
        epoch: None,
        durable: [Sequence(0); LANES],
        commits: Vec::new(),
    }
}

/// An engine with one client in it.
pub struct Gateway {
    /// The engine.
    pub engine: Engine,
    connection: ConnectionId,
    start_ms: u64,
    now_ms: u64,
    packet_id: u16,
    /// What the box's wall clock says, less what it should say, ms.
    pub clock_error_ms: i64,
}

impl Gateway {
    /// A fresh engine, and a client that has been let in.
    ///
    /// # Panics
    /// If the config of this module is wrong.
    pub fn connected(sink: &mut Sink) -> Self {
        let config = config(CONFIG);
        Self::with(&config, fresh(&config), 0, sink)
    }

    /// An engine that goes on from what was restored, `start_ms` after the test began, and a client that has been let in.
    ///
    /// # Panics
    /// If the config is wrong.
    pub fn with(config: &Config, restored: Restored, start_ms: u64, sink: &mut Sink) -> Self {
        Self::with_clock(config, restored, (start_ms, 0), sink)
    }

    /// The same on a box whose wall clock is wrong by so many ms.
    ///
    /// # Panics
    /// If the config is wrong.
    #[expect(
        clippy::expect_used,
        reason = "a test ends where its own config is wrong"
    )]
    pub fn with_clock(
        config: &Config,
        restored: Restored,
        (start_ms, clock_error_ms): (u64, i64),
        sink: &mut Sink,
    ) -> Self {
        let moment = Moment {
            monotonic_ms: 0,
            wall_ms: WALL_MS + start_ms as i64 + clock_error_ms,
            is_vouched: None,
        };
        let broker = Broker::new(config.broker_limits());
        let engine = Engine::new(
            config.engine_settings(1),
            broker,
            config.mapping(),
            restored,
            moment,
        );
        let connection = ConnectionId {
            index: 0,
            generation: 1,
        };
        let mut gateway = Self {
            engine,
            connection,
            start_ms,
            now_ms: start_ms,
            packet_id: 0,
            clock_error_ms,
        };
        gateway.engine.start(&config.plan().expect("valid"), sink);
        gateway.connect(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03abc", sink);
        gateway
    }

    /// Opens a connection in place of the one before, by this CONNECT.
    pub fn reconnect(&mut self, packet: &[u8], sink: &mut Sink) {
        let connection = self.connection;
        self.tell(Event::Closed { connection }, sink);
        self.connection.generation += 1;
        self.connect(packet, sink);
    }

    fn connect(&mut self, packet: &[u8], sink: &mut Sink) {
        let connection = self.connection;
        let peer = Peer { loopback: true };
        self.tell(Event::Opened { connection, peer }, sink);
        self.tell(Event::Received { connection, packet }, sink);
        let rights = Ok(Rights::all("abc"));
        self.tell(Event::Authenticated { connection, rights }, sink);
    }

    /// Writes a QoS 1 PUBLISH of one reading.
    pub fn write_publish(&mut self, packet: &mut Vec<u8>, sensor: u64, at: u64, number: u64) {
        use std::io::Write;
        self.packet_id = self.packet_id % 60_000 + 1;
        packet.clear();
        packet.extend_from_slice(&[0x32, 0, 0, 0]);
        // Writing into a vector cannot fail.
        let _ = write!(packet, "sensors/device-{sensor:03}/t");
        let topic_len = packet.len() - 4;
        packet[2..4].copy_from_slice(&(topic_len as u16).to_be_bytes());
        packet.extend_from_slice(&self.packet_id.to_be_bytes());
        let ts = WALL_MS as u64 + at * 10;
        let _ = write!(
            packet,
            "{{\"ts\":{ts},\"value\":{}.{}}}",
            number % 97,
            number % 10
        );
        packet[1] = (packet.len() - 2) as u8;
    }

    /// Subscribes to all that is published, at QoS 0.
    pub fn subscribe_all(&mut self, sink: &mut Sink) {
        let now_ms = self.now_ms;
        self.receive(b"\x82\x06\x00\x01\x00\x01#\x00", now_ms, sink);
    }

    /// Publishes a message at QoS 0.
    pub fn publish(&mut self, topic: &str, payload: &[u8], sink: &mut Sink) {
        let len = 2 + topic.len() + payload.len();
        let mut packet = vec![0x30, len as u8 | 0x80, (len >> 7) as u8];
        packet.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        packet.extend_from_slice(topic.as_bytes());
        packet.extend_from_slice(payload);
        let now_ms = self.now_ms;
        self.receive(&packet, now_ms, sink);
    }

    /// Posts a message as HTTP does, named `delivery` if it has a name, and lets no time pass.
    pub fn post(
        &mut self,
        index: u16,
        rights: &Rights,
        message: (&str, &[u8]),
        delivery: Option<u64>,
        sink: &mut Sink,
    ) {
        let generation = 1;
        let posted = Event::Posted {
            request: RequestId { index, generation },
            rights,
            topic: message.0,
            payload: message.1,
            delivery,
        };
        self.tell(posted, sink);
    }

    /// Hands a packet to the engine at `now_ms`, and does all that it asks for.
    ///
    /// # Panics
    /// If the engine has no room, which it always has where the disk is quick.
    pub fn receive(&mut self, packet: &[u8], now_ms: u64, sink: &mut Sink) {
        self.now_ms = self.now_ms.max(now_ms);
        assert!(
            self.engine.accepts(self.connection, packet),
            "there is room"
        );
        self.tell(
            Event::Received {
                connection: self.connection,
                packet,
            },
            sink,
        );
        self.settle(sink);
        if sink.unreported > 4096 {
            let bytes = core::mem::take(&mut sink.unreported);
            self.tell(
                Event::Drained {
                    connection: self.connection,
                    bytes,
                },
                sink,
            );
        }
    }

    /// Lets `ms` pass.
    pub fn wait(&mut self, ms: u64, sink: &mut Sink) {
        self.now_ms += ms;
        self.settle(sink);
    }

    /// Does all that is due.
    fn settle(&mut self, sink: &mut Sink) {
        while self
            .engine
            .deadline_ms()
            .is_some_and(|due| due <= self.now_ms - self.start_ms)
            || !sink.commits.is_empty()
        {
            match sink.commits.pop_front() {
                Some(commit) => {
                    let commit = match &sink.disk {
                        Some(disk) => disk.commit(commit),
                        None => commit,
                    };
                    self.tell(Event::Committed(commit), sink);
                }
                None => self.tell(Event::Timeout, sink),
            }
        }
    }

    fn tell(&mut self, event: Event<'_>, sink: &mut Sink) {
        let moment = Moment {
            monotonic_ms: self.now_ms - self.start_ms,
            wall_ms: WALL_MS + self.now_ms as i64 + self.clock_error_ms,
            is_vouched: None,
        };
        self.engine.handle(moment, event, sink);
    }
}
