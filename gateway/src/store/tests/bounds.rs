//! A store that is full, a log that grows, a second process, a full queue.

use super::*;

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
