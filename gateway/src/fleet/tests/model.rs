//! The agent under random events, with a crash possible at each step, held against the oracle; and the same with one planted
//! bug at a time, which the oracle must see.
//!
//! `TIDEGATE_FLEET_STEPS=5000000 cargo test -p gateway --lib fleet::tests::model` walks as far as that, `TIDEGATE_FLEET_SEED` from
//! where; a failure names the seed of its world, which is walked again alone in 10 000 steps.

use std::collections::{BTreeMap, VecDeque};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use serde_json::{Value, json};

use super::oracle::{Made, Oracle};
use super::rig::{Asked, Tape, Toy, WALL_MS, WELL, keys, scopes, sign};
use crate::fleet::agent::{Agent, Event, Health, Now, Settings};
use crate::fleet::slots::{Slots, Stack};
use crate::fleet::trial::Trial;

/// Steps between two long peaces.
const EPISODE: u64 = 250;
/// Steps of one world; each has a seed of its own, from which it can be walked again alone.
const WORLD: u64 = 40 * EPISODE;
/// Seeds of worlds in which the agent (the first) or the oracle (the others) was wrong once.
const SEEDS_ONCE_WRONG: [u64; 5] = [1_510_001, 2_490_001, 3_130_001, 4_070_001, 3_550_007];
/// Steps of one planted bug before it counts as missed.
const BUG_STEPS: u64 = 60_000;

/// Bugs that are planted around the agent: each makes the whole behave as if that line of the agent were wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    SignatureUnchecked,
    ScopeUnchecked,
    FloorUnchecked,
    ConflictTaken,
    InvalidTaken,
    FloorsNotWritten,
    AttemptsNotWritten,
    PendingBooted,
    SwappedBeforeDurable,
    FailedWriteIgnored,
    FailedSwapIgnored,
    GatesIgnored,
    SettlingSkipped,
    DeadlineIgnored,
    RollbackForgotten,
    ConfirmationNotWritten,
    LaterDocumentDropped,
}

const BUGS: [Bug; 17] = [
    Bug::SignatureUnchecked,
    Bug::ScopeUnchecked,
    Bug::FloorUnchecked,
    Bug::ConflictTaken,
    Bug::InvalidTaken,
    Bug::FloorsNotWritten,
    Bug::AttemptsNotWritten,
    Bug::PendingBooted,
    Bug::SwappedBeforeDurable,
    Bug::FailedWriteIgnored,
    Bug::FailedSwapIgnored,
    Bug::GatesIgnored,
    Bug::SettlingSkipped,
    Bug::DeadlineIgnored,
    Bug::RollbackForgotten,
    Bug::ConfirmationNotWritten,
    Bug::LaterDocumentDropped,
];

/// A document as it lies on the controller's table.
#[derive(Clone)]
struct Published {
    id: u64,
    topic: usize,
    payload: Value,
    seed: u8,
    bytes: Vec<u8>,
}

struct World {
    random: Pcg64,
    bug: Option<Bug>,
    agent: Agent<Toy>,
    tape: Tape,
    asked: VecDeque<Asked>,
    disk: Slots,
    holds: Stack,
    now: Now,
    oracle: Oracle,
    published: Vec<Published>,
    retained: BTreeMap<usize, Published>,
    generations: [u64; 3],
}

