//! The frame around every message: version, kind, gateway and time before the body, a CRC-32C behind it.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::checksum::crc32c;
use crate::reading::Timestamp;

/// The version that this crate writes, the first byte of every frame.
pub const VERSION: u8 = 1;

/// Length of the CRC-32C at the end, in bytes.
const CHECKSUM_BYTES: usize = 4;

/// What the body of a frame is: its second byte.
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
        let kind = Kind::read(cursor.byte()?)?;
        let gateway = cursor.text()?;
        let at = Timestamp(cursor.signed()?);
        Ok((Self { kind, gateway, at }, cursor))
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
        writer.put(&[VERSION, self.kind as u8])?;
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
    fn another_kind_is_refused() {
        assert_eq!(
            Frame::open_as(Kind::Alert, &written(b"")).unwrap_err(),
            Malformed::Kind(4)
        );
    }
}
