//! The smallest parts of every message: a writer into a given buffer, a cursor over given bytes, both in postcard's encoding
//! (unsigned integers as LEB128, signed ones as zigzag, floats as 8 little-endian bytes, text with its length before it).

use core::error::Error;
use core::fmt;

/// The buffer is too small for the message. Give a larger one, or split the message in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the buffer is too small for the message: give a larger one or split the message",
        )
    }
}

impl Error for Full {}

/// Why bytes are not a message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end before the message does.
    Short,
    /// Bytes are left over where the message ends.
    Long,
    /// The first byte is a version which this reader doesn't know.
    Version(u8),
    /// The message is of another kind than the one asked for, or of none that is known.
    Kind(u8),
    /// The checksum differs: the bytes were changed on their way.
    Checksum,
    /// A part, which the text names, has a value that no writer makes.
    Part(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the message is cut short"),
            Self::Long => f.write_str("bytes are left over behind the message"),
            Self::Version(version) => {
                write!(
                    f,
                    "format version {version} is not known here: read it with a newer release"
                )
            }
            Self::Kind(kind) => write!(f, "a message of kind {kind} was not expected here"),
            Self::Checksum => f.write_str("the checksum of the message differs: fetch it again"),
            Self::Part(part) => write!(f, "the message holds a {part} which no writer makes"),
        }
    }
}

impl Error for Malformed {}

/// Maps small numbers of either sign to small unsigned ones: 0, -1, 1, -2, 2 …
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// About how many bits the numbers take once they are compressed: their own, and a few that tell how many those are.
pub(crate) fn bits(numbers: impl Iterator<Item = i64>) -> u64 {
    let bits = |number| u64::from(3 + u64::BITS - zigzag(number).leading_zeros());
    numbers.map(bits).sum()
}

/// The whole number that is nearest to `sum / count`; 0 if there are none.
pub(crate) const fn nearest(sum: i128, count: i128) -> i64 {
    match (2 * sum + count).checked_div_euclid(2 * count) {
        Some(mean) => mean as i64,
        None => 0,
    }
}

/// The mean of the numbers.
pub(crate) fn mean(numbers: impl Iterator<Item = i64>) -> i64 {
    let add = |(sum, count), number| (sum + i128::from(number), count + 1);
    let (sum, count) = numbers.fold((0, 0), add);
    nearest(sum, count)
}

/// Fills a buffer from its start.
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(crate) fn written(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len + bytes.len();
        self.buffer
            .get_mut(self.len..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(crate) fn byte(&mut self, byte: u8) -> Result<(), Full> {
        self.put(&[byte])
    }

    pub(crate) fn unsigned(&mut self, mut value: u64) -> Result<(), Full> {
        while value >= 0x80 {
            self.byte((value as u8) | 0x80)?;
            value >>= 7;
        }
        self.byte(value as u8)
    }

    pub(crate) fn signed(&mut self, value: i64) -> Result<(), Full> {
        self.unsigned(zigzag(value))
    }

    pub(crate) fn float(&mut self, value: f64) -> Result<(), Full> {
        self.put(&value.to_bits().to_le_bytes())
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), Full> {
        self.unsigned(text.len() as u64)?;
        self.put(text.as_bytes())
    }

    pub(crate) fn option(&mut self, value: Option<f64>) -> Result<(), Full> {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1)?;
                self.float(value)
            }
        }
    }

    /// Writes what `body` writes, with its length before it as four little-endian bytes.
    pub(crate) fn section(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let at = self.len;
        self.put(&[0; 4])?;
        body(self)?;
        let len = u32::try_from(self.len - at - 4).map_err(|_| Full)?;
        self.buffer[at..at + 4].copy_from_slice(&len.to_le_bytes());
        Ok(())
    }
}

/// Takes parts off the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are not taken yet.
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte holds the last bit only.
            if shift == 63 && byte > 1 {
                return Err(Malformed::Part("number above 64 bits"));
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Part("number above 64 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        self.unsigned().map(unzigzag)
    }

    /// An unsigned number that fits the smaller type `T`; `part` names it if it doesn't.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self, part: &'static str) -> Result<T, Malformed> {
        T::try_from(self.unsigned()?).map_err(|_| Malformed::Part(part))
    }

    pub(crate) fn float(&mut self) -> Result<f64, Malformed> {
        self.array()
            .map(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.small("length")?;
        core::str::from_utf8(self.take(len)?).map_err(|_| Malformed::Part("text that is not UTF-8"))
    }

    pub(crate) fn option(&mut self) -> Result<Option<f64>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.float().map(Some),
            _ => Err(Malformed::Part("mark of an optional number")),
        }
    }

    pub(crate) fn section(&mut self) -> Result<Self, Malformed> {
        let len = u32::from_le_bytes(self.array()?);
        self.take(len as usize).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(body: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> std::vec::Vec<u8> {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        body(&mut writer).unwrap();
        writer.written().to_vec()
    }

    #[test]
    fn a_number_above_64_bits_is_refused() {
        let mut cursor = Cursor::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]);
        assert_eq!(
            cursor.unsigned(),
            Err(Malformed::Part("number above 64 bits"))
        );
    }

    #[test]
    fn a_full_buffer_refuses_and_keeps_what_it_has() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.put(b"abc"), Ok(()));
        assert_eq!(writer.byte(b'd'), Err(Full));
        assert_eq!(writer.written(), b"abc");
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_postcard_writes_them(unsigned: u64, signed: i64, float: f64) {
            let ours = write(|w| {
                w.unsigned(unsigned)?;
                w.signed(signed)?;
                w.float(float)
            });
            let mut theirs = [0; 64];
            let theirs = postcard::to_slice(&(unsigned, signed, float), &mut theirs).unwrap();
            prop_assert_eq!(&ours[..], &theirs[..]);

            let mut cursor = Cursor::new(&ours);
            prop_assert_eq!(cursor.unsigned(), Ok(unsigned));
            prop_assert_eq!(cursor.signed(), Ok(signed));
            prop_assert_eq!(cursor.float().map(f64::to_bits), Ok(float.to_bits()));
            prop_assert_eq!(cursor.end(), Ok(()));
        }
    }
}
