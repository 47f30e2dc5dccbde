//! MQTT control packets: bytes to borrowed packets for both versions, and packets to bytes in a caller's buffer.
//!
//! What [`decode`] returns has been checked once and for all: text is UTF-8 without U+0000, packet ids are not 0, every
//! property belongs where it stands. Nothing is copied.

mod connect;
mod encode;
mod malformed;
mod property;
mod publish;
mod reader;
mod subscribe;

pub use malformed::{FrameError, Malformed};
pub use publish::Forwarded;

pub(super) use connect::{Connect, decode_connect};
pub(super) use encode::{
    Bytes, CONNACK_BYTES, Connack, PublishHead, ack, connack, connack_refused, disconnect,
    pingresp, suback, unsuback,
};
pub(super) use publish::{Ack, Content, PublishSent, answer_to};
pub(super) use subscribe::{RetainHandling, Subscribe, SubscribeOptions, Unsubscribe};

use property::{Properties, Property};
use reader::Reader;

/// The protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1 (protocol level 4).
    V311,
    /// MQTT 5.0 (protocol level 5).
    V5,
}

/// Quality of service (section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

impl Qos {
    /// From its two bits; `None` for 3.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Packet kinds, the upper four bits of the first byte (table 2-1).
pub(super) mod kind {
    pub(in super::super) const CONNECT: u8 = 1;
    pub(in super::super) const CONNACK: u8 = 2;
    pub(in super::super) const PUBLISH: u8 = 3;
    pub(in super::super) const PUBACK: u8 = 4;
    pub(in super::super) const PUBREC: u8 = 5;
    pub(in super::super) const PUBREL: u8 = 6;
    pub(in super::super) const PUBCOMP: u8 = 7;
    pub(in super::super) const SUBSCRIBE: u8 = 8;
    pub(in super::super) const SUBACK: u8 = 9;
    pub(in super::super) const UNSUBSCRIBE: u8 = 10;
    pub(in super::super) const UNSUBACK: u8 = 11;
    pub(in super::super) const PINGREQ: u8 = 12;
    pub(in super::super) const PINGRESP: u8 = 13;
    pub(in super::super) const DISCONNECT: u8 = 14;
    pub(in super::super) const AUTH: u8 = 15;
}

/// A packet from a connected client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet<'p> {
    Publish(PublishSent<'p>),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe(Subscribe<'p>),
    Unsubscribe(Unsubscribe<'p>),
    PingReq,
    Disconnect(Disconnect),
}

/// What a client says when it leaves (3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disconnect {
    /// False only for an ordinary good-bye: the will is then forgotten `[MQTT-3.14.4-3]`.
    pub(super) with_will: bool,
    /// A new session expiry in seconds.
    pub(super) session_expiry_s: Option<u32>,
}

/// Length of the packet at the start of `bytes`, or `None` while its header is not there in full.
///
/// Refuses a packet above `bytes_max` from the header alone, so that nobody makes us buffer it.
pub const fn frame_len(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, FrameError> {
    let mut remaining = 0;
    let mut index = 1;
    while index < bytes.len() {
        let byte = bytes[index];
        remaining |= ((byte & 0x7F) as usize) << (7 * (index - 1));
        if byte < 0x80 {
            let len = index + 1 + remaining;
            return if len > bytes_max {
                Err(FrameError::TooLarge {
                    bytes: len,
                    bytes_max,
                })
            } else {
                Ok(Some(len))
            };
        }
        if index == 4 {
            return Err(FrameError::Length);
        }
        index += 1;
    }
    Ok(None)
}

/// The same for the first packet of a connection: what begins no CONNECT is refused by its first byte, for the length that
/// follows means nothing.
pub const fn first_frame_len(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, FrameError> {
    match bytes.first() {
        Some(&first) if first != kind::CONNECT << 4 => Err(FrameError::NotConnect),
        _ => frame_len(bytes, bytes_max),
    }
}

/// Takes one whole packet of a client that speaks `version`.
pub(super) fn decode(packet: &[u8], version: Version) -> Result<Packet<'_>, Malformed> {
    let (kind, flags, mut reader) = open(packet)?;
    if kind == kind::PUBLISH {
        return publish::decode_publish(flags, reader, version).map(Packet::Publish);
    }
    check_flags(kind, flags)?;
    Ok(match kind {
        kind::PUBACK => Packet::PubAck(publish::decode_ack(kind, reader, version)?),
        kind::PUBREC => Packet::PubRec(publish::decode_ack(kind, reader, version)?),
        kind::PUBREL => Packet::PubRel(publish::decode_ack(kind, reader, version)?),
        kind::PUBCOMP => Packet::PubComp(publish::decode_ack(kind, reader, version)?),
        kind::SUBSCRIBE => Packet::Subscribe(subscribe::decode_subscribe(reader, version)?),
        kind::UNSUBSCRIBE => Packet::Unsubscribe(subscribe::decode_unsubscribe(reader, version)?),
        kind::PINGREQ => {
            reader.finish()?;
            Packet::PingReq
        }
        kind::DISCONNECT => Packet::Disconnect(decode_disconnect(&mut reader, version)?),
        kind::CONNECT => return Err(Malformed::SecondConnect),
        kind::AUTH if version == Version::V5 => return Err(Malformed::Auth),
        kind::CONNACK | kind::SUBACK | kind::UNSUBACK | kind::PINGRESP => {
            return Err(Malformed::ServerKind(kind));
        }
        _ => return Err(Malformed::ReservedKind(kind)),
    })
}

/// Splits a packet into kind, flags and what the remaining length covers.
fn open(packet: &[u8]) -> Result<(u8, u8, Reader<'_>), Malformed> {
    let mut reader = Reader::new(packet);
    let first = reader.u8()?;
    let remaining = reader.varint()? as usize;
    match reader.len() {
        len if len < remaining => Err(Malformed::Truncated),
        len if len > remaining => Err(Malformed::Trailing),
        _ => Ok((first >> 4, first & 0x0F, reader)),
    }
}

const fn check_flags(kind: u8, flags: u8) -> Result<(), Malformed> {
    let wanted = match kind {
        kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 0b0010,
        _ => 0,
    };
    if flags == wanted {
        Ok(())
    } else {
        Err(Malformed::Flags)
    }
}

fn decode_disconnect(reader: &mut Reader<'_>, version: Version) -> Result<Disconnect, Malformed> {
    let mut disconnect = Disconnect {
        with_will: false,
        session_expiry_s: None,
    };
    if version == Version::V311 {
        reader.finish()?;
        return Ok(disconnect);
    }
    if reader.is_empty() {
        return Ok(disconnect);
    }
    match reader.u8()? {
        0x00 => {}
        0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99 => disconnect.with_will = true,
        code => return Err(Malformed::ReasonCode(code)),
    }
    if !reader.is_empty() {
        let mut properties = Properties::new(reader.properties()?);
        while let Some((id, property)) = properties.next()? {
            match property {
                Property::SessionExpiry(seconds) => disconnect.session_expiry_s = Some(seconds),
                Property::ReasonText(_) | Property::User(..) => {}
                _ => return Err(Malformed::PropertyPlace(id)),
            }
        }
    }
    reader.finish()?;
    Ok(disconnect)
}

#[cfg(test)]
mod tests;
