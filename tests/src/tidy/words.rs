//! What no file may say: marks of unfinished work, and paths of somebody's machine. And what every module must say first.

use super::rust::lines_without_tests;
use super::{Finding, Source};

/// Marks of unfinished work, in two halves so that this file does not carry them.
const UNFINISHED: [(&str, &str); 6] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X:"),
    ("to", "do!("),
    ("unimple", "mented!("),
    ("#[ign", "ore"),
];

/// Beginnings of paths that exist on one machine only, in two halves likewise.
const HOMES: [(&str, &str); 4] = [
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Us", "ers/"),
    ("/wo", "rk/"),
];

/// Work is finished or it is not in the tree; a test runs or it is not there.
#[must_use]
pub fn unfinished(files: &[Source]) -> Vec<Finding> {
    search(
        files,
        &UNFINISHED,
        "unfinished work is not in the tree: finish it or take it out",
    )
}

/// No file depends on where one person keeps his things.
#[must_use]
pub fn home_paths(files: &[Source]) -> Vec<Finding> {
    search(
        files,
        &HOMES,
        "is a path of one machine: use a path of the tree or a variable",
    )
}

/// Every Rust file but the tests inside of a crate begins with the sentence that says what it is for; so does every public inline module.
#[must_use]
pub fn modules_without_doc(files: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.is_rust() && !is_inner_test(file))
    {
        if !file.text.lines().next().is_some_and(is_doc_sentence) {
            findings.push(Finding::new(
                file,
                1,
                "must begin with `//!` and one sentence: what is this module for?",
            ));
        }
        let mut previous = "";
        for (number, line) in lines_without_tests(file) {
            let opens_module = line.trim_start().starts_with("pub mod ") && line.ends_with('{');
            if opens_module && !previous.trim_start().starts_with("///") {
                findings.push(Finding::new(
                    file,
                    number,
                    "a public module needs a doc sentence",
                ));
            }
            previous = line;
        }
    }
    findings
}

/// Tests that are modules of the crate which they test.
fn is_inner_test(file: &Source) -> bool {
    file.is_test() && file.path.contains("/src/")
}

fn is_doc_sentence(line: &str) -> bool {
    line.strip_prefix("//!")
        .is_some_and(|text| text.split_whitespace().count() >= 3)
}

fn search(files: &[Source], words: &[(&str, &str)], what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (number, line) in file.lines() {
            for word in words
                .iter()
                .map(|(head, tail)| format!("{head}{tail}"))
                .filter(|word| has_mark(line, word))
            {
                findings.push(Finding::new(file, number, format!("`{word}`: {what}")));
            }
        }
    }
    findings
}

/// Whether the mark stands there at the beginning of a word: `$root/x` and `autodo!(` are others.
fn has_mark(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || ['_', '}', '.', '*'].contains(&it))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{places, sample};
    use super::*;

    #[test]
    fn unfinished_work_is_found() {
        let lines: Vec<String> = UNFINISHED
            .iter()
            .map(|(head, tail)| format!("    {head}{tail} x"))
            .collect();
        let lines: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .chain(["all done", "mastodo!()"])
            .collect();
        assert_eq!(
            unfinished(&[sample("a.md", &lines)]).len(),
            UNFINISHED.len()
        );
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let (head, tail) = HOMES[0];
        let bad = format!("see {head}{tail}anna/notes");
        let good = format!("see $HOME{head}{tail}, ${{x}}{head}{tail} and docs{head}{tail}");
        assert_eq!(
            places(&home_paths(&[sample("a.md", &[&good, &bad])])),
            ["a.md:2"]
        );
    }

    #[test]
    fn a_module_that_does_not_say_what_it_is_for_is_found() {
        let files = [
            sample(
                "a.rs",
                &[
                    "//! Reads the sensors of the box.",
                    "",
                    "/// Inner.",
                    "pub mod inner {",
                    "}",
                ],
            ),
            sample("b.rs", &["use core::fmt;"]),
            sample("c.rs", &["//! Module."]),
            sample(
                "d.rs",
                &[
                    "//! Reads the sensors of the box.",
                    "",
                    "pub mod inner {",
                    "}",
                ],
            ),
        ];
        assert_eq!(
            places(&modules_without_doc(&files)),
            ["b.rs:1", "c.rs:1", "d.rs:3"]
        );
    }
}
