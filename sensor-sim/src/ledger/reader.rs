//! Reads a ledger, record by record, up to its torn end.

use super::{
    CHUNK_HEAD_BYTES, Expectation, LedgerError, MAGIC, Record, Run, Sent, Signals, Values,
};
use crate::limits::{CHUNK_BYTES_MAX, SIGNALS_MAX};

/// The records of a ledger, in their order; an error ends them, a torn end does so quietly.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    /// Where the chunks end that were opened.
    offset: usize,
    chunk_at: usize,
    body: Cursor<'a>,
    last_time: i64,
    /// How many values a message of each stream has.
    widths: Vec<usize>,
    over: bool,
}

impl<'a> Records<'a> {
    /// Opens the bytes of a ledger.
    ///
    /// # Errors
    /// [`LedgerError::Magic`] if they are not one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, LedgerError> {
        // A writer that died at once leaves less than the magic.
        if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
            return Err(LedgerError::Magic);
        }
        let offset = MAGIC.len().min(bytes.len());
        let body = Cursor { bytes: &[] };
        Ok(Self {
            bytes,
            offset,
            chunk_at: offset,
            body,
            last_time: 0,
            widths: Vec::new(),
            over: false,
        })
    }

    /// How many bytes from the start are whole, once all records were read: what is behind them is torn.
    #[must_use]
    pub const fn whole_bytes(&self) -> usize {
        self.offset
    }

    fn open_chunk(&mut self) -> Option<()> {
        let rest = &self.bytes[self.offset..];
        let (length, rest) = rest.split_first_chunk()?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = rest
            .get(..length)
            .filter(|_| (1..=CHUNK_BYTES_MAX).contains(&length))?;
        if wire::crc32c(0, body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        self.chunk_at = self.offset;
        self.offset += CHUNK_HEAD_BYTES + length;
        self.body = Cursor { bytes: body };
        self.last_time = 0;
        Some(())
    }

    fn record(&mut self) -> Result<Record<'a>, &'static str> {
        let tag = self.body.byte().ok_or("record")?;
        match tag {
            1 => self.run().ok_or("run"),
            2 => self.body.text().map(Record::Device).ok_or("device"),
            3 => self.stream().ok_or("stream"),
            4 => self.sent(Expectation::Kept).ok_or("message"),
            5 => self.sent(Expectation::Refusable).ok_or("message"),
            6 => self.sent(Expectation::Repeat).ok_or("message"),
            7 => self.acknowledged().ok_or("acknowledgement"),
            _ => Err("tag"),
        }
    }

    fn run(&mut self) -> Option<Record<'a>> {
        self.widths.clear();
        let boot = self.body.small()?;
        let seed = self.body.unsigned()?;
        let start = self.body.signed()?;
        let command = self.body.text()?;
        Some(Record::Run(Run {
            boot,
            seed,
            start,
            command,
        }))
    }

    fn stream(&mut self) -> Option<Record<'a>> {
        let device = self.body.small()?;
        let count = self.body.small()? as usize;
        let before = self.body.bytes;
        if count > SIGNALS_MAX {
            return None;
        }
        for _ in 0..count {
            self.body.text()?;
        }
        self.widths.push(count);
        let names = &before[..before.len() - self.body.bytes.len()];
        Some(Record::Stream {
            device,
            signals: Signals(names, count),
        })
    }

    fn sent(&mut self, expectation: Expectation) -> Option<Record<'a>> {
        let stream = self.body.small()?;
        let sequence = self.body.small()?;
        let time = self.last_time.wrapping_add(self.body.signed()?);
        self.last_time = time;
        let width = self.widths.get(stream as usize)?;
        let values = Values(self.body.take(8 * width)?);
        Some(Record::Sent(Sent {
            stream,
            sequence,
            time,
            expectation,
            values,
        }))
    }

    fn acknowledged(&mut self) -> Option<Record<'a>> {
        let (device, first, count) = (self.body.small()?, self.body.small()?, self.body.small()?);
        first.checked_add(count)?;
        Some(Record::Acknowledged {
            device,
            first,
            count,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over || (self.body.bytes.is_empty() && self.open_chunk().is_none()) {
            self.over = true;
            return None;
        }
        let record = self.record();
        self.over = record.is_err();
        Some(record.map_err(|what| LedgerError::Record {
            offset: self.chunk_at,
            what,
        }))
    }
}

/// Bytes that are taken from their front; `None` where they end too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.unsigned()?).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        core::str::from_utf8(self.take(length)?).ok()
    }
}
