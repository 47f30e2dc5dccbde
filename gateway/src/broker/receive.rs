//! What connected clients send; PUBLISH in particular.

use super::{
    Broker, ConnectionId, Inbound, Instant, Outbound, Publish, TopicBuffer,
    client::State,
    counters::Counter,
    packet::{self, Packet, PublishSent, Qos, Version, kind},
    reason::ReasonCode,
    receipts::Receipt,
    slab::NONE,
};

impl Broker {
    /// Takes one whole packet (cut by [`super::frame_len`]).
    ///
    /// [`Inbound::Busy`] gives the packet back: hand the same bytes in again once [`Broker::accepts`] says so, and read
    /// nothing further from that socket until then.
    pub fn handle_packet<'p>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        packet: &'p [u8],
        topic: &'p mut TopicBuffer,
        out: &mut impl Outbound,
    ) -> Inbound<'p> {
        let Some(index) = self.find_client(connection) else {
            return Inbound::None;
        };
        self.client_mut(index).heard = now;
        let inbound = match self.client(index).state {
            State::Closed => Inbound::None,
            State::Opened => {
                self.handle_connect(now, index, packet, out);
                Inbound::None
            }
            State::Deciding(_) => Inbound::Busy,
            State::Connected if self.is_clogged(index) => Inbound::Busy,
            State::Connected => match packet::decode(packet, self.client(index).version) {
                Ok(Packet::Publish(publish)) => {
                    self.handle_publish(now, index, publish, topic, out)
                }
                Ok(packet) => {
                    self.handle_other(now, index, packet, out);
                    Inbound::None
                }
                Err(malformed) => {
                    self.refuse_malformed(now, index, malformed, out);
                    Inbound::None
                }
            },
        };
        match (&inbound, packet.first()) {
            (Inbound::Busy, _) => self.counters.add(Counter::HeldBack),
            (_, Some(&first)) => self.counters.took(first),
            (_, None) => {}
        }
        inbound
    }

    /// True if the packet would be taken now; false if [`Broker::handle_packet`] would say [`Inbound::Busy`], or might but for
    /// what is malformed in the packet.
    pub fn accepts(&self, connection: ConnectionId, packet: &[u8]) -> bool {
        let Some(index) = self.find_client(connection) else {
            return true;
        };
        match self.client(index).state {
            State::Closed | State::Opened => true,
            State::Deciding(_) => false,
            State::Connected => {
                // PUBLISH with a QoS bit set.
                let wants_receipt = packet
                    .first()
                    .is_some_and(|byte| byte >> 4 == kind::PUBLISH && byte & 0x06 != 0);
                !self.is_clogged(index) && (!wants_receipt || self.has_receipt(index))
            }
        }
    }

    fn handle_other(
        &mut self,
        now: Instant,
        index: u16,
        packet: Packet<'_>,
        out: &mut impl Outbound,
    ) {
        match packet {
            Packet::Publish(_) => {}
            Packet::PubAck(ack) => self.handle_puback(now, index, ack, out),
            Packet::PubRec(ack) => self.handle_pubrec(now, index, ack, out),
            Packet::PubRel(ack) => self.handle_pubrel(index, ack, out),
            Packet::PubComp(ack) => self.handle_pubcomp(now, index, ack, out),
            Packet::Subscribe(subscribe) => self.handle_subscribe(now, index, &subscribe, out),
            Packet::Unsubscribe(unsubscribe) => {
                self.handle_unsubscribe(now, index, &unsubscribe, out)
            }
            Packet::PingReq => self.send(index, &[&packet::pingresp()], out),
            Packet::Disconnect(disconnect) => self.handle_disconnect(now, index, disconnect, out),
        }
    }

    /// A 3.1.1 client knows no Receive Maximum: it is held back where a v5 client is in breach.
    fn has_receipt(&self, index: u16) -> bool {
        let client = self.client(index);
        let within = client.version == Version::V5
            || client.owed.len() < u32::from(self.limits.inbound_inflight_max);
        within && self.receipts.has_room()
    }

    fn handle_publish<'p>(
        &mut self,
        now: Instant,
        index: u16,
        mut publish: PublishSent<'p>,
        buffer: &'p mut TopicBuffer,
        out: &mut impl Outbound,
    ) -> Inbound<'p> {
        if publish.qos > Qos::AtMostOnce && !self.has_receipt(index) {
            return Inbound::Busy;
        }
        match self.resolve_alias(index, &publish, buffer) {
            Ok(topic) => publish.content.topic = topic,
            Err(reason) => {
                self.counters.add(Counter::AliasInvalid);
                self.refuse(
                    now,
                    index,
                    reason,
                    "this topic alias is above the maximum or was never set",
                    out,
                );
                return Inbound::None;
            }
        }
        let receipt = match publish.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce => {
                match self.take_receipt(now, index, &publish, out) {
                    Some(receipt) => Some(receipt),
                    None => return Inbound::None,
                }
            }
        };
        if !self.check_rights(now, index, &publish, receipt, out) {
            return Inbound::None;
        }
        let session = &self.sessions[self.client(index).session];
        // A lasting session knows each message of QoS 2 by its id: one that gets here was not taken before.
        let is_new = publish.qos == Qos::ExactlyOnce && session.is_durable();
        Inbound::Publish(Publish {
            connection: Some(self.client(index).id),
            dup: publish.dup && !is_new,
            packet_id: receipt.map(|_| publish.packet_id),
            receipt,
            ..Publish::with_content(publish.content, publish.qos, publish.retain)
        })
    }

    /// The topic that is meant, the alias set or looked up `[MQTT-3.3.2-7]` to `[MQTT-3.3.2-12]`.
    fn resolve_alias<'p>(
        &mut self,
        index: u16,
        publish: &PublishSent<'p>,
        buffer: &'p mut TopicBuffer,
    ) -> Result<&'p str, ReasonCode> {
        let topic = publish.content.topic;
        let Some(alias) = publish.alias else {
            return Ok(topic);
        };
        let table = self.clients[usize::from(index)]
            .aliases_in
            .as_ref()
            .ok_or(ReasonCode::TopicAliasInvalid)?;
        if topic.is_empty() {
            // An alias that was never set is a protocol error (3.3.2.3.4), one above the maximum has a reason of its own.
            let unset = if alias > self.aliases.per_table() {
                ReasonCode::TopicAliasInvalid
            } else {
                ReasonCode::ProtocolError
            };
            return Ok(buffer.set(self.aliases.topic(table, alias).ok_or(unset)?));
        }
        if self.aliases.set(table, alias, topic) {
            Ok(topic)
        } else {
            Err(ReasonCode::TopicAliasInvalid)
        }
    }

    /// Notes what is owed for a QoS 1/2 PUBLISH; `None` if it is not to be delivered.
    fn take_receipt(
        &mut self,
        now: Instant,
        index: u16,
        publish: &PublishSent<'_>,
        out: &mut impl Outbound,
    ) -> Option<Receipt> {
        let session = self.client(index).session;
        let packet_id = publish.packet_id;
        if publish.qos == Qos::ExactlyOnce
            && let Some(known) = self.receipts.find_incoming(session, packet_id)
        {
            self.counters.add(Counter::DuplicateIgnored);
            self.answer_duplicate(index, packet_id, known, out);
            return None;
        }
        let client = self.client(index);
        let ids = self.sessions[session].incoming.len();
        let beyond = client.version == Version::V5
            && client.granted_used >= self.limits.inbound_inflight_max;
        if beyond
            || (publish.qos == Qos::ExactlyOnce && ids >= self.limits.incoming_per_session_max)
        {
            self.counters.add(Counter::ReceiveMaximumExceeded);
            self.refuse(now, index, ReasonCode::ReceiveMaximumExceeded, "", out); // [MQTT-3.3.4-9]
            return None;
        }
        let mut incoming = NONE;
        if publish.qos == Qos::ExactlyOnce {
            let mut list = self.sessions[session].incoming;
            incoming = self
                .receipts
                .insert_incoming(&mut list, session, packet_id)?;
            self.sessions[session].incoming = list;
            self.persist_incoming(session, packet_id, out);
        }
        let client = &mut self.clients[usize::from(index)];
        client.granted_used += 1;
        self.receipts
            .owe(&mut client.owed, index, packet_id, publish.qos, incoming)
    }

    /// A QoS 2 message came again: it is not delivered again `[MQTT-4.3.3-10]`, but acknowledged as soon as it is durable.
    fn answer_duplicate(
        &mut self,
        index: u16,
        packet_id: u16,
        incoming: u32,
        out: &mut impl Outbound,
    ) {
        let owed = self.receipts.incoming[incoming].owed;
        let client = &mut self.clients[usize::from(index)];
        match self.receipts.owed.get_mut(owed) {
            Some(owed) if owed.client.is_some() => {}
            Some(entry) => {
                entry.client = Some(index);
                client.owed.push_back(&mut self.receipts.owed, owed);
            }
            None => {
                let owed = self.receipts.owe(
                    &mut client.owed,
                    index,
                    packet_id,
                    Qos::ExactlyOnce,
                    incoming,
                );
                if let Some(receipt) = owed {
                    self.acknowledge(receipt, ReasonCode::Success, out);
                }
            }
        }
    }

    /// False if the client has no right to the topic; what it is told then is done here.
    fn check_rights(
        &mut self,
        now: Instant,
        index: u16,
        publish: &PublishSent<'_>,
        receipt: Option<Receipt>,
        out: &mut impl Outbound,
    ) -> bool {
        let client = self.client(index);
        let client_id = &self.sessions[client.session].client_id;
        let rights = client.rights.as_ref();
        if rights.is_some_and(|rights| rights.may_publish(client_id, publish.content.topic)) {
            return true;
        }
        let version = client.version;
        self.counters.add(Counter::PublishDenied);
        match (receipt, version) {
            (None, _) => {}
            (Some(receipt), Version::V5) => {
                self.acknowledge(receipt, ReasonCode::NotAuthorized, out)
            }
            // 3.1.1 has no way to refuse, and an acknowledgement would be a lie [MQTT-3.3.5-2].
            (Some(_), Version::V311) => self.refuse(now, index, ReasonCode::NotAuthorized, "", out),
        }
        false
    }
}
