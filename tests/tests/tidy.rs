//! Holds the rules of the tree over all its files. The lists of exceptions may only shrink.

use std::path::Path;
use std::sync::LazyLock;

use tests::tidy::size::Exception;
use tests::tidy::{Finding, Source, papers, read_tree, rings, size, words};

/// Modules of `gateway/src` which may touch files, sockets, threads and clocks. All others are the core.
const SHELL: &[&str] = &[
    "main",
    "lib",
    "cli",
    "run",
    "clock",
    "start",
    "shell",
    "connection",
    "transport",
    "throttle",
    "buffers",
    "recover",
    "passwd",
    "queue",
    "secrets",
    "tokens",
    "bill",
    "bench",
    "demo",
    "store",
    "uplink",
    "remote",
    "controller",
    "outputs",
    "supervisor",
    "http",
    "config",
    "status",
    "authenticate",
    "credentials_file",
];

/// Parts of the shell which do not know each other.
const SHELL_PARTS: &[&str] = &["connection", "store", "uplink", "outputs", "http"];

/// Crates that build for bare metal.
const BARE_CRATES: &[&str] = &["gateway/wire/src/lib.rs", "gateway/pipeline/src/lib.rs"];

/// Files that were longer than the rule when they came into this list.
const LONG_FILES: &[Exception] = &[];

/// Functions that were longer than the rule when they came into this list.
const LONG_FUNCTIONS: &[Exception] = &[];

/// What runs the commands of the README.
const SCRIPTS: &[&str] = &["test", "tests/readme/run"];

static TREE: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    read_tree(&root)
        .unwrap_or_else(|error| panic!("the tree at {} cannot be read: {error}", root.display()))
});

#[track_caller]
fn check(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn the_tree_is_seen() {
    for path in [
        "Cargo.toml",
        "test",
        "gateway/src/lib.rs",
        "tests/tests/tidy.rs",
    ] {
        assert!(
            TREE.iter().any(|file| file.path == path),
            "{path} is missing from the tree"
        );
    }
}

#[test]
fn the_core_names_nothing_of_the_outside() {
    check(&rings::core_names_the_outside(&TREE, SHELL));
}

#[test]
fn parts_of_the_shell_do_not_know_each_other() {
    check(&rings::shell_names_sideways(&TREE, SHELL_PARTS));
}

#[test]
fn bare_crates_have_no_std() {
    check(&rings::bare_crates_use_std(&TREE, BARE_CRATES));
}

#[test]
fn only_clock_files_read_a_clock() {
    check(&rings::clock_read_elsewhere(&TREE));
}

#[test]
fn files_are_short() {
    check(&size::long_files(&TREE, LONG_FILES));
}

#[test]
fn functions_are_short() {
    check(&size::long_functions(&TREE, LONG_FUNCTIONS));
}

#[test]
fn nothing_is_unfinished() {
    check(&words::unfinished(&TREE));
}

#[test]
fn no_path_of_one_machine_is_named() {
    check(&words::home_paths(&TREE));
}

#[test]
fn every_module_says_what_it_is_for() {
    check(&words::modules_without_doc(&TREE));
}

#[test]
fn links_lead_somewhere() {
    check(&papers::broken_links(&TREE));
}

#[test]
fn the_architecture_names_files_that_exist() {
    check(&papers::unknown_files(&TREE, "ARCHITECTURE.md"));
}

#[test]
fn commands_of_the_readme_are_run() {
    check(&papers::commands_not_run(&TREE, "README.md", SCRIPTS));
}
