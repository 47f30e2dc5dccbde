//! The thread at the doors: it accepts, shakes hands, gives out places, and turns away; what comes through is the loop's.
//!
//! Handshakes cost milliseconds of arithmetic each, so they have no business on the thread of the readings.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use super::certificate::CertificateError;
use super::identity::Identity;
use super::places::Places;
use super::reload::{self, Reload};
use super::socket::Socket;
use super::{Arrival, Guest, greet};
use crate::config::{Config, Listener, Mode, Place, Protocol};
use crate::http::{self, Errand};
use crate::limits::ACCEPT_PAUSE_MS;
use crate::refusals::{Refusals, Refused};

/// Permissions of a Unix socket unless the config says otherwise: its owner and its group.
const MODE: Mode = Mode(0o660);

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorsError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; does another program listen there? (`{key}`)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key of the config.
        key: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The Unix socket cannot be made.
    #[error("cannot listen on {}: {source} (`broker.listeners`)", path.display())]
    Unix {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The TLS files of a listener are of no use.
    #[error("{0} (`broker.listeners` or `http`)")]
    Certificate(#[from] CertificateError),
    /// The system gives no thread or no runtime.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

/// Listeners that are bound, and not yet attended.
#[derive(Debug)]
pub struct Doors {
    doors: Vec<Unattended>,
    http: Option<UnattendedHttp>,
}

#[derive(Debug)]
struct Unattended {
    way: Listener,
    listener: Bound,
    identity: Option<Identity>,
}

#[derive(Debug)]
struct UnattendedHttp {
    listener: std::net::TcpListener,
    identity: Option<Identity>,
    settings: http::server::Settings,
}

#[derive(Debug)]
enum Bound {
    Tcp(std::net::TcpListener),
    Unix(unix::UnixListener),
}

/// What all doors share.
#[derive(Clone)]
pub struct Hall {
    /// Places for connections.
    pub places: Places,
    /// Places for handshakes.
    pub handshakes: Places,
    /// Whom nobody let in.
    pub refusals: Arc<Refusals>,
    /// The way to the loop, for connections.
    pub arrivals: mpsc::Sender<Arrival>,
    /// And for what HTTP requests want.
    pub errands: mpsc::Sender<Errand>,
    /// Largest MQTT packet.
    pub packet_bytes_max: usize,
}

/// One listener at work.
pub(super) struct Door {
    pub(super) way: Listener,
    pub(super) identity: Option<Rc<Identity>>,
}

impl Doors {
    /// Binds all that the config names. Called on a runtime.
    ///
    /// # Errors
    /// [`DoorsError`]
    pub async fn bind(config: &Config) -> Result<Self, DoorsError> {
        let mut doors = Vec::new();
        for way in config.broker.ways_in() {
            let identity = way.tls().map(Identity::load).transpose()?;
            let listener = match &way.listen {
                Place::Tcp(address) => Bound::Tcp(bind_tcp(*address, "broker.listen").await?),
                Place::Unix(path) => Bound::Unix(bind_unix(path, way.mode.unwrap_or(MODE))?),
            };
            doors.push(Unattended {
                way,
                listener,
                identity,
            });
        }
        let http = match config.http.listen {
            None => None,
            Some(address) => Some(UnattendedHttp {
                identity: config.http.tls().map(Identity::load).transpose()?,
                listener: bind_tcp(address, "http.listen").await?,
                settings: config.http_settings(),
            }),
        };
        Ok(Self { doors, http })
    }

    /// The addresses, in the order of the config; those of Unix sockets are left out.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.doors.iter().filter_map(|door| match &door.listener {
            Bound::Tcp(listener) => listener.local_addr().ok(),
            Bound::Unix(_) => None,
        })
    }

    /// Attends the doors on a thread of its own until `stop` says so or the loop is gone.
    ///
    /// # Errors
    /// The system gives no thread or no runtime.
    pub fn attend(
        self,
        hall: Hall,
        reload: Reload,
        stop: watch::Receiver<bool>,
    ) -> Result<(), DoorsError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("doors".into()).spawn(move || {
            let result = LocalSet::new().block_on(&runtime, self.run(hall, reload, stop));
            if let Err(error) = result {
                tracing::error!(%error, "nobody is let in any more");
            }
        })?;
        Ok(())
    }

    /// No more is let in once `stop` says so; requests under way have their answers until the loop is gone.
    async fn run(
        self,
        hall: Hall,
        reload: Reload,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut identities = Vec::new();
        let mut share = |identity: Option<Identity>| {
            let identity = identity.map(Rc::new);
            identities.extend(identity.clone());
            identity
        };
        let mut attendants = JoinSet::new();
        for door in self.doors {
            let attendant = Attendant {
                door: Rc::new(Door {
                    way: door.way,
                    identity: share(door.identity),
                }),
                hall: hall.clone(),
            };
            match door.listener {
                Bound::Tcp(listener) => {
                    let listener = TcpListener::from_std(listener)?;
                    attendants.spawn_local(attendant.attend_tcp(listener));
                }
                Bound::Unix(listener) => {
                    let listener = UnixListener::from_std(listener)?;
                    attendants.spawn_local(attendant.attend_unix(listener));
                }
            }
        }
        if let Some(http) = self.http {
            let listener = TcpListener::from_std(http.listener)?;
            let identity = share(http.identity);
            let front = http::server::Front::new(http.settings, identity, &hall);
            attendants.spawn_local(front.accept(listener));
        }
        tokio::task::spawn_local(reload::keep_current(identities, reload));
        tokio::select! {
            () = hall.arrivals.closed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        attendants.abort_all();
        hall.arrivals.closed().await;
        Ok(())
    }
}

