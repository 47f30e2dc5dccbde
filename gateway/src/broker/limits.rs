//! Every bound of the broker core, with its name, its default and the reason for the number.

/// Longest topic name or filter taken, in bytes. MQTT allows 65 535; plants stay under 200, and a scratch buffer of this
/// size lies on the stack.
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// Deepest topic taken, in levels. Matching recurses once per level.
pub const TOPIC_LEVELS_MAX: usize = 64;

/// Filters in one SUBSCRIBE or UNSUBSCRIBE. The answer's codes lie on the stack, one byte each.
pub const FILTERS_PER_PACKET_MAX: usize = 1_024;

/// Subscription identifiers carried by one copy of a message; a session with more matches gets a further copy
/// `[MQTT-3.3.4-5]`.
pub const SUBSCRIPTION_IDS_PER_COPY_MAX: usize = 4;

/// Stored retained topics looked at in one step for one new subscription: keeps a step under about 0.1 ms.
pub const REPLAY_SCAN_MAX: u32 = 512;

/// Expired retained messages dropped to make room for one new message.
pub const RETAINED_EXPIRED_PER_STEP_MAX: u32 = 64;

/// Deliveries a session may have queued while less than a quarter of the message store is free: the rest is for those
/// who keep up.
pub const QUEUED_WHEN_SCARCE_MAX: u32 = 16;

/// Members of a share group looked at for one message, in search of one who can take it now.
pub const SHARE_MEMBERS_TRIED_MAX: u32 = 64;

/// Bytes written to a connection which the shell may leave unreported: spares an event per acknowledgement.
pub const DRAIN_REPORT_BYTES: usize = 8 * 1_024;

/// Bytes of acknowledgements and answers that may wait above `send_buffer_bytes_max` before the broker stops taking
/// packets from a client that does not read.
pub const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// Roles in one credentials file: each costs its rules once, however many users have it.
pub const ROLES_MAX: usize = 256;

/// Rules of one role in one direction. Every PUBLISH is held against them one by one.
pub const RULES_PER_ROLE_MAX: usize = 64;

/// Rules of all roles together: a plant has ten roles of ten rules.
pub const RULES_MAX: usize = 4_096;

/// Users and devices in one credentials file, whatever the config says.
pub const USERS_MAX: usize = 65_535;

/// Longest name of a user, in bytes: certificates name mail addresses and URIs.
pub const USER_NAME_BYTES_MAX: usize = 128;

/// Longest secret of a user, in bytes: argon2id with the longest salt and hash that are of use has 202.
pub const SECRET_BYTES_MAX: usize = 256;

/// Longest name that `%u` or `%c` in a rule is replaced by, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Packets of this size are always taken.
const PACKET_BYTES_LEAST: usize = 128;

/// What a remaining length of four bytes can say (2.1.4).
const PACKET_BYTES_MOST: usize = 268_435_460;

/// Client ids of this length are always taken `[MQTT-3.1.3-5]`.
const CLIENT_ID_BYTES_LEAST: usize = 23;

