//! A phase as a process of its own: the program itself as a person would call it, or a command of the shell.

use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What is to be run.
pub(super) struct Job {
    program: PathBuf,
    words: Vec<String>,
    is_silent: bool,
}

impl Job {
    /// A command of this program.
    pub(super) fn of(words: &[String]) -> Self {
        Self {
            // Whoever replaces the program while it runs gets the one of its name.
            program: std::env::current_exe().unwrap_or_else(|_| "sensor-sim".into()),
            words: words.to_vec(),
            is_silent: false,
        }
    }

    /// A command of the shell.
    pub(super) fn shell(command: &str) -> Self {
        Self {
            program: "sh".into(),
            words: vec!["-c".to_owned(), command.to_owned()],
            is_silent: false,
        }
    }

    /// Its words for people go into a file, too.
    pub(super) const fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }
}

/// A process, which ends with whoever waits for it; or only a time.
pub(super) struct Child {
    process: Option<std::process::Child>,
    name: String,
    pause: Duration,
    out: PathBuf,
    words: PathBuf,
}

/// What a process printed.
pub(super) struct Output(String);

impl Output {
    /// As JSON.
    pub(super) fn json(&self) -> Result<Value> {
        if self.0.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&self.0).context("the command printed no JSON")
    }
}

impl Child {
    /// Starts `job`; what it prints goes to files at `place`.
    pub(super) fn start(job: &Job, place: &Path) -> Result<Self> {
        let name = format!("{} {}", job.program.display(), job.words.join(" "));
        let (out, words) = (place.with_extension("out"), place.with_extension("log"));
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot write {}", path.display()))
        };
        let mut command = Command::new(&job.program);
        command
            .args(&job.words)
            .stdin(Stdio::null())
            .stdout(create(&out)?);
        if job.is_silent {
            command.stderr(create(&words)?);
        }
        let process = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            process: Some(process),
            name,
            pause: Duration::ZERO,
            out,
            words,
        })
    }

    /// Nothing for a while.
    pub(super) fn pause(span: Duration) -> Self {
        Self {
            process: None,
            name: String::new(),
            pause: span,
            out: PathBuf::new(),
            words: PathBuf::new(),
        }
    }

    /// Waits until it has said `words`, which must go into a file.
    pub(super) async fn says(&mut self, words: &str, within: Duration) -> Result<()> {
        let looks = within.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            let said = fs::read_to_string(&self.words).unwrap_or_default();
            if said.contains(words) {
                return Ok(());
            }
            let ended = self.process.as_mut().map(std::process::Child::try_wait);
            if let Some(Ok(Some(status))) = ended {
                bail!("{} ended at once ({status}): {}", self.name, said.trim());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!(
            "{} did not say {words:?} within {} s",
            self.name,
            within.as_secs()
        )
    }

    /// Waits for its end; its exit code must be one of these.
    pub(super) async fn end(mut self, codes: &[i32]) -> Result<Output> {
        tokio::time::sleep(self.pause).await;
        let Some(process) = &mut self.process else {
            return Ok(Output(String::new()));
        };
        let status = loop {
            match process.try_wait()? {
                Some(status) => break status,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        ensure!(
            status.code().is_some_and(|code| codes.contains(&code)),
            "{} ended with {status}; {}",
            self.name,
            fs::read_to_string(&self.words).unwrap_or_default().trim()
        );
        Ok(Output(fs::read_to_string(&self.out).unwrap_or_default()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // One that has ended already can't be killed, and need not.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
