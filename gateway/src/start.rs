//! From a config to a running gateway: the parts are made, in order, and the loop begins.

use core::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::authenticate::Authenticator;
use crate::broker::auth::{Credentials, CredentialsError};
use crate::broker::{Broker, Rights};
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::{Engine, Restored};
use crate::http;
use crate::limits::{EVENTS_MAX, REPORTS_MAX};
use crate::outputs::Outputs;
use crate::recover::{self, RecoverError};
use crate::run::{Exit, Incoming, Loop, Report, accept};
use crate::shell::Shell;
use crate::store::{self, Opened, Writer};
use crate::uplink::{self, Uplink};

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another broker running there? (`broker.listen`)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address for HTTP cannot be listened on.
    #[error("cannot listen on {address} for HTTP: {source} (`http.listen`)")]
    ListenHttp {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
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
    /// The credentials file is wrong.
    #[error("{}: {source}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CredentialsError,
    },
    /// The store cannot be opened or read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The store's thread ended while the journal was replayed.
    #[error("the store ended while the journal was replayed")]
    Replay,
    /// The uplink refuses its settings.
    #[error(transparent)]
    Uplink(#[from] uplink::UplinkError),
    /// The system gives no thread or no runtime.
    #[error("the system refuses: {0}")]
    System(std::io::Error),
}

/// Runs a gateway on this thread until `stop` says so or it cannot go on. `ready` is called with the
/// broker's address once it listens.
///
/// # Errors
/// [`StartError`] if it could not start.
pub fn run(
    config: &Config,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(SocketAddr),
) -> Result<Exit, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    LocalSet::new().block_on(&runtime, async {
        let (parts, listener, events) = assemble(config, stop).await?;
        let address = listener.local_addr().map_err(StartError::System)?;
        start_http(config, &events).await?;
        tokio::task::spawn_local(accept(listener, events));
        ready(address);
        Ok(parts.run(&config.plan().unwrap_or_default()).await)
    })
}

async fn assemble(
    config: &Config,
    stop: watch::Receiver<bool>,
) -> Result<(Loop, TcpListener, mpsc::Sender<Incoming>), StartError> {
    let clock = Clock::start();
    let (events, incoming) = mpsc::channel(EVENTS_MAX);
    let (reporter, reports) = mpsc::channel(REPORTS_MAX);
    let (mut engine_parts, opened) = recover_parts(config)?;
    let writer = start_writer(opened, &reporter, &mut engine_parts)?;
    let authenticator = start_authenticator(config, &reporter)?;
    let uplink = start_uplink(config, clock, &reporter)?;
    let shell = Shell::new(
        config.broker.connections_max,
        engine_parts.packet_bytes_max,
        events.clone(),
        authenticator,
        writer,
        uplink,
        Outputs::start(config).map_err(StartError::System)?,
    );
    let EngineParts {
        broker, restored, ..
    } = engine_parts;
    let engine = Engine::new(
        config.engine_settings(seed()?),
        broker,
        config.mapping(),
        restored,
        clock.now(),
    );
    let address = config.broker.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })?;
    Ok((
        Loop::new(engine, shell, clock, incoming, reports, stop),
        listener,
        events,
    ))
}

async fn start_http(config: &Config, events: &mpsc::Sender<Incoming>) -> Result<(), StartError> {
    let Some(address) = config.http.listen else {
        return Ok(());
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::ListenHttp { address, source })?;
    tracing::info!(%address, "HTTP listens");
    let serving = http::server::accept(listener, config.http_settings(), events.clone());
    tokio::task::spawn_local(serving);
    Ok(())
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
) -> Result<Authenticator, StartError> {
    let credentials = match &config.broker.credentials {
        None => Credentials::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
                key: "broker.credentials",
                path: path.clone(),
                source,
            })?;
            Credentials::parse(&text).map_err(|source| StartError::Credentials {
                path: path.clone(),
                source,
            })?
        }
    };
    let open = config.broker.allow_anonymous.then(|| Rights::all(""));
    let reporter = reporter.clone();
    Authenticator::start(credentials, open, move |connection, verdict| {
        // The loop is gone only when the process ends.
        let _ = reporter.blocking_send(Report::Authenticated {
            connection,
            verdict,
        });
    })
    .map_err(StartError::System)
}

fn start_uplink(
    config: &Config,
    clock: Clock,
    reporter: &mpsc::Sender<Report>,
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
        let _ = reporter.blocking_send(Report::Uplink(reply));
    })?;
    Ok(Some(uplink))
}

fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System(std::io::Error::other(error.to_string())))
}
