//! How a client goes: DISCONNECT, a lost socket, a refusal; what becomes of its will and its session.

use super::{
    Broker, ConnectionId, Instant, Outbound, Publish,
    accept::words,
    client::{Client, State},
    counters::Counter,
    deadlines::later,
    packet::{self, Content, Disconnect, FrameError, Malformed, Qos, Version},
    reason::ReasonCode,
    session::Will,
    slab::{List, NONE},
};

/// Whether the client said good-bye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// DISCONNECT with reason 0: the will is forgotten `[MQTT-3.1.2-10]`.
    Clean,
    /// Anything else: the will is published `[MQTT-3.1.2-8]`.
    Lost,
}

impl Broker {
    /// The socket is gone. After a [`Outbound::close`] of ours nothing is left to do here.
    pub fn handle_closed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        out: &mut impl Outbound,
    ) {
        if let Some(index) = self.find_client(connection) {
            self.leave(now, index, Farewell::Lost, out);
        }
    }

    /// Bytes came which cannot be cut into packets: the connection is refused.
    pub fn handle_frame_error(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        error: FrameError,
        out: &mut impl Outbound,
    ) {
        let Some(index) = self.find_client(connection) else {
            return;
        };
        self.counters.add(match error {
            FrameError::TooLarge { .. } => Counter::Oversize,
            FrameError::Length => Counter::Malformed,
            FrameError::NotConnect => Counter::ProtocolError,
        });
        let text = words(error);
        self.refuse(now, index, error.reason(), &text, out);
    }

    /// Sends a client away, for a reason of the operator's or the engine's.
    pub fn disconnect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: ReasonCode,
        out: &mut impl Outbound,
    ) {
        if let Some(index) = self.find_client(connection) {
            self.refuse(now, index, reason, "", out);
        }
    }

    /// The gateway stops: every client is told and closed. Sessions, wills included, stay as they are.
    pub fn handle_shutdown(&mut self, out: &mut impl Outbound) {
        for index in 0..self.limits.connections_max {
            if matches!(self.client(index).state, State::Closed) {
                continue;
            }
            if self.client(index).is_connected() && self.client(index).version == Version::V5 {
                let bytes = packet::disconnect(ReasonCode::ServerShuttingDown, "");
                self.send(index, &[bytes.as_slice()], out);
            }
            let id = self.client(index).id;
            out.close(id);
        }
    }

    pub(super) fn handle_disconnect(
        &mut self,
        now: Instant,
        index: u16,
        disconnect: Disconnect,
        out: &mut impl Outbound,
    ) {
        let session = self.client(index).session;
        if let Some(expiry_s) = disconnect.session_expiry_s {
            let entry = &mut self.sessions[session];
            if entry.expiry_s == 0 && expiry_s > 0 {
                self.refuse_malformed(now, index, Malformed::ExpiryRaised, out);
                return;
            }
            let was_durable = entry.is_durable();
            entry.expiry_s = expiry_s.min(self.limits.session_expiry_s_max);
            if was_durable && !entry.is_durable() {
                self.forget_session(session, out);
            }
        }
        let farewell = if disconnect.with_will {
            Farewell::Lost
        } else {
            Farewell::Clean
        };
        self.drop_client(now, index, farewell, out);
    }

    /// Closes a connection for a packet that is none.
    pub(super) fn refuse_malformed(
        &mut self,
        now: Instant,
        index: u16,
        malformed: Malformed,
        out: &mut impl Outbound,
    ) {
        self.counters.add(match malformed.reason() {
            ReasonCode::ProtocolError => Counter::ProtocolError,
            ReasonCode::TopicNameInvalid => Counter::TopicInvalid,
            ReasonCode::TopicAliasInvalid => Counter::AliasInvalid,
            _ => Counter::Malformed,
        });
        let text = words(malformed);
        self.refuse(now, index, malformed.reason(), &text, out);
    }

    /// Closes a connection; a v5 client is told why `[MQTT-4.13.1-1]`, a 3.1.1 client cannot be.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        index: u16,
        reason: ReasonCode,
        text: &str,
        out: &mut impl Outbound,
    ) {
        let client = self.client(index);
        if client.is_connected() && client.version == Version::V5 {
            // No words that make it larger than the client takes [MQTT-3.14.2-3].
            let text = if client.packet_bytes_max < 160 {
                ""
            } else {
                text
            };
            let bytes = packet::disconnect(reason, text);
            self.send(index, &[bytes.as_slice()], out);
        }
        self.drop_client(now, index, Farewell::Lost, out);
    }

    /// Closes a connection without a word.
    pub(super) fn drop_client(
        &mut self,
        now: Instant,
        index: u16,
        farewell: Farewell,
        out: &mut impl Outbound,
    ) {
        let id = self.client(index).id;
        out.close(id);
        self.leave(now, index, farewell, out);
    }

    fn leave(&mut self, now: Instant, index: u16, farewell: Farewell, out: &mut impl Outbound) {
        self.deadlines.set(usize::from(index), None);
        let id = self.client(index).id;
        let client = core::mem::replace(
            self.client_mut(index),
            Client {
                id,
                ..Client::closed()
            },
        );
        for table in [client.aliases_in, client.aliases_out]
            .into_iter()
            .flatten()
        {
            self.aliases.take_back(table);
        }
        match client.state {
            State::Closed | State::Opened => return,
            State::Deciding(pending) => {
                self.release_will(pending.will, out);
                return;
            }
            State::Connected => {}
        }
        self.abandon_owed(client.owed);
        self.leave_session(now, client.session, farewell, out);
    }

    /// QoS 1 is forgotten, as the client sends it again. A QoS 2 message is the session's until it is released.
    fn abandon_owed(&mut self, mut owed: List) {
        while let Some(number) = owed.pop_front(&self.receipts.owed) {
            let entry = &mut self.receipts.owed[number];
            entry.client = None;
            let waits = entry.qos == Qos::ExactlyOnce && entry.incoming != NONE;
            let settled = entry.outcome.is_some();
            let incoming = entry.incoming;
            if waits && !settled {
                continue;
            }
            self.receipts.owed.remove(number);
            if let Some(incoming) = self.receipts.incoming.get_mut(incoming) {
                incoming.owed = NONE;
            }
        }
    }

    fn leave_session(
        &mut self,
        now: Instant,
        session: u32,
        farewell: Farewell,
        out: &mut impl Outbound,
    ) {
        let entry = &mut self.sessions[session];
        entry.client = None;
        (entry.outstanding, entry.resend) = (0, NONE);
        let expiry_s = entry.expiry_s;
        match (farewell, entry.will) {
            (Farewell::Clean, will) => {
                entry.will = None;
                self.release_will(will, out);
            }
            (Farewell::Lost, Some(will)) if will.delay_s > 0 && expiry_s > 0 => {
                // If the session ends earlier it is published then.
                entry.will_at = Some(later(now, u64::from(will.delay_s) * 1_000));
            }
            (Farewell::Lost, Some(_)) => self.publish_will(now, session, out),
            (Farewell::Lost, None) => {}
        }
        if expiry_s == 0 {
            self.end_session(now, session, out);
            return;
        }
        self.sessions[session].ends_at = Some(later(now, u64::from(expiry_s) * 1_000));
        self.persist_session(session, out);
        self.arm_session(session);
    }

    /// Ends a session that has no connection, and with it all that it held.
    pub(super) fn end_session(&mut self, now: Instant, session: u32, out: &mut impl Outbound) {
        self.publish_will(now, session, out); // [MQTT-3.1.3-9]: not later than the session's end
        if self.sessions[session].is_durable() {
            self.forget_session(session, out);
        }
        // From here on nothing of it is in the durable state, so removing its parts writes nothing but bodies.
        self.sessions[session].expiry_s = 0;
        while self.sessions[session].subscriptions != NONE {
            let first = self.sessions[session].subscriptions;
            self.remove_subscription(session, first);
        }
        loop {
            let entry = &mut self.sessions[session];
            let number = match entry.queue.pop_front(&self.deliveries) {
                Some(number) => number,
                None => match entry.inflight.pop_front(&self.deliveries) {
                    Some(number) => number,
                    None => break,
                },
            };
            self.discard_delivery(session, number, out);
        }
        let mut incoming = self.sessions[session].incoming;
        self.receipts.clear_incoming(&mut incoming, session);
        let owner = self.session_owner(session);
        self.deadlines.set(owner, None);
        self.sessions.remove(session);
    }

    pub(super) fn release_will(&mut self, will: Option<Will>, out: &mut impl Outbound) {
        if let Some(will) = will {
            self.release_message(will.message, out);
        }
    }

    /// Publishes a session's will, if it has one.
    pub(super) fn publish_will(&mut self, now: Instant, session: u32, out: &mut impl Outbound) {
        let entry = &mut self.sessions[session];
        entry.will_at = None;
        let Some(will) = entry.will.take() else {
            return;
        };
        let Some(message) = self.messages.get(will.message).copied() else {
            return;
        };
        let mut scratch = core::mem::take(&mut self.will_scratch);
        let content = Content {
            expiry_s: will.expiry_s,
            ..self.messages.read(will.message, now, &mut scratch)
        };
        let publish = Publish::with_content(content, message.qos, message.retain);
        self.counters.add(Counter::WillPublished);
        self.route(now, &publish, out);
        out.will(&publish);
        self.will_scratch = scratch;
        self.release_message(will.message, out);
    }

    /// The session's deadline came: its will, its end, or more retained messages are due.
    pub(super) fn handle_session_due(
        &mut self,
        now: Instant,
        session: u32,
        out: &mut impl Outbound,
    ) {
        let Some(entry) = self.sessions.get(session) else {
            return;
        };
        if entry.ends_at.is_some_and(|at| at <= now) {
            self.counters.add(Counter::SessionExpired);
            self.end_session(now, session, out);
            return;
        }
        if entry.will_at.is_some_and(|at| at <= now) {
            self.publish_will(now, session, out);
        }
        self.arm_session(session);
        self.advance(now, session, out);
    }

    pub(super) fn arm_session(&mut self, session: u32) {
        let entry = &self.sessions[session];
        let due = match (entry.will_at, entry.ends_at) {
            (Some(will), Some(end)) => Some(will.min(end)),
            (one, other) => one.or(other),
        };
        let owner = self.session_owner(session);
        self.deadlines.set(owner, due);
    }

    /// The connection's deadline came: it is silent, or did not connect in time.
    pub(super) fn handle_client_due(&mut self, now: Instant, index: u16, out: &mut impl Outbound) {
        let client = self.client(index);
        match client.due() {
            Some(due) if due <= now => {}
            due => {
                self.deadlines.set(usize::from(index), due);
                return;
            }
        }
        if !client.is_connected() {
            self.counters.add(Counter::ConnectTimedOut);
            self.drop_client(now, index, Farewell::Lost, out);
        } else {
            self.counters.add(Counter::KeepAliveExpired);
            self.refuse(now, index, ReasonCode::KeepAliveTimeout, "", out);
        }
    }
}
