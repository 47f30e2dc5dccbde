//! Options of the commands that judge, and of those that draw.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sensor_sim::truth::Kind;

use super::{parse_duration, parse_span_of_time};

/// Labels that come with a public data set.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Marks {
    /// The CSV file is one of NAB, and these are the windows of its faults (combined_windows.json).
    #[arg(long, value_name = "FILE", conflicts_with = "skab")]
    pub nab: Option<PathBuf>,
    /// The CSV file is of SKAB's form: `;` between cells, and a column `anomaly` that is 1 while something is wrong.
    #[arg(long)]
    pub skab: bool,
}

/// Which time of an alert counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Basis {
    /// When the gateway decided, by its clock: for readings that are sent when they are measured.
    At,
    /// The time of the reading that began it: for recordings that are played faster, or with their own times.
    Since,
}

/// Options of `score`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Score {
    /// Labels, a JSON object a line, as `publish --labels` writes them.
    #[arg(long, num_args = 1.., value_name = "FILE", required_unless_present = "set")]
    pub labels: Vec<PathBuf>,
    /// A CSV file of a public data set, for its labels.
    #[arg(long, value_name = "FILE")]
    pub set: Option<PathBuf>,
    /// How that file is labelled.
    #[command(flatten)]
    pub marks: Marks,
    /// Device of that file's labels.
    #[arg(long, default_value = "recorded")]
    pub device: String,
    /// Alerts, a JSON object a line as the gateway publishes them; `mosquitto_sub -v` may write them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mqtt", "kafka"], required_unless_present_any = ["mqtt", "kafka"])]
    pub alerts: Option<PathBuf>,
    /// Listen to alerts at this broker until it is quiet.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "kafka")]
    pub mqtt: Option<String>,
    /// What to subscribe to.
    #[arg(long, default_value = "tidegate/+/alert/#")]
    pub filter: String,
    /// User name at that broker.
    #[arg(long)]
    pub username: Option<String>,
    /// File with the password at that broker.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Read alerts from this Kafka, read_committed.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Kafka topic of the alerts.
    #[arg(long, default_value = "edge.alerts")]
    pub topic: String,
    /// Another property of librdkafka, such as security.protocol=ssl.
    #[arg(long, value_name = "KEY=VALUE")]
    pub property: Vec<String>,
    /// Only alerts of this gateway.
    #[arg(long, value_name = "ID")]
    pub gateway: Option<String>,
    /// Append what was heard or read to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "alerts")]
    pub record: Option<PathBuf>,
    /// Nothing more comes once it was quiet for so long.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub idle: Duration,
    /// Nobody waits longer than this for the first alert.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub wait: Duration,
    /// Which time of an alert counts.
    #[arg(long, default_value = "at")]
    pub by: Basis,
    /// A fault may still be found so long after its end.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub grace: Duration,
    /// Kinds of faults that count; all if absent. Alerts about others are neither right nor false.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub kinds: Vec<Kind>,
    /// Sensors that were watched; those that ledgers, labels and alerts name if absent.
    #[arg(long, value_name = "COUNT")]
    pub sensors: Option<usize>,
    /// When somebody watched, FROM..UNTIL; by the ledgers, labels and alerts if absent.
    #[arg(long, value_name = "FROM..UNTIL", value_parser = parse_span_of_time)]
    pub span: Option<[i64; 2]>,
    /// Ledgers of what was published: they say which sensors were watched, and when.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub ledger: Vec<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `plots`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plots {
    /// Folder of the index; the drawings lie in `plots` below it. Both are made if they aren't there.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Print what was drawn as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `scenario`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Scenario {
    /// The scenario, a TOML file.
    pub file: PathBuf,
    /// The broker.
    #[arg(long, default_value = "127.0.0.1:1883", value_name = "HOST:PORT")]
    pub broker: String,
    /// Look into this Kafka, too.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Only records of this gateway.
    #[arg(long, value_name = "ID")]
    pub gateway: Option<String>,
    /// User name at the broker, of devices and subscribers.
    #[arg(long)]
    pub username: Option<String>,
    /// File with the password at the broker.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Let the scenario run its commands of the shell.
    #[arg(long)]
    pub commands: bool,
    /// Keep ledgers, labels and alerts in this new folder; by default they go when all is as expected.
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Only say whether the scenario is one.
    #[arg(long)]
    pub check: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
