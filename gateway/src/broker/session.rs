//! What the broker knows of a client beyond its connection (4.1): subscriptions, deliveries, packet ids, will.

use std::sync::Arc;

use super::{
    Instant,
    index::{HashIndex, hash},
    limits::{SUBSCRIPTION_IDS_PER_COPY_MAX, USER_NAME_BYTES_MAX},
    packet::Qos,
    slab::{Linked, List, NONE, Slab},
};

/// One message on its way to one session.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The stored message, or [`NONE`] once only PUBREL and PUBCOMP are left.
    pub(super) message: u32,
    /// Its place in the session's order, and its name in the durable state.
    pub(super) sequence: u64,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) stage: Stage,
    /// 0 until it is sent for the first time.
    pub(super) packet_id: u16,
    /// Counts against the client's Receive Maximum: it was sent over the connection that stands now.
    pub(super) counted: bool,
    /// It was sent over an earlier connection: DUP `[MQTT-3.3.1-1]`.
    pub(super) resent: bool,
    pub(super) ids: SubscriptionIds,
    pub(super) next: u32,
}

impl Linked for Delivery {
    fn next(&self) -> u32 {
        self.next
    }

    fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Not sent yet.
    Queued = 0,
    /// Sent; PUBACK or PUBREC is awaited.
    Sent = 1,
    /// QoS 2: PUBREL sent; PUBCOMP is awaited.
    Released = 2,
}

/// The subscription identifiers of one copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubscriptionIds {
    ids: [u32; SUBSCRIPTION_IDS_PER_COPY_MAX],
}

impl SubscriptionIds {
    /// Adds one (0 is none); false if there is no room.
    pub(super) fn push(&mut self, id: u32) -> bool {
        if id == 0 {
            return true;
        }
        match self.ids.iter_mut().find(|slot| **slot == 0) {
            Some(slot) => {
                *slot = id;
                true
            }
            None => false,
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        let len = self
            .ids
            .iter()
            .position(|&id| id == 0)
            .unwrap_or(self.ids.len());
        &self.ids[..len]
    }
}

/// A will waiting for its client to vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Will {
    pub(super) message: u32,
    pub(super) delay_s: u32,
    /// Seconds it stays of use once published.
    pub(super) expiry_s: Option<u32>,
}

/// The session of one client id.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client_id: Box<str>,
    /// Its owner: nobody else may take it over.
    pub(super) user: Arc<str>,
    /// Its name in the durable state.
    pub(super) number: u32,
    /// The connection, while there is one.
    pub(super) client: Option<u16>,
    /// Seconds it lasts without a connection; 0: it ends with it.
    pub(super) expiry_s: u32,
    pub(super) ends_at: Option<Instant>,
    pub(super) will: Option<Will>,
    pub(super) will_at: Option<Instant>,
    /// First of its subscriptions, and their number.
    pub(super) subscriptions: u32,
    pub(super) subscription_count: u32,
    /// Subscriptions whose retained messages have not all been sent.
    pub(super) replaying: u32,
    pub(super) inflight: List,
    pub(super) queue: List,
    pub(super) queued_bytes: usize,
    /// The delivery in flight that is to be sent again next, or [`NONE`].
    pub(super) resend: u32,
    /// Deliveries that count against the client's Receive Maximum.
    pub(super) outstanding: u16,
    pub(super) incoming: List,
    pub(super) next_sequence: u64,
    last_packet_id: u16,
    /// Used while one message is routed: which one, and the first of its hits for this session.
    pub(super) route: u64,
    pub(super) first_hit: u32,
}

impl Session {
    /// True if it outlasts its connection, and so has to outlast the process.
    pub(super) const fn is_durable(&self) -> bool {
        self.expiry_s > 0
    }

    /// A packet id which is not in flight `[MQTT-2.2.1-3]`.
    pub(super) fn next_packet_id(&mut self, deliveries: &Slab<Delivery>) -> u16 {
        loop {
            // Ends: fewer deliveries are in flight than there are ids.
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            let id = self.last_packet_id;
            if self
                .inflight
                .find(deliveries, |delivery| delivery.packet_id == id)
                .is_none()
            {
                return id;
            }
        }
    }
}

/// All sessions, by number and by client id.
pub(super) struct Sessions {
    table: Slab<Session>,
    index: HashIndex,
    seed: u64,
    next_number: u32,
}

impl Sessions {
    pub(super) fn new(sessions_max: u32, seed: u64) -> Self {
        Self {
            table: Slab::new(sessions_max),
            index: HashIndex::new(sessions_max),
            seed,
            next_number: 1,
        }
    }

    /// Bytes it reserves, client ids and users included.
    pub(super) const fn memory_bytes(sessions_max: u32, client_id_bytes_max: usize) -> usize {
        Slab::<Session>::memory_bytes(sessions_max)
            + HashIndex::memory_bytes(sessions_max)
            + sessions_max as usize * (client_id_bytes_max + USER_NAME_BYTES_MAX)
    }

    pub(super) fn find(&self, client_id: &str) -> Option<u32> {
        let hash = hash(self.seed, client_id.as_bytes());
        self.index
            .find(hash, |number| *self.table[number].client_id == *client_id)
    }

    /// A new session; `None` if the table is full.
    pub(super) fn insert(
        &mut self,
        client_id: Box<str>,
        user: Arc<str>,
        expiry_s: u32,
    ) -> Option<u32> {
        let hash = hash(self.seed, client_id.as_bytes());
        let session = Session {
            client_id,
            user,
            number: self.next_number,
            client: None,
            expiry_s,
            ends_at: None,
            will: None,
            will_at: None,
            subscriptions: NONE,
            subscription_count: 0,
            replaying: 0,
            inflight: List::new(),
            queue: List::new(),
            queued_bytes: 0,
            resend: NONE,
            outstanding: 0,
            incoming: List::new(),
            next_sequence: 1,
            last_packet_id: 0,
            route: 0,
            first_hit: NONE,
        };
        let number = self.table.insert(session).ok()?;
        self.next_number = self.next_number.wrapping_add(1);
        self.index.insert(hash, number);
        Some(number)
    }

    /// Gives a session read from the durable state its old number back.
    pub(super) fn renumber(&mut self, session: u32, number: u32) {
        self.table[session].number = number;
        self.next_number = self.next_number.max(number.wrapping_add(1));
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Session> {
        let session = self.table.remove(number)?;
        self.index
            .remove(hash(self.seed, session.client_id.as_bytes()), number);
        Some(session)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Session> {
        self.table.get(number)
    }

    pub(super) const fn len(&self) -> u32 {
        self.table.len()
    }
}

impl core::ops::Index<u32> for Sessions {
    type Output = Session;

    fn index(&self, number: u32) -> &Session {
        &self.table[number]
    }
}

impl core::ops::IndexMut<u32> for Sessions {
    fn index_mut(&mut self, number: u32) -> &mut Session {
        &mut self.table[number]
    }
}
