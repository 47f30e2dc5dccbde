//! Performs the engine's actions: sockets, store, uplink, passwords.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::authenticate::{Admitted, Answer, Attempt, Authenticator, Proof, Verdict};
use crate::broker::auth;
use crate::broker::{ConnectionId, Peer, Refusal, Rights};
use crate::buffers::ReceiveBuffer;
use crate::connection::{Common, Connection, Line};
use crate::engine::{Action, Perform};
use crate::http::{Desk, Errand};
use crate::limits::{OVERRIDES_MAX, TRANSFER_ROWS_MAX};
use crate::outputs::Outputs;
use crate::refusals::Refusals;
use crate::store::{self, Writer};
use crate::transport::{Arrival, Guest, Ticket};
use crate::uplink::{self, Uplink};

mod fleet;

/// The I/O side of the gateway.
pub struct Shell {
    lines: Lines,
    common: Common,
    authenticator: Authenticator,
    /// Clients that have said who they are, and are not looked at yet.
    attempts: VecDeque<Attempt>,
    /// Connections that a new credentials file is not held against yet.
    outdated: VecDeque<ConnectionId>,
    held: VecDeque<(ConnectionId, ReceiveBuffer)>,
    writer: Writer,
    uplink: Option<Uplink>,
    /// Which uplink: an answer of one that was replaced is nobody's.
    uplink_number: u32,
    overrides: VecDeque<(String, String, Vec<u8>)>,
    outputs: Outputs,
    desk: Desk,
}

/// The connections by their index. A generation tells a connection from those before it in its place.
struct Lines {
    places: Vec<Place>,
    free: Vec<u16>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    occupant: Option<Occupant>,
}

struct Occupant {
    line: Rc<Line>,
    guest: Guest,
    /// Who it is and what it was let in by.
    session: Option<(Arc<str>, Proof)>,
    /// Goes back with the place.
    _ticket: Ticket,
}

impl Shell {
    /// A shell around the parts.
    #[must_use]
    pub fn new(
        connections_max: u16,
        common: Common,
        authenticator: Authenticator,
        writer: Writer,
        uplink: Option<Uplink>,
        outputs: Outputs,
    ) -> Self {
        Self {
            lines: Lines::new(connections_max),
            common,
            authenticator,
            attempts: VecDeque::new(),
            outdated: VecDeque::new(),
            held: VecDeque::new(),
            writer,
            uplink,
            uplink_number: 0,
            overrides: VecDeque::new(),
            outputs,
            desk: Desk::new(connections_max),
        }
    }

