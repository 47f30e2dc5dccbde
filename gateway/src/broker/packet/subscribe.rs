//! SUBSCRIBE (3.8) and UNSUBSCRIBE (3.10).

use super::{
    Malformed, Qos, Version,
    property::{Properties, Property},
    reader::Reader,
};

/// When retained messages are sent for a subscription (3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in super::super) enum RetainHandling {
    Always = 0,
    IfNew = 1,
    Never = 2,
}

/// The options byte of one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct SubscribeOptions {
    pub(in super::super) qos: Qos,
    pub(in super::super) no_local: bool,
    pub(in super::super) retain_as_published: bool,
    pub(in super::super) retain_handling: RetainHandling,
}

impl SubscribeOptions {
    /// From the byte on the wire.
    pub(in super::super) fn from_byte(byte: u8, version: Version) -> Result<Self, Malformed> {
        let reserved = if version == Version::V5 { 0xC0 } else { 0xFC };
        let qos = Qos::from_bits(byte & 0x03).ok_or(Malformed::OptionThree)?; // [MQTT-3.8.3-4] in 3.1.1
        let retain_handling = match byte >> 4 & 0x03 {
            0 => RetainHandling::Always,
            1 => RetainHandling::IfNew,
            2 => RetainHandling::Never,
            _ => return Err(Malformed::OptionThree),
        };
        if byte & reserved != 0 {
            return Err(Malformed::Options);
        }
        Ok(Self {
            qos,
            no_local: byte & 0x04 != 0,
            retain_as_published: byte & 0x08 != 0,
            retain_handling,
        })
    }

    /// To the byte on the wire.
    pub(in super::super) const fn byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

/// A SUBSCRIBE whose every filter has been read once.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Subscribe<'p> {
    pub(in super::super) packet_id: u16,
    /// 0 if none was given.
    pub(in super::super) subscription_id: u32,
    version: Version,
    filters: Reader<'p>,
}

impl<'p> Subscribe<'p> {
    /// The filters as text, with their options, in order.
    pub(in super::super) fn filters(
        &self,
    ) -> impl Iterator<Item = (&'p str, SubscribeOptions)> + use<'p> {
        let (mut reader, version) = (self.filters, self.version);
        core::iter::from_fn(move || read_filter(&mut reader, version).ok())
    }
}

/// An UNSUBSCRIBE whose every filter has been read once.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Unsubscribe<'p> {
    pub(in super::super) packet_id: u16,
    filters: Reader<'p>,
}

impl<'p> Unsubscribe<'p> {
    /// The filters as text, in order.
    pub(in super::super) fn filters(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        let mut reader = self.filters;
        core::iter::from_fn(move || reader.text().ok())
    }
}

pub(super) fn decode_subscribe(
    mut reader: Reader<'_>,
    version: Version,
) -> Result<Subscribe<'_>, Malformed> {
    let packet_id = reader.packet_id()?;
    let mut subscription_id = 0;
    if version == Version::V5 {
        let mut properties = Properties::new(reader.properties()?);
        while let Some((id, property)) = properties.next()? {
            match property {
                Property::SubscriptionId(value) => subscription_id = value,
                Property::User(..) => {}
                _ => return Err(Malformed::PropertyPlace(id)),
            }
        }
    }
    let filters = reader;
    if reader.is_empty() {
        return Err(Malformed::NoFilter);
    }
    while !reader.is_empty() {
        let (filter, options) = read_filter(&mut reader, version)?;
        if options.no_local && filter.starts_with("$share/") {
            return Err(Malformed::SharedNoLocal);
        }
    }
    Ok(Subscribe {
        packet_id,
        subscription_id,
        version,
        filters,
    })
}

pub(super) fn decode_unsubscribe(
    mut reader: Reader<'_>,
    version: Version,
) -> Result<Unsubscribe<'_>, Malformed> {
    let packet_id = reader.packet_id()?;
    if version == Version::V5 {
        let mut properties = Properties::new(reader.properties()?);
        while let Some((id, property)) = properties.next()? {
            if !matches!(property, Property::User(..)) {
                return Err(Malformed::PropertyPlace(id));
            }
        }
    }
    let filters = reader;
    if reader.is_empty() {
        return Err(Malformed::NoFilter);
    }
    while !reader.is_empty() {
        reader.text()?;
    }
    Ok(Unsubscribe { packet_id, filters })
}

fn read_filter<'p>(
    reader: &mut Reader<'p>,
    version: Version,
) -> Result<(&'p str, SubscribeOptions), Malformed> {
    let filter = reader.text()?;
    Ok((filter, SubscribeOptions::from_byte(reader.u8()?, version)?))
}
