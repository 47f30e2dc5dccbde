//! Which normative statements of MQTT have something that shows them, by `tests/broker/clauses.txt`: the words of that file are
//! held against the conversation table of the broker, its code, and the programs that drive the process.

#![expect(
    clippy::expect_used,
    reason = "a test ends where a file of its own tree is missing"
)]

use core::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Statements in the appendices of the two standards, and those of chapter 6 and 7.
const STATEMENTS_311: usize = 141;
const STATEMENTS_5: usize = 251;

/// What shows that a statement is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence<'t> {
    /// A row of the conversation table that names it.
    Named,
    /// This row.
    Row(&'t str),
    /// The code where it obeys.
    Code,
    /// These words in a program of the tests.
    Suite(&'t str),
    /// Nothing: it binds clients only.
    Client,
    /// Nothing, for this reason.
    None(&'t str),
}

#[derive(Clone, Copy, Debug)]
struct Statement<'t> {
    version: &'t str,
    number: &'t str,
    words: &'t str,
    evidence: Evidence<'t>,
}

fn parse(line: &str) -> Statement<'_> {
    let (what, evidence) = line.split_once(" | ").unwrap_or((line, ""));
    let mut parts = what.splitn(3, ' ');
    let (Some(version @ ("4" | "5")), Some(number), Some(words)) =
        (parts.next(), parts.next(), parts.next())
    else {
        panic!("clauses.txt: `{line}` is not VERSION NUMBER WORDS");
    };
    let evidence = match evidence.split_once(' ').unwrap_or((evidence, "")) {
        ("", "") => Evidence::Named,
        ("code", "") => Evidence::Code,
        ("client", "") => Evidence::Client,
        ("row", text) if !text.is_empty() => Evidence::Row(text),
        ("suite", text) if !text.is_empty() => Evidence::Suite(text),
        ("none", reason) if reason.len() > 10 => Evidence::None(reason),
        _ => panic!("clauses.txt: `{line}` has no evidence of a known kind"),
    };
    Statement {
        version,
        number,
        words,
        evidence,
    }
}

/// Where evidence is looked for.
struct Sources {
    /// Names of the rows of the conversation table, with their version.
    rows: Vec<String>,
    code: String,
    programs: String,
}

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let broker = root.join("gateway/src/broker");
        let (mut rows, mut code) = (Vec::new(), String::new());
        for path in files(&broker) {
            let text = fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(&broker).expect("a file below it");
            if path.components().any(|part| part.as_os_str() == "tests") {
                rows.extend(text.lines().filter_map(row_name));
            } else {
                code += &text;
            }
        }
        let programs = ["broker/demands.py", "hostile/cases.py", "sessions/run"];
        let read = |path: &str| {
            fs::read_to_string(root.join("tests").join(path)).expect("a program of the tests")
        };
        Self {
            rows,
            code,
            programs: programs.map(read).concat(),
        }
    }

    fn has_row(&self, version: &str, text: &str) -> bool {
        self.rows
            .iter()
            .any(|row| row.strip_prefix(version) == Some(text))
    }

    fn show(&self, statement: Statement<'_>) -> bool {
        let Statement {
            version, number, ..
        } = statement;
        let name = format!("[MQTT-{number}]");
        match statement.evidence {
            Evidence::Named => self
                .rows
                .iter()
                .any(|row| row.starts_with(&format!("{version}: {name} "))),
            Evidence::Row(text) => self.has_row(version, &format!(": {text}")),
            Evidence::Code => self.code.contains(&name),
            Evidence::Suite(text) => self.programs.contains(text),
            Evidence::Client | Evidence::None(_) => true,
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The name of a row: a string alone in its line which begins with a version.
fn row_name(line: &str) -> Option<String> {
    let name = line.trim().strip_prefix('"')?.strip_suffix("\",")?;
    name.starts_with(['4', '5'])
        .then(|| name.replace("\\\"", "\""))
}

fn statements() -> Vec<Statement<'static>> {
    include_str!("../broker/clauses.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(parse)
        .collect()
}

#[test]
fn every_normative_statement_is_shown_or_excused() {
    let sources = Sources::read();
    let (mut report, mut missing) = (String::new(), String::new());
    for (version, name) in [("4", "3.1.1"), ("5", "5.0")] {
        let (mut shown, mut clients, mut excused) = (0, 0, 0);
        for statement in statements().iter().filter(|it| it.version == version) {
            let Statement { number, words, .. } = statement;
            match statement.evidence {
                Evidence::Client => clients += 1,
                Evidence::None(reason) => {
                    excused += 1;
                    let _ = writeln!(
                        report,
                        "  {name} [MQTT-{number}] {words}: not here, {reason}"
                    );
                }
                _ if sources.show(*statement) => shown += 1,
                evidence => {
                    let _ = writeln!(missing, "  {name} [MQTT-{number}] {words}: {evidence:?}");
                }
            }
        }
        let _ = writeln!(
            report,
            "MQTT {name}: {shown} shown, {clients} bind clients only, {excused} do not apply"
        );
    }
    println!("{report}");
    assert!(missing.is_empty(), "nothing shows these:\n{missing}");
}

#[test]
fn every_statement_stands_once_in_the_list() {
    let mut numbers: Vec<_> = statements()
        .iter()
        .map(|it| (it.version, it.number))
        .collect();
    let count = |version| numbers.iter().filter(|it| it.0 == version).count();
    assert_eq!((count("4"), count("5")), (STATEMENTS_311, STATEMENTS_5));
    numbers.sort_unstable();
    let twice: Vec<_> = numbers
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
}
