//! The store as its users see it: what is committed is there again, whatever happens in between.

use core::ops::ControlFlow;
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use tempfile::TempDir;

use super::schema::{MIGRATIONS, PAGE_BYTES, connect, migrate};
use super::*;
use crate::commit::MutationRoom;
use crate::commit::{Mutation, SealedRow};
use crate::outbox::Sequences;

/// Longer than any request takes; only a hang is slower.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    writer: Writer,
    replies: Receiver<Reply>,
    usage: Usage,
}

impl Running {
    fn start(opened: Opened) -> Self {
        let (sender, replies) = sync_channel(16);
        let writer = opened
            .start(move |reply| sender.send(reply).expect("the test listens"))
            .expect("a thread");
        Self {
            writer,
            replies,
            usage: Usage::default(),
        }
    }

    fn ask(&self, request: Request) -> Reply {
        self.writer.request(request).expect("the queue has room");
        self.replies.recv_timeout(PATIENCE).expect("an answer")
    }

    fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        match self.ask(Request::Commit(Box::new(commit))) {
            Reply::Committed { commit, usage } => {
                assert!(commit.is_empty());
                self.usage = usage;
                Ok(())
            }
            Reply::CommitFailed { error, .. } => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn load(&self, lane: Lane, after: u64, bytes_max: usize, rows_max: usize) -> Vec<OutboxRow> {
        match self.ask(Request::Load {
            lane,
            after: Sequence(after),
            bytes_max,
            rows_max,
        }) {
            Reply::Loaded(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn load_sequences(&self, lane: Lane) -> Vec<u64> {
        self.load(lane, 0, usize::MAX, usize::MAX)
            .iter()
            .map(|row| row.sequence.0)
            .collect()
    }

    fn close(self) {
        match self.ask(Request::Close) {
            Reply::Closed(Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn open_in(dir: &Path) -> (Recovered, Opened) {
    open(dir, Settings::default()).expect("the store opens")
}

fn start_in(dir: &Path) -> Running {
    Running::start(open_in(dir).1)
}

fn new_commit() -> Commit {
    Commit::new(MutationRoom {
        count: 64,
        bytes: 16 * 1024,
    })
}

fn chunk(position: u64, journal: &[u8]) -> Commit {
    let mut commit = new_commit();
    commit.position = position;
    commit.journal.extend_from_slice(journal);
    commit
}

fn with_rows(mut commit: Commit, lane: Lane, sequences: core::ops::RangeInclusive<u64>) -> Commit {
    for sequence in sequences {
        let bytes = format!("batch {sequence}").into_bytes();
        let row = SealedRow {
            lane,
            sequence: Sequence(sequence),
            key: "edge-1",
            readings: 3,
            bytes: &bytes,
        };
        commit.push_row(&row).expect("room");
    }
    commit
}

fn trim(lane: Lane, sequence: u64) -> Commit {
    let mut commit = new_commit();
    commit.trim_outbox[lane.index()] = Some(Sequence(sequence));
    commit
}

fn with_checkpoint(mut commit: Commit, position: u64) -> Commit {
    commit.checkpoint = Some((position, format!("state at {position}").into_bytes()));
    commit
}

fn chunks(opened: &Opened, position: u64) -> Vec<(u64, Vec<u8>)> {
    let mut chunks = Vec::new();
    opened
        .for_each_chunk(position, |first, bytes| {
            chunks.push((first, bytes.to_vec()));
            ControlFlow::Continue(())
        })
        .expect("the journal is readable");
    chunks
}

fn positions(opened: &Opened, position: u64) -> Vec<u64> {
    chunks(opened, position)
        .into_iter()
        .map(|(first, _)| first)
        .collect()
}

fn states(opened: &Opened) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    opened
        .for_each_state(|key, value| {
            pairs.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .expect("the state is readable");
    pairs
}

fn one_commit_of_everything() -> Commit {
    let mut commit = with_checkpoint(chunk(1, b"chunk one"), 6);
    commit = with_rows(commit, Lane::Telemetry, 1..=3);
    commit = with_rows(commit, Lane::Alert, 4..=4);
    for (key, value) in [
        (b"retained/a", b"1"),
        (b"retained/b", b"2"),
        (b"retained/c", b"3"),
    ] {
        commit
            .push_mutation(&Mutation::Put { key, value })
            .expect("room");
    }
    commit
        .push_mutation(&Mutation::Delete { key: b"retained/b" })
        .expect("room");
    commit.epoch = Some(7);
    commit
}

fn check_everything_is_there(recovered: &Recovered, opened: &Opened) {
    assert_eq!(recovered.epoch, Some(7));
    assert_eq!(recovered.checkpoints, [6]);
    assert_eq!(opened.checkpoint(6).expect("readable"), b"state at 6");
    assert_eq!(chunks(opened, 0), [(1, b"chunk one".to_vec())]);
    let expected = [
        (b"retained/a".to_vec(), b"1".to_vec()),
        (b"retained/c".to_vec(), b"3".to_vec()),
    ];
    assert_eq!(states(opened), expected);
    let sequences = |first: [u64; LANES]| -> Sequences { first.map(Sequence) };
    assert_eq!(recovered.first, sequences([4, 0, 0, 1]));
    assert_eq!(recovered.last, sequences([4, 0, 0, 3]));
    assert_eq!(
        recovered.usage.outbox[Lane::Telemetry.index()],
        LaneUsage { rows: 3, bytes: 21 }
    );
    assert_eq!(recovered.usage.outbox_bytes(), 28);
    assert_eq!(recovered.moved_aside, None);
}

#[test]
fn a_fresh_store_is_empty() {
    let dir = TempDir::new().expect("a directory");
    let (recovered, opened) = open_in(&dir.path().join("new/and/deep"));
    assert_eq!(recovered.usage.outbox_bytes(), 0);
    assert!(recovered.usage.file_bytes > 0);
    let empty = Recovered {
        usage: recovered.usage,
        ..Recovered::default()
    };
    assert_eq!(recovered, empty);
    assert!(chunks(&opened, 0).is_empty() && states(&opened).is_empty());
}

#[test]
fn what_was_committed_is_there_after_a_close() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    running.close();
    let log = fs::metadata(dir.path().join("tidegate.db-wal"));
    assert_eq!(
        log.map_or(0, |log| log.len()),
        0,
        "a close leaves no log behind"
    );
    let (recovered, opened) = open_in(dir.path());
    check_everything_is_there(&recovered, &opened);
}

#[test]
fn what_was_committed_is_there_without_a_close() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    drop(running);
    let (recovered, opened) = open_in(dir.path());
    check_everything_is_there(&recovered, &opened);
}

#[test]
fn rows_come_in_the_order_of_their_lane() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    let commit = with_rows(new_commit(), Lane::Telemetry, 300..=302);
    running
        .commit(with_rows(commit, Lane::Alert, 299..=299))
        .expect("durable");
    running
        .commit(with_rows(new_commit(), Lane::Aggregate, 303..=304))
        .expect("durable");
    assert_eq!(running.load_sequences(Lane::Alert), [299]);
    assert!(running.load_sequences(Lane::Gap).is_empty());
    assert_eq!(running.load_sequences(Lane::Aggregate), [303, 304]);
    assert_eq!(running.load_sequences(Lane::Telemetry), [300, 301, 302]);
    let rows = running.load(Lane::Telemetry, 300, usize::MAX, 1);
    let expected = OutboxRow {
        part: 0,
        lane: Lane::Telemetry,
        sequence: Sequence(301),
        key: "edge-1".into(),
        readings: 3,
        bytes: b"batch 301".to_vec(),
    };
    assert_eq!(rows, [expected]);
}

#[test]
fn a_load_stops_at_its_bytes_but_gives_at_least_one_row() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running
        .commit(with_rows(new_commit(), Lane::Telemetry, 1..=5))
        .expect("durable");
    let row_bytes = "edge-1".len() + "batch 1".len();
    let loaded = |bytes_max| running.load(Lane::Telemetry, 0, bytes_max, 99).len();
    assert_eq!(
        [
            loaded(0),
            loaded(2 * row_bytes - 1),
            loaded(2 * row_bytes),
            loaded(9999)
        ],
        [1, 1, 2, 5]
    );
}

#[test]
fn rows_that_a_replay_makes_again_are_taken_once() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running
        .commit(with_rows(chunk(1, b"a"), Lane::Telemetry, 1..=2))
        .expect("durable");
    running
        .commit(with_rows(chunk(2, b"b"), Lane::Telemetry, 1..=3))
        .expect("durable");
    assert_eq!(running.load_sequences(Lane::Telemetry), [1, 2, 3]);
    assert_eq!(
        running.usage.outbox[Lane::Telemetry.index()],
        LaneUsage { rows: 3, bytes: 21 }
    );
}

#[test]
fn rows_that_were_sent_are_trimmed_in_their_lane_only() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    let commit = with_rows(new_commit(), Lane::Telemetry, 1..=4);
    running
        .commit(with_rows(commit, Lane::Aggregate, 5..=6))
        .expect("durable");
    running.commit(trim(Lane::Telemetry, 3)).expect("durable");
    assert_eq!(running.load_sequences(Lane::Telemetry), [4]);
    assert_eq!(running.load_sequences(Lane::Aggregate), [5, 6]);
    assert_eq!(
        running.usage.outbox[Lane::Telemetry.index()],
        LaneUsage { rows: 1, bytes: 7 }
    );
    running.commit(trim(Lane::Telemetry, 99)).expect("durable");
    assert!(running.load_sequences(Lane::Telemetry).is_empty());
    assert_eq!(running.usage.outbox_bytes(), 14);
}

#[test]
fn the_journal_is_kept_from_the_older_of_two_checkpoints_on() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    for first in [0, 10, 20] {
        running
            .commit(chunk(first, b"ten entries"))
            .expect("durable");
    }
    // In the middle of the chunk at 20, which must stay whole.
    running
        .commit(with_checkpoint(chunk(30, b"ten entries"), 25))
        .expect("durable");
    running.commit(chunk(40, b"ten entries")).expect("durable");
    running
        .commit(with_checkpoint(new_commit(), 50))
        .expect("durable");
    drop(running);
    let (recovered, opened) = open_in(dir.path());
    assert_eq!(recovered.checkpoints, [50, 25]);
    assert_eq!(positions(&opened, 0), [20, 30, 40]);
    assert_eq!(positions(&opened, 25), [20, 30, 40]);
    assert_eq!(positions(&opened, 30), [30, 40]);
    assert_eq!(
        positions(&opened, 50),
        [40],
        "its end is known only to the reader"
    );

    let mut running = Running::start(opened);
    running
        .commit(with_checkpoint(chunk(50, b"ten entries"), 60))
        .expect("durable");
    drop(running);
    let (recovered, opened) = open_in(dir.path());
    assert_eq!(recovered.checkpoints, [60, 50]);
    assert_eq!(positions(&opened, 0), [40, 50]);
}

#[test]
fn a_full_store_refuses_and_takes_the_same_commit_once_there_is_room() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    let bytes = vec![1; 64 * 1024];
    let large = |sequence| {
        let mut commit = chunk(sequence, b"journal");
        let row = SealedRow {
            lane: Lane::Telemetry,
            sequence: Sequence(sequence),
            key: "edge-1",
            readings: 1,
            bytes: &bytes,
        };
        commit.push_row(&row).expect("room");
        Box::new(commit)
    };
    let mut refused = None;
    for sequence in 1..=16 {
        match running.ask(Request::Commit(large(sequence))) {
            Reply::Committed { usage, .. } => running.usage = usage,
            Reply::CommitFailed { commit, error } => {
                assert!(
                    matches!(error, StoreError::Full { .. }) && error.may_retry(),
                    "{error}"
                );
                refused = Some(commit);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let refused = refused.expect("16 times 64 KiB do not fit into 512 KiB");
    let stored = running.usage.outbox_bytes();
    assert!(running.usage.file_bytes <= settings.bytes_max && stored >= 4 * 64 * 1024);

    let sent = refused.position - 2;
    running
        .commit(trim(Lane::Telemetry, sent))
        .expect("making room is never refused");
    let position = refused.position;
    assert_eq!(refused.rows().len(), 1, "it comes back as it was given");
    running.commit(*refused).expect("now there is room");
    assert_eq!(
        running.load_sequences(Lane::Telemetry),
        [position - 1, position]
    );
    assert_eq!(running.usage.outbox_bytes(), 2 * 64 * 1024);
}

#[test]
fn a_commit_and_what_it_replaces_fit_into_a_full_store() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    let half = vec![0; 300 * 1024];
    for round in 1..=5 {
        let mut commit = chunk(round, b"journal");
        let row = SealedRow {
            lane: Lane::Telemetry,
            sequence: Sequence(round),
            key: "edge-1",
            readings: 1,
            bytes: &half,
        };
        commit.push_row(&row).expect("room");
        commit.trim_outbox[Lane::Telemetry.index()] = Some(Sequence(round - 1));
        running
            .commit(commit)
            .expect("the row before it makes the room");
    }
}

#[test]
fn the_log_goes_into_the_database_by_size_and_stays_bounded() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        wal_bytes: 64 * 1024,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    for round in 0..100 {
        running
            .commit(with_checkpoint(chunk(round, &[7; 3000]), round))
            .expect("durable");
    }
    let usage = running.usage;
    assert!(usage.wal_checkpoints >= 5, "{usage:?}");
    assert_eq!(
        (usage.commits, usage.syncs),
        (100, 100 + 2 * usage.wal_checkpoints)
    );
    let log = fs::metadata(dir.path().join("tidegate.db-wal"))
        .expect("a log")
        .len();
    assert!(log < 128 * 1024, "{log}");
    assert!(
        usage.file_bytes < 256 * 1024,
        "the journal is trimmed and its room used again: {usage:?}"
    );
}

/// Small chunks fill one page after the other: a frame of the log each, and now and then a second one.
#[test]
fn bytes_to_the_device_are_counted_once() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        wal_bytes: 256 * 1024,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    for round in 0..400 {
        running
            .commit(chunk(round, b"a few readings"))
            .expect("durable");
    }
    let usage = running.usage;
    assert!(usage.wal_checkpoints > 3, "{usage:?}");
    let frames = 400 * (PAGE_BYTES + 24);
    let moved_max = usage.wal_checkpoints * usage.file_bytes;
    let counted = usage.bytes_written;
    assert!(
        (frames..frames * 5 / 4 + moved_max).contains(&counted),
        "{usage:?}"
    );
    assert!(
        moved_max < frames / 4,
        "otherwise this shows nothing: {usage:?}"
    );
}

#[test]
fn a_second_process_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let _running = start_in(dir.path());
    match open(dir.path(), Settings::default()) {
        Err(StoreError::Locked { path }) => assert_eq!(path, dir.path().join(FILE_NAME)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_queue_gives_the_request_back() {
    let dir = TempDir::new().expect("a directory");
    let (gate, closed) = sync_channel::<()>(0);
    let (entered, at_gate) = sync_channel(REQUESTS_MAX + 1);
    let writer = open_in(dir.path())
        .1
        .start(move |_| {
            entered.send(()).expect("the test listens");
            // Ends with an error once the test has dropped the gate.
            let _ = closed.recv();
        })
        .expect("a thread");
    let load = || Request::Load {
        lane: Lane::Alert,
        after: Sequence(0),
        bytes_max: 1,
        rows_max: 1,
    };
    writer.request(load()).expect("the queue is empty");
    at_gate
        .recv_timeout(PATIENCE)
        .expect("the thread is in its reply");
    for _ in 0..REQUESTS_MAX {
        writer.request(load()).expect("the queue has room");
    }
    assert!(matches!(
        writer.request(Request::Close),
        Err(Request::Close)
    ));
    drop(gate);
    drop(writer);
    assert_eq!(
        at_gate.try_iter().count(),
        REQUESTS_MAX,
        "what was taken is served"
    );
}

fn filled(dir: &Path) -> Vec<u8> {
    let mut running = start_in(dir);
    for round in 0..40 {
        let commit = with_rows(
            chunk(round, &[9; 1000]),
            Lane::Telemetry,
            round + 1..=round + 1,
        );
        running.commit(commit).expect("durable");
    }
    running
        .commit(one_commit_of_everything_at(40))
        .expect("durable");
    running.close();
    fs::read(dir.join(FILE_NAME)).expect("the file")
}

fn one_commit_of_everything_at(position: u64) -> Commit {
    let mut commit = one_commit_of_everything();
    commit.position = position;
    commit
}

/// Opens, reads everything, writes, and opens again: at no point may there be more than a new start to make.
fn check_it_comes_up(dir: &Path) -> bool {
    let (recovered, opened) = open_in(dir);
    let mut moved = recovered.moved_aside.is_some();
    let walk = |opened: &Opened| -> Result<(), StoreError> {
        opened.for_each_chunk(0, |_, _| ControlFlow::Continue(()))?;
        opened.for_each_state(|_, _| ControlFlow::Continue(()))?;
        recovered
            .checkpoints
            .iter()
            .try_for_each(|position| opened.checkpoint(*position).map(drop))
    };
    let opened = match walk(&opened) {
        Ok(()) => opened,
        Err(error) => {
            moved = true;
            opened.give_up(&error.to_string()).expect("a new store").1
        }
    };
    let mut running = Running::start(opened);
    let first = running.commit(with_rows(chunk(1000, &[1; 9000]), Lane::Gap, 1000..=1000));
    drop(running);
    if let Err(error) = first {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let (recovered, opened) = open_in(dir);
        moved |= recovered.moved_aside.is_some();
        let mut running = Running::start(opened);
        running
            .commit(chunk(1000, b"again"))
            .expect("the new start works");
    }
    moved
}

#[test]
fn a_flipped_byte_ends_in_a_store_that_works() {
    let dir = TempDir::new().expect("a directory");
    let good = filled(dir.path());
    let mut moved = 0;
    let flips = 200;
    for round in 0..flips {
        let case = TempDir::new().expect("a directory");
        let mut bytes = good.clone();
        // Every place of the header first, then spread over the file.
        let at = if round < 100 {
            round
        } else {
            round * 7919 % bytes.len()
        };
        bytes[at] ^= 1 << (round % 8);
        fs::write(case.path().join(FILE_NAME), &bytes).expect("the damaged file");
        if check_it_comes_up(case.path()) {
            moved += 1;
            let aside = fs::read(case.path().join("tidegate.db.corrupt-1")).expect("it is kept");
            assert!(aside.len() >= bytes.len());
        }
    }
    assert!(
        moved > 20 && moved < flips,
        "{moved} of {flips} were moved aside"
    );
}

#[test]
fn a_file_cut_short_ends_in_a_store_that_works() {
    let dir = TempDir::new().expect("a directory");
    let good = filled(dir.path());
    for len in [0, 1, 99, 100, 4095, 4096, 8192, good.len() - 4096] {
        let case = TempDir::new().expect("a directory");
        fs::write(case.path().join(FILE_NAME), &good[..len]).expect("the damaged file");
        let moved = check_it_comes_up(case.path());
        assert_eq!(moved, len > 0, "cut to {len}");
    }
}

#[test]
fn a_log_without_its_database_is_kept() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    drop(running);
    let log = fs::read(dir.path().join("tidegate.db-wal")).expect("the log");
    for database in [None, Some(b"")] {
        let case = TempDir::new().expect("a directory");
        fs::write(case.path().join("tidegate.db-wal"), &log).expect("the log");
        if let Some(database) = database {
            fs::write(case.path().join(FILE_NAME), database).expect("an empty file");
        }
        let (recovered, _opened) = open_in(case.path());
        let aside = recovered.moved_aside.expect("moved aside");
        assert_eq!(
            fs::read(with_suffix(&aside.path, "-wal")).expect("it is kept"),
            log
        );
    }
}

#[test]
fn corrupt_files_are_moved_aside_beside_each_other_with_a_reason() {
    let dir = TempDir::new().expect("a directory");
    for number in 1..=3 {
        fs::write(dir.path().join(FILE_NAME), [b'x'; 5000]).expect("a file that is no database");
        fs::write(dir.path().join("tidegate.db-wal"), b"its log").expect("a log");
        let (recovered, opened) = open_in(dir.path());
        drop(opened);
        let aside = recovered.moved_aside.expect("moved aside");
        assert_eq!(
            aside.path,
            dir.path().join(format!("tidegate.db.corrupt-{number}"))
        );
        assert!(aside.why.contains("not a database"), "{}", aside.why);
        let log = fs::read(with_suffix(&aside.path, "-wal")).expect("the log goes with it");
        assert_eq!(log, b"its log");
    }
}

#[test]
fn a_store_whose_content_makes_no_sense_is_given_up_by_its_reader() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    drop(running);
    let (_, opened) = open_in(dir.path());
    let (recovered, opened) = opened
        .give_up("chunk at 1: checksum mismatch")
        .expect("a new store");
    assert_eq!(
        recovered.moved_aside.expect("moved aside").why,
        "chunk at 1: checksum mismatch"
    );
    assert!(chunks(&opened, 0).is_empty() && recovered.epoch.is_none());
}

#[test]
fn after_corruption_was_met_the_next_start_reads_the_whole_file() {
    let dir = TempDir::new().expect("a directory");
    let mut bytes = filled(dir.path());
    // The outbox is the only table that an ordinary start does not read to the end.
    let at = bytes
        .windows(8)
        .position(|window| window == b"batch 20")
        .expect("a row");
    let page = at / 4096 * 4096;
    bytes[page] ^= 0xff;
    fs::write(dir.path().join(FILE_NAME), &bytes).expect("the damaged file");
    fs::write(
        dir.path().join("tidegate.db.suspect"),
        b"met by the last process",
    )
    .expect("the mark");
    let (recovered, _opened) = open_in(dir.path());
    assert!(recovered.moved_aside.is_some());
    assert!(!dir.path().join("tidegate.db.suspect").exists());
}

#[test]
fn a_suspicion_that_does_not_hold_is_dropped() {
    let dir = TempDir::new().expect("a directory");
    filled(dir.path());
    fs::write(
        dir.path().join("tidegate.db.suspect"),
        b"met by the last process",
    )
    .expect("the mark");
    let (recovered, _opened) = open_in(dir.path());
    assert_eq!(recovered.moved_aside, None);
    assert!(!dir.path().join("tidegate.db.suspect").exists());
}

#[test]
fn migrations_lead_from_any_version_to_the_newest_once() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    let connection = connect(&path, &Settings::default()).expect("version 1");
    connection
        .execute("INSERT INTO state VALUES (x'6b', x'76')", [])
        .expect("a row of version 1");
    let more = [
        MIGRATIONS[0],
        "ALTER TABLE state ADD COLUMN since INTEGER NOT NULL DEFAULT 5;",
        "CREATE TABLE added (value INTEGER) STRICT; INSERT INTO added VALUES (1);",
    ];
    for _ in 0..2 {
        migrate(&connection, &path, &more).expect("newer");
        let added: i64 = connection
            .query_row(
                "SELECT (SELECT sum(value) FROM added) + since FROM state",
                [],
                |row| row.get(0),
            )
            .expect("the row of version 1 in the shape of version 3");
        assert_eq!(added, 6);
    }
    drop(connection);
    match open(dir.path(), Settings::default()) {
        Err(
            error @ StoreError::Newer {
                found: 3, known: 1, ..
            },
        ) => {
            assert!(error.to_string().contains("install the newer version"));
        }
        other => panic!("{other:?}"),
    }
    assert!(path.exists(), "a newer program's file stays where it is");
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    let connection = connect(&path, &Settings::default()).expect("version 1");
    let broken = [
        MIGRATIONS[0],
        "CREATE TABLE added (value INTEGER); INSERT INTO missing VALUES (1);",
    ];
    migrate(&connection, &path, &broken).expect_err("there is no such table");
    drop(connection);
    let (recovered, _opened) = open_in(dir.path());
    assert_eq!(recovered.moved_aside, None);
}

