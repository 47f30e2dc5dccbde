//! What the broker did and refused, one count per kind: the operator's view in place of log lines.

/// Declares the counters once: variant, metric name, meaning.
macro_rules! counters {
    ($($variant:ident, $name:literal, $doc:literal;)*) => {
        /// Something the broker counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter { $(#[doc = $doc] $variant,)* }

        impl Counter {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is counted, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

counters! {
    Opened, "connections_opened", "Sockets accepted.";
    Connected, "connections_accepted", "CONNECTs accepted.";
    ConnectRefused, "connects_refused", "CONNECTs refused with a CONNACK.";
    ConnectTimedOut, "connects_timed_out", "Sockets closed because no CONNECT came in time.";
    KeepAliveExpired, "keep_alives_expired", "Clients closed after one and a half keep-alives of silence.";
    Malformed, "packets_malformed", "Packets that break the format; the connection is closed.";
    ProtocolError, "packets_out_of_protocol", "Packets that break the protocol; the connection is closed.";
    Oversize, "packets_oversize", "Packets above packet_bytes_max; the connection is closed.";
    HeldBack, "packets_held_back", "Packets not taken yet because a buffer was full; the client waits.";
    TakenOver, "sessions_taken_over", "Connections closed because their client connected again.";
    ForeignClientId, "client_ids_of_others", "CONNECTs refused because the session belongs to another user.";
    SessionsFull, "sessions_full", "CONNECTs refused because the table of sessions is full.";
    UserFull, "user_full", "CONNECTs refused because their user has connections_per_user_max already.";
    SessionExpired, "sessions_expired", "Sessions dropped because their client stayed away too long.";
    PublishDenied, "publishes_denied", "PUBLISHes without the right to the topic.";
    TopicInvalid, "topics_invalid", "PUBLISHes with a topic that is none.";
    AliasInvalid, "topic_aliases_invalid", "PUBLISHes with an alias of 0, above the maximum, or never set.";
    ReceiveMaximumExceeded, "receive_maximum_exceeded", "Clients closed because they sent more than they were granted.";
    DuplicateIgnored, "duplicates_ignored", "QoS 2 PUBLISHes sent again and not delivered again.";
    SubscribeDenied, "subscribes_denied", "Filters without the right to them.";
    ReceiveDenied, "receives_denied", "Copies dropped because their subscriber has no right to receive the topic.";
    FilterInvalid, "filters_invalid", "Filters that are none.";
    SubscriptionsFull, "subscriptions_full", "Filters refused because a table is full.";
    RetainedFull, "retained_full", "Retained messages not kept because the store is full.";
    RetainedExpired, "retained_expired", "Retained messages dropped at their expiry.";
    DroppedSendBuffer, "dropped_send_buffer_full", "QoS 0 copies dropped because the reader is behind.";
    DroppedOffline, "dropped_offline", "QoS 0 copies dropped because the client is away.";
    DroppedQueue, "dropped_queue_full", "QoS 1/2 copies dropped because the session's queue is full.";
    DroppedStore, "dropped_store_full", "QoS 1/2 copies dropped because the message store is full.";
    DroppedTooLarge, "dropped_too_large", "Copies dropped because the client takes no packet of this size.";
    DroppedExpired, "dropped_expired", "Copies dropped at the message's expiry.";
    WillDropped, "wills_dropped", "CONNECTs refused because their will found no room.";
    WillPublished, "wills_published", "Wills published.";
    Delivered, "copies_delivered", "PUBLISHes sent to subscribers.";
    StaleReceipt, "acknowledgements_stale", "Durable acknowledgements for connections that are gone.";
    UnknownPacketId, "packet_ids_unknown", "Acknowledgements from clients for ids that are not in flight.";
}

impl Counter {
    /// Those that tell of a limit or a right by which something was refused.
    pub const REFUSALS: &'static [Self] = &[
        Self::ConnectTimedOut,
        Self::KeepAliveExpired,
        Self::Malformed,
        Self::ProtocolError,
        Self::Oversize,
        Self::HeldBack,
        Self::ForeignClientId,
        Self::SessionsFull,
        Self::UserFull,
        Self::PublishDenied,
        Self::TopicInvalid,
        Self::AliasInvalid,
        Self::ReceiveMaximumExceeded,
        Self::SubscribeDenied,
        Self::ReceiveDenied,
        Self::FilterInvalid,
        Self::SubscriptionsFull,
        Self::RetainedFull,
        Self::DroppedSendBuffer,
        Self::DroppedQueue,
        Self::DroppedStore,
        Self::DroppedTooLarge,
        Self::WillDropped,
    ];
}

/// The counts, and the packets by kind in both directions.
#[derive(Clone, Debug)]
pub struct Counters {
    counts: [u64; Counter::ALL.len()],
    packets_in: [u64; 16],
    packets_out: [u64; 16],
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self {
            counts: [0; Counter::ALL.len()],
            packets_in: [0; 16],
            packets_out: [0; 16],
        }
    }

    /// One counter.
    pub const fn count(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// Packets taken, by the kind in the fixed header's upper four bits (1 = CONNECT, 3 = PUBLISH, …).
    pub const fn packets_in(&self) -> &[u64; 16] {
        &self.packets_in
    }

    /// Packets sent, by kind.
    pub const fn packets_out(&self) -> &[u64; 16] {
        &self.packets_out
    }

    pub(super) const fn add(&mut self, counter: Counter) {
        self.counts[counter as usize] += 1;
    }

    pub(super) const fn took(&mut self, first_byte: u8) {
        self.packets_in[(first_byte >> 4) as usize] += 1;
    }

    pub(super) const fn sent(&mut self, first_byte: u8) {
        self.packets_out[(first_byte >> 4) as usize] += 1;
    }
}
