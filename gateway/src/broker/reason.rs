//! The reason codes of MQTT 5 (section 2.4) and what 3.1.1 has in their place.

/// Why something was done or refused; the byte of MQTT 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the names are those of the standard's table 2-6"
)]
pub enum ReasonCode {
    Success = 0x00,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    Unspecified = 0x80,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecific = 0x83,
    UnsupportedVersion = 0x84,
    ClientIdInvalid = 0x85,
    BadUserOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    Banned = 0x8A,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdInUse = 0x91,
    PacketIdNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    MessageRateTooHigh = 0x96,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9A,
    QosNotSupported = 0x9B,
    SharedNotSupported = 0x9E,
    ConnectionRateExceeded = 0x9F,
    SubscriptionIdsNotSupported = 0xA1,
    WildcardNotSupported = 0xA2,
}

impl ReasonCode {
    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// True from 0x80 up: refused or failed.
    pub const fn is_failure(self) -> bool {
        self.code() >= 0x80
    }

    /// What a 3.1.1 CONNACK says in its place (table 3.1), or `None` where 3.1.1 only closes.
    pub const fn return_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedVersion => Some(1),
            Self::ClientIdInvalid => Some(2),
            Self::ServerUnavailable
            | Self::ServerBusy
            | Self::ServerShuttingDown
            | Self::QuotaExceeded
            | Self::ConnectionRateExceeded => Some(3),
            Self::BadUserOrPassword => Some(4),
            Self::NotAuthorized | Self::Banned => Some(5),
            _ => None,
        }
    }
}

/// Why a client may not come in: the answer of whoever checked its name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Name or password are wrong, or there is no such user.
    Credentials,
    /// The user is known and may not come in here.
    NotAuthorized,
    /// Too many attempts from there failed lately: come again later.
    Throttled,
    /// Too many are being checked at once: come again.
    Busy,
}

impl Refusal {
    /// The code for CONNACK.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::Credentials => ReasonCode::BadUserOrPassword,
            Self::NotAuthorized => ReasonCode::NotAuthorized,
            Self::Throttled => ReasonCode::ConnectionRateExceeded,
            Self::Busy => ReasonCode::ServerBusy,
        }
    }
}
