//! Who may know whom: the core knows neither files nor sockets nor clocks, the parts of the shell do not know each other.

use super::rust::{has_word, lines_without_tests, without_comment};
use super::{Finding, Source};

/// What the sans-IO core must not name.
const OUTSIDE: [&str; 8] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::process",
    "rusqlite",
    "rdkafka",
];

/// How a clock is read.
const CLOCK_READS: [&str; 3] = ["Instant::now", "SystemTime::now", "UNIX_EPOCH.elapsed"];

/// Plain values out of modules of the shell: the core is handed them.
const VALUES: [&str; 1] = ["crate::clock::Moment"];

/// Files of the core name nothing of the outer world and no module of the shell. A file of `gateway/src` belongs to the core
/// unless its module stands in `shell`.
#[must_use]
pub fn core_names_the_outside(files: &[Source], shell: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, module) in gateway_files(files).filter(|(_, module)| !shell.contains(module)) {
        for (number, line) in lines_without_tests(file) {
            let code = VALUES
                .iter()
                .fold(without_comment(line).to_owned(), |code, value| {
                    code.replace(value, "")
                });
            for name in OUTSIDE.iter().filter(|name| has_word(&code, name)) {
                let text =
                    format!("`{module}` is of the core and names `{name}`: let the shell do it");
                findings.push(Finding::new(file, number, text));
            }
            for other in shell.iter().filter(|other| names_module(&code, other)) {
                let text = format!("`{module}` is of the core and names `{other}` of the shell");
                findings.push(Finding::new(file, number, text));
            }
        }
    }
    findings
}

/// Parts of the shell meet in the loop, through events and actions, and do not name each other.
#[must_use]
pub fn shell_names_sideways(files: &[Source], parts: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, module) in gateway_files(files).filter(|(_, module)| parts.contains(module)) {
        for (number, line) in lines_without_tests(file) {
            let code = without_comment(line);
            for other in parts
                .iter()
                .filter(|other| **other != module && names_module(code, other))
            {
                let text = format!("`{module}` names `{other}`: they meet in run.rs only");
                findings.push(Finding::new(file, number, text));
            }
        }
    }
    findings
}

/// These crates build without std and without an allocator.
#[must_use]
pub fn bare_crates_use_std(files: &[Source], roots: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for root in roots {
        let Some(file) = files.iter().find(|file| file.path == *root) else {
            findings.push(Finding {
                path: (*root).to_owned(),
                line: 1,
                text: "the root of this crate is missing".to_owned(),
            });
            continue;
        };
        if !file
            .text
            .lines()
            .any(|line| line == "#![no_std]" || line == "#![cfg_attr(not(test), no_std)]")
        {
            findings.push(Finding::new(file, 1, "must say `#![no_std]`"));
        }
        for (number, line) in lines_without_tests(file)
            .into_iter()
            .filter(|(_, line)| *line == "extern crate alloc;")
        {
            findings.push(Finding::new(
                file,
                number,
                format!("`{line}`: this crate has its memory given"),
            ));
        }
    }
    findings
}

/// Only files named `clock.rs` read a clock; everybody else is given the time.
#[must_use]
pub fn clock_read_elsewhere(files: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.is_rust() && !file.path.ends_with("/clock.rs"))
    {
        for (number, line) in file.lines() {
            let code = without_comment(line);
            for read in CLOCK_READS
                .iter()
                .filter(|read| has_word(code, read) && !code.contains('"'))
            {
                findings.push(Finding::new(
                    file,
                    number,
                    format!("`{read}`: take the time as an argument; only clock.rs reads a clock"),
                ));
            }
        }
    }
    findings
}

/// The files of the gateway's own crate with their modules: `broker` for all of `gateway/src/broker/`.
fn gateway_files(files: &[Source]) -> impl Iterator<Item = (&Source, &str)> {
    files
        .iter()
        .filter(|file| file.is_rust() && !file.is_test())
        .filter_map(|file| {
            let inner = file.path.strip_prefix("gateway/src/")?;
            let module = inner.split('/').next()?;
            Some((file, module.trim_end_matches(".rs")))
        })
}

fn names_module(code: &str, module: &str) -> bool {
    let in_group = code.trim_start().starts_with("use crate::{") && has_word(code, module);
    in_group || has_word(code, &format!("crate::{module}"))
}

#[cfg(test)]
mod tests {
    use super::super::{places, sample};
    use super::*;

    #[test]
    fn a_core_that_opens_files_is_found() {
        let files = [
            sample(
                "gateway/src/engine.rs",
                &[
                    "// tokio is named in a comment only",
                    "use std::fs;",
                    "use crate::store::Store;",
                    "use crate::clock::Moment;",
                    "use crate::{outbox::Row, store};",
                ],
            ),
            sample(
                "gateway/src/broker/router.rs",
                &["use tokio::net::TcpStream;"],
            ),
            sample("gateway/src/broker/tests.rs", &["use std::fs;"]),
            sample("gateway/src/store/mod.rs", &["use std::fs;"]),
            sample("sensor-sim/src/net.rs", &["use tokio::net::TcpStream;"]),
        ];
        let found = core_names_the_outside(&files, &["store", "clock"]);
        assert_eq!(
            places(&found),
            [
                "gateway/src/engine.rs:2",
                "gateway/src/engine.rs:3",
                "gateway/src/engine.rs:5",
                "gateway/src/broker/router.rs:1"
            ]
        );
    }

    #[test]
    fn a_store_that_knows_the_uplink_is_found() {
        let files = [
            sample(
                "gateway/src/store/writer.rs",
                &["use crate::store::schema;", "use crate::uplink::Request;"],
            ),
            sample(
                "gateway/src/run.rs",
                &["use crate::uplink;", "use crate::store;"],
            ),
        ];
        assert_eq!(
            places(&shell_names_sideways(&files, &["store", "uplink"])),
            ["gateway/src/store/writer.rs:2"]
        );
    }

    #[test]
    fn a_bare_crate_with_std_is_found() {
        let files = [
            sample("a/lib.rs", &["#![no_std]"]),
            sample("b/lib.rs", &["extern crate alloc;"]),
        ];
        assert_eq!(
            places(&bare_crates_use_std(
                &files,
                &["a/lib.rs", "b/lib.rs", "c/lib.rs"]
            )),
            ["b/lib.rs:1", "b/lib.rs:1", "c/lib.rs:1"]
        );
    }

    #[test]
    fn a_clock_read_outside_of_clock_rs_is_found() {
        let read = ["let now = std::time::Instant::now();"];
        let files = [
            sample("gateway/src/run.rs", &read),
            sample("gateway/src/clock.rs", &read),
            sample("tests/tests/a.rs", &read),
        ];
        assert_eq!(
            places(&clock_read_elsewhere(&files)),
            ["gateway/src/run.rs:1", "tests/tests/a.rs:1"]
        );
    }
}
