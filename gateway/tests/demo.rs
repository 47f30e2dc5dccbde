//! The demo as a user starts it: a program whose output goes into a pipe.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("demo").args(arguments).stdin(Stdio::null());
    command
}

/// The number behind `name` in the summary.
fn number(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    let word = line
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .split_whitespace()
        .next();
    let word = word.unwrap_or_else(|| panic!("no number behind {name} in\n{text}"));
    word.trim_end_matches([',', ';'])
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {word}"))
}

#[track_caller]
fn check_kept(text: &str) {
    assert!(
        text.contains("every acknowledged reading is in Kafka, exactly once"),
        "{text}"
    );
    assert_eq!(
        (
            number(text, "missing"),
            number(text, "doubled"),
            number(text, "changed")
        ),
        (0, 0, 0),
        "{text}"
    );
    assert_eq!(
        number(text, "acknowledged"),
        number(text, "in Kafka"),
        "{text}"
    );
    assert!(
        !text.contains('\x1b'),
        "a pipe gets no escape sequences\n{text}"
    );
    let store = text
        .split("store in ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let store = store.unwrap_or_else(|| panic!("no folder of the store in\n{text}"));
    assert!(!Path::new(store).exists(), "{store} is left behind");
}

#[test]
fn twelve_seconds_with_an_outage_lose_nothing_and_double_nothing() {
    let output = demo(&["--seconds", "12"])
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{text}\n{errors}",
        output.status
    );
    assert_eq!(errors, "");
    check_kept(&text);
    assert!(number(&text, "acknowledged") > 500, "{text}");
    assert!(number(&text, "alerts") >= 1, "{text}");
    assert!(text.contains("Kafka was away for"), "{text}");
    assert!(
        text.contains("\n00:05 ") || text.starts_with("00:05 "),
        "a line every five seconds\n{text}"
    );
}

#[test]
fn an_interrupt_ends_it_in_order() {
    let mut program = demo(&["--forever"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut output = BufReader::new(program.stdout.take().expect("piped"));
    let mut text = String::new();
    while !text.contains("00:05") {
        assert_ne!(
            output.read_line(&mut text).expect("a line"),
            0,
            "it ended by itself\n{text}"
        );
    }
    let id = program.id().to_string();
    let killed = Command::new("kill")
        .args(["-INT", &id])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    output.read_to_string(&mut text).expect("the rest");
    let status = program.wait().expect("it ends");
    assert!(status.success(), "{status}\n{text}");
    check_kept(&text);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = demo(&["--port", &port]).output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{errors}"
    );
}
