//! The loop: waits for one event, lets the engine handle it, performs the actions.
//!
//! All of the gateway runs on this thread, but for the store, the uplink and the checking of passwords,
//! which have one each. So nothing is locked, and the order of events is the order of the journal.

mod errands;

use pipeline::Plan;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::authenticate::Answer;
use crate::broker::ConnectionId;
use crate::broker::auth::Credentials;
use crate::buffers::ReceiveBuffer;
use crate::clock::{Clock, Witness};
use crate::config::{Config, Kafka};
use crate::engine::{Engine, Event};
use crate::http::Errand;
use crate::limits::{EVENTS_PER_TURN_MAX, STOP_MS_MAX};
use crate::remote::{self, Remote};
use crate::shell::Shell;
use crate::store::{self, StoreError};
use crate::supervisor::Supervisor;
use crate::transport::Arrival;
use crate::uplink;

/// What comes to the loop from the sockets.
#[derive(Debug)]
pub enum Incoming {
    /// Bytes with at least one whole packet, or none at all.
    Received {
        /// From this connection.
        connection: ConnectionId,
        /// The bytes.
        buffer: ReceiveBuffer,
    },
    /// What was transmitted is written.
    Drained {
        /// To this connection.
        connection: ConnectionId,
        /// Bytes since the last time.
        bytes: usize,
    },
    /// The socket is gone.
    Closed {
        /// This one.
        connection: ConnectionId,
    },
}

/// What comes to the loop from the threads.
#[derive(Debug)]
pub enum Report {
    /// A password was checked.
    Answered(Answer),
    /// The credentials file has changed.
    Credentials(Box<Credentials>),
    /// Files were looked at anew.
    Reloaded {
        /// What is wrong with the first that could not be used.
        fault: Option<String>,
    },
    /// The store is done with something.
    Store(store::Reply),
    /// The thread of the dry-run is done with something.
    Rehearsed(Rehearsed),
    /// The uplink of this number is done with something.
    Uplink(u32, uplink::Reply),
}

/// Why the gateway stopped.
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// It was asked to.
    #[error("asked to stop")]
    Asked,
    /// The store cannot go on: what is durable is recovered at the next start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk stood still for so long that the broker's state outgrew the commit.
    #[error("the disk stood still for too long: the gateway starts anew from what is durable")]
    Overflow,
    /// A thread is gone.
    #[error("the thread of the {0} ended")]
    ThreadEnded(&'static str),
}

mod agent;
mod dry_run;
mod self_test;
mod uplink_replies;

pub use dry_run::Rehearsed;

/// From where the loop hears what happens.
pub struct Inputs {
    /// Peers that have come through a door.
    pub arrivals: mpsc::Receiver<Arrival>,
    /// What HTTP requests want.
    pub errands: mpsc::Receiver<Errand>,
    /// What the connections say.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Where threads that are started later report.
    pub reporter: mpsc::Sender<Report>,
    /// What the threads say.
    pub reports: mpsc::Receiver<Report>,
    /// When it is to end.
    pub stop: watch::Receiver<bool>,
}

/// The loop's parts.
pub struct Loop {
    engine: Engine,
    shell: Shell,
    clock: Clock,
    /// Says whether the wall clock is set.
    witness: Option<Witness>,
    inputs: Inputs,
    supervisor: Supervisor,
    remote: Option<Remote>,
    swap: Option<Box<Config>>,
    dry_run: Option<dry_run::DryRun>,
    self_test: Option<self_test::SelfTest>,
    kafka: Option<Kafka>,
}

impl Loop {
    /// A loop around the parts, which reads `clock` and asks the witness, if there is one, whether that is set.
    #[must_use]
    pub fn new(
        engine: Engine,
        shell: Shell,
        (clock, witness): (Clock, Option<Witness>),
        inputs: Inputs,
    ) -> Self {
        Self {
            engine,
            shell,
            clock,
            witness,
            inputs,
            supervisor: Supervisor::of_environment(),
            remote: None,
            swap: None,
            dry_run: None,
            self_test: None,
            kafka: None,
        }
    }

