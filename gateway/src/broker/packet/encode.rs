//! Packets to bytes: everything a server sends, written into small buffers on the caller's stack.

use super::{Content, Qos, Version, kind};
use crate::broker::{limits::SUBSCRIPTION_IDS_PER_COPY_MAX, reason::ReasonCode};

/// Bytes being written, in fixed room. The sizes are chosen so that what is written always fits.
pub(in super::super) struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    pub(in super::super) const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    pub(in super::super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(in super::super) fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(in super::super) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(in super::super) fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    pub(in super::super) fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// A variable byte integer (1.5.5).
    pub(in super::super) fn varint(&mut self, mut value: usize) {
        while value > 0x7F {
            self.u8((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    fn text(&mut self, text: &str) {
        self.u16(text.len() as u16);
        self.put(text.as_bytes());
    }
}

/// Bytes of a variable byte integer.
const fn varint_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// What CONNACK tells a v5 client about the bounds it gets (3.2.2.3).
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Connack<'a> {
    pub(in super::super) session_present: bool,
    pub(in super::super) session_expiry_s: Option<u32>,
    pub(in super::super) receive_max: u16,
    pub(in super::super) packet_bytes_max: u32,
    pub(in super::super) aliases_max: u16,
    pub(in super::super) keep_alive_s: Option<u16>,
    pub(in super::super) assigned_client_id: Option<&'a str>,
}

/// Room for an accepting CONNACK.
pub(in super::super) const CONNACK_BYTES: usize = 96;

/// An accepting CONNACK.
pub(in super::super) fn connack(version: Version, connack: &Connack<'_>) -> Bytes<CONNACK_BYTES> {
    let mut properties = Bytes::<80>::new();
    if version == Version::V5 {
        if let Some(seconds) = connack.session_expiry_s {
            properties.u8(0x11);
            properties.u32(seconds);
        }
        properties.u8(0x21);
        properties.u16(connack.receive_max);
        properties.u8(0x27);
        properties.u32(connack.packet_bytes_max);
        if let Some(client_id) = connack.assigned_client_id {
            properties.u8(0x12);
            properties.text(client_id);
        }
        if connack.aliases_max > 0 {
            properties.u8(0x22);
            properties.u16(connack.aliases_max);
        }
        if let Some(seconds) = connack.keep_alive_s {
            properties.u8(0x13);
            properties.u16(seconds);
        }
    }
    let mut bytes = Bytes::new();
    bytes.u8(kind::CONNACK << 4);
    match version {
        Version::V311 => bytes.put(&[2, u8::from(connack.session_present), 0]),
        Version::V5 => {
            bytes.varint(3 + properties.len);
            bytes.put(&[u8::from(connack.session_present), 0, properties.len as u8]);
            bytes.put(properties.as_slice());
        }
    }
    bytes
}

/// A refusing CONNACK; `None` where 3.1.1 has no code and only closes.
pub(in super::super) fn connack_refused(
    version: Version,
    reason: ReasonCode,
    text: &str,
) -> Option<Bytes<160>> {
    let mut bytes = Bytes::new();
    bytes.u8(kind::CONNACK << 4);
    match version {
        Version::V311 => bytes.put(&[2, 0, reason.return_code()?]),
        Version::V5 => {
            bytes.varint(6 + text.len());
            bytes.put(&[0, reason.code(), (3 + text.len()) as u8, 0x1F]);
            bytes.text(text);
        }
    }
    Some(bytes)
}

/// A v5 DISCONNECT with the reason in words (3.14).
pub(in super::super) fn disconnect(reason: ReasonCode, text: &str) -> Bytes<160> {
    let mut bytes = Bytes::new();
    bytes.u8(kind::DISCONNECT << 4);
    if text.is_empty() {
        bytes.put(&[1, reason.code()]);
    } else {
        bytes.varint(5 + text.len());
        bytes.put(&[reason.code(), (3 + text.len()) as u8, 0x1F]);
        bytes.text(text);
    }
    bytes
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP; a v5 success is the short form.
pub(in super::super) fn ack(
    ack: u8,
    version: Version,
    packet_id: u16,
    reason: ReasonCode,
) -> Bytes<5> {
    let mut bytes = Bytes::new();
    bytes.u8(ack << 4 | if ack == kind::PUBREL { 0b0010 } else { 0 });
    let long = version == Version::V5 && reason != ReasonCode::Success;
    bytes.u8(if long { 3 } else { 2 });
    bytes.u16(packet_id);
    if long {
        bytes.u8(reason.code());
    }
    bytes
}

/// The part of SUBACK before its codes.
pub(in super::super) fn suback(version: Version, packet_id: u16, codes: usize) -> Bytes<8> {
    subscription_answer(kind::SUBACK, version, packet_id, codes)
}

/// The part of UNSUBACK before its codes, of which 3.1.1 has none.
pub(in super::super) fn unsuback(version: Version, packet_id: u16, codes: usize) -> Bytes<8> {
    subscription_answer(kind::UNSUBACK, version, packet_id, codes)
}

fn subscription_answer(kind: u8, version: Version, packet_id: u16, codes: usize) -> Bytes<8> {
    let properties = usize::from(version == Version::V5);
    let mut bytes = Bytes::new();
    bytes.u8(kind << 4);
    bytes.varint(2 + properties + codes);
    bytes.u16(packet_id);
    if properties > 0 {
        bytes.u8(0);
    }
    bytes
}

/// PINGRESP.
pub(in super::super) const fn pingresp() -> [u8; 2] {
    [kind::PINGRESP << 4, 0]
}

/// How one copy of a message is delivered.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PublishHead<'a> {
    pub(in super::super) version: Version,
    pub(in super::super) dup: bool,
    pub(in super::super) qos: Qos,
    pub(in super::super) retain: bool,
    pub(in super::super) packet_id: u16,
    /// The alias, and whether it already stands for the topic.
    pub(in super::super) alias: Option<(u16, bool)>,
    pub(in super::super) expiry_s: Option<u32>,
    pub(in super::super) subscription_ids: &'a [u32],
}

const TAIL_BYTES: usize = 2 + 4 + 5 + 3 + 5 * SUBSCRIPTION_IDS_PER_COPY_MAX;

impl PublishHead<'_> {
    /// What stands before the topic, what stands between topic and forwarded properties, and the packet's whole length.
    pub(in super::super) fn encode(
        &self,
        content: &Content<'_>,
    ) -> (Bytes<7>, Bytes<TAIL_BYTES>, usize) {
        let topic = self.topic(content);
        let mut tail = Bytes::new();
        if self.qos > Qos::AtMostOnce {
            tail.u16(self.packet_id);
        }
        let mut forwarded = 0;
        if self.version == Version::V5 {
            let properties = self.properties();
            forwarded = content.forwarded_len();
            tail.varint(properties.len + forwarded);
            tail.put(properties.as_slice());
        }
        let remaining = 2 + topic.len() + tail.len + forwarded + content.payload.len();
        let mut head = Bytes::new();
        let flags = u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        head.u8(kind::PUBLISH << 4 | flags);
        head.varint(remaining);
        head.u16(topic.len() as u16);
        (head, tail, 1 + varint_len(remaining) + remaining)
    }

    /// The topic as it is sent: empty where the alias stands for it.
    pub(in super::super) const fn topic<'a>(&self, content: &Content<'a>) -> &'a str {
        match self.alias {
            Some((_, true)) => "",
            _ => content.topic,
        }
    }

    fn properties(&self) -> Bytes<{ TAIL_BYTES - 6 }> {
        let mut bytes = Bytes::new();
        if let Some(seconds) = self.expiry_s {
            bytes.u8(0x02);
            bytes.u32(seconds);
        }
        if let Some((alias, _)) = self.alias {
            bytes.u8(0x23);
            bytes.u16(alias);
        }
        for &id in self.subscription_ids {
            bytes.u8(0x0B);
            bytes.varint(id as usize);
        }
        bytes
    }
}
