//! The last retained message of each topic (3.3.1.3).

use super::{
    Instant,
    index::{HashIndex, hash},
    messages::{Keep, Message, Messages},
    packet::Content,
};

/// Retained messages by topic.
pub(super) struct Retained {
    pub(super) messages: Messages,
    index: HashIndex,
    seed: u64,
}

impl Retained {
    pub(super) fn new(topics_max: u32, bytes_max: usize, seed: u64) -> Self {
        Self {
            messages: Messages::new(topics_max, bytes_max),
            index: HashIndex::new(topics_max),
            seed,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(topics_max: u32, bytes_max: usize) -> usize {
        Messages::memory_bytes(topics_max, bytes_max) + HashIndex::memory_bytes(topics_max)
    }

    /// The message of exactly this topic.
    pub(super) fn find(&self, topic: &str) -> Option<u32> {
        self.index.find(hash(self.seed, topic.as_bytes()), |id| {
            self.messages.has_topic(id, topic)
        })
    }

    /// Keeps a message in place of its topic's last one. Without room the last one is dropped too, as it is no longer
    /// true, and `None` comes back.
    pub(super) fn keep(&mut self, content: &Content<'_>, keep: Keep) -> Option<u32> {
        self.drop_topic(content.topic);
        let id = self.messages.store(content, keep)?;
        self.index
            .insert(hash(self.seed, content.topic.as_bytes()), id);
        Some(id)
    }

    /// Forgets the message of a topic; true if there was one.
    pub(super) fn drop_topic(&mut self, topic: &str) -> bool {
        let Some(id) = self.find(topic) else {
            return false;
        };
        self.index.remove(hash(self.seed, topic.as_bytes()), id);
        self.messages.release(id);
        true
    }

    /// The message of an entry, or `None` if the entry is empty.
    pub(super) fn get(&self, id: u32) -> Option<&Message> {
        self.messages.get(id)
    }

    /// An entry whose message has expired.
    pub(super) fn find_expired(&self, now: Instant) -> Option<u32> {
        (0..self.messages.ids()).find(|&id| {
            self.messages
                .get(id)
                .is_some_and(|message| message.is_expired(now))
        })
    }
}
