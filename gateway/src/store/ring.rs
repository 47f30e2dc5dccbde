//! The ring: a file of fixed length beside the database, in which a commit of readings is one write and one fdatasync.
//!
//! Each chunk of the journal that stands here has a *frame*, little-endian:
//!
//! ```text
//! 0  u8      version (1)
//! 1  [u8; 3] "rng"
//! 4  u32     length of the chunk
//! 8  u64     id of the store: the ring of another one says nothing
//! 16 u64     position of the chunk's first entry
//! 24 u32     CRC-32C of all bytes before it, and of the chunk
//! 28 ...     the chunk
//! ```
//!
//! A frame begins at a sector, and zeros follow it to the end of its page. The file was written through when it was made,
//! so nothing but these pages goes to the disk: no length, no extent, no block map. Which frames count is found by reading
//! the whole file: those that are whole, from the chunk on that holds the oldest checkpoint.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::limits::{CHUNK_BYTES_MAX, FRAME_BYTES_MAX, HALF_PAGE_BYTES, SECTOR_BYTES};

/// First byte of a frame, and what follows it.
const MARK: [u8; 4] = [1, b'r', b'n', b'g'];
/// Bytes before the chunk.
const HEADER_BYTES: usize = 28;
/// Bytes of the header that its checksum covers.
const CHECKED_BYTES: usize = 24;
/// What the page cache writes at once.
const PAGE_BYTES: u64 = 2 * HALF_PAGE_BYTES;
const _: () = assert!(HEADER_BYTES <= FRAME_BYTES_MAX);
/// Bytes that are written at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// Chunks in the ring that may be needed again, the oldest first.
///
/// Invariant: their frames lie one behind the other, round the ring at most once, and their positions grow. A sector that
/// holds one of them is never written with anything else.
#[derive(Debug)]
pub(super) struct Ring {
    file: File,
    id: u64,
    bytes: u64,
    frames: VecDeque<Frame>,
    /// Where the newest frame ends.
    head: u64,
    piece: Vec<u8>,
}

/// Where a chunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Position of its first entry.
    pub(super) position: u64,
    sector: u32,
    chunk_bytes: u32,
}

/// Memory that a ring of so many bytes takes at most: what is known of its frames, and a piece that is written.
pub(super) const fn memory_bytes(ring_bytes: u64) -> u64 {
    match ring_bytes {
        0 => 0,
        bytes => bytes / SECTOR_BYTES * size_of::<Frame>() as u64 + PIECE_BYTES,
    }
}

/// Makes the file, or makes it anew. It is durable but for its name.
///
/// # Errors
/// As the system says; what was made of it is of no harm.
pub(super) fn make(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let zeros = [0; PAGE_BYTES as usize];
    for page in 0..bytes / PAGE_BYTES {
        file.write_all_at(&zeros, page * PAGE_BYTES)?;
    }
    file.sync_all()
}

