//! From an accepted socket to a session: CONNECT, the decision, take-over, CONNACK.

use core::fmt::Write as _;

use super::{
    Broker, ConnectionId, Credentials, Instant, Outbound, Peer,
    auth::Rights,
    client::{Client, Pending, State},
    counters::Counter,
    deadlines::later,
    index::hash,
    leave::Farewell,
    messages::Keep,
    packet::{self, Connack, Connect, Version},
    reason::{ReasonCode, Refusal},
    session::Will,
};

/// Why a CONNECT is refused: the code, and the words for v5.
type Refused = (ReasonCode, &'static str);

impl Broker {
    /// A socket was accepted; CONNECT has to come within `connect_timeout_ms`.
    pub fn handle_opened(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        peer: Peer,
        out: &mut impl Outbound,
    ) {
        let connect_by = later(now, self.limits.connect_timeout_ms);
        let index = connection.index;
        if usize::from(index) >= self.clients.len() {
            out.close(connection);
            return;
        }
        if !matches!(self.client(index).state, State::Closed) {
            let before = self.client(index).id;
            self.handle_closed(now, before, out);
        }
        self.counters.add(Counter::Opened);
        *self.client_mut(index) = Client {
            id: connection,
            peer,
            state: State::Opened,
            connect_by,
            heard: now,
            ..Client::closed()
        };
        self.deadlines.set(usize::from(index), Some(connect_by));
    }

    pub(super) fn handle_connect(
        &mut self,
        now: Instant,
        index: u16,
        packet: &[u8],
        out: &mut impl Outbound,
    ) {
        let connect = match packet::decode_connect(packet) {
            Ok(connect) => connect,
            Err(error) => {
                self.counters.add(Counter::Malformed);
                let text = words(error.malformed);
                match error.version {
                    Some(version) => {
                        self.client_mut(index).version = version;
                        self.refuse_connect(now, index, error.malformed.reason(), &text, out);
                    }
                    None => self.drop_client(now, index, Farewell::Lost, out),
                }
                return;
            }
        };
        let client = self.client_mut(index);
        client.version = connect.version;
        client.packet_bytes_max = connect.packet_bytes_max;
        client.receive_max = connect.receive_max;
        client.aliases_max = connect.aliases_max;
        match self.check_connect(&connect) {
            Ok(pending) => {
                let id = self.client(index).id;
                out.authenticate(
                    id,
                    Credentials {
                        client_id: &pending.client_id,
                        username: connect.username,
                        password: connect.password,
                    },
                );
                self.client_mut(index).state = State::Deciding(Box::new(pending));
            }
            Err((reason, text)) => self.refuse_connect(now, index, reason, text, out),
        }
    }

    fn check_connect(&mut self, connect: &Connect<'_>) -> Result<Pending, Refused> {
        if connect.names_auth_method {
            return Err((
                ReasonCode::BadAuthenticationMethod,
                "no method of enhanced authentication is offered",
            ));
        }
        if connect.client_id.len() > self.limits.client_id_bytes_max {
            return Err((
                ReasonCode::ClientIdInvalid,
                "the client id is longer than client_id_bytes_max",
            ));
        }
        let assigned = connect.client_id.is_empty();
        if assigned && connect.version == Version::V311 && !connect.clean_start {
            return Err((ReasonCode::ClientIdInvalid, "")); // [MQTT-3.1.3-8] of 3.1.1
        }
        let client_id = if assigned {
            self.assign_client_id()
        } else {
            Box::from(connect.client_id)
        };
        let will = match &connect.will {
            None => None,
            Some(will) => {
                // Its expiry runs from when it is published (3.1.3.2.4).
                let keep = Keep {
                    qos: will.qos,
                    retain: will.retain,
                    expires: None,
                };
                let Some(message) = self.messages.store(&will.content, keep) else {
                    self.counters.add(Counter::WillDropped);
                    return Err((ReasonCode::QuotaExceeded, "no room for the will; try later"));
                };
                Some(Will {
                    message,
                    delay_s: will.delay_s,
                    expiry_s: will.content.expiry_s,
                })
            }
        };
        Ok(Pending {
            client_id,
            assigned,
            clean_start: connect.clean_start,
            keep_alive_s: connect.keep_alive_s,
            session_expiry_s: connect.session_expiry_s,
            will,
        })
    }

    /// A client id which no one else can guess.
    fn assign_client_id(&mut self) -> Box<str> {
        loop {
            self.assigned += 1;
            let mark = hash(self.limits.seed, &self.assigned.to_le_bytes());
            let id = format!("assigned-{mark:016x}").into_boxed_str();
            if self.sessions.find(&id).is_none() {
                return id;
            }
        }
    }

    /// The decision on a CONNECT: what the client may do, or why it may not come in.
    pub fn handle_authenticated(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        decision: Result<Rights, Refusal>,
        out: &mut impl Outbound,
    ) {
        let Some(index) = self.find_client(connection) else {
            return;
        };
        let state = core::mem::replace(&mut self.client_mut(index).state, State::Opened);
        let State::Deciding(pending) = state else {
            self.client_mut(index).state = state;
            return;
        };
        match decision
            .map_err(|refusal| (refusal.reason(), ""))
            .and_then(|rights| self.admit(&pending, rights))
        {
            Ok(rights) => self.open_session(now, index, *pending, rights, out),
            Err((reason, text)) => {
                self.release_will(pending.will, out);
                self.refuse_connect(now, index, reason, text, out);
            }
        }
    }

    fn admit(&mut self, pending: &Pending, rights: Rights) -> Result<Rights, Refused> {
        if let Some(will) = pending.will {
            let mut scratch = core::mem::take(&mut self.scratch);
            let topic = self.messages.read_topic(will.message, &mut scratch);
            let allowed = rights.may_publish(&pending.client_id, topic);
            self.scratch = scratch;
            if !allowed {
                self.counters.add(Counter::PublishDenied);
                return Err((
                    ReasonCode::NotAuthorized,
                    "no right to publish to the will's topic",
                ));
            }
        }
        match self.sessions.find(&pending.client_id) {
            Some(session) if self.sessions[session].user != *rights.user() => {
                self.counters.add(Counter::ForeignClientId);
                Err((
                    ReasonCode::NotAuthorized,
                    "this client id belongs to another user",
                ))
            }
            Some(_) => Ok(rights),
            None if self.sessions.len() >= self.limits.sessions_max => {
                self.counters.add(Counter::SessionsFull);
                Err((
                    ReasonCode::QuotaExceeded,
                    "the table of sessions is full; try later",
                ))
            }
            None => Ok(rights),
        }
    }

    fn open_session(
        &mut self,
        now: Instant,
        index: u16,
        mut pending: Pending,
        rights: Rights,
        out: &mut impl Outbound,
    ) {
        let mut found = self.sessions.find(&pending.client_id);
        if let Some(session) = found {
            if let Some(before) = self.sessions[session].client {
                self.counters.add(Counter::TakenOver);
                self.refuse(now, before, ReasonCode::SessionTakenOver, "", out); // [MQTT-3.1.4-3]
            }
            found = self.sessions.find(&pending.client_id);
            if let Some(session) = found.filter(|_| pending.clean_start) {
                self.end_session(now, session, out); // [MQTT-3.1.2-4]
                found = None;
            }
        }
        let expiry_s = pending
            .session_expiry_s
            .min(self.limits.session_expiry_s_max);
        let session_present = found.is_some();
        let session = match found {
            Some(session) => session,
            None => {
                let client_id = core::mem::take(&mut pending.client_id);
                match self
                    .sessions
                    .insert(client_id, rights.user().clone(), expiry_s)
                {
                    Some(session) => session,
                    None => {
                        self.release_will(pending.will, out);
                        self.refuse_connect(
                            now,
                            index,
                            ReasonCode::QuotaExceeded,
                            "the table of sessions is full",
                            out,
                        );
                        return;
                    }
                }
            }
        };
        self.bind(now, index, session, &pending, rights, out);
        self.send_connack(index, &pending, session_present, expiry_s, out);
        if session_present {
            self.prune_subscriptions(session, out);
            self.advance(now, session, out);
        }
    }

    fn bind(
        &mut self,
        now: Instant,
        index: u16,
        session: u32,
        pending: &Pending,
        rights: Rights,
        out: &mut impl Outbound,
    ) {
        let expiry_s = pending
            .session_expiry_s
            .min(self.limits.session_expiry_s_max);
        let kept = self.sessions[session].is_durable();
        let entry = &mut self.sessions[session];
        entry.client = Some(index);
        entry.expiry_s = expiry_s;
        (entry.ends_at, entry.will_at) = (None, None);
        entry.outstanding = 0;
        entry.resend = entry.inflight.head();
        let will_before = core::mem::replace(&mut entry.will, pending.will);
        let owner = self.session_owner(session);
        self.deadlines.set(owner, None);
        self.release_will(will_before, out); // it came back before the delay was over [MQTT-3.1.3-9]
        match (kept, expiry_s > 0) {
            (_, true) => self.persist_session(session, out),
            (true, false) => self.forget_session(session, out),
            (false, false) => {}
        }
        let wants_aliases = self.client(index).version == Version::V5;
        let aliases_in = if wants_aliases {
            self.aliases.lend()
        } else {
            None
        };
        let aliases_out = if self.client(index).aliases_max > 0 {
            self.aliases.lend()
        } else {
            None
        };
        let keep_alive_s = self.keep_alive_s(index, pending.keep_alive_s);
        let client = self.client_mut(index);
        client.state = State::Connected;
        client.session = session;
        client.rights = Some(rights);
        client.silence_ms_max = u64::from(keep_alive_s) * 1_500;
        client.heard = now;
        (client.aliases_in, client.aliases_out) = (aliases_in, aliases_out);
        let due = client.due();
        self.deadlines.set(usize::from(index), due);
        self.counters.add(Counter::Connected);
    }

    /// The keep-alive in force. A v5 client can be told a shorter one `[MQTT-3.2.2-21]`; 0 stays "none".
    fn keep_alive_s(&self, index: u16, asked: u16) -> u16 {
        match self.client(index).version {
            Version::V5 => asked.min(self.limits.keep_alive_s_max),
            Version::V311 => asked,
        }
    }

    fn send_connack(
        &mut self,
        index: u16,
        pending: &Pending,
        session_present: bool,
        expiry_s: u32,
        out: &mut impl Outbound,
    ) {
        let client = self.client(index);
        let keep_alive_s = self.keep_alive_s(index, pending.keep_alive_s);
        let connack = Connack {
            session_present,
            session_expiry_s: (expiry_s != pending.session_expiry_s).then_some(expiry_s),
            receive_max: self.limits.inbound_inflight_max,
            packet_bytes_max: self.limits.packet_bytes_max as u32,
            aliases_max: if client.aliases_in.is_some() {
                self.aliases.per_table()
            } else {
                0
            },
            keep_alive_s: (keep_alive_s != pending.keep_alive_s).then_some(keep_alive_s),
            assigned_client_id: pending
                .assigned
                .then(|| &*self.sessions[client.session].client_id),
        };
        let bytes = packet::connack(client.version, &connack);
        self.send(index, &[bytes.as_slice()], out);
    }

    pub(super) fn refuse_connect(
        &mut self,
        now: Instant,
        index: u16,
        reason: ReasonCode,
        text: &str,
        out: &mut impl Outbound,
    ) {
        self.counters.add(Counter::ConnectRefused);
        let client = self.client(index);
        let text = if client.packet_bytes_max < 160 {
            ""
        } else {
            text
        };
        if let Some(bytes) = packet::connack_refused(client.version, reason, text) {
            self.send(index, &[bytes.as_slice()], out);
        }
        self.drop_client(now, index, Farewell::Lost, out);
    }
}

/// A refusal in words, cut to what fits into a small packet.
pub(super) fn words(error: impl core::fmt::Display) -> heapless::String<120> {
    struct Cut(heapless::String<120>);
    impl core::fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            for character in text.chars() {
                self.0.push(character).map_err(|_| core::fmt::Error)?;
            }
            Ok(())
        }
    }
    let mut cut = Cut(heapless::String::new());
    let _cut_short = write!(cut, "{error}").is_err();
    cut.0
}
