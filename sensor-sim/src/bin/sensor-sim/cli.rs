//! The command line.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub(crate) use harass::{Harass, Misconduct, TlsDoor};
pub(crate) use judge::{Basis, Marks, Plots, Scenario, Score};

use sensor_sim::dialect::Dialect;
use sensor_sim::fault::Order;
use sensor_sim::truth::Kind;

mod harass;
mod judge;

/// Simulated sensors with physics, labelled faults and a ledger that proves nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "sensor-sim", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Simulate devices that publish to a broker.
    Publish(Publish),
    /// Publish the rows of a CSV or NDJSON file.
    Replay(Replay),
    /// Compare ledgers with what came to Kafka, or to an MQTT subscriber; exit code 1 if anything is amiss.
    Verify(Verify),
    /// Hold alerts against the labels of what really was wrong.
    Score(Score),
    /// Play the phases of a scenario and look whether all is as expected; exit code 1 if it isn't.
    Scenario(Scenario),
    /// Draw every kind of device and of fault.
    Plots(Plots),
    /// Misbehave towards a broker of your own, and see whether others notice; exit code 1 if they do.
    Harass(Harass),
    /// List the kinds of devices and of faults.
    Profiles,
}

/// Where messages go, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Mqtt {
    /// The broker.
    #[arg(long, default_value = "127.0.0.1:1883", value_name = "HOST:PORT")]
    pub broker: String,
    /// User name of all devices.
    #[arg(long, conflicts_with = "user_per_device")]
    pub username: Option<String>,
    /// Each device's user name is its own name behind this; "" for the name alone.
    #[arg(long, value_name = "PREFIX")]
    pub user_per_device: Option<String>,
    /// Password of all devices. Other users of this machine can see it; better use the next option.
    #[arg(long, env = "SENSOR_SIM_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// File with the password of all devices; the end of its line is not part of it.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub password_file: Option<PathBuf>,
    /// Quality of service.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// Messages that may be unacknowledged on one connection.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=65_534))]
    pub window: u16,
    /// Longest silence of a connection.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub keep_alive: Duration,
    /// How long to wait for acknowledgements, and to connect again, after the last message.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub drain: Duration,
    /// Connect from this many loopback addresses; each has 28 000 ports.
    #[arg(long, default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=60_000))]
    pub sources: u32,
    /// Append what is sent and what is acknowledged to this file.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `publish`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Publish {
    /// Where and how.
    #[command(flatten)]
    pub mqtt: Mqtt,
    /// Kind of device; `sensor-sim profiles` lists them, a path to a .toml file is one of your own. Several take turns.
    #[arg(long, default_value = "dht22", value_delimiter = ',')]
    pub profile: Vec<String>,
    /// How many devices.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(sensor_sim::limits::DEVICES_MAX)))]
    pub devices: u32,
    /// Number of the first device, for several programs side by side.
    #[arg(long, default_value_t = 0)]
    pub first: u32,
    /// Messages of one device each second; its profile's own rate if absent.
    #[arg(long, value_name = "HZ", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Send as fast as messages are acknowledged.
    #[arg(long, conflicts_with = "rate")]
    pub flat_out: bool,
    /// Signals of one device: those of its profile, as often as needed. A sensor has one time each ms, so 1000 messages
    /// a second need another signal. Default: the profile's; with --flat-out 128 over all devices.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub signals: Option<u16>,
    /// How long.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub duration: Duration,
    /// Messages of one device at most.
    #[arg(long, value_name = "COUNT")]
    pub count: Option<u64>,
    /// The seed of all chance: same seed, same devices.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How devices write their messages; as their profile says if absent: json, json-values, bare, tasmota, shelly,
    /// zigbee2mqtt, senml, sparkplug-b or postcard.
    #[arg(long, value_name = "DIALECT")]
    pub payload: Option<Dialect>,
    /// Topic; a device whose message carries all signals leaves out the level with {signal}. That of its dialect if
    /// absent, such as sensors/{device}/{signal} or tele/{device}/SENSOR.
    #[arg(long)]
    pub topic: Option<String>,
    /// Fill JSON payloads up to this many bytes.
    #[arg(long, default_value_t = 0, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(..=32_768))]
    pub payload_bytes: u16,
    /// Publish nothing: write what would be published to this CSV file, the same on every machine.
    #[arg(long, value_name = "FILE")]
    pub dry_run: Option<PathBuf>,
    /// When a dry run starts: ms since 1970, or date and time (UTC).
    #[arg(long, default_value = "2026-01-01", value_parser = parse_time, requires = "dry_run")]
    pub start: i64,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: Faults,
}

