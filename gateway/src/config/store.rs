//! `[store]`: the disk.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bytes, Millis};

/// `[store]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Folder of the database.
    pub dir: PathBuf,
    /// Longest wait of a reading before its commit begins.
    #[serde(default = "default_commit_interval")]
    pub commit_interval: Millis,
    /// Longest time between two checkpoints.
    #[serde(default = "default_checkpoint_interval")]
    pub checkpoint_interval: Millis,
    /// Most journal between two checkpoints.
    #[serde(default = "default_checkpoint_bytes")]
    pub checkpoint_bytes: Bytes,
    /// Length of the ring, in which commits of readings stand; at most a quarter of `max_bytes`. Zero: there is none.
    #[serde(default = "default_ring_bytes")]
    pub ring_bytes: Bytes,
    /// Largest size of database and ring; near it the oldest batches are thinned, with a gap record.
    #[serde(default = "default_store_bytes_max")]
    pub max_bytes: Bytes,
    /// What the disk must keep free; with less the database grows no more.
    #[serde(default = "default_min_free_bytes")]
    pub min_free_bytes: Bytes,
}

fn default_commit_interval() -> Millis {
    Millis(10)
}

fn default_checkpoint_interval() -> Millis {
    Millis(300_000)
}

fn default_checkpoint_bytes() -> Bytes {
    Bytes(8 << 20)
}

fn default_ring_bytes() -> Bytes {
    Bytes(16 << 20)
}

fn default_store_bytes_max() -> Bytes {
    Bytes(1 << 30)
}

fn default_min_free_bytes() -> Bytes {
    Bytes(32 << 20)
}