/// Who stands at one door.
#[derive(Clone)]
struct Attendant {
    door: Rc<Door>,
    hall: Hall,
}

impl Attendant {
    async fn attend_tcp(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    // Acknowledgements are small and must not wait for more.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "gone before it was let in");
                        continue;
                    }
                    let guest = Guest::from(address.ip());
                    self.receive(Socket::Tcp(stream), guest).await;
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    async fn attend_unix(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let uid = stream.peer_cred().map(|peer| peer.uid().to_string());
                    let user = uid.ok().and_then(|uid| self.door.way.uids.get(&uid));
                    let guest = Guest {
                        origin: None,
                        loopback: true,
                        user: user.map(|user| Arc::from(user.as_str())),
                        ..Guest::default()
                    };
                    self.receive(Socket::Unix(stream), guest).await;
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    /// A peer at the door. Who needs no handshake and has a place goes straight through.
    async fn receive(&self, socket: Socket, guest: Guest) {
        let place = self.hall.places.take(guest.origin);
        let plain = self.door.identity.is_none() && self.door.way.protocol == Protocol::Mqtt;
        let place = match place {
            Ok(ticket) if plain => {
                let stream = super::wire::Wire::Plain(socket).into();
                return greet::lead_in(&self.hall, stream, guest, ticket).await;
            }
            place => place,
        };
        let Ok(permit) = self.hall.handshakes.take(guest.origin) else {
            self.hall.refusals.add(Refused::HandshakesFull);
            return;
        };
        let (door, hall) = (Rc::clone(&self.door), self.hall.clone());
        tokio::task::spawn_local(async move {
            greet::greet(&hall, &door, socket, guest, place).await;
            drop(permit);
        });
    }
}

/// Where the system has no more sockets a spin would take the time from those who are connected.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
}

async fn bind_tcp(
    address: SocketAddr,
    key: &'static str,
) -> Result<std::net::TcpListener, DoorsError> {
    let bound = TcpListener::bind(address).await;
    bound
        .and_then(TcpListener::into_std)
        .map_err(|source| DoorsError::Listen {
            address,
            key,
            source,
        })
}

/// A socket left by a gateway that was killed is removed; one that somebody listens on, or another file, is not.
fn bind_unix(path: &Path, mode: Mode) -> Result<unix::UnixListener, DoorsError> {
    let fail = |source| DoorsError::Unix {
        path: path.to_owned(),
        source,
    };
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && unix::UnixStream::connect(path).is_err() {
        fs::remove_file(path).map_err(fail)?;
    }
    let listener = unix::UnixListener::bind(path).map_err(fail)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode.0)).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}
