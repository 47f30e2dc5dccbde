//! `tidegate bench device`: what this box can do under its config, and how long its card lasts.
//!
//! Times are of this run on this machine, with whatever else runs on it. Bytes are counted by the kernel at the disk that holds
//! the store (Documentation/block/stat.rst), so the file system's own are in them, and whoever else writes there.

mod handshakes;

use core::fmt;
use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use wire::{Alert, SensorName, Summary, Timestamp};

use crate::clock::Clock;
use crate::commit::{Commit, MutationRoom, SealedRow};
use crate::config::Config;
use crate::journal::{ChunkWriter, Entry, Position};
use crate::machine::{Effects, Machine, StateError};
use crate::store::{self, Reply, Request, StoreError, Writer};

use self::handshakes::HandshakeError;

/// Commits that are timed at each size: enough for a p99.
const COMMITS: usize = 300;
/// Readings in one commit: few, as on a small site, and many, as under load.
const READINGS_PER_COMMIT: [u16; 2] = [10, 1_000];
/// Readings that go through the pipeline.
const READINGS: u32 = 200_000;
/// Sensors that they come from.
const SENSORS: u16 = 100;
/// Bytes of a sector in the kernel's counts.
const SECTOR_BYTES: u64 = 512;
/// Engine time of a reading behind the one before, ms.
const EVERY_MS: u64 = 10;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The store of the bench.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's thread ended.
    #[error("the store ended in the middle of a commit")]
    Ended,
    /// The plan does not fit its sizes.
    #[error(transparent)]
    State(#[from] StateError),
    /// TLS.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The folder of the bench.
    #[error("{}: {source}; the bench needs a folder on the disk of the store (`--dir`)", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The site to reckon with.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Readings a second, of all sensors.
    pub readings_per_s: f64,
    /// Bytes that the card is rated for.
    pub card_bytes: f64,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    commits: [Commits; READINGS_PER_COMMIT.len()],
    pipeline_ns: f64,
    handshake_us: f64,
    connections: u16,
    interval_ms: u64,
    site: Site,
}

/// Commits of one size.
#[derive(Clone, Copy, Debug, Default)]
struct Commits {
    readings: u16,
    p50_us: u64,
    p99_us: u64,
    /// Bytes at the disk for each commit; `None` where the kernel does not count them.
    bytes: Option<f64>,
}

/// Measures in a folder of its own inside of `dir`, which is removed again.
///
/// # Errors
/// [`DeviceError`] if the folder cannot be written or the config asks for more than it gives.
pub fn run(config: &Config, dir: &Path, site: Site) -> Result<Measured, DeviceError> {
    let folder = dir.join(format!("bench-{}", std::process::id()));
    let failed = |source| DeviceError::Folder {
        path: folder.clone(),
        source,
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    let measured = measure(config, &folder, site);
    fs::remove_dir_all(&folder).map_err(failed)?;
    measured
}

fn measure(config: &Config, folder: &Path, site: Site) -> Result<Measured, DeviceError> {
    let clock = Clock::start();
    let mut disk = Disk::start(folder, config.store_settings())?;
    let mut commits = [Commits::default(); READINGS_PER_COMMIT.len()];
    for (measured, readings) in commits.iter_mut().zip(READINGS_PER_COMMIT) {
        *measured = disk.time_commits(clock, readings)?;
    }
    Ok(Measured {
        commits,
        pipeline_ns: time_pipeline(config, clock)?,
        handshake_us: handshakes::time(clock)?,
        connections: config.broker.connections_max,
        interval_ms: config.store.commit_interval.0,
        site,
    })
}

/// A store of its own, waited for.
struct Disk {
    writer: Writer,
    replies: Receiver<Reply>,
    counter: Option<PathBuf>,
    commit: Option<Box<Commit>>,
    position: Position,
}

impl Disk {
    fn start(folder: &Path, settings: store::Settings) -> Result<Self, DeviceError> {
        let (_, opened) = store::open(folder, settings)?;
        let (sender, replies) = sync_channel(1);
        let writer = opened.start(move |reply| {
            // The bench may have given up.
            let _ = sender.send(reply);
        })?;
        Ok(Self {
            writer,
            replies,
            counter: counter_of(folder),
            commit: Some(Box::new(Commit::new(MutationRoom::default()))),
            position: Position(0),
        })
    }

    fn time_commits(&mut self, clock: Clock, readings: u16) -> Result<Commits, DeviceError> {
        let before = self.bytes_at_disk();
        let mut times = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let begun = clock.micros();
            self.commit(readings)?;
            times.push(clock.micros() - begun);
        }
        times.sort_unstable();
        let bytes = before
            .zip(self.bytes_at_disk())
            .map(|(before, after)| (after - before) as f64 / COMMITS as f64);
        Ok(Commits {
            readings,
            p50_us: times[COMMITS / 2],
            p99_us: times[COMMITS * 99 / 100],
            bytes: bytes.filter(|bytes| *bytes > 0.0),
        })
    }

    fn commit(&mut self, readings: u16) -> Result<(), DeviceError> {
        let mut commit = self.commit.take().ok_or(DeviceError::Ended)?;
        commit.clear();
        let instant = pipeline::Instant(self.position.0 * EVERY_MS);
        let wall = Timestamp(instant.0.cast_signed());
        let mut chunk = ChunkWriter::begin(&mut commit.journal, self.position, instant);
        for number in 0..readings {
            let entry = reading(u64::from(number));
            let pushed = chunk.push(&mut commit.journal, instant, wall, &entry);
            debug_assert!(pushed.is_ok(), "a chunk has room for a thousand readings");
        }
        chunk.finish(&mut commit.journal);
        commit.position = chunk.first().0;
        self.position = chunk.end();
        self.writer
            .request(Request::Commit(commit))
            .map_err(|_| DeviceError::Ended)?;
        match self.replies.recv() {
            Ok(Reply::Committed { commit, .. }) => {
                self.commit = Some(commit);
                Ok(())
            }
            Ok(Reply::CommitFailed { error, .. }) => Err(error.into()),
            _ => Err(DeviceError::Ended),
        }
    }

    fn bytes_at_disk(&self) -> Option<u64> {
        let text = fs::read_to_string(self.counter.as_ref()?).ok()?;
        let sectors: u64 = text.split_whitespace().nth(6)?.parse().ok()?;
        Some(sectors * SECTOR_BYTES)
    }
}