    /// Runs under this plan until it is asked to stop, or cannot go on.
    pub async fn run(mut self, plan: &Plan) -> Exit {
        self.engine.watch_refusals(self.shell.refusals());
        self.engine.start(plan, &mut self.shell);
        self.supervisor.ready();
        loop {
            match self.turn().await {
                Ok(()) => self.supervisor.progress(self.clock.now().monotonic_ms),
                Err(Exit::Asked) => return self.finish().await,
                Err(exit) => return exit,
            }
        }
    }

    /// Says good-bye to the clients, and waits until what was taken is durable.
    async fn finish(mut self) -> Exit {
        self.supervisor.stopping();
        self.engine.stop(&mut self.shell);
        let last = Instant::from_std(
            self.clock
                .instant_at(self.clock.now().monotonic_ms + STOP_MS_MAX),
        );
        while !self.engine.is_settled() {
            tokio::select! {
                report = self.inputs.reports.recv() => match report.map(|report| self.handle_report(report)) {
                    Some(Ok(())) => {}
                    Some(Err(exit)) => return exit,
                    None => break,
                },
                () = sleep_until(last) => break,
            }
        }
        tracing::info!(settled = self.engine.is_settled(), "stopped");
        self.shell.close();
        Exit::Asked
    }

    /// Waits for an event, and handles it with those that came meanwhile.
    async fn turn(&mut self) -> Result<(), Exit> {
        let look_ms = self.remote.as_ref().map(Remote::deadline_ms);
        let deadlines = [
            self.engine.deadline_ms(),
            self.shell.deadline_ms(),
            self.supervisor.deadline_ms(),
            look_ms,
        ];
        let deadline = deadlines
            .into_iter()
            .flatten()
            .min()
            .map(|ms| Instant::from_std(self.clock.instant_at(ms)));
        let next = tokio::select! {
            biased;
            Some(report) = self.inputs.reports.recv() => Next::Report(report),
            Some(incoming) = self.inputs.incoming.recv() => Next::Incoming(incoming),
            Some(arrival) = self.inputs.arrivals.recv() => Next::Arrival(arrival),
            Some(errand) = self.inputs.errands.recv() => Next::Errand(errand),
            Some(told) = agent::told(&mut self.remote) => Next::Remote(told),
            () = until(deadline) => Next::Timeout,
            _ = self.inputs.stop.wait_for(|stop| *stop) => Next::Stop,
        };
        match next {
            Next::Report(report) => self.handle_report(report)?,
            Next::Incoming(incoming) => self.handle(incoming),
            Next::Arrival(arrival) => self.open(arrival),
            Next::Errand(errand) => self.take_errand(errand),
            Next::Remote(told) => self.tell_agent(told),
            Next::Timeout => self.tell(Event::Timeout),
            Next::Stop => return Err(Exit::Asked),
        }
        for _ in 1..EVENTS_PER_TURN_MAX {
            if let Ok(report) = self.inputs.reports.try_recv() {
                self.handle_report(report)?;
            }
            match self.inputs.incoming.try_recv() {
                Ok(incoming) => self.handle(incoming),
                Err(_) => break,
            }
            if let Ok(arrival) = self.inputs.arrivals.try_recv() {
                self.open(arrival);
            }
            if let Ok(errand) = self.inputs.errands.try_recv() {
                self.take_errand(errand);
            }
        }
        self.resume_held();
        self.decide();
        self.serve_desk();
        self.renew_rights();
        self.serve_agent();
        if self.engine.is_overflowed() {
            Err(Exit::Overflow)
        } else {
            Ok(())
        }
    }

    fn open(&mut self, arrival: Arrival) {
        if let Some((connection, peer)) = self.shell.open(arrival) {
            self.tell(Event::Opened { connection, peer });
        }
    }

