//! After a crash the gateway stands where it stood: every acknowledged reading is sealed once, sequences go on without
//! a hole, and a replay of the journal arrives at the state that was saved.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

use std::collections::BTreeMap;
use std::path::Path;

use gateway::config::Config;
use gateway::outbox::Lane;
use gateway::recover;
use gateway::store::{Reply, Request};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use tests::harness::{Disk, Gateway, Sink, WALL_MS, config};
use wire::BatchReader;

const SEEDS: u64 = 12;
const LIVES: u64 = 8;
const MESSAGES_PER_LIFE: u64 = 400;

/// The config changes from life to life: windows, alerts, places.
fn config_in(dir: &Path, life: u64) -> Config {
    let change = match life % 3 {
        0 => "[[sensor]]\n[[sensor.alerts]]\nname = \"hot\"\nabove = 90.0\n",
        1 => "rolling = { window = \"4s\", every = \"1s\" }\n",
        _ => "silence = \"1s\"\n",
    };
    let places = if life.is_multiple_of(2) { 1024 } else { 5 };
    config(&format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\ncheckpoint_interval = \"700ms\"\n\
         [pipeline]\nbatch_interval = \"300ms\"\nsensors_max = {places}\n\
         [defaults]\naverage = \"1s\"\nlateness = \"0ms\"\n{change}",
        dir.display()
    ))
}

/// What a client does: it sends numbered readings, and sends again with DUP what was not acknowledged.
struct Client {
    next: u64,
    /// Sent and not acknowledged: number by packet id.
    waiting: BTreeMap<u16, u64>,
    acknowledged: Vec<u64>,
}

impl Client {
    fn packet(number: u64, dup: bool) -> (u16, Vec<u8>) {
        let packet_id = (number % 60_000 + 1) as u16;
        // Without a time every second reading can only be told apart by its delivery.
        let payload = match number % 2 {
            0 => format!("{number}"),
            _ => format!(
                "{{\"ts\":{},\"value\":{number}}}",
                WALL_MS as u64 + number * 7
            ),
        };
        let topic = format!("sensors/d{}/t", number % 5);
        let mut packet = vec![
            if dup { 0x3a } else { 0x32 },
            (2 + topic.len() + 2 + payload.len()) as u8,
        ];
        packet.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        packet.extend_from_slice(topic.as_bytes());
        packet.extend_from_slice(&packet_id.to_be_bytes());
        packet.extend_from_slice(payload.as_bytes());
        (packet_id, packet)
    }

    fn note(&mut self, sink: &mut Sink) {
        for packet_id in sink.packet_ids.drain(..) {
            if let Some(number) = self.waiting.remove(&packet_id) {
                self.acknowledged.push(number);
            }
        }
    }

    fn resend(&mut self, gateway: &mut Gateway, now_ms: u64, sink: &mut Sink) {
        let mut numbers: Vec<u64> = self.waiting.values().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            gateway.receive(&Self::packet(number, true).1, now_ms, sink);
        }
        self.note(sink);
    }

    fn send(&mut self, gateway: &mut Gateway, now_ms: u64, sink: &mut Sink) {
        let (packet_id, packet) = Self::packet(self.next, false);
        self.waiting.insert(packet_id, self.next);
        self.next += 1;
        gateway.receive(&packet, now_ms, sink);
        self.note(sink);
    }
}

/// Opens what the last life left, checks that a replay equals what was saved, and goes on.
fn open(config: &Config, now_ms: u64) -> (Gateway, Sink) {
    let (recovered, opened) =
        recover::open(&config.store.dir, config.store_settings()).expect("opens");
    assert!(recovered.moved_aside.is_none());
    if let Some(compared) =
        recover::compare(&recovered, &opened, &config.sizes()).expect("readable")
    {
        assert_eq!(compared.replayed, compared.saved, "{compared:?}");
    }
    let plan = config.plan().expect("valid");
    let (mut restored, opened) =
        recover::recover(recovered, opened, &plan, &config.sizes()).expect("recovers");
    let disk = Disk::start(opened);
    for commit in restored.commits.drain(..) {
        disk.commit(Box::new(commit));
    }
    let mut sink = Sink::default();
    sink.disk = Some(disk);
    let gateway = Gateway::with(config, restored, now_ms, &mut sink);
    (gateway, sink)
}