fn settings() -> Settings {
    let mut settings = Settings::new(scopes());
    settings.changes_max = 50;
    settings.changes_window_ms = 60_000;
    settings
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let now = Now {
            ms: 0,
            wall_ms: WALL_MS,
        };
        let disk = Slots::new(keys());
        let mut tape = Tape::default();
        let judge = Toy {
            takes_all: bug == Some(Bug::InvalidTaken),
        };
        let agent = Agent::new(settings(), judge, disk.clone(), now, &mut tape);
        Self {
            random: Pcg64::new(u128::from(seed), 0),
            bug,
            agent,
            tape,
            asked: VecDeque::new(),
            disk,
            holds: Stack::default(),
            now,
            oracle: Oracle::default(),
            published: Vec::new(),
            retained: BTreeMap::new(),
            generations: [0; 3],
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn tell(&mut self, event: Event<'_>) {
        self.agent.handle(self.now, event, &mut self.tape);
        self.asked.append(&mut self.tape.asked);
        self.tape.notices.clear();
    }

    fn step(&mut self) -> Result<(), String> {
        match self.below(100) {
            0..8 => self.publish_new(),
            8..10 => self.publish_old(),
            10..50 => self.answer()?,
            50..92 => self.look()?,
            92..96 => self.pass(self.now.ms % 700_000),
            _ => self.crash()?,
        }
        if self.agent.is_steady() && self.asked.is_empty() {
            self.oracle.check_steady(&self.holds, &self.disk)?;
        }
        Ok(())
    }

    fn publish_new(&mut self) {
        let id = self.published.len() as u64 + 1;
        let place = self.below(3) as usize;
        let mut generation = self.generations[place] + 1 + self.below(2);
        let (mut topic, mut seed, mut is_signed, mut is_lawful) = (place, 2, true, true);
        let is_healthy = self.below(3) > 0;
        let mut config = json!({"defaults": {"id": id}});
        match self.below(12) {
            0 => (seed, is_signed) = (3, false),
            1 => (topic, is_signed) = ((place + 1) % 3, false),
            2 => {
                config["pipeline"] = json!({"batch_readings_max": 9_999});
                is_lawful = false;
            }
            3 => generation = self.generations[place].max(1),
            4 => generation = self.generations[place].saturating_sub(1).max(1),
            _ => {}
        }
        is_lawful &= is_signed;
        if is_signed {
            self.generations[place] = self.generations[place].max(generation);
        }
        let payload = json!({
            "scope": scopes()[place], "generation": generation, "issued": WALL_MS, "config": config,
            "confirm": {"timeout_s": 60, "settle_s": 10},
        });
        let made = Made {
            place,
            generation,
            is_signed,
            is_lawful,
            is_healthy,
        };
        self.oracle.made.insert(id, made);
        let bytes = sign(&payload, seed);
        let published = Published {
            id,
            topic,
            payload,
            seed,
            bytes,
        };
        self.published.push(published.clone());
        self.deliver(&published);
        self.retained.insert(topic, published);
    }

    /// Somebody replays what was published once.
    fn publish_old(&mut self) {
        if self.published.is_empty() {
            return;
        }
        let back = self.below(20.min(self.published.len() as u64)) as usize;
        let old = self.published[self.published.len() - 1 - back].clone();
        self.deliver(&old);
        self.retained.insert(old.topic, old);
    }

    fn deliver(&mut self, published: &Published) {
        let mut payload = published.payload.clone();
        let mut seed = published.seed;
        let scope = &scopes()[published.topic];
        let floor = self
            .agent
            .slots()
            .floor(scope)
            .map_or(0, |it| it.generation);
        let generation = payload["generation"].as_u64().unwrap_or(0);
        match self.bug {
            Some(Bug::SignatureUnchecked) => seed = 2,
            Some(Bug::ScopeUnchecked) => payload["scope"] = json!(scope),
            Some(Bug::FloorUnchecked) if generation < floor => {
                payload["generation"] = json!(floor + 1)
            }
            Some(Bug::ConflictTaken) if generation == floor => {
                payload["generation"] = json!(floor + 1)
            }
            Some(Bug::LaterDocumentDropped) if !self.agent.is_steady() => return,
            _ => {}
        }
        let is_changed = seed != published.seed || payload != published.payload;
        let bytes = if is_changed {
            sign(&payload, seed)
        } else {
            published.bytes.clone()
        };
        self.tell(Event::Document {
            place: published.topic,
            bytes: &bytes,
        });
    }

    /// One thing that the agent asked for is done, or fails.
    fn answer(&mut self) -> Result<(), String> {
        match self.asked.pop_front() {
            None => Ok(()),
            Some(Asked::Try) => {
                self.tell(Event::Tried(Ok(Trial::default())));
                Ok(())
            }
            Some(Asked::Write(number, slots)) => {
                let has_failed = self.below(50) == 0;
                if has_failed {
                    self.oracle.note_failed_write();
                } else {
                    self.write(*slots)?;
                }
                let is_done = !has_failed || self.is(Bug::FailedWriteIgnored);
                self.tell(Event::Written { number, is_done });
                Ok(())
            }
            // What was good held once, so that there is always a way back.
            Some(Asked::Swap(stack))
                if stack != self.disk.stack(&scopes()) && self.now.ms.is_multiple_of(19) =>
            {
                let is_done = self.is(Bug::FailedSwapIgnored);
                self.tell(Event::Swapped { is_done });
                Ok(())
            }
            Some(Asked::Swap(stack)) => self.swap(stack),
        }
    }

    fn swap(&mut self, stack: Stack) -> Result<(), String> {
        let is_back = stack == self.disk.stack(&scopes());
        if !(self.is(Bug::RollbackForgotten) && is_back) {
            self.holds = stack;
            self.oracle
                .note_swap(self.now.ms, &self.holds, &self.disk)?;
        }
        self.tell(Event::Swapped { is_done: true });
        Ok(())
    }

    fn write(&mut self, mut slots: Slots) -> Result<(), String> {
        match self.bug {
            Some(Bug::FloorsNotWritten) => slots.floors.clear(),
            Some(Bug::AttemptsNotWritten) => {
                for floor in &mut slots.floors {
                    floor.attempts = 0;
                }
            }
            Some(Bug::SwappedBeforeDurable) if slots.pending.is_some() => return Ok(()),
            Some(Bug::ConfirmationNotWritten) if slots.history != self.disk.history => {
                return Ok(());
            }
            _ => {}
        }
        self.disk = slots;
        if self.is(Bug::PendingBooted) && self.disk.pending.is_some() {
            let running = self.agent.report(self.now).candidate;
            let newest = self.published.iter().rev().find(|it| {
                running.as_ref().is_some_and(|candidate| {
                    it.payload["generation"] == candidate.generation
                        && scopes()[it.topic].path() == candidate.what
                })
            });
            if let Some(newest) = newest
                && let Ok(document) = serde_json::from_value(newest.payload.clone())
            {
                self.disk.set_good(crate::fleet::slots::Taken {
                    document,
                    digest: String::new(),
                });
            }
        }
        self.oracle.note_disk(&self.disk)
    }

    /// A second or more goes by, and the box is looked at.
    fn look(&mut self) -> Result<(), String> {
        self.pass(1_000 + self.now.ms % 3_000);
        let ids = self
            .holds
            .0
            .iter()
            .filter_map(|layer| layer.patch.pointer("/defaults/id"));
        let mut is_well = ids
            .filter_map(Value::as_u64)
            .all(|id| self.oracle.made[&id].is_healthy);
        is_well &= self.below(10) > 0;
        self.oracle.note_health(self.now.ms, is_well);
        let told = Health {
            uplink: is_well || self.is(Bug::GatesIgnored),
            ..WELL
        };
        let is_watched = self.agent.report(self.now).state == "confirming";
        if self.is(Bug::SettlingSkipped) && is_well && is_watched {
            // As if the wait were shorter than it is: the agent's clock runs ahead for one look.
            self.tell(Event::Health(told));
            let ahead = Now {
                ms: self.now.ms + 10_000,
                ..self.now
            };
            self.agent
                .handle(ahead, Event::Health(told), &mut self.tape);
            self.asked.append(&mut self.tape.asked);
        } else if is_well || !self.is(Bug::DeadlineIgnored) {
            self.tell(Event::Health(told));
        }
        let is_asked = !self.asked.is_empty();
        self.oracle
            .check_deadline(self.now.ms, is_watched && !is_asked)
    }

    fn pass(&mut self, ms: u64) {
        self.now.ms += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap_or(0);
    }

    /// The power fails: of what was being written a part may be on the disk.
    fn crash(&mut self) -> Result<(), String> {
        while let Some(asked) = self.asked.pop_front() {
            if let Asked::Write(_, slots) = asked {
                if self.below(2) == 0 {
                    break;
                }
                self.write(*slots)?;
            }
        }
        self.asked.clear();
        self.oracle.note_crash();
        let judge = Toy {
            takes_all: self.is(Bug::InvalidTaken),
        };
        self.holds = self.disk.stack(&scopes());
        self.oracle
            .note_swap(self.now.ms, &self.holds, &self.disk)?;
        self.agent = Agent::new(
            settings(),
            judge,
            self.disk.clone(),
            self.now,
            &mut self.tape,
        );
        self.asked.append(&mut self.tape.asked);
        // It connects again, and each retained document comes once.
        for published in self.retained.clone().into_values() {
            self.deliver(&published);
        }
        Ok(())
    }

    /// Nothing fails and nothing comes for a long time.
    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..1_500 {
            while let Some(asked) = self.asked.pop_front() {
                match asked {
                    Asked::Try => self.tell(Event::Tried(Ok(Trial::default()))),
                    Asked::Write(number, slots) => {
                        self.write(*slots)?;
                        self.tell(Event::Written {
                            number,
                            is_done: true,
                        });
                    }
                    Asked::Swap(stack) => self.swap(stack)?,
                }
            }
            self.pass(5_000);
            let ids = self
                .holds
                .0
                .iter()
                .filter_map(|layer| layer.patch.pointer("/defaults/id"));
            let mut ids = ids.filter_map(Value::as_u64);
            let is_well = ids.all(|id| self.oracle.made[&id].is_healthy);
            self.oracle.note_health(self.now.ms, is_well);
            if is_well || !self.is(Bug::DeadlineIgnored) {
                self.tell(Event::Health(Health {
                    uplink: is_well || self.is(Bug::GatesIgnored),
                    ..WELL
                }));
            }
            if self.agent.is_steady() && self.asked.is_empty() && self.agent.is_idle() {
                break;
            }
        }
        self.oracle.check_deadline(self.now.ms, true)?;
        let retained = self.retained.iter().map(|(place, it)| (*place, it.id));
        self.oracle
            .check_converged(&self.holds, &retained.collect())
    }
}

