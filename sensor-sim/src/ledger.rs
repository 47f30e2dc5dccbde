//! The ledger: what was to be sent and what was acknowledged, in a file that only grows and survives a crash of its writer.
//!
//! The file is the magic `TGLEDGR1`, then chunks: length of the body (u32, little-endian), CRC-32C of the body (u32), body.
//! A writer that dies leaves at most the last chunk torn; whoever goes on cuts it off. A body is records, one after the
//! other; numbers are LEB128, signed ones zigzag first, texts have their length in front, values are f64, little-endian.
//!
//! | tag | record | fields |
//! |---|---|---|
//! | 1 | run | boot, seed, start (ms, signed), command (text); devices and streams count from 0 again |
//! | 2 | device | name (text) |
//! | 3 | stream | device, number of signals, their names (texts) |
//! | 4, 5, 6 | sent: kept, refusable, repeat | stream, sequence, time less that of the last in this chunk (signed), values |
//! | 7 | acknowledged | device, first sequence, count |
//!
//! *Sent* is written before the first byte goes to the network, *acknowledged* after the answer came: so whatever a crash
//! leaves, nothing was sent that the ledger does not know, and nothing is called acknowledged that was not.

use std::io;

use crate::limits::{CHUNK_BYTES_FULL, CHUNK_BYTES_MAX, SIGNALS_MAX};

const MAGIC: &[u8; 8] = b"TGLEDGR1";

/// Length and checksum in front of a body.
const CHUNK_HEAD_BYTES: usize = 8;

/// What is expected of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It comes out once if it was acknowledged.
    Kept,
    /// It may be refused: it is no number, or no time.
    Refusable,
    /// It is one before once more, and must not come out again.
    Repeat,
}

/// How a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// Counts the runs in this ledger, from 1.
    pub boot: u32,
    /// The seed of all chance.
    pub seed: u64,
    /// Wall clock, ms since the Unix epoch.
    pub start: i64,
    /// What was called, for people.
    pub command: &'a str,
}

/// One entry of a ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// A run begins.
    Run(Run<'a>),
    /// The next device.
    Device(&'a str),
    /// The next stream: a device's signals that travel together.
    Stream {
        /// Index of its device.
        device: u32,
        /// Its signals.
        signals: Signals<'a>,
    },
    /// A message was to be sent.
    Sent(Sent<'a>),
    /// Messages were acknowledged.
    Acknowledged {
        /// Index of the device.
        device: u32,
        /// The first sequence.
        first: u32,
        /// How many, in sequence.
        count: u32,
    },
}

/// A message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent<'a> {
    /// Index of the stream.
    pub stream: u32,
    /// Counts the device's messages, from 1.
    pub sequence: u32,
    /// Time by the device's clock, ms since the Unix epoch.
    pub time: i64,
    /// What is expected of it.
    pub expectation: Expectation,
    /// One value for each signal of the stream.
    pub values: Values<'a>,
}

/// Names of signals, as they stand in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals<'a>(&'a [u8], usize);

impl<'a> Signals<'a> {
    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut cursor = Cursor { bytes: self.0 };
        (0..self.1).map_while(move |_| cursor.text())
    }
}

/// Values, as they stand in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = f64> + use<'a> {
        self.0
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
    }
}

/// Why bytes are not a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The file begins with something else.
    #[error("this is no ledger: it doesn't begin with {:?}", core::str::from_utf8(MAGIC).unwrap_or_default())]
    Magic,
    /// A chunk with a valid checksum holds something that no writer writes.
    #[error(
        "chunk at byte {offset} of the ledger holds no valid {what}: was it written by another version?"
    )]
    Record {
        /// Where the chunk begins.
        offset: usize,
        /// What was expected.
        what: &'static str,
    },
}

/// Writes a ledger.
#[derive(Debug)]
pub struct LedgerWriter<W> {
    out: W,
    chunk: Vec<u8>,
    last_time: i64,
    open_run: Option<(u32, u32, u32)>,
}

impl<W: io::Write> LedgerWriter<W> {
    /// A new ledger.
    ///
    /// # Errors
    /// What `out` answers.
    pub fn create(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self::append(out))
    }

    /// Goes on with a ledger whose torn end was cut off.
    pub const fn append(out: W) -> Self {
        Self {
            out,
            chunk: Vec::new(),
            last_time: 0,
            open_run: None,
        }
    }

    /// A run begins; devices and streams count from 0 again.
    pub fn run(&mut self, run: &Run<'_>) {
        self.tag(1);
        self.unsigned(u64::from(run.boot));
        self.unsigned(run.seed);
        self.signed(run.start);
        self.text(run.command);
    }

    /// The next device.
    pub fn device(&mut self, name: &str) {
        self.tag(2);
        self.text(name);
    }

    /// The next stream, of the device with index `device`.
    pub fn stream(&mut self, device: u32, signals: &[&str]) {
        self.tag(3);
        self.unsigned(u64::from(device));
        self.unsigned(signals.len() as u64);
        for signal in signals {
            self.text(signal);
        }
    }

    /// A message is to be sent. It may be sent once [`commit`](Self::commit) was called.
    pub fn sent(
        &mut self,
        stream: u32,
        sequence: u32,
        time: i64,
        values: &[f64],
        expectation: Expectation,
    ) {
        self.tag(match expectation {
            Expectation::Kept => 4,
            Expectation::Refusable => 5,
            Expectation::Repeat => 6,
        });
        self.unsigned(u64::from(stream));
        self.unsigned(u64::from(sequence));
        self.signed(time.wrapping_sub(self.last_time));
        self.last_time = time;
        for value in values {
            self.chunk.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A message of `device` was acknowledged.
    pub fn acknowledged(&mut self, device: u32, sequence: u32) {
        if let Some((of, first, count)) = &mut self.open_run
            && *of == device
            && *first + *count == sequence
        {
            *count += 1;
            return;
        }
        self.close_run();
        self.open_run = Some((device, sequence, 1));
    }

    /// Writes what has come together since the last time, in one go.
    ///
    /// # Errors
    /// What `out` answers; then the ledger is not to be trusted and the run must end.
    pub fn commit(&mut self) -> io::Result<()> {
        self.close_run();
        if self.chunk.is_empty() {
            return Ok(());
        }
        let body = &self.chunk[CHUNK_HEAD_BYTES..];
        let (length, checksum) = (body.len() as u32, wire::crc32c(0, body));
        self.chunk[..4].copy_from_slice(&length.to_le_bytes());
        self.chunk[4..CHUNK_HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        self.last_time = 0;
        Ok(())
    }

    /// Whether so much has come together that it should be committed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.chunk.len() >= CHUNK_BYTES_FULL
    }

    fn close_run(&mut self) {
        if let Some((device, first, count)) = self.open_run.take() {
            self.tag(7);
            for number in [device, first, count] {
                self.unsigned(u64::from(number));
            }
        }
    }

    fn tag(&mut self, tag: u8) {
        if self.chunk.is_empty() {
            self.chunk.resize(CHUNK_HEAD_BYTES, 0);
        }
        self.chunk.push(tag);
    }

    fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.chunk.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.chunk.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.unsigned(((number << 1) ^ (number >> 63)) as u64);
    }

    fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.chunk.extend_from_slice(text.as_bytes());
    }
}

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

#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
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

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        core::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests;