    fn handle(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Received { connection, buffer } => self.receive(connection, buffer),
            Incoming::Drained { connection, bytes } => {
                self.tell(Event::Drained { connection, bytes })
            }
            Incoming::Closed { connection } => {
                self.shell.forget(connection);
                self.tell(Event::Closed { connection });
            }
        }
    }

    fn handle_report(&mut self, report: Report) -> Result<(), Exit> {
        match report {
            Report::Answered(answer) => {
                let now_ms = self.clock.now().monotonic_ms;
                if let Some((connection, rights)) = self.shell.answered(&answer, now_ms) {
                    self.tell(Event::Authenticated { connection, rights });
                }
            }
            Report::Credentials(credentials) => self.shell.renew(*credentials),
            Report::Reloaded { fault } => self.engine.note_fault(fault),
            Report::Store(reply) => self.handle_store(reply)?,
            Report::Rehearsed(rehearsed) => self.handle_rehearsed(rehearsed),
            Report::Uplink(number, reply) => {
                // An answer of an uplink that was replaced is nobody's.
                if number == self.shell.uplink_number() {
                    self.handle_uplink(reply);
                }
            }
        }
        Ok(())
    }

    /// Tells the engine who may come in.
    fn decide(&mut self) {
        let now_ms = self.clock.now().monotonic_ms;
        while let Some((connection, rights)) = self.shell.verdict(now_ms) {
            self.tell(Event::Authenticated { connection, rights });
        }
    }

    /// Holds live sessions against a new credentials file, as many as the gathering commit has room for.
    fn renew_rights(&mut self) {
        while self.engine.has_mutation_room()
            && let Some((connection, rights)) = self.shell.renewal()
        {
            self.tell(Event::RightsRenewed { connection, rights });
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let moment = self.moment();
        self.engine.handle(moment, event, &mut self.shell);
    }

    /// Hands the buffer's packets to the engine; what it cannot take now is held, and its connection with it.
    ///
    /// What was read at once came at one time.
    fn receive(&mut self, connection: ConnectionId, mut buffer: ReceiveBuffer) {
        let moment = self.moment();
        let mut taken = 0;
        let held = loop {
            let rest = &buffer[taken..];
            let packet = match self.engine.packet_len(connection, rest) {
                Ok(Some(len)) if len <= rest.len() => &rest[..len],
                Ok(_) => break false,
                Err(error) => {
                    self.tell(Event::Malformed { connection, error });
                    taken = buffer.len();
                    break false;
                }
            };
            if !self.engine.accepts(connection, packet) {
                break true;
            }
            taken += packet.len();
            self.engine.handle(
                moment,
                Event::Received { connection, packet },
                &mut self.shell,
            );
        };
        buffer.drain(..taken);
        if held {
            self.shell.hold(connection, buffer);
        } else {
            self.shell.give_back(connection, buffer);
        }
    }

    /// Goes on with connections that were held, as far as the engine takes their bytes.
    fn resume_held(&mut self) {
        for _ in 0..self.shell.held() {
            if let Some((connection, buffer)) = self.shell.next_held() {
                self.receive(connection, buffer);
            }
        }
    }

    fn handle_store(&mut self, reply: store::Reply) -> Result<(), Exit> {
        match reply {
            store::Reply::Committed { commit, usage } => {
                self.engine.note_backlog(usage.backlog());
                self.tell(Event::Committed(commit));
            }
            store::Reply::CommitFailed {
                commit,
                error: error @ StoreError::Full { .. },
            } => {
                tracing::error!(%error, "the disk has no room: nothing is acknowledged until there is");
                self.tell(Event::CommitRefused(commit));
            }
            store::Reply::CommitFailed { error, .. } | store::Reply::LoadFailed(error) => {
                return Err(error.into());
            }
            store::Reply::Recalled(recalled) => self.handle_recalled(recalled),
            store::Reply::Loaded(rows) => self.tell(Event::Loaded(rows)),
            store::Reply::Closed(_) => return Err(Exit::ThreadEnded("store")),
        }
        Ok(())
    }
}

/// What woke the loop.
enum Next {
    Remote(remote::Incoming),
    Report(Report),
    Incoming(Incoming),
    Arrival(Arrival),
    Errand(Errand),
    Timeout,
    Stop,
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => core::future::pending().await,
    }
}
