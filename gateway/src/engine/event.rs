//! What can happen to the gateway, and what it can do.

use crate::broker::{ConnectionId, Credentials, FrameError, Peer, ReasonCode, Refusal, Rights};
use crate::commit::Commit;
use crate::forward::Failure;
use crate::outbox::{Lane, OutboxRow, Sequence, Watermark};
use crate::payload::PayloadError;

/// Names a message that waits for its answer: a place of the shell's, and which of its occupants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// The place.
    pub index: u16,
    /// Differs for every message that has had the place.
    pub generation: u32,
}

/// What can happen.
pub enum Event<'a> {
    /// A peer connected.
    Opened {
        /// The connection, named by the shell.
        connection: ConnectionId,
        /// Where it comes from.
        peer: Peer,
    },
    /// One whole MQTT packet came; `Engine::accepts` has said that it can be handled.
    Received {
        /// Its connection.
        connection: ConnectionId,
        /// The packet.
        packet: &'a [u8],
    },
    /// Bytes came that begin no packet.
    Malformed {
        /// From this connection.
        connection: ConnectionId,
        /// What is wrong with them.
        error: FrameError,
    },
    /// Some of what was transmitted is written.
    Drained {
        /// To this connection.
        connection: ConnectionId,
        /// Bytes written since it was last said.
        bytes: usize,
    },
    /// The socket is gone.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
    /// Name and password were checked.
    Authenticated {
        /// The connection.
        connection: ConnectionId,
        /// What it may do, or why not.
        rights: Result<Rights, Refusal>,
    },
    /// A message came by HTTP; `Engine::accepts_post` has said that it can be taken.
    Posted {
        /// Whom to tell what became of it.
        request: RequestId,
        /// What its sender may do.
        rights: &'a Rights,
        /// The topic under which MQTT would have brought it.
        topic: &'a str,
        /// The message.
        payload: &'a [u8],
        /// By what it is known if it comes again, if its sender gave it a name.
        delivery: Option<u64>,
    },
    /// The credentials file has changed.
    RightsRenewed {
        /// A connection that is in a session.
        connection: ConnectionId,
        /// What it may do now, or why it has to go.
        rights: Result<Rights, Refusal>,
    },
    /// A commit is on disk.
    Committed(Box<Commit>),
    /// The disk had no room for a commit.
    CommitRefused(Box<Commit>),
    /// Rows that were asked for.
    Loaded(Vec<OutboxRow>),
    /// Kafka is there; this is how far the gateway's rows are.
    Connected(Option<Watermark>),
    /// The rows of a transfer are in Kafka.
    Sent,
    /// Kafka could not be reached, or refused.
    UplinkFailed(Failure),
    /// A row is larger than Kafka takes.
    RowTooLarge {
        /// Its sequence.
        sequence: Sequence,
    },
    /// A deadline came.
    Timeout,
}

/// What can be done.
pub enum Action<'a> {
    /// Send a packet, given in pieces.
    Transmit {
        /// To this connection.
        to: ConnectionId,
        /// Pieces of one packet.
        parts: &'a [&'a [u8]],
    },
    /// Close the connection once what was transmitted is written.
    Close {
        /// This one.
        connection: ConnectionId,
    },
    /// Check a name and a password; the answer is [`Event::Authenticated`].
    Authenticate {
        /// Who asks.
        connection: ConnectionId,
        /// What it says of itself.
        credentials: Credentials<'a>,
    },
    /// Tell the outputs of an alert.
    Alert {
        /// Its message on MQTT: JSON.
        payload: &'a [u8],
        /// It was told before this start already.
        again: bool,
    },
    /// Tell that an item of a posted message holds no reading; its [`Action::Answer`] follows later.
    Fault {
        /// Whose message.
        request: RequestId,
        /// What is wrong with it.
        error: &'a PayloadError,
    },
    /// Tell what became of a posted message: what was taken of it is durable.
    Answer {
        /// Whose message.
        request: RequestId,
        /// As an acknowledgement would say it.
        reason: ReasonCode,
    },
    /// A client with the right to do so published on `tidegate/<gateway>/override/<verb>`.
    Override {
        /// The end of the topic.
        verb: &'a str,
        /// Its client id.
        by: &'a str,
        /// The message.
        payload: &'a [u8],
    },
    /// Make it durable; the answer is [`Event::Committed`] or [`Event::CommitRefused`].
    Commit(Box<Commit>),
    /// Read rows of the outbox; the answer is [`Event::Loaded`].
    Load {
        /// Lane.
        lane: Lane,
        /// Rows behind this one.
        after: Sequence,
        /// Together no larger than this, unless the first is.
        bytes_max: usize,
    },
    /// Open a session with Kafka; the answer is [`Event::Connected`] or [`Event::UplinkFailed`].
    Connect,
    /// Send rows and watermark in one transaction; the answer is [`Event::Sent`] or a failure.
    Send {
        /// The rows.
        rows: Vec<OutboxRow>,
        /// The watermark that covers them.
        watermark: Watermark,
    },
}

/// Where actions go. They are performed in order; none may call the engine.
pub trait Perform {
    /// Does it.
    fn perform(&mut self, action: Action<'_>);
}
