//! The names of the sensors in a batch, so that it can be read without the gateway.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::reading::SensorId;

/// What a sensor is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SensorName<'a> {
    /// The device it belongs to.
    pub device: &'a str,
    /// Which signal of the device it is.
    pub signal: &'a str,
    /// Unit of its values; empty if none is configured.
    pub unit: &'a str,
}

/// A sensor and how many items of it follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) sensor: SensorId,
    pub(crate) name: SensorName<'a>,
    pub(crate) items: u64,
}

pub(crate) fn write_group(writer: &mut Writer<'_>, group: &Group<'_>) -> Result<(), Full> {
    writer.unsigned(u64::from(group.sensor.0))?;
    writer.text(group.name.device)?;
    writer.text(group.name.signal)?;
    writer.text(group.name.unit)?;
    writer.unsigned(group.items)
}

pub(crate) fn read_group<'a>(cursor: &mut Cursor<'a>) -> Result<Group<'a>, Malformed> {
    let sensor = SensorId(cursor.small("sensor id")?);
    let name = SensorName {
        device: cursor.text()?,
        signal: cursor.text()?,
        unit: cursor.text()?,
    };
    match cursor.unsigned()? {
        0 => Err(Malformed::Part("sensor without items")),
        items => Ok(Group {
            sensor,
            name,
            items,
        }),
    }
}
