//! The bytes of MQTT in both directions, whatever they go over.

use std::io::{self, Read, Write};

use tokio::io::{Interest, Ready};

use super::socket::Socket;
use super::websocket::WebSocket;
use super::wire::Wire;

/// A connection's bytes.
#[derive(Debug)]
pub struct Stream {
    link: Link,
    /// Layers above the socket may hold bytes that the socket knows nothing of.
    more: bool,
}

#[derive(Debug)]
enum Link {
    Wire(Wire),
    WebSocket(Box<WebSocket>),
}

impl From<Wire> for Stream {
    fn from(wire: Wire) -> Self {
        // What came with the last bytes of the handshake may be there already.
        let more = matches!(wire, Wire::Tls(_));
        Self {
            link: Link::Wire(wire),
            more,
        }
    }
}

impl From<Box<WebSocket>> for Stream {
    fn from(socket: Box<WebSocket>) -> Self {
        Self {
            link: Link::WebSocket(socket),
            more: true,
        }
    }
}

impl Stream {
    /// Takes the stream from its runtime, so that another thread can [`settle`](Self::settle) it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn loosen(&mut self) -> io::Result<()> {
        self.socket_mut().loosen()
    }

    /// Gives the stream to the runtime of this thread.
    ///
    /// # Errors
    /// The system refuses.
    pub fn settle(&mut self) -> io::Result<()> {
        self.socket_mut().settle()
    }

    /// Ends when the stream is ready for one of `interest`; at once if bytes wait in it.
    ///
    /// # Errors
    /// The socket is broken.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        if self.more && interest.is_readable() {
            return Ok(Ready::READABLE);
        }
        self.socket().ready(interest).await
    }

    /// Reads what is there into the room that the buffer has; 0: the peer has closed.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the peer broke the protocol below MQTT, or the socket is broken.
    pub fn try_read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let read = match &mut self.link {
            Link::Wire(Wire::Plain(socket)) => return socket.try_read_buf(buffer),
            Link::Wire(Wire::Tls(tls)) => read_into(&mut **tls, buffer),
            Link::WebSocket(socket) => read_into(&mut **socket, buffer),
        };
        self.more = read.is_ok();
        read
    }

    /// Takes some of the bytes.
    ///
    /// # Errors
    /// `WouldBlock` if it takes none; else the socket is broken.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.link {
            Link::Wire(wire) => wire.write(bytes),
            Link::WebSocket(socket) => socket.write(bytes),
        }
    }

    /// Brings what was taken to the socket.
    ///
    /// # Errors
    /// `WouldBlock` if something is left; else the socket is broken.
    pub fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.link {
            Link::Wire(wire) => wire.flush(),
            Link::WebSocket(socket) => socket.flush(),
        }
    }

    /// Says good-bye in the words of what the bytes go over, and ends this direction.
    ///
    /// # Errors
    /// The peer is gone already.
    pub async fn close(&mut self) -> io::Result<()> {
        match &mut self.link {
            Link::Wire(wire) => wire.close(),
            Link::WebSocket(socket) => socket.close(),
        }
        self.socket_mut().shutdown().await
    }

    /// Ends when something comes over the socket, be it the end.
    ///
    /// # Errors
    /// The socket is broken.
    pub async fn arrives(&self) -> io::Result<()> {
        self.socket().ready(Interest::READABLE).await.map(|_| ())
    }

    /// Throws away what the socket has; true if nothing more will come. The bytes are never in the task's own memory.
    pub fn discard(&mut self) -> bool {
        match self.socket_mut().read(&mut [0; 1024]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn socket(&self) -> &Socket {
        match &self.link {
            Link::Wire(wire) => wire.socket(),
            Link::WebSocket(socket) => socket.wire().socket(),
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.link {
            Link::Wire(wire) => wire.socket_mut(),
            Link::WebSocket(socket) => socket.wire_mut().socket_mut(),
        }
    }
}

/// Reads into the room that the buffer has already: it never grows here.
fn read_into(source: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let len = buffer.len();
    buffer.resize(buffer.capacity().max(len + 1), 0);
    let read = source.read(&mut buffer[len..]);
    buffer.truncate(len + read.as_ref().map_or(0, |count| *count));
    read
}
