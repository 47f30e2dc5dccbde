//! The credentials file as it is read: whole, and no larger than the config has room for.

use std::path::{Path, PathBuf};

use crate::broker::auth::{Credentials, CredentialsError};
use crate::broker::limits::SECRET_BYTES_MAX;
use crate::limits::{CREDENTIALS_BYTES_PER_USER, CREDENTIALS_ROLES_BYTES};
use crate::tokens::Tokens;

/// Why a credentials file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source} (`broker.credentials`)", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is larger than the config has room for.
    #[error(
        "{} has {bytes} bytes, `broker.users_max` has room for {bytes_max}; raise it, or take out users that are gone",
        path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest that is read.
        bytes_max: u64,
    },
    /// Something is wrong in it.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: CredentialsError,
    },
}

/// Reads a credentials file of `users_max` users at most.
///
/// # Errors
/// It cannot be read, is too large, or something is wrong in it.
pub fn read(path: &Path, users_max: usize) -> Result<Credentials, CredentialsFileError> {
    let fail = |source| CredentialsFileError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes_max = file_bytes_max(users_max) as u64;
    let bytes = std::fs::metadata(path).map_err(fail)?.len();
    if bytes > bytes_max {
        return Err(CredentialsFileError::Size {
            path: path.to_owned(),
            bytes,
            bytes_max,
        });
    }
    let text = std::fs::read_to_string(path).map_err(fail)?;
    Credentials::parse_within(&text, users_max).map_err(|source| CredentialsFileError::Content {
        path: path.to_owned(),
        source,
    })
}

/// Most bytes that credentials of so many users take: those that hold, those that are being read, the file's text, and the
/// secret by which each connection came in, which may be none of the file's any more.
#[must_use]
pub const fn memory_bytes(users_max: usize, connections_max: usize) -> usize {
    let file_bytes = file_bytes_max(users_max);
    let credentials = Credentials::memory_bytes(users_max, file_bytes);
    2 * (credentials + Tokens::memory_bytes(users_max))
        + file_bytes
        + connections_max * SECRET_BYTES_MAX
}

const fn file_bytes_max(users_max: usize) -> usize {
    users_max * CREDENTIALS_BYTES_PER_USER + CREDENTIALS_ROLES_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "role operator\n  subscribe #\n";

    #[test]
    fn a_file_with_more_users_than_there_is_room_for_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        let check = |text: &str| {
            std::fs::write(&path, text).expect("written");
            read(&path, 2).map_err(|error| error.to_string())
        };
        let two = format!("{ROLE}user anna x operator\nuser otto x operator\n");
        assert_eq!(check(&two).map(|read| read.len()), Ok(2));
        let three = check(&(two.clone() + "user eve x operator\n")).expect_err("refused");
        assert!(three.ends_with("line 5: more than 2 users and devices; raise `broker.users_max`, or take out those that are gone"), "{three}");
        let comment = "#".repeat(file_bytes_max(2) - two.len());
        assert!(check(&(two.clone() + &comment)).is_ok());
        let large = check(&(two + &comment + "#")).expect_err("refused");
        assert!(
            large.contains("has 66049 bytes, `broker.users_max` has room for 66048"),
            "{large}"
        );
    }
}
