//! The agent: from a document that came to one that holds, or to the reason why not.
//!
//! verify → validate → budget → dry-run → pending slot durable → swapped → gates against the baseline → confirmed, or
//! rolled back. A restart in between boots what was good: the pending slot is read as a failed attempt, never as a config.

mod change;
mod command;
mod confirm;
mod report;
mod take;
mod trying;

use std::collections::VecDeque;

use serde_json::Value;

use super::document::Scope;
use super::keys::KeyList;
use super::limits::{CHANGES_MAX, CHANGES_WINDOW_MS, LAYERS_MAX, RETRY_MS};
use super::reason::{Reason, Refusal};
use super::slots::{Override, Slots, Stack, Taken};
use super::trial::Trial;

pub use command::{COMMAND_TYPE, Command, Verb};
pub use confirm::Health;
pub use report::{Counters, Notice, Outcome, Report};

/// Who this box is, and how patient.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The scopes whose documents hold here, the strongest last.
    pub scopes: Vec<Scope>,
    /// Version of the gateway: major, minor, patch.
    pub version: [u32; 3],
    /// Keys that only the site's file sets, with dots.
    pub locked: Vec<String>,
    /// Changes within [`changes_window_ms`](Self::changes_window_ms) after which further ones wait.
    pub changes_max: usize,
    /// See [`changes_max`](Self::changes_max).
    pub changes_window_ms: u64,
    /// Wait before the second attempt, ms.
    pub retry_ms: u64,
}

impl Settings {
    /// The usual patience.
    #[must_use]
    pub fn new(scopes: Vec<Scope>) -> Self {
        debug_assert!(scopes.len() <= LAYERS_MAX, "the config has checked it");
        Self {
            scopes,
            version: [0, 1, 0],
            locked: Vec::new(),
            changes_max: CHANGES_MAX,
            changes_window_ms: CHANGES_WINDOW_MS,
            retry_ms: RETRY_MS,
        }
    }
}

/// What the clocks say; as [`Moment`](crate::clock::Moment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, ms since the process began.
    pub ms: u64,
    /// Wall clock, ms since the epoch.
    pub wall_ms: i64,
}

/// Says whether layers can be lived with; knows the site's own config.
pub trait Judge {
    /// Whether each key is known and of the right type.
    ///
    /// # Errors
    /// [`Reason::Schema`] with all that is wrong.
    fn form(&self, stack: &Stack) -> Result<(), Refusal>;

