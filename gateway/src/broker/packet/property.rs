//! The properties of MQTT 5 (table 2-4), one at a time.

use super::{malformed::Malformed, reader::Reader};

/// A property a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property<'p> {
    PayloadFormat(u8),
    MessageExpiry(u32),
    ContentType(&'p str),
    ResponseTopic(&'p str),
    CorrelationData(&'p [u8]),
    SubscriptionId(u32),
    SessionExpiry(u32),
    AuthMethod(&'p str),
    AuthData(&'p [u8]),
    RequestProblem(bool),
    WillDelay(u32),
    RequestResponse(bool),
    ReasonText(&'p str),
    ReceiveMax(u16),
    AliasMax(u16),
    Alias(u16),
    User(&'p str, &'p str),
    PacketBytesMax(u32),
}

/// Goes through a block of properties, refusing what stands twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Properties<'p> {
    reader: Reader<'p>,
    seen: u64,
}

impl<'p> Properties<'p> {
    pub(super) const fn new(reader: Reader<'p>) -> Self {
        Self { reader, seen: 0 }
    }

    /// Bytes not read yet.
    pub(super) const fn rest_len(&self) -> usize {
        self.reader.len()
    }

    /// The next property with its identifier.
    pub(super) fn next(&mut self) -> Result<Option<(u8, Property<'p>)>, Malformed> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        // Identifiers are variable byte integers in form, but all existing ones have one byte.
        let id = self.reader.u8()?;
        if id >= 0x40 {
            return Err(Malformed::PropertyPlace(id));
        }
        let bit = 1 << id;
        if self.seen & bit != 0 && id != 0x26 {
            return Err(Malformed::PropertyTwice(id));
        }
        self.seen |= bit;
        Ok(Some((id, read_value(id, &mut self.reader)?)))
    }
}

fn read_value<'p>(id: u8, reader: &mut Reader<'p>) -> Result<Property<'p>, Malformed> {
    let flag = |byte: u8| match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed::PropertyValue(id)),
    };
    Ok(match id {
        0x01 => Property::PayloadFormat(u8::from(flag(reader.u8()?)?)),
        0x02 => Property::MessageExpiry(reader.u32()?),
        0x03 => Property::ContentType(reader.text()?),
        0x08 => Property::ResponseTopic(reader.text()?),
        0x09 => Property::CorrelationData(reader.binary()?),
        0x0B => match reader.varint()? {
            0 => return Err(Malformed::PropertyValue(id)),
            value => Property::SubscriptionId(value),
        },
        0x11 => Property::SessionExpiry(reader.u32()?),
        0x15 => Property::AuthMethod(reader.text()?),
        0x16 => Property::AuthData(reader.binary()?),
        0x17 => Property::RequestProblem(flag(reader.u8()?)?),
        0x18 => Property::WillDelay(reader.u32()?),
        0x19 => Property::RequestResponse(flag(reader.u8()?)?),
        0x1F => Property::ReasonText(reader.text()?),
        0x21 => match reader.u16()? {
            0 => return Err(Malformed::PropertyValue(id)),
            value => Property::ReceiveMax(value),
        },
        0x22 => Property::AliasMax(reader.u16()?),
        0x23 => match reader.u16()? {
            0 => return Err(Malformed::AliasZero),
            value => Property::Alias(value),
        },
        0x26 => Property::User(reader.text()?, reader.text()?),
        0x27 => match reader.u32()? {
            0 => return Err(Malformed::PropertyValue(id)),
            value => Property::PacketBytesMax(value),
        },
        _ => return Err(Malformed::PropertyPlace(id)),
    })
}
