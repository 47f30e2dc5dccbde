//! The broker's durable state: which keys and values stand for sessions, subscriptions, messages and packet ids.
//!
//! Keys sort so that what others refer to comes first. The first byte of a key is the kind, the first byte of a value the
//! form's version; numbers are big-endian in keys (so that they sort) and little-endian in values.
//!
//! | kind | key | value |
//! |---|---|---|
//! | 1 session | client id | number u32, expiry s u32, ends at ms u64 (all ones: connected), user |
//! | 2 subscription | session u32, filter | options u8, identifier u32 |
//! | 3 message | number u64 | QoS and retain u8, expires at ms u64 (all ones: never), topic length u16, properties length u32, topic, properties, payload |
//! | 4 delivery | session u32, sequence u64 | message u64, QoS, retain and stage u8, packet id u16, count u8, identifiers u32 each |
//! | 5 QoS 2 id received | session u32, packet id u16 | – |
//! | 6 retained | topic | as message |
//!
//! Messages hold the bytes once for all sessions. Only sessions that outlast their connection are written.

use super::{
    Broker, Mutation, Outbound,
    limits::TOPIC_BYTES_MAX,
    messages::Keep,
    packet::{Bytes, Content, Qos, SubscribeOptions},
    slab::NONE,
};

pub(super) const VERSION: u8 = 1;
pub(super) const NEVER: u64 = u64::MAX;

/// What a key is about.
pub(super) mod kind {
    pub(in super::super) const SESSION: u8 = 1;
    pub(in super::super) const SUBSCRIPTION: u8 = 2;
    pub(in super::super) const MESSAGE: u8 = 3;
    pub(in super::super) const DELIVERY: u8 = 4;
    pub(in super::super) const INCOMING: u8 = 5;
    pub(in super::super) const RETAINED: u8 = 6;
}

type Key = Bytes<{ 1 + 4 + TOPIC_BYTES_MAX }>;

fn text_key(kind: u8, text: &str) -> Key {
    let mut key = Key::new();
    key.u8(kind);
    key.put(text.as_bytes());
    key
}

fn session_key(kind: u8, session: u32, rest: &[u8]) -> Key {
    let mut key = Key::new();
    key.u8(kind);
    key.u32(session);
    key.put(rest);
    key
}

fn message_key(number: u64) -> Key {
    let mut key = Key::new();
    key.u8(kind::MESSAGE);
    key.put(&number.to_be_bytes());
    key
}

impl Broker {
    /// Writes the session's own record, with when it ends if its client is away.
    pub(super) fn persist_session(&mut self, session: u32, out: &mut impl Outbound) {
        let entry = &self.sessions[session];
        self.record.clear();
        self.record.push(VERSION);
        self.record.extend_from_slice(&entry.number.to_le_bytes());
        self.record.extend_from_slice(&entry.expiry_s.to_le_bytes());
        self.record
            .extend_from_slice(&entry.ends_at.map_or(NEVER, |at| at.0).to_le_bytes());
        self.record.extend_from_slice(entry.user.as_bytes());
        let key = text_key(kind::SESSION, &entry.client_id);
        out.persist(Mutation::Put {
            key: key.as_slice(),
            value: &self.record,
        });
    }

    /// Deletes all that is written of a session.
    pub(super) fn forget_session(&mut self, session: u32, out: &mut impl Outbound) {
        let entry = &self.sessions[session];
        let mut delete = |key: Key| {
            out.persist(Mutation::Delete {
                key: key.as_slice(),
            })
        };
        delete(text_key(kind::SESSION, &entry.client_id));
        let mut number = entry.subscriptions;
        while let Some(subscription) = self.router.get(number) {
            self.filter.clear();
            self.router.write_filter(number, &mut self.filter);
            delete(session_key(kind::SUBSCRIPTION, entry.number, &self.filter));
            number = subscription.next_of_session;
        }
        for list in [entry.queue, entry.inflight] {
            list.each(&self.deliveries, |delivery| {
                delete(session_key(
                    kind::DELIVERY,
                    entry.number,
                    &delivery.sequence.to_be_bytes(),
                ));
            });
        }
        entry.incoming.each(&self.receipts.incoming, |incoming| {
            delete(session_key(
                kind::INCOMING,
                entry.number,
                &incoming.packet_id.to_be_bytes(),
            ));
        });
    }

    pub(super) fn persist_subscription(
        &mut self,
        session: u32,
        filter: &str,
        options: SubscribeOptions,
        id: u32,
        out: &mut impl Outbound,
    ) {
        let entry = &self.sessions[session];
        if entry.is_durable() {
            let mut value = Bytes::<6>::new();
            value.put(&[VERSION, options.byte()]);
            value.put(&id.to_le_bytes());
            let key = session_key(kind::SUBSCRIPTION, entry.number, filter.as_bytes());
            out.persist(Mutation::Put {
                key: key.as_slice(),
                value: value.as_slice(),
            });
        }
    }

    pub(super) fn unpersist_subscription(
        &mut self,
        session: u32,
        filter: &str,
        out: &mut impl Outbound,
    ) {
        let entry = &self.sessions[session];
        if entry.is_durable() {
            let key = session_key(kind::SUBSCRIPTION, entry.number, filter.as_bytes());
            out.persist(Mutation::Delete {
                key: key.as_slice(),
            });
        }
    }

