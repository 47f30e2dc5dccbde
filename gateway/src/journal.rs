//! The journal's entries as bytes: the only inputs that the [`machine`](crate::machine) ever sees.
//!
//! A *chunk* is what one group commit makes durable. Layout, little-endian:
//!
//! ```text
//! 0  u8   version (1)
//! 1  u64  position of the first entry
//! 9  u64  instant before the first entry, ms of engine time
//! 17 u32  number of entries
//! 21 ...  entries
//! -4 u32  CRC-32C of all bytes before it
//! ```
//!
//! An entry is a tag byte, then the advance of engine time since the entry before it (varint, only
//! where bit 3 of the tag says so), then its own fields. Varints are LEB128; signed ones are zigzag.

mod decimal;
mod reader;

use core::fmt;

use pipeline::limits::{NOTE_BYTES_MAX, PERSON_BYTES_MAX};
use pipeline::{Command, Instant, Verb};
use wire::{Clock, Timestamp};

use crate::limits::{CHUNK_BYTES_MAX, DEVICE_BYTES_MAX, PLAN_BYTES_MAX, SIGNAL_BYTES_MAX};

pub use reader::ChunkReader;

/// First byte of every chunk.
pub const CHUNK_VERSION: u8 = 1;
/// Bytes before the first entry.
pub const CHUNK_HEADER_BYTES: usize = 21;
/// Bytes behind the last entry.
pub const CHUNK_TRAILER_BYTES: usize = 4;
/// Largest entry other than a plan: tag, advance, and two names with their lengths.
pub const ENTRY_BYTES_MAX: usize = 1 + 10 + 2 + DEVICE_BYTES_MAX + 2 + SIGNAL_BYTES_MAX;

/// Largest entry of what people do about alarms: tag, advance, verb with its time, whose alarm, which, and two texts.
const OPERATE_BYTES_MAX: usize = 1 + 10 + 6 + 3 + 1 + 1 + PERSON_BYTES_MAX + 1 + NOTE_BYTES_MAX;

const _: () = assert!(OPERATE_BYTES_MAX <= ENTRY_BYTES_MAX);
const _: () =
    assert!(CHUNK_HEADER_BYTES + PLAN_BYTES_MAX + 16 + CHUNK_TRAILER_BYTES <= CHUNK_BYTES_MAX);

/// Number of an entry since the journal began; it grows by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// One input of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry<'a> {
    /// The process started. Engine time goes on from where the journal ends.
    Boot {
        /// Wall clock minus engine time, ms.
        offset_ms: i64,
        /// Whether it is set.
        clock: Clock,
    },
    /// The wall clock was set, or drifted away from engine time.
    Clock {
        /// Wall clock minus engine time, ms, from here on.
        offset_ms: i64,
        /// Whether it is set, from here on.
        clock: Clock,
    },
    /// A sensor was seen for the first time.
    Sensor {
        /// Device, as the topic mapping names it.
        device: &'a str,
        /// Signal of the device.
        signal: &'a str,
    },
    /// What follows came in one QoS 1 or 2 message with this fingerprint.
    Delivery {
        /// Client, packet id and payload, hashed: see [`deliveries`](crate::deliveries).
        fingerprint: u64,
    },
    /// One reading of one sensor, as it was sent.
    Reading {
        /// Which sensor.
        sensor: u16,
        /// Time by the sensor's clock, if the payload carried one.
        time: Option<Timestamp>,
        /// The raw value.
        value: f64,
    },
    /// A deadline of the pipeline came.
    Tick,
    /// The pipeline's plan was replaced by this one (postcard bytes of `pipeline::Plan`).
    Plan {
        /// The plan, encoded.
        bytes: &'a [u8],
    },
    /// Somebody acknowledged an alarm, shelved it, or took it back.
    Operate(Command<'a>),
}

/// The chunk had no room for the entry; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Why bytes are not a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than header and trailer, or an entry ends early.
    #[error("truncated at byte {0}")]
    Truncated(usize),
    /// A version that this program does not know.
    #[error("version {0} is not known")]
    Version(u8),
    /// The checksum does not match.
    #[error("checksum mismatch")]
    Checksum,
    /// An entry has an unknown tag or an impossible field.
    #[error("entry at byte {0} is not valid")]
    Entry(usize),
}

const TAG_BOOT: u8 = 0;
const TAG_CLOCK: u8 = 1;
const TAG_SENSOR: u8 = 2;
const TAG_DELIVERY: u8 = 3;
const TAG_READING: u8 = 4;
const TAG_TICK: u8 = 5;
const TAG_PLAN: u8 = 6;
const TAG_OPERATE: u8 = 7;
const VERB_ACKNOWLEDGE: u8 = 0;
const VERB_SHELVE: u8 = 1;
const VERB_UNSHELVE: u8 = 2;
const TAG_MASK: u8 = 0b0000_0111;
const FLAG_ADVANCE: u8 = 0b0000_1000;
/// Boot and clock: the wall clock is not set.
const FLAG_UNSET: u8 = 0b0001_0000;
/// Reading: the payload carried a time.
const FLAG_TIME: u8 = 0b0001_0000;
/// Reading: the value is stored as f32, which holds it exactly.
const FLAG_SINGLE: u8 = 0b0010_0000;
/// Reading: the value is stored as a decimal number, which gives it exactly.
const FLAG_DECIMAL: u8 = 0b0100_0000;
/// A decimal number below this is a varint of less than four bytes.
const DECIMAL_SHORT: u64 = 1 << 21;

/// Writes one chunk into a buffer that keeps its capacity over many chunks.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChunkWriter {
    first: Position,
    count: u32,
    instant: Instant,
}

