//! Performs the engine's actions: sockets, store, uplink, passwords.

use std::collections::VecDeque;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::authenticate::{Authenticator, Verdict};
use crate::broker::{ConnectionId, Credentials, Peer};
use crate::buffers::{Budget, ReceiveBuffer};
use crate::connection::{Connection, Line};
use crate::engine::{Action, Perform};
use crate::http::{Desk, Errand};
use crate::limits::{TRANSFER_BYTES_MAX, TRANSFER_ROWS_MAX};
use crate::outputs::Outputs;
use crate::run::Incoming;
use crate::store::{self, Usage, Writer};
use crate::uplink::{self, Uplink};

/// The I/O side of the gateway.
pub struct Shell {
    lines: Lines,
    budget: Budget,
    packet_bytes_max: usize,
    events: mpsc::Sender<Incoming>,
    authenticator: Authenticator,
    verdicts: VecDeque<(ConnectionId, Verdict)>,
    held: VecDeque<(ConnectionId, ReceiveBuffer)>,
    writer: Writer,
    uplink: Option<Uplink>,
    outputs: Outputs,
    desk: Desk,
    usage: Usage,
}

/// The connections by their index. A generation tells a connection from those before it in its place.
struct Lines {
    places: Vec<Place>,
    free: Vec<u16>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    line: Option<Rc<Line>>,
}

impl Shell {
    /// A shell around the parts.
    #[must_use]
    pub fn new(
        connections_max: u16,
        packet_bytes_max: usize,
        events: mpsc::Sender<Incoming>,
        authenticator: Authenticator,
        writer: Writer,
        uplink: Option<Uplink>,
        outputs: Outputs,
    ) -> Self {
        Self {
            lines: Lines::new(connections_max),
            budget: Budget::default(),
            packet_bytes_max,
            events,
            authenticator,
            verdicts: VecDeque::new(),
            held: VecDeque::new(),
            writer,
            uplink,
            outputs,
            desk: Desk::new(connections_max),
            usage: Usage::default(),
        }
    }

    /// Largest packet that is taken.
    #[must_use]
    pub fn packet_bytes_max(&self) -> usize {
        self.packet_bytes_max
    }

    /// Starts the task of a new connection; `None`: there is no place for it, and it is closed.
    pub fn open(&mut self, stream: TcpStream) -> Option<(ConnectionId, Peer)> {
        let peer = stream.peer_addr().ok()?;
        // Acknowledgements are small and must not wait for more.
        stream.set_nodelay(true).ok()?;
        let line = Rc::new(Line::default());
        let Some(connection) = self.lines.insert(Rc::clone(&line)) else {
            tracing::warn!(%peer, "refused: all broker.connections_max places are taken");
            return None;
        };
        let events = self.events.clone();
        let task = Connection::new(
            connection,
            stream,
            line,
            self.budget.clone(),
            self.packet_bytes_max,
            events,
        );
        tokio::task::spawn_local(task.serve());
        Some((
            connection,
            Peer {
                loopback: peer.ip().is_loopback(),
            },
        ))
    }

    /// The connection's socket is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.lines.remove(connection);
        self.held.retain(|(held, _)| *held != connection);
    }

    /// Keeps bytes that the engine has no room for.
    pub fn hold(&mut self, connection: ConnectionId, buffer: ReceiveBuffer) {
        self.held.push_back((connection, buffer));
    }

    /// Connections whose bytes are kept.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The bytes that were kept first.
    pub fn next_held(&mut self) -> Option<(ConnectionId, ReceiveBuffer)> {
        self.held.pop_front()
    }

    /// The connection may read on.
    pub fn give_back(&mut self, connection: ConnectionId, buffer: ReceiveBuffer) {
        if let Some(line) = self.lines.find(connection) {
            line.give_back(buffer);
        }
    }

    /// Takes an errand; its sender is checked.
    pub fn take_errand(&mut self, errand: Errand) {
        if let Some((connection, login)) = self.desk.admit(errand) {
            let username = login.username.as_deref();
            let checked = self
                .authenticator
                .check(connection, username, Some(&login.password));
            if let Some(verdict) = checked {
                self.desk.handle_verdict(connection, verdict);
            }
        }
    }

    /// Where HTTP requests wait.
    pub fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// A client that was checked at once.
    pub fn verdict(&mut self) -> Option<(ConnectionId, Verdict)> {
        self.verdicts.pop_front()
    }

    /// What the store says of itself.
    pub fn note_usage(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// Closes the store: its log goes into the database.
    pub fn close(&mut self) {
        if self.writer.request(store::Request::Close).is_err() {
            tracing::debug!("the store has ended already");
        }
    }

    fn load(&mut self, request: store::Request) {
        if let Err(request) = self.writer.request(request) {
            // The thread has ended, and its last reply stops the loop.
            tracing::error!(?request, "the store takes no more requests");
        }
    }

    fn ask_uplink(&mut self, request: uplink::Request) {
        if let Some(uplink) = &self.uplink
            && uplink.request(request).is_err()
        {
            tracing::error!("the uplink takes no more requests");
        }
    }
}

impl Perform for Shell {
    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Transmit { to, parts } => {
                if let Some(line) = self.lines.find(to) {
                    line.transmit(parts);
                }
            }
            Action::Close { connection } => {
                if let Some(line) = self.lines.find(connection) {
                    line.close();
                }
            }
            Action::Authenticate {
                connection,
                credentials,
            } => {
                let Credentials {
                    username, password, ..
                } = credentials;
                if let Some(verdict) = self.authenticator.check(connection, username, password) {
                    self.verdicts.push_back((connection, verdict));
                }
            }
            Action::Fault { request, error } => self.desk.note_fault(request, error),
            Action::Answer { request, reason } => self.desk.handle_answer(request, reason),
            Action::Commit(commit) => self.load(store::Request::Commit(commit)),
            Action::Load { lane, after } => self.load(store::Request::Load {
                lane,
                after,
                bytes_max: TRANSFER_BYTES_MAX,
                rows_max: TRANSFER_ROWS_MAX,
            }),
            Action::Alert { payload, again } => self.outputs.alert(payload, again),
            Action::Connect => self.ask_uplink(uplink::Request::Connect),
            Action::Send { rows, watermark } => {
                self.ask_uplink(uplink::Request::Send { rows, watermark })
            }
        }
    }
}

impl Lines {
    fn new(count: u16) -> Self {
        Self {
            places: (0..count).map(|_| Place::default()).collect(),
            free: (0..count).rev().collect(),
        }
    }

    fn insert(&mut self, line: Rc<Line>) -> Option<ConnectionId> {
        let index = self.free.pop()?;
        let place = &mut self.places[usize::from(index)];
        place.generation = place.generation.wrapping_add(1);
        place.line = Some(line);
        Some(ConnectionId {
            index,
            generation: place.generation,
        })
    }

    fn find(&self, connection: ConnectionId) -> Option<&Rc<Line>> {
        let place = self.places.get(usize::from(connection.index))?;
        place
            .line
            .as_ref()
            .filter(|_| place.generation == connection.generation)
    }

    fn remove(&mut self, connection: ConnectionId) {
        if self.find(connection).is_some() {
            self.places[usize::from(connection.index)].line = None;
            self.free.push(connection.index);
        }
    }
}
