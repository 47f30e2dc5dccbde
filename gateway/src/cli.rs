//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use wire::Timestamp;

use crate::controller;
use crate::outbox::Lane;
use crate::queue::{self, Format, Selection, SensorPattern};

/// An MQTT edge gateway whose acknowledgement means safe on disk.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, long_about = None)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and it is parsed once"
)]
pub enum Command {
    /// Runs the gateway (what systemd runs).
    Run {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// Sets a key over all layers, as KEY=VALUE.
        #[arg(long)]
        set: Vec<String>,
        /// Logs more; twice: everything.
        #[arg(long, short, action = clap::ArgAction::Count)]
        verbose: u8,
    },
    /// Checks the config without starting; exit 0, or 78 with what is wrong.
    Check {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// Sets a key over all layers, as KEY=VALUE.
        #[arg(long)]
        set: Vec<String>,
    },
    /// Shows the whole job on this machine: sensors, faults, alerts, an outage, exactly once.
    Demo {
        /// Runs until it is stopped, not for one minute.
        #[arg(long)]
        forever: bool,
        /// How long it runs, seconds.
        #[arg(long, default_value_t = 60, conflicts_with = "forever", value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Port of the broker on 127.0.0.1; a free one if absent.
        #[arg(long)]
        port: Option<u16>,
    },
    /// Replays the journal of a stopped gateway and compares the state with each checkpoint; exit 1 if one differs.
    Replay {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// Takes the journal through this config beside that of the gateway instead, and shows which values, alerts and averages
        /// would be others; exit 1 if any. Both see one batch interval without a reading at the end.
        #[arg(long, value_name = "NEW")]
        diff: Option<PathBuf>,
    },
    /// Measures: the pipeline on public data, beside what is published; this box.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        bench: Bench,
    },
    /// Writes what waits in the store of a stopped gateway to standard output, in the order of forwarding.
    Export(Export),
    /// What waits to be forwarded in the store of a stopped gateway.
    Queue {
        /// What to do.
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// Checks or copies the store of a stopped gateway.
    Store {
        /// What to do.
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Adds, lists, rotates and removes devices and their tokens; a gateway that runs follows.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Shows the config that holds.
    Config {
        /// What of it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Signs config for a fleet of gateways, rolls it out, and shows what they say. Runs on a laptop.
    Fleet {
        /// What to do.
        #[command(subcommand)]
        command: controller::FleetCommand,
    },
    /// Adds or changes a user of the broker; the password is read from standard input.
    Passwd {
        /// The credentials file; made if it does not exist.
        file: PathBuf,
        /// Name of the user.
        user: String,
        /// Makes a random 256-bit device token instead, and prints it once.
        #[arg(long)]
        token: bool,
        /// What it may do: a role of the file; a new file has `device` and `operator`.
        #[arg(long, default_value = "device")]
        role: String,
    },
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// How early and how rightly the detectors tell of faults, by the rules of public benchmarks.
    Accuracy {
        /// Folder with nab, skab, wsn, telemetry and cmapss, or some of them.
        #[arg(long, env = "TIDEGATE_DATA")]
        data: PathBuf,
        /// Folder for the score of each row as CSV, in the form of the benchmarks' own scorers.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Folder for a drawing of each file as SVG: as sent, cleaned, quality, averages, alarms beside labels, and what was foretold.
        #[arg(long)]
        plots: Option<PathBuf>,
    },
    /// How near to the truth the values come that are cleaned of known faults.
    Cleaning {
        /// Folder with clean/*.csv: healthy series, `timestamp,value`.
        #[arg(long, env = "TIDEGATE_DATA")]
        data: PathBuf,
    },
    /// What this box can do under its config, and how long its card lasts.
    Device {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// A folder on the disk of the store; the store's own by default.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Readings a second of the site.
        #[arg(long, default_value_t = 100.0)]
        readings_per_second: f64,
        /// Bytes that the card is rated for, in TB (10^12).
        #[arg(long, default_value_t = 10.0)]
        card_tb: f64,
    },
}

/// The verbs of `tidegate device`.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Adds a device and prints its token, once.
    Add {
        /// Its name.
        device: String,
        /// What it may do: a role of the file; a new file has `device` and `operator`.
        #[arg(long, default_value = "device")]
        role: String,
        /// The file.
        #[command(flatten)]
        file: CredentialsFile,
    },
    /// Takes a device out; its sessions are closed.
    Rm {
        /// Its name.
        device: String,
        /// The file.
        #[command(flatten)]
        file: CredentialsFile,
    },
    /// Lists names, roles, and by what each proves itself.
    List(CredentialsFile),
    /// Gives a device a new token and prints it, once; the old one is void at once.
    Rotate {
        /// Its name.
        device: String,
        /// The file.
        #[command(flatten)]
        file: CredentialsFile,
    },
}

/// Which credentials.
#[derive(Debug, Args)]
pub struct CredentialsFile {
    /// The credentials file; made if it does not exist.
    #[arg(
        long,
        short,
        env = "TIDEGATE_CREDENTIALS",
        default_value = "/etc/tidegate/credentials.toml"
    )]
    pub file: PathBuf,
}

