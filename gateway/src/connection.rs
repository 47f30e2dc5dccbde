//! One socket: bytes in become whole packets for the engine, bytes out wait here until the peer takes them.
//!
//! A connection reads only while the engine holds none of its bytes. So what a peer can have in
//! flight inside the gateway is one buffer, and a full journal slows the publishers by TCP's own means.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::broker::{self, ConnectionId};
use crate::buffers::{Budget, ReceiveBuffer};
use crate::limits::{LINGER_MS_MAX, OUTBOUND_KEPT_BYTES, PACKET_TIMEOUT_MS};
use crate::refusals::{Refusals, Refused};
use crate::run::Incoming;
use crate::transport::Stream;

/// What a connection's task and the loop share: the loop puts bytes in, the task takes them out.
#[derive(Debug, Default)]
pub struct Line {
    outbound: RefCell<Vec<u8>>,
    returned: RefCell<Option<ReceiveBuffer>>,
    closing: Cell<bool>,
    wake: Notify,
}

impl Line {
    /// Appends a packet, given in pieces.
    pub fn transmit(&self, parts: &[&[u8]]) {
        let mut outbound = self.outbound.borrow_mut();
        if outbound.is_empty() {
            // The task takes all that it finds: so the first packet wakes it for those behind it, too.
            self.wake.notify_one();
        }
        for part in parts {
            outbound.extend_from_slice(part);
        }
    }

    /// Closes once what was transmitted is written.
    pub fn close(&self) {
        self.closing.set(true);
        self.wake.notify_one();
    }

    /// Gives the buffer back, without the bytes that were handled.
    pub fn give_back(&self, buffer: ReceiveBuffer) {
        self.returned.replace(Some(buffer));
        self.wake.notify_one();
    }
}

/// Where the connection's receive buffer is.
enum Intake {
    /// Not needed: no byte waits.
    Idle,
    /// Here, with the beginning of a packet; it must be whole by then.
    Partial(ReceiveBuffer, Instant),
    /// Here, with the beginning of a packet of this length, for which the budget has no room now.
    Short(ReceiveBuffer, usize, Instant),
    /// With the engine.
    Away,
}

/// Why a connection ended, as far as the socket knows.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the peer")]
    Peer,
    #[error("closed by the broker")]
    Broker,
    #[error("the peer does not read")]
    SlowReader,
    #[error("a packet was not completed in time")]
    SlowWriter,
    #[error("the gateway stops")]
    Stopping,
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// What all connections have in common.
#[derive(Clone, Debug)]
pub struct Common {
    /// Bytes on loan for large packets.
    pub budget: Budget,
    /// Largest packet.
    pub packet_bytes_max: usize,
    /// Longest time in which a peer takes no byte, ms.
    pub slow_reader_timeout_ms: u64,
    /// The way to the loop.
    pub events: mpsc::Sender<Incoming>,
    /// Whom the gateway closed, by reason.
    pub refusals: Arc<Refusals>,
}

/// The task of one connection.
pub struct Connection {
    id: ConnectionId,
    stream: Stream,
    line: Rc<Line>,
    common: Common,
    intake: Intake,
    /// Its first packet is with the engine, or was.
    has_begun: bool,
    /// Bytes taken from the line, and how many of them are written.
    writing: Vec<u8>,
    written: usize,
    /// Bytes written since the engine was last told.
    unreported: usize,
    stalled_at: Option<Instant>,
}

impl Connection {
    /// A connection over `stream`; [`serve`](Self::serve) runs it.
    #[must_use]
    pub const fn new(id: ConnectionId, stream: Stream, line: Rc<Line>, common: Common) -> Self {
        Self {
            id,
            stream,
            line,
            common,
            intake: Intake::Idle,
            has_begun: false,
            writing: Vec::new(),
            written: 0,
            unreported: 0,
            stalled_at: None,
        }
    }

    /// Reads and writes until either side closes; the engine hears of the end.
    pub async fn serve(mut self) {
        let ended = loop {
            if let Err(ended) = self.turn().await {
                break ended;
            }
        };
        tracing::debug!(connection = self.id.index, reason = %ended, "connection ended");
        match ended {
            Ended::SlowReader => self.common.refusals.add(Refused::SlowReader),
            Ended::SlowWriter => self.common.refusals.add(Refused::SlowWriter),
            Ended::Peer | Ended::Broker | Ended::Stopping | Ended::Socket(_) => {}
        }
        // Who is gone does not hear it.
        let closed = self.stream.close().await;
        if matches!(ended, Ended::Broker) && closed.is_ok() {
            self.linger().await;
        }
        // The loop is gone only when the process ends.
        let _ = self
            .common
            .events
            .send(Incoming::Closed {
                connection: self.id,
            })
            .await;
    }

