//! The way in for the gateway itself: a socket within the process, to a place like any other.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::socket::{Loose, Socket};
use super::wire::Wire;
use super::{Arrival, Guest, Places, Stream};

/// Lets the gateway in as a client of its own broker.
#[derive(Clone, Debug)]
pub struct OwnDoor {
    places: Places,
    arrivals: mpsc::Sender<Arrival>,
}

impl OwnDoor {
    /// A door to these places.
    #[must_use]
    pub const fn new(places: Places, arrivals: mpsc::Sender<Arrival>) -> Self {
        Self { places, arrivals }
    }

    /// The client's end of a new connection.
    ///
    /// # Errors
    /// There is no place, too many wait at the door, or the system refuses.
    pub fn enter(&self) -> io::Result<UnixStream> {
        let ticket = self
            .places
            .take(None)
            .map_err(|_| io::Error::other("there is no place"))?;
        let (near, far) = StdUnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let arrival = Arrival {
            stream: Stream::from(Wire::Plain(Socket::Loose(Loose::Unix(far)))),
            guest: Guest {
                loopback: true,
                is_own: true,
                ..Guest::default()
            },
            ticket,
        };
        self.arrivals
            .try_send(arrival)
            .map_err(|_| io::Error::other("too many wait at the door"))?;
        UnixStream::from_std(near)
    }
}