/// The verbs of `tidegate queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Lists rows, readings and bytes of each lane.
    Ls(ConfigFile),
    /// Decodes every row; exit 1 at the first that is not sound.
    Verify(ConfigFile),
    /// The same as `tidegate export`.
    Export(Export),
    /// Gives up the batches that wait, and leaves a record of the gap; alerts stay. Says what is lost; without --yes only that.
    Purge {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// Does it.
        #[arg(long)]
        yes: bool,
    },
}

/// What is exported, and how.
#[derive(Debug, Args)]
pub struct Export {
    /// The gateway.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Which lane.
    #[arg(long, value_parser = parse_lane, default_value = "telemetry")]
    pub lane: Lane,
    /// One object a line, or a table. For Parquet see tests/consumers/python/tidegate_frame.py in the sources.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,
    /// Only from this event time on: 2026-01-31, 2026-01-31T12:00:00 (UTC), or ms since 1970.
    #[arg(long, value_name = "TIME", value_parser = queue::parse_time, allow_negative_numbers = true)]
    pub from: Option<Timestamp>,
    /// Only before this event time.
    #[arg(long, value_name = "TIME", value_parser = queue::parse_time, allow_negative_numbers = true)]
    pub to: Option<Timestamp>,
    /// Only this sensor, DEVICE or DEVICE/SIGNAL; * is any text. May be given several times.
    #[arg(long, value_name = "SENSOR")]
    pub sensor: Vec<SensorPattern>,
}

impl Export {
    /// What of the store is meant.
    #[must_use]
    pub fn selection(&self) -> Selection {
        let all = Selection::all(self.lane);
        Selection {
            from: self.from.unwrap_or(all.from),
            to: self.to.unwrap_or(all.to),
            sensors: self.sensor.clone(),
            ..all
        }
    }
}

/// The verbs of `tidegate store`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Reads every page and every row; exit 1 at the first finding.
    Check(ConfigFile),
    /// Copies the store into a folder, and checks the copy.
    Backup {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// The folder; it is made, and must hold no store yet.
        to: PathBuf,
    },
}

/// Which gateway.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// Config file of the gateway.
    #[arg(
        long,
        short,
        env = "TIDEGATE_CONFIG",
        default_value = "/etc/tidegate/gateway.toml"
    )]
    pub config: PathBuf,
}

fn parse_lane(name: &str) -> Result<Lane, String> {
    Lane::ALL
        .into_iter()
        .find(|lane| queue::name_of(*lane) == name)
        .ok_or_else(|| "there are alerts, gaps, aggregates and telemetry".to_owned())
}

/// What of the config is shown.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every key with its value, under the layers that are good.
    Show {
        /// The gateway.
        #[command(flatten)]
        config: ConfigFile,
        /// Sets a key over all layers, as KEY=VALUE.
        #[arg(long)]
        set: Vec<String>,
        /// Says of each value where it comes from.
        #[arg(long)]
        origin: bool,
    },
}

/// Exit code of a config that cannot be used (sysexits.h, `EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;