/// The bounds of one broker. Everything is allocated from these in [`super::Broker::new`], and
/// [`super::Broker::memory_bytes`] sums it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sockets open at once. The shell's permits hold the same number.
    pub connections_max: u16,
    /// Of these, in sessions of one user; anonymous clients are one user.
    pub connections_per_user_max: u16,
    /// Sessions, connected or kept for a client that is away.
    pub sessions_max: u32,
    /// Longest client identifier, in bytes. `[MQTT-3.1.3-5]` asks for 23; UUIDs with a prefix need more.
    pub client_id_bytes_max: usize,
    /// Largest packet taken, in bytes; v5 clients are told in CONNACK.
    pub packet_bytes_max: usize,
    /// Milliseconds from accept to an authenticated CONNECT.
    pub connect_timeout_ms: u64,
    /// Bytes handed to one connection and not yet written. Above this QoS 0 to it is dropped and QoS 1/2 waits.
    pub send_buffer_bytes_max: usize,
    /// Longest keep-alive granted to a v5 client, in seconds; a dead device is noticed after 1.5 times this.
    pub keep_alive_s_max: u16,
    /// Longest life of a session whose client is away, in seconds. 3.1.1 knows no end, so it gets this.
    pub session_expiry_s_max: u32,
    /// Subscriptions of all sessions together.
    pub subscriptions_max: u32,
    /// Subscriptions of one session.
    pub subscriptions_per_session_max: u32,
    /// Distinct levels in the tree of filters.
    pub filter_nodes_max: u32,
    /// Distinct `$share` groups (by name and filter).
    pub share_groups_max: u32,
    /// Retained topics.
    pub retained_max: u32,
    /// Bytes of retained topics, properties and payloads, in blocks of 256.
    pub retained_bytes_max: usize,
    /// Messages held for delivery: queued, in flight, wills.
    pub messages_max: u32,
    /// Bytes of these, in blocks of 256.
    pub message_bytes_max: usize,
    /// Deliveries (message × session) queued or in flight, over all sessions.
    pub deliveries_max: u32,
    /// Deliveries queued for one session.
    pub queued_per_session_max: u32,
    /// Bytes queued for one session.
    pub queued_bytes_per_session_max: usize,
    /// QoS 1/2 messages in flight to one client; its own Receive Maximum may be lower.
    pub outbound_inflight_max: u16,
    /// QoS 1/2 messages of one client not yet acknowledged; v5's Receive Maximum. A 3.1.1 client is held back instead.
    pub inbound_inflight_max: u16,
    /// Acknowledgements owed, over all connections.
    pub receipts_max: u32,
    /// QoS 2 packet ids of one session between PUBLISH and PUBREL.
    pub incoming_per_session_max: u32,
    /// Topic aliases per connection and direction; v5's Topic Alias Maximum.
    pub topic_aliases_max: u16,
    /// Tables of aliases (one per connection and direction). When all are taken a new client is granted no aliases.
    pub alias_tables_max: u16,
    /// Keys the hash tables and the assigned client ids, so that nobody outside can choose collisions or guess ids.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_user_max: u16::MAX,
            sessions_max: 2_048,
            client_id_bytes_max: 128,
            packet_bytes_max: 256 * 1_024,
            connect_timeout_ms: 5_000,
            send_buffer_bytes_max: 64 * 1_024,
            keep_alive_s_max: 60,
            session_expiry_s_max: 7 * 24 * 3_600,
            subscriptions_max: 8_192,
            subscriptions_per_session_max: 256,
            filter_nodes_max: 16_384,
            share_groups_max: 256,
            retained_max: 4_096,
            retained_bytes_max: 4 << 20,
            messages_max: 16_384,
            message_bytes_max: 8 << 20,
            deliveries_max: 32_768,
            queued_per_session_max: 1_000,
            queued_bytes_per_session_max: 1 << 20,
            outbound_inflight_max: 64,
            inbound_inflight_max: 256,
            receipts_max: 16_384,
            incoming_per_session_max: 1_024,
            topic_aliases_max: 8,
            alias_tables_max: 64,
            seed: 0x7469_6465_6761_7465,
        }
    }
}

impl Limits {
    /// The same, where the protocol and our own packets leave no choice brought into range.
    pub(super) fn within_protocol(self) -> Self {
        Self {
            // A Receive Maximum of 0 does not exist; ids have 16 bits, and one has to be free.
            inbound_inflight_max: self.inbound_inflight_max.max(1),
            outbound_inflight_max: self.outbound_inflight_max.clamp(1, u16::MAX - 1),
            packet_bytes_max: self
                .packet_bytes_max
                .clamp(PACKET_BYTES_LEAST, PACKET_BYTES_MOST),
            // Keys of the durable state hold a client id or a filter.
            client_id_bytes_max: self
                .client_id_bytes_max
                .clamp(CLIENT_ID_BYTES_LEAST, TOPIC_BYTES_MAX),
            ..self
        }
    }

    /// Changes of the durable state that one call can cause at most: a CONNECT that takes a session over, publishes its
    /// will to all sessions there are, and ends it with all that it holds.
    pub const fn mutations_per_step_max(&self) -> usize {
        let parts = self.sessions_max as usize
            + self.subscriptions_max as usize / SUBSCRIPTION_IDS_PER_COPY_MAX // further copies, full of identifiers
            + RETAINED_EXPIRED_PER_STEP_MAX as usize;
        let per_session = self.subscriptions_per_session_max as usize
            + 2 * (self.queued_per_session_max as usize + self.outbound_inflight_max as usize) // and their messages
            + self.incoming_per_session_max as usize;
        // One SUBSCRIBE may write a filter again and again.
        let rest = 8;
        let step = parts + per_session + rest;
        if step > FILTERS_PER_PACKET_MAX {
            step
        } else {
            FILTERS_PER_PACKET_MAX
        }
    }

    /// Bytes of these, keys and values together.
    pub const fn mutation_bytes_per_step_max(&self) -> usize {
        let filters = self.subscriptions_per_session_max as usize * (TOPIC_BYTES_MAX + 5);
        // A message stored for its deliveries, and once more as retained.
        let messages = 2 * (self.packet_bytes_max + TOPIC_BYTES_MAX + 64);
        let retained = RETAINED_EXPIRED_PER_STEP_MAX as usize * (TOPIC_BYTES_MAX + 1);
        self.mutations_per_step_max() * 48 + filters + messages + retained
    }
}
