//! The frame around every message: version, kind, gateway and time before the body, a CRC-32C behind it.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::checksum::crc32c;
use crate::reading::Timestamp;
use serde::{Deserialize, Serialize};

/// The version that this crate writes, the first byte of every frame.
pub const VERSION: u8 = 1;

/// Length of the CRC-32C at the end, in bytes.
const CHECKSUM_BYTES: usize = 4;

/// How far the gateway's clock could be trusted when it gave a time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Clock {
    /// It was set.
    #[default]
    Synced = 0,
    /// It was not set: what it gave says how far things are apart, not when they were.
    Unsynced = 1,
    /// It was not set, but has been since, and what it gave was moved by as much.
    Repaired = 2,
}

impl Clock {
    /// What it is called in messages, headers and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Unsynced => "unsynced",
            Self::Repaired => "repaired",
        }
    }

    /// What holds for both: where one is not to be trusted, the whole is not.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unsynced, _) | (_, Self::Unsynced) => Self::Unsynced,
            (Self::Repaired, _) | (_, Self::Repaired) => Self::Repaired,
            (Self::Synced, Self::Synced) => Self::Synced,
        }
    }

    /// What a message says of itself, of which nothing else is looked at.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let mark = message.get(1).map_or(0, |kind| kind >> CLOCK_BIT);
        Self::read(mark).unwrap_or_default()
    }

    /// The quality with this number.
    pub(crate) const fn read(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::Synced),
            1 => Ok(Self::Unsynced),
            2 => Ok(Self::Repaired),
            _ => Err(Malformed::Part("clock")),
        }
    }
}

/// Where the clock stands in the second byte of a frame, above the kind.
const CLOCK_BIT: u32 = 4;

/// Writes into a message how far its times can be trusted: the only part of it that can be changed in place. Bytes that are no message
/// stay as they are.
pub fn stamp(message: &mut [u8], clock: Clock) {
    let Some((body, checksum)) = message.split_last_chunk_mut::<CHECKSUM_BYTES>() else {
        return;
    };
    if let Some(kind) = body.get_mut(1) {
        *kind = *kind & ((1 << CLOCK_BIT) - 1) | (clock as u8) << CLOCK_BIT;
        *checksum = crc32c(0, body).to_le_bytes();
    }
}

/// What the body of a frame is: its second byte, but for the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A batch of readings (topic `edge.telemetry`).
    Telemetry = 1,
    /// A batch of summaries (topic `edge.aggregates`).
    Aggregates = 2,
    /// One alert (topic `edge.alerts`).
    Alert = 3,
    /// One gap: a range of sequences that will never come.
    Gap = 4,
}

impl Kind {
    fn read(byte: u8) -> Result<Self, Malformed> {
        match byte {
            1 => Ok(Self::Telemetry),
            2 => Ok(Self::Aggregates),
            3 => Ok(Self::Alert),
            4 => Ok(Self::Gap),
            _ => Err(Malformed::Kind(byte)),
        }
    }
}

/// The head of a message: who wrote it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: Kind,
    /// Id of the gateway which wrote it.
    pub gateway: &'a str,
    /// When it was sealed, by the gateway's wall clock.
    pub at: Timestamp,
    /// How far this and the other times by the gateway's clock can be trusted: the worst of all.
    pub clock: Clock,
}

impl<'a> Frame<'a> {
    /// Reads the head of any message, so that a consumer can choose the reader for its body.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of a message, or if they were changed on their way.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::open(bytes).map(|(frame, _)| frame)
    }

    /// The head, and a cursor at the start of the body.
    fn open(bytes: &'a [u8]) -> Result<(Self, Cursor<'a>), Malformed> {
        // The version comes first: a later one may keep its checksum elsewhere.
        match bytes.first() {
            None => return Err(Malformed::Short),
            Some(&VERSION) => {}
            Some(&version) => return Err(Malformed::Version(version)),
        }
        let (message, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(Malformed::Short)?;
        if crc32c(0, message) != u32::from_le_bytes(*checksum) {
            return Err(Malformed::Checksum);
        }
        let mut cursor = Cursor::new(message);
        cursor.byte()?;
        let mark = cursor.byte()?;
        let kind = Kind::read(mark & ((1 << CLOCK_BIT) - 1))?;
        let clock = Clock::read(mark >> CLOCK_BIT)?;
        let gateway = cursor.text()?;
        let at = Timestamp(cursor.signed()?);
        let frame = Self {
            kind,
            gateway,
            at,
            clock,
        };
        Ok((frame, cursor))
    }

    pub(crate) fn open_as(kind: Kind, bytes: &'a [u8]) -> Result<(Self, Cursor<'a>), Malformed> {
        let (frame, body) = Self::open(bytes)?;
        if frame.kind == kind {
            Ok((frame, body))
        } else {
            Err(Malformed::Kind(frame.kind as u8))
        }
    }

    /// Writes a whole frame around what `body` writes; gives the bytes that were filled.
    pub(crate) fn write<'b>(
        &self,
        buffer: &'b mut [u8],
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<&'b [u8], Full> {
        let mut writer = Writer::new(buffer);
        writer.put(&[VERSION, self.kind as u8 | (self.clock as u8) << CLOCK_BIT])?;
        writer.text(self.gateway)?;
        writer.signed(self.at.0)?;
        body(&mut writer)?;
        let checksum = crc32c(0, writer.written());
        writer.put(&checksum.to_le_bytes())?;
        let len = writer.written().len();
        Ok(&buffer[..len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame<'_> = Frame {
        kind: Kind::Gap,
        gateway: "box",
        at: Timestamp(-5),
        clock: Clock::Synced,
    };

    fn written(body: &[u8]) -> std::vec::Vec<u8> {
        FRAME
            .write(&mut [0; 64], |writer| writer.put(body))
            .unwrap()
            .to_vec()
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        assert_eq!(Frame::read(&written(b"body")), Ok(FRAME));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let bytes = written(b"body");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::read(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn any_cut_is_noticed() {
        let bytes = written(b"body");
        for len in 0..bytes.len() {
            assert!(Frame::read(&bytes[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = written(b"body");
        bytes[0] = 2;
        assert_eq!(Frame::read(&bytes), Err(Malformed::Version(2)));
    }

    #[test]
    fn the_clock_is_all_that_a_stamp_changes() {
        for clock in [Clock::Unsynced, Clock::Repaired, Clock::Synced] {
            let mut bytes = written(b"body");
            stamp(&mut bytes, clock);
            assert_eq!(Frame::read(&bytes), Ok(Frame { clock, ..FRAME }));
            stamp(&mut bytes, Clock::Synced);
            assert_eq!(bytes, written(b"body"));
        }
        for short in 0..6 {
            stamp(&mut [0; 6][..short], Clock::Repaired);
        }
    }

    #[test]
    fn another_kind_is_refused() {
        assert_eq!(
            Frame::open_as(Kind::Alert, &written(b"")).unwrap_err(),
            Malformed::Kind(4)
        );
    }
}
