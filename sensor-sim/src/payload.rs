//! The bytes of a message, in the dialect of its device.
//!
//! What the ledger knows beside time and values (boot, sequence, checksum) rides along where the dialect has room for it: as more
//! members in JSON, as more fields of the first record in SenML, as the body in Sparkplug B, and the sequence in a report of
//! our own. A bare number has room for nothing: there the ledger knows a reading by its value and the order.

use crate::device::Message;
use crate::dialect::Dialect;
use crate::profile::Profile;

mod json;
mod number;
mod reader;
pub mod sparkplug;

pub use reader::{Found, Reader};

/// What the bytes of a device's messages are made with.
#[derive(Clone, Debug)]
pub struct Writer {
    dialect: Dialect,
    device: String,
    device_checksum: u32,
    signals: Vec<Signal>,
    bytes_min: usize,
}

/// A signal as a payload names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// Its unit; empty if it has none.
    pub unit: String,
}

/// What rides along in a message, for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Proof {
    boot: u32,
    sequence: u32,
    checksum: u32,
}

impl Writer {
    /// A writer for the messages of `device`, a device of kind `profile`. Messages shorter than `bytes_min` are filled up,
    /// where the dialect has room for that.
    #[must_use]
    pub fn new(profile: &Profile, device: &str, bytes_min: usize) -> Self {
        let signals = profile.signal.iter().map(|signal| Signal {
            name: signal.name.clone(),
            unit: signal.unit.clone(),
        });
        Self {
            dialect: profile.payload,
            device: device.to_owned(),
            device_checksum: wire::crc32c(0, device.as_bytes()),
            signals: signals.collect(),
            bytes_min,
        }
    }

    /// How it writes.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What it writes of.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Appends the payload of `message` to `out`.
    pub fn write(&self, message: &Message<'_>, out: &mut Vec<u8>) {
        let (begin, time, values) = (out.len(), message.time, message.values);
        let first = values.first().copied().unwrap_or(f64::NAN);
        let proof = self.proof(message);
        match self.dialect {
            Dialect::Bare => number::write_float(first, out),
            Dialect::Json => {
                json::write_time(time, out);
                out.extend_from_slice(b",\"value\":");
                number::write_json(first, out);
                json::end_flat(proof, self.bytes_min + begin, out);
            }
            Dialect::JsonValues => {
                json::write_time(time, out);
                out.extend_from_slice(b",\"values\":");
                json::write_members(&self.signals, values, out);
                json::end_flat(proof, self.bytes_min + begin, out);
            }
            Dialect::Tasmota => {
                let kind = kind_of(&self.device).to_uppercase();
                json::write_tasmota(&kind, &self.signals, time, values, proof, out);
            }
            Dialect::Shelly => {
                json::write_shelly(&self.device, &self.signals, time, values, proof, out);
            }
            Dialect::Zigbee2mqtt => json::write_zigbee(&self.signals, time, values, proof, out),
            Dialect::Senml => {
                json::write_senml(&self.device, &self.signals, time, values, proof, out);
            }
            Dialect::SparkplugB => sparkplug::write_data(time, values, proof.bytes(), out),
            Dialect::Postcard => self.write_report(message, out),
        }
    }

    fn write_report(&self, message: &Message<'_>, out: &mut Vec<u8>) {
        let named = self.signals.iter().map(|signal| signal.name.as_str());
        let values: Vec<_> = named.zip(message.values.iter().copied()).collect();
        let begin = out.len();
        // Version, sequence, time and count, and for each value the length of its name and a double.
        let room = 32
            + values
                .iter()
                .map(|(name, _)| name.len() + 13)
                .sum::<usize>();
        out.resize(begin + room, 0);
        let time = Some(wire::Timestamp(message.time));
        let written = wire::write_report(message.sequence.into(), time, &values, &mut out[begin..]);
        // More values than a report holds are refused by `check`, before there is a message.
        let len = written.map_or(0, <[u8]>::len);
        out.truncate(begin + len);
    }

    fn proof(&self, message: &Message<'_>) -> Proof {
        Proof {
            boot: message.boot,
            sequence: message.sequence,
            checksum: self.checksum(message),
        }
    }

    /// CRC-32C of device, boot, sequence, time and values.
    fn checksum(&self, message: &Message<'_>) -> u32 {
        let mut checksum = wire::crc32c(self.device_checksum, &message.boot.to_le_bytes());
        checksum = wire::crc32c(checksum, &message.sequence.to_le_bytes());
        checksum = wire::crc32c(checksum, &message.time.to_le_bytes());
        for value in message.values {
            checksum = wire::crc32c(checksum, &value.to_bits().to_le_bytes());
        }
        checksum
    }
}

impl Proof {
    /// Boot, sequence and checksum, little-endian.
    fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, number) in
            bytes
                .as_chunks_mut()
                .0
                .iter_mut()
                .zip([self.boot, self.sequence, self.checksum])
        {
            *place = number.to_le_bytes();
        }
        bytes
    }
}

/// Whether a receiver must refuse the message: only a bare number has a word for one that is none.
#[must_use]
pub fn is_refusable(dialect: Dialect, values: &[f64]) -> bool {
    dialect != Dialect::Bare && values.iter().any(|value| !value.is_finite())
}

/// Whether the dialect of `profile` has words for its signals.
///
/// # Errors
/// Why not, for people.
pub fn check(profile: &Profile) -> Result<(), String> {
    let dialect = profile.payload.name();
    if profile.payload == Dialect::Postcard && profile.signal.len() > wire::REPORT_VALUES_MAX {
        let max = wire::REPORT_VALUES_MAX;
        return Err(format!(
            "a message of {dialect} has at most {max} values; give fewer --signals"
        ));
    }
    let is_named: fn(&str) -> bool = match profile.payload {
        Dialect::Senml => is_senml_name,
        // The first letter is written large, and small again by whoever reads it.
        Dialect::Tasmota => |name| !name.starts_with(char::is_uppercase),
        _ => |_| true,
    };
    match profile.signal.iter().find(|signal| !is_named(&signal.name)) {
        None => Ok(()),
        Some(signal) => Err(format!("{dialect} can't name a signal {:?}", signal.name)),
    }
}

/// RFC 8428, section 4.5.1.
fn is_senml_name(name: &str) -> bool {
    let is_inner = |it: char| it.is_ascii_alphanumeric() || "-:./_".contains(it);
    name.starts_with(|it: char| it.is_ascii_alphanumeric()) && name.chars().all(is_inner)
}

/// The kind of a device by its name, `dht22` for `dht22-17`.
fn kind_of(device: &str) -> &str {
    device.rsplit_once('-').map_or(device, |(kind, _)| kind)
}

#[cfg(test)]
mod tests;
