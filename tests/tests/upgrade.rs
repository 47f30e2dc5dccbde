//! From release to release: a store of every released version goes on without a loss, and one of a later release is left alone.
//!
//! The stores in `tests/golden/stores` are what a kill left of a gateway of that version. They are never changed; the one of
//! the version that is being made is written by
//! `TIDEGATE_GOLDEN=write cargo test -p tests --test upgrade`, last before its release.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use gateway::config::Config;
use gateway::machine::{Machine, StateError};
use gateway::recover::{self, RecoverError};
use tests::harness::config;
use tests::lives::{Client, open, sealed};

/// The ring of the store; in `tests/golden` without the zeros at its end.
const RING: &str = "tidegate.db-ring";
const RING_BYTES: u64 = 4 << 20;
/// Readings that each golden store was given.
const READINGS: u64 = 120;
/// Between two readings, ms.
const EVERY_MS: u64 = 20;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/stores")
}

fn config_in(dir: &Path) -> Config {
    config(&format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\nring_bytes = \"4MiB\"\ncheckpoint_interval = \"700ms\"\ncommit_interval = \"100ms\"\n\
         [pipeline]\nbatch_interval = \"500ms\"\n\
         [defaults]\naverage = \"1s\"\nlateness = \"0ms\"\n",
        dir.display()
    ))
}

/// Gives a store its readings; the gateway ends as by a kill. The client that is left knows what was acknowledged.
fn live(dir: &Path) -> Client {
    let config = config_in(dir);
    let (mut gateway, mut sink) = open(&config, 0);
    let mut client = Client::default();
    for number in 0..READINGS {
        client.send(&mut gateway, number * EVERY_MS, &mut sink);
    }
    client
}

/// A new life on the store: everything is sealed once in the end.
fn check_goes_on(dir: &Path) {
    let config = config_in(dir);
    let mut now_ms = READINGS * EVERY_MS + 1_000;
    let (mut gateway, mut sink) = open(&config, now_ms);
    let mut client = Client {
        next: READINGS,
        ..Client::default()
    };
    for _ in 0..20 {
        now_ms += EVERY_MS;
        client.send(&mut gateway, now_ms, &mut sink);
    }
    for _ in 0..50 {
        gateway.wait(100, &mut sink);
        client.note(&mut sink);
    }
    assert!(client.waiting.is_empty(), "all is acknowledged at last");
    drop((gateway, sink));
    let readings = sealed(&config);
    // What was not acknowledged when the store was killed may be missing: the client would send it again.
    let acknowledged = fs::read_to_string(dir.join("acknowledged")).expect("a list");
    for number in acknowledged
        .lines()
        .map(|line| line.parse().expect("a number"))
    {
        assert_eq!(readings.get(&number), Some(&1), "reading {number}");
    }
    assert!(readings.values().all(|times| *times == 1), "{readings:?}");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("room");
    }
    if let Ok(ring) = OpenOptions::new().write(true).open(to.join(RING)) {
        ring.set_len(RING_BYTES).expect("room");
    }
}

fn write(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).expect("room");
    let lived = tempfile::tempdir().expect("a folder");
    let client = live(lived.path());
    for file in ["tidegate.db", "tidegate.db-wal"] {
        fs::copy(lived.path().join(file), dir.join(file)).expect("room");
    }
    let mut ring = fs::read(lived.path().join(RING)).expect("a ring");
    let used = ring.iter().rposition(|byte| *byte != 0).expect("chunks");
    ring.truncate(used + 1);
    fs::write(dir.join(RING), ring).expect("room");
    let lines: Vec<String> = client.acknowledged.iter().map(u64::to_string).collect();
    fs::write(dir.join("acknowledged"), lines.join("\n") + "\n").expect("room");
}

#[test]
fn a_store_of_every_version_goes_on_and_loses_nothing() {
    let current = golden().join(env!("CARGO_PKG_VERSION"));
    if std::env::var("TIDEGATE_GOLDEN").as_deref() == Ok("write") {
        write(&current);
    }
    assert!(current.exists(), "this version has a store");
    for version in fs::read_dir(golden()).expect("a folder") {
        let version = version.expect("readable").path();
        let dir = tempfile::tempdir().expect("a folder");
        copy(&version, dir.path());
        check_goes_on(dir.path());
    }
}

#[test]
fn a_state_of_another_release_is_told_from_a_broken_one() {
    let config = config_in(Path::new("unused"));
    let plan = config.plan().expect("valid");
    let machine = Machine::new(&plan, &config.sizes()).expect("fits");
    let mut bytes = Vec::new();
    machine.save(&mut |part| bytes.extend_from_slice(part));
    assert!(Machine::restore(&bytes, &config.sizes()).is_ok());
    let restore = |bytes: &[u8]| {
        Machine::restore(bytes, &config.sizes())
            .err()
            .expect("refused")
    };
    assert!(!restore(&bytes[..20]).is_of_another_release());
    bytes[0] += 1;
    let error = restore(&bytes);
    assert!(matches!(error, StateError::Version(_)) && error.is_of_another_release());
}

/// The journal of a store says that a later release wrote it: the store is where it was, and the gateway does not start.
#[test]
fn a_store_of_a_later_release_is_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    live(dir.path());
    let config = config_in(dir.path());
    let database = rusqlite::Connection::open(dir.path().join("tidegate.db")).expect("a database");
    let changed = database
        .execute(
            "UPDATE checkpoint SET state = CAST(x'63' || substr(state, 2) AS BLOB)",
            [],
        )
        .expect("a column of that name");
    assert!(changed > 0);
    database.close().expect("closed");
    let (recovered, opened) =
        recover::open(&config.store.dir, config.store_settings()).expect("opens");
    let plan = config.plan().expect("valid");
    let refused = recover::recover(recovered, opened, &plan, &config.sizes()).err();
    let refused = refused.expect("it does not go on");
    assert!(
        matches!(refused, RecoverError::OtherRelease { .. }),
        "{refused}"
    );
    assert!(dir.path().join("tidegate.db").exists());
    let moved = fs::read_dir(dir.path()).expect("a folder").filter(|entry| {
        let name = entry.as_ref().expect("readable").file_name();
        name.to_string_lossy().contains("corrupt")
    });
    assert_eq!(moved.count(), 0, "nothing was moved aside");
}
