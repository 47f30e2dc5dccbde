//! A process of its own that is killed, and one whose disk fails.

use super::*;

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
            "store::tests::crash::what_was_reported_durable_survives_a_kill",
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

/// What a test prints as a child under strace with these options; `None` where there is no strace.
fn trace(test: &str, dir: &Path, options: &[&str]) -> Option<String> {
    let inner = child(test, dir);
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-e", "trace=fsync,fdatasync"])
        .args(options);
    traced
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD, dir);
    let Ok(output) = traced.output() else {
        println!("not checked: this needs strace (apt install strace)");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// fsync would write the times of the file as well, each time, into the journal of the file system.
#[test]
fn a_commit_is_one_fdatasync() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return commit_on_a_failing_disk(Path::new(&dir));
    }
    let dir = TempDir::new().expect("a directory");
    drop(open_in(dir.path()));
    let calls = dir.path().join("calls");
    let options = ["-o", calls.to_str().expect("a name of letters")];
    let test = "store::tests::crash::a_commit_is_one_fdatasync";
    if trace(test, dir.path(), &options).is_none() {
        return;
    }
    let calls = fs::read_to_string(calls).expect("what strace wrote");
    let count = |name| calls.lines().filter(|line| line.contains(name)).count();
    // 20 commits; the two others are of the start, for the folder.
    let found = (count("fdatasync("), count("fsync("));
    assert_eq!(found, (20, 2), "{calls}");
}

/// An fsync fails once: nothing after it may be reported durable, although later ones would succeed.
#[test]
fn after_a_failed_fsync_nothing_is_reported_durable() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return commit_on_a_failing_disk(Path::new(&dir));
    }
    let dir = TempDir::new().expect("a directory");
    drop(open_in(dir.path()));
    let failing = [
        "-o",
        "/dev/null",
        "-e",
        "inject=fsync,fdatasync:error=EIO:when=4",
    ];
    let test = "store::tests::crash::after_a_failed_fsync_nothing_is_reported_durable";
    let Some(text) = trace(test, dir.path(), &failing) else {
        return;
    };
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
