//! `tidegate demo`: the whole job on one machine, with nothing to install.
//!
//! Simulated sensors publish over real MQTT to a gateway that is like any other; faults come and go; the
//! upstream goes away and comes back; a consumer counts every acknowledged reading in Kafka. What the view
//! shows of the gateway comes by MQTT, as any user gets it. For what the embedded Kafka lacks, see `upstream`.

mod site;
mod news;
mod client;
mod sensors;
mod observer;
mod upstream;
mod ledger;
mod picture;
mod view;
mod terminal;
mod summary;
mod stage;

use core::net::SocketAddr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::{Builder, JoinHandle};

use anyhow::{Context, bail};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::run::Exit;
use crate::start;

use news::{NEWS_MAX, News};
use picture::Picture;
use sensors::Site;
use site::Script;
use stage::Stage;
use terminal::Terminal;
use upstream::Upstream;

/// Stack of the gateway's thread: what the first thread of a process has, where it runs otherwise.
const STACK_BYTES: usize = 8 << 20;

/// Runs the demo for `seconds`, or until it is stopped; the broker listens on `port` of 127.0.0.1, or on a free
/// one. The exit code says whether every acknowledged reading was in Kafka exactly once.
///
/// # Errors
/// A part cannot start, or standard output is closed.
pub fn run(seconds: Option<u64>, port: Option<u16>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, perform(Script { seconds }, port.unwrap_or(0)))
}

async fn perform(script: Script, port: u16) -> anyhow::Result<ExitCode> {
    let clock = Clock::start();
    let seed = getrandom::u64().context("the system gives no random number")?;
    let dir = TemporaryDir::create(seed)?;
    let (news, told) = mpsc::channel(NEWS_MAX);
    let upstream = Upstream::start(news.clone())?;
    let config = site::config(port, &dir.path, &upstream.bootstrap())?;
    let gateway = Gateway::start(config, news.clone()).await?;

    let mut terminal = Terminal::open();
    let devices = site::devices()?;
    terminal.print(&format!(
        " MQTT on {}, store in {}, Kafka on {} (in this process)",
        gateway.address,
        dir.path.display(),
        upstream.bootstrap()
    ))?;
    let observer = observer::start(gateway.address, news.clone()).await?;
    let (stop_sensors, stop) = watch::channel(false);
    sensors::start(
        &devices,
        script,
        &Site {
            broker: gateway.address,
            clock,
            seed,
            news,
            stop,
        },
    );
    let picture = Picture::new(&devices);
    let stage = Stage::new(script, clock, picture, told, &upstream, stop_sensors);
    let (picture, run) = stage.play(&mut terminal).await?;
    // The gateway ends next, and all connections with it.
    drop(observer);
    gateway.stop();
    terminal.print(&summary::summary(&picture, &run))?;
    Ok(if summary::is_kept(&picture) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A gateway on a thread of its own.
struct Gateway {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Gives why it ended, if nobody asked it to.
    thread: JoinHandle<Option<String>>,
}

impl Gateway {
    /// Starts it, and waits until it listens.
    async fn start(config: Config, news: mpsc::Sender<News>) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (ready, listening) = oneshot::channel();
        let thread = Builder::new()
            .name("gateway".into())
            .stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            let result = start::run(&config, stopped, |addresses| {
                // Who waits for the address waits until it is there; there is always one.
                let _ = addresses.first().map(|address| ready.send(*address));
            });
            let why = match result {
                Ok(Exit::Asked) => return None,
                Ok(exit) => exit.to_string(),
                Err(error) => error.to_string(),
            };
            // The loop is gone only when the demo ends.
            let _ = news.blocking_send(News::GatewayEnded(why.clone()));
            Some(why)
        })?;
        match listening.await {
            Ok(address) => Ok(Self {
                address,
                stop,
                thread,
            }),
            Err(_) => match thread.join() {
                Ok(Some(why)) => {
                    bail!("the gateway cannot start: {why}; a free port is found without --port")
                }
                Ok(None) | Err(_) => bail!("the gateway ended before it listened"),
            },
        }
    }

    fn stop(self) {
        // It may have ended already; a panic has been reported by its hook.
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

/// A folder that is removed in the end.
struct TemporaryDir {
    path: PathBuf,
}

impl TemporaryDir {
    /// Makes a new one that is nobody else's business.
    fn create(seed: u64) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("tidegate-demo-{seed:016x}"));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| {
            format!(
                "cannot make {}; set TMPDIR to a folder with room",
                path.display()
            )
        })?;
        Ok(Self { path })
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // What cannot be removed stays where temporary files are.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Resident memory of this process, bytes; `None` where the system does not say.
fn memory_bytes() -> Option<u64> {
    // In KiB there, while statm counts pages, whose size differs between machines.
    let status = fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temporary_folder_goes_with_its_owner() {
        let dir = TemporaryDir::create(getrandom::u64().expect("a number")).expect("a folder");
        let path = dir.path.clone();
        fs::write(path.join("file"), "x").expect("written");
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn memory_is_read_where_the_system_says_it() {
        let known = Path::new("/proc/self/status").exists();
        assert_eq!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20), known);
    }
}
