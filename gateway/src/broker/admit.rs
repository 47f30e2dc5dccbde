//! From the decision on a CONNECT to a session: rights, take-over, CONNACK.

use super::{
    Broker, ConnectionId, Instant, Outbound,
    accept::Refused,
    auth::Rights,
    client::{Client, Pending, State},
    counters::Counter,
    packet::{self, Bytes, CONNACK_BYTES, Connack, Version},
    reason::{ReasonCode, Refusal},
};

impl Broker {
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

    /// The rights of a client have changed: its subscriptions are held against the new ones, and without any it has to go.
    pub fn replace_rights(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        rights: Result<Rights, Refusal>,
        out: &mut impl Outbound,
    ) {
        let Some(index) = self.find_client(connection) else {
            return;
        };
        if !self.client(index).is_connected() {
            return;
        }
        match rights {
            Ok(rights) if self.client(index).rights.as_ref() == Some(&rights) => {}
            Ok(rights) => {
                self.client_mut(index).rights = Some(rights);
                self.prune_subscriptions(self.client(index).session, out);
            }
            Err(refusal) => {
                let text = "the user or its secret is no longer in the credentials file";
                self.refuse(now, index, refusal.reason(), text, out);
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
        let found = self.sessions.find(&pending.client_id);
        let takes_over = found.is_some_and(|session| self.sessions[session].client.is_some());
        if !takes_over && self.is_user_full(&rights) {
            self.counters.add(Counter::UserFull);
            return Err((
                ReasonCode::QuotaExceeded,
                "all of connections_per_user_max are taken",
            ));
        }
        match found {
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

    /// Whether the user has all the connections that one may have. A limit that cannot be reached is not counted for.
    fn is_user_full(&self, rights: &Rights) -> bool {
        let most = usize::from(self.limits.connections_per_user_max);
        let of_user = |client: &&Client| {
            let known = client.rights.as_ref().filter(|_| client.is_connected());
            known.is_some_and(|known| known.user() == rights.user())
        };
        most < usize::from(self.limits.connections_max)
            && self.clients.iter().filter(of_user).take(most).count() == most
    }

    fn open_session(
        &mut self,
        now: Instant,
        index: u16,
        mut pending: Pending,
        rights: Rights,
        out: &mut impl Outbound,
    ) {
        self.take_over(now, &pending.client_id, out);
        let expiry_s = pending
            .session_expiry_s
            .min(self.limits.session_expiry_s_max);
        let mut found = self.sessions.find(&pending.client_id);
        let was_durable = found.is_some_and(|session| self.sessions[session].is_durable());
        let discards = was_durable && (pending.clean_start || expiry_s == 0);
        if let Some(session) = found.filter(|_| pending.clean_start) {
            self.end_session(now, session, out); // [MQTT-3.1.2-4]
            found = None;
        }
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
        let bytes = self.connack(index, &pending, session_present, expiry_s);
        let connection = self.count_sent(index, &[bytes.as_slice()]);
        // State that comes back after a crash would be news to a client that was told it is gone: messages, and packet ids
        // under which its next ones would be taken for duplicates. A session that is lost before anything in it was
        // acknowledged is just a session that never was, so a new one need not wait, nor one that goes on.
        if discards {
            out.transmit_durable(connection, &[bytes.as_slice()]);
        } else {
            out.transmit(connection, &[bytes.as_slice()]);
        }
        if session_present {
            self.prune_subscriptions(session, out);
            self.advance(now, session, out);
        }
    }

    /// Closes the connection that the client has already, if it has one [MQTT-3.1.4-3].
    fn take_over(&mut self, now: Instant, client_id: &str, out: &mut impl Outbound) {
        let found = self.sessions.find(client_id);
        if let Some(before) = found.and_then(|session| self.sessions[session].client) {
            self.counters.add(Counter::TakenOver);
            self.refuse(now, before, ReasonCode::SessionTakenOver, "", out);
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

    fn connack(
        &self,
        index: u16,
        pending: &Pending,
        session_present: bool,
        expiry_s: u32,
    ) -> Bytes<CONNACK_BYTES> {
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
        packet::connack(client.version, &connack)
    }
}
