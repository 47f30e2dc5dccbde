//! What the agent says of itself: the report, which is always the whole state, and events, which are news.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Action, Agent, Change, Judge, Now, Perform, State, Trial};
use crate::fleet::document::Part;
use crate::fleet::limits::{NOISE_MS, WALL_MS_MIN};
use crate::fleet::reason::{Finding, Reason, Refusal};
use crate::fleet::slots::{Confirmed, Taken};

/// Code of the event that tells what a dry-run found.
const DRY_RUN_CODE: &str = "I_DRYRUN";

/// Counted since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Documents that came.
    pub documents: u64,
    /// Documents and commands that were refused.
    pub refused: u64,
    /// Changes that were confirmed.
    pub confirmed: u64,
    /// Changes that were taken back.
    pub rolled_back: u64,
}

/// The newest of one scope, of the override, of the key list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Of this generation; 0 where none could be read.
    pub generation: u64,
    /// `OK`, or why not.
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// Where and what, for a document that was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Grows by one with each.
    pub seq: u64,
    /// When, ms since the epoch.
    pub at: i64,
    /// `fleet`, `group/NAME`, `gateway/NAME`, `override`, `keys` or `command`.
    pub what: String,
    /// As in [`Outcome`].
    pub generation: u64,
    /// As in [`Outcome`].
    pub code: &'static str,
    /// As in [`Outcome`].
    pub text: String,
}

/// The whole state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the box.
    pub gateway: String,
    /// Its version.
    pub version: String,
    /// The scopes whose documents hold here, the strongest last.
    pub scopes: Vec<String>,
    /// `steady`, `trying`, `staging`, `swapping`, `confirming`, `settling`, `returning`, or `held`.
    pub state: &'static str,
    /// Digest of the layers that hold.
    pub digest: String,
    /// The good documents, in the order of the layers.
    pub layers: Vec<Running>,
    /// What is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// The technician's.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub over: Option<Overridden>,
    /// What became of the newest of each.
    pub newest: BTreeMap<String, Outcome>,
    /// Version of the key list.
    pub keys: u64,
    /// Whether the wall clock was ever set: without it nothing expires.
    pub is_clock_trusted: bool,
    /// What the last dry-run found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The last changes, oldest first.
    pub history: Vec<Confirmed>,
    /// What was counted.
    pub counters: Counters,
}

/// One good layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Its scope.
    pub what: String,
    /// Its generation.
    pub generation: u64,
    /// SHA-256 of its payload.
    pub digest: String,
}

/// What is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its scope, or `override`.
    pub what: String,
    /// Its generation.
    pub generation: u64,
    /// The gate that is shut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shut: Option<&'static str>,
}

/// An override that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overridden {
    /// Who.
    pub by: String,
    /// Until then, ms since the epoch.
    pub until: i64,
    /// The keys, as JSON pointers.
    pub keys: Vec<String>,
}

/// What was told last.
#[derive(Debug)]
pub(super) struct News {
    pub(super) counters: Counters,
    pub(super) trial: Option<Trial>,
    newest: BTreeMap<String, Outcome>,
    noise: BTreeMap<&'static str, u64>,
    seq: u64,
}

impl News {
    pub(super) fn new() -> Self {
        Self {
            counters: Counters::default(),
            trial: None,
            newest: BTreeMap::new(),
            noise: BTreeMap::new(),
            seq: 0,
        }
    }

    pub(super) fn tell<P: Perform>(
        &mut self,
        now: Now,
        what: &str,
        generation: u64,
        code: &'static str,
        text: &str,
        out: &mut P,
    ) {
        let outcome = Outcome {
            generation,
            code,
            text: text.to_owned(),
            findings: Vec::new(),
        };
        self.tell_outcome(now, what, outcome, out);
    }

    /// What a dry-run found is told before anything follows from it, and is not what became of the change.
    pub(super) fn remark<P: Perform>(
        &mut self,
        now: Now,
        what: &str,
        generation: u64,
        trial: &Trial,
        out: &mut P,
    ) {
        if trial.journal.is_none() {
            return;
        }
        self.seq += 1;
        let notice = Notice {
            seq: self.seq,
            at: now.wall_ms,
            what: what.to_owned(),
            generation,
            code: DRY_RUN_CODE,
            text: trial.to_string(),
        };
        out.perform(Action::Tell(&notice));
    }

    fn tell_outcome<P: Perform>(&mut self, now: Now, what: &str, outcome: Outcome, out: &mut P) {
        self.seq += 1;
        let notice = Notice {
            seq: self.seq,
            at: now.wall_ms,
            what: what.to_owned(),
            generation: outcome.generation,
            code: outcome.code,
            text: outcome.text.clone(),
        };
        self.newest.insert(what.to_owned(), outcome);
        out.perform(Action::Tell(&notice));
        out.perform(Action::Report);
    }

