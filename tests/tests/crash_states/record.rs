//! What a process asked of its disk, in order, as `strace` saw it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::oracle::Said;

/// System calls that change files, or make the changes durable.
const CALLS: &str = "trace=openat,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,unlink,unlinkat,rename,renameat2,mmap";

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file was made, if it was not there.
    Create(String),
    /// Bytes were written.
    Write {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    /// A file has this length now.
    Truncate { file: String, len: usize },
    /// What was written so far is durable.
    Sync(Place),
    /// A name was taken out of the folder.
    Unlink(String),
    /// The gateway told somebody something.
    Said(Said),
}

/// What a sync was for.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(String),
    Folder,
}

/// Lets `test` live in `dir` as a child under strace; `None` where there is none.
pub(crate) fn record(test: &str, variable: &str, dir: &Path) -> Option<Vec<Op>> {
    let log = dir.join("calls");
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-y", "-xx", "-s", "10000000", "-e", CALLS, "-o"])
        .arg(&log)
        .arg(std::env::current_exe().expect("the path of the tests"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(variable, dir)
        .stdout(Stdio::null());
    let status = traced.status().ok()?;
    assert!(status.success(), "the child lives to its end");
    let calls = fs::read_to_string(log).expect("what strace wrote");
    let ops = read(&calls, dir);
    assert!(ops.len() > 100, "strace wrote down what was done");
    Some(ops)
}

fn read(calls: &str, dir: &Path) -> Vec<Op> {
    let reader = Reader {
        store: format!("{}/", dir.join("store").display()),
        said: dir.join("said").display().to_string(),
    };
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut ops = Vec::new();
    for line in calls.lines() {
        let (process, call) = line.split_once(' ').expect("process and call");
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, first);
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").expect("the call goes on");
            let first = begun.remove(process).expect("it began");
            ops.extend(reader.op(&format!("{first}{rest}")));
        } else {
            ops.extend(reader.op(call));
        }
    }
    ops
}

struct Reader {
    /// Folder of the store, with a slash.
    store: String,
    /// The file in which the child writes what it says.
    said: String,
}

impl Reader {
    /// The call's meaning for the store, if it has one.
    fn op(&self, call: &str) -> Option<Op> {
        let (name, rest) = call.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(") = ")?;
        if result.starts_with('-') {
            return None;
        }
        let mut arguments = arguments.split(", ");
        let first = arguments.next()?;
        let path = path_of(first)?;
        if name == "write" && path == self.said {
            let line = unquote(arguments.next()?);
            return Some(Op::Said(
                serde_json::from_slice(&line).expect("what the child says"),
            ));
        }
        if name == "openat" {
            let file = self.file(&String::from_utf8(unquote(arguments.next()?)).ok()?)?;
            return call.contains("O_CREAT").then_some(Op::Create(file));
        }
        if name == "mmap" {
            assert!(
                !call.contains(&hex(&self.store)),
                "a mapped file is written unseen: {call}"
            );
            return None;
        }
        if name == "unlink" {
            return Some(Op::Unlink(self.file(&path)?));
        }
        if name == "fsync" && format!("{path}/") == self.store {
            return Some(Op::Sync(Place::Folder));
        }
        let file = self.file(&path)?;
        match name {
            "fsync" | "fdatasync" => Some(Op::Sync(Place::File(file))),
            "ftruncate" => Some(Op::Truncate {
                file,
                len: arguments.next()?.parse().ok()?,
            }),
            "pwrite64" => {
                let bytes = unquote(arguments.next()?);
                let written: usize = result.trim().parse().ok()?;
                assert_eq!(written, bytes.len(), "written whole");
                let offset = arguments.nth(1)?.parse().ok()?;
                Some(Op::Write {
                    file,
                    offset,
                    bytes,
                })
            }
            _ => panic!("a call on the store that is not understood: {name}"),
        }
    }

    /// The name of a file of the store.
    fn file(&self, path: &str) -> Option<String> {
        path.strip_prefix(&self.store).map(str::to_owned)
    }
}

/// The path of a descriptor (`3<path>`) or of an argument (`"path"`).
fn path_of(argument: &str) -> Option<String> {
    let escaped = match argument.split_once('<') {
        // A file without a name cannot come back.
        Some((_, path)) if path.ends_with("(deleted)") => return None,
        Some((_, path)) => path.strip_suffix('>')?,
        None => argument,
    };
    String::from_utf8(unquote(escaped)).ok()
}

/// Bytes that strace wrote as `\x2f\x64`.
fn unquote(text: &str) -> Vec<u8> {
    text.trim_matches('"')
        .split("\\x")
        .skip(1)
        .map(|digits| u8::from_str_radix(digits, 16).expect("two hex digits"))
        .collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}
