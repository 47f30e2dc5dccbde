//! Options of `harass`.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sensor_sim::limits::{HARASS_CLIENTS_MAX, HARASS_COUNT_MAX};

use super::parse_duration;

/// What a bad citizen does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Misconduct {
    /// Connects, and goes without a word as soon as it is let in; many have one client id.
    ReconnectStorm,
    /// Sends its CONNECT byte by byte.
    Slowloris,
    /// Connects by TCP and says nothing.
    HalfOpen,
    /// Subscribes to what it publishes, and acknowledges none of it.
    NeverAcks,
    /// Announces the longest packet that MQTT has, and sends it.
    Oversize,
    /// Sends valid packets with bytes changed, cut off and put in.
    Malformed,
    /// Publishes each message on a topic of its own.
    TopicExplosion,
    /// Lets the broker keep a message on each topic; they are deleted at the end.
    RetainedFlood,
    /// Dies again and again with a will.
    WillStorm,
    /// Tries passwords.
    WrongPassword,
    /// Comes by TLS with a client certificate whose time is over, and sends a CONNECT all the same.
    ExpiredCertificate,
}

/// The broker's TLS door, for expired-certificate.
#[derive(Clone, Debug, Args)]
#[group(requires_all = ["tls_target", "tls_ca", "tls_certificate", "tls_key"])]
pub(crate) struct TlsDoor {
    /// Where the broker takes TLS: on the machine of --target, where the good citizen stays.
    #[arg(long, required = false, value_name = "HOST:PORT")]
    pub tls_target: String,
    /// Who signed the broker's certificate, PEM.
    #[arg(long, required = false, value_name = "FILE")]
    pub tls_ca: PathBuf,
    /// The certificate that is shown, PEM.
    #[arg(long, required = false, value_name = "FILE")]
    pub tls_certificate: PathBuf,
    /// Its key, PEM.
    #[arg(long, required = false, value_name = "FILE")]
    pub tls_key: PathBuf,
}

/// Options of `harass`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Harass {
    /// What to do to the broker.
    #[arg(long, value_name = "KIND")]
    pub kind: Misconduct,
    /// The broker; one on this machine, unless the next option stands too.
    #[arg(long, default_value = "127.0.0.1:1883", value_name = "HOST:PORT")]
    pub target: String,
    /// The broker on another machine is yours, or its owner asked you to do this.
    #[arg(long)]
    pub i_own_this_target: bool,
    /// How often: connections, or messages where one connection sends many.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=HARASS_COUNT_MAX))]
    pub count: u64,
    /// Connections at a time.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(HARASS_CLIENTS_MAX)))]
    pub clients: u32,
    /// How long at most; ten minutes are the longest.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub duration: Duration,
    /// The seed of all chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Topics begin with this; the gateway takes for readings what begins with sensors/.
    #[arg(long, default_value = "harass")]
    pub topic: String,
    /// The broker is well while it answers a good citizen beside this within such a time.
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    pub patience: Duration,
    /// User name of the good citizen, and of the bad ones where they are to be let in.
    #[arg(long)]
    pub username: Option<String>,
    /// File with the password of that user.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The broker's TLS door.
    #[command(flatten)]
    pub tls: Option<TlsDoor>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}
