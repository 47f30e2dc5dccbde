//! What can go wrong with the store, by what has to be done about it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; the same may succeed once there is room.
    #[error("{}: no room while trying to {tried}; free disk space or raise store.max_bytes (it is tried again)", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// What was tried.
        tried: &'static str,
    },
    /// The disk failed. What of the last writes is on it is unknown, and what the kernel holds of the file
    /// cannot be trusted: the process must exit and recover from the file.
    #[error("{}: failed to {tried}: {source}; the process must exit and recover, check the disk (dmesg, smartctl)", path.display())]
    Failed {
        /// The database.
        path: PathBuf,
        /// What was tried.
        tried: &'static str,
        /// What SQLite or the system says.
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// The content makes no sense. The next start reads the whole file, and moves it aside if need be.
    #[error("{}: found corrupt while trying to {tried}: {detail}; restart to have it checked and moved aside", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was tried.
        tried: &'static str,
        /// What was found.
        detail: String,
    },
    /// Another process has it open.
    #[error("{}: another process has it open; stop the other tidegate, or give this one its own store.dir", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// A newer version of this program wrote it.
    #[error("{}: has schema version {found}, this program knows up to {known}; install the newer version again, or move the file away", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Highest version known.
        known: u64,
    },
    /// The operating system refused.
    #[error("{}: cannot {tried}: {source}; check that the directory exists and is writable for this user", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What was tried.
        tried: &'static str,
        /// Why.
        source: Box<dyn core::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same request may succeed later in this process.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Failed { .. }
            | Self::Corrupt { .. }
            | Self::Locked { .. }
            | Self::Newer { .. }
            | Self::Io { .. } => false,
        }
    }

    pub(super) fn io(
        path: &Path,
        tried: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            path,
            tried,
            source: source.into(),
        }
    }

    /// Of a file that holds data.
    pub(super) fn data(
        path: &Path,
        tried: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, tried },
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Self::Corrupt {
                path,
                tried,
                detail: source.to_string(),
            },
            _ => Self::Failed {
                path,
                tried,
                source: source.into(),
            },
        }
    }

    pub(super) fn sqlite(
        path: &Path,
        tried: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| classify(path, tried, source)
    }

    pub(super) fn corrupt(path: &Path, tried: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_path_buf(),
            tried,
            detail: detail.into(),
        }
    }
}

fn classify(path: PathBuf, tried: &'static str, source: rusqlite::Error) -> StoreError {
    let Some(error) = source.sqlite_error() else {
        // SQLite did its part, but a row is not what the schema says.
        return StoreError::Corrupt {
            path,
            tried,
            detail: source.to_string(),
        };
    };
    match (error.code, error.extended_code) {
        (ErrorCode::DiskFull, _) => StoreError::Full { path, tried },
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)
        | (_, ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS) => StoreError::Corrupt {
            path,
            tried,
            detail: source.to_string(),
        },
        // "no such table" and the like: our own statements do not fit this file.
        (ErrorCode::Unknown, ffi::SQLITE_ERROR) => StoreError::Corrupt {
            path,
            tried,
            detail: source.to_string(),
        },
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Locked { path },
        (ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => {
            StoreError::Io {
                path,
                tried,
                source: source.into(),
            }
        }
        _ => StoreError::Failed {
            path,
            tried,
            source: source.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: i32, expected: &str, may_retry: bool) {
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let error = classify(PathBuf::from("/data/tidegate.db"), "commit", source);
        let text = error.to_string();
        assert!(
            text.starts_with("/data/tidegate.db: ") && text.contains(expected),
            "{code}: {text}"
        );
        assert_eq!(error.may_retry(), may_retry, "{code}");
    }

    #[test]
    fn each_failure_says_what_to_do() {
        check(ffi::SQLITE_FULL, "free disk space", true);
        check(ffi::SQLITE_IOERR_FSYNC, "must exit and recover", false);
        check(ffi::SQLITE_IOERR_WRITE, "must exit and recover", false);
        check(ffi::SQLITE_NOMEM, "must exit and recover", false);
        check(ffi::SQLITE_CORRUPT, "moved aside", false);
        check(ffi::SQLITE_NOTADB, "moved aside", false);
        check(ffi::SQLITE_IOERR_SHORT_READ, "moved aside", false);
        check(ffi::SQLITE_ERROR, "moved aside", false);
        check(ffi::SQLITE_BUSY, "another process", false);
        check(ffi::SQLITE_CANTOPEN, "is writable", false);
        check(ffi::SQLITE_READONLY, "is writable", false);
    }
}
