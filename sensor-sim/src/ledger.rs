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

use crate::limits::CHUNK_BYTES_FULL;

mod reader;

use reader::Cursor;
pub use reader::Records;

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

#[cfg(test)]
mod tests;
