//! A disk with a cache that a power cut empties: what is durable, what is on its way, and the states that a cut can leave.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use crate::record::{Op, Place};

const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// All of it is there: any prefix of the log.
    Prefix,
    /// Nothing of it is there, and no new name.
    Nothing,
    /// Nothing of it is there but the lengths of the files: they end in zeros.
    NullTail,
    /// One write is missing.
    OneMissing,
    /// One write came alone.
    OneAlone,
    /// Any choice of the writes.
    Choice,
    /// Any choice, torn at sectors.
    TornSectors,
    /// Any choice, torn at pages.
    TornPages,
    /// Any choice of all these, and any prefix of the new names.
    Anything,
}

impl Form {
    /// Those that are tried at every cut.
    pub(crate) const PLAIN: [Self; 3] = [Self::Prefix, Self::Nothing, Self::NullTail];
    /// Those that are drawn.
    pub(crate) const CHANCE: [Self; 6] = [
        Self::OneMissing,
        Self::OneAlone,
        Self::Choice,
        Self::TornSectors,
        Self::TornPages,
        Self::Anything,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prefix => "all that was written is there",
            Self::Nothing => "only what was synced is there",
            Self::NullTail => "the same, files ending in zeros",
            Self::OneMissing => "one un-synced write is missing",
            Self::OneAlone => "one un-synced write came alone",
            Self::Choice => "any choice of un-synced writes",
            Self::TornSectors => "the same, torn at sectors of 512 bytes",
            Self::TornPages => "the same, torn at pages of 4 KiB",
            Self::Anything => "all of these, and names not yet there",
        }
    }
}

/// The disk, and what is in its cache.
#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// Which file each name means, durably.
    names: BTreeMap<String, usize>,
    /// Changes of names that are not durable yet, in order.
    renamings: Vec<(String, Option<usize>)>,
    writes: Vec<(usize, Change)>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

/// Files as a cut leaves them.
#[derive(Hash)]
pub(crate) struct Cut {
    files: BTreeMap<String, Vec<u8>>,
}

impl Disk {
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(name) => {
                if self.find(name).is_none() {
                    self.files.push(File::default());
                    let file = self.files.len() - 1;
                    self.renamings.push((name.clone(), Some(file)));
                }
            }
            Op::Write {
                file,
                offset,
                bytes,
            } => {
                let (offset, bytes) = (*offset, bytes.clone());
                self.change(file, Change::Write { offset, bytes });
            }
            Op::Truncate { file, len } => self.change(file, Change::Truncate { len: *len }),
            Op::Sync(Place::File(name)) => {
                let synced = self.find(name).expect("an open file has a name");
                for (file, change) in core::mem::take(&mut self.writes) {
                    if file == synced {
                        change.apply(&mut self.files[file].durable);
                    } else {
                        self.writes.push((file, change));
                    }
                }
            }
            Op::Sync(Place::Folder) => {
                for (name, file) in core::mem::take(&mut self.renamings) {
                    rename(&mut self.names, name, file);
                }
            }
            Op::Unlink(name) => self.renamings.push((name.clone(), None)),
            Op::Said(_) => {}
        }
    }

    /// Whether all is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.writes.is_empty() && self.renamings.is_empty()
    }

    /// What a cut leaves in this form.
    pub(crate) fn cut(&self, form: Form, random: &mut Pcg64) -> Cut {
        let mut below = |bound: usize| (random.next_u64() % bound.max(1) as u64) as usize;
        let count = self.writes.len();
        let chosen = below(count);
        let chance = [10, 50, 90][below(3)];
        let tearing = match form {
            Form::TornSectors => Some(SECTOR_BYTES),
            Form::TornPages => Some(PAGE_BYTES),
            Form::Anything => [None, Some(SECTOR_BYTES), Some(PAGE_BYTES)][below(3)],
            _ => None,
        };
        let keeps_lengths = match form {
            Form::NullTail => true,
            Form::Prefix | Form::Nothing => false,
            _ => below(2) == 0,
        };
        let mut images: Vec<Vec<u8>> = self.files.iter().map(|file| file.durable.clone()).collect();
        for (nth, (file, change)) in self.writes.iter().enumerate() {
            let is_there = match form {
                Form::Prefix => true,
                Form::Nothing | Form::NullTail => false,
                Form::OneMissing => nth != chosen,
                Form::OneAlone => nth == chosen,
                _ => below(100) < chance,
            };
            match tearing {
                Some(piece) if is_there && below(2) == 0 => {
                    change.apply_torn(&mut images[*file], piece, || below(2) == 0);
                }
                _ if is_there => change.apply(&mut images[*file]),
                _ if keeps_lengths => change.apply_length(&mut images[*file]),
                _ => {}
            }
        }
        let renamings = match form {
            Form::Nothing | Form::NullTail => 0,
            Form::Anything => below(self.renamings.len() + 1),
            _ => self.renamings.len(),
        };
        self.named(images, renamings)
    }

    fn named(&self, mut images: Vec<Vec<u8>>, renamings: usize) -> Cut {
        let mut names = self.names.clone();
        for (name, file) in &self.renamings[..renamings] {
            rename(&mut names, name.clone(), *file);
        }
        let files = names
            .into_iter()
            .map(|(name, file)| (name, core::mem::take(&mut images[file])));
        Cut {
            files: files.collect(),
        }
    }

    fn change(&mut self, name: &str, change: Change) {
        let file = self.find(name).expect("an open file has a name");
        self.writes.push((file, change));
    }

    /// The file that a process finds under this name.
    fn find(&self, name: &str) -> Option<usize> {
        let newest = self
            .renamings
            .iter()
            .rev()
            .find(|(renamed, _)| renamed == name);
        match newest {
            Some((_, file)) => *file,
            None => self.names.get(name).copied(),
        }
    }
}

fn rename(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                self.apply_length(image);
                image[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate { len } => image.resize(*len, 0),
        }
    }

    /// Only what of it lies in some pieces of the disk.
    fn apply_torn(&self, image: &mut Vec<u8>, piece: usize, mut is_there: impl FnMut() -> bool) {
        let Self::Write { offset, bytes } = self else {
            return self.apply(image);
        };
        self.apply_length(image);
        let end = offset + bytes.len();
        let mut from = *offset;
        while from < end {
            let to = (from / piece + 1).saturating_mul(piece).min(end);
            if is_there() {
                image[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
            }
            from = to;
        }
    }

    /// The length came to the disk, the bytes did not.
    fn apply_length(&self, image: &mut Vec<u8>) {
        if let Self::Write { offset, bytes } = self {
            image.resize(image.len().max(offset + bytes.len()), 0);
        }
    }
}

impl Cut {
    /// Makes the folder be so.
    pub(crate) fn write(&self, folder: &Path) {
        if folder.exists() {
            fs::remove_dir_all(folder).expect("it goes");
        }
        fs::create_dir_all(folder).expect("a folder");
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes).expect("a file");
        }
    }
}