/// What goes wrong.
#[derive(Clone, Debug, Args)]
pub(crate) struct Faults {
    /// Kinds of faults that come by chance, or `all`.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub faults: Vec<String>,
    /// Mean time between two faults of a sensor.
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    pub fault_every: Duration,
    /// Shortest and longest fault.
    #[arg(long, default_value = "10s..60s", value_parser = parse_span, value_name = "FROM..TO")]
    pub fault_lasts: (Duration, Duration),
    /// A fault by order, such as `stuck:pump-0/*:30s:10s` or with its size `step:*/flow:30s:10s:2.5`: kind, device and
    /// signal (`*` is any text), start, duration.
    #[arg(long, value_parser = parse_order, value_name = "ORDER")]
    pub fault: Vec<Order>,
    /// Append a label of each fault to this file, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Replay {
    /// Where and how.
    #[command(flatten)]
    pub mqtt: Mqtt,
    /// The file: CSV whose first line names the columns, or JSON, an object a line.
    pub file: PathBuf,
    /// The column of the time: ms or s since 1970, or date and time (UTC).
    #[arg(long, default_value = "timestamp")]
    pub time_column: String,
    /// The columns of the values; all others if absent.
    #[arg(long, value_delimiter = ',')]
    pub columns: Vec<String>,
    /// What stands between two cells.
    #[arg(long, default_value = ",", value_parser = parse_delimiter)]
    pub delimiter: char,
    /// Name of the device.
    #[arg(long, default_value = "recorded")]
    pub device: String,
    /// Topic; without {signal} one message carries the whole row.
    #[arg(long, default_value = "sensors/{device}/{signal}")]
    pub topic: String,
    /// `real`, a factor such as `60`, or `ack`: as fast as messages are acknowledged.
    #[arg(long, default_value = "real")]
    pub speed: Speed,
    /// `keep` the times of the file, or shift them to `now`: at real speed the first row is now, else the last one.
    #[arg(long, default_value = "keep", value_parser = ["keep", "now"])]
    pub shift: String,
    /// Rows at most.
    #[arg(long, value_name = "COUNT")]
    pub rows: Option<usize>,
    /// What the file's labels are.
    #[command(flatten)]
    pub marks: Marks,
    /// Append the file's labels to this file, their times shifted like those of the rows.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

/// The pace of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as recorded.
    Times(f64),
    /// As fast as messages are acknowledged.
    Acknowledged,
}

impl core::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "real" => Ok(Self::Times(1.0)),
            "ack" => Ok(Self::Acknowledged),
            _ => parse_rate(text.trim_end_matches('x')).map(Self::Times),
        }
    }
}

