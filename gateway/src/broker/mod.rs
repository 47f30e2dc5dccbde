//! The MQTT broker core, 3.1.1 and 5.0: packets in, packets out, and nothing else. It opens no socket, reads no clock and
//! writes no file; all of these are the caller's, and so the whole broker runs in a test or a simulation as it does in the
//! field.
//!
//! # The contract
//!
//! 1. Each `handle_*`, [`Broker::route`], [`Broker::publish`] and [`Broker::acknowledge`] does all it has to do before it
//!    returns, by calls to [`Outbound`]; nothing is to be polled but [`Broker::deadline`].
//! 2. `now` never goes back, and goes on over a restart (sessions and retained messages carry it in the durable state).
//! 3. A QoS 1/2 PUBLISH is acknowledged when [`Broker::acknowledge`] is called with its receipt and not before: the caller
//!    does that once the message, and all that [`Outbound::persist`] was given with it, is safe on disk.
//! 4. After [`Outbound::close`] the connection is gone for the broker. [`Broker::handle_closed`] may follow or not; the same
//!    index comes again with another generation.
//! 5. The caller reports written bytes with [`Broker::handle_drained`]. What a client does not read stays bounded by
//!    `send_buffer_bytes_max` + 16 KiB + one packet, and its acknowledgements owed.
//!
//! # The bounds
//!
//! All tables are reserved in [`Broker::new`] from [`Limits`]. CONNECT and SUBSCRIBE allocate their texts (bounded by the
//! same limits); no message allocates. What finds a table full is refused, told so where the protocol can, and counted.
//!
//! # Reading order
//!
//! `contract` (what passes between broker and caller); `packet` (bytes), `topic`, `auth`; `client` and `session` (who is
//! here); `turn_away` → `accept` → `admit` → `receive` → `acknowledge` → `subscriptions` → `route` → `deliver` → `replay` → `leave` (a client's life); `router`, `retained`, `messages`, `receipts` (the tables); `durable`, `restore`
//! (what survives); `slab`, `index`, `blocks`, `deadlines`, `aliases` (what the tables are made of).

mod contract;
mod packet;
mod topic;
pub mod auth;
mod reason;
mod counters;
pub mod limits;
mod client;
mod session;
mod turn_away;
mod accept;
mod admit;
mod receive;
mod acknowledge;
mod subscriptions;
mod route;
mod deliver;
mod replay;
mod leave;
mod router;
mod retained;
mod messages;
mod receipts;
mod durable;
mod restore;
mod slab;
mod index;
mod blocks;
mod deadlines;
mod aliases;

pub use auth::Rights;
pub use contract::{
    ConnectionId, Credentials, Inbound, Mutation, Outbound, Peer, Publish, Routed, TopicBuffer,
    Usage,
};
pub use counters::{Counter, Counters};
pub use limits::Limits;
pub use packet::{Forwarded, FrameError, Malformed, Qos, Version, first_frame_len, frame_len};
pub use reason::{ReasonCode, Refusal};
pub use receipts::Receipt;
pub use restore::{RestoreError, Subject};
pub use topic::{Subscribed, TopicError, TopicFilter, TopicName};
pub use turn_away::{VERSION_BYTES_MAX, turn_away};

pub use pipeline::Instant;

use aliases::AliasTables;
use client::{Client, State};
use deadlines::Deadlines;
use limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};
use messages::Messages;
use receipts::Receipts;
use restore::Found;
use retained::Retained;
use router::{Hit, Router};
use session::{Delivery, Sessions};
use slab::Slab;

/// The broker.
pub struct Broker {
    limits: Limits,
    clients: Vec<Client>,
    sessions: Sessions,
    deliveries: Slab<Delivery>,
    messages: Messages,
    retained: Retained,
    router: Router,
    receipts: Receipts,
    aliases: AliasTables,
    deadlines: Deadlines,
    counters: Counters,
    /// Client ids assigned so far.
    assigned: u64,
    /// Messages routed so far, and the hits and sessions of the one in hand.
    route_number: u64,
    hits: Vec<Hit>,
    chain: Vec<u32>,
    targets: Vec<u32>,
    /// Bytes of a message that is being sent, replayed, published as a will, or written; a filter; a value.
    scratch: Vec<u8>,
    retained_scratch: Vec<u8>,
    will_scratch: Vec<u8>,
    body: Vec<u8>,
    filter: Vec<u8>,
    record: Vec<u8>,
    found: Found,
}

/// Bytes of a stored value beside the packet it came from.
const RECORD_HEAD_BYTES: usize = 64;

impl Broker {
    /// Reserves everything.
    pub fn new(limits: Limits) -> Self {
        let limits = limits.within_protocol();
        let connections = usize::from(limits.connections_max);
        let subscriptions = limits.subscriptions_max as usize + limits.share_groups_max as usize;
        let packet = limits.packet_bytes_max;
        Self {
            clients: (0..connections).map(|_| Client::closed()).collect(),
            sessions: Sessions::new(limits.sessions_max, limits.seed),
            deliveries: Slab::new(limits.deliveries_max),
            messages: Messages::new(limits.messages_max, limits.message_bytes_max),
            retained: Retained::new(limits.retained_max, limits.retained_bytes_max, limits.seed),
            router: Router::new(
                limits.filter_nodes_max,
                limits.subscriptions_max,
                limits.share_groups_max,
                limits.seed,
            ),
            receipts: Receipts::new(limits.receipts_max, limits.seed),
            aliases: AliasTables::new(limits.alias_tables_max, limits.topic_aliases_max),
            deadlines: Deadlines::new(connections + limits.sessions_max as usize),
            counters: Counters::new(),
            assigned: 0,
            route_number: 0,
            hits: Vec::with_capacity(subscriptions),
            chain: Vec::with_capacity(subscriptions),
            targets: Vec::with_capacity(limits.sessions_max as usize),
            scratch: Vec::with_capacity(packet),
            retained_scratch: Vec::with_capacity(packet),
            will_scratch: Vec::with_capacity(packet),
            body: Vec::with_capacity(packet),
            filter: Vec::with_capacity(TOPIC_BYTES_MAX + TOPIC_LEVELS_MAX),
            record: Vec::with_capacity(packet + RECORD_HEAD_BYTES),
            found: Found::default(),
            limits,
        }
    }

