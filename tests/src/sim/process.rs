//! A life of the gateway: the real engine, and a tape on which stands what it did.

use std::collections::VecDeque;

use gateway::broker::{Broker, ConnectionId};
use gateway::clock::Moment;
use gateway::commit::Commit;
use gateway::engine::{Action, Engine, Event, Perform};
use gateway::journal::Position;
use gateway::machine::Machine;
use gateway::outbox::{Lane, OutboxRow, Sequence, Watermark};
use gateway::replay::{Extent, Kept, Replay, replay};

use super::marks::Marks;
use super::site::Site;
use super::store::Disk;

/// What the engine wanted done.
#[derive(Debug)]
pub enum Did {
    /// Bytes for a connection.
    Transmit(ConnectionId, Vec<u8>),
    /// A connection is to be closed.
    Close(ConnectionId),
    /// Somebody wants to come in.
    Authenticate(ConnectionId),
    /// Something for the store.
    Store(Job),
    /// A session with Kafka.
    Connect,
    /// A transfer to Kafka.
    Send(Vec<OutboxRow>, Watermark),
}

/// What waits for the store.
#[derive(Debug)]
pub enum Job {
    /// Make it durable.
    Commit(Box<Commit>),
    /// Read rows of a lane behind a sequence, at most so many bytes of them.
    Load(Lane, Sequence, usize),
}

/// What the engine did since it was last looked at.
#[derive(Debug, Default)]
pub struct Tape(Vec<Did>);

impl Perform for Tape {
    fn perform(&mut self, action: Action<'_>) {
        self.0.push(match action {
            Action::Transmit { to, parts } => Did::Transmit(to, parts.concat()),
            Action::Close { connection } => Did::Close(connection),
            Action::Authenticate { connection, .. } => Did::Authenticate(connection),
            Action::Commit(commit) => Did::Store(Job::Commit(commit)),
            Action::Load {
                lane,
                after,
                bytes_max,
            } => Did::Store(Job::Load(lane, after, bytes_max)),
            Action::Connect => Did::Connect,
            Action::Send { rows, watermark } => Did::Send(rows, watermark),
            // Nobody posts, and the outputs show what is published.
            _ => return,
        });
    }
}

/// A life.
pub struct Process {
    /// The engine.
    pub engine: Engine,
    /// When it began, true time in ms.
    pub born_ms: u64,
    /// What waits for the store; the first one is at it.
    pub jobs: VecDeque<Job>,
    /// Its session with Kafka.
    pub session: u64,
    /// Whether a transfer is under way.
    pub is_sending: bool,
    /// It was asked to stop: only the store is listened to.
    pub is_stopping: bool,
    tape: Tape,
}

impl Process {
    /// Recovers what is on the disk, and begins.
    ///
    /// # Errors
    /// If a replay does not arrive where the last life was, or there is no way to go on.
    pub fn start(
        site: &Site,
        disk: &mut Disk,
        wall_ms: i64,
        born_ms: u64,
        marks: &mut Marks,
    ) -> Result<Self, String> {
        let extent = disk.extent();
        check_replay(site, disk, &extent)?;
        let broken = |_: u64, error: &_| panic!("a checkpoint cannot be used: {error:?}");
        let mut restored = replay(&extent, disk, &site.plan, &site.sizes, broken)
            .map_err(|error| format!("no way to go on: {error:?}"))?;
        marks.add("replayed", u64::from(restored.journal_bytes > 0));
        for commit in restored.commits.drain(..) {
            marks.hit("replay-made-rows");
            disk.apply(&commit);
        }
        let mut broker = Broker::new(site.limits.clone());
        for (key, value) in &disk.state {
            broker
                .restore(key, value)
                .map_err(|error| format!("the broker's state: {error}"))?;
        }
        let moment = Moment {
            monotonic_ms: 0,
            wall_ms,
            is_vouched: None,
        };
        let settings = site.settings.clone();
        let mut process = Self {
            engine: Engine::new(settings, broker, Site::mapping(), restored, moment),
            born_ms,
            jobs: VecDeque::new(),
            session: 0,
            is_sending: false,
            is_stopping: false,
            tape: Tape::default(),
        };
        process.engine.start(&site.plan, &mut process.tape);
        Ok(process)
    }

    /// Tells the engine.
    pub fn tell(&mut self, moment: Moment, event: Event<'_>) {
        self.engine.handle(moment, event, &mut self.tape);
    }

    /// Asks it to stop.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        self.engine.stop(&mut self.tape);
    }

    /// What it did since the last time.
    pub fn done(&mut self) -> Vec<Did> {
        core::mem::take(&mut self.tape.0)
    }

    /// When it wants to be called, true time in ms.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        let due = self.engine.deadline_ms().filter(|_| !self.is_stopping);
        due.map(|ms| ms + self.born_ms)
    }
}

/// From the older checkpoint the journal leads to the newer one.
fn check_replay(site: &Site, disk: &Disk, extent: &Extent) -> Result<(), String> {
    let [newer, older] = extent.checkpoints[..] else {
        return Ok(());
    };
    let open = |position: u64| {
        let Ok(state) = disk.checkpoint(position);
        Machine::restore(&state, &site.sizes).map_err(|error| format!("a checkpoint: {error}"))
    };
    let mut replay = Replay::new(extent, open(older)?, Position(older));
    for (first, chunk) in &disk.journal {
        if *first < newer {
            replay.apply(chunk).map_err(|error| error.to_string())?;
        }
    }
    if replay.machine.digest() == open(newer)?.digest() {
        Ok(())
    } else {
        Err(format!(
            "a replay from {older} does not arrive at the state of {newer}"
        ))
    }
}
