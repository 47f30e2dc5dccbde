//! The journal in its two places, as one.

use super::*;

const RING: &str = "tidegate.db-ring";

fn with_ring(ring_bytes: u64) -> Settings {
    Settings {
        ring_bytes,
        ..Settings::default()
    }
}

fn start_with(dir: &Path, ring_bytes: u64) -> Running {
    Running::start(open(dir, with_ring(ring_bytes)).expect("it opens").1)
}

/// With a row: small enough to go into the database whole.
fn mixed(position: u64) -> Commit {
    with_rows(
        chunk(position, b"mixed"),
        Lane::Telemetry,
        position..=position,
    )
}

fn log_bytes(dir: &Path) -> u64 {
    fs::metadata(dir.join("tidegate.db-wal")).map_or(0, |log| log.len())
}

/// What stands in the ring and nowhere else.
fn ring_chunks(commit: Commit) -> u64 {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(commit).expect("durable");
    running.usage.ring_chunks
}

#[test]
fn readings_alone_cost_the_database_nothing() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(mixed(0)).expect("durable");
    let before = (log_bytes(dir.path()), running.usage);
    for position in 1..=50 {
        running.commit(chunk(position, &[7; 300])).expect("durable");
    }
    let (log, usage) = (log_bytes(dir.path()), running.usage);
    assert_eq!(log, before.0);
    assert_eq!(
        (usage.commits, usage.syncs, usage.ring_chunks),
        (51, 51, 50)
    );
    assert_eq!(
        usage.bytes_written - before.1.bytes_written,
        50 * PAGE_BYTES
    );
    assert_eq!(usage.ring_bytes, Settings::default().ring_bytes);
}

#[test]
fn what_a_replay_does_not_make_again_is_in_one_transaction_with_its_chunk() {
    let large = [7; ALONE_BYTES_MIN];
    let row = |commit| with_rows(commit, Lane::Alert, 1..=1);
    assert_eq!(ring_chunks(chunk(1, b"small")), 1);
    assert_eq!(ring_chunks(chunk(1, &large)), 1);
    assert_eq!(ring_chunks(row(chunk(1, b"small"))), 0);
    assert_eq!(ring_chunks(row(chunk(1, &large))), 1);
    assert_eq!(ring_chunks(with_checkpoint(chunk(1, &large), 2)), 1);
    let mut epoch = chunk(1, &large);
    epoch.epoch = Some(1);
    assert_eq!(ring_chunks(epoch), 0);
    let mut session = chunk(1, &large);
    let mutation = Mutation::Delete { key: b"session" };
    session.push_mutation(&mutation).expect("room");
    assert_eq!(ring_chunks(session), 0);
}

#[test]
fn chunks_come_in_their_order_out_of_both_places() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    for position in [0, 10, 20, 30, 40, 50] {
        let commit = match position {
            10 | 20 | 40 => mixed(position),
            _ => chunk(position, b"alone"),
        };
        running.commit(commit).expect("durable");
    }
    assert_eq!(running.usage.ring_chunks, 3);
    let slice =
        |from, bytes_max| match running.ask(Request::Recall(Recall::Chunks { from, bytes_max })) {
            Reply::Recalled(Recalled::Chunks(chunks)) => chunks.len(),
            other => panic!("{other:?}"),
        };
    assert_eq!(
        [slice(0, 99), slice(35, 99), slice(12, 11), slice(99, 99)],
        [6, 3, 2, 1]
    );
    drop(running);
    let (_, opened) = open_in(dir.path());
    assert_eq!(positions(&opened, 0), [0, 10, 20, 30, 40, 50]);
    assert_eq!(positions(&opened, 25), [20, 30, 40, 50]);
    assert_eq!(positions(&opened, 30), [30, 40, 50]);
    assert_eq!(chunks(&opened, 40)[1], (50, b"alone".to_vec()));
    drop(opened);
    let (count, _) = Inspected::open(dir.path())
        .and_then(|store| store.journal())
        .expect("readable");
    assert_eq!(count, 6);
}

#[test]
fn of_one_position_in_both_places_the_database_has_the_word() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    for position in [0, 10, 20] {
        running.commit(chunk(position, b"ring")).expect("durable");
    }
    running.close();
    let connection = rusqlite::Connection::open(dir.path().join(FILE_NAME)).expect("free");
    connection
        .execute("INSERT INTO journal VALUES (10, x'7461626c65')", [])
        .expect("a row");
    drop(connection);
    let (_, opened) = open_in(dir.path());
    let expected = [
        (0, b"ring".to_vec()),
        (10, b"table".to_vec()),
        (20, b"ring".to_vec()),
    ];
    assert_eq!(chunks(&opened, 0), expected);
}

#[test]
fn what_the_ring_has_no_room_for_goes_into_the_database() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_with(dir.path(), 16 * 1024);
    let page = [7; 4000];
    for position in 0..10 {
        running.commit(chunk(position, &page)).expect("durable");
    }
    assert_eq!(running.usage.ring_chunks, 4);
    running.commit(chunk(10, &[7; 17 * 1024])).expect("durable");
    // Two checkpoints, and nothing of it is needed any more.
    for position in [11, 12] {
        let commit = with_checkpoint(chunk(position, b"small"), position + 1);
        running.commit(commit).expect("durable");
    }
    for position in 13..16 {
        running.commit(chunk(position, &page)).expect("durable");
    }
    assert_eq!(running.usage.ring_chunks, 7);
    drop(running);
    let (_, opened) = open(dir.path(), with_ring(16 * 1024)).expect("it opens");
    assert_eq!(positions(&opened, 12), [12, 13, 14, 15]);
}

