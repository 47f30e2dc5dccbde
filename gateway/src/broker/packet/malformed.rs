//! Every way in which bytes are not an MQTT packet, with the clause they break and the reason a v5 client is told.

use super::super::{reason::ReasonCode, topic::TopicError};

/// Why a packet is refused. The connection is closed after it `[MQTT-4.8.0-1]` (3.1.1), `[MQTT-4.13.1-1]` (5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field reaches over the packet's end.
    #[error("the packet ends inside a field")]
    Truncated,
    /// Bytes are left behind the last field.
    #[error("bytes follow the packet's last field")]
    Trailing,
    /// A variable byte integer of more than four bytes.
    #[error("a variable byte integer has at most four bytes [MQTT-1.5.5-1]")]
    LongInteger,
    /// Text that is not UTF-8 (surrogates included).
    #[error("text is well-formed UTF-8 [MQTT-1.5.4-1]")]
    BadUtf8,
    /// Text with U+0000.
    #[error("text holds no U+0000 [MQTT-1.5.4-2]")]
    Nul,
    /// Flags of the fixed header that must have one value only.
    #[error("the fixed header's flags are reserved [MQTT-2.1.3-1]")]
    Flags,
    /// Packet kind 0, or 15 in 3.1.1.
    #[error("packet kind {0} is reserved")]
    ReservedKind(u8),
    /// A packet which only servers send.
    #[error("packet kind {0} is sent by servers only")]
    ServerKind(u8),
    /// QoS 3.
    #[error("QoS 3 does not exist [MQTT-3.3.1-4]")]
    QosThree,
    /// DUP on a QoS 0 message.
    #[error("DUP is 0 at QoS 0 [MQTT-3.3.1-2]")]
    DupAtQosZero,
    /// Packet id 0.
    #[error("a packet id is not 0 [MQTT-2.2.1-3]")]
    PacketIdZero,
    /// The topic of a PUBLISH is none.
    #[error("{0}")]
    Topic(#[from] TopicError),
    /// Protocol name other than `MQTT`.
    #[error("the protocol name is `MQTT` [MQTT-3.1.2-1]")]
    ProtocolName,
    /// Protocol level other than 4 and 5.
    #[error("protocol level {0} is not supported, use 4 (3.1.1) or 5 [MQTT-3.1.2-2]")]
    ProtocolLevel(u8),
    /// The reserved bit of the CONNECT flags.
    #[error("the reserved CONNECT flag is 0 [MQTT-3.1.2-3]")]
    ConnectFlag,
    /// Will QoS or retain without a will.
    #[error("without a will its QoS and retain are 0 [MQTT-3.1.2-11], [MQTT-3.1.2-13]")]
    WillFlags,
    /// Will QoS 3.
    #[error("will QoS 3 does not exist [MQTT-3.1.2-12]")]
    WillQosThree,
    /// Password without user name in 3.1.1.
    #[error("a password needs a user name [MQTT-3.1.2-22]")]
    PasswordAlone,
    /// Anything before CONNECT.
    #[error("the first packet is CONNECT [MQTT-3.1.0-1]")]
    NotConnect,
    /// CONNECT twice.
    #[error("CONNECT comes once per connection [MQTT-3.1.0-2]")]
    SecondConnect,
    /// A property identifier that does not exist, or not in this packet.
    #[error("property 0x{0:02X} does not belong into this packet (2.2.2.2)")]
    PropertyPlace(u8),
    /// A property which may stand once only.
    #[error("property 0x{0:02X} stands twice (2.2.2.2)")]
    PropertyTwice(u8),
    /// A property with a value outside of its range.
    #[error("property 0x{0:02X} has a value outside of its range (2.2.2.2)")]
    PropertyValue(u8),
    /// Topic alias 0.
    #[error("a topic alias is not 0 [MQTT-3.3.2-8]")]
    AliasZero,
    /// Authentication data without a method.
    #[error("authentication data needs a method (3.1.2.11.10)")]
    AuthDataAlone,
    /// SUBSCRIBE or UNSUBSCRIBE without a filter.
    #[error("at least one filter stands in it [MQTT-3.8.3-2], [MQTT-3.10.3-2]")]
    NoFilter,
    /// Reserved bits of the subscription options.
    #[error("subscription options: reserved bits are 0 [MQTT-3.8.3-5]")]
    Options,
    /// A QoS or a retain handling of 3.
    #[error("subscription options: QoS and retain handling are at most 2 (3.8.3.1)")]
    OptionThree,
    /// No Local on a shared subscription.
    #[error("a shared subscription cannot be no-local [MQTT-3.8.3-4]")]
    SharedNoLocal,
    /// A reason code that does not exist or not in this packet.
    #[error("reason 0x{0:02X} does not belong into this packet")]
    ReasonCode(u8),
    /// AUTH although no method was agreed.
    #[error("AUTH was not agreed on in CONNECT [MQTT-4.12.0-6]")]
    Auth,
    /// A session that was to end at once made to last at DISCONNECT.
    #[error("a session expiry of 0 in CONNECT stays 0 (3.14.2.2.2)")]
    ExpiryRaised,
}

impl Malformed {
    /// What DISCONNECT or CONNACK says to a v5 client.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::Topic(TopicError::Empty) => ReasonCode::ProtocolError, // neither topic nor alias (3.3.2.1)
            Self::Topic(_) => ReasonCode::TopicNameInvalid,
            Self::AliasZero => ReasonCode::TopicAliasInvalid,
            Self::ProtocolName | Self::ProtocolLevel(_) => ReasonCode::UnsupportedVersion,
            Self::NotConnect
            | Self::SecondConnect
            | Self::ServerKind(_)
            | Self::PropertyTwice(_)
            | Self::PropertyValue(_)
            | Self::AuthDataAlone
            | Self::NoFilter
            | Self::OptionThree
            | Self::SharedNoLocal
            | Self::Auth
            | Self::PacketIdZero
            | Self::ExpiryRaised => ReasonCode::ProtocolError,
            _ => ReasonCode::MalformedPacket,
        }
    }
}

/// Why bytes cannot be cut into packets at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The remaining length has a fifth byte.
    #[error("the remaining length has more than four bytes [MQTT-1.5.5-1]")]
    Length,
    /// A connection begins with something else: HTTP, TLS, another protocol.
    #[error("the first packet is no CONNECT [MQTT-3.1.0-1]")]
    NotConnect,
    /// The packet is larger than the broker takes.
    #[error(
        "a packet of {bytes} bytes is above packet_bytes_max ({bytes_max}); raise it, or send less at once"
    )]
    TooLarge {
        /// Its size by the fixed header.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
}

impl FrameError {
    /// What DISCONNECT says to a v5 client.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::Length => ReasonCode::MalformedPacket,
            Self::NotConnect => ReasonCode::ProtocolError,
            Self::TooLarge { .. } => ReasonCode::PacketTooLarge,
        }
    }
}