/// Walks until something is wrong; how far, in the world of which seed, and what.
fn walk(seed: u64, bug: Option<Bug>, steps: u64) -> Result<(), String> {
    let mut world = World::new(seed, bug);
    let mut born = 0;
    for step in 1..=steps {
        let result = match step % EPISODE {
            0 => world.step().and_then(|()| world.rest()),
            _ => world.step(),
        };
        result.map_err(|wrong| {
            let (seed, local) = (seed + born, step - born);
            format!("at step {step}, which is step {local} of seed {seed}: {wrong}")
        })?;
        // A world of its own now and then, so that no list grows without end.
        if step % WORLD == 0 {
            born = step;
            world = World::new(seed + born, bug);
        }
    }
    Ok(())
}

fn chosen(name: &str, otherwise: u64) -> u64 {
    let chosen = std::env::var(name).ok();
    chosen.and_then(|it| it.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn whatever_happens_no_document_does_harm() {
    let seed = chosen("TIDEGATE_FLEET_SEED", 1);
    let steps = chosen("TIDEGATE_FLEET_STEPS", 60_000);
    assert_eq!(walk(seed, None, steps), Ok(()));
}

#[test]
fn worlds_that_once_went_wrong_go_well() {
    for seed in SEEDS_ONCE_WRONG {
        assert_eq!(walk(seed, None, WORLD), Ok(()));
    }
}

#[test]
fn every_planted_bug_is_seen() {
    let missed: Vec<Bug> = BUGS
        .into_iter()
        .filter(|bug| walk(2, Some(*bug), BUG_STEPS).is_ok())
        .collect();
    assert_eq!(missed, [], "bugs that nothing has noticed");
}