#[test]
fn a_ring_of_another_length_is_emptied_first() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_with(dir.path(), 16 * 1024);
    let length = || fs::metadata(dir.path().join(RING)).map_or(0, |ring| ring.len());
    let mut expected = Vec::new();
    for (nth, bytes) in [16, 64, 0, 0, 8].into_iter().enumerate() {
        let position = nth as u64 * 10;
        running
            .commit(chunk(position, b"entries"))
            .expect("durable");
        expected.push(position);
        drop(running);
        let (recovered, opened) = open(dir.path(), with_ring(bytes * 1024)).expect("it opens");
        assert_eq!(
            (length(), recovered.usage.ring_bytes),
            (bytes * 1024, bytes * 1024)
        );
        assert_eq!(positions(&opened, 0), expected);
        running = Running::start(opened);
    }
}

#[test]
fn the_ring_of_another_store_is_not_taken_for_its_own() {
    let [one, other] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    for (dir, bytes) in [(&one, b"one"), (&other, b"two")] {
        let mut running = start_in(dir.path());
        for position in [0, 1, 2] {
            running.commit(chunk(position, bytes)).expect("durable");
        }
    }
    fs::copy(other.path().join(RING), one.path().join(RING)).expect("copied");
    let (recovered, opened) = open_in(one.path());
    assert_eq!(recovered.moved_aside, None);
    assert!(chunks(&opened, 0).is_empty());
    let mut running = Running::start(opened);
    running.commit(chunk(0, b"new")).expect("durable");
    drop(running);
    assert_eq!(chunks(&open_in(one.path()).1, 0), [(0, b"new".to_vec())]);
}

/// The database has no room for the rest of a commit, whose chunk stands in the ring: it comes again, and stands there once.
#[test]
fn a_commit_that_comes_again_has_one_chunk() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ring_bytes: 64 * 1024,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    let too_large = |position| {
        let mut commit = chunk(position, &[7; ALONE_BYTES_MIN]);
        let row = SealedRow {
            lane: Lane::Gap,
            sequence: Sequence(1),
            key: "edge-1",
            readings: 1,
            bytes: &vec![7; 600 * 1024],
        };
        commit.push_row(&row).expect("room");
        commit
    };
    for _ in 0..2 {
        let error = running.commit(too_large(5)).expect_err("no room");
        assert!(error.may_retry(), "{error}");
    }
    running
        .commit(chunk(5, &[7; ALONE_BYTES_MIN]))
        .expect("without its row");
    running.commit(chunk(6, b"next")).expect("durable");
    drop(running);
    let (_, opened) = open(dir.path(), settings).expect("it opens");
    assert_eq!(positions(&opened, 0), [5, 6]);
}

#[test]
fn a_copy_of_the_store_holds_the_ring_too() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    for position in [0, 1, 2] {
        running
            .commit(chunk(position, b"entries"))
            .expect("durable");
    }
    running.close();
    let copy = dir.path().join("copy");
    let bytes = Inspected::open(dir.path())
        .and_then(|store| store.back_up(&copy))
        .expect("copied");
    assert!(bytes > Settings::default().ring_bytes);
    let mut shown = 0;
    let store = Inspected::open(&copy).expect("readable");
    let each = store.for_each_chunk(|chunk| {
        shown += usize::from(chunk == b"entries");
        Ok::<_, StoreError>(())
    });
    each.expect("readable");
    assert_eq!(shown, 3);
    drop(store);
    assert_eq!(positions(&open_in(&copy).1, 0), [0, 1, 2]);
}

#[test]
fn a_corrupt_store_takes_its_ring_with_it() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(chunk(0, b"entries")).expect("durable");
    drop(running);
    let before = fs::read(dir.path().join(RING)).expect("a ring");
    let (recovered, opened) = open_in(dir.path())
        .1
        .give_up("a test")
        .expect("a new store");
    let aside = recovered.moved_aside.expect("moved aside");
    assert!(chunks(&opened, 0).is_empty());
    let ring = fs::read(with_suffix(&aside.path, "-ring")).expect("it is kept");
    assert_eq!(ring, before);
}

#[test]
fn a_disk_that_has_no_room_for_a_ring_is_gone_on_with_without_one() {
    let dir = TempDir::new().expect("a directory");
    let crowded = Settings {
        bytes_free_min: u64::MAX / 2,
        ..Settings::default()
    };
    let (recovered, opened) = open(dir.path(), crowded).expect("it opens");
    assert_eq!(recovered.usage.ring_bytes, 0);
    Running::start(opened)
        .commit(chunk(0, b"entries"))
        .expect("durable");
    // Later there is room, and what was in the database stays there.
    let (recovered, opened) = open_in(dir.path());
    assert_eq!(recovered.usage.ring_bytes, Settings::default().ring_bytes);
    assert_eq!(positions(&opened, 0), [0]);
}

/// Nothing of the ring goes to the disk but pages with chunks: neither its length nor where it lies.
#[test]
fn the_ring_is_as_long_as_it_was_made() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_with(dir.path(), 32 * 1024);
    for position in 0..200 {
        let commit = match position % 10 {
            0 => with_checkpoint(chunk(position, b"small"), position + 1),
            _ => chunk(position, &vec![7; position as usize * 10]),
        };
        running.commit(commit).expect("durable");
    }
    assert!(running.usage.ring_chunks > 100, "{:?}", running.usage);
    let ring = fs::metadata(dir.path().join(RING)).expect("a ring");
    assert_eq!(ring.len(), 32 * 1024);
}
