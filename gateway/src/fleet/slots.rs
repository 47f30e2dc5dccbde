//! What the agent knows after a restart. It is written as a whole, before anything follows from it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Document, Policy, Scope};
use super::keys::KeyList;
use super::limits::HISTORY_MAX;
use super::merge::{digest, merge};

/// The durable state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// Whose signatures count.
    pub keys: KeyList,
    /// The last good document of each scope.
    pub good: Vec<Taken>,
    /// The highest generation of each scope that was ever put to the test.
    pub floors: Vec<Floor>,
    /// What is being put to the test. A restart finds it here and boots what is good.
    pub pending: Option<Pending>,
    /// What a technician set on site.
    pub over: Option<Override>,
    /// The newest changes that were confirmed, oldest first.
    pub history: Vec<Confirmed>,
}

/// A document whose signature was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The document.
    pub document: Document,
    /// SHA-256 of its payload, hex.
    pub digest: String,
}

/// How far a scope has come. Nothing older is taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// The scope.
    pub scope: Scope,
    /// Its generation.
    pub generation: u64,
    /// The document's digest.
    pub digest: String,
    /// How often it was put to the test.
    pub attempts: u8,
    /// Whether it was confirmed.
    pub is_confirmed: bool,
}

/// What is being put to the test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// `fleet`, `group/NAME`, `gateway/NAME` or `override`.
    pub what: String,
    /// The document's generation; 0 for an override.
    pub generation: u64,
}

/// What a technician set: above all that comes from remote, and for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// Who.
    pub by: String,
    /// A merge patch.
    pub config: Value,
    /// Until then, ms since the epoch.
    pub until: i64,
}

/// A change that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// As in [`Pending`].
    pub what: String,
    /// The generation.
    pub generation: u64,
    /// When, ms since the epoch.
    pub at: i64,
}

impl Slots {
    /// A box that has heard of nothing but its own trust file.
    #[must_use]
    pub fn new(keys: KeyList) -> Self {
        Self {
            keys,
            good: Vec::new(),
            floors: Vec::new(),
            pending: None,
            over: None,
            history: Vec::new(),
        }
    }

    /// The good document of a scope.
    #[must_use]
    pub fn good(&self, scope: &Scope) -> Option<&Taken> {
        self.good.iter().find(|it| it.document.scope == *scope)
    }

    /// How far a scope has come.
    #[must_use]
    pub fn floor(&self, scope: &Scope) -> Option<&Floor> {
        self.floors.iter().find(|it| it.scope == *scope)
    }

    /// The layers that are good, in the order of `scopes`, the override last.
    #[must_use]
    pub fn stack(&self, scopes: &[Scope]) -> Stack {
        let good = scopes.iter().filter_map(|scope| self.good(scope));
        let layer = |taken: &Taken| Layer {
            name: taken.document.scope.path(),
            patch: taken.document.config.clone(),
        };
        let over = self.over.iter().map(|over| Layer {
            name: "override".to_owned(),
            patch: over.config.clone(),
        });
        Stack(good.map(layer).chain(over).collect())
    }

    /// What the good documents allow, the strongest first.
    pub(super) fn policies(&self, scopes: &[Scope]) -> Vec<Policy> {
        let good = scopes.iter().rev().filter_map(|scope| self.good(scope));
        good.filter_map(|taken| taken.document.policy).collect()
    }

    pub(super) fn set_good(&mut self, taken: Taken) {
        self.good
            .retain(|it| it.document.scope != taken.document.scope);
        self.good.push(taken);
    }

    /// Counts an attempt of this document, and raises the floor of its scope to it.
    pub(super) fn count_attempt(&mut self, taken: &Taken) {
        let document = &taken.document;
        let before = self
            .floor(&document.scope)
            .filter(|it| it.digest == taken.digest)
            .map_or(0, |it| it.attempts);
        self.floors.retain(|it| it.scope != document.scope);
        self.floors.push(Floor {
            scope: document.scope.clone(),
            generation: document.generation,
            digest: taken.digest.clone(),
            attempts: before.saturating_add(1),
            is_confirmed: false,
        });
    }

    pub(super) fn confirm_floor(&mut self, scope: &Scope) {
        for floor in self.floors.iter_mut().filter(|it| it.scope == *scope) {
            floor.is_confirmed = true;
        }
    }

    pub(super) fn note_confirmed(&mut self, confirmed: Confirmed) {
        if self.history.len() == HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push(confirmed);
    }
}

/// Layers from remote and from the technician, the strongest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack(pub Vec<Layer>);

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// `fleet`, `group/NAME`, `gateway/NAME` or `override`.
    pub name: String,
    /// A merge patch (RFC 7396).
    pub patch: Value,
}

impl Stack {
    /// Merges the layers over `base`.
    #[must_use]
    pub fn over(&self, base: &Value) -> Value {
        let mut merged = base.clone();
        for layer in &self.0 {
            merge(&mut merged, &layer.patch);
        }
        merged
    }

    /// Digest of the layers alone: boxes with the same layers have the same.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.over(&Value::Object(serde_json::Map::new())))
    }
}
