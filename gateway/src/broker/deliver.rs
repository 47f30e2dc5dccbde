//! One message on its way to one session: sent at once, queued, in flight, sent again, done.

use super::{
    Broker, Instant, Outbound,
    client::Copy,
    counters::Counter,
    limits::QUEUED_WHEN_SCARCE_MAX,
    messages::Keep,
    packet::{Content, Qos, kind},
    reason::ReasonCode,
    session::{Delivery, Stage, SubscriptionIds},
    slab::NONE,
};

/// Bytes a PUBLISH has at most beside topic, forwarded properties and payload.
pub(super) const HEAD_BYTES_MAX: usize = 48;

/// A message on its way to sessions; stored with the first that has to keep it.
pub(super) struct Outgoing<'a> {
    pub(super) content: &'a Content<'a>,
    pub(super) expires: Option<Instant>,
    pub(super) stored: Option<u32>,
}

/// How one session gets its copy.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) ids: SubscriptionIds,
}

impl Broker {
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        session: u32,
        outgoing: &mut Outgoing<'_>,
        terms: Terms,
        out: &mut impl Outbound,
    ) {
        if terms.qos > Qos::AtMostOnce {
            self.enqueue(now, session, outgoing, terms, out);
            return;
        }
        let Some(index) = self.sessions[session].client else {
            self.counters.add(Counter::DroppedOffline);
            return;
        };
        let len = outgoing.content.topic.len()
            + outgoing.content.forwarded_len()
            + outgoing.content.payload.len();
        if !self.has_room(index, len + HEAD_BYTES_MAX) {
            self.counters.add(Counter::DroppedSendBuffer);
            return;
        }
        let copy = Copy {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: terms.retain,
            packet_id: 0,
            subscription_ids: terms.ids.as_slice(),
        };
        self.send_copy(index, outgoing.content, &copy, out);
    }

    /// Puts a QoS 1/2 copy into the session, and sends it at once if nothing stands before it: messages keep their order
    /// `[MQTT-4.6.0-5]`, on every topic `[MQTT-4.6.0-6]`.
    fn enqueue(
        &mut self,
        now: Instant,
        session: u32,
        outgoing: &mut Outgoing<'_>,
        terms: Terms,
        out: &mut impl Outbound,
    ) {
        let len = outgoing.content.topic.len()
            + outgoing.content.forwarded_len()
            + outgoing.content.payload.len();
        let entry = &self.sessions[session];
        let queue_full = entry.queue.len() >= self.limits.queued_per_session_max
            || entry.queued_bytes + len > self.limits.queued_bytes_per_session_max
            || (entry.queue.len() >= QUEUED_WHEN_SCARCE_MAX && self.is_scarce());
        if self.deliveries.is_full() || queue_full {
            self.counters.add(Counter::DroppedQueue);
            return;
        }
        let keep = Keep {
            qos: terms.qos,
            retain: terms.retain,
            expires: outgoing.expires,
        };
        let Some(message) = outgoing
            .stored
            .or_else(|| self.messages.store(outgoing.content, keep))
        else {
            self.counters.add(Counter::DroppedStore);
            return;
        };
        outgoing.stored = Some(message);
        let entry = &mut self.sessions[session];
        let delivery = Delivery {
            message,
            sequence: entry.next_sequence,
            qos: terms.qos,
            retain: terms.retain,
            stage: Stage::Queued,
            packet_id: 0,
            counted: false,
            resent: false,
            ids: terms.ids,
            next: NONE,
        };
        let Ok(number) = self.deliveries.insert(delivery) else {
            return;
        };
        entry.next_sequence += 1;
        self.messages.hold(message);
        let entry = &mut self.sessions[session];
        let first = entry.queue.is_empty();
        entry.queue.push_back(&mut self.deliveries, number);
        entry.queued_bytes += len;
        match self.sessions[session].client {
            Some(index)
                if first
                    && self.has_window(session)
                    && self.has_room(index, len + HEAD_BYTES_MAX) =>
            {
                self.start_delivery(now, session, index, Some(outgoing.content), out);
            }
            _ => self.persist_delivery(session, number, out),
        }
    }

    /// True if what is left of the store is for sessions that keep up: who does not read shall not keep alerts from others.
    const fn is_scarce(&self) -> bool {
        self.messages.is_scarce() || self.deliveries.is_scarce()
    }

    /// True if one more QoS 1/2 message may be in flight to the session's client `[MQTT-3.3.4-9]`.
    pub(super) fn has_window(&self, session: u32) -> bool {
        let entry = &self.sessions[session];
        let Some(index) = entry.client else {
            return false;
        };
        entry.resend == NONE
            && entry.outstanding < self.client(index).receive_max
            && entry.inflight.len() < u32::from(self.limits.outbound_inflight_max)
    }

    /// Sends what now may be sent: first again what was in flight, then what waits, then retained messages.
    pub(super) fn advance(&mut self, now: Instant, session: u32, out: &mut impl Outbound) {
        let Some(index) = self.sessions[session].client else {
            return;
        };
        while self.sessions[session].resend != NONE && self.resend_one(now, session, index, out) {}
        while self.has_window(session) {
            let head = self.sessions[session].queue.head();
            let Some(delivery) = self.deliveries.get(head) else {
                break;
            };
            let len = self
                .messages
                .get(delivery.message)
                .map_or(0, |message| message.len());
            if !self.has_room(index, len + HEAD_BYTES_MAX) {
                break;
            }
            self.start_delivery(now, session, index, None, out);
        }
        if self.sessions[session].replaying > 0 && self.sessions[session].resend == NONE {
            self.replay(now, session, out);
        }
    }

    /// Sends the first of the queue: out of the caller's bytes if it has just come, else out of the store.
    fn start_delivery(
        &mut self,
        now: Instant,
        session: u32,
        index: u16,
        content: Option<&Content<'_>>,
        out: &mut impl Outbound,
    ) {
        let entry = &mut self.sessions[session];
        let Some(number) = entry.queue.pop_front(&self.deliveries) else {
            return;
        };
        let message = self.deliveries[number].message;
        let Some(stored) = self.messages.get(message) else {
            return;
        };
        entry.queued_bytes -= stored.len();
        if stored.is_expired(now) {
            self.counters.add(Counter::DroppedExpired);
            self.discard_delivery(session, number, out);
            return;
        }
        let packet_id = entry.next_packet_id(&self.deliveries);
        entry.inflight.push_back(&mut self.deliveries, number);
        entry.outstanding += 1;
        let delivery = &mut self.deliveries[number];
        (delivery.packet_id, delivery.stage, delivery.counted) = (packet_id, Stage::Sent, true);
        let sent = match content {
            Some(content) => self.send_delivery(index, number, content, out),
            None => self.send_stored(now, index, number, out),
        };
        if !sent {
            self.drop_inflight(session, number, out); // as if it had been delivered [MQTT-3.1.2-25]
        } else {
            // Also at QoS 1: what was queued and what was not shall keep their order over a crash.
            self.persist_delivery(session, number, out);
        }
    }

    fn send_stored(
        &mut self,
        now: Instant,
        index: u16,
        number: u32,
        out: &mut impl Outbound,
    ) -> bool {
        let mut scratch = core::mem::take(&mut self.scratch);
        let content = self
            .messages
            .read(self.deliveries[number].message, now, &mut scratch);
        let sent = self.send_delivery(index, number, &content, out);
        self.scratch = scratch;
        sent
    }

    fn send_delivery(
        &mut self,
        index: u16,
        number: u32,
        content: &Content<'_>,
        out: &mut impl Outbound,
    ) -> bool {
        let delivery = &self.deliveries[number];
        let ids = delivery.ids;
        let copy = Copy {
            dup: delivery.resent,
            qos: delivery.qos,
            retain: delivery.retain,
            packet_id: delivery.packet_id,
            subscription_ids: ids.as_slice(),
        };
        self.send_copy(index, content, &copy, out)
    }

    /// Sends the next delivery that was in flight when the last connection broke `[MQTT-4.4.0-1]`; false if it has to wait.
    fn resend_one(
        &mut self,
        now: Instant,
        session: u32,
        index: u16,
        out: &mut impl Outbound,
    ) -> bool {
        let number = self.sessions[session].resend;
        let delivery = &self.deliveries[number];
        let (next, packet_id) = (delivery.next, delivery.packet_id);
        match delivery.stage {
            Stage::Released => {
                self.sessions[session].resend = next;
                self.send_ack(index, kind::PUBREL, packet_id, ReasonCode::Success, out);
            }
            Stage::Queued | Stage::Sent => {
                let len = self
                    .messages
                    .get(delivery.message)
                    .map_or(0, |message| message.len());
                let entry = &mut self.sessions[session];
                if entry.outstanding >= self.clients[usize::from(index)].receive_max
                    || !self.has_room(index, len + HEAD_BYTES_MAX)
                {
                    return false;
                }
                let entry = &mut self.sessions[session];
                entry.resend = next;
                entry.outstanding += 1;
                let delivery = &mut self.deliveries[number];
                (delivery.counted, delivery.resent) = (true, true);
                if !self.send_stored(now, index, number, out) {
                    self.drop_inflight(session, number, out);
                }
            }
        }
        true
    }

    /// The client has a message: PUBACK, PUBCOMP, or a PUBREC that says no.
    pub(super) fn finish_delivery(
        &mut self,
        session: u32,
        packet_id: u16,
        qos: Qos,
        stage: Stage,
        out: &mut impl Outbound,
    ) {
        let found = self.sessions[session]
            .inflight
            .find(&self.deliveries, |delivery| {
                delivery.packet_id == packet_id && delivery.qos == qos && delivery.stage == stage
            });
        match found {
            Some(number) => self.drop_inflight(session, number, out),
            None => self.counters.add(Counter::UnknownPacketId),
        }
    }

    /// The client has a QoS 2 message and waits for its release; false if there is no such message.
    pub(super) fn release_delivery(
        &mut self,
        session: u32,
        packet_id: u16,
        out: &mut impl Outbound,
    ) -> bool {
        let found = self.sessions[session]
            .inflight
            .find(&self.deliveries, |delivery| {
                delivery.packet_id == packet_id && delivery.qos == Qos::ExactlyOnce
            });
        let Some(number) = found else {
            self.counters.add(Counter::UnknownPacketId);
            return false;
        };
        let delivery = &mut self.deliveries[number];
        if delivery.stage == Stage::Sent {
            delivery.stage = Stage::Released;
            let message = core::mem::replace(&mut delivery.message, NONE);
            if self.sessions[session].resend == number {
                self.sessions[session].resend = self.deliveries[number].next;
            }
            self.persist_delivery(session, number, out);
            self.release_message(message, out);
        }
        true
    }

    fn drop_inflight(&mut self, session: u32, number: u32, out: &mut impl Outbound) {
        let entry = &mut self.sessions[session];
        let sequence = self.deliveries[number].sequence;
        entry.inflight.take(&mut self.deliveries, |delivery| {
            delivery.sequence == sequence
        });
        let delivery = &self.deliveries[number];
        if entry.resend == number {
            entry.resend = delivery.next;
        }
        if delivery.counted {
            entry.outstanding = entry.outstanding.saturating_sub(1);
        }
        self.discard_delivery(session, number, out);
    }

    /// Removes a delivery that stands in no list any more.
    pub(super) fn discard_delivery(&mut self, session: u32, number: u32, out: &mut impl Outbound) {
        let Some(delivery) = self.deliveries.remove(number) else {
            return;
        };
        self.unpersist_delivery(session, delivery.sequence, out);
        if delivery.message != NONE {
            self.release_message(delivery.message, out);
        }
    }

    /// One holder of a stored message less; the durable state forgets it with the last.
    pub(super) fn release_message(&mut self, message: u32, out: &mut impl Outbound) {
        if let Some(message) = self.messages.release(message)
            && message.persisted
        {
            self.unpersist_message(message.number, out);
        }
    }
}