    /// The broker's line in the bill of memory: the most it ever takes under these limits, in bytes.
    pub const fn memory_bytes(limits: &Limits) -> usize {
        let connections = limits.connections_max as usize;
        let subscriptions = limits.subscriptions_max as usize + limits.share_groups_max as usize;
        size_of::<Self>()
            + connections
                * (size_of::<Client>() + size_of::<client::Pending>() + limits.client_id_bytes_max)
            + Sessions::memory_bytes(limits.sessions_max, limits.client_id_bytes_max)
            + Slab::<Delivery>::memory_bytes(limits.deliveries_max)
            + Messages::memory_bytes(limits.messages_max, limits.message_bytes_max)
            + Retained::memory_bytes(limits.retained_max, limits.retained_bytes_max)
            + Router::memory_bytes(
                limits.filter_nodes_max,
                limits.subscriptions_max,
                limits.share_groups_max,
            )
            + Receipts::memory_bytes(limits.receipts_max)
            + AliasTables::memory_bytes(limits.alias_tables_max, limits.topic_aliases_max)
            + Deadlines::memory_bytes(connections + limits.sessions_max as usize)
            + subscriptions * (size_of::<Hit>() + size_of::<u32>())
            + limits.sessions_max as usize * size_of::<u32>()
            + 5 * limits.packet_bytes_max
            + RECORD_HEAD_BYTES
            + TOPIC_BYTES_MAX
            + TOPIC_LEVELS_MAX
    }

    /// The shell has written `bytes` bytes of what was transmitted to the connection since it last said so. It may wait
    /// until these are [`limits::DRAIN_REPORT_BYTES`].
    pub fn handle_drained(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        bytes: usize,
        out: &mut impl Outbound,
    ) {
        let Some(index) = self.find_client(connection) else {
            return;
        };
        let client = self.client_mut(index);
        client.unsent = client.unsent.saturating_sub(bytes);
        if client.is_connected() {
            let session = client.session;
            self.advance(now, session, out);
        }
    }

    /// Does one thing that is due: a keep-alive, a connect time-out, a will, a session that ends, retained messages still
    /// to be sent. Call it again while [`Broker::deadline`] is not after `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut impl Outbound) {
        let Some(owner) = self.deadlines.pop_due(now) else {
            return;
        };
        match u16::try_from(owner)
            .ok()
            .filter(|&index| index < self.limits.connections_max)
        {
            Some(index) => self.handle_client_due(now, index, out),
            None => {
                let session = owner - usize::from(self.limits.connections_max);
                self.handle_session_due(now, session as u32, out);
            }
        }
    }

    /// When [`Broker::handle_timeout`] is to be called next; may have changed after every other call.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadlines.earliest()
    }

    /// What was done and refused so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Length of the packet at the start of a connection's bytes, as [`frame_len`], or [`first_frame_len`] before it has
    /// sent its CONNECT.
    pub fn packet_len(
        &self,
        connection: ConnectionId,
        bytes: &[u8],
    ) -> Result<Option<usize>, FrameError> {
        let client = self.find_client(connection).map(|index| self.client(index));
        match client.map(|client| &client.state) {
            Some(State::Opened) => first_frame_len(bytes, self.limits.packet_bytes_max),
            Some(State::Deciding(_) | State::Connected | State::Closed) | None => {
                frame_len(bytes, self.limits.packet_bytes_max)
            }
        }
    }

    /// The client id of a connection that is in a session.
    pub fn client_id(&self, connection: ConnectionId) -> Option<&str> {
        let client = self.client(self.find_client(connection)?);
        client
            .is_connected()
            .then(|| &*self.sessions[client.session].client_id)
    }

    /// The rights of a connection that is in a session.
    pub fn rights(&self, connection: ConnectionId) -> Option<&Rights> {
        self.client(self.find_client(connection)?).rights.as_ref()
    }

    /// Shows the payload of each retained message whose topic begins with `prefix`.
    pub fn read_retained(&mut self, now: Instant, prefix: &str, mut show: impl FnMut(&[u8])) {
        let mut scratch = core::mem::take(&mut self.retained_scratch);
        let messages = &self.retained.messages;
        for id in 0..messages.ids() {
            if messages
                .get(id)
                .is_some_and(|message| !message.is_expired(now))
            {
                let content = messages.read(id, now, &mut scratch);
                if content.topic.starts_with(prefix) {
                    show(content.payload);
                }
            }
        }
        self.retained_scratch = scratch;
    }

    /// Who is at the other end of a connection.
    pub fn peer(&self, connection: ConnectionId) -> Option<Peer> {
        Some(self.client(self.find_client(connection)?).peer)
    }

    /// How full the tables are.
    pub const fn usage(&self) -> Usage {
        Usage {
            sessions: self.sessions.len(),
            subscriptions: self.router.len(),
            retained: self.retained.messages.len(),
            messages: self.messages.len(),
            deliveries: self.deliveries.len(),
            receipts: self.receipts.owed.len(),
            packet_ids: self.receipts.incoming.len(),
        }
    }

    fn session_owner(&self, session: u32) -> usize {
        usize::from(self.limits.connections_max) + session as usize
    }
}

#[cfg(test)]
mod tests;