impl Ring {
    /// Reads which frames are whole. What of them counts is for [`keep_from`](Self::keep_from) to say.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn open(file: File, id: u64) -> io::Result<Self> {
        let bytes = file.metadata()?.len() / SECTOR_BYTES * SECTOR_BYTES;
        let mut ring = Self {
            file,
            id,
            bytes,
            frames: VecDeque::new(),
            head: 0,
            piece: Vec::with_capacity(PIECE_BYTES as usize),
        };
        let mut frames = Vec::with_capacity((bytes / SECTOR_BYTES) as usize);
        let mut chunk = Vec::new();
        // Within an old frame too: a newer one may begin where the old one's last byte happens to be the same.
        for sector in 0..bytes / SECTOR_BYTES {
            frames.extend(ring.read_at(sector * SECTOR_BYTES, &mut chunk)?);
        }
        frames.sort_by_key(|frame| frame.position);
        ring.head = frames.last().map_or(0, Frame::end);
        ring.frames = frames.into();
        Ok(ring)
    }

    /// Length of the file, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The chunks, from this position on.
    pub(super) fn frames_from(&self, position: u64) -> impl Iterator<Item = Frame> {
        let first = self
            .frames
            .partition_point(|frame| frame.position < position);
        self.frames.range(first..).copied()
    }

    /// Position of the newest chunk that begins at or before this one.
    pub(super) fn newest_until(&self, position: u64) -> Option<u64> {
        let behind = self
            .frames
            .partition_point(|frame| frame.position <= position);
        Some(self.frames.get(behind.checked_sub(1)?)?.position)
    }

    /// Whether the frames are as the invariant says. They are, unless the disk lied or somebody wrote into the file.
    pub(super) fn is_in_order(&self) -> bool {
        let pairs = || {
            self.frames
                .iter()
                .zip(self.frames.range(self.frames.len().min(1)..))
        };
        let turns = pairs().filter(|(one, next)| next.at() < one.end()).count();
        let is_round = self.frames.front().is_none_or(|oldest| match turns {
            0 => true,
            1 => self.head <= oldest.at(),
            _ => false,
        });
        is_round && pairs().all(|(one, next)| one.position < next.position)
    }

    /// Chunks before this position are not needed any more.
    pub(super) fn keep_from(&mut self, position: u64) {
        while self
            .frames
            .front()
            .is_some_and(|frame| frame.position < position)
        {
            self.frames.pop_front();
        }
    }

    /// Makes a chunk durable, behind all others; gives the bytes that were written, or `None`: it has no room.
    ///
    /// # Errors
    /// As the system says. What of the chunk is on the disk is unknown then.
    pub(super) fn append(&mut self, position: u64, chunk: &[u8]) -> io::Result<Option<u64>> {
        let Some(at) = self.place(chunk.len()) else {
            return Ok(None);
        };
        let frame = Frame {
            position,
            sector: (at / SECTOR_BYTES) as u32,
            chunk_bytes: chunk.len() as u32,
        };
        let written = self.write(frame, chunk)?;
        self.frames.push_back(frame);
        self.head = frame.end();
        Ok(Some(written))
    }

    /// Reads a chunk.
    ///
    /// # Errors
    /// As the system says, or [`io::ErrorKind::InvalidData`]: it is not there any more.
    pub(super) fn read(&self, frame: Frame, chunk: &mut Vec<u8>) -> io::Result<()> {
        if self.read_at(frame.at(), chunk)? == Some(frame) {
            return Ok(());
        }
        let gone = format!(
            "the chunk at position {} is not in the ring",
            frame.position
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, gone))
    }

    /// Writes the newest frame once more: it may be whole in the kernel's memory only, if the process before this one ended
    /// because the disk would not take it.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Some(newest) = self.frames.back().copied() else {
            return Ok(());
        };
        let mut chunk = Vec::new();
        self.read(newest, &mut chunk)?;
        self.write(newest, &chunk).map(drop)
    }

    /// Where a frame for so many bytes begins. It touches no more pages than it must, and no page with the oldest frame.
    fn place(&self, chunk_bytes: usize) -> Option<u64> {
        let bytes = (HEADER_BYTES + chunk_bytes) as u64;
        let end = |at: u64| (at + bytes).next_multiple_of(PAGE_BYTES);
        let oldest = self
            .frames
            .front()
            .map(|frame| frame.at() / PAGE_BYTES * PAGE_BYTES);
        let is_round = self
            .frames
            .front()
            .is_some_and(|frame| self.head <= frame.at());
        let mut at = self.head;
        if end(at) - at / PAGE_BYTES * PAGE_BYTES > end(0) {
            at = at.next_multiple_of(PAGE_BYTES);
        }
        if end(at) > self.bytes && !is_round {
            at = 0;
        }
        let limit = match oldest {
            Some(oldest) if is_round || at < self.head => oldest,
            _ => self.bytes,
        };
        (chunk_bytes <= CHUNK_BYTES_MAX && end(at) <= limit).then_some(at)
    }

    /// Writes whole pages but for the first, which is in the kernel's memory: none has to be read for it.
    fn write(&mut self, frame: Frame, chunk: &[u8]) -> io::Result<u64> {
        let begin = frame.at();
        let end = (begin + (HEADER_BYTES + chunk.len()) as u64).next_multiple_of(PAGE_BYTES);
        self.piece.clear();
        self.piece.extend_from_slice(&frame.header(self.id, chunk));
        let (mut at, mut rest) = (begin, chunk);
        while at < end {
            let len = (PIECE_BYTES - at % PAGE_BYTES).min(end - at) as usize;
            let (now, later) = rest.split_at(rest.len().min(len - self.piece.len()));
            self.piece.extend_from_slice(now);
            self.piece.resize(len, 0);
            self.file.write_all_at(&self.piece, at)?;
            self.piece.clear();
            at += len as u64;
            rest = later;
        }
        self.file.sync_data()?;
        Ok(end - begin / PAGE_BYTES * PAGE_BYTES)
    }

    /// The frame that begins here, if a whole one of this store does, and its chunk.
    fn read_at(&self, at: u64, chunk: &mut Vec<u8>) -> io::Result<Option<Frame>> {
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut header, at)?;
        let Some(frame) = Frame::of(&header, self.id, at) else {
            return Ok(None);
        };
        let chunk_bytes = frame.chunk_bytes as usize;
        if chunk_bytes > CHUNK_BYTES_MAX || frame.end() > self.bytes {
            return Ok(None);
        }
        chunk.resize(chunk_bytes, 0);
        self.file.read_exact_at(chunk, at + HEADER_BYTES as u64)?;
        Ok((frame.header(self.id, chunk) == header).then_some(frame))
    }
}

impl Frame {
    fn at(&self) -> u64 {
        u64::from(self.sector) * SECTOR_BYTES
    }

    /// Where the next one may begin.
    fn end(&self) -> u64 {
        (self.at() + HEADER_BYTES as u64 + u64::from(self.chunk_bytes))
            .next_multiple_of(SECTOR_BYTES)
    }

    fn header(&self, id: u64, chunk: &[u8]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MARK);
        header[4..8].copy_from_slice(&self.chunk_bytes.to_le_bytes());
        header[8..16].copy_from_slice(&id.to_le_bytes());
        header[16..CHECKED_BYTES].copy_from_slice(&self.position.to_le_bytes());
        let checksum = wire::crc32c(wire::crc32c(0, &header[..CHECKED_BYTES]), chunk);
        header[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// What a header says, if it is one of this store's. Its checksum is not looked at.
    fn of(header: &[u8; HEADER_BYTES], id: u64, at: u64) -> Option<Self> {
        let (mark, rest) = header.split_first_chunk::<4>()?;
        let (chunk_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (its_id, rest) = rest.split_first_chunk::<8>()?;
        let (position, _) = rest.split_first_chunk::<8>()?;
        (*mark == MARK && u64::from_le_bytes(*its_id) == id).then_some(Self {
            position: u64::from_le_bytes(*position),
            sector: u32::try_from(at / SECTOR_BYTES).ok()?,
            chunk_bytes: u32::from_le_bytes(*chunk_bytes),
        })
    }
}

#[cfg(test)]
mod tests;
