//! The box's side of the fleet: does what the agent says. Slots on the disk, a client of the fleet's broker, the swap of layers.

mod error;
mod judge;
pub(crate) mod link;
mod slots_file;

use std::collections::VecDeque;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::clock::Moment;
use crate::config::{Config, Layers};
use crate::fleet::agent::{Action, Agent, Event, Health, Now, Perform, Verb};
use crate::fleet::keys::KeyList;
use crate::fleet::limits::LINK_INCOMING_MAX;
use crate::fleet::reason::{Reason, Refusal};
use crate::fleet::slots::{Slots, Stack};
use crate::fleet::trial::Trial;

pub use error::RemoteError;
pub use judge::Site;
pub use link::Received;
pub(crate) use link::desired;
use link::{Link, Message};
use slots_file::Writer;

/// Longest time between two looks of a loop that is well, beyond what the config says, ms.
const LATE_MS_MAX: u64 = 2_000;
/// Reports are published at most this often, ms.
const REPORT_MS_MIN: u64 = 500;
/// Time over which the rate of readings is taken, ms.
const RATE_MS: u64 = 10_000;
/// Looks within [`RATE_MS`] that are kept.
const RATES_MAX: usize = 16;

/// What comes to the loop for the agent.
#[derive(Debug)]
pub enum Incoming {
    /// From the fleet's broker.
    Received(Received),
    /// The connection to it came or went.
    Linked(bool),
    /// The slots were written, or not.
    Written {
        /// Which write.
        number: u64,
        /// Whether they are on the disk.
        is_done: bool,
    },
}

/// What the technician sends on the box's own broker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    config: Value,
    #[serde(default)]
    ttl_s: Option<u64>,
    #[serde(default)]
    by: Option<String>,
}

/// What the loop has to do for the agent.
#[derive(Debug)]
pub enum Task {
    /// Let these layers hold, and say so with [`Remote::swapped`].
    Swap(Box<Config>),
    /// Put this config to the test on the machine as it is, and answer with [`Remote::tried`].
    Try(Box<Config>),
    /// Publish the report on the box's own broker, retained.
    Report(Vec<u8>),
}

/// Slots and trust, read before the gateway starts: they say which config it starts with.
pub struct Stored {
    slots: Slots,
    folder: PathBuf,
    number: u64,
}

impl Stored {
    /// Reads the slots of a config's store; a new box begins with its trust file.
    ///
    /// # Errors
    /// [`RemoteError`] if there is a fleet and whom to trust cannot be read. `None`: there is no fleet.
    pub fn read(config: &Config) -> Result<Option<Self>, RemoteError> {
        let Some(fleet) = &config.fleet else {
            return Ok(None);
        };
        let folder = config.store.dir.join("fleet");
        let (number, slots) = match slots_file::read(&folder) {
            Some(found) => found,
            None => {
                let trust_error = |source| RemoteError::Trust {
                    path: fleet.trust_file.clone(),
                    source,
                };
                let text = std::fs::read_to_string(&fleet.trust_file).map_err(trust_error)?;
                let keys: KeyList = serde_json::from_str(&text)
                    .map_err(|error| trust_error(std::io::Error::other(error)))?;
                (0, Slots::new(keys))
            }
        };
        Ok(Some(Self {
            slots,
            folder,
            number,
        }))
    }

    /// The layers that are good: what the gateway starts with.
    #[must_use]
    pub fn stack(&self, config: &Config) -> Stack {
        config.fleet.as_ref().map_or_else(Stack::default, |fleet| {
            let scopes = fleet.agent_settings(&config.gateway.id).scopes;
            self.slots.stack(&scopes)
        })
    }

    /// The site's own config has changed, and these layers fit it no longer: the box comes up without them.
    pub fn forget_layers(&mut self) {
        self.slots.good.clear();
        self.slots.over = None;
    }
}

/// The agent with its hands.
pub struct Remote {
    agent: Agent<Site>,
    layers: Layers,
    hands: Hands,
    link: Link,
    writer: Writer,
    input: mpsc::Receiver<Incoming>,
    look_ms: u64,
    next_look_ms: u64,
    report_due: Option<u64>,
    rates: VecDeque<(u64, u64)>,
}