    /// A refusal is told once, and noise at most once in a while: whoever sends garbage shall not make the box talk.
    pub(super) fn refuse<P: Perform>(
        &mut self,
        now: Now,
        what: &str,
        generation: u64,
        refusal: &Refusal,
        out: &mut P,
    ) {
        self.counters.refused += 1;
        let code = refusal.reason.code();
        if refusal.reason.is_noise() {
            let last = self.noise.get(code).copied();
            if last.is_some_and(|at| now.ms < at + NOISE_MS) {
                return;
            }
            self.noise.insert(code, now.ms);
        } else if self
            .newest
            .get(what)
            .is_some_and(|it| it.generation == generation && it.code == code)
        {
            return;
        }
        let outcome = Outcome {
            generation,
            code,
            text: refusal.text(),
            findings: refusal.findings.clone(),
        };
        self.tell_outcome(now, what, outcome, out);
    }
}

impl<J: Judge> Agent<J> {
    /// The whole state.
    #[must_use]
    pub fn report(&self, now: Now) -> Report {
        let [major, minor, patch] = self.settings.version;
        let layers = self.settings.scopes.iter();
        let running = |taken: &Taken| Running {
            what: taken.document.scope.path(),
            generation: taken.document.generation,
            digest: taken.digest.clone(),
        };
        Report {
            gateway: self.gateway().to_owned(),
            version: format!("{major}.{minor}.{patch}"),
            scopes: self
                .settings
                .scopes
                .iter()
                .map(crate::fleet::document::Scope::path)
                .collect(),
            state: self.state_name(),
            digest: self.running().digest(),
            layers: layers
                .filter_map(|scope| self.slots.good(scope))
                .map(running)
                .collect(),
            candidate: self.candidate(),
            over: self.slots.over.as_ref().map(|over| Overridden {
                by: over.by.clone(),
                until: over.until,
                keys: crate::fleet::merge::leaves(&over.config)
                    .into_iter()
                    .map(|leaf| leaf.0)
                    .collect(),
            }),
            newest: self.news.newest.clone(),
            keys: self.slots.keys.version,
            is_clock_trusted: now.wall_ms >= WALL_MS_MIN,
            trial: self.news.trial,
            history: self.slots.history.clone(),
            counters: self.news.counters,
        }
    }

    /// Name of this box: the strongest scope is its own.
    pub(super) fn gateway(&self) -> &str {
        let names = self.settings.scopes.iter().rev();
        let own = names.into_iter().find_map(|scope| match &scope.part {
            Part::Gateway(name) => Some(name.as_str()),
            Part::Fleet | Part::Group(_) => None,
        });
        own.unwrap_or_default()
    }

    pub(super) fn place_of(&self, taken: &Taken) -> Option<usize> {
        let scope = &taken.document.scope;
        self.settings.scopes.iter().position(|it| it == scope)
    }

    pub(super) fn tell_refusal<P: Perform>(
        &mut self,
        now: Now,
        place: usize,
        taken: Option<&Taken>,
        refusal: &Refusal,
        out: &mut P,
    ) {
        let what = self.settings.scopes[place].path();
        let generation = taken.map_or(0, |taken| taken.document.generation);
        self.news.refuse(now, &what, generation, refusal, out);
    }

    pub(super) fn tell_change<P: Perform>(
        &mut self,
        now: Now,
        change: &Change,
        reason: Reason,
        text: &str,
        out: &mut P,
    ) {
        let (what, generation) = (change.what(), change.generation());
        self.news
            .tell(now, &what, generation, reason.code(), text, out);
    }

    pub(super) fn tell_confirmed<P: Perform>(&mut self, now: Now, change: &Change, out: &mut P) {
        let (what, generation) = (change.what(), change.generation());
        self.news
            .tell(now, &what, generation, "OK", "confirmed", out);
    }

    fn candidate(&self) -> Option<Candidate> {
        let (change, shut) = match &self.state {
            State::Steady | State::Returning { .. } => return None,
            State::Confirming { change, watch } => (change, watch.shut),
            State::Trying { change, .. }
            | State::Staging { change, .. }
            | State::Swapping { change }
            | State::Settling { change, .. } => (change, None),
        };
        Some(Candidate {
            what: change.what(),
            generation: change.generation(),
            shut: shut.map(crate::fleet::reason::Gate::name),
        })
    }

    const fn state_name(&self) -> &'static str {
        match &self.state {
            State::Steady if self.is_held => "held",
            State::Steady => "steady",
            State::Trying { .. } => "trying",
            State::Staging { .. } => "staging",
            State::Swapping { .. } => "swapping",
            State::Confirming { .. } => "confirming",
            State::Settling { .. } => "settling",
            State::Returning { .. } => "returning",
        }
    }
}