    /// Whether each value is possible, and the memory is there.
    ///
    /// # Errors
    /// [`Reason::Schema`] or [`Reason::Budget`], with all that is wrong.
    fn judge(&self, stack: &Stack) -> Result<(), Refusal>;
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Bytes came on the topic of a scope.
    Document {
        /// Index of the scope in [`Settings::scopes`].
        place: usize,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes came on the topic of the key list.
    Keys(&'a [u8]),
    /// A technician wants to override.
    Override {
        /// Who.
        by: &'a str,
        /// For how long, s; [`OVERRIDE_S`](super::limits::OVERRIDE_S) if absent.
        ttl_s: Option<u64>,
        /// The merge patch.
        config: Value,
    },
    /// A technician says that his override is right.
    OverrideConfirmed,
    /// A technician takes his override back.
    OverrideCleared,
    /// A signed command came.
    Command {
        /// What its topic says.
        verb: Verb,
        /// Its id, as in the topic.
        id: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The answer to [`Action::Try`].
    Tried(Result<Trial, Refusal>),
    /// The answer to [`Action::Write`].
    Written {
        /// Its number.
        number: u64,
        /// Whether the slots are on the disk.
        is_done: bool,
    },
    /// The answer to [`Action::Swap`].
    Swapped {
        /// Whether the layers hold now.
        is_done: bool,
    },
    /// How the box is; comes about once a second, and is the agent's clock.
    Health(Health),
}

/// What shall be done.
#[derive(Debug)]
pub enum Action<'a> {
    /// Put these layers to the test on a copy of the box as it is; answered by [`Event::Tried`].
    Try(&'a Stack),
    /// Make the slots durable; answered by [`Event::Written`]. Writes are done in order.
    Write {
        /// Tells the answers apart.
        number: u64,
        /// The slots.
        slots: &'a Slots,
    },
    /// Let these layers hold, in order with readings; answered by [`Event::Swapped`]. What held before holds until then.
    Swap(&'a Stack),
    /// Publish an event.
    Tell(&'a Notice),
    /// The report has changed.
    Report,
    /// Publish the answer to a command.
    Answer {
        /// The command's id.
        id: &'a str,
        /// The answer.
        body: Value,
    },
}

/// Where actions go. None may call the agent.
pub trait Perform {
    /// Does it.
    fn perform(&mut self, action: Action<'_>);
}

/// A change on its way.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Document(Taken),
    Override(Override),
}

/// Where the agent stands.
#[derive(Clone, Debug)]
enum State {
    /// What is good holds, and is durable.
    Steady,
    /// The dry-run is under way; for a command if `answer` names one.
    Trying {
        change: Change,
        answer: Option<String>,
    },
    /// The pending slot is being written.
    Staging {
        change: Change,
        before: Box<Slots>,
        write: u64,
    },
    /// The layers are being swapped.
    Swapping { change: Change },
    /// The change holds, and the gates are watched.
    Confirming {
        change: Change,
        watch: confirm::Watch,
    },
    /// The change is confirmed, and is being written.
    Settling {
        change: Change,
        before: Box<Slots>,
        write: u64,
    },
    /// What was good is being swapped back.
    Returning { is_swapped: bool, write: u64 },
}

/// A document that was verified and waits for its turn.
#[derive(Clone, Debug)]
struct Waiting {
    place: usize,
    taken: Taken,
    not_before_ms: u64,
}

/// The agent.
pub struct Agent<J> {
    settings: Settings,
    judge: J,
    slots: Slots,
    state: State,
    /// At most one for each scope: the newest.
    waiting: Vec<Waiting>,
    /// When the last changes were swapped in.
    changes: VecDeque<u64>,
    is_held: bool,
    /// Numbers of the newest write that was asked for, and that was answered.
    writes: (u64, u64),
    baseline: confirm::Baseline,
    commands: command::Answered,
    news: report::News,
}

impl<J: Judge> Agent<J> {
    /// An agent that goes on from its slots. A change that was not confirmed has failed.
    pub fn new<P: Perform>(
        settings: Settings,
        judge: J,
        slots: Slots,
        now: Now,
        out: &mut P,
    ) -> Self {
        let mut agent = Self {
            news: report::News::new(),
            settings,
            judge,
            slots,
            state: State::Steady,
            waiting: Vec::new(),
            changes: VecDeque::new(),
            is_held: false,
            writes: (0, 0),
            baseline: confirm::Baseline::default(),
            commands: command::Answered::default(),
        };
        agent.resume(now, out);
        agent
    }

    /// Handles one event. What follows is performed before this returns.
    pub fn handle<P: Perform>(&mut self, now: Now, event: Event<'_>, out: &mut P) {
        match event {
            Event::Document { place, bytes } => self.take_document(now, place, bytes, out),
            Event::Keys(bytes) => self.take_keys(now, bytes, out),
            Event::Override { by, ttl_s, config } => {
                self.take_override(now, by, ttl_s, config, out)
            }
            Event::OverrideConfirmed => self.confirm_by_hand(true),
            Event::OverrideCleared => self.clear_override(now, out),
            Event::Command { verb, id, bytes } => self.take_command(now, verb, id, bytes, out),
            Event::Tried(result) => self.handle_tried(now, result, out),
            Event::Written { number, is_done } => self.handle_written(now, number, is_done, out),
            Event::Swapped { is_done } => self.handle_swapped(now, is_done, out),
            Event::Health(health) => self.handle_health(now, health, out),
        }
        self.proceed(now, out);
    }

    /// The layers that hold, or are about to.
    #[must_use]
    pub fn running(&self) -> Stack {
        match &self.state {
            State::Swapping { change } | State::Confirming { change, .. } => {
                self.with_change(change).stack(&self.settings.scopes)
            }
            State::Steady
            | State::Trying { .. }
            | State::Staging { .. }
            | State::Settling { .. }
            | State::Returning { .. } => self.slots.stack(&self.settings.scopes),
        }
    }

    /// The durable state, as it was last asked to be written.
    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Whose signatures count.
    #[must_use]
    pub const fn keys(&self) -> &KeyList {
        &self.slots.keys
    }

    /// Who this box is.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub const fn is_steady(&self) -> bool {
        matches!(self.state, State::Steady) && self.writes.0 == self.writes.1
    }

    /// Whether no document waits for its turn.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn write<P: Perform>(&mut self, out: &mut P) -> u64 {
        self.writes.0 += 1;
        out.perform(Action::Write {
            number: self.writes.0,
            slots: &self.slots,
        });
        self.writes.0
    }

    fn is_under_way(&self, digest: &str) -> bool {
        let change = match &self.state {
            State::Steady | State::Returning { .. } => return false,
            State::Trying { change, .. }
            | State::Staging { change, .. }
            | State::Swapping { change }
            | State::Confirming { change, .. }
            | State::Settling { change, .. } => change,
        };
        matches!(change, Change::Document(taken) if taken.digest == digest)
    }

    /// Whether the fleet lets technicians override; the strongest layer that says so holds.
    fn allows_override(&self) -> bool {
        let policies = self.slots.policies(&self.settings.scopes);
        let found = policies.iter().find_map(|it| it.allow_local_override);
        found.unwrap_or(true)
    }

    /// The slots as they would be if the change were good.
    fn with_change(&self, change: &Change) -> Slots {
        let mut slots = self.slots.clone();
        match change {
            Change::Document(taken) => slots.set_good(taken.clone()),
            Change::Override(over) => slots.over = Some(over.clone()),
        }
        slots
    }
}

impl Change {
    fn what(&self) -> String {
        match self {
            Self::Document(taken) => taken.document.scope.path(),
            Self::Override(_) => "override".to_owned(),
        }
    }

    const fn generation(&self) -> u64 {
        match self {
            Self::Document(taken) => taken.document.generation,
            Self::Override(_) => 0,
        }
    }
}

/// A reason of one line.
fn refuse<T>(reason: Reason, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::whole(reason, text))
}
