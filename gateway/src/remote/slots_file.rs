//! The slots on the disk: two files in turn, each with a number and a checksum, written beside and renamed. They do not stand in
//! the store of readings, so that a store which is moved aside takes no trust with it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::Incoming;
use crate::fleet::limits::{SLOT_WRITES_MAX, SLOTS_BYTES_MAX};
use crate::fleet::merge::hex;
use crate::fleet::slots::Slots;

/// Reads the newest slots that are whole, and their number.
pub(super) fn read(folder: &Path) -> Option<(u64, Slots)> {
    let both = [0, 1].map(|parity| read_one(&file(folder, parity)));
    both.into_iter().flatten().max_by_key(|(number, _)| *number)
}

fn read_one(path: &Path) -> Option<(u64, Slots)> {
    if fs::metadata(path).ok()?.len() > SLOTS_BYTES_MAX {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let (digest, body) = text.split_once('\n')?;
    if digest != hex(&Sha256::digest(body)) {
        tracing::error!(path = %path.display(), "slots with a wrong checksum: the other file is taken");
        return None;
    }
    let mut value: Value = serde_json::from_str(body).ok()?;
    let number = value.get("number")?.as_u64()?;
    let slots = serde_json::from_value(value.get_mut("slots")?.take()).ok()?;
    Some((number, slots))
}

fn write(folder: &Path, number: u64, slots: &Slots) -> io::Result<()> {
    let body = serde_json::json!({"number": number, "slots": slots}).to_string();
    let text = format!("{}\n{body}", hex(&Sha256::digest(&body)));
    let path = file(folder, number % 2);
    let beside = path.with_extension("new");
    let mut new = File::create(&beside)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, &path)?;
    File::open(folder)?.sync_all()
}

fn file(folder: &Path, parity: u64) -> PathBuf {
    folder.join(format!("slots.{parity}"))
}

/// The thread that writes: an SD card may take its time, and readings do not wait for it.
pub(super) struct Writer {
    requests: SyncSender<(u64, Slots)>,
}

impl Writer {
    pub(super) fn start(
        folder: &Path,
        number: u64,
        replies: mpsc::Sender<Incoming>,
    ) -> io::Result<Self> {
        let (requests, received) = sync_channel(SLOT_WRITES_MAX);
        let folder = folder.to_owned();
        std::thread::Builder::new()
            .name("fleet".into())
            .spawn(move || serve(&folder, number, &received, &replies))?;
        Ok(Self { requests })
    }

    /// Whether it is taken; its answer comes later.
    pub(super) fn write(&self, number: u64, slots: Slots) -> bool {
        self.requests.try_send((number, slots)).is_ok()
    }
}

fn serve(
    folder: &Path,
    mut number: u64,
    requests: &Receiver<(u64, Slots)>,
    replies: &mpsc::Sender<Incoming>,
) {
    while let Ok((request, slots)) = requests.recv() {
        number += 1;
        let result = write(folder, number, &slots);
        if let Err(error) = &result {
            tracing::error!(%error, folder = %folder.display(), "the slots of the fleet cannot be written");
        }
        let reply = Incoming::Written {
            number: request,
            is_done: result.is_ok(),
        };
        if replies.blocking_send(reply).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::keys::{KeyList, PublicKey, Root};

    fn slots(version: u64) -> Slots {
        Slots::new(KeyList {
            fleet: "acme".to_owned(),
            version,
            root: Root {
                threshold: 1,
                keys: vec![PublicKey([1; 32])],
            },
            config: vec![PublicKey([2; 32])],
        })
    }

    #[test]
    fn the_newest_whole_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        assert!(read(folder).is_none());
        for number in 1..=3 {
            write(folder, number, &slots(number)).expect("written");
            assert_eq!(read(folder), Some((number, slots(number))));
        }
        fs::write(file(folder, 1), "torn").expect("written");
        assert_eq!(read(folder), Some((2, slots(2))));
    }
}