/// Takes the agent's actions, to be done once it has returned.
#[derive(Debug, Default)]
struct Hands {
    stacks: VecDeque<(bool, Stack)>,
    writes: VecDeque<(u64, Slots)>,
    messages: VecDeque<Message>,
    has_news: bool,
}

impl Perform for Hands {
    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Try(stack) => self.stacks.push_back((false, stack.clone())),
            Action::Swap(stack) => self.stacks.push_back((true, stack.clone())),
            Action::Write { number, slots } => self.writes.push_back((number, slots.clone())),
            Action::Tell(notice) => {
                tracing::info!(
                    what = notice.what,
                    code = notice.code,
                    text = notice.text,
                    "fleet"
                );
                self.messages.push_back(Message::event(notice));
            }
            Action::Report => self.has_news = true,
            Action::Answer { id, body } => self.messages.push_back(Message::answer(id, &body)),
        }
    }
}

impl Remote {
    /// An agent that goes on from what is stored. `running` is the config that holds.
    ///
    /// # Errors
    /// [`RemoteError`] if a file cannot be read, or there can be no thread.
    pub fn start(
        stored: Stored,
        layers: Layers,
        running: &Config,
        moment: Moment,
    ) -> Result<Option<Self>, RemoteError> {
        let Some(fleet) = &running.fleet else {
            return Ok(None);
        };
        let settings = fleet.agent_settings(&running.gateway.id);
        let (sender, input) = mpsc::channel(LINK_INCOMING_MAX);
        let link = Link::start(fleet, &running.gateway.id, &settings.scopes, sender.clone())?;
        let Stored {
            slots,
            folder,
            number,
        } = stored;
        let writer = std::fs::create_dir_all(&folder)
            .and_then(|()| Writer::start(&folder, number, sender))
            .map_err(|source| RemoteError::Slots {
                path: folder,
                source,
            })?;
        let mut hands = Hands::default();
        let judge = Site::new(layers.clone(), running);
        let agent = Agent::new(settings, judge, slots, now(moment), &mut hands);
        Ok(Some(Self {
            agent,
            layers,
            hands,
            link,
            writer,
            input,
            look_ms: fleet.look_interval.0,
            next_look_ms: moment.monotonic_ms,
            report_due: Some(moment.monotonic_ms),
            rates: VecDeque::new(),
        }))
    }

