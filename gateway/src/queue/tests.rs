use std::path::PathBuf;

use tempfile::TempDir;
use wire::{Content, Flags, Reasons, Row, SensorId, SensorName};

use super::*;
use crate::commit::{Commit, MutationRoom, SealedRow};
use crate::outbox::Sequence;
use crate::store::{self, Reply, Request};

fn batch() -> Vec<u8> {
    let rows = [0, 1].map(|at| Row {
        sensor: SensorId(3),
        time: Timestamp(1_764_000_000_000 + at * 1_000),
        arrival: Timestamp(1_764_000_000_500 + at * 1_000),
        content: match at {
            0 => Content::AsSent(20.5),
            _ => Content::Repaired {
                raw: 99.0,
                value: 20.6,
            },
        },
        flags: match at {
            0 => Flags::default(),
            _ => Flags::new(wire::Quality::Uncertain, Reasons::SPIKE | Reasons::LATE),
        },
    });
    let name = |_| SensorName {
        device: "pump, \"old\"",
        signal: "t",
        unit: "°C",
    };
    let mut buffer = vec![0; 4096];
    wire::write_batch(
        "edge-1",
        Timestamp(1_764_000_002_000),
        &rows,
        name,
        &mut buffer,
    )
    .expect("fits")
    .to_vec()
}

/// A store with one batch that says it holds `readings`.
fn store_with(readings: u32, bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let (_, opened) = store::open(dir.path(), store::Settings::default()).expect("opens");
    let (sender, replies) = std::sync::mpsc::sync_channel(4);
    let writer = opened
        .start(move |reply| sender.send(reply).expect("received"))
        .expect("a thread");
    let mut commit = Commit::new(MutationRoom::default());
    commit
        .push_row(&SealedRow {
            lane: Lane::Telemetry,
            sequence: Sequence(1),
            key: "edge-1",
            readings,
            bytes,
        })
        .expect("there is room");
    assert!(writer.request(Request::Commit(Box::new(commit))).is_ok());
    assert!(matches!(replies.recv(), Ok(Reply::Committed { .. })));
    drop(writer);
    dir
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> Result<(), QueueError>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("text")
}

#[test]
fn what_waits_is_listed_by_lane() {
    let dir = store_with(2, &batch());
    let table = text(|out| list(dir.path(), out));
    let telemetry = table.lines().last().expect("a line");
    let words: Vec<&str> = telemetry.split_whitespace().collect();
    let bytes = batch().len().to_string();
    assert_eq!(words[..5], ["telemetry", "1", "0", "2", &bytes]);
    assert!(
        telemetry.contains("2025-11-24T16:00:02Z to 2025-11-24T16:00:02Z"),
        "{table}"
    );
    assert!(table.contains("alerts             0"), "{table}");
}

#[test]
fn readings_are_exported_as_objects_and_as_a_table() {
    let dir = store_with(2, &batch());
    let lines = text(|out| {
        export(
            dir.path(),
            &Selection::all(Lane::Telemetry),
            Format::Ndjson,
            out,
        )
    });
    let second: serde_json::Value =
        serde_json::from_str(lines.lines().nth(1).expect("two lines")).expect("JSON");
    assert_eq!(second["device"], "pump, \"old\"");
    assert_eq!(
        (&second["raw"], &second["value"]),
        (&99.0.into(), &20.6.into())
    );
    assert_eq!(second["quality"], "uncertain");
    assert_eq!(second["reasons"], serde_json::json!(["late", "spike"]));
    let table = text(|out| {
        export(
            dir.path(),
            &Selection::all(Lane::Telemetry),
            Format::Csv,
            out,
        )
    });
    assert_eq!(
        table.lines().nth(2),
        Some(
            "1,\"pump, \"\"old\"\"\",\"t\",\"°C\",1764000001000,1764000001500,20.6,99.0,\"uncertain\",late|spike"
        )
    );
    for lane in Lane::ALL {
        let table = text(|out| export(dir.path(), &Selection::all(lane), Format::Csv, out));
        assert!(table.starts_with("sequence,"), "{table}");
    }
}

#[test]
fn a_row_that_is_not_sound_is_named() {
    assert_eq!(verify(store_with(2, &batch()).path()).expect("sound"), 2);
    let counted = verify(store_with(3, &batch()).path()).expect_err("one is missing");
    assert!(
        counted.to_string().contains("says 3 readings and holds 2"),
        "{counted}"
    );
    let mut broken = batch();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let found = verify(store_with(2, &broken).path()).expect_err("a checksum");
    assert!(
        found.to_string().starts_with("row 1 of lane telemetry: "),
        "{found}"
    );
}

