//! The rules of the tree which no compiler holds: text searches over all files, each with a test on a bad example.
//!
//! `tests/tidy.rs` runs them over the tree and holds the lists of known exceptions, which may only shrink.

pub mod papers;
pub mod rings;
pub mod rust;
pub mod size;
pub mod words;

use core::fmt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// A text file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Path from the root of the tree, with slashes.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// A file as it would stand at `path`.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is test code: `tests.rs`, or in a folder `tests` or `benches` below a package.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self
                .path
                .split('/')
                .skip(1)
                .any(|part| part == "tests" || part == "benches")
    }
}

/// Where a rule is broken, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Path of the file.
    pub path: String,
    /// Line in it, from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub text: String,
}

impl Finding {
    /// A finding in `source` at `line`.
    #[must_use]
    pub fn new(source: &Source, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// All text files under `root` which git tracks or would track. Files that are not UTF-8 are left out.
///
/// # Errors
/// When `git` cannot be run there or a file cannot be read.
pub fn read_tree(root: &Path) -> io::Result<Vec<Source>> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()?;
    if !listed.status.success() {
        return Err(io::Error::other(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr)
        )));
    }
    let mut sources = Vec::new();
    for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        match fs::read_to_string(root.join(path)) {
            Ok(text) => sources.push(Source::new(path, text)),
            // Binary; or deleted in the work tree and not yet in the index; or a link to a folder.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::NotFound
                ) => {}
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

/// A path's place in tests of rules: one file with these lines.
#[cfg(test)]
pub(crate) fn sample(path: &str, lines: &[&str]) -> Source {
    Source::new(path, lines.join("\n") + "\n")
}

/// Where the findings are, as `path:line`.
#[cfg(test)]
pub(crate) fn places(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| format!("{}:{}", finding.path, finding.line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_known_by_its_place() {
        for path in [
            "gateway/src/journal/tests.rs",
            "gateway/wire/tests/golden.rs",
            "tests/tests/tidy.rs",
        ] {
            assert!(Source::new(path, "").is_test(), "{path}");
        }
        for path in [
            "tests/src/clock.rs",
            "gateway/src/engine.rs",
            "gateway/src/latests.rs",
        ] {
            assert!(!Source::new(path, "").is_test(), "{path}");
        }
    }
}
