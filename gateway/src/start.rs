//! From a config to a running gateway: the parts are made, in order, and the loop begins.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::authenticate::Authenticator;
use crate::broker::auth::Credentials;
use crate::broker::{Broker, Rights};
use crate::buffers::Budget;
use crate::clock::{Clock, Witness};
use crate::config::{Config, Layers};
use crate::connection::Common;
use crate::credentials_file::{self, CredentialsFileError};
use crate::engine::{Engine, Restored};
use crate::http::Errand;
use crate::limits::{
    ARRIVALS_MAX, ERRANDS_MAX, EVENTS_MAX, HANDSHAKES_MAX, HANDSHAKES_PER_ORIGIN_MAX, REPORTS_MAX,
};
use crate::outputs::Outputs;
use crate::recover::{self, RecoverError};
use crate::refusals::Refusals;
use crate::remote::{Remote, RemoteError, Stored};
use crate::run::{Exit, Inputs, Loop, Report};
use crate::shell::Shell;
use crate::store::{self, Opened, Writer};
use crate::transport::{Arrival, Doors, DoorsError, Hall, OwnDoor, Places, Reload};
use crate::uplink::{self, Uplink};

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error(transparent)]
    Doors(#[from] DoorsError),
    /// A file that the config names cannot be read.
    #[error("cannot read {}: {source} (`{key}`)", path.display())]
    File {
        /// The key of the config.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The credentials file cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsFileError),
    /// The store cannot be opened or read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The store's thread ended while the journal was replayed.
    #[error("the store ended while the journal was replayed")]
    Replay,
    /// The uplink refuses its settings.
    #[error(transparent)]
    Uplink(#[from] uplink::UplinkError),
    /// The box cannot be a part of its fleet.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The system gives no thread or no runtime.
    #[error("the system refuses: {0}")]
    System(std::io::Error),
}

/// Runs a gateway of a fleet on this thread: under its layers, and ready for others.
///
/// # Errors
/// As [`run`].
pub fn run_in_fleet(
    layers: &Layers,
    site: &Config,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Exit, StartError> {
    let Some(mut stored) = Stored::read(site)? else {
        return run(site, stop, ready);
    };
    let config = match layers.config(&stored.stack(site)) {
        Ok(config) => config,
        Err(error) => {
            // A box that does not start can be helped by nobody from afar.
            tracing::error!(%error, "the fleet's layers do not fit the site's file: started without them");
            stored.forget_layers();
            site.clone()
        }
    };
    run_with(&config, Some((stored, layers.clone())), stop, ready)
}

/// Runs a gateway on this thread until `stop` says so or it cannot go on. `ready` is called with the
/// broker's addresses once it listens, in the order of the config.
///
/// # Errors
/// [`StartError`] if it could not start.
pub fn run(
    config: &Config,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Exit, StartError> {
    run_with(config, None, stop, ready)
}

fn run_with(
    config: &Config,
    fleet: Option<(Stored, Layers)>,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Exit, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    LocalSet::new().block_on(&runtime, async {
        // Bound first, so that a second gateway on this box ends before it touches the store.
        let doors = Doors::bind(config).await?;
        let addresses: Vec<SocketAddr> = doors.addresses().collect();
        let (mut parts, own_door) = assemble(config, doors, stop)?;
        if let Some((stored, layers)) = fleet {
            let moment = parts.moment();
            let remote = Remote::start(stored, layers, config, moment)?;
            parts.join(remote, config, own_door);
        }
        ready(&addresses);
        Ok(parts.run(&config.plan().unwrap_or_default()).await)
    })
}

fn assemble(
    config: &Config,
    doors: Doors,
    stop: watch::Receiver<bool>,
) -> Result<(Loop, OwnDoor), StartError> {
    let clock = Clock::start();
    let mut witness = config.gateway.clock_file.clone().map(Witness::new);
    let (events, incoming) = mpsc::channel(EVENTS_MAX);
    let (reporter, reports) = mpsc::channel(REPORTS_MAX);
    let (mut engine_parts, opened) = recover_parts(config)?;
    let oldest = opened.oldest_batch().map_err(RecoverError::Store)?;
    let writer = start_writer(opened, &reporter, &mut engine_parts)?;
    let refusals = Arc::new(Refusals::default());
    let reload = Reload::new(&config.broker, reporter.clone());
    let authenticator = start_authenticator(config, &reporter, Arc::clone(&refusals))?;
    let uplink = start_uplink(config, clock, &reporter, 0)?;
    let common = Common {
        budget: Budget::default(),
        packet_bytes_max: engine_parts.packet_bytes_max,
        slow_reader_timeout_ms: config.broker.slow_reader_timeout.0,
        events,
        refusals: Arc::clone(&refusals),
    };
    let (arrivals, arriving) = mpsc::channel(ARRIVALS_MAX);
    let (errands, asked) = mpsc::channel(ERRANDS_MAX);
    let hall = hall(config, &common, arrivals.clone(), errands);
    let own_door = OwnDoor::new(hall.places.clone(), arrivals);
    let shell = Shell::new(
        config.broker.connections_max,
        common,
        authenticator,
        writer,
        uplink,
        Outputs::start(config).map_err(StartError::System)?,
    );
    let EngineParts {
        broker, restored, ..
    } = engine_parts;
    let mut engine = Engine::new(
        config.engine_settings(seed()?),
        broker,
        config.mapping(),
        restored,
        clock.now().attested(&mut witness),
    );
    if let Some((sequence, bytes)) = oldest
        && let Ok(frame) = wire::Frame::read(&bytes)
    {
        engine.note_oldest(sequence, frame.at);
    }
    doors.attend(hall, reload, stop.clone())?;
    let inputs = Inputs {
        arrivals: arriving,
        errands: asked,
        incoming,
        reporter,
        reports,
        stop,
    };
    Ok((Loop::new(engine, shell, (clock, witness), inputs), own_door))
}

fn hall(
    config: &Config,
    common: &Common,
    arrivals: mpsc::Sender<Arrival>,
    errands: mpsc::Sender<Errand>,
) -> Hall {
    let connections_max = config.broker.connections_max;
    let per_address_max = config.broker.connections_per_address_max;
    Hall {
        places: Places::new(connections_max, per_address_max.unwrap_or(connections_max)),
        handshakes: Places::new(HANDSHAKES_MAX, HANDSHAKES_PER_ORIGIN_MAX),
        refusals: Arc::clone(&common.refusals),
        arrivals,
        errands,
        packet_bytes_max: common.packet_bytes_max,
    }
}

/// What the store gives the engine.
struct EngineParts {
    broker: Broker,
    packet_bytes_max: usize,
    restored: Restored,
}

fn recover_parts(config: &Config) -> Result<(EngineParts, Opened), StartError> {
    let plan = config.plan().unwrap_or_default();
    let (recovered, opened) =
        recover::open(&config.store.dir, config.store_settings()).map_err(RecoverError::Store)?;
    let (restored, opened) = recover::recover(recovered, opened, &plan, &config.sizes())?;
    let limits = config.broker_limits();
    let packet_bytes_max = limits.packet_bytes_max;
    let mut broker = Broker::new(limits);
    recover::restore_broker(&opened, &mut broker).map_err(RecoverError::Store)?;
    Ok((
        EngineParts {
            broker,
            packet_bytes_max,
            restored,
        },
        opened,
    ))
}

/// Starts the store's thread, and makes durable what the replay made again, before anything else.
fn start_writer(
    opened: Opened,
    reporter: &mpsc::Sender<Report>,
    parts: &mut EngineParts,
) -> Result<Writer, StartError> {
    let (first, replayed) = std::sync::mpsc::sync_channel(1);
    let mut starting = Some(first);
    let mut left = parts.restored.commits.len();
    let reporter = reporter.clone();
    let writer = opened
        .start(move |reply| match &starting {
            Some(first) if left > 0 => {
                left -= 1;
                // The start waits for each of these.
                let _ = first.send(reply);
            }
            _ => {
                starting = None;
                // The loop is gone only when the process ends.
                let _ = reporter.blocking_send(Report::Store(reply));
            }
        })
        .map_err(RecoverError::Store)?;
    for commit in parts.restored.commits.drain(..) {
        if writer
            .request(store::Request::Commit(Box::new(commit)))
            .is_err()
        {
            return Err(StartError::Replay);
        }
        match replayed.recv() {
            Ok(store::Reply::Committed { .. }) => {}
            Ok(store::Reply::CommitFailed { error, .. }) => {
                return Err(RecoverError::Store(error).into());
            }
            Ok(_) | Err(_) => return Err(StartError::Replay),
        }
    }
    Ok(writer)
}

fn start_authenticator(
    config: &Config,
    reporter: &mpsc::Sender<Report>,
    refusals: Arc<Refusals>,
) -> Result<Authenticator, StartError> {
    let credentials = match &config.broker.credentials {
        None => Credentials::default(),
        Some(path) => credentials_file::read(path, usize::from(config.broker.users_max))?,
    };
    let open = config.broker.allow_anonymous.then(|| Rights::all(""));
    let reporter = reporter.clone();
    Authenticator::start(credentials, open, refusals, move |answer| {
        // The loop is gone only when the process ends.
        let _ = reporter.blocking_send(Report::Answered(answer));
    })
    .map_err(StartError::System)
}

/// Starts an uplink; its answers carry its number.
pub(crate) fn start_uplink(
    config: &Config,
    clock: Clock,
    reporter: &mpsc::Sender<Report>,
    number: u32,
) -> Result<Option<Uplink>, StartError> {
    if config.kafka.bootstrap.is_empty() {
        return Ok(None);
    }
    let settings = config
        .uplink_settings()
        .map_err(|(path, source)| StartError::File {
            key: "kafka.sasl_password_file",
            path,
            source,
        })?;
    let reporter = reporter.clone();
    let uplink = uplink::start(settings, clock, move |reply| {
        // The loop is gone only when the process ends.
        let _ = reporter.blocking_send(Report::Uplink(number, reply));
    })?;
    Ok(Some(uplink))
}

fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System(std::io::Error::other(error.to_string())))
}
