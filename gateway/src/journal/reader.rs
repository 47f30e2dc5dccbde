//! A chunk's bytes as entries again.

use pipeline::limits::{NOTE_BYTES_MAX, PERSON_BYTES_MAX};
use pipeline::{Command, Instant, Verb};
use wire::{Clock, SensorId, Timestamp};

use super::{
    CHUNK_HEADER_BYTES, CHUNK_TRAILER_BYTES, CHUNK_VERSION, Entry, FLAG_ADVANCE, FLAG_DECIMAL,
    FLAG_SINGLE, FLAG_TIME, FLAG_UNSET, Malformed, Position, TAG_BOOT, TAG_CLOCK, TAG_DELIVERY,
    TAG_MASK, TAG_OPERATE, TAG_PLAN, TAG_READING, TAG_SENSOR, TAG_TICK, VERB_ACKNOWLEDGE,
    VERB_SHELVE, VERB_UNSHELVE, decimal, wall_at,
};
use crate::limits::{DEVICE_BYTES_MAX, PLAN_BYTES_MAX, SIGNAL_BYTES_MAX};

/// Reads the entries of one chunk, each with the engine time at which it happened.
///
/// The reader follows [`Entry::Boot`] and [`Entry::Clock`] to know the wall clock, which sensor
/// times are written against; `offset_ms` is what held before the chunk.
#[derive(Clone, Debug)]
pub struct ChunkReader<'a> {
    body: &'a [u8],
    at: usize,
    first: Position,
    left: u32,
    instant: Instant,
    offset_ms: i64,
}

impl<'a> ChunkReader<'a> {
    /// Checks the frame of `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] if it is not a whole chunk of a known version.
    pub fn new(bytes: &'a [u8], offset_ms: i64) -> Result<Self, Malformed> {
        if bytes.len() < CHUNK_HEADER_BYTES + CHUNK_TRAILER_BYTES {
            return Err(Malformed::Truncated(bytes.len()));
        }
        if bytes[0] != CHUNK_VERSION {
            return Err(Malformed::Version(bytes[0]));
        }
        let (body, trailer) = bytes.split_at(bytes.len() - CHUNK_TRAILER_BYTES);
        if wire::crc32c(0, body).to_le_bytes() != trailer {
            return Err(Malformed::Checksum);
        }
        Ok(Self {
            body,
            at: CHUNK_HEADER_BYTES,
            first: Position(u64_at(body, 1)),
            left: u32::from_le_bytes([body[17], body[18], body[19], body[20]]),
            instant: Instant(u64_at(body, 9)),
            offset_ms,
        })
    }

    /// Position of the chunk's first entry.
    #[must_use]
    pub fn first(&self) -> Position {
        self.first
    }

    /// Position behind the chunk's last entry.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.first.0 + u64::from(self.left))
    }

    /// Wall clock minus engine time after the entries read so far, ms.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    fn read(&mut self) -> Result<(Instant, Entry<'a>), Malformed> {
        let start = self.at;
        let tag = self.take(1)?[0];
        if tag & FLAG_ADVANCE != 0 {
            let advance = self.varint()?;
            self.instant = Instant(
                self.instant
                    .0
                    .checked_add(advance)
                    .ok_or(Malformed::Entry(start))?,
            );
        }
        let entry = match tag & TAG_MASK {
            TAG_BOOT | TAG_CLOCK => {
                self.offset_ms = unzigzag(self.varint()?);
                let offset_ms = self.offset_ms;
                let clock = if tag & FLAG_UNSET == 0 {
                    Clock::Synced
                } else {
                    Clock::Unsynced
                };
                if tag & TAG_MASK == TAG_BOOT {
                    Entry::Boot { offset_ms, clock }
                } else {
                    Entry::Clock { offset_ms, clock }
                }
            }
            TAG_SENSOR => Entry::Sensor {
                device: self.text(DEVICE_BYTES_MAX)?,
                signal: self.text(SIGNAL_BYTES_MAX)?,
            },
            TAG_DELIVERY => Entry::Delivery {
                fingerprint: u64_at(self.take(8)?, 0),
            },
            TAG_READING => self.reading(tag)?,
            TAG_TICK => Entry::Tick,
            TAG_PLAN => Entry::Plan {
                bytes: self.slice(PLAN_BYTES_MAX)?,
            },
            TAG_OPERATE => self.command()?,
            _ => return Err(Malformed::Entry(start)),
        };
        Ok((self.instant, entry))
    }

    fn command(&mut self) -> Result<Entry<'a>, Malformed> {
        let start = self.at;
        let wrong = |_| Malformed::Entry(start);
        let verb = match self.take(1)?[0] {
            VERB_ACKNOWLEDGE => Verb::Acknowledge,
            VERB_SHELVE => Verb::Shelve(u32::try_from(self.varint()?).map_err(wrong)?),
            VERB_UNSHELVE => Verb::Unshelve,
            _ => return Err(Malformed::Entry(start)),
        };
        let sensor = u16::try_from(self.varint()?).map_err(wrong)?;
        Ok(Entry::Operate(Command {
            verb,
            sensor: SensorId(sensor),
            alarm: self.take(1)?[0],
            by: self.text(PERSON_BYTES_MAX)?,
            note: self.text(NOTE_BYTES_MAX)?,
        }))
    }

    fn reading(&mut self, tag: u8) -> Result<Entry<'a>, Malformed> {
        let start = self.at;
        let sensor = u16::try_from(self.varint()?).map_err(|_| Malformed::Entry(start))?;
        let time = if tag & FLAG_TIME != 0 {
            let wall_ms = wall_at(self.instant, self.offset_ms).0;
            Some(Timestamp(wall_ms.wrapping_add(unzigzag(self.varint()?))))
        } else {
            None
        };
        let value = if tag & FLAG_DECIMAL != 0 {
            decimal::decode(self.varint()?)
        } else if tag & FLAG_SINGLE != 0 {
            let bytes = self.take(4)?;
            f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        } else {
            f64::from_bits(u64_at(self.take(8)?, 0))
        };
        Ok(Entry::Reading {
            sensor,
            time,
            value,
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self
            .at
            .checked_add(len)
            .ok_or(Malformed::Truncated(self.at))?;
        let bytes = self
            .body
            .get(self.at..end)
            .ok_or(Malformed::Truncated(self.at))?;
        self.at = end;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::Entry(start));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Entry(start))
    }

    fn slice(&mut self, len_max: usize) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed::Entry(start))?;
        if len > len_max {
            return Err(Malformed::Entry(start));
        }
        self.take(len)
    }

    fn text(&mut self, len_max: usize) -> Result<&'a str, Malformed> {
        let start = self.at;
        core::str::from_utf8(self.slice(len_max)?).map_err(|_| Malformed::Entry(start))
    }
}

impl<'a> Iterator for ChunkReader<'a> {
    type Item = Result<(Instant, Entry<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let item = self.read();
        if item.is_err() {
            self.left = 0;
        }
        self.first = Position(self.first.0 + 1);
        Some(item)
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
