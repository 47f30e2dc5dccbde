//! Why a box cannot be a part of its fleet.

use std::path::PathBuf;

/// Why a box cannot be a part of its fleet.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The trust file.
    #[error("cannot read {}: {source} (`fleet.trust_file`; `tidegate fleet keygen` makes one)", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A certificate, key or password file.
    #[error("cannot read {}: {source} (`fleet`)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The slots.
    #[error("the slots of the fleet's config in {}: {source}", path.display())]
    Slots {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
