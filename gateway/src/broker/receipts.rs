//! Acknowledgements owed to publishers, and the QoS 2 packet ids they have not released yet.
//!
//! Every QoS 1/2 PUBLISH taken leaves a [`Receipt`]; the engine gives it back once the message is durable. What is owed to
//! one connection goes out in the order of receipt, whatever order the receipts come back in `[MQTT-4.6.0-2]`,
//! `[MQTT-4.6.0-3]`.

use super::{
    index::{HashIndex, hash},
    packet::Qos,
    reason::ReasonCode,
    slab::{Linked, List, NONE, Slab},
};

/// Names one QoS 1/2 PUBLISH whose acknowledgement is owed. Copy it freely; it is good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(super) number: u32,
    pub(super) generation: u32,
}

/// An acknowledgement owed.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) packet_id: u16,
    pub(super) qos: Qos,
    /// The connection it is owed to; `None` once that is gone.
    pub(super) client: Option<u16>,
    /// What to say, once it is known.
    pub(super) outcome: Option<ReasonCode>,
    /// The QoS 2 packet id it belongs to, or [`NONE`].
    pub(super) incoming: u32,
    generation: u32,
    next: u32,
}

impl Linked for Owed {
    fn next(&self) -> u32 {
        self.next
    }

    fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}

/// A QoS 2 packet id between PUBLISH and PUBREL (method of 4.3.3).
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) packet_id: u16,
    pub(super) session: u32,
    /// The acknowledgement owed, or [`NONE`] once the message is durable.
    pub(super) owed: u32,
    next: u32,
}

impl Linked for Incoming {
    fn next(&self) -> u32 {
        self.next
    }

    fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}

/// All that is owed, over all connections.
pub(super) struct Receipts {
    pub(super) owed: Slab<Owed>,
    pub(super) incoming: Slab<Incoming>,
    index: HashIndex,
    seed: u64,
    generation: u32,
}

impl Receipts {
    pub(super) fn new(receipts_max: u32, seed: u64) -> Self {
        Self {
            owed: Slab::new(receipts_max),
            incoming: Slab::new(receipts_max),
            index: HashIndex::new(receipts_max),
            seed,
            generation: 0,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(receipts_max: u32) -> usize {
        Slab::<Owed>::memory_bytes(receipts_max)
            + Slab::<Incoming>::memory_bytes(receipts_max)
            + HashIndex::memory_bytes(receipts_max)
    }

    /// True if a QoS 1/2 PUBLISH more can be taken.
    pub(super) const fn has_room(&self) -> bool {
        !self.owed.is_full() && !self.incoming.is_full()
    }

    /// Notes that an acknowledgement is owed, behind those owed to the same connection already.
    pub(super) fn owe(
        &mut self,
        list: &mut List,
        client: u16,
        packet_id: u16,
        qos: Qos,
        incoming: u32,
    ) -> Option<Receipt> {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let owed = Owed {
            packet_id,
            qos,
            client: Some(client),
            outcome: None,
            incoming,
            generation,
            next: NONE,
        };
        let number = self.owed.insert(owed).ok()?;
        list.push_back(&mut self.owed, number);
        if let Some(incoming) = self.incoming.get_mut(incoming) {
            incoming.owed = number;
        }
        Some(Receipt { number, generation })
    }

    /// What a receipt names, unless it has been settled or given up.
    pub(super) fn find(&mut self, receipt: Receipt) -> Option<&mut Owed> {
        self.owed
            .get_mut(receipt.number)
            .filter(|owed| owed.generation == receipt.generation && owed.outcome.is_none())
    }

    /// The QoS 2 packet id of a session, if it is not released.
    pub(super) fn find_incoming(&self, session: u32, packet_id: u16) -> Option<u32> {
        self.index.find(self.hash_of(session, packet_id), |number| {
            let incoming = &self.incoming[number];
            incoming.session == session && incoming.packet_id == packet_id
        })
    }

    /// Notes a QoS 2 packet id.
    pub(super) fn insert_incoming(
        &mut self,
        list: &mut List,
        session: u32,
        packet_id: u16,
    ) -> Option<u32> {
        let number = self
            .incoming
            .insert(Incoming {
                packet_id,
                session,
                owed: NONE,
                next: NONE,
            })
            .ok()?;
        list.push_back(&mut self.incoming, number);
        self.index.insert(self.hash_of(session, packet_id), number);
        Some(number)
    }

    /// Forgets a QoS 2 packet id; true if it was there.
    pub(super) fn remove_incoming(
        &mut self,
        list: &mut List,
        session: u32,
        packet_id: u16,
    ) -> bool {
        let taken = list.take(&mut self.incoming, |incoming| {
            incoming.packet_id == packet_id
        });
        let Some(number) = taken else { return false };
        self.forget(session, number);
        true
    }

    /// Forgets all QoS 2 packet ids of a session that ends, and what is owed for them.
    pub(super) fn clear_incoming(&mut self, list: &mut List, session: u32) {
        while let Some(number) = list.pop_front(&self.incoming) {
            self.forget(session, number);
        }
    }

    fn forget(&mut self, session: u32, number: u32) {
        let Some(incoming) = self.incoming.remove(number) else {
            return;
        };
        self.index
            .remove(self.hash_of(session, incoming.packet_id), number);
        // While its connection stands the debt stays in that connection's list and is settled from there.
        if let Some(owed) = self.owed.get_mut(incoming.owed) {
            owed.incoming = NONE;
            if owed.client.is_none() {
                self.owed.remove(incoming.owed);
            }
        }
    }

    fn hash_of(&self, session: u32, packet_id: u16) -> u64 {
        let key = u64::from(session) << 16 | u64::from(packet_id);
        hash(self.seed, &key.to_le_bytes())
    }
}
