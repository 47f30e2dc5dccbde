//! Every state of the disk that a power cut can leave of the real store is opened, and holds what was acknowledged.
//!
//! A process of its own lives through some lives of a gateway over the real store, under `strace`, which writes down each write,
//! sync, truncation and change of a folder, and what the gateway said to its client and to Kafka in between ([`record`]). From this
//! log any state of the disk is made that a cut at any instant can leave: un-synced writes that are there or not, in any choice,
//! torn at sectors or pages; files that have their new length, filled with zeros; names that are not in their folder yet
//! ([`disk`]). Each state is opened by the real start, and held against what had been said by then ([`oracle`]).
//!
//! `TIDEGATE_CRASH_STATES` says how many different states (`./test crash-states --states N`), `TIDEGATE_SIM_SEED` where chance begins.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

mod disk;
mod oracle;
mod record;
mod workload;

use core::hash::{Hash, Hasher};
use std::collections::{BTreeMap, HashSet};
use std::hash::DefaultHasher;
use std::path::{Path, PathBuf};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use disk::{Cut, Disk, Form};
use oracle::Oracle;
use record::{Op, Place};

/// States that an ordinary run of the tests opens.
const STATES: usize = 2_000;
/// Draws without a state that was not seen yet, before the search ends.
const DRAWS_IN_VAIN_MAX: usize = 20_000;
/// Names the folder of a process that is to live under `strace`.
const CHILD: &str = "TIDEGATE_CRASH_STATES_CHILD";
const TEST: &str = "a_power_cut_at_any_instant_loses_nothing_that_was_acknowledged";

#[test]
fn a_power_cut_at_any_instant_loses_nothing_that_was_acknowledged() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return workload::live(Path::new(&dir));
    }
    let dir = tempfile::tempdir_in(memory()).expect("a folder");
    let Some(ops) = record::record(TEST, CHILD, dir.path()) else {
        println!("not checked: this needs strace (apt install strace)");
        return;
    };
    let mut explorer = Explorer::new(&dir.path().join("image"));
    explorer.explore(
        &ops,
        number("TIDEGATE_CRASH_STATES").unwrap_or(STATES as u64) as usize,
    );
    explorer.report(&ops);
    check_that_a_lying_disk_is_found_out(&ops, &explorer.image);
}

/// A disk that says "synced" and is not loses what was acknowledged: if that were not seen, nothing would be.
fn check_that_a_lying_disk_is_found_out(ops: &[Op], image: &Path) {
    let mut disk = Disk::default();
    let mut oracle = Oracle::default();
    for op in ops {
        let is_lie = matches!(op, Op::Sync(Place::File(_))) && oracle.acknowledged() > 50;
        if !is_lie {
            apply(op, &mut disk, &mut oracle);
        }
        if oracle.acknowledged() == 100 {
            break;
        }
    }
    disk.cut(Form::Nothing, &mut Pcg64::new(1, 1)).write(image);
    let wrong = oracle
        .judge(image, false)
        .expect_err("half of it was not durable");
    println!("a disk that lies is found out: {wrong}");
}

/// Where files cost no disk, if there is such a place.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Makes states, and has them judged.
struct Explorer {
    image: PathBuf,
    seen: HashSet<u64>,
    opened: BTreeMap<Form, u64>,
    acknowledged_max: usize,
    rows_in_kafka_max: usize,
    thinned_max: u64,
}

impl Explorer {
    fn new(image: &Path) -> Self {
        Self {
            image: image.to_path_buf(),
            seen: HashSet::new(),
            opened: BTreeMap::new(),
            acknowledged_max: 0,
            rows_in_kafka_max: 0,
            thinned_max: 0,
        }
    }

