//! A store that is full, a log that grows, a second process, a full queue.

use super::*;

#[test]
fn a_full_store_refuses_and_takes_the_same_commit_once_there_is_room() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ring_bytes: 0,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    let entries = vec![1; 64 * 1024];
    let mut refused = None;
    for position in 1..=16 {
        match running.ask(Request::Commit(Box::new(chunk(position, &entries)))) {
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
    assert!(running.usage.file_bytes <= settings.bytes_max && refused.position > 4);

    let newest = refused.position - 1;
    running
        .commit(with_checkpoint(new_commit(), newest))
        .expect("making room is never refused");
    running.commit(*refused).expect("now there is room");
}

/// Rows of 64 KiB until there is no room for all.
fn fill(running: &mut Running, sequences: core::ops::RangeInclusive<u64>, lanes: &[Lane]) {
    let bytes = vec![1; 64 * 1024];
    for sequence in sequences {
        let mut commit = chunk(sequence, b"journal");
        let row = SealedRow {
            lane: lanes[sequence as usize % lanes.len()],
            sequence: Sequence(sequence),
            key: "edge-1",
            readings: 10,
            bytes: &bytes,
        };
        commit.push_row(&row).expect("room");
        running.commit(commit).expect("thinning makes the room");
    }
}

fn load_thinned(running: &Running, lane: Lane) -> Vec<(u64, bool)> {
    let rows = running.load(lane, 0, usize::MAX, usize::MAX);
    assert!(rows.iter().all(|row| row.readings == 10), "counts stay");
    rows.iter()
        .map(|row| (row.sequence.0, row.is_thinned()))
        .collect()
}

#[test]
fn near_its_bound_the_oldest_rows_are_thinned_and_their_counts_stay() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ring_bytes: 0,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    fill(&mut running, 1..=30, &[Lane::Telemetry]);
    let rows = load_thinned(&running, Lane::Telemetry);
    let kept = rows.iter().filter(|(_, is_thinned)| !is_thinned).count() as u64;
    assert!((3..8).contains(&kept), "{rows:?}");
    let expected = (1..=30).map(|sequence| (sequence, sequence <= 30 - kept));
    assert!(
        rows.iter().copied().eq(expected),
        "the oldest, and no hole: {rows:?}"
    );
    let usage = running.usage;
    assert_eq!(
        (usage.thinned_rows, usage.thinned_items),
        (30 - kept, 10 * (30 - kept))
    );
    assert_eq!(usage.outbox[Lane::Telemetry.index()].rows, 30);
    assert_eq!(usage.backlog().bytes(), kept * 64 * 1024);

    // A replay makes the same rows again: what was thinned stays so.
    drop(running);
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    fill(&mut running, 31..=31, &[Lane::Telemetry]);
    let again = with_rows(new_commit(), Lane::Telemetry, 1..=4);
    running.commit(again).expect("room");
    assert_eq!(load_thinned(&running, Lane::Telemetry)[..4], rows[..4]);
}

#[test]
fn readings_are_thinned_first_and_alerts_last() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 1024 * 1024,
        ring_bytes: 0,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    let lanes = [Lane::Telemetry, Lane::Aggregate, Lane::Alert];
    let thinned = |running: &Running| {
        lanes.map(|lane| {
            load_thinned(running, lane)
                .iter()
                .filter(|(_, is_thinned)| *is_thinned)
                .count()
        })
    };
    fill(&mut running, 1..=15, &lanes);
    let [readings, summaries, alerts] = thinned(&running);
    assert!(
        readings > 0 && summaries == 0 && alerts == 0,
        "{readings} {summaries} {alerts}"
    );
    fill(&mut running, 16..=24, &lanes);
    let [readings, summaries, alerts] = thinned(&running);
    assert!(
        readings >= 7 && summaries > 0 && alerts == 0,
        "{readings} {summaries} {alerts}"
    );
    fill(&mut running, 25..=60, &lanes);
    let [_, _, alerts] = thinned(&running);
    assert!(alerts > 0);
}

/// The disk of a test has less free than this asks for, so the file must not grow, and goes on by what is in it.
#[test]
fn on_a_disk_that_others_have_filled_the_file_grows_no_more() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    fill(&mut running, 1..=30, &[Lane::Telemetry]);
    drop(running);
    let settings = Settings {
        bytes_free_min: u64::MAX / 2,
        ..Settings::default()
    };
    let mut running = Running::start(open(dir.path(), settings).expect("it opens").1);
    fill(&mut running, 31..=31, &[Lane::Telemetry]);
    let before = running.usage.file_bytes;
    fill(&mut running, 32..=90, &[Lane::Telemetry]);
    assert!(
        running.usage.file_bytes <= before + 128 * 1024,
        "{:?}",
        running.usage
    );
    let rows = load_thinned(&running, Lane::Telemetry);
    assert!(!rows[80].1 && rows[20].1 && rows.len() == 90, "{rows:?}");
}

#[test]
fn a_commit_and_what_it_replaces_fit_into_a_full_store() {
    let dir = TempDir::new().expect("a directory");
    let settings = Settings {
        bytes_max: 512 * 1024,
        ring_bytes: 0,
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
        ring_bytes: 0,
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
        ring_bytes: 0,
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