/// Every reading in the outbox, with how often it stands there; sequences have no hole.
fn sealed(config: &Config) -> BTreeMap<u64, u32> {
    let (_, opened) = recover::open(&config.store.dir, config.store_settings()).expect("opens");
    let (sender, replies) = std::sync::mpsc::sync_channel(4);
    let writer = opened
        .start(move |reply| sender.send(reply).expect("received"))
        .expect("a thread");
    let mut sequences = Vec::new();
    let mut readings = BTreeMap::new();
    for lane in Lane::ALL {
        let after = gateway::outbox::Sequence(0);
        let load = Request::Load {
            lane,
            after,
            bytes_max: usize::MAX,
            rows_max: usize::MAX,
        };
        assert!(writer.request(load).is_ok());
        let Ok(Reply::Loaded(rows)) = replies.recv() else {
            panic!("rows of {lane:?}")
        };
        for row in rows {
            sequences.push(row.sequence.0);
            if lane == Lane::Telemetry {
                for item in BatchReader::new(&row.bytes).expect("a batch") {
                    let (_, item) = item.expect("a row");
                    let number = item
                        .content
                        .raw()
                        .or(item.content.value())
                        .expect("a number");
                    *readings.entry(number as u64).or_insert(0) += 1;
                }
            }
        }
    }
    sequences.sort_unstable();
    assert_eq!(
        sequences,
        (1..=sequences.len() as u64).collect::<Vec<_>>(),
        "a hole or a double in the outbox"
    );
    readings
}

fn check(seed: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = Pcg64::new(u128::from(seed), 1);
    let mut client = Client {
        next: 0,
        waiting: BTreeMap::new(),
        acknowledged: Vec::new(),
    };
    let mut now_ms = 0;
    for life in 0..LIVES {
        let config = config_in(dir.path(), life);
        let (mut gateway, mut sink) = open(&config, now_ms);
        client.resend(&mut gateway, now_ms, &mut sink);
        for _ in 0..random.next_u64() % MESSAGES_PER_LIFE {
            now_ms += random.next_u64() % 12;
            client.send(&mut gateway, now_ms, &mut sink);
        }
        // The crash: what gathers is gone, and acknowledgements that went out may not have arrived.
        now_ms += 1;
        if random.next_u64().is_multiple_of(2) {
            let lost: Vec<u64> = client.acknowledged.iter().rev().take(3).copied().collect();
            client.waiting.extend(
                lost.into_iter()
                    .map(|number| (Client::packet(number, true).0, number)),
            );
        }
    }
    let config = config_in(dir.path(), LIVES);
    let (mut gateway, mut sink) = open(&config, now_ms);
    client.resend(&mut gateway, now_ms, &mut sink);
    for _ in 0..100 {
        gateway.wait(100, &mut sink);
        client.note(&mut sink);
    }
    assert!(
        client.waiting.is_empty(),
        "seed {seed}: all is acknowledged at last"
    );
    drop((gateway, sink));
    let readings = sealed(&config);
    let wrong: Vec<_> = (0..client.next)
        .filter(|number| readings.get(number) != Some(&1))
        .collect();
    assert!(wrong.is_empty(), "seed {seed}: lost or doubled: {wrong:?}");
    assert_eq!(
        readings.len() as u64,
        client.next,
        "seed {seed}: nothing else is there"
    );
}

#[test]
fn every_acknowledged_reading_is_sealed_once_over_crashes() {
    for seed in 0..SEEDS {
        check(seed);
    }
}

/// `./test sim` says with which seeds; without them there is nothing fresh to try.
#[test]
fn it_holds_for_fresh_seeds() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let first = number("TIDEGATE_SIM_SEED").unwrap_or(SEEDS);
    for seed in first..first + number("TIDEGATE_SIM_SEEDS").unwrap_or(1) {
        check(seed);
    }
}
