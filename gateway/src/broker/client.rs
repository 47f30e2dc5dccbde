//! One connection as the broker sees it, from accept to close, and what is sent over it.

use super::{
    Broker, ConnectionId, Instant, Outbound, Peer,
    aliases::AliasTable,
    auth::Rights,
    counters::Counter,
    deadlines::later,
    limits::{ANSWER_BYTES_MAX, DRAIN_REPORT_BYTES},
    packet::{self, Content, PublishHead, Version},
    reason::ReasonCode,
    session::Will,
    slab::{List, NONE},
};

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum State {
    /// No socket, or one that we have closed.
    Closed,
    /// CONNECT is awaited.
    Opened,
    /// CONNECT is here; whether its sender may come in is being decided outside.
    Deciding(Box<Pending>),
    /// In a session.
    Connected,
}

/// A CONNECT that waits for the decision.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) client_id: Box<str>,
    /// We chose the client id.
    pub(super) assigned: bool,
    pub(super) clean_start: bool,
    pub(super) keep_alive_s: u16,
    pub(super) session_expiry_s: u32,
    pub(super) will: Option<Will>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: ConnectionId,
    pub(super) peer: Peer,
    pub(super) state: State,
    pub(super) version: Version,
    pub(super) session: u32,
    pub(super) rights: Option<Rights>,
    /// When it is closed unless it is in a session by then.
    pub(super) connect_by: Instant,
    /// One and a half keep-alives `[MQTT-3.1.2-22]`; 0: none.
    pub(super) silence_ms_max: u64,
    /// When the last packet came.
    pub(super) heard: Instant,
    /// Bytes handed over and not written yet.
    pub(super) unsent: usize,
    /// The client's Maximum Packet Size, Receive Maximum and Topic Alias Maximum.
    pub(super) packet_bytes_max: u32,
    pub(super) receive_max: u16,
    pub(super) aliases_max: u16,
    pub(super) aliases_in: Option<AliasTable>,
    pub(super) aliases_out: Option<AliasTable>,
    /// Acknowledgements owed, in the order of receipt.
    pub(super) owed: List,
    /// What it has used of the Receive Maximum we granted (4.9).
    pub(super) granted_used: u16,
}

impl Client {
    pub(super) const fn closed() -> Self {
        Self {
            id: ConnectionId {
                index: 0,
                generation: 0,
            },
            peer: Peer { loopback: false },
            state: State::Closed,
            version: Version::V311,
            session: NONE,
            rights: None,
            connect_by: Instant(0),
            silence_ms_max: 0,
            heard: Instant(0),
            unsent: 0,
            packet_bytes_max: u32::MAX,
            receive_max: u16::MAX,
            aliases_max: 0,
            aliases_in: None,
            aliases_out: None,
            owed: List::new(),
            granted_used: 0,
        }
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// When it is to be looked at again, as far as is known now.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Opened | State::Deciding(_) => Some(self.connect_by),
            State::Connected => {
                (self.silence_ms_max > 0).then(|| later(self.heard, self.silence_ms_max))
            }
        }
    }
}

/// How one copy of a message is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy<'a> {
    pub(super) dup: bool,
    pub(super) qos: packet::Qos,
    pub(super) retain: bool,
    pub(super) packet_id: u16,
    pub(super) subscription_ids: &'a [u32],
}

impl Broker {
    /// The open connection of this id; `None` if it is closed or the place was given to another.
    pub(super) fn find_client(&self, connection: ConnectionId) -> Option<u16> {
        let client = self.clients.get(usize::from(connection.index))?;
        let open = client.id == connection && !matches!(client.state, State::Closed);
        open.then_some(connection.index)
    }

    pub(super) fn client(&self, index: u16) -> &Client {
        &self.clients[usize::from(index)]
    }

    pub(super) fn client_mut(&mut self, index: u16) -> &mut Client {
        &mut self.clients[usize::from(index)]
    }

    /// Hands one packet over, counted against the connection's send buffer.
    pub(super) fn send(&mut self, index: u16, parts: &[&[u8]], out: &mut impl Outbound) {
        let connection = self.count_sent(index, parts);
        out.transmit(connection, parts);
    }