    /// First every cut in its plainest forms, as far as `states` allows, then cuts and forms by chance.
    fn explore(&mut self, ops: &[Op], states: usize) {
        let seed = number("TIDEGATE_SIM_SEED").unwrap_or(1);
        let mut random = Pcg64::new(u128::from(seed), 7);
        let plain = Form::PLAIN.len() * ops.len();
        let stride = plain.div_ceil(states / 2).max(1);
        let mut disk = Disk::default();
        let mut oracle = Oracle::default();
        for (at, op) in ops.iter().enumerate() {
            apply(op, &mut disk, &mut oracle);
            for (nth, form) in Form::PLAIN.into_iter().enumerate() {
                if (at * Form::PLAIN.len() + nth).is_multiple_of(stride) {
                    self.open(&disk.cut(form, &mut random), form, &oracle, at);
                }
            }
        }
        self.fill_up(ops, states, &mut random);
    }

    /// Walks over the log again and again until there are enough states, or no new ones are found.
    fn fill_up(&mut self, ops: &[Op], states: usize, random: &mut Pcg64) {
        let mut in_vain = 0;
        while self.seen.len() < states && in_vain < DRAWS_IN_VAIN_MAX {
            let mut disk = Disk::default();
            let mut oracle = Oracle::default();
            for (at, op) in ops.iter().enumerate() {
                apply(op, &mut disk, &mut oracle);
                // By chance too, so that a small number of states is not one of the log's beginning.
                let is_passed_over = random.next_u64().is_multiple_of(2);
                if self.seen.len() >= states || disk.is_settled() || is_passed_over {
                    continue;
                }
                let before = self.seen.len();
                self.open_by_chance(&disk, &oracle, at, random);
                in_vain = if self.seen.len() > before {
                    0
                } else {
                    in_vain + 1
                };
            }
        }
    }

    fn open_by_chance(&mut self, disk: &Disk, oracle: &Oracle, at: usize, random: &mut Pcg64) {
        let form = Form::CHANCE[(random.next_u64() % Form::CHANCE.len() as u64) as usize];
        self.open(&disk.cut(form, random), form, oracle, at);
    }

    fn open(&mut self, cut: &Cut, form: Form, oracle: &Oracle, at: usize) {
        let mut hasher = DefaultHasher::new();
        (cut, oracle.said()).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        *self.opened.entry(form).or_default() += 1;
        self.acknowledged_max = self.acknowledged_max.max(oracle.acknowledged());
        self.rows_in_kafka_max = self.rows_in_kafka_max.max(oracle.rows_in_kafka());
        self.thinned_max = self.thinned_max.max(oracle.thinned());
        cut.write(&self.image);
        let is_looked_at_twice = self.seen.len().is_multiple_of(16);
        if let Err(wrong) = oracle.judge(&self.image, is_looked_at_twice) {
            let kept = std::env::temp_dir().join("tidegate-crash-state");
            cut.write(&kept);
            panic!(
                "cut behind operation {at}, {form:?}: {wrong}; the state is kept in {}",
                kept.display()
            );
        }
    }

    fn report(&self, ops: &[Op]) {
        let count = |wanted: fn(&Op) -> bool| ops.iter().filter(|op| wanted(op)).count();
        println!(
            "recorded: {} writes, {} syncs of files, {} of folders, {} acknowledgements, {} rows in Kafka, {} readings thinned",
            count(|op| matches!(op, Op::Write { .. })),
            count(|op| matches!(op, Op::Sync(Place::File(_)))),
            count(|op| matches!(op, Op::Sync(Place::Folder))),
            self.acknowledged_max,
            self.rows_in_kafka_max,
            self.thinned_max,
        );
        assert!(self.thinned_max > 20, "otherwise no thinning was cut");
        for (form, count) in &self.opened {
            println!("{:<40} {count:>8}", form.name());
        }
        println!(
            "{:<40} {:>8}",
            "different states opened, all sound",
            self.seen.len()
        );
        assert!(
            self.acknowledged_max > 500 && self.rows_in_kafka_max > 20,
            "otherwise this shows little"
        );
        assert!(
            Form::CHANCE
                .iter()
                .all(|form| self.opened.contains_key(form)),
            "each form was there: {:?}",
            self.opened
        );
    }
}

fn apply(op: &Op, disk: &mut Disk, oracle: &mut Oracle) {
    match op {
        Op::Said(said) => oracle.hear(said),
        other => disk.apply(other),
    }
}
