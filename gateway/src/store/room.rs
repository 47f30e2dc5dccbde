//! Free space of the disk, and a reserve of it: without room for its log a full disk could not even be told what may go.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{ROOM_BYTES, Settings, with_suffix};

/// Bytes that are written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What a process without privileges may still write to the disk that holds `path`, bytes.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A file of nothing beside the database, which gives its room when the disk has no other.
pub(super) struct Reserve {
    path: PathBuf,
    /// 0: there is none.
    bytes: u64,
    bytes_free_min: u64,
}

impl Reserve {
    pub(super) fn new(database: &Path, settings: &Settings) -> Self {
        Self {
            path: with_suffix(database, "-reserve"),
            bytes: if settings.bytes_free_min > 0 {
                settings.wal_bytes + ROOM_BYTES
            } else {
                0
            },
            bytes_free_min: settings.bytes_free_min,
        }
    }

    /// Makes the reserve, where the disk has room for it. It is no failure if it has none: it is tried again.
    pub(super) fn restore(&self) {
        let is_whole = fs::metadata(&self.path).is_ok_and(|file| file.len() >= self.bytes);
        let has_room = free_bytes(&self.path.with_file_name("."))
            .is_ok_and(|free| free > self.bytes + self.bytes_free_min);
        if self.bytes > 0 && !is_whole && has_room && self.write().is_err() {
            self.give_up();
        }
    }

    /// Whether there was one that could go.
    pub(super) fn give_up(&self) -> bool {
        self.bytes > 0 && fs::remove_file(&self.path).is_ok()
    }

    /// Written, not only given a length: a file of holes has no room to give.
    fn write(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let piece = [0; PIECE_BYTES];
        let mut left = self.bytes;
        while left > 0 {
            let len = left.min(PIECE_BYTES as u64);
            file.write_all(&piece[..len as usize])?;
            left -= len;
        }
        Ok(())
    }
}
