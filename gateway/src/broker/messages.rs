//! Messages the broker keeps: stored once, held by everyone who has yet to deliver them.

use super::{
    Instant,
    blocks::Blocks,
    packet::{Content, Qos},
    slab::Slab,
};

/// What is known of a stored message without reading its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Its name in the durable state; never used twice.
    pub(super) number: u64,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// The durable state has it under its number.
    pub(super) persisted: bool,
    pub(super) expires: Option<Instant>,
    holders: u32,
    first: u32,
    topic_len: u16,
    forwarded_len: u32,
    payload_len: u32,
}

impl Message {
    /// True once it is of no use any more `[MQTT-3.3.2-5]`.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Bytes of topic, properties and payload.
    pub(super) const fn len(&self) -> usize {
        self.topic_len as usize + self.forwarded_len as usize + self.payload_len as usize
    }
}

/// How a message is to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) expires: Option<Instant>,
}

/// The store.
pub(super) struct Messages {
    table: Slab<Message>,
    blocks: Blocks,
    next_number: u64,
}

impl Messages {
    pub(super) fn new(messages_max: u32, bytes_max: usize) -> Self {
        Self {
            table: Slab::new(messages_max),
            blocks: Blocks::new(bytes_max),
            next_number: 1,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(messages_max: u32, bytes_max: usize) -> usize {
        Slab::<Message>::memory_bytes(messages_max) + Blocks::memory_bytes(bytes_max)
    }

    /// Copies a message in, held once; `None` if there is no room.
    pub(super) fn store(&mut self, content: &Content<'_>, keep: Keep) -> Option<u32> {
        if self.table.is_full() {
            return None;
        }
        let [first, second, third] = content.forwarded;
        let first_block = self.blocks.store(&[
            content.topic.as_bytes(),
            first,
            second,
            third,
            content.payload,
        ])?;
        let message = Message {
            number: self.next_number,
            qos: keep.qos,
            retain: keep.retain,
            persisted: false,
            expires: keep.expires,
            holders: 1,
            first: first_block,
            topic_len: content.topic.len() as u16,
            forwarded_len: content.forwarded_len() as u32,
            payload_len: content.payload.len() as u32,
        };
        self.next_number += 1;
        self.table.insert(message).ok()
    }

    /// Gives a message read from the durable state its old number back.
    pub(super) fn renumber(&mut self, id: u32, number: u64) {
        self.table[id].number = number;
        self.table[id].persisted = true;
        self.next_number = self.next_number.max(number + 1);
    }

    pub(super) fn mark_persisted(&mut self, id: u32) {
        self.table[id].persisted = true;
    }

    /// One holder more.
    pub(super) fn hold(&mut self, id: u32) {
        self.table[id].holders += 1;
    }

    /// One holder less; returns the message if it was the last and it is gone now.
    pub(super) fn release(&mut self, id: u32) -> Option<Message> {
        let message = &mut self.table[id];
        message.holders -= 1;
        if message.holders > 0 {
            return None;
        }
        self.blocks.release(message.first);
        self.table.remove(id)
    }

    /// True if less than a quarter is left.
    pub(super) const fn is_scarce(&self) -> bool {
        self.table.is_scarce() || self.blocks.is_scarce()
    }

    /// What is known of a message, or `None` if the number is not in use.
    pub(super) fn get(&self, id: u32) -> Option<&Message> {
        self.table.get(id)
    }

    /// Copies a message's bytes into `scratch` and shows them as content, with the expiry that is left.
    pub(super) fn read<'s>(&self, id: u32, now: Instant, scratch: &'s mut Vec<u8>) -> Content<'s> {
        let message = &self.table[id];
        scratch.clear();
        self.blocks.read(message.first, message.len(), scratch);
        let (topic, rest) = scratch.split_at(usize::from(message.topic_len));
        let (forwarded, payload) = rest.split_at(message.forwarded_len as usize);
        Content {
            topic: core::str::from_utf8(topic).unwrap_or_default(),
            payload,
            forwarded: [forwarded, &[], &[]],
            expiry_s: message
                .expires
                .map(|expires| expires.0.saturating_sub(now.0).div_ceil(1_000) as u32),
        }
    }

    /// Copies the topic alone.
    pub(super) fn read_topic<'s>(&self, id: u32, scratch: &'s mut Vec<u8>) -> &'s str {
        let message = &self.table[id];
        scratch.clear();
        self.blocks
            .read(message.first, usize::from(message.topic_len), scratch);
        core::str::from_utf8(scratch).unwrap_or_default()
    }

    /// True if the message was published to `topic`.
    pub(super) fn has_topic(&self, id: u32, topic: &str) -> bool {
        let message = &self.table[id];
        usize::from(message.topic_len) == topic.len()
            && self.blocks.starts_with(message.first, topic.as_bytes())
    }

    /// Messages stored.
    pub(super) const fn len(&self) -> u32 {
        self.table.len()
    }

    /// One more than the highest number of an entry ever used.
    pub(super) const fn ids(&self) -> u32 {
        self.table.numbers()
    }
}