/// The kernel's counts of the disk that holds a folder; file systems without a disk have none.
fn counter_of(folder: &Path) -> Option<PathBuf> {
    let device = fs::metadata(folder).ok()?.st_dev();
    let (major, minor) = (
        (device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000),
        (device & 0xff) | (device >> 12 & 0xffff_ff00),
    );
    let path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
    path.exists().then_some(path)
}

fn reading(number: u64) -> Entry<'static> {
    Entry::Reading {
        sensor: (number % u64::from(SENSORS)) as u16,
        time: Some(Timestamp((number * EVERY_MS).cast_signed())),
        value: 20.0 + (number % 97) as f64 / 10.0,
    }
}

/// CPU time of a reading on its way through the machine, ns.
fn time_pipeline(config: &Config, clock: Clock) -> Result<f64, DeviceError> {
    let plan = config.plan().unwrap_or_default();
    let mut machine = Machine::new(&plan, &config.sizes())?;
    let mut nothing = Nothing;
    let start = pipeline::Instant(0);
    machine.apply(
        start,
        &Entry::Boot {
            offset_ms: 0,
            clock: wire::Clock::Synced,
        },
        &mut nothing,
    );
    for number in 0..SENSORS {
        let device = format!("device-{number}");
        let entry = Entry::Sensor {
            device: &device,
            signal: "t",
        };
        machine.apply(start, &entry, &mut nothing);
    }
    let begun = clock.micros();
    for number in 0..u64::from(READINGS) {
        let instant = pipeline::Instant(number * EVERY_MS);
        while machine.deadline().is_some_and(|due| due <= instant) {
            machine.apply(instant, &Entry::Tick, &mut nothing);
        }
        machine.apply(instant, &reading(number), &mut nothing);
    }
    Ok((clock.micros() - begun) as f64 * 1_000.0 / f64::from(READINGS))
}

/// What follows from the readings is thrown away.
struct Nothing;

