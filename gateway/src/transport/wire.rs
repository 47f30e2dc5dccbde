//! What bytes go over: a socket, with or without TLS.

use std::io::{self, Read, Write};

use super::socket::Socket;
use super::tls::Tls;

/// A socket, with or without TLS.
#[derive(Debug)]
pub enum Wire {
    /// Without.
    Plain(Socket),
    /// With.
    Tls(Box<Tls>),
}

impl Wire {
    /// The socket.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// The socket.
    pub const fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.socket,
        }
    }

    /// Says good-bye, where the wire has a word for it.
    pub fn close(&mut self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(tls) => tls.close(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
