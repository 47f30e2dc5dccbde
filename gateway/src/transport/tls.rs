//! TLS 1.2 and 1.3 over a socket, as the server: rustls works on bytes, and this brings them to the socket and back.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::socket::Socket;
use crate::limits::TLS_OUTBOUND_BYTES_MAX;

/// A TLS session and its socket.
#[derive(Debug)]
pub struct Tls {
    pub(super) socket: Socket,
    session: ServerConnection,
}

impl Tls {
    /// A session that has not begun its handshake.
    ///
    /// # Errors
    /// rustls refuses the configuration.
    pub fn new(socket: Socket, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut session = ServerConnection::new(config).map_err(io::Error::other)?;
        session.set_buffer_limit(Some(TLS_OUTBOUND_BYTES_MAX));
        Ok(Self { socket, session })
    }

    /// Whether bytes wait for the socket.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Goes on with the handshake as far as the socket lets it; `true` when it is done.
    ///
    /// # Errors
    /// The peer fails in the handshake, or the socket is broken.
    pub fn handshake(&mut self) -> io::Result<bool> {
        while self.session.is_handshaking() {
            self.push()?;
            match self.pull() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.push()?;
        Ok(!self.wants_write())
    }

    /// The client's own certificate, DER, if it showed one; it has been verified.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.session.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// Says good-bye, as far as the socket takes it.
    pub fn close(&mut self) {
        self.session.send_close_notify();
        // The connection ends whether the peer hears of it or not.
        let _ = self.push();
    }

    /// Brings what waits to the socket, as far as it takes it.
    fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what the socket has; 0: the peer has closed.
    fn pull(&mut self) -> io::Result<usize> {
        let count = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // The alert says to the peer what it did wrong.
            let _ = self.push();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }
}

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many clients just close: MQTT has its own end, so a cut cannot be taken for one.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.pull()?;
        }
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        let count = self.session.writer().write(bytes)?;
        self.push()?;
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()?;
        if self.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }
}