const CHILD: &str = "TIDEGATE_STORE_TEST_CHILD";

/// Runs this same test again as a process of its own, in `dir`.
fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of the tests"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir);
    command
}

/// Commits without end, and says what is durable. The parent kills it.
fn commit_until_killed(dir: &Path) {
    let (recovered, opened) = open(
        dir,
        Settings {
            wal_bytes: 100_000,
            ..Settings::default()
        },
    )
    .expect("opens");
    let next = positions(&opened, 0).last().map_or(1, |last| last + 1);
    assert!(recovered.moved_aside.is_none());
    let mut running = Running::start(opened);
    for position in next..next + 100_000 {
        let mut commit = chunk(position, &position.to_le_bytes());
        if position % 10 == 0 {
            commit = with_checkpoint(commit, position);
        }
        commit = with_rows(commit, Lane::Telemetry, position..=position);
        if position % 50 == 0 {
            commit.trim_outbox[Lane::Telemetry.index()] = Some(Sequence(position - 40));
        }
        running.commit(commit).expect("durable");
        println!("durable {position}");
        std::io::stdout().flush().expect("the parent listens");
    }
}

#[test]
fn what_was_reported_durable_survives_a_kill() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return commit_until_killed(Path::new(&dir));
    }
    let dir = TempDir::new().expect("a directory");
    let mut durable = 0;
    for round in 0..8 {
        let mut child = child(
            "store::tests::what_was_reported_durable_survives_a_kill",
            dir.path(),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let reported = |line: std::io::Result<String>| -> Option<u64> {
            line.ok()?.strip_prefix("durable ")?.parse().ok()
        };
        let mut positions_reported = lines.filter_map(reported);
        let killed_after = 5 + round * 23 % 70;
        durable = positions_reported
            .by_ref()
            .nth(killed_after)
            .expect("it runs until it is killed");
        child.kill().expect("it is ours");
        durable = positions_reported.last().unwrap_or(durable);
        child.wait().expect("it is ours");

        let (recovered, opened) = open_in(dir.path());
        assert_eq!(recovered.moved_aside, None);
        let kept = chunks(&opened, 0);
        let newest = kept.last().expect("a chunk").0;
        assert!(
            (durable..=durable + 1).contains(&newest),
            "reported {durable}, found {newest}"
        );
        assert!(
            kept.iter()
                .all(|(position, bytes)| *bytes == position.to_le_bytes())
        );
        assert!(
            kept.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
            "no hole"
        );
        assert_eq!(recovered.last[Lane::Telemetry.index()], Sequence(newest));
        let checkpoint = recovered.checkpoints.first().copied().unwrap_or(0);
        assert_eq!(checkpoint, newest / 10 * 10);
    }
    assert!(durable > 8 * 5);
}