    /// Whom the gateway turned away, by reason.
    #[must_use]
    pub fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.common.refusals)
    }

    /// Starts the task of a new connection; `None`: its socket is broken.
    pub fn open(&mut self, arrival: Arrival) -> Option<(ConnectionId, Peer)> {
        let Arrival {
            mut stream,
            guest,
            ticket,
        } = arrival;
        if let Err(error) = stream.settle() {
            tracing::debug!(%error, "gone before it was served");
            return None;
        }
        let line = Rc::new(Line::default());
        let loopback = guest.loopback;
        // There is one ticket for each place.
        let connection = self.lines.insert(Rc::clone(&line), guest, ticket)?;
        let task = Connection::new(connection, stream, line, self.common.clone());
        tokio::task::spawn_local(task.serve());
        Some((connection, Peer { loopback }))
    }

    /// The connection's socket is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.lines.remove(connection);
        self.held.retain(|(held, _)| *held != connection);
        self.authenticator.forget(connection);
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
        if let Some(line) = self.lines.line(connection) {
            line.give_back(buffer);
        }
    }

    /// Takes an errand; its sender is checked.
    pub fn take_errand(&mut self, errand: Errand) {
        let guest = errand.guest.clone();
        if let Some((connection, login)) = self.desk.admit(errand) {
            self.attempts.push_back(Attempt {
                connection,
                guest,
                username: login.username.map(Box::from),
                password: login.password.into(),
            });
        }
    }

    /// The next client whose verdict there is, at `now_ms`.
    pub fn verdict(&mut self, now_ms: u64) -> Option<(ConnectionId, Result<Rights, Refusal>)> {
        while let Some(attempt) = self.attempts.pop_front() {
            let connection = attempt.connection;
            if let Some(verdict) = self.authenticator.check(attempt, now_ms)
                && let Some(decided) = self.settle(connection, verdict)
            {
                return Some(decided);
            }
        }
        while let Some((connection, verdict)) = self.authenticator.due(now_ms) {
            if let Some(decided) = verdict.and_then(|verdict| self.settle(connection, verdict)) {
                return Some(decided);
            }
        }
        None
    }

    /// The verdict on a client whose password was checked.
    pub fn answered(
        &mut self,
        answer: &Answer,
        now_ms: u64,
    ) -> Option<(ConnectionId, Result<Rights, Refusal>)> {
        let (connection, verdict) = self.authenticator.answered(answer, now_ms)?;
        self.settle(connection, verdict)
    }

    /// When [`verdict`](Self::verdict) has to be asked again, ms.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.authenticator.deadline_ms()
    }

    /// From now on this file holds; [`renewal`](Self::renewal) says for whom what changes.
    pub fn renew(&mut self, credentials: auth::Credentials) {
        self.authenticator.replace(credentials);
        self.outdated.clear();
        self.outdated.extend(self.lines.in_session());
    }

    /// What the next session may do by the new file.
    pub fn renewal(&mut self) -> Option<(ConnectionId, Result<Rights, Refusal>)> {
        loop {
            let connection = self.outdated.pop_front()?;
            let Some(occupant) = self.lines.find_mut(connection) else {
                continue;
            };
            if let Some((user, proof)) = &occupant.session {
                return Some((connection, self.authenticator.renew(user, proof)));
            }
        }
    }

    /// Where HTTP requests wait.
    pub fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// Notes who came in by what. The verdict on an HTTP request goes to the desk, the others to the caller.
    fn settle(
        &mut self,
        connection: ConnectionId,
        verdict: Verdict,
    ) -> Option<(ConnectionId, Result<Rights, Refusal>)> {
        let rights = verdict.map(|Admitted { rights, proof }| {
            if let Some(occupant) = self.lines.find_mut(connection) {
                occupant.session = Some((Arc::clone(rights.user()), proof));
            }
            rights
        });
        if self.desk.owns(connection) {
            self.desk.handle_verdict(connection, rights);
            return None;
        }
        Some((connection, rights))
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
                if let Some(line) = self.lines.line(to) {
                    line.transmit(parts);
                }
            }
            Action::Close { connection } => {
                if let Some(line) = self.lines.line(connection) {
                    line.close();
                }
            }
            Action::Authenticate {
                connection,
                credentials,
            } => {
                let Some(occupant) = self.lines.find_mut(connection) else {
                    return;
                };
                self.attempts.push_back(Attempt {
                    connection,
                    guest: occupant.guest.clone(),
                    username: credentials.username.map(Box::from),
                    password: credentials.password.unwrap_or_default().into(),
                });
            }
            Action::Fault { request, error } => self.desk.note_fault(request, error),
            Action::Answer { request, reason } => self.desk.handle_answer(request, reason),
            Action::Commit(commit) => self.load(store::Request::Commit(commit)),
            Action::Load {
                lane,
                after,
                bytes_max,
            } => self.load(store::Request::Load {
                lane,
                after,
                bytes_max,
                rows_max: TRANSFER_ROWS_MAX,
            }),
            Action::Override { verb, by, payload } => {
                if self.overrides.len() < OVERRIDES_MAX {
                    self.overrides
                        .push_back((verb.to_owned(), by.to_owned(), payload.to_vec()));
                }
            }
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

    fn insert(&mut self, line: Rc<Line>, guest: Guest, ticket: Ticket) -> Option<ConnectionId> {
        let index = self.free.pop()?;
        let place = &mut self.places[usize::from(index)];
        place.generation = place.generation.wrapping_add(1);
        place.occupant = Some(Occupant {
            line,
            guest,
            session: None,
            _ticket: ticket,
        });
        Some(ConnectionId {
            index,
            generation: place.generation,
        })
    }

    fn line(&self, connection: ConnectionId) -> Option<&Rc<Line>> {
        let place = self.places.get(usize::from(connection.index))?;
        let occupant = place.occupant.as_ref()?;
        (place.generation == connection.generation).then_some(&occupant.line)
    }

    fn find_mut(&mut self, connection: ConnectionId) -> Option<&mut Occupant> {
        let place = self.places.get_mut(usize::from(connection.index))?;
        place
            .occupant
            .as_mut()
            .filter(|_| place.generation == connection.generation)
    }

    fn in_session(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let places = (0..).zip(&self.places);
        places.filter_map(|(index, place)| {
            place.occupant.as_ref()?.session.as_ref()?;
            Some(ConnectionId {
                index,
                generation: place.generation,
            })
        })
    }

    fn remove(&mut self, connection: ConnectionId) {
        if self.find_mut(connection).is_some() {
            self.places[usize::from(connection.index)].occupant = None;
            self.free.push(connection.index);
        }
    }
}
