//! A broker with an engine that does what the contract asks, and checks after every call that the contract was kept.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::broker::{
    Broker, ConnectionId, Credentials, FrameError, Inbound, Instant, Limits, Mutation, Outbound,
    Peer, Publish, Qos, ReasonCode, Receipt, Refusal, Rights, TopicBuffer, auth, frame_len,
};

/// Connections of a stage.
pub const CLIENTS: u8 = 4;
/// Longer than every session here lasts.
const LONG_MS: u64 = 2_000_000;
/// First byte of the keys of retained messages, the only state that outlives all sessions.
const RETAINED: u8 = 6;

const ROLES: &str = "
role little
  publish t/%u/#
  subscribe t/%c/+
  refuse t/%c/hidden
user u - little
";

/// Bounds small enough to be reached.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        connections_max: u16::from(CLIENTS),
        sessions_max: 6,
        client_id_bytes_max: 32,
        packet_bytes_max: 1_024,
        send_buffer_bytes_max: 4_096,
        session_expiry_s_max: 1_000,
        subscriptions_max: 16,
        subscriptions_per_session_max: 6,
        filter_nodes_max: 32,
        share_groups_max: 3,
        retained_max: 6,
        retained_bytes_max: 4_096,
        messages_max: 16,
        message_bytes_max: 8_192,
        deliveries_max: 32,
        queued_per_session_max: 6,
        queued_bytes_per_session_max: 4_096,
        outbound_inflight_max: 3,
        inbound_inflight_max: 3,
        receipts_max: 8,
        incoming_per_session_max: 4,
        topic_aliases_max: 2,
        alias_tables_max: 5,
        ..Limits::default()
    }
}

/// What the broker did.
#[derive(Default)]
struct Tape {
    asked: VecDeque<(ConnectionId, bool)>,
    open: HashSet<ConnectionId>,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    mutations: usize,
}

impl Outbound for Tape {
    fn transmit(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        assert!(
            self.open.contains(&to),
            "a packet for a connection that is closed"
        );
        let packet = parts.concat();
        assert_eq!(
            frame_len(&packet, usize::MAX),
            Ok(Some(packet.len())),
            "one whole packet"
        );
    }

    fn transmit_durable(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        self.transmit(to, parts);
    }

    fn close(&mut self, connection: ConnectionId) {
        assert!(self.open.remove(&connection), "closed twice");
    }

    fn authenticate(&mut self, connection: ConnectionId, credentials: Credentials<'_>) {
        self.asked
            .push_back((connection, credentials.username == Some("u")));
    }

    fn persist(&mut self, mutation: Mutation<'_>) {
        self.mutations += 1;
        match mutation {
            Mutation::Put { key, value } => self.state.insert(key.to_vec(), value.to_vec()),
            Mutation::Delete { key } => self.state.remove(key),
        };
    }

    fn will(&mut self, publish: &Publish<'_>) {
        check_topic(publish.topic);
    }
}

fn check_topic(topic: &str) {
    assert!(
        !topic.is_empty() && !topic.contains(['\0', '+', '#']),
        "no topic: {topic:?}"
    );
}

/// The broker, its clients, and what it is owed.
pub struct Stage {
    broker: Broker,
    tape: Tape,
    limits: Limits,
    little: Rights,
    now: Instant,
    generation: u32,
    places: [Option<ConnectionId>; CLIENTS as usize],
    receipts: VecDeque<Receipt>,
}

impl Default for Stage {
    fn default() -> Self {
        let credentials = auth::Credentials::parse(ROLES).expect("the roles are valid");
        Self {
            broker: Broker::new(limits()),
            tape: Tape::default(),
            limits: limits(),
            little: credentials.find("u").expect("the user is there").1,
            now: Instant(1_000_000),
            generation: 0,
            places: [None; CLIENTS as usize],
            receipts: VecDeque::new(),
        }
    }
}

impl Stage {
    /// A socket is accepted at the client's place; what was there is lost.
    pub fn open(&mut self, client: u8) {
        self.lose(client);
        self.generation += 1;
        let id = ConnectionId {
            index: u16::from(client),
            generation: self.generation,
        };
        self.places[usize::from(client)] = Some(id);
        self.tape.open.insert(id);
        self.broker
            .handle_opened(self.now, id, Peer { loopback: true }, &mut self.tape);
        self.check(true);
    }

    /// The client's socket is gone.
    pub fn lose(&mut self, client: u8) {
        if let Some(id) = self.places[usize::from(client)].take() {
            self.tape.open.remove(&id);
            self.broker.handle_closed(self.now, id, &mut self.tape);
            self.check(true);
        }
    }

    /// The client sends these bytes, from which one packet is cut. Returns how many were used.
    pub fn receive(&mut self, client: u8, bytes: &[u8]) -> usize {
        let len = match frame_len(bytes, self.limits.packet_bytes_max) {
            Ok(Some(len)) if len <= bytes.len() => len,
            Ok(_) => return bytes.len(),
            Err(error) => {
                self.break_frame(client, error);
                return bytes.len();
            }
        };
        if let Some(id) = self.places[usize::from(client)] {
            self.receive_packet(id, &bytes[..len]);
            self.check(true);
        }
        len
    }