    /// The broker's last packet says why it closes, but a socket closed over unread bytes is reset, and the peer loses that
    /// packet. So what still comes is read and thrown away until the peer closes too, or time is over.
    async fn linger(&mut self) {
        let last =
            Instant::from_std(crate::clock::timer_now()) + Duration::from_millis(LINGER_MS_MAX);
        loop {
            let readable = tokio::select! {
                readable = self.stream.arrives() => readable,
                () = sleep_until(last) => return,
            };
            if readable.is_err() || self.stream.discard() {
                return;
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Ended> {
        self.take_back().await?;
        self.retry_short();
        let blocked = self.write().await?;
        if self.line.closing.get() && !blocked {
            return Err(Ended::Broker);
        }
        let reading = matches!(self.intake, Intake::Idle | Intake::Partial(..));
        let short = matches!(self.intake, Intake::Short(..));
        let interest = match (reading, blocked) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let deadline = self.deadline();
        let (line, budget) = (Rc::clone(&self.line), self.common.budget.clone());
        tokio::select! {
            biased;
            () = line.wake.notified() => Ok(()),
            ready = ready(&self.stream, interest) => {
                if ready?.is_readable() && reading { self.read().await } else { Ok(()) }
            }
            () = budget.returned(), if short => Ok(()),
            () = until(deadline) => Err(self.overdue()),
        }
    }

    /// The engine's answer to the bytes it was given: the buffer, with what is left of them.
    async fn take_back(&mut self) -> Result<(), Ended> {
        let Some(buffer) = self.line.returned.take() else {
            return Ok(());
        };
        if buffer.is_empty() {
            self.intake = Intake::Idle;
            return Ok(());
        }
        self.offer(buffer, packet_deadline()).await
    }

    async fn read(&mut self) -> Result<(), Ended> {
        let (mut buffer, deadline) = match core::mem::replace(&mut self.intake, Intake::Idle) {
            Intake::Partial(buffer, deadline) => (buffer, deadline),
            Intake::Idle | Intake::Away | Intake::Short(..) => {
                (self.common.budget.buffer(), packet_deadline())
            }
        };
        match self.stream.try_read_buf(&mut buffer) {
            Ok(0) => Err(Ended::Peer),
            Ok(_) => self.offer(buffer, deadline).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !buffer.is_empty() {
                    self.intake = Intake::Partial(buffer, deadline);
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Hands the buffer to the engine if it holds a whole packet, else waits for more.
    async fn offer(&mut self, buffer: ReceiveBuffer, deadline: Instant) -> Result<(), Ended> {
        let packet_len = if self.has_begun {
            broker::frame_len
        } else {
            broker::first_frame_len
        };
        match packet_len(&buffer, self.common.packet_bytes_max) {
            Ok(Some(len)) if len > buffer.len() => {
                self.intake = Intake::Short(buffer, len, deadline);
                self.retry_short();
                return Ok(());
            }
            Ok(None) => {
                self.intake = Intake::Partial(buffer, deadline);
                return Ok(());
            }
            // A whole packet, or no packet at all: the engine tells the client what is wrong with it.
            Ok(Some(_)) | Err(_) => {}
        }
        self.intake = Intake::Away;
        self.has_begun = true;
        let incoming = Incoming::Received {
            connection: self.id,
            buffer,
        };
        self.common
            .events
            .send(incoming)
            .await
            .map_err(|_| Ended::Stopping)
    }

    /// A packet that is not whole yet needs a buffer that will hold it.
    fn retry_short(&mut self) {
        self.intake = match core::mem::replace(&mut self.intake, Intake::Idle) {
            Intake::Short(mut buffer, len, deadline) => {
                if buffer.fit(len) {
                    Intake::Partial(buffer, deadline)
                } else {
                    Intake::Short(buffer, len, deadline)
                }
            }
            intake @ (Intake::Idle | Intake::Partial(..) | Intake::Away) => intake,
        };
    }

    /// Writes what the socket takes; whether something is left.
    async fn write(&mut self) -> Result<bool, Ended> {
        loop {
            if self.written == self.writing.len() {
                self.writing.clear();
                self.written = 0;
                self.writing = self
                    .line
                    .outbound
                    .replace(core::mem::take(&mut self.writing));
                if self.writing.is_empty() {
                    return self.flush().await;
                }
            }
            match self.stream.try_write(&self.writing[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.unreported += count;
                    self.stalled_at = None;
                }
                Err(error) => return self.stall(error),
            }
        }
    }

    /// All is handed over: what lies between here and the socket follows.
    async fn flush(&mut self) -> Result<bool, Ended> {
        if let Err(error) = self.stream.try_flush() {
            return self.stall(error);
        }
        self.stalled_at = None;
        self.report_drained().await?;
        Ok(false)
    }

    fn stall(&mut self, error: io::Error) -> Result<bool, Ended> {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(error.into());
        }
        let now = Instant::from_std(crate::clock::timer_now());
        self.stalled_at.get_or_insert(now);
        Ok(true)
    }

    async fn report_drained(&mut self) -> Result<(), Ended> {
        if self.writing.capacity() > OUTBOUND_KEPT_BYTES {
            self.writing = Vec::new();
        }
        if self.unreported < broker::limits::DRAIN_REPORT_BYTES {
            return Ok(());
        }
        let bytes = core::mem::take(&mut self.unreported);
        let drained = Incoming::Drained {
            connection: self.id,
            bytes,
        };
        self.common
            .events
            .send(drained)
            .await
            .map_err(|_| Ended::Stopping)
    }

    fn deadline(&self) -> Option<Instant> {
        let slow_reader = self
            .stalled_at
            .map(|at| at + Duration::from_millis(self.common.slow_reader_timeout_ms));
        let slow_writer = match &self.intake {
            Intake::Partial(_, deadline) => Some(*deadline),
            Intake::Idle | Intake::Short(..) | Intake::Away => None,
        };
        slow_reader.into_iter().chain(slow_writer).min()
    }

    fn overdue(&self) -> Ended {
        if self.stalled_at.is_some() {
            Ended::SlowReader
        } else {
            Ended::SlowWriter
        }
    }
}

fn packet_deadline() -> Instant {
    Instant::from_std(crate::clock::timer_now()) + Duration::from_millis(PACKET_TIMEOUT_MS)
}

async fn ready(stream: &Stream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => core::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => core::future::pending().await,
    }
}