    /// What came for the agent.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.input.recv().await
    }

    /// When the next look is due.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        self.report_due
            .map_or(self.next_look_ms, |due| due.min(self.next_look_ms))
    }

    /// What came for the agent is told it.
    pub fn handle(&mut self, moment: Moment, incoming: Incoming) {
        match incoming {
            Incoming::Linked(is_up) => {
                tracing::info!(is_up, "the fleet's broker");
                self.hands.has_news |= is_up;
            }
            Incoming::Written { number, is_done } => {
                self.tell(moment, Event::Written { number, is_done });
            }
            Incoming::Received(Received::Document { place, bytes }) => {
                self.tell(
                    moment,
                    Event::Document {
                        place,
                        bytes: &bytes,
                    },
                );
            }
            Incoming::Received(Received::Keys(bytes)) => self.tell(moment, Event::Keys(&bytes)),
            Incoming::Received(Received::Command { verb, id, bytes }) => {
                let verb = Verb::ALL.into_iter().find(|it| it.name() == verb);
                if let Some(verb) = verb {
                    let (id, bytes) = (&id, &bytes);
                    self.tell(moment, Event::Command { verb, id, bytes });
                }
            }
        }
    }

    /// A technician published on the box's own broker: `set`, `confirm` or `clear`.
    pub fn handle_override(&mut self, moment: Moment, verb: &str, by: &str, payload: &[u8]) {
        let event = match verb {
            "confirm" => Event::OverrideConfirmed,
            "clear" => Event::OverrideCleared,
            "set" => match serde_json::from_slice::<Set>(payload) {
                Ok(set) => {
                    let by = set.by.as_deref().unwrap_or(by);
                    return self.tell(
                        moment,
                        Event::Override {
                            by,
                            ttl_s: set.ttl_s,
                            config: set.config,
                        },
                    );
                }
                Err(error) => return tracing::warn!(%error, by, "an override that is none"),
            },
            _ => return,
        };
        self.tell(moment, event);
    }

    /// Looks at the gates, if it is time. `health` gives the health, less the rate, and the number of readings so far.
    pub fn look(&mut self, moment: Moment, readings: u64, health: Health) {
        let now_ms = moment.monotonic_ms;
        if now_ms < self.next_look_ms {
            return;
        }
        let is_late = now_ms - self.next_look_ms > LATE_MS_MAX;
        self.next_look_ms = now_ms + self.look_ms;
        let health = Health {
            intake_milli: self.rate(now_ms, readings),
            self_test: health.self_test && !is_late,
            ..health
        };
        self.tell(moment, Event::Health(health));
    }

    /// Readings in 1/1000 a second, over the last seconds.
    fn rate(&mut self, now_ms: u64, readings: u64) -> u64 {
        let is_due = |last: &(u64, u64)| now_ms - last.0 >= RATE_MS / RATES_MAX as u64;
        if self.rates.back().is_none_or(is_due) {
            if self.rates.len() == RATES_MAX {
                self.rates.pop_front();
            }
            self.rates.push_back((now_ms, readings));
        }
        let first = self.rates.front().copied().unwrap_or((now_ms, readings));
        (readings - first.1) * 1_000_000 / (now_ms - first.0).max(1_000)
    }

    /// Whether the layers hold now.
    pub fn swapped(&mut self, moment: Moment, is_done: bool) {
        self.tell(moment, Event::Swapped { is_done });
    }

    /// What the test on the machine came to.
    pub fn tried(&mut self, moment: Moment, result: Result<Trial, String>) {
        let result = result.map_err(|text| Refusal::whole(Reason::DryRun, text));
        self.tell(moment, Event::Tried(result));
    }

    /// The next thing that the loop has to do.
    pub fn task(&mut self, moment: Moment) -> Option<Task> {
        self.flush(moment);
        if let Some((is_swap, stack)) = self.hands.stacks.pop_front() {
            return match self.layers.check(&stack) {
                Ok(config) if is_swap => Some(Task::Swap(Box::new(config))),
                Ok(config) => Some(Task::Try(Box::new(config))),
                Err(faults) => {
                    let text = faults.first().map_or("", |it| &it.message).to_owned();
                    if is_swap {
                        self.swapped(moment, false);
                    } else {
                        self.tried(moment, Err(text));
                    }
                    None
                }
            };
        }
        if core::mem::take(&mut self.hands.has_news) {
            self.report_due
                .get_or_insert(moment.monotonic_ms + REPORT_MS_MIN);
        }
        if self
            .report_due
            .is_some_and(|due| due <= moment.monotonic_ms)
        {
            self.report_due = None;
            let report = self.agent.report(now(moment));
            let bytes = serde_json::to_vec(&report).unwrap_or_default();
            self.link.send(Message::report(&bytes));
            return Some(Task::Report(bytes));
        }
        None
    }

    fn flush(&mut self, moment: Moment) {
        while let Some((number, slots)) = self.hands.writes.pop_front() {
            if !self.writer.write(number, slots) {
                tracing::error!("the disk is not done with the slots of the fleet");
                let is_done = false;
                self.tell(moment, Event::Written { number, is_done });
            }
        }
        for message in self.hands.messages.drain(..) {
            self.link.send(message);
        }
    }

    fn tell(&mut self, moment: Moment, event: Event<'_>) {
        self.agent.handle(now(moment), event, &mut self.hands);
    }
}

fn now(moment: Moment) -> Now {
    Now {
        ms: moment.monotonic_ms,
        wall_ms: moment.wall_ms,
    }
}
