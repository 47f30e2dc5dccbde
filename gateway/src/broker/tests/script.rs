//! Conversations with a broker, written as text and checked byte by byte.
//!
//! A script is a list of steps, one a line (or separated by `;`); `a`, `b`, … name clients:
//!
//! | step | meaning |
//! |---|---|
//! | `a open` | a socket is accepted |
//! | `a > BYTES` | the client sends a packet |
//! | `a < BYTES` | the broker has sent this packet, the next one in order |
//! | `a closed` | the broker has closed the connection |
//! | `a lost` | the socket is gone |
//! | `a connects VERSION WORDS…` | open, CONNECT and CONNACK; `keep`: no clean start and a session that lasts 100 s; `present`: CONNACK says so; `alive N`: keep-alive |
//! | `a drained N` | the shell has written N bytes |
//! | `wait MS` | time passes |
//! | `hold`, `ack`, `ack last`, `ack REASON` | the engine keeps receipts back from now on; gives the oldest, the newest, or all back |
//! | `crash` | the process dies and starts again from what was persisted |
//! | `busy` | the last packet was given back |
//! | `gateway TOPIC QOS RETAIN TEXT` | the gateway publishes |
//! | `undecided`, `decide` | CONNECTs are not decided until then |
//! | `will TOPIC` | the engine was told of a will |
//! | `count COUNTER N`, `state N` | so much was counted; so many keys are in the durable state |
//! | `a oversize` | a packet above the limit begins |
//! | `a rights USER` | its rights become those of this user, or none |
//! | `a opens PLACE` | a socket is accepted at this place |
//! | `stop` | the gateway stops |
//!
//! BYTES are hex digits, `'text'` (with its two-byte length), `"raw"`, and `[ … ]` (with its length as variable byte integer).
//! What comes out and is not asked for fails the check. The words of a refusal are cut off before comparing.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::broker::{
    Broker, ConnectionId, Counter, Credentials, Inbound, Instant, Limits, Mutation, Outbound, Peer,
    Publish, Qos, ReasonCode, Receipt, Refusal, Rights, TopicBuffer, auth, frame_len,
};

/// Bounds small enough to be reached.
pub(super) fn small_limits() -> Limits {
    Limits {
        connections_max: 16,
        sessions_max: 8,
        client_id_bytes_max: 32,
        packet_bytes_max: 4_096,
        send_buffer_bytes_max: 16_384,
        session_expiry_s_max: 1_000,
        subscriptions_max: 24,
        subscriptions_per_session_max: 8,
        filter_nodes_max: 64,
        share_groups_max: 4,
        retained_max: 8,
        retained_bytes_max: 8_192,
        messages_max: 32,
        message_bytes_max: 16_384,
        deliveries_max: 64,
        queued_per_session_max: 8,
        queued_bytes_per_session_max: 8_192,
        outbound_inflight_max: 4,
        inbound_inflight_max: 4,
        receipts_max: 12,
        incoming_per_session_max: 6,
        topic_aliases_max: 4,
        alias_tables_max: 12,
        ..Limits::default()
    }
}

/// What the broker did to one connection.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Sent(Vec<u8>),
    Closed,
}

/// Everything the broker did, kept.
#[derive(Default)]
pub(super) struct Tape {
    done: HashMap<ConnectionId, VecDeque<Done>>,
    asked: VecDeque<(ConnectionId, String)>,
    pub(super) state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) wills: Vec<String>,
    /// Changes of the durable state so far.
    pub(super) mutations: usize,
}

impl Outbound for Tape {
    fn transmit(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        self.done
            .entry(to)
            .or_default()
            .push_back(Done::Sent(parts.concat()));
    }

    fn transmit_durable(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        self.transmit(to, parts);
    }

    fn close(&mut self, connection: ConnectionId) {
        self.done
            .entry(connection)
            .or_default()
            .push_back(Done::Closed);
    }

    fn authenticate(&mut self, connection: ConnectionId, credentials: Credentials<'_>) {
        let password = credentials
            .password
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let user = credentials.username.unwrap_or_default();
        assert!(password.is_none_or(|password| password.len() < 100));
        self.asked.push_back((connection, user.to_owned()));
    }

    fn persist(&mut self, mutation: Mutation<'_>) {
        self.mutations += 1;
        match mutation {
            Mutation::Put { key, value } => self.state.insert(key.to_vec(), value.to_vec()),
            Mutation::Delete { key } => self.state.remove(key),
        };
    }

    fn will(&mut self, publish: &Publish<'_>) {
        self.wills.push(publish.topic.to_owned());
    }
}

