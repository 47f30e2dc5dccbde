//! Reads the durable state back at start.

use core::fmt;
use std::{collections::BTreeMap, sync::Arc};

use super::{
    Broker, Instant, Outbound,
    deadlines::later,
    durable::{NEVER, VERSION, kind, read_message},
    packet::{Qos, SubscribeOptions, Version},
    session::{Delivery, Stage, SubscriptionIds},
    slab::NONE,
    topic::Subscribed,
};

/// Why a stored pair was not taken. The others are not touched by it: count it, say it, go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The first byte of the key is none of ours.
    #[error("durable broker state: key kind {0} is unknown; was it written by a later version?")]
    Kind(u8),
    /// Key or value is not of the form its kind has.
    #[error("durable broker state: a {0} is damaged; it is left out")]
    Damaged(Subject),
    /// It refers to a session or message that is not there.
    #[error(
        "durable broker state: a {0} refers to nothing; were the pairs handed in by ascending key?"
    )]
    Orphan(Subject),
    /// A limit is lower now than when it was written.
    #[error("durable broker state: no room for a {0}; raise the limit it is under")]
    Full(Subject),
}

/// What a stored pair is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Subject {
    Session,
    Subscription,
    Message,
    Delivery,
    PacketId,
    Retained,
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Session => "session",
            Self::Subscription => "subscription",
            Self::Message => "message",
            Self::Delivery => "delivery",
            Self::PacketId => "packet id",
            Self::Retained => "retained message",
        })
    }
}

/// Where the numbers of the durable state are found now, in order, so that each start does the same. Needed at start only.
#[derive(Debug, Default)]
pub(super) struct Found {
    sessions: BTreeMap<u32, u32>,
    messages: BTreeMap<u64, u32>,
}

