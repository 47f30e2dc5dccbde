//! A TCP or Unix socket that is read and written when it is ready, and can move from one thread to another.

use std::io::{self, Read, Write};
use std::net;
use std::os::unix;

use tokio::io::{AsyncWriteExt, Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
    /// On its way to another thread.
    Loose(Loose),
}

/// A socket that no runtime watches.
#[derive(Debug)]
pub enum Loose {
    /// TCP.
    Tcp(net::TcpStream),
    /// Unix.
    Unix(unix::net::UnixStream),
    /// Lost: it could not be moved.
    Gone,
}

impl Socket {
    /// Takes the socket from its runtime, so that another thread can [`settle`](Self::settle) it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn loosen(&mut self) -> io::Result<()> {
        let loose = match core::mem::replace(self, Self::Loose(Loose::Gone)) {
            Self::Tcp(stream) => Loose::Tcp(stream.into_std()?),
            Self::Unix(stream) => Loose::Unix(stream.into_std()?),
            Self::Loose(loose) => loose,
        };
        *self = Self::Loose(loose);
        Ok(())
    }

    /// Gives the socket to the runtime of this thread.
    ///
    /// # Errors
    /// The system refuses, or the socket was lost on the way.
    pub fn settle(&mut self) -> io::Result<()> {
        *self = match core::mem::replace(self, Self::Loose(Loose::Gone)) {
            Self::Loose(Loose::Tcp(stream)) => Self::Tcp(TcpStream::from_std(stream)?),
            Self::Loose(Loose::Unix(stream)) => Self::Unix(UnixStream::from_std(stream)?),
            Self::Loose(Loose::Gone) => return Err(io::ErrorKind::NotConnected.into()),
            settled @ (Self::Tcp(_) | Self::Unix(_)) => settled,
        };
        Ok(())
    }

    /// Ends when the socket is ready for one of `interest`.
    ///
    /// # Errors
    /// The socket is broken.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Unix(stream) => stream.ready(interest).await,
            Self::Loose(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Ends what is sent.
    ///
    /// # Errors
    /// The peer is gone already.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown().await,
            Self::Unix(stream) => stream.shutdown().await,
            Self::Loose(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there into the room that the buffer has; 0: the peer has closed.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the socket is broken.
    pub fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let room = buffer.capacity() - buffer.len();
        let read = match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
            Self::Unix(stream) => stream.try_read_buf(buffer),
            Self::Loose(_) => Err(io::ErrorKind::NotConnected.into()),
        };
        if read.as_ref().is_ok_and(|count| *count < room) {
            self.note_empty();
        }
        read
    }

    /// A read that came back with less than it had room for has taken all (epoll(7), question 9): the next one waits for the
    /// system to say that there is more, rather than ask it in vain.
    fn note_empty(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        // What is to be noted is the error.
        let _ = match self {
            Self::Tcp(stream) => stream.try_io(Interest::READABLE, nothing),
            Self::Unix(stream) => stream.try_io(Interest::READABLE, nothing),
            Self::Loose(_) => Ok(()),
        };
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing; else the socket is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Loose(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
            Self::Loose(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
