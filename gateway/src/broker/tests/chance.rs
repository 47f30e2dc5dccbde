//! Random conversations: nothing panics, no bound is broken, and what is promised for QoS 1 and 2 holds.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::script::{Stage, assemble, small_limits};
use crate::broker::{
    Usage,
    packet::{self, Packet, Qos, Version},
};

/// Packets close enough to valid ones to get past the first checks.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let texts = prop_oneof![
        Just("10 [ 'MQTT' 04 00 0000 'a' ]"),
        Just("10 [ 'MQTT' 05 00 0000 [ 11 00000064 22 0002 21 0002 27 00000040 ] 'a' ]"),
        Just("10 [ 'MQTT' 05 06 0005 [ ] 'b' [ 18 00000005 ] 't/w' 'gone' ]"),
        Just("10 [ 'MQTT' 04 2e 0001 'c' 't/w' 'gone' ]"),
        Just("82 [ 0001 't/+' 02 ]"),
        Just("82 [ 0001 [ 0b 07 ] '#' 02 '$share/g/t/#' 01 ]"),
        Just("a2 [ 0001 [ ] 't/+' '$share/g/t/#' ]"),
        Just("31 [ 't/1' \"x\" ]"),
        Just("33 [ 't/2' 0001 [ 02 00000003 ] \"x\" ]"),
        Just("32 [ 't/3' 0002 \"x\" ]"),
        Just("34 [ 't/1' 0003 \"x\" ]"),
        Just("3d [ 't/2' 0003 [ 23 0001 ] \"x\" ]"),
        Just("30 [ '' [ 23 0001 ] \"x\" ]"),
        Just("31 [ 't/2' ]"),
        Just("40 [ 0001 ]"),
        Just("50 [ 0001 ]"),
        Just("62 [ 0003 ]"),
        Just("70 [ 0001 ]"),
        Just("c0 00"),
        Just("e0 [ 04 [ 11 00000005 ] ]"),
        Just("e0 00"),
    ];
    let change = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (texts, change).prop_map(|(text, change)| {
        let mut bytes = assemble(text);
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Packet(usize, Vec<u8>),
    Lose(usize),
    Drain(usize),
    Publish(u8),
    Acknowledge,
    Hold,
    Wait(u64),
    Crash,
}

fn steps() -> impl Strategy<Value = Step> {
    let client = 0_usize..4;
    prop_oneof![
        3 => client.clone().prop_map(Step::Open),
        20 => (client.clone(), packets()).prop_map(|(client, bytes)| Step::Packet(client, bytes)),
        1 => (client.clone(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(client, bytes)| Step::Packet(client, bytes)),
        2 => client.clone().prop_map(Step::Lose),
        2 => client.prop_map(Step::Drain),
        4 => (0_u8..6).prop_map(Step::Publish),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Hold),
        2 => (1_u64..20_000).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn play(stage: &mut Stage, opened: &mut [bool; 4], step: Step) {
    let run = |stage: &mut Stage, text: String| stage.step(&text).expect("this step cannot fail");
    match step {
        Step::Open(client) => {
            run(stage, format!("{} open", NAMES[client]));
            opened[client] = true;
            let connect = [
                "10 [ 'MQTT' 04 00 0000 'a' ]",
                "10 [ 'MQTT' 05 00 0000 [ 11 00000064 22 0002 ] 'b' ]",
            ];
            run(
                stage,
                format!("{} > {}", NAMES[client], connect[client % 2]),
            );
        }
        Step::Packet(client, bytes) if opened[client] => stage.receive(NAMES[client], &bytes),
        Step::Lose(client) if opened[client] => run(stage, format!("{} lost", NAMES[client])),
        Step::Drain(client) if opened[client] => {
            run(stage, format!("{} drained 1000000", NAMES[client]))
        }
        Step::Packet(..) | Step::Lose(_) | Step::Drain(_) => {}
        Step::Publish(number) => {
            run(
                stage,
                format!("gateway t/{number} {} {} text", number % 3, number % 2),
            );
        }
        Step::Acknowledge => stage.acknowledge_all(),
        Step::Hold => run(stage, "hold".into()),
        Step::Wait(ms) => stage.wait(ms),
        Step::Crash => {
            run(stage, "crash".into());
            *opened = [false; 4];
        }
    }
}

fn check_usage(usage: Usage, idle: bool) -> Result<(), TestCaseError> {
    let limits = small_limits();
    prop_assert!(usage.sessions <= limits.sessions_max, "{usage:?}");
    prop_assert!(usage.subscriptions <= limits.subscriptions_max, "{usage:?}");
    prop_assert!(usage.retained <= limits.retained_max, "{usage:?}");
    prop_assert!(usage.messages <= limits.messages_max, "{usage:?}");
    prop_assert!(usage.deliveries <= limits.deliveries_max, "{usage:?}");
    prop_assert!(usage.receipts <= limits.receipts_max, "{usage:?}");
    if idle {
        let empty = Usage {
            sessions: 0,
            subscriptions: 0,
            messages: 0,
            deliveries: 0,
            receipts: 0,
            packet_ids: 0,
            ..usage
        };
        prop_assert_eq!(
            usage,
            empty,
            "when all sessions are over nothing is left of them"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_clients_send_no_bound_is_broken(steps in proptest::collection::vec(steps(), 1..150)) {
        let mut stage = Stage::new(small_limits());
        let mut opened = [false; 4];
        for step in steps {
            let before = stage.tape.mutations;
            play(&mut stage, &mut opened, step.clone());
            check_usage(stage.broker.usage(), false)?;
            if !matches!(step, Step::Wait(_) | Step::Crash | Step::Acknowledge) {
                let caused = stage.tape.mutations - before;
                prop_assert!(caused <= 2 * small_limits().mutations_per_step_max(), "{caused} changes");
            }
        }
        // All clients go and stay away: sessions end, and with them all that is theirs, on disk too.
        for (client, opened) in opened.iter().enumerate() {
            if *opened {
                stage.step(&format!("{} lost", NAMES[client])).expect("this step cannot fail");
            }
        }
        stage.wait(2_000_000);
        stage.acknowledge_all();
        check_usage(stage.broker.usage(), true)?;
        prop_assert!(stage.tape.state.keys().all(|key| key[0] == 6), "only retained messages are left on disk");
    }
}

/// What goes wrong between a publisher, the broker and a reader.
#[derive(Clone, Copy, Debug)]
enum Event {
    Publish(Qos),
    PublisherLost,
    PublisherReads,
    ReaderLost,
    ReaderReads(usize),
    Durable,
    Crash,
    Wait,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Publish(Qos::AtLeastOnce)),
        4 => Just(Event::Publish(Qos::ExactlyOnce)),
        1 => Just(Event::PublisherLost),
        4 => Just(Event::PublisherReads),
        1 => Just(Event::ReaderLost),
        4 => (1_usize..5).prop_map(Event::ReaderReads),
        4 => Just(Event::Durable),
        1 => Just(Event::Crash),
        1 => Just(Event::Wait),
    ]
}

/// A client as the standard wants it, with a session that lasts. It publishes numbers, or reads them.
struct Peer {
    name: &'static str,
    connected: bool,
    /// Not acknowledged: packet id, QoS, number, and whether PUBREC came. Sent again over each new connection.
    unacked: VecDeque<(u16, Qos, u32, bool)>,
    /// Not sent yet for want of an id in the window.
    waiting: VecDeque<(Qos, u32)>,
    next_id: u16,
    /// QoS 2 ids received and not released.
    received: Vec<u16>,
    got: BTreeMap<u32, u32>,
    order: Vec<u32>,
}

/// In flight at once, below the broker's own window so that nothing is held back.
const WINDOW: usize = 3;

impl Peer {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            connected: false,
            unacked: VecDeque::new(),
            waiting: VecDeque::new(),
            next_id: 1,
            received: Vec::new(),
            got: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    fn connect(&mut self, stage: &mut Stage) {
        stage
            .step(&format!("{} open", self.name))
            .expect("this step cannot fail");
        stage.receive(
            self.name,
            &assemble(&format!("10 [ 'MQTT' 04 00 0000 '{}' ]", self.name)),
        );
        self.connected = true;
        for (id, qos, number, recorded) in self.unacked.clone() {
            if recorded {
                stage.receive(self.name, &[0x62, 2, (id >> 8) as u8, id as u8]);
            } else {
                self.send(stage, id, qos, number, true);
            }
        }
        self.send_waiting(stage);
    }

    fn send(&self, stage: &mut Stage, id: u16, qos: Qos, number: u32, dup: bool) {
        let first = 0x30 | (qos as u8) << 1 | u8::from(dup) << 3;
        stage.receive(
            self.name,
            &assemble(&format!("{first:02x} [ 't' {id:04x} {number:08x} ]")),
        );
    }

    fn send_waiting(&mut self, stage: &mut Stage) {
        while self.connected && self.unacked.len() < WINDOW {
            let Some((qos, number)) = self.waiting.pop_front() else {
                return;
            };
            let id = self.next_id;
            self.next_id = self.next_id % 1_000 + 1;
            self.unacked.push_back((id, qos, number, false));
            self.send(stage, id, qos, number, false);
        }
    }

    /// Reads one packet and answers it; false if there is none.
    fn read(&mut self, stage: &mut Stage) -> bool {
        let Some(bytes) = stage.next_sent(self.name) else {
            return false;
        };
        if bytes[0] >> 4 == packet::kind::CONNACK {
            return true;
        }
        let answer = |kind: u8, id: u16| [kind, 2, (id >> 8) as u8, id as u8];
        match packet::decode(&bytes, Version::V311).expect("the broker sends valid packets") {
            Packet::Publish(publish) => {
                let number =
                    u32::from_be_bytes(publish.content.payload.try_into().expect("a number"));
                let id = publish.packet_id;
                let known = self.received.contains(&id);
                if publish.qos == Qos::AtLeastOnce || !known {
                    *self.got.entry(number).or_default() += 1;
                    self.order.push(number);
                }
                if publish.qos == Qos::ExactlyOnce {
                    if !known {
                        self.received.push(id);
                    }
                    stage.receive(self.name, &answer(0x50, id));
                } else {
                    stage.receive(self.name, &answer(0x40, id));
                }
            }
            Packet::PubRel(ack) => {
                self.received.retain(|id| *id != ack.packet_id);
                stage.receive(self.name, &answer(0x70, ack.packet_id));
            }
            Packet::PubRec(ack) => {
                for entry in self
                    .unacked
                    .iter_mut()
                    .filter(|entry| entry.0 == ack.packet_id)
                {
                    entry.3 = true;
                }
                stage.receive(self.name, &answer(0x62, ack.packet_id));
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.unacked.retain(|entry| entry.0 != ack.packet_id);
                self.send_waiting(stage);
            }
            other => panic!("the broker sent {other:?}"),
        }
        true
    }

    fn lose(&mut self, stage: &mut Stage) {
        stage
            .step(&format!("{} lost", self.name))
            .expect("this step cannot fail");
        stage.discard_sent(self.name);
        self.connect(stage);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Between two clients with lasting sessions, over lost connections and crashes: QoS 1 at least once, QoS 2 exactly
    /// once, and in order of first arrival.
    #[test]
    fn quality_of_service_is_kept(events in proptest::collection::vec(events(), 1..120)) {
        let mut limits = small_limits();
        (limits.queued_per_session_max, limits.deliveries_max, limits.messages_max) = (200, 1_000, 1_000);
        (limits.message_bytes_max, limits.queued_bytes_per_session_max) = (1_000 * 256, 1 << 20);
        let mut stage = Stage::new(limits);
        let (mut publisher, mut reader) = (Peer::new("p"), Peer::new("r"));
        reader.connect(&mut stage);
        stage.receive("r", &assemble("82 [ 0001 't' 02 ]"));
        prop_assert!(stage.next_sent("r").is_some() && stage.next_sent("r").is_some(), "CONNACK, SUBACK");
        stage.step("hold").expect("this step cannot fail");
        publisher.connect(&mut stage);
        let mut sent = Vec::new();
        for event in events {
            match event {
                Event::Publish(qos) => {
                    sent.push(qos);
                    publisher.waiting.push_back((qos, sent.len() as u32 - 1));
                    publisher.send_waiting(&mut stage);
                }
                Event::PublisherLost => publisher.lose(&mut stage),
                Event::PublisherReads => while publisher.read(&mut stage) {},
                Event::ReaderLost => reader.lose(&mut stage),
                Event::ReaderReads(count) => {
                    for _ in 0..count {
                        reader.read(&mut stage);
                    }
                }
                Event::Durable => stage.acknowledge_all(),
                Event::Crash => {
                    stage.step("crash").expect("it starts again");
                    publisher.connect(&mut stage);
                    reader.connect(&mut stage);
                }
                Event::Wait => stage.wait(1_000),
            }
        }
        for _ in 0..500 {
            stage.acknowledge_all();
            while publisher.read(&mut stage) || reader.read(&mut stage) {}
        }
        prop_assert!(publisher.unacked.is_empty() && publisher.waiting.is_empty(), "everything is acknowledged");
        for (number, qos) in sent.iter().enumerate() {
            let times = reader.got.get(&(number as u32)).copied().unwrap_or(0);
            let kept = if *qos == Qos::ExactlyOnce { times == 1 } else { times >= 1 };
            prop_assert!(kept, "{number} at {qos:?} came {times} times");
        }
        for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let mut first = Vec::new();
            for number in &reader.order {
                if sent[*number as usize] == qos && !first.contains(number) {
                    first.push(*number);
                }
            }
            prop_assert!(first.is_sorted(), "out of order: {first:?}"); // [MQTT-4.6.0-6]
        }
    }
}
