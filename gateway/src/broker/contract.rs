//! What passes between the broker and its caller.

use super::{
    limits::TOPIC_BYTES_MAX,
    packet::{self, Content, Forwarded, Qos},
    receipts::Receipt,
};

/// Names a connection: a place among `connections_max`, and which of its occupants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The place, below `connections_max`.
    pub index: u16,
    /// Differs for every connection that has had the place.
    pub generation: u32,
}

/// Who is at the other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// It is on this machine.
    pub loopback: bool,
}

/// What a client says of itself in CONNECT.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Its own, or the one it was given because it had none.
    pub client_id: &'a str,
    /// If it gave one.
    pub username: Option<&'a str>,
    /// If it gave one. Never to be logged.
    pub password: Option<&'a [u8]>,
}

/// A change of the durable broker state, a map from keys to values. Part of the next group commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation<'a> {
    /// The key has this value from now on.
    Put {
        /// At most 1 029 bytes.
        key: &'a [u8],
        /// At most a packet's size and a few bytes.
        value: &'a [u8],
    },
    /// The key is not there any more; it need not have been.
    Delete {
        /// As in `Put`.
        key: &'a [u8],
    },
}

/// Where the broker's doings go, in order.
pub trait Outbound {
    /// Sends one whole packet, given in pieces; some may be empty.
    fn transmit(&mut self, to: ConnectionId, parts: &[&[u8]]);

    /// The same for a packet on which its client builds: it goes out once all that was persisted before it is on disk.
    /// What is transmitted behind it may overtake it, unless it is CONNACK, SUBACK, or a PUBLISH that is sent again.
    fn transmit_durable(&mut self, to: ConnectionId, parts: &[&[u8]]);

    /// Closes the socket once what was transmitted to it is written.
    fn close(&mut self, connection: ConnectionId);

    /// Asks whether this client may come in; the answer is [`handle_authenticated`](super::Broker::handle_authenticated), now or later.
    fn authenticate(&mut self, connection: ConnectionId, credentials: Credentials<'_>);

    /// Changes the durable state.
    fn persist(&mut self, mutation: Mutation<'_>);

    /// A will has been published and routed; it may be telemetry or a death certificate to the caller.
    fn will(&mut self, publish: &Publish<'_>);
}

/// What a packet was, as far as it concerns the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inbound<'p> {
    /// Nothing: the broker has dealt with it.
    None,
    /// A buffer is full, or the client's CONNECT is not decided. The packet was not taken; hand it in again later.
    Busy,
    /// A message the client has the right to publish. The caller routes it, and acknowledges it once it is durable.
    Publish(Publish<'p>),
}

/// A message to be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'p> {
    /// Who sent it; `None` for the gateway's own and for wills.
    pub connection: Option<ConnectionId>,
    /// Where to.
    pub topic: &'p str,
    /// Application bytes.
    pub payload: &'p [u8],
    /// v5 properties for the subscribers, in wire form.
    pub forwarded: Forwarded<'p>,
    /// Seconds it stays of use, if its publisher said so.
    pub expiry_s: Option<u32>,
    /// As published.
    pub qos: Qos,
    /// Keep it for later subscribers.
    pub retain: bool,
    /// The client says that it may have sent it before, and for all that the broker knows this may be so.
    pub dup: bool,
    /// The client's number for it; there is one at QoS 1 and 2.
    pub packet_id: Option<u16>,
    /// To be given back to [`acknowledge`](super::Broker::acknowledge); there is one at QoS 1 and 2.
    pub receipt: Option<Receipt>,
}

impl<'p> Publish<'p> {
    /// A message of the gateway's own.
    pub const fn own(topic: &'p str, payload: &'p [u8], qos: Qos, retain: bool) -> Self {
        Self::with_content(Content::plain(topic, payload), qos, retain)
    }

    /// The answer that its publisher asks for, if it names a topic for it (3.3.2.3.5): with its correlation data, at QoS 0.
    #[must_use]
    pub fn answer<'a>(&self, payload: &'a [u8]) -> Option<Publish<'a>>
    where
        'p: 'a,
    {
        let (topic, correlation) = packet::answer_to(&self.forwarded)?;
        Some(Publish {
            forwarded: [correlation, &[], &[]],
            ..Publish::own(topic, payload, Qos::AtMostOnce, false)
        })
    }

    pub(super) const fn with_content(content: Content<'p>, qos: Qos, retain: bool) -> Self {
        let Content {
            topic,
            payload,
            forwarded,
            expiry_s,
        } = content;
        let (connection, packet_id, receipt) = (None, None, None);
        Self {
            connection,
            topic,
            payload,
            forwarded,
            expiry_s,
            qos,
            retain,
            dup: false,
            packet_id,
            receipt,
        }
    }

    pub(super) const fn content(&self) -> Content<'p> {
        Content {
            topic: self.topic,
            payload: self.payload,
            forwarded: self.forwarded,
            expiry_s: self.expiry_s,
        }
    }
}

/// What became of a routed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Copies offered to sessions; 0: v5's "no matching subscribers".
    pub copies: u32,
    /// It asked to be retained and there was no room.
    pub retained_refused: bool,
}

/// Room for the topic an alias stands for while its message is handled.
#[derive(Clone, Debug, Default)]
pub struct TopicBuffer(heapless::String<TOPIC_BYTES_MAX>);

impl TopicBuffer {
    /// An empty one; use it again for every packet.
    pub const fn new() -> Self {
        Self(heapless::String::new())
    }

    pub(super) fn set(&mut self, topic: &str) -> &str {
        self.0.clear();
        // Aliases only hold topics that were accepted, so it fits.
        if self.0.push_str(topic).is_err() {
            self.0.clear();
        }
        &self.0
    }
}

/// Entries in use, per table; each has its bound in [`Limits`](super::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the limits")]
pub struct Usage {
    pub sessions: u32,
    pub subscriptions: u32,
    pub retained: u32,
    pub messages: u32,
    pub deliveries: u32,
    pub receipts: u32,
    pub packet_ids: u32,
}