/// A broker with its clients and an engine that does as it is told.
pub(super) struct Stage {
    pub(super) broker: Broker,
    pub(super) tape: Tape,
    limits: Limits,
    now: Instant,
    places: HashMap<String, ConnectionId>,
    next_place: u16,
    generation: u32,
    hold: bool,
    wait_for_decision: bool,
    receipts: VecDeque<Receipt>,
    busy: bool,
}

const ROLES: &str = "
role all
  publish #
  subscribe #
  publish $SYS/#
role little
  publish sensors/%u/#
  subscribe alerts/%c/+
  refuse alerts/%c/hidden
user limited - little
";

impl Stage {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            broker: Broker::new(limits.clone()),
            tape: Tape::default(),
            limits,
            now: Instant(1_000_000),
            places: HashMap::new(),
            next_place: 0,
            generation: 0,
            hold: false,
            wait_for_decision: false,
            receipts: VecDeque::new(),
            busy: false,
        }
    }

    pub(super) fn step(&mut self, step: &str) -> Result<(), String> {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["wait", ms] => self.wait(ms.parse().expect("milliseconds")),
            ["hold"] => self.hold = true,
            ["undecided"] => self.wait_for_decision = true,
            ["decide"] => {
                self.wait_for_decision = false;
                self.decide();
            }
            ["busy"] => {
                if !core::mem::take(&mut self.busy) {
                    return Err("the packet was taken".into());
                }
            }
            ["ack", rest @ ..] => self.acknowledge(rest),
            ["crash"] => self.crash(),
            ["gateway", topic, qos, retain, text] => {
                let qos = Qos::from_bits(qos.parse().expect("QoS")).expect("QoS");
                let (now, retain) = (self.now, *retain == "1");
                self.broker
                    .publish(now, topic, text.as_bytes(), qos, retain, &mut self.tape);
            }
            ["will", topic] => {
                let told = self.tape.wills.pop();
                if told.as_deref() != Some(topic) {
                    return Err(format!("the engine was told of the will {told:?}"));
                }
            }
            ["count", counter, expected] => return self.expect_count(counter, expected),
            ["state", expected] => {
                if self.tape.state.len().to_string() != *expected {
                    return Err(format!("the durable state is {:?}", self.tape.state));
                }
            }
            ["stop"] => self.broker.handle_shutdown(&mut self.tape),
            _ => return self.step_of_client(step, &words),
        }
        Ok(())
    }

    fn step_of_client(&mut self, step: &str, words: &[&str]) -> Result<(), String> {
        match words {
            [name, "rights", user] => {
                let (now, id) = (self.now, self.places[*name]);
                let credentials = auth::Credentials::parse(ROLES).expect("the roles are valid");
                let rights = credentials
                    .find(user)
                    .map(|(_, rights)| rights)
                    .ok_or(Refusal::NotAuthorized);
                self.broker.replace_rights(now, id, rights, &mut self.tape);
            }
            [name, "oversize"] => {
                let (now, id) = (self.now, self.places[*name]);
                let error = frame_len(&[0x30, 0xFF, 0x7F], self.limits.packet_bytes_max)
                    .expect_err("too large");
                self.broker
                    .handle_frame_error(now, id, error, &mut self.tape);
            }
            [name, "opens", place] => {
                self.next_place = place.parse().expect("a place");
                self.open(name);
            }
            [name, "open"] => self.open(name),
            [name, "connects", rest @ ..] => return self.connect(name, rest),
            [name, "lost"] => {
                let (now, id) = (self.now, self.places[*name]);
                self.broker.handle_closed(now, id, &mut self.tape);
            }
            [name, "drained", bytes] => {
                let (now, id) = (self.now, self.places[*name]);
                self.broker
                    .handle_drained(now, id, bytes.parse().expect("bytes"), &mut self.tape);
            }
            [name, "closed"] => return self.expect_closed(name),
            [name, ">", ..] => {
                self.receive(name, &assemble(&step[step.find('>').unwrap_or(0) + 1..]))
            }
            [name, "<", ..] => {
                return self.expect(name, &assemble(&step[step.find('<').unwrap_or(0) + 1..]));
            }
            _ => panic!("no such step: {step}"),
        }
        Ok(())
    }

    /// Nothing may be left that no step asked for.
    pub(super) fn finish(&self) -> Result<(), String> {
        for (name, id) in &self.places {
            if let Some(Done::Sent(bytes)) = self.tape.done.get(id).and_then(|done| done.front()) {
                return Err(format!("{name} also got {}", hex(bytes)));
            }
            if let Some(Done::Closed) = self.tape.done.get(id).and_then(|done| done.front()) {
                return Err(format!("{name} was closed"));
            }
        }
        Ok(())
    }

    fn open(&mut self, name: &str) {
        self.generation += 1;
        let index = match self.places.get(name) {
            Some(id) => id.index,
            None => {
                self.next_place += 1;
                self.next_place - 1
            }
        };
        let id = ConnectionId {
            index,
            generation: self.generation,
        };
        self.places.insert(name.to_owned(), id);
        self.broker
            .handle_opened(self.now, id, Peer { loopback: true }, &mut self.tape);
    }

    fn connect(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        self.open(name);
        let keep = words.contains(&"keep");
        let present = u8::from(words.contains(&"present"));
        let alive = words
            .iter()
            .position(|word| *word == "alive")
            .map_or("0", |at| words[at + 1]);
        let alive: u16 = alive.parse().expect("seconds");
        let flags = if keep { "00" } else { "02" };
        let expiry = if keep { "11 00000064" } else { "" };
        let (packet, answer) = match words[0] {
            "4" => (
                format!("10 [ 'MQTT' 04 {flags} {alive:04x} '{name}' ]"),
                format!("20 [ {present:02x} 00 ]"),
            ),
            _ => (
                format!("10 [ 'MQTT' 05 {flags} {alive:04x} [ {expiry} ] '{name}' ]"),
                format!("20 [ {present:02x} 00 [ 21 0004 27 00001000 22 0004 ] ]"),
            ),
        };
        self.receive(name, &assemble(&packet));
        self.expect(name, &assemble(&answer))
    }

    /// Time passes; what is due meanwhile happens.
    pub(super) fn wait(&mut self, ms: u64) {
        let until = Instant(self.now.0 + ms);
        while let Some(due) = self.broker.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.broker.handle_timeout(self.now, &mut self.tape);
        }
        self.now = until;
    }

    pub(super) fn receive(&mut self, name: &str, bytes: &[u8]) {
        let id = self.places[name];
        let mut topic = TopicBuffer::new();
        let accepts = self.broker.accepts(id, bytes);
        let inbound = self
            .broker
            .handle_packet(self.now, id, bytes, &mut topic, &mut self.tape);
        assert_eq!(
            accepts,
            inbound != Inbound::Busy,
            "accepts() and handle_packet() agree"
        );
        match inbound {
            Inbound::None => {}
            Inbound::Busy => self.busy = true,
            Inbound::Publish(publish) => {
                self.broker.route(self.now, &publish, &mut self.tape);
                match publish.receipt {
                    Some(receipt) if self.hold => self.receipts.push_back(receipt),
                    Some(receipt) => {
                        self.broker
                            .acknowledge(receipt, ReasonCode::Success, &mut self.tape)
                    }
                    None => {}
                }
            }
        }
        if !self.wait_for_decision {
            self.decide();
        }
    }

    fn decide(&mut self) {
        let credentials = auth::Credentials::parse(ROLES).expect("the roles are valid");
        while let Some((id, user)) = self.tape.asked.pop_front() {
            let decision = match user.as_str() {
                "bad" => Err(Refusal::Credentials),
                "slowed" => Err(Refusal::Throttled),
                "crowd" => Err(Refusal::Busy),
                "stranger" => Err(Refusal::NotAuthorized),
                user => Ok(credentials
                    .find(user)
                    .map_or_else(|| Rights::all(user), |(_, rights)| rights)),
            };
            self.broker
                .handle_authenticated(self.now, id, decision, &mut self.tape);
        }
    }

    fn acknowledge(&mut self, words: &[&str]) {
        match words {
            [] => {
                let receipt = self.receipts.pop_front().expect("a receipt is held");
                self.broker
                    .acknowledge(receipt, ReasonCode::Success, &mut self.tape);
            }
            ["last"] => {
                let receipt = self.receipts.pop_back().expect("a receipt is held");
                self.broker
                    .acknowledge(receipt, ReasonCode::Success, &mut self.tape);
            }
            _ => {
                for receipt in core::mem::take(&mut self.receipts) {
                    self.broker.acknowledge(
                        receipt,
                        ReasonCode::PayloadFormatInvalid,
                        &mut self.tape,
                    );
                }
            }
        }
    }

    /// The engine gives all receipts back, in order, whether there are any or not.
    pub(super) fn acknowledge_all(&mut self) {
        for receipt in core::mem::take(&mut self.receipts) {
            self.broker
                .acknowledge(receipt, ReasonCode::Success, &mut self.tape);
        }
    }

    /// The next packet sent to a client, which has thereby been written.
    pub(super) fn next_sent(&mut self, name: &str) -> Option<Vec<u8>> {
        let (now, id) = (self.now, self.places[name]);
        match self.take(name)? {
            Done::Sent(bytes) => {
                self.broker
                    .handle_drained(now, id, bytes.len(), &mut self.tape);
                Some(bytes)
            }
            Done::Closed => panic!("{name} was closed"),
        }
    }

    /// What was on its way to a client is lost.
    pub(super) fn discard_sent(&mut self, name: &str) {
        self.tape.done.remove(&self.places[name]);
    }

    fn crash(&mut self) {
        self.broker = Broker::new(self.limits.clone());
        self.tape.done.clear();
        self.tape.asked.clear();
        self.receipts.clear();
        for (key, value) in self.tape.state.clone() {
            self.broker
                .restore(&key, &value)
                .expect("what was persisted can be restored");
        }
        self.broker.finish_restore(self.now, &mut self.tape);
    }

    fn expect_count(&self, name: &str, expected: &str) -> Result<(), String> {
        let counter = Counter::ALL
            .iter()
            .find(|counter| counter.name() == name)
            .expect("a counter");
        let count = self.broker.counters().count(*counter);
        if count.to_string() == expected {
            Ok(())
        } else {
            Err(format!("{name} is {count}"))
        }
    }

    fn take(&mut self, name: &str) -> Option<Done> {
        self.tape.done.get_mut(&self.places[name])?.pop_front()
    }

    fn expect(&mut self, name: &str, wanted: &[u8]) -> Result<(), String> {
        match self.take(name) {
            Some(Done::Sent(bytes)) => {
                let bytes = without_words(&bytes);
                if bytes == wanted {
                    return Ok(());
                }
                Err(format!(
                    "{name} got {} instead of {}",
                    hex(&bytes),
                    hex(wanted)
                ))
            }
            other => Err(format!("{name} got {other:?} instead of {}", hex(wanted))),
        }
    }

    fn expect_closed(&mut self, name: &str) -> Result<(), String> {
        match self.take(name) {
            Some(Done::Closed) => Ok(()),
            Some(Done::Sent(bytes)) => Err(format!(
                "{name} got {} instead of being closed",
                hex(&bytes)
            )),
            None => Err(format!("{name} was not closed")),
        }
    }
}