#[test]
fn a_backup_is_a_store_like_the_first() {
    let dir = store_with(2, &batch());
    let to: PathBuf = dir.path().join("backup/of/today");
    back_up(dir.path(), &to).expect("copied");
    assert_eq!(verify(&to).expect("sound"), 2);
    let again = back_up(dir.path(), &to).expect_err("there is one");
    assert!(
        matches!(again, QueueError::Store(StoreError::Io { .. })),
        "{again}"
    );
}

#[test]
fn a_store_that_is_in_use_is_left_alone() {
    let dir = store_with(2, &batch());
    let (_, opened) = store::open(dir.path(), store::Settings::default()).expect("opens");
    let refused = verify(dir.path()).expect_err("it is open");
    assert!(
        matches!(refused, QueueError::Store(StoreError::Locked { .. })),
        "{refused}"
    );
    drop(opened);
    assert_eq!(verify(dir.path()).expect("sound"), 2);
}

#[test]
fn a_folder_without_a_store_is_said_to_be_one() {
    let dir = TempDir::new().expect("a folder");
    let refused = verify(dir.path()).expect_err("nothing is there");
    assert!(
        matches!(refused, QueueError::Store(StoreError::Io { .. })),
        "{refused}"
    );
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0);
}

const GATEWAY: &str = "edge-1";

fn purged(dir: &TempDir) -> Vec<Loss> {
    let plan = pipeline::Plan {
        gateway: GATEWAY.try_into().expect("short"),
        ..pipeline::Plan::default()
    };
    let sizes = crate::machine::Sizes {
        sensors: 4,
        gates: 0,
        thinners: 0,
        miners: 0,
        sketched: 0,
        panes_per_sensor: 8,
        slots_per_sensor: 2,
        gauges_per_sensor: 0,
        scouts: [0; 4],
        rows: 4,
    };
    purge(
        dir.path(),
        GATEWAY,
        &plan,
        &sizes,
        store::Settings::default(),
        Timestamp(7),
    )
    .expect("purged")
}

#[test]
fn a_purge_says_what_is_lost_and_leaves_a_gap_in_its_place() {
    let dir = store_with(2, &batch());
    let loss = Loss {
        lane: Lane::Telemetry,
        from: 1,
        to: 1,
        rows: 1,
        items: 2,
    };
    assert_eq!(losses(dir.path()).expect("listed"), [loss]);
    assert_eq!(
        loss.to_string(),
        "telemetry: 2 readings in 1 batches, sequences 1 to 1"
    );
    assert_eq!(purged(&dir), [loss]);
    assert_eq!(verify(dir.path()).expect("sound"), 1);
    let gap = text(|out| export(dir.path(), &Selection::all(Lane::Gap), Format::Ndjson, out));
    assert_eq!(
        gap,
        "{\"sequence\":1,\"gateway\":\"edge-1\",\"at\":7,\"lane\":\"telemetry\",\"reason\":\"purged\",\"from\":1,\"to\":1,\"count\":2}\n"
    );
    assert_eq!(purged(&dir), [], "what is gone is not lost again");
    assert_eq!(verify(dir.path()).expect("the gap stays"), 1);
}

#[test]
fn an_export_holds_what_was_asked_for() {
    let dir = store_with(2, &batch());
    let count = |selection: &Selection| {
        text(|out| export(dir.path(), selection, Format::Ndjson, out))
            .lines()
            .count()
    };
    let mut selection = Selection::all(Lane::Telemetry);
    assert_eq!(count(&selection), 2);
    selection.from = Timestamp(1_764_000_001_000);
    assert_eq!(count(&selection), 1, "the second of both readings");
    selection.sensors = vec!["pump*/t".parse().expect("a pattern")];
    assert_eq!(count(&selection), 1);
    selection.sensors = vec!["fan".parse().expect("a pattern")];
    assert_eq!(count(&selection), 0);
}

#[test]
fn a_row_that_was_thinned_is_listed_and_sound_and_exports_nothing() {
    let dir = store_with(2, &[]);
    let table = text(|out| list(dir.path(), out));
    let telemetry = table.lines().last().expect("a line");
    let words: Vec<&str> = telemetry.split_whitespace().collect();
    assert_eq!(words[..5], ["telemetry", "1", "1", "2", "0"]);
    assert_eq!(verify(dir.path()).expect("sound"), 0);
    assert_eq!(
        text(|out| export(
            dir.path(),
            &Selection::all(Lane::Telemetry),
            Format::Ndjson,
            out
        )),
        ""
    );
}
