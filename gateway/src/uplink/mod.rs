//! The uplink: rows of the outbox into Kafka, each transfer in one transaction with its watermark record.
//!
//! One thread owns the session. It has no memory that matters: where to go on is what the newest
//! watermark record of this gateway says, read after every connect. A commit whose outcome is unknown
//! is reported as [`Class::Retry`]; connecting again settles it.
//!
//! Every record is a CloudEvent in binary mode (<https://github.com/cloudevents/spec>, Kafka binding 3.2).

mod context;
mod deadline;
mod failure;
mod position;
mod producer;
mod properties;
mod record;
mod session;
mod settings;
mod topics;

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::clock::Clock;
use crate::outbox::{Lane, OutboxRow, Sequence, Watermark};
use deadline::Timer;
use session::Connector;

pub use properties::check;
pub use settings::{Mode, Password, Sasl, SaslMechanism, Settings, Tls, Topics, UplinkError};

/// Requests that wait for the thread: one is under way at a time, and a close.
pub const REQUESTS_MAX: usize = 2;
/// Longest wait inside of librdkafka before the thread looks up again: the delay of a close.
pub const SLICE_MS: u64 = 200;
/// First wait for the answers to a transfer's records.
pub const FLUSH_STEP_MIN: Duration = Duration::from_millis(1);
/// Longest step of that wait: what it may last longer than the answers take.
pub const FLUSH_STEP_MAX: Duration = Duration::from_millis(20);
/// Longest wait for one answer of a broker, where a shorter wait would have to begin anew.
pub const ROUND_TRIP_MS_MAX: u64 = 5_000;
/// Longest wait for an abort: an open transaction holds back every read_committed consumer, but the
/// next connect ends it too.
pub const ABORT_MS_MAX: u64 = 5_000;
/// Stack of the thread; librdkafka works in threads of its own.
pub const STACK_BYTES: usize = 256 * 1024;

/// What the thread is asked to do. One request at a time: the reply first, then the next.
#[derive(Debug)]
pub enum Request {
    /// Open a new session, end what an older one left open, and read the watermark.
    Connect,
    /// Send rows and the watermark that covers them, all or nothing.
    Send {
        /// Rows in their order.
        rows: Vec<OutboxRow>,
        /// The watermark once they are in Kafka.
        watermark: Watermark,
    },
    /// Close the session; the last request.
    Close,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The session is open.
    Connected {
        /// This gateway's newest watermark in Kafka; none: nothing of it is there.
        watermark: Option<Watermark>,
    },
    /// Rows and watermark are in Kafka.
    Sent {
        /// The watermark sent.
        watermark: Watermark,
        /// Rows sent.
        records: u32,
        /// Bytes of their values before compression.
        bytes: u64,
    },
    /// Connect or send failed.
    Failed {
        /// What to do about it.
        class: Class,
        /// What was tried, what happened, what to do; for people.
        text: String,
    },
    /// The thread ends.
    Closed,
}

/// What to do about a failure. The session is gone, except after a row that was refused here already
/// ([`Class::TooLarge`]); a send without a session says so and does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Kafka is away, or the outcome is unknown: connect again later.
    Retry,
    /// This row alone is larger than Kafka takes: split it. Nothing of the transfer was sent, or, without
    /// transactions, only rows before it.
    TooLarge {
        /// Lane of the row.
        lane: Lane,
        /// Its sequence.
        sequence: Sequence,
    },
    /// Another process sends with this gateway's id: stop, a person must act.
    Fenced,
    /// Credentials, certificates or rights are refused: connect again later, a person should know.
    Auth,
    /// The session or the cluster cannot do this: connect again later, a person should know.
    Fatal,
}

/// The way to the thread. Dropping it cuts short what is under way (within
/// [`ROUND_TRIP_MS_MAX`], mostly within [`SLICE_MS`]) and waits for the thread.
#[derive(Debug)]
pub struct Uplink {
    requests: Option<SyncSender<Request>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread, which calls `reply` for each request. Nothing is connected yet.
///
/// # Errors
/// [`UplinkError`] if the settings cannot work, or there can be no thread.
pub fn start(
    settings: Settings,
    clock: Clock,
    reply: impl FnMut(Reply) + Send + 'static,
) -> Result<Uplink, UplinkError> {
    check(&settings)?;
    let closing = Arc::new(AtomicBool::new(false));
    let timer = Timer::new(clock, Arc::clone(&closing));
    let (requests, received) = sync_channel(REQUESTS_MAX);
    let thread = Builder::new()
        .name("uplink".into())
        .stack_size(STACK_BYTES)
        .spawn(move || serve(Connector::new(settings, timer), &received, reply))
        .map_err(UplinkError::Thread)?;
    Ok(Uplink {
        requests: Some(requests),
        closing,
        thread: Some(thread),
    })
}

impl Uplink {
    /// Hands a request to the thread, without waiting. [`Request::Close`] also cuts short what is under way.
    ///
    /// # Errors
    /// The request, if [`REQUESTS_MAX`] wait already or the thread has ended.
    pub fn request(&self, request: Request) -> Result<(), Request> {
        let Some(requests) = &self.requests else {
            return Err(request);
        };
        if matches!(request, Request::Close) {
            self.closing.store(true, Ordering::Relaxed);
        }
        requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(request) | TrySendError::Disconnected(request) => request,
        })
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook.
            let _ = thread.join();
        }
    }
}

fn serve(mut connector: Connector, requests: &Receiver<Request>, mut reply: impl FnMut(Reply)) {
    let mut session = None;
    while let Ok(request) = requests.recv() {
        let result = match request {
            Request::Connect => {
                // Closed first: two sessions of one gateway would fence each other.
                session = None;
                connector.connect().map(|(opened, watermark)| {
                    session = Some(opened);
                    Reply::Connected { watermark }
                })
            }
            Request::Send { rows, watermark } => connector.send(&mut session, &rows, &watermark),
            Request::Close => {
                drop(session);
                return reply(Reply::Closed);
            }
        };
        reply(result.unwrap_or_else(|failure| Reply::Failed {
            class: failure.class,
            text: failure.text,
        }));
    }
}

#[cfg(test)]
mod tests;
