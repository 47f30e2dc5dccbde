//! One connection's socket: one write for many packets, and nothing kept while it is idle.

use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use super::packet::{self, Packet};

/// A connection to the broker.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// What the socket didn't take.
    unsent: Vec<u8>,
    /// The beginning of a packet which is not whole.
    unread: Vec<u8>,
}

impl Link {
    /// Connects, from the address `source` if one is given.
    pub(crate) async fn open(broker: SocketAddr, source: Option<IpAddr>) -> Result<Self> {
        let socket = if broker.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(broker).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            unsent: Vec::new(),
            unread: Vec::new(),
        })
    }

    /// Whether the socket has not taken all yet; then nothing new should be sent.
    pub(crate) const fn is_clogged(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends `bytes`; what the socket doesn't take waits for [`poll`](Self::poll).
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_clogged() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let taken = write_some(&self.stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Sends what waits, reads what is there and hands each packet to `take`; pending if there is nothing to do. `buffer`
    /// is lent, so that an idle connection has none.
    ///
    /// # Errors
    /// Also when the broker has closed the connection.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        take: impl FnMut(Packet<'_>) -> Result<()>,
    ) -> Poll<Result<()>> {
        let mut is_moved = false;
        while self.is_clogged() && self.stream.poll_write_ready(context)?.is_ready() {
            self.flush()?;
            is_moved = true;
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut self.stream).poll_read(context, &mut read)? {
            Poll::Ready(()) => Poll::Ready(self.take(read.filled(), take)),
            Poll::Pending if is_moved => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn flush(&mut self) -> Result<()> {
        let taken = write_some(&self.stream, &self.unsent)?;
        self.unsent.drain(..taken);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(())
    }

    fn take(&mut self, read: &[u8], mut take: impl FnMut(Packet<'_>) -> Result<()>) -> Result<()> {
        if read.is_empty() {
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                "the broker closed the connection",
            ));
        }
        let mut joined = core::mem::take(&mut self.unread);
        let bytes = if joined.is_empty() {
            read
        } else {
            joined.extend_from_slice(read);
            &joined[..]
        };
        let mut at = 0;
        while let Some((packet, length)) =
            packet::read(&bytes[at..]).map_err(|error| Error::new(ErrorKind::InvalidData, error))?
        {
            at += length;
            take(packet)?;
        }
        self.unread = bytes[at..].to_vec();
        Ok(())
    }
}

fn write_some(stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.try_write(&bytes[taken..]) {
            Ok(length) => taken += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}