    /// The same for a packet that tells of the session's state: where the session outlasts its connection, that has to be on
    /// disk first.
    pub(super) fn send_state(&mut self, index: u16, parts: &[&[u8]], out: &mut impl Outbound) {
        let connection = self.count_sent(index, parts);
        if self.sessions[self.client(index).session].is_durable() {
            out.transmit_durable(connection, parts);
        } else {
            out.transmit(connection, parts);
        }
    }

    pub(super) fn count_sent(&mut self, index: u16, parts: &[&[u8]]) -> ConnectionId {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if let Some(&first) = parts.first().and_then(|part| part.first()) {
            self.counters.sent(first);
        }
        let client = self.client_mut(index);
        client.unsent += len;
        client.id
    }

    /// Sends an acknowledgement, its reason where the version has room for it.
    pub(super) fn send_ack(
        &mut self,
        index: u16,
        kind: u8,
        packet_id: u16,
        reason: ReasonCode,
        out: &mut impl Outbound,
    ) {
        let bytes = packet::ack(kind, self.client(index).version, packet_id, reason);
        let parts = &[bytes.as_slice()];
        // These let the other side use the packet id for another message.
        let frees_id = match kind {
            packet::kind::PUBREL | packet::kind::PUBCOMP => true,
            packet::kind::PUBREC => reason.is_failure(), // [MQTT-4.3.3-9]
            _ => false,
        };
        if frees_id {
            self.send_state(index, parts, out);
        } else {
            self.send(index, parts, out);
        }
    }

    /// True if a message of about `len` bytes may go to the connection now. One always may when next to nothing waits.
    pub(super) fn has_room(&self, index: u16, len: usize) -> bool {
        let unsent = self.client(index).unsent;
        unsent <= DRAIN_REPORT_BYTES || unsent + len <= self.limits.send_buffer_bytes_max
    }

    /// True if so many answers wait that no packet is taken before some are written.
    pub(super) fn is_clogged(&self, index: u16) -> bool {
        self.client(index).unsent >= self.limits.send_buffer_bytes_max + ANSWER_BYTES_MAX
    }

    /// Sends a PUBLISH; false if the client has no right to it, or takes no packet of its size `[MQTT-3.1.2-24]`.
    pub(super) fn send_copy(
        &mut self,
        index: u16,
        content: &Content<'_>,
        copy: &Copy<'_>,
        out: &mut impl Outbound,
    ) -> bool {
        let client = &self.clients[usize::from(index)];
        let client_id = &self.sessions[client.session].client_id;
        let may = |rights: &Rights| rights.may_receive(client_id, content.topic);
        if !client.rights.as_ref().is_none_or(may) {
            self.counters.add(Counter::ReceiveDenied);
            return false;
        }
        let mut head = PublishHead {
            version: client.version,
            dup: copy.dup,
            qos: copy.qos,
            retain: copy.retain,
            packet_id: copy.packet_id,
            alias: None,
            expiry_s: content.expiry_s,
            subscription_ids: copy.subscription_ids,
        };
        let (mut first, mut tail, len) = head.encode(content);
        if len > client.packet_bytes_max as usize {
            self.counters.add(Counter::DroppedTooLarge);
            return false;
        }
        // Setting the alias costs four bytes at most, once.
        if let Some(table) = &client.aliases_out
            && len + 4 <= client.packet_bytes_max as usize
        {
            // What is behind it might use the alias, and overtake it.
            let may_set = copy.qos < packet::Qos::ExactlyOnce;
            head.alias = self
                .aliases
                .assign(table, client.aliases_max, content.topic, may_set);
            if head.alias.is_some() {
                (first, tail, _) = head.encode(content);
            }
        }
        let [one, two, three] = if client.version == Version::V5 {
            content.forwarded
        } else {
            [&[][..]; 3]
        };
        let topic = head.topic(content).as_bytes();
        self.counters.add(Counter::Delivered);
        let (first, tail) = (first.as_slice(), tail.as_slice());
        let parts = &[first, topic, tail, one, two, three, content.payload];
        if copy.qos == packet::Qos::ExactlyOnce {
            self.send_state(index, parts, out);
        } else {
            self.send(index, parts, out);
        }
        true
    }
}