impl Effects for Nothing {
    fn alert(&mut self, _: &Alert<'_>) {}

    fn average(&mut self, _: &Summary, _: SensorName<'_>, _: &[f64]) {}

    fn seal(&mut self, _: &SealedRow<'_>) {}
}

impl Measured {
    /// Commits and bytes a second at the site, by what a commit of its size takes.
    fn at_site(&self) -> (f64, Option<f64>) {
        let commits_per_s = self
            .site
            .readings_per_s
            .min(1_000.0 / self.interval_ms.max(1) as f64);
        let readings = self.site.readings_per_s / commits_per_s;
        let [few, many] = &self.commits;
        let bytes = few.bytes.zip(many.bytes).map(|(low, high)| {
            let per_reading = (high - low) / f64::from(many.readings - few.readings);
            (low + (readings - f64::from(few.readings)) * per_reading.max(0.0)) * commits_per_s
        });
        (commits_per_s, bytes)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28}{:>12}{:>12}{:>14}{:>14}",
            "commit of", "p50, ms", "p99, ms", "readings/s", "bytes at disk"
        )?;
        for commits in &self.commits {
            let rate = f64::from(commits.readings) * 1e6 / commits.p50_us.max(1) as f64;
            let bytes = commits
                .bytes
                .map_or("not counted".to_owned(), |bytes| format!("{bytes:.0}"));
            writeln!(
                f,
                "{:<28}{:>12.2}{:>12.2}{rate:>14.0}{bytes:>14}",
                format!("{} readings", commits.readings),
                commits.p50_us as f64 / 1e3,
                commits.p99_us as f64 / 1e3,
            )?;
        }
        writeln!(
            f,
            "pipeline: {:.0} ns a reading, {:.0} readings a second",
            self.pipeline_ns,
            1e9 / self.pipeline_ns.max(1.0)
        )?;
        writeln!(
            f,
            "TLS: {:.2} ms of a core for a full handshake (ECDSA P-256), {:.0} a second; all {} clients are back after {:.1} s",
            self.handshake_us / 1e3,
            1e6 / self.handshake_us.max(1.0),
            self.connections,
            self.handshake_us * f64::from(self.connections) / 1e6
        )?;
        let (commits_per_s, bytes) = self.at_site();
        write!(
            f,
            "{} readings a second at commit_interval = {} ms: {commits_per_s:.1} commits a second",
            self.site.readings_per_s, self.interval_ms
        )?;
        if let Some(bytes_per_s) = bytes.filter(|bytes| *bytes > 0.0) {
            let per_day = bytes_per_s * 86_400.0;
            write!(
                f,
                ", {:.2} GB a day to the card, {:.1} years of one rated {:.0} TB",
                per_day / 1e9,
                self.site.card_bytes / per_day / 365.25,
                self.site.card_bytes / 1e12
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(bytes: [f64; 2], interval_ms: u64, readings_per_s: f64) -> Measured {
        let [few, many] = READINGS_PER_COMMIT;
        let commits = [(few, bytes[0]), (many, bytes[1])].map(|(readings, bytes)| Commits {
            readings,
            p50_us: 1_000,
            p99_us: 2_000,
            bytes: Some(bytes),
        });
        Measured {
            commits,
            pipeline_ns: 500.0,
            handshake_us: 2_000.0,
            connections: 250,
            interval_ms,
            site: Site {
                readings_per_s,
                card_bytes: 10e12,
            },
        }
    }

    #[track_caller]
    fn check(measured: &Measured, commits_per_s: f64, bytes_per_s: f64) {
        let (commits, bytes) = measured.at_site();
        assert!((commits - commits_per_s).abs() < 1e-9, "{commits}");
        let bytes = bytes.expect("counted");
        assert!((bytes - bytes_per_s).abs() < 1e-6 * bytes_per_s, "{bytes}");
    }

    #[test]
    fn commits_are_as_many_as_the_interval_allows_and_no_more_than_readings() {
        // 100 readings a second in 10 commits: 10 readings each, as was measured.
        check(&measured([8_192.0, 32_768.0], 100, 100.0), 10.0, 81_920.0);
        // One reading a second is one commit a second, however short the interval.
        let per_reading = (32_768.0 - 8_192.0) / 990.0;
        check(
            &measured([8_192.0, 32_768.0], 10, 1.0),
            1.0,
            8_192.0 - 9.0 * per_reading,
        );
        check(
            &measured([8_192.0, 32_768.0], 1_000, 1_000.0),
            1.0,
            32_768.0,
        );
    }

    #[test]
    fn the_report_says_how_long_a_card_lasts() {
        let text = measured([8_192.0, 32_768.0], 100, 100.0).to_string();
        assert!(
            text.contains("10.0 commits a second, 7.08 GB a day"),
            "{text}"
        );
        assert!(text.contains("3.9 years of one rated 10 TB"), "{text}");
    }

    #[test]
    fn the_report_says_when_all_clients_are_back() {
        let text = measured([8_192.0, 32_768.0], 100, 100.0).to_string();
        assert!(
            text.contains("500 a second; all 250 clients are back after 0.5 s"),
            "{text}"
        );
    }

    #[test]
    fn a_box_is_measured_and_nothing_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n[store]\ndir = \"{}\"\n",
            dir.path().display()
        );
        let source = crate::config::Source {
            path: "bench.toml".into(),
            text,
        };
        let config = Config::from_source(&source).expect("valid");
        let site = Site {
            readings_per_s: 100.0,
            card_bytes: 10e12,
        };
        let measured = run(&config, dir.path(), site).expect("measured");
        assert!(measured.pipeline_ns > 0.0);
        assert!(measured.handshake_us > 0.0);
        assert!(measured.commits.iter().all(|commits| commits.p50_us > 0));
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
    }
}