impl Broker {
    /// Takes one pair that [`Outbound::persist`] was given before the restart. All pairs come in ascending order of their
    /// keys, before anything else; then [`Broker::finish_restore`] is called.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let (&kind, key) = key.split_first().ok_or(RestoreError::Kind(0))?;
        match kind {
            kind::SESSION => self.restore_session(key, value),
            kind::SUBSCRIPTION => self.restore_subscription(key, value),
            kind::MESSAGE => self.restore_message(key, value),
            kind::DELIVERY => self.restore_delivery(key, value),
            kind::INCOMING => self.restore_incoming(key),
            kind::RETAINED => self.restore_retained(key, value),
            other => Err(RestoreError::Kind(other)),
        }
    }

    /// All pairs are in: sessions whose clients were connected begin to expire, and what nobody needs is deleted.
    pub fn finish_restore(&mut self, now: Instant, out: &mut impl Outbound) {
        let found = core::mem::take(&mut self.found);
        for &message in found.messages.values() {
            self.release_message(message, out);
        }
        for &session in found.sessions.values() {
            let entry = &mut self.sessions[session];
            if entry.ends_at.is_none() {
                entry.ends_at = Some(later(now, u64::from(entry.expiry_s) * 1_000));
                self.persist_session(session, out);
            }
            self.arm_session(session);
        }
    }

    fn restore_session(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::Session);
        let client_id = core::str::from_utf8(key).map_err(|_| damaged)?;
        let (version, rest) = value.split_first().ok_or(damaged)?;
        let (number, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (expiry_s, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (ends_at, user) = rest.split_first_chunk::<8>().ok_or(damaged)?;
        let user = core::str::from_utf8(user).map_err(|_| damaged)?;
        let expiry_s = u32::from_le_bytes(*expiry_s);
        if *version != VERSION || expiry_s == 0 || self.sessions.find(client_id).is_some() {
            return Err(damaged);
        }
        let session = self
            .sessions
            .insert(Box::from(client_id), Arc::from(user), expiry_s)
            .ok_or(RestoreError::Full(Subject::Session))?;
        let number = u32::from_le_bytes(*number);
        self.sessions.renumber(session, number);
        self.found.sessions.insert(number, session);
        self.sessions[session].ends_at = match u64::from_le_bytes(*ends_at) {
            NEVER => None,
            at => Some(Instant(at)),
        };
        Ok(())
    }

    fn restore_subscription(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::Subscription);
        let (number, filter) = key.split_first_chunk::<4>().ok_or(damaged)?;
        let filter = core::str::from_utf8(filter).map_err(|_| damaged)?;
        let &[VERSION, options, a, b, c, d] = value else {
            return Err(damaged);
        };
        let options = SubscribeOptions::from_byte(options, Version::V5).map_err(|_| damaged)?;
        let wanted = Subscribed::parse(filter).map_err(|_| damaged)?;
        let session = self
            .found_session(*number)
            .ok_or(RestoreError::Orphan(Subject::Subscription))?;
        let id = u32::from_le_bytes([a, b, c, d]);
        let inserted = self.insert_subscription(session, &wanted, options, id);
        inserted
            .map(|_| ())
            .map_err(|_| RestoreError::Full(Subject::Subscription))
    }

    fn restore_message(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::Message);
        let number = u64::from_be_bytes(key.try_into().map_err(|_| damaged)?);
        let (content, keep) = read_message(value).ok_or(damaged)?;
        let message = self
            .messages
            .store(&content, keep)
            .ok_or(RestoreError::Full(Subject::Message))?;
        self.messages.renumber(message, number);
        self.found.messages.insert(number, message);
        Ok(())
    }

    fn restore_delivery(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::Delivery);
        let (number, sequence) = key.split_first_chunk::<4>().ok_or(damaged)?;
        let sequence = u64::from_be_bytes(sequence.try_into().map_err(|_| damaged)?);
        let mut delivery = read_delivery(value, sequence).ok_or(damaged)?;
        let session = self
            .found_session(*number)
            .ok_or(RestoreError::Orphan(Subject::Delivery))?;
        if delivery.stage != Stage::Released {
            let name = value
                .get(1..9)
                .and_then(|name| name.try_into().ok())
                .map(u64::from_le_bytes)
                .ok_or(damaged)?;
            let found = self.found.messages.get(&name).copied();
            delivery.message = found.ok_or(RestoreError::Orphan(Subject::Delivery))?;
        }
        let (message, queued) = (delivery.message, delivery.stage == Stage::Queued);
        let number = self
            .deliveries
            .insert(delivery)
            .map_err(|_| RestoreError::Full(Subject::Delivery))?;
        let entry = &mut self.sessions[session];
        entry.next_sequence = entry.next_sequence.max(sequence + 1);
        let list = if queued {
            &mut entry.queue
        } else {
            &mut entry.inflight
        };
        list.push_back(&mut self.deliveries, number);
        if message != NONE {
            self.messages.hold(message);
        }
        if queued {
            entry.queued_bytes += self
                .messages
                .get(message)
                .map_or(0, |message| message.len());
        }
        Ok(())
    }

    fn restore_incoming(&mut self, key: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::PacketId);
        let (number, packet_id) = key.split_first_chunk::<4>().ok_or(damaged)?;
        let packet_id = u16::from_be_bytes(packet_id.try_into().map_err(|_| damaged)?);
        let session = self
            .found_session(*number)
            .ok_or(RestoreError::Orphan(Subject::PacketId))?;
        let mut list = self.sessions[session].incoming;
        let inserted = self.receipts.insert_incoming(&mut list, session, packet_id);
        self.sessions[session].incoming = list;
        inserted
            .map(|_| ())
            .ok_or(RestoreError::Full(Subject::PacketId))
    }

    fn restore_retained(&mut self, key: &[u8], value: &[u8]) -> Result<(), RestoreError> {
        let damaged = RestoreError::Damaged(Subject::Retained);
        let (content, keep) = read_message(value).ok_or(damaged)?;
        if content.topic.as_bytes() != key {
            return Err(damaged);
        }
        self.retained
            .keep(&content, keep)
            .map(|_| ())
            .ok_or(RestoreError::Full(Subject::Retained))
    }

    fn found_session(&self, number: [u8; 4]) -> Option<u32> {
        self.found
            .sessions
            .get(&u32::from_be_bytes(number))
            .copied()
    }
}

fn read_delivery(value: &[u8], sequence: u64) -> Option<Delivery> {
    let (&version, rest) = value.split_first()?;
    let (_name, rest) = rest.split_first_chunk::<8>()?;
    let (&[flags, low, high, count], rest) = rest.split_first_chunk::<4>()?;
    let (words, trailing) = rest.as_chunks::<4>();
    let mut ids = SubscriptionIds::default();
    let fits = words.iter().all(|word| ids.push(u32::from_le_bytes(*word)));
    let qos = Qos::from_bits(flags & 0x03)?;
    let packet_id = u16::from_le_bytes([low, high]);
    let stage = match (qos, flags >> 4, packet_id) {
        (Qos::AtLeastOnce | Qos::ExactlyOnce, 0, 0) => Stage::Queued,
        (Qos::AtLeastOnce | Qos::ExactlyOnce, 1, 1..) => Stage::Sent,
        (Qos::ExactlyOnce, 2, 1..) => Stage::Released,
        _ => return None,
    };
    let whole =
        version == VERSION && fits && trailing.is_empty() && words.len() == usize::from(count);
    whole.then_some(Delivery {
        message: NONE,
        sequence,
        qos,
        retain: flags & 0x04 != 0,
        stage,
        packet_id,
        counted: false,
        resent: stage == Stage::Sent,
        ids,
        next: NONE,
    })
}
