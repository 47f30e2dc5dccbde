//! The thread at the doors: it accepts, shakes hands, gives out places, and turns away; what comes through is the loop's.
//!
//! Handshakes cost milliseconds of arithmetic each, so they have no business on the thread of the readings.

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use rustls::ServerConfig;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::certificate::{self, CertificateError};
use super::fingerprint::Watched;
use super::places::{Origin, Places};
use super::reload::{self, Reload};
use super::socket::Socket;
use super::{Arrival, Guest, greet};
use crate::config::{Broker, Listener, Mode, Place, Protocol};
use crate::limits::ACCEPT_PAUSE_MS;
use crate::refusals::{Refusals, Refused};

/// Permissions of a Unix socket unless the config says otherwise: its owner and its group.
const MODE: Mode = Mode(0o660);

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorsError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another broker running there? (`broker.listen`)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
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
    #[error("{0} (`broker.listeners`)")]
    Certificate(#[from] CertificateError),
    /// The system gives no thread or no runtime.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

/// Listeners that are bound, and not yet attended.
#[derive(Debug)]
pub struct Doors {
    doors: Vec<Unattended>,
}

#[derive(Debug)]
struct Unattended {
    way: Listener,
    listener: Bound,
    tls: Option<(Arc<ServerConfig>, Watched)>,
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
    /// The way to the loop.
    pub arrivals: mpsc::Sender<Arrival>,
    /// Largest MQTT packet.
    pub packet_bytes_max: usize,
}

/// One listener at work.
pub(super) struct Door {
    pub(super) way: Listener,
    pub(super) tls: Option<Tls>,
}

/// What a listener's TLS is made of, and made of anew.
pub(super) struct Tls {
    pub(super) config: RefCell<Arc<ServerConfig>>,
    pub(super) watched: RefCell<Watched>,
}

impl Doors {
    /// Binds all that the config names. Called on a runtime.
    ///
    /// # Errors
    /// [`DoorsError`]
    pub async fn bind(broker: &Broker) -> Result<Self, DoorsError> {
        let mut doors = Vec::new();
        for way in broker.ways_in() {
            let tls = match way.tls() {
                None => None,
                Some(files) => {
                    let watched = Watched::new(files.paths());
                    Some((certificate::load(&files)?, watched))
                }
            };
            let listener = match &way.listen {
                Place::Tcp(address) => Bound::Tcp(bind_tcp(*address).await?),
                Place::Unix(path) => Bound::Unix(bind_unix(path, way.mode.unwrap_or(MODE))?),
            };
            doors.push(Unattended { way, listener, tls });
        }
        Ok(Self { doors })
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

    async fn run(
        self,
        hall: Hall,
        reload: Reload,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let arrivals = hall.arrivals.clone();
        let mut doors = Vec::new();
        for Unattended { way, listener, tls } in self.doors {
            let tls = tls.map(|(config, watched)| Tls {
                config: RefCell::new(config),
                watched: RefCell::new(watched),
            });
            let door = Rc::new(Door { way, tls });
            doors.push(Rc::clone(&door));
            let attendant = Attendant {
                door,
                hall: hall.clone(),
            };
            match listener {
                Bound::Tcp(listener) => {
                    let listener = TcpListener::from_std(listener)?;
                    tokio::task::spawn_local(attendant.attend_tcp(listener));
                }
                Bound::Unix(listener) => {
                    let listener = UnixListener::from_std(listener)?;
                    tokio::task::spawn_local(attendant.attend_unix(listener));
                }
            }
        }
        tokio::task::spawn_local(reload::keep_current(doors, reload));
        tokio::select! {
            () = arrivals.closed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
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
                    let guest = guest(address.ip());
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
        let plain = self.door.tls.is_none() && self.door.way.protocol == Protocol::Mqtt;
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

fn guest(address: IpAddr) -> Guest {
    Guest {
        origin: Some(Origin::from(address)),
        loopback: address.to_canonical().is_loopback(),
        user: None,
    }
}

/// Where the system has no more sockets a spin would take the time from those who are connected.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
}

async fn bind_tcp(address: SocketAddr) -> Result<std::net::TcpListener, DoorsError> {
    let bound = TcpListener::bind(address).await;
    bound
        .and_then(TcpListener::into_std)
        .map_err(|source| DoorsError::Listen { address, source })
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
