//! Reads MQTT's data types (section 1.5) from a byte slice, each checked once, none copied.

use super::malformed::Malformed;

/// What is left of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'p> {
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    pub(super) const fn new(bytes: &'p [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) const fn rest(self) -> &'p [u8] {
        self.rest
    }

    /// Fails if something is left.
    pub(super) const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'p [u8], Malformed> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<2>()
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*head))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<4>()
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*head))
    }

    /// A packet id, never 0 `[MQTT-2.2.1-3]`.
    pub(super) fn packet_id(&mut self) -> Result<u16, Malformed> {
        match self.u16()? {
            0 => Err(Malformed::PacketIdZero),
            id => Ok(id),
        }
    }

    /// A variable byte integer (1.5.5).
    pub(super) fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::LongInteger)
    }

    /// Binary data with a two-byte length (1.5.6).
    pub(super) fn binary(&mut self) -> Result<&'p [u8], Malformed> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 string (1.5.4).
    pub(super) fn text(&mut self) -> Result<&'p str, Malformed> {
        let bytes = self.binary()?;
        let text = core::str::from_utf8(bytes).map_err(|_| Malformed::BadUtf8)?;
        if bytes.contains(&0) {
            Err(Malformed::Nul)
        } else {
            Ok(text)
        }
    }

    /// A block of properties: its length, then as many bytes.
    pub(super) fn properties(&mut self) -> Result<Self, Malformed> {
        let len = self.varint()?;
        Ok(Self::new(self.take(len as usize)?))
    }
}
