//! The lives that are written down: a client that sends, an engine over the real store, and a Kafka that is away at times.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use gateway::broker::{Broker, ConnectionId, Peer, Rights};
use gateway::clock::Moment;
use gateway::commit::Commit;
use gateway::config::Config;
use gateway::engine::{Action, Engine, Event, Perform};
use gateway::forward::Failure;
use gateway::outbox::{Lane, OutboxRow, Sequence, Watermark};
use gateway::recover;
use gateway::store::{Opened, Reply, Request, Settings, Writer};
use tests::harness::{WALL_MS, config};
use tests::lives::Client;

use crate::oracle::{Said, Sent};

/// Lives in one process: the second and third open what the one before left, without a power cut.
const LIVES: u64 = 3;
/// Readings of each.
const READINGS: u64 = 260;
/// Between two readings, ms.
const EVERY_MS: u64 = 11;
/// The write-ahead log goes into the database often, so that this is cut too.
const WAL_BYTES: u64 = 96 * 1024;

/// The ring is full before a checkpoint has made room in it, so that chunks stand in both places, and turns some times.
const RING_BYTES: u64 = 16 * 1024;

/// Under what the gateway lives in `dir`.
pub(crate) fn config_in(dir: &Path) -> Config {
    config(&format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\ncheckpoint_interval = \"400ms\"\ncommit_interval = \"30ms\"\n\
         [kafka]\nbootstrap = \"127.0.0.1:1\"\n\
         [pipeline]\nbatch_interval = \"250ms\"\nsensors_max = 8\n\
         [defaults]\naverage = \"1s\"\nlateness = \"0ms\"\n\
         [[sensor]]\n[[sensor.alerts]]\nname = \"hot\"\nabove = 200.0\n",
        dir.display()
    ))
}

/// As the config says, but for the sizes; where the disk is `crowded` rows are thinned, as if others had filled it.
pub(crate) fn settings(config: &Config, crowded: bool) -> Settings {
    Settings {
        wal_bytes: WAL_BYTES,
        ring_bytes: RING_BYTES,
        bytes_free_min: if crowded { u64::MAX / 2 } else { 0 },
        ..config.store_settings()
    }
}

/// Lives in `dir`: the store in `store`, and in `said` what was told to client and Kafka.
pub(crate) fn live(dir: &Path) {
    let said = File::create(dir.join("said")).expect("a file");
    let mut said = Voice(said);
    let config = config_in(&dir.join("store"));
    let mut client = Client::default();
    let mut mark = None;
    let mut now_ms = 0;
    for life in 0..LIVES {
        let mut gateway = Life::begin(&config, life == 1, now_ms, mark);
        for number in 0..READINGS {
            // Half of the time Kafka is away, so that there is a backlog.
            gateway.kafka_is_there = number * 2 > READINGS || life == 2;
            now_ms += EVERY_MS;
            let (_, packet) = Client::packet(client.next, false);
            client.next += 1;
            gateway.receive(&packet, now_ms, &mut said);
        }
        gateway.wait_until(now_ms + 600, &mut said);
        now_ms += 1_000;
        mark = gateway.mark;
        if life == 1 {
            gateway
                .writer
                .request(Request::Close)
                .expect("the queue has room");
            gateway.replies.recv().expect("closed");
        }
    }
}

/// Each thing said is one system call.
struct Voice(File);

impl Voice {
    fn say(&mut self, said: &Said) {
        let line = serde_json::to_vec(said).expect("it has a form");
        self.0.write_all(&line).expect("a file of the test");
    }
}

/// One life: the engine, and all that it asks for.
struct Life {
    engine: Engine,
    wishes: Wishes,
    writer: Writer,
    replies: Receiver<Reply>,
    kafka_is_there: bool,
    mark: Option<Watermark>,
    start_ms: u64,
    now_ms: u64,
}

#[derive(Default)]
struct Wishes {
    wishes: VecDeque<Wish>,
    acknowledged: Vec<u16>,
    transmitted: usize,
}

enum Wish {
    Commit(Box<Commit>),
    Load(Lane, Sequence),
    Connect,
    Send(Vec<OutboxRow>, Watermark),
}

impl Perform for Wishes {
    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Transmit { parts, .. } => {
                let packet = parts.concat();
                self.transmitted += packet.len();
                if packet[0] == 0x40 {
                    self.acknowledged
                        .push(u16::from_be_bytes([packet[2], packet[3]]));
                }
            }
            Action::Commit(commit) => self.wishes.push_back(Wish::Commit(commit)),
            Action::Load { lane, after, .. } => self.wishes.push_back(Wish::Load(lane, after)),
            Action::Connect => self.wishes.push_back(Wish::Connect),
            Action::Send { rows, watermark } => self.wishes.push_back(Wish::Send(rows, watermark)),
            _ => {}
        }
    }
}