/// What is checked (with the clause, where there is one), and the script.
pub(super) type Row<'a> = (&'a str, &'a str);

/// Runs scripts, each against a broker of its own.
pub(super) fn check(rows: &[Row<'_>]) {
    let mut failures = String::new();
    for (clause, script) in rows {
        let mut stage = Stage::new(small_limits());
        let mut steps = script.split(['\n', ';']).map(str::trim);
        let played = steps.try_for_each(|step| {
            stage
                .step(step)
                .map_err(|failure| format!("`{step}`: {failure}"))
        });
        if let Err(failure) = played.and_then(|()| {
            stage
                .finish()
                .map_err(|failure| format!("at the end: {failure}"))
        }) {
            failures += &format!("{clause}: {failure}\n");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// A refusal without its words: CONNACK with a code of 0x80 and more, DISCONNECT.
fn without_words(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [0xE0, _, reason, ..] => vec![0xE0, 1, *reason],
        [0x20, _, present, reason @ 0x80..=0xFF, ..] => vec![0x20, 2, *present, *reason],
        _ => bytes.to_vec(),
    }
}

/// Bytes from the notation in the module's head.
pub(super) fn assemble(text: &str) -> Vec<u8> {
    let mut stack: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let top = stack.last_mut().expect("brackets match");
        let (len, after) = match first {
            '[' => {
                stack.push(Vec::new());
                (1, 1)
            }
            ']' => {
                let inner = stack.pop().expect("brackets match");
                let outer = stack.last_mut().expect("brackets match");
                put_varint(outer, inner.len());
                outer.extend(inner);
                (1, 1)
            }
            '\'' | '"' => {
                let end = rest[1..].find(first).expect("quotes match") + 1;
                let inner = &rest[1..end];
                if first == '\'' {
                    top.extend((inner.len() as u16).to_be_bytes());
                }
                top.extend(inner.bytes());
                (end, end + 1)
            }
            _ => {
                let end = rest
                    .find(|character: char| !character.is_ascii_hexdigit())
                    .unwrap_or(rest.len());
                let digits = &rest[..end];
                assert!(end > 0 && end % 2 == 0, "no bytes: {rest}");
                for at in (0..end).step_by(2) {
                    top.push(u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"));
                }
                (end, end)
            }
        };
        assert!(len > 0);
        rest = rest[after..].trim_start();
    }
    assert_eq!(stack.len(), 1, "brackets match: {text}");
    stack.remove(0)
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7F {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
