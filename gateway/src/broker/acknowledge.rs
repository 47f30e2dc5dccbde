//! Acknowledgements both ways: ours once a message is durable, the clients' for what they were sent.

use super::{
    Broker, Instant, Outbound,
    counters::Counter,
    packet::{Ack, Qos, Version, kind},
    reason::ReasonCode,
    receipts::Receipt,
    session::Stage,
    slab::NONE,
};

impl Broker {
    /// The durable acknowledgement: PUBACK or PUBREC goes out as soon as all before it have. Costs the same however much
    /// is owed, and allocates nothing. A receipt of a connection that is gone is ignored.
    ///
    /// A `reason` of 0x80 or more tells a v5 client that the message was not taken; 3.1.1 cannot be told.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode, out: &mut impl Outbound) {
        let Some(owed) = self.receipts.find(receipt) else {
            self.counters.add(Counter::StaleReceipt);
            return;
        };
        owed.outcome = Some(reason);
        match owed.client {
            Some(index) => self.settle(index, out),
            None => {
                let (incoming, packet_id) = (owed.incoming, owed.packet_id);
                self.receipts.owed.remove(receipt.number);
                let Some(incoming) = self.receipts.incoming.get_mut(incoming) else {
                    return;
                };
                incoming.owed = NONE;
                let session = incoming.session;
                if reason.is_failure() {
                    // Its publisher has heard nothing yet: when it sends the message again, that is a new one.
                    self.forget_incoming(session, packet_id, out);
                }
            }
        }
    }

    /// Sends what is owed up to the first that is not durable yet `[MQTT-4.6.0-2]`, `[MQTT-4.6.0-3]`.
    fn settle(&mut self, index: u16, out: &mut impl Outbound) {
        loop {
            let client = &mut self.clients[usize::from(index)];
            let Some(reason) = self
                .receipts
                .owed
                .get(client.owed.head())
                .and_then(|owed| owed.outcome)
            else {
                return;
            };
            let (session, version) = (client.session, client.version);
            let popped = client.owed.pop_front(&self.receipts.owed);
            let Some(owed) = popped.and_then(|number| self.receipts.owed.remove(number)) else {
                return;
            };
            if let Some(incoming) = self.receipts.incoming.get_mut(owed.incoming) {
                incoming.owed = NONE;
            }
            let refused = reason.is_failure() && version == Version::V5;
            if owed.qos == Qos::ExactlyOnce && refused {
                self.forget_incoming(session, owed.packet_id, out);
            }
            if owed.qos == Qos::AtLeastOnce || refused {
                let client = self.client_mut(index);
                client.granted_used = client.granted_used.saturating_sub(1);
            }
            let kind = if owed.qos == Qos::AtLeastOnce {
                kind::PUBACK
            } else {
                kind::PUBREC
            };
            self.send_ack(index, kind, owed.packet_id, reason, out);
        }
    }

    fn forget_incoming(&mut self, session: u32, packet_id: u16, out: &mut impl Outbound) -> bool {
        let mut list = self.sessions[session].incoming;
        let known = self.receipts.remove_incoming(&mut list, session, packet_id);
        self.sessions[session].incoming = list;
        if known {
            self.unpersist_incoming(session, packet_id, out);
        }
        known
    }

    /// The client has the PUBREC: its id is free again `[MQTT-4.3.3-11]`.
    pub(super) fn handle_pubrel(&mut self, index: u16, ack: Ack, out: &mut impl Outbound) {
        let session = self.client(index).session;
        let known = self.forget_incoming(session, ack.packet_id, out);
        let client = self.client_mut(index);
        client.granted_used = client.granted_used.saturating_sub(1);
        let reason = if known {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdNotFound
        };
        self.send_ack(index, kind::PUBCOMP, ack.packet_id, reason, out);
    }

    pub(super) fn handle_puback(
        &mut self,
        now: Instant,
        index: u16,
        ack: Ack,
        out: &mut impl Outbound,
    ) {
        let session = self.client(index).session;
        self.finish_delivery(session, ack.packet_id, Qos::AtLeastOnce, Stage::Sent, out);
        self.advance(now, session, out);
    }

    pub(super) fn handle_pubrec(
        &mut self,
        now: Instant,
        index: u16,
        ack: Ack,
        out: &mut impl Outbound,
    ) {
        let session = self.client(index).session;
        if ack.failed {
            self.finish_delivery(session, ack.packet_id, Qos::ExactlyOnce, Stage::Sent, out);
            self.advance(now, session, out);
            return;
        }
        let known = self.release_delivery(session, ack.packet_id, out);
        let reason = if known {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdNotFound
        };
        self.send_ack(index, kind::PUBREL, ack.packet_id, reason, out); // [MQTT-4.3.3-4]
    }

    pub(super) fn handle_pubcomp(
        &mut self,
        now: Instant,
        index: u16,
        ack: Ack,
        out: &mut impl Outbound,
    ) {
        let session = self.client(index).session;
        self.finish_delivery(
            session,
            ack.packet_id,
            Qos::ExactlyOnce,
            Stage::Released,
            out,
        );
        self.advance(now, session, out);
    }
}
