//! Lives of a gateway over one store: a client whose readings are numbered, and what of them stands in the outbox.

use std::collections::BTreeMap;

use gateway::config::Config;
use gateway::outbox::Lane;
use gateway::recover;
use gateway::store::{Reply, Request};
use wire::BatchReader;

use crate::disk::Disk;
use crate::harness::{Gateway, Sink, WALL_MS};

/// What a client does: it sends numbered readings, and sends again with DUP what was not acknowledged.
#[derive(Default)]
pub struct Client {
    /// Number of the next reading.
    pub next: u64,
    /// Sent and not acknowledged: number by packet id.
    pub waiting: BTreeMap<u16, u64>,
    /// Numbers that were acknowledged.
    pub acknowledged: Vec<u64>,
}

impl Client {
    /// The PUBLISH of a reading, with its packet id.
    #[must_use]
    pub fn packet(number: u64, dup: bool) -> (u16, Vec<u8>) {
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

    /// Takes the acknowledgements that came.
    pub fn note(&mut self, sink: &mut Sink) {
        for packet_id in sink.packet_ids.drain(..) {
            if let Some(number) = self.waiting.remove(&packet_id) {
                self.acknowledged.push(number);
            }
        }
    }

    /// Sends again what was not acknowledged.
    pub fn resend(&mut self, gateway: &mut Gateway, now_ms: u64, sink: &mut Sink) {
        let mut numbers: Vec<u64> = self.waiting.values().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            gateway.receive(&Self::packet(number, true).1, now_ms, sink);
        }
        self.note(sink);
    }

    /// Sends the next reading.
    pub fn send(&mut self, gateway: &mut Gateway, now_ms: u64, sink: &mut Sink) {
        let (packet_id, packet) = Self::packet(self.next, false);
        self.waiting.insert(packet_id, self.next);
        self.next += 1;
        gateway.receive(&packet, now_ms, sink);
        self.note(sink);
    }
}

/// Opens what the last life left, checks that a replay equals what was saved, and goes on.
///
/// # Panics
/// If it does not hold.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]
pub fn open(config: &Config, now_ms: u64) -> (Gateway, Sink) {
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
///
/// # Panics
/// If they have one.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]
pub fn sealed(config: &Config) -> BTreeMap<u64, u32> {
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
