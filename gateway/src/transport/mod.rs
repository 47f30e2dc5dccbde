//! How bytes of MQTT come in: TCP, TLS, WebSocket, Unix sockets; who may have a place, and what is reloaded.
//!
//! Reading order: `stream` (what a connection reads and writes) over `websocket`, `wire`, `tls`, `socket`; `certificate`
//! (from files to TLS, from certificates to users) with `identity`; `doors` (the thread that accepts, shakes hands and turns away) with
//! `places`, `greet`, `own_door`; `reload` with `fingerprint`.

mod stream;
mod websocket;
mod wire;
mod tls;
mod socket;
mod certificate;
mod identity;
mod doors;
mod greet;
mod places;
mod own_door;
mod reload;
mod fingerprint;

use core::net::IpAddr;
use std::sync::Arc;

pub use certificate::CertificateError;
pub(crate) use certificate::server_config;
pub use doors::{Doors, DoorsError, Hall};
pub use identity::Identity;
pub use own_door::OwnDoor;
pub use places::{NoPlace, Origin, Places, Ticket};
pub use reload::Reload;
pub use stream::Stream;

/// Who is at the other end, as far as the transport knows.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    /// Where from; `None` for this machine's own sockets.
    pub origin: Option<Origin>,
    /// On this machine.
    pub loopback: bool,
    /// The gateway itself.
    pub is_own: bool,
    /// Which user it is, as its certificate or the system says.
    pub user: Option<Arc<str>>,
}

impl From<IpAddr> for Guest {
    fn from(address: IpAddr) -> Self {
        Self {
            origin: Some(Origin::from(address)),
            loopback: address.to_canonical().is_loopback(),
            is_own: false,
            user: None,
        }
    }
}

/// A peer that has come through a door.
#[derive(Debug)]
pub struct Arrival {
    /// Its bytes; to be settled on the thread that serves it.
    pub stream: Stream,
    /// Who it is.
    pub guest: Guest,
    /// Its place.
    pub ticket: Ticket,
}