/// Commits until the disk fails, and says how it went. The parent lets the disk fail.
fn commit_on_a_failing_disk(dir: &Path) {
    let mut running = start_in(dir);
    println!();
    for position in 1..=20 {
        match running.commit(chunk(position, b"entries")) {
            Ok(()) => println!("durable {position}"),
            Err(error) => println!("refused {position} {} {error}", error.may_retry()),
        }
    }
}

/// An fsync fails once: nothing after it may be reported durable, although later ones would succeed.
#[test]
fn after_a_failed_fsync_nothing_is_reported_durable() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return commit_on_a_failing_disk(Path::new(&dir));
    }
    let dir = TempDir::new().expect("a directory");
    drop(open_in(dir.path()));
    let inner = child(
        "store::tests::after_a_failed_fsync_nothing_is_reported_durable",
        dir.path(),
    );
    let mut traced = Command::new("strace");
    traced.args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    traced.args(["-e", "inject=fsync,fdatasync:error=EIO:when=4"]);
    traced
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD, dir.path());
    let Ok(output) = traced.output() else {
        println!("not checked: this needs strace (apt install strace)");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let durable = text
        .lines()
        .filter(|line| line.starts_with("durable "))
        .count() as u64;
    let refused: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("refused "))
        .collect();
    assert!(
        (1..4).contains(&durable) && durable as usize + refused.len() == 20,
        "{text}"
    );
    assert!(
        refused
            .iter()
            .all(|line| line.contains(" false ") && line.contains("must exit")),
        "{text}"
    );
    let (recovered, opened) = open_in(dir.path());
    assert_eq!(recovered.moved_aside, None);
    assert!(positions(&opened, 0).last().copied().unwrap_or(0) >= durable);
}