/// Options of `verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The ledgers of all who published.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub ledger: Vec<PathBuf>,
    /// Read from this Kafka, read_committed.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Kafka topic of the batches of readings.
    #[arg(long, default_value = "edge.telemetry")]
    pub topic: String,
    /// Look only at records of this gateway.
    #[arg(long, value_name = "ID")]
    pub gateway: Option<String>,
    /// Pass over a record whose ce_id has come already, as a consumer does in mode `idempotent`.
    #[arg(long)]
    pub dedup: bool,
    /// Another property of librdkafka, such as security.protocol=ssl.
    #[arg(long, value_name = "KEY=VALUE")]
    pub property: Vec<String>,
    /// Subscribe at this broker; begin before the publisher does.
    #[arg(long, value_name = "HOST:PORT")]
    pub mqtt: Option<String>,
    /// How the messages there are written, for what is subscribed to.
    #[arg(long, value_name = "DIALECT", default_value = "json")]
    pub payload: Dialect,
    /// What to subscribe to; that of the dialect if absent, such as sensors/#.
    #[arg(long)]
    pub filter: Option<String>,
    /// How a topic names device and signal; that of the dialect if absent.
    #[arg(long)]
    pub mqtt_topic: Option<String>,
    /// User name at that broker.
    #[arg(long)]
    pub username: Option<String>,
    /// File with the password at that broker.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Nothing more comes once it was quiet for so long.
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    pub idle: Duration,
    /// Nobody waits longer than this for the first message.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub wait: Duration,
    /// A subscriber listens, however quiet it is, until this file is there.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    pub until: Option<PathBuf>,
    /// The broker of --mqtt is a gateway: its errors and its status explain what is missing, and what they don't explain
    /// is lost. The gateway writes its status every 10 s; let --idle be longer.
    #[arg(long)]
    pub explain: bool,
    /// Cases of each kind that are named.
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub cases: usize,
    /// Pass over devices that no ledger knows.
    #[arg(long)]
    pub known_only: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|it: char| !it.is_ascii_digit() && it != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => {
            return Err(format!(
                "{unit:?} is no unit of time; write 500ms, 10s, 5m, 2h or 1d"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is no time; write for example 10s"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

fn parse_span(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let span = (parse_duration(from)?, parse_duration(to)?);
    if span.0 <= span.1 {
        Ok(span)
    } else {
        Err("the longest is shorter than the shortest".to_owned())
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1e-6..=1e6).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is no number between 0.000001 and 1000000"))
}

fn parse_time(text: &str) -> Result<i64, String> {
    let time = sensor_sim::recording::read_time(text);
    time.ok_or_else(|| format!("{text:?} is no time; write 2026-01-31 or 2026-01-31T08:00:00"))
}

fn parse_span_of_time(text: &str) -> Result<[i64; 2], String> {
    let (from, until) = text.split_once("..").ok_or("write FROM..UNTIL")?;
    let span = [parse_time(from)?, parse_time(until)?];
    if span[0] < span[1] {
        Ok(span)
    } else {
        Err("it ends before it begins".to_owned())
    }
}

fn parse_delimiter(text: &str) -> Result<char, String> {
    let mut all = text.chars();
    match (text, all.next(), all.next()) {
        ("\\t" | "tab", ..) => Ok('\t'),
        (_, Some(one), None) => Ok(one),
        _ => Err("one character, or tab".to_owned()),
    }
}

fn parse_order(text: &str) -> Result<Order, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (kind, sensor, from, lasts, size) = match parts[..] {
        [kind, sensor, from, lasts] => (kind, sensor, from, lasts, None),
        [kind, sensor, from, lasts, size] => (kind, sensor, from, lasts, Some(size)),
        _ => {
            return Err(
                "write KIND:DEVICE/SIGNAL:FROM:FOR or KIND:DEVICE/SIGNAL:FROM:FOR:SIZE".to_owned(),
            );
        }
    };
    let (device, signal) = sensor.split_once('/').unwrap_or((sensor, "*"));
    Ok(Order {
        kind: kind.parse::<Kind>().map_err(|error| error.to_string())?,
        device: device.to_owned(),
        signal: signal.to_owned(),
        from_s: parse_duration(from)?.as_secs_f64(),
        for_s: parse_duration(lasts)?.as_secs_f64(),
        size: size
            .map(|size| size.parse().map_err(|_| format!("{size:?} is no size")))
            .transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        for (text, ms) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("10", 10_000),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in ["", "s", "5 s", "5y", "-1s", "1e9s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_span("1s..2s"),
            Ok((Duration::from_secs(1), Duration::from_secs(2)))
        );
        assert!(parse_span("3s..2s").is_err());
    }

    #[test]
    fn a_fault_by_order_is_read() {
        let order = parse_order("step:pump*/flow:30s:2m:-2.5").unwrap();
        assert_eq!(
            (order.kind, order.device.as_str(), order.signal.as_str()),
            (Kind::Step, "pump*", "flow")
        );
        assert_eq!(
            (order.from_s, order.for_s, order.size),
            (30.0, 120.0, Some(-2.5))
        );
        assert_eq!(parse_order("gap:pump:0s:1s").unwrap().signal, "*");
        for text in [
            "",
            "stuck",
            "stuk:a/b:1s:1s",
            "stuck:a/b:1s",
            "stuck:a/b:1s:1s:x",
            "stuck:a/b:1s:1s:1:1",
        ] {
            assert!(parse_order(text).is_err(), "{text}");
        }
    }

    #[test]
    fn speeds_and_delimiters_are_read() {
        assert_eq!("real".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("60x".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("ack".parse(), Ok(Speed::Acknowledged));
        assert!("fast".parse::<Speed>().is_err() && "0".parse::<Speed>().is_err());
        assert_eq!(
            (
                parse_delimiter(";"),
                parse_delimiter("tab"),
                parse_delimiter("\\t")
            ),
            (Ok(';'), Ok('\t'), Ok('\t'))
        );
        assert!(parse_delimiter("").is_err() && parse_delimiter(";;").is_err());
    }
}