    /// Writes how far a delivery has come, and its message before it if that is not written yet.
    pub(super) fn persist_delivery(&mut self, session: u32, number: u32, out: &mut impl Outbound) {
        let entry = &self.sessions[session];
        if !entry.is_durable() {
            return;
        }
        let delivery = &self.deliveries[number];
        let key = session_key(
            kind::DELIVERY,
            entry.number,
            &delivery.sequence.to_be_bytes(),
        );
        let mut name = 0;
        if delivery.message != NONE {
            let message = delivery.message;
            name = self.persist_message(message, out);
        }
        let delivery = &self.deliveries[number];
        let mut value = Bytes::<32>::new();
        value.u8(VERSION);
        value.put(&name.to_le_bytes());
        value.u8(delivery.qos as u8 | u8::from(delivery.retain) << 2 | (delivery.stage as u8) << 4);
        value.put(&delivery.packet_id.to_le_bytes());
        let ids = delivery.ids.as_slice();
        value.u8(ids.len() as u8);
        for id in ids {
            value.put(&id.to_le_bytes());
        }
        out.persist(Mutation::Put {
            key: key.as_slice(),
            value: value.as_slice(),
        });
    }

    pub(super) fn unpersist_delivery(
        &mut self,
        session: u32,
        sequence: u64,
        out: &mut impl Outbound,
    ) {
        let entry = &self.sessions[session];
        if entry.is_durable() {
            let key = session_key(kind::DELIVERY, entry.number, &sequence.to_be_bytes());
            out.persist(Mutation::Delete {
                key: key.as_slice(),
            });
        }
    }

    fn persist_message(&mut self, message: u32, out: &mut impl Outbound) -> u64 {
        let Some(stored) = self.messages.get(message).copied() else {
            return 0;
        };
        if !stored.persisted {
            let keep = Keep {
                qos: stored.qos,
                retain: stored.retain,
                expires: stored.expires,
            };
            let mut scratch = core::mem::take(&mut self.body);
            let content = self.messages.read(message, super::Instant(0), &mut scratch);
            write_message(&mut self.record, &content, keep);
            self.body = scratch;
            let key = message_key(stored.number);
            out.persist(Mutation::Put {
                key: key.as_slice(),
                value: &self.record,
            });
            self.messages.mark_persisted(message);
        }
        stored.number
    }

    pub(super) fn unpersist_message(&mut self, number: u64, out: &mut impl Outbound) {
        out.persist(Mutation::Delete {
            key: message_key(number).as_slice(),
        });
    }

    /// Writes a QoS 2 packet id, so that after a crash the message is known when it comes again.
    pub(super) fn persist_incoming(
        &mut self,
        session: u32,
        packet_id: u16,
        out: &mut impl Outbound,
    ) {
        let entry = &self.sessions[session];
        if entry.is_durable() {
            let key = session_key(kind::INCOMING, entry.number, &packet_id.to_be_bytes());
            out.persist(Mutation::Put {
                key: key.as_slice(),
                value: &[VERSION],
            });
        }
    }

    pub(super) fn unpersist_incoming(
        &mut self,
        session: u32,
        packet_id: u16,
        out: &mut impl Outbound,
    ) {
        let entry = &self.sessions[session];
        if entry.is_durable() {
            let key = session_key(kind::INCOMING, entry.number, &packet_id.to_be_bytes());
            out.persist(Mutation::Delete {
                key: key.as_slice(),
            });
        }
    }

    pub(super) fn persist_retained(
        &mut self,
        content: &Content<'_>,
        keep: Keep,
        out: &mut impl Outbound,
    ) {
        write_message(&mut self.record, content, keep);
        let key = text_key(kind::RETAINED, content.topic);
        out.persist(Mutation::Put {
            key: key.as_slice(),
            value: &self.record,
        });
    }

    pub(super) fn unpersist_retained(&mut self, topic: &str, out: &mut impl Outbound) {
        out.persist(Mutation::Delete {
            key: text_key(kind::RETAINED, topic).as_slice(),
        });
    }
}

fn write_message(record: &mut Vec<u8>, content: &Content<'_>, keep: Keep) {
    record.clear();
    record.extend_from_slice(&[VERSION, keep.qos as u8 | u8::from(keep.retain) << 2]);
    record.extend_from_slice(&keep.expires.map_or(NEVER, |at| at.0).to_le_bytes());
    record.extend_from_slice(&(content.topic.len() as u16).to_le_bytes());
    record.extend_from_slice(&(content.forwarded_len() as u32).to_le_bytes());
    record.extend_from_slice(content.topic.as_bytes());
    for run in content.forwarded {
        record.extend_from_slice(run);
    }
    record.extend_from_slice(content.payload);
}

/// Reads what [`write_message`] wrote; `None` if it is something else.
pub(super) fn read_message(value: &[u8]) -> Option<(Content<'_>, Keep)> {
    let (&[version, flags], rest) = value.split_first_chunk::<2>()?;
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (topic_len, rest) = rest.split_first_chunk::<2>()?;
    let (forwarded_len, rest) = rest.split_first_chunk::<4>()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*topic_len)))?;
    let (forwarded, payload) = rest.split_at_checked(u32::from_le_bytes(*forwarded_len) as usize)?;
    let topic = core::str::from_utf8(topic)
        .ok()
        .filter(|topic| (1..=TOPIC_BYTES_MAX).contains(&topic.len()))?;
    let qos = Qos::from_bits(flags & 0x03)?;
    let expires = match u64::from_le_bytes(*expires) {
        NEVER => None,
        at => Some(super::Instant(at)),
    };
    let content = Content {
        topic,
        payload,
        forwarded: [forwarded, &[], &[]],
        expiry_s: None,
    };
    (version == VERSION).then_some((
        content,
        Keep {
            qos,
            retain: flags & 0x04 != 0,
            expires,
        },
    ))
}
