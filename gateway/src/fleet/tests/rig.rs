//! An agent with a disk, a clock and a config of three keys, for tests.

use std::collections::VecDeque;

use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::fleet::agent::{
    Action, Agent, Event, Health, Judge, Notice, Now, Perform, Report, Settings,
};
use crate::fleet::document::{DOCUMENT_TYPE, Part, Scope};
use crate::fleet::envelope::seal;
use crate::fleet::keys::{KeyList, PublicKey, Root};
use crate::fleet::merge::leaves;
use crate::fleet::reason::{Reason, Refusal};
use crate::fleet::slots::{Slots, Stack};
use crate::fleet::trial::Trial;

pub(super) const WALL_MS: i64 = 1_800_000_000_000;
pub(super) const WELL: Health = Health {
    uplink: true,
    intake_milli: 10_000,
    store: true,
    self_test: true,
};

pub(super) fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
}

pub(super) fn keys() -> KeyList {
    KeyList {
        fleet: "acme".to_owned(),
        version: 1,
        root: Root {
            threshold: 1,
            keys: vec![PublicKey::of(&key(1))],
        },
        config: vec![PublicKey::of(&key(2))],
    }
}

pub(super) fn scopes() -> Vec<Scope> {
    let parts = [
        Part::Fleet,
        Part::Group("north".to_owned()),
        Part::Gateway("edge-1".to_owned()),
    ];
    let scope = |part| Scope {
        fleet: "acme".to_owned(),
        part,
    };
    parts.into_iter().map(scope).collect()
}

/// A payload for the fleet's scope at `place`.
pub(super) fn payload(place: usize, generation: u64, config: &Value) -> Value {
    json!({
        "scope": scopes()[place], "generation": generation, "issued": WALL_MS, "config": config,
        "confirm": {"timeout_s": 60, "settle_s": 10},
    })
}

pub(super) fn sign(payload: &Value, seed: u8) -> Vec<u8> {
    seal(DOCUMENT_TYPE, payload.to_string().as_bytes(), &[key(seed)])
}

/// Knows the keys below `defaults` and `kafka`, and `pipeline.batch_readings_max`, which is a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Toy {
    pub(super) takes_all: bool,
}

impl Judge for Toy {
    fn form(&self, stack: &Stack) -> Result<(), Refusal> {
        let merged = stack.over(&json!({}));
        let known = [
            "/broker",
            "/defaults",
            "/gateway",
            "/kafka",
            "/pipeline",
            "/store",
        ];
        for (pointer, value) in leaves(&merged) {
            let is_known = known.iter().any(|begin| pointer.starts_with(begin));
            let is_number = pointer != "/pipeline/batch_readings_max" || value.is_u64();
            if !(is_known && is_number || self.takes_all) {
                return Err(Refusal::at(
                    Reason::Schema,
                    pointer,
                    "unknown, or no number",
                ));
            }
        }
        Ok(())
    }

    fn judge(&self, stack: &Stack) -> Result<(), Refusal> {
        let merged = stack.over(&json!({}));
        let number = merged.pointer("/pipeline/batch_readings_max");
        match number.and_then(Value::as_u64).unwrap_or(64) {
            _ if self.takes_all => Ok(()),
            64..=4_096 => Ok(()),
            4_097..=8_192 => Err(Refusal::whole(Reason::Budget, "1 MiB is missing")),
            _ => Err(Refusal::whole(Reason::Schema, "out of range")),
        }
    }
}

/// What the agent asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Try,
    Write(u64, Box<Slots>),
    Swap(Stack),
}

/// Where actions go.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) asked: VecDeque<Asked>,
    pub(super) notices: Vec<Notice>,
    pub(super) answers: Vec<(String, Value)>,
}

impl Perform for Tape {
    fn perform(&mut self, action: Action<'_>) {
        match action {
            Action::Try(_) => self.asked.push_back(Asked::Try),
            Action::Write { number, slots } => {
                let slots = Box::new(slots.clone());
                self.asked.push_back(Asked::Write(number, slots));
            }
            Action::Swap(stack) => self.asked.push_back(Asked::Swap(stack.clone())),
            Action::Tell(notice) => self.notices.push(notice.clone()),
            Action::Report => {}
            Action::Answer { id, body } => self.answers.push((id.to_owned(), body)),
        }
    }
}

/// A box on which everything that is asked for succeeds at once; but swaps wait while there is no room.
pub(super) struct Rig {
    pub(super) agent: Agent<Toy>,
    pub(super) tape: Tape,
    pub(super) disk: Slots,
    pub(super) holds: Stack,
    pub(super) now: Now,
    pub(super) trial: Result<Trial, Refusal>,
    pub(super) has_room: bool,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::boot(
            Slots::new(keys()),
            Now {
                ms: 0,
                wall_ms: WALL_MS,
            },
        )
    }

    pub(super) fn boot(disk: Slots, now: Now) -> Self {
        let mut settings = Settings::new(scopes());
        settings.locked = vec!["kafka.topic_alerts".to_owned()];
        let mut tape = Tape::default();
        let holds = disk.stack(&settings.scopes);
        let agent = Agent::new(settings, Toy::default(), disk.clone(), now, &mut tape);
        let mut rig = Self {
            agent,
            tape,
            disk,
            holds,
            now,
            trial: Ok(Trial::default()),
            has_room: true,
        };
        rig.serve();
        rig
    }

    pub(super) fn tell(&mut self, event: Event<'_>) {
        self.agent.handle(self.now, event, &mut self.tape);
        self.serve();
    }

    /// `seconds` of good health, or of bad.
    pub(super) fn live(&mut self, seconds: u64, health: Health) {
        for _ in 0..seconds {
            self.now.ms += 1_000;
            self.now.wall_ms += 1_000;
            self.tell(Event::Health(health));
        }
    }

    pub(super) fn deliver(&mut self, place: usize, bytes: &[u8]) {
        self.tell(Event::Document { place, bytes });
    }

    /// Delivers a good document and lives until it is confirmed.
    pub(super) fn confirm(&mut self, place: usize, generation: u64, config: &Value) {
        self.live(1, WELL);
        self.deliver(place, &sign(&payload(place, generation, config), 2));
        self.live(12, WELL);
        assert!(self.agent.is_steady(), "{:?}", self.tape.notices);
    }

    pub(super) fn report(&self) -> Report {
        self.agent.report(self.now)
    }

    pub(super) fn codes(&mut self) -> Vec<&'static str> {
        let notices = core::mem::take(&mut self.tape.notices);
        notices.iter().map(|notice| notice.code).collect()
    }

    /// Loses the power, and boots what is on the disk.
    pub(super) fn crash(self) -> Self {
        Self::boot(self.disk, self.now)
    }

    fn serve(&mut self) {
        let is_served = |asked: &mut Asked| self.has_room || !matches!(asked, Asked::Swap(_));
        while let Some(asked) = self.tape.asked.pop_front_if(is_served) {
            let event = match asked {
                Asked::Try => Event::Tried(self.trial.clone()),
                Asked::Write(number, slots) => {
                    self.disk = *slots;
                    Event::Written {
                        number,
                        is_done: true,
                    }
                }
                Asked::Swap(stack) => {
                    self.holds = stack;
                    Event::Swapped { is_done: true }
                }
            };
            self.agent.handle(self.now, event, &mut self.tape);
        }
    }
}