const CONNECTION: ConnectionId = ConnectionId {
    index: 0,
    generation: 1,
};

impl Life {
    fn begin(config: &Config, crowded: bool, start_ms: u64, mark: Option<Watermark>) -> Self {
        let (recovered, opened) =
            recover::open(&config.store.dir, settings(config, crowded)).expect("opens");
        let plan = config.plan().expect("valid");
        let (mut restored, opened) =
            recover::recover(recovered, opened, &plan, &config.sizes()).expect("recovers");
        let (writer, replies) = start(opened);
        for commit in restored.commits.drain(..) {
            writer
                .request(Request::Commit(Box::new(commit)))
                .expect("room");
            replies.recv().expect("an answer");
        }
        let moment = Moment {
            monotonic_ms: 0,
            wall_ms: WALL_MS + start_ms as i64,
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
        let mut life = Self {
            engine,
            wishes: Wishes::default(),
            writer,
            replies,
            kafka_is_there: false,
            mark,
            start_ms,
            now_ms: start_ms,
        };
        life.engine.start(&plan, &mut life.wishes);
        let peer = Peer { loopback: true };
        life.tell(Event::Opened {
            connection: CONNECTION,
            peer,
        });
        let packet = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03abc";
        life.tell(Event::Received {
            connection: CONNECTION,
            packet,
        });
        let rights = Ok(Rights::all("abc"));
        life.tell(Event::Authenticated {
            connection: CONNECTION,
            rights,
        });
        life
    }

    fn receive(&mut self, packet: &[u8], now_ms: u64, said: &mut Voice) {
        self.wait_until(now_ms, said);
        assert!(self.engine.accepts(CONNECTION, packet), "there is room");
        self.tell(Event::Received {
            connection: CONNECTION,
            packet,
        });
        self.settle(said);
    }

    fn wait_until(&mut self, now_ms: u64, said: &mut Voice) {
        while self.now_ms < now_ms {
            self.now_ms += 1;
            self.settle(said);
        }
    }

    fn settle(&mut self, said: &mut Voice) {
        loop {
            for packet_id in self.wishes.acknowledged.drain(..) {
                said.say(&Said::Acknowledged(u64::from(packet_id) - 1));
            }
            let due = self.engine.deadline_ms();
            if let Some(wish) = self.wishes.wishes.pop_front() {
                self.fulfil(wish, said);
            } else if due.is_some_and(|due| due <= self.now_ms - self.start_ms) {
                self.tell(Event::Timeout);
            } else {
                return;
            }
            let bytes = core::mem::take(&mut self.wishes.transmitted);
            self.tell(Event::Drained {
                connection: CONNECTION,
                bytes,
            });
        }
    }

    fn fulfil(&mut self, wish: Wish, said: &mut Voice) {
        match wish {
            Wish::Commit(commit) => match self.ask(Request::Commit(commit)) {
                Reply::Committed { commit, .. } => self.tell(Event::Committed(commit)),
                other => panic!("{other:?}"),
            },
            Wish::Load(lane, after) => {
                let load = Request::Load {
                    lane,
                    after,
                    bytes_max: 1 << 20,
                    rows_max: 8,
                };
                match self.ask(load) {
                    Reply::Loaded(rows) => self.tell(Event::Loaded(rows)),
                    other => panic!("{other:?}"),
                }
            }
            Wish::Connect if self.kafka_is_there => self.tell(Event::Connected(self.mark)),
            Wish::Send(rows, watermark) if self.kafka_is_there => {
                let rows = rows.iter().map(Sent::of).collect();
                said.say(&Said::Sent { watermark, rows });
                self.mark = Some(watermark);
                self.tell(Event::Sent);
            }
            Wish::Connect | Wish::Send(..) => self.tell(Event::UplinkFailed(Failure::Retry)),
        }
    }

    fn ask(&self, request: Request) -> Reply {
        self.writer.request(request).expect("the queue has room");
        self.replies.recv().expect("an answer")
    }

    fn tell(&mut self, event: Event<'_>) {
        let moment = Moment {
            monotonic_ms: self.now_ms - self.start_ms,
            wall_ms: WALL_MS + self.now_ms as i64,
            is_vouched: None,
        };
        self.engine.handle(moment, event, &mut self.wishes);
    }
}

/// Gives an opened store to its thread.
pub(crate) fn start(opened: Opened) -> (Writer, Receiver<Reply>) {
    let (sender, replies) = sync_channel(4);
    let writer = opened.start(move |reply| {
        // The test may be over.
        let _ = sender.send(reply);
    });
    (writer.expect("a thread"), replies)
}