impl ChunkWriter {
    /// Begins a chunk in `bytes`, which is cleared.
    pub fn begin(bytes: &mut Vec<u8>, first: Position, instant: Instant) -> Self {
        bytes.clear();
        bytes.push(CHUNK_VERSION);
        bytes.extend_from_slice(&first.0.to_le_bytes());
        bytes.extend_from_slice(&instant.0.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        Self {
            first,
            count: 0,
            instant,
        }
    }

    /// Position of the first entry.
    #[must_use]
    pub fn first(&self) -> Position {
        self.first
    }

    /// Position of the next entry.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.first.0 + u64::from(self.count))
    }

    /// Number of entries written.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Appends `entry`, which happened at `instant` when the wall clock stood at `wall`
    /// ([`wall_at`] the same offset that the reader will follow).
    ///
    /// # Errors
    /// [`Full`] if the buffer's capacity does not hold it.
    pub fn push(
        &mut self,
        bytes: &mut Vec<u8>,
        instant: Instant,
        wall: Timestamp,
        entry: &Entry<'_>,
    ) -> Result<(), Full> {
        let needed = match entry {
            Entry::Plan { bytes } => bytes.len() + 16,
            _ => ENTRY_BYTES_MAX,
        };
        if bytes.capacity() - bytes.len() < needed + CHUNK_TRAILER_BYTES {
            return Err(Full);
        }
        let advance = instant.0.saturating_sub(self.instant.0);
        self.instant = Instant(self.instant.0 + advance);
        self.count += 1;
        write_entry(bytes, advance, wall, entry);
        Ok(())
    }

    /// Completes the chunk: count and checksum.
    pub fn finish(&self, bytes: &mut Vec<u8>) {
        bytes[17..CHUNK_HEADER_BYTES].copy_from_slice(&self.count.to_le_bytes());
        let checksum = wire::crc32c(0, bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
    }
}

fn write_entry(bytes: &mut Vec<u8>, advance: u64, wall: Timestamp, entry: &Entry<'_>) {
    let at = bytes.len();
    bytes.push(0);
    let mut flags = 0;
    if advance > 0 {
        flags |= FLAG_ADVANCE;
        write_varint(bytes, advance);
    }
    bytes[at] = flags
        | match *entry {
            Entry::Boot { offset_ms, clock } => TAG_BOOT | write_clock(bytes, offset_ms, clock),
            Entry::Clock { offset_ms, clock } => TAG_CLOCK | write_clock(bytes, offset_ms, clock),
            Entry::Sensor { device, signal } => {
                write_slice(bytes, device.as_bytes());
                write_slice(bytes, signal.as_bytes());
                TAG_SENSOR
            }
            Entry::Delivery { fingerprint } => {
                bytes.extend_from_slice(&fingerprint.to_le_bytes());
                TAG_DELIVERY
            }
            Entry::Reading {
                sensor,
                time,
                value,
            } => write_reading(bytes, wall, sensor, time, value),
            Entry::Tick => TAG_TICK,
            Entry::Plan { bytes: plan } => {
                write_slice(bytes, plan);
                TAG_PLAN
            }
            Entry::Operate(ref command) => {
                write_command(bytes, command);
                TAG_OPERATE
            }
        };
}

fn write_clock(bytes: &mut Vec<u8>, offset_ms: i64, clock: Clock) -> u8 {
    write_varint(bytes, zigzag(offset_ms));
    match clock {
        Clock::Unsynced => FLAG_UNSET,
        Clock::Synced | Clock::Repaired => 0,
    }
}

fn write_command(bytes: &mut Vec<u8>, command: &Command<'_>) {
    match command.verb {
        Verb::Acknowledge => bytes.push(VERB_ACKNOWLEDGE),
        Verb::Shelve(for_ms) => {
            bytes.push(VERB_SHELVE);
            write_varint(bytes, for_ms.into());
        }
        Verb::Unshelve => bytes.push(VERB_UNSHELVE),
    }
    write_varint(bytes, command.sensor.0.into());
    bytes.push(command.alarm);
    write_slice(bytes, command.by.as_bytes());
    write_slice(bytes, command.note.as_bytes());
}

fn write_reading(
    bytes: &mut Vec<u8>,
    wall: Timestamp,
    sensor: u16,
    time: Option<Timestamp>,
    value: f64,
) -> u8 {
    let mut tag = TAG_READING;
    write_varint(bytes, u64::from(sensor));
    if let Some(time) = time {
        tag |= FLAG_TIME;
        write_varint(bytes, zigzag(time.0.wrapping_sub(wall.0)));
    }
    let single = value as f32;
    let decimal = decimal::encode(value);
    if let Some(decimal) = decimal.filter(|code| *code < DECIMAL_SHORT) {
        tag |= FLAG_DECIMAL;
        write_varint(bytes, decimal);
    } else if f64::from(single).to_bits() == value.to_bits() {
        tag |= FLAG_SINGLE;
        bytes.extend_from_slice(&single.to_le_bytes());
    } else if let Some(decimal) = decimal {
        tag |= FLAG_DECIMAL;
        write_varint(bytes, decimal);
    } else {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    tag
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Wall clock at `instant`, given wall clock minus engine time.
#[must_use]
pub fn wall_at(instant: Instant, offset_ms: i64) -> Timestamp {
    Timestamp((instant.0 as i64).wrapping_add(offset_ms))
}

fn write_slice(bytes: &mut Vec<u8>, slice: &[u8]) {
    write_varint(bytes, slice.len() as u64);
    bytes.extend_from_slice(slice);
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests;