    fn break_frame(&mut self, client: u8, error: FrameError) {
        if let Some(id) = self.places[usize::from(client)].filter(|id| self.tape.open.contains(id))
        {
            self.broker
                .handle_frame_error(self.now, id, error, &mut self.tape);
            self.check(true);
        }
    }

    fn receive_packet(&mut self, id: ConnectionId, packet: &[u8]) {
        let mut topic = TopicBuffer::new();
        let accepts = self.broker.accepts(id, packet);
        let inbound = self
            .broker
            .handle_packet(self.now, id, packet, &mut topic, &mut self.tape);
        // A malformed packet may be told to wait as well, but what is accepted is taken.
        assert!(
            !accepts || inbound != Inbound::Busy,
            "accepted, but not taken"
        );
        if let Inbound::Publish(publish) = inbound {
            check_topic(publish.topic);
            assert_eq!(publish.receipt.is_some(), publish.qos > Qos::AtMostOnce);
            self.broker.route(self.now, &publish, &mut self.tape);
            self.receipts.extend(publish.receipt);
        }
        self.decide();
    }

    fn decide(&mut self) {
        while let Some((id, is_little)) = self.tape.asked.pop_front() {
            let rights = if is_little {
                self.little.clone()
            } else {
                Rights::all("")
            };
            self.broker
                .handle_authenticated(self.now, id, Ok(rights), &mut self.tape);
        }
    }

    /// The oldest message that is owed an acknowledgement is durable.
    pub fn acknowledge(&mut self, reason: ReasonCode) {
        if let Some(receipt) = self.receipts.pop_front() {
            self.broker.acknowledge(receipt, reason, &mut self.tape);
            self.check(true);
        }
    }

    /// All of what was sent to the client is written.
    pub fn drain(&mut self, client: u8) {
        if let Some(id) = self.places[usize::from(client)] {
            self.broker
                .handle_drained(self.now, id, usize::MAX, &mut self.tape);
            self.check(true);
        }
    }

    /// The client's rights are now the small ones, or none.
    pub fn replace_rights(&mut self, client: u8, some: bool) {
        if let Some(id) = self.places[usize::from(client)] {
            let rights = if some {
                Ok(self.little.clone())
            } else {
                Err(Refusal::NotAuthorized)
            };
            self.broker
                .replace_rights(self.now, id, rights, &mut self.tape);
            self.check(true);
        }
    }

    /// The gateway publishes.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: Qos, retain: bool) {
        self.broker
            .publish(self.now, topic, payload, qos, retain, &mut self.tape);
        self.check(true);
    }

    /// Time passes, and what is due happens.
    pub fn wait(&mut self, ms: u64) {
        let until = Instant(self.now.0 + ms);
        while let Some(due) = self.broker.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.broker.handle_timeout(self.now, &mut self.tape);
        }
        self.now = until;
        self.check(false);
    }

    /// The process dies and starts again from what was persisted.
    pub fn crash(&mut self) {
        self.broker = Broker::new(self.limits.clone());
        self.places = [None; CLIENTS as usize];
        self.tape.open.clear();
        self.tape.asked.clear();
        self.receipts.clear();
        for (key, value) in self.tape.state.clone() {
            self.broker
                .restore(&key, &value)
                .expect("what was persisted can be restored");
        }
        self.broker.finish_restore(self.now, &mut self.tape);
        self.check(false);
    }

    /// All clients go and stay away: sessions end, and with them all that is theirs, on disk too.
    pub fn end(mut self) {
        (0..CLIENTS).for_each(|client| self.lose(client));
        self.wait(LONG_MS);
        while !self.receipts.is_empty() {
            self.acknowledge(ReasonCode::Success);
        }
        let usage = self.broker.usage();
        let left = [
            usage.sessions,
            usage.subscriptions,
            usage.messages,
            usage.deliveries,
            usage.receipts,
            usage.packet_ids,
        ];
        assert_eq!(
            left, [0; 6],
            "when all sessions are over nothing is left of them"
        );
        assert!(
            self.tape.state.keys().all(|key| key[0] == RETAINED),
            "only retained messages are left on disk"
        );
    }

    fn check(&mut self, is_step: bool) {
        let caused = core::mem::take(&mut self.tape.mutations);
        assert!(
            !is_step || caused <= 2 * self.limits.mutations_per_step_max(),
            "{caused} changes in one step"
        );
        let usage = self.broker.usage();
        for (used, max) in [
            (usage.sessions, self.limits.sessions_max),
            (usage.subscriptions, self.limits.subscriptions_max),
            (usage.retained, self.limits.retained_max),
            (usage.messages, self.limits.messages_max),
            (usage.deliveries, self.limits.deliveries_max),
            (usage.receipts, self.limits.receipts_max),
        ] {
            assert!(used <= max, "{usage:?}");
        }
    }
}
