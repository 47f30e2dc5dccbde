//! The ledger proves what it claims: a broker that loses, doubles, alters, reorders and invents messages is found out
//! exactly, cut connections lose nothing, and neither does a crash of the simulator.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

#[path = "proof/broker.rs"]
mod broker;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use broker::{Broker, Conduct, Done};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sensor-sim");

fn publish(broker: &Broker, ledger: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args([
        "publish",
        "--json",
        "--devices",
        "4",
        "--broker",
        &broker.address(),
    ]);
    command
        .arg("--ledger")
        .arg(ledger)
        .args(more)
        .stdout(Stdio::null());
    command
}

fn verify(broker: &Broker, ledger: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args([
        "verify",
        "--json",
        "--idle",
        "1500ms",
        "--mqtt",
        &broker.address(),
        "--ledger",
    ]);
    let child = command
        .arg(ledger)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    broker.wait_for_subscriber();
    child
}

/// Exit code and what was said.
fn told(output: &Output) -> (Option<i32>, Value) {
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

fn count(said: &Value, what: &str) -> u64 {
    said["witnesses"][0][what]["count"].as_u64().unwrap()
}

fn check(seed: u64, conduct: Conduct, check: impl FnOnce(Done, Option<i32>, &Value)) {
    check_with(&[], seed, conduct, check);
}

fn check_with(
    more: &[&str],
    seed: u64,
    conduct: Conduct,
    check: impl FnOnce(Done, Option<i32>, &Value),
) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let broker = Broker::start(seed, conduct);
    let verifier = verify(&broker, &ledger, more);
    let published = publish(&broker, &ledger, &["--rate", "200", "--count", "400"])
        .status()
        .unwrap();
    assert!(published.success());
    let (code, said) = told(&verifier.wait_with_output().unwrap());
    assert_eq!(said["sent"]["messages"], 1600);
    assert_eq!(said["sent"]["acknowledged"], 1600);
    check(broker.done(), code, &said);
}

#[test]
fn an_honest_broker_is_clean() {
    check(1, Conduct::default(), |done, code, said| {
        assert_eq!((done, code), (Done::default(), Some(0)));
        assert_eq!(said["witnesses"][0]["present"], 1600);
    });
}

#[test]
fn every_misdeed_is_reported_exactly() {
    for seed in 1..=2 {
        check(
            seed,
            Conduct {
                misdeeds: 0.2,
                ..Conduct::default()
            },
            |done, code, said| {
                assert_eq!(code, Some(1));
                for (what, expected) in [
                    ("lost", done.lost),
                    ("doubled", done.doubled),
                    ("changed", done.changed),
                    ("reordered", done.reordered),
                    ("unexplained", done.invented),
                ] {
                    assert!(expected > 20, "{what} was to happen: {done:?}");
                    assert_eq!(count(said, what), expected, "{what}, seed {seed}");
                }
                let first = &said["witnesses"][0]["lost"]["cases"][0];
                assert!(first["sequence"].as_u64().is_some() && first["time"].as_i64().is_some());
            },
        );
    }
}

#[test]
fn what_is_sent_again_after_a_cut_is_doubled_and_never_lost() {
    check(
        3,
        Conduct {
            cuts: 0.01,
            ..Conduct::default()
        },
        |done, code, said| {
            assert!(done.doubled > 3, "{done:?}");
            assert_eq!(
                (code, count(said, "lost"), count(said, "doubled")),
                (Some(1), 0, done.doubled)
            );
            assert_eq!((count(said, "changed"), count(said, "unexplained")), (0, 0));
        },
    );
}

#[test]
fn what_a_gateway_refused_is_explained_by_its_own_word_and_nothing_else_is() {
    let refusals = Conduct {
        refusals: 0.1,
        ..Conduct::default()
    };
    check_with(&["--explain"], 5, refusals, |done, code, said| {
        assert!(done.refused > 100, "{done:?}");
        assert_eq!((code, count(said, "lost")), (Some(0), 0), "{said:#}");
        assert_eq!(said["witnesses"][0]["explained"]["a mood"], done.refused);
        assert_eq!(said["contradiction"], Value::Null);
    });
    let hushed = Conduct {
        hushed: 0.01,
        ..refusals
    };
    check_with(&["--explain"], 6, hushed, |done, code, said| {
        assert!(done.hushed > 3, "{done:?}");
        assert_eq!((code, count(said, "lost")), (Some(1), done.hushed));
        assert_eq!(said["witnesses"][0]["explained"]["a mood"], done.refused);
        let first = &said["witnesses"][0]["lost"]["cases"][0];
        assert!(first["sequence"].as_u64().is_some() && first["time"].as_i64().is_some());
    });
    // Nobody asked the gateway: then all are lost, for none of them might be refused.
    check(5, refusals, |done, code, said| {
        assert_eq!((code, count(said, "lost")), (Some(1), done.refused));
    });
}

#[test]
fn a_simulator_that_is_killed_leaves_a_ledger_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let broker = Broker::start(4, Conduct::default());
    let verifier = verify(&broker, &ledger, &[]);
    for messages in [300, 600] {
        let mut running = publish(&broker, &ledger, &["--flat-out"]).spawn().unwrap();
        broker.wait_for_messages(messages);
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert!(
        publish(&broker, &ledger, &["--count", "10"])
            .status()
            .unwrap()
            .success()
    );
    let (code, said) = told(&verifier.wait_with_output().unwrap());
    assert_eq!(
        (code, &said["sent"]["runs"]),
        (Some(0), &Value::from(3)),
        "{said:#}"
    );
    let sent = |what: &str| said["sent"][what].as_u64().unwrap();
    assert!(
        sent("messages") >= 640 && sent("messages") >= sent("acknowledged"),
        "{said:#}"
    );
}
