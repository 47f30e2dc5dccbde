//! What all publishers of one run share: the way to the broker, the clock, ledger, figures and labels.

use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use std::io::{Error, ErrorKind, Write};

use sensor_sim::ledger::LedgerWriter;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::figures::Figures;
use crate::publisher::{BURST_BYTES_MAX, READ_BYTES_MAX};

/// How messages go to the broker.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    /// Where the broker is.
    pub broker: SocketAddr,
    /// User name of all, or what stands in front of a device's name.
    pub username: Option<Username>,
    /// Password of all.
    pub password: Option<Vec<u8>>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Messages that may be unacknowledged on one connection.
    pub window: u16,
    /// Longest silence, s.
    pub keep_alive_s: u16,
    /// Whether messages go as fast as they are acknowledged, and not when they are due.
    pub is_flat_out: bool,
    /// How long to wait for answers after the last message, µs.
    pub drain_us: u64,
    /// How many loopback addresses the connections come from; 0 leaves it to the system.
    pub sources: u32,
}

/// How a device calls itself.
#[derive(Clone, Debug)]
pub(crate) enum Username {
    /// All by one name.
    Same(String),
    /// Each by its own name, behind this.
    Prefix(String),
}

/// What all publishers of a run share; they run on one thread, so nothing here is ever locked.
pub(crate) struct Run {
    /// How messages go.
    pub transport: Transport,
    /// The time.
    pub clock: Clock,
    /// When the first message may be due, µs by the clock.
    pub start_us: u64,
    /// When the last message may be due, µs by the clock.
    pub stop_us: Cell<u64>,
    /// Called when `stop_us` has been brought forward.
    pub stopped: Notify,
    /// What was sent and acknowledged.
    pub ledger: RefCell<LedgerWriter<Box<dyn Write>>>,
    /// What is counted.
    pub figures: RefCell<Figures>,
    /// Where labels of faults go.
    pub labels: RefCell<Box<dyn Write>>,
    /// Why the run can't go on.
    pub failure: RefCell<Option<Error>>,
    /// Lent to whoever reads or writes.
    pub buffers: RefCell<Buffers>,
}

/// Buffers for one read and one write.
pub(crate) struct Buffers {
    pub(crate) read: Vec<u8>,
    pub(crate) write: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            read: vec![0; READ_BYTES_MAX],
            write: Vec::with_capacity(BURST_BYTES_MAX * 2),
        }
    }
}

impl Run {
    /// Lets the last messages be those which are due by now.
    pub(crate) fn stop(&self) {
        self.stop_us
            .set(self.stop_us.get().min(self.clock.now_us()));
        self.stopped.notify_waiters();
    }

    pub(crate) fn fail(&self, error: Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.stop();
    }

    /// Writes the ledger out.
    pub(crate) fn commit(&self) {
        if let Err(error) = self.ledger.borrow_mut().commit() {
            self.fail(Error::new(
                error.kind(),
                format!("cannot write the ledger: {error}; the run is stopped"),
            ));
        }
    }

    /// Counts a broken connection, and gives how many were accepted so far. Who is never let in need not try again.
    pub(crate) fn note_broken(&self, error: Error) -> u64 {
        let mut figures = self.figures.borrow_mut();
        figures.disconnects += 1;
        figures.last_error = Some(error.to_string());
        if error.kind() == ErrorKind::PermissionDenied && figures.connects == 0 {
            self.fail(error);
        }
        figures.connects
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }
}
