use super::*;
use crate::outbox::Lane;
use wire::Timestamp;

const STEP: MutationRoom = MutationRoom {
    count: 8,
    bytes: 256,
};
const SENT: [Option<Sequence>; LANES] = [Some(Sequence(7)); LANES];

fn commits() -> Commits {
    Commits::new(Position(0), 0, STEP)
}

fn push_reading(commits: &mut Commits, now: u64) {
    let now = Now {
        instant: Instant(now),
        wall: Timestamp(1_700_000_000_000),
    };
    let reading = Entry::Reading {
        sensor: 0,
        time: None,
        value: 21.5,
    };
    commits.push_entry(now, &reading).expect("room");
}

fn take(commits: &mut Commits, now: u64) -> Box<Commit> {
    match commits.take_due(Instant(now)) {
        Some(Due::New(commit)) => commit,
        Some(Due::Again(_)) | None => panic!("no new commit is due"),
    }
}

/// Sent rows wait while only readings come, and go with what `push` brings.
fn check(case: &str, push: impl FnOnce(&mut Commits)) {
    let mut commits = commits();
    push_reading(&mut commits, 1);
    commits.trim(SENT);
    let alone = take(&mut commits, 1);
    assert!(
        alone.is_journal_only(),
        "{case}: readings had to go to the database"
    );
    commits.handle_committed(alone);
    push_reading(&mut commits, 2);
    push(&mut commits);
    assert_eq!(take(&mut commits, 2).trim_outbox, SENT, "{case}");
}

#[test]
fn rows_that_are_sent_go_with_the_next_commit_that_goes_to_the_database() {
    check("a row", |commits| {
        let row = SealedRow {
            lane: Lane::Telemetry,
            sequence: Sequence(8),
            key: "edge-1",
            readings: 1,
            bytes: b"batch",
        };
        commits.push_row(&row).expect("room");
    });
    check("a change of the broker's state", |commits| {
        let delete = Mutation::Delete { key: b"key" };
        commits.push_mutation(Instant(2), &delete);
    });
    check("many of them", |commits| commits.trim_soon(Instant(2)));
    check("the end", Commits::hurry);
}
