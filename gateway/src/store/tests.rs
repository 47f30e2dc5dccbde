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

mod bounds;
mod crash;
mod damage;
mod migration;
mod recall;
mod ring;

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
    assert_eq!(recovered.usage.backlog().bytes(), 28);
    assert_eq!(recovered.moved_aside, None);
}
#[test]
fn a_fresh_store_is_empty() {
    let dir = TempDir::new().expect("a directory");
    let (recovered, opened) = open_in(&dir.path().join("new/and/deep"));
    assert_eq!(recovered.usage.backlog().bytes(), 0);
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
    assert_eq!(running.usage.backlog().bytes(), 14);
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
    assert_eq!(positions(&opened, 0), [50]);
}
