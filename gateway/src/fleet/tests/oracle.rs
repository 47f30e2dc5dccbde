//! What must hold whatever happens, told from the outside: the oracle knows what was published, what was swapped in, what is
//! on the disk and how the box was; it asks the agent nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rig::scopes;
use crate::fleet::limits::ATTEMPTS_MAX;
use crate::fleet::slots::{Slots, Stack};

pub(super) const TIMEOUT_MS: u64 = 60_000;
pub(super) const SETTLE_MS: u64 = 10_000;

/// A document that was published, as the controller (or an attacker) made it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) place: usize,
    pub(super) generation: u64,
    /// Signed by a key that counts, for the topic that it came on.
    pub(super) is_signed: bool,
    /// Signed, and possible.
    pub(super) is_lawful: bool,
    /// The box does well under it.
    pub(super) is_healthy: bool,
}

/// A change that holds and is not confirmed.
#[derive(Clone, Copy, Debug)]
struct Trial {
    id: u64,
    since_ms: u64,
    well_since_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) made: BTreeMap<u64, Made>,
    /// Per place: generation and id that are confirmed.
    confirmed: BTreeMap<usize, (u64, u64)>,
    attempts: BTreeMap<u64, u8>,
    /// How often the disk said that a document is about to be tried; the power may have failed before it was.
    staged: BTreeMap<(String, u64), u8>,
    pending: Option<(String, u64)>,
    trial: Option<Trial>,
    /// Whether the box was ever seen well since it started: before that nothing can be held against a change.
    was_well: bool,
    /// Id of the last trial, and whether the box was well under it for long enough.
    judged: Option<(u64, bool)>,
}

/// The ids that stand in layers, by place.
fn ids(stack: &Stack) -> BTreeMap<usize, u64> {
    let place = |name: &str| scopes().iter().position(|scope| scope.path() == name);
    let layers = stack.0.iter();
    layers
        .filter_map(|layer| {
            let id = layer
                .patch
                .pointer("/defaults/id")
                .and_then(Value::as_u64)?;
            Some((place(&layer.name)?, id))
        })
        .collect()
}

impl Oracle {
    /// The layers that hold have changed; this is what is on the disk.
    pub(super) fn note_swap(
        &mut self,
        now_ms: u64,
        stack: &Stack,
        disk: &Slots,
    ) -> Result<(), String> {
        self.trial = None;
        let mut news = Vec::new();
        for (place, id) in ids(stack) {
            let made = self.made.get(&id).ok_or("a layer that nobody made")?;
            if !made.is_lawful || made.place != place {
                return Err(format!("unlawful document {id} holds at {place}: {made:?}"));
            }
            let (generation, good) = self.confirmed.get(&place).copied().unwrap_or((0, 0));
            if id == good {
                continue;
            }
            if made.generation <= generation {
                return Err(format!(
                    "{id} holds below the confirmed generation {generation}"
                ));
            }
            news.push(id);
        }
        match news[..] {
            [] => Ok(()),
            [id] => {
                if disk.pending.is_none() {
                    return Err(format!("{id} holds, and the disk does not know"));
                }
                let attempts = self.attempts.entry(id).or_default();
                *attempts += 1;
                if *attempts > ATTEMPTS_MAX {
                    return Err(format!("{id} is tried for the {attempts}th time"));
                }
                self.judged = (!self.was_well).then_some((id, true));
                self.trial = Some(Trial {
                    id,
                    since_ms: now_ms,
                    well_since_ms: None,
                });
                Ok(())
            }
            _ => Err(format!("{news:?} are put to the test together")),
        }
    }

    /// The box was looked at.
    pub(super) fn note_health(&mut self, now_ms: u64, is_well: bool) {
        if let Some(trial) = &mut self.trial {
            if is_well {
                trial.well_since_ms.get_or_insert(now_ms);
            } else {
                trial.well_since_ms = None;
            }
            let has_settled = trial
                .well_since_ms
                .is_some_and(|since| now_ms - since >= SETTLE_MS);
            // What was decided while the box was well may reach the disk later.
            let was_well = self.judged == Some((trial.id, true));
            self.judged = Some((trial.id, was_well || has_settled));
        } else {
            self.was_well |= is_well;
        }
    }

    /// After a look no trial may be older than its deadline.
    pub(super) fn check_deadline(&self, now_ms: u64, is_watched: bool) -> Result<(), String> {
        match &self.trial {
            Some(trial) if is_watched && now_ms - trial.since_ms > TIMEOUT_MS => {
                Err(format!("{} is neither confirmed nor taken back", trial.id))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The disk took nothing. What was to be tried is over all the same: being tried once more will be a time of its own.
    pub(super) fn note_failed_write(&mut self) {
        self.pending = None;
    }

    /// The disk has changed.
    pub(super) fn note_disk(&mut self, disk: &Slots) -> Result<(), String> {
        let pending = disk.pending.as_ref();
        let pending = pending.map(|it| (it.what.clone(), it.generation));
        if let Some(now) = &pending
            && self.pending != pending
        {
            *self.staged.entry(now.clone()).or_default() += 1;
        }
        self.pending = pending;
        for (place, id) in ids(&disk.stack(&scopes())) {
            let (generation, good) = self.confirmed.get(&place).copied().unwrap_or((0, 0));
            if id == good {
                continue;
            }
            let made = self
                .made
                .get(&id)
                .ok_or("a layer that nobody made")?
                .clone();
            if self.judged != Some((id, true)) || (self.was_well && !made.is_healthy) {
                return Err(format!("{id} is confirmed, and was not well: {made:?}"));
            }
            if made.generation <= generation {
                return Err(format!("{id} is confirmed below {generation}"));
            }
            self.confirmed.insert(place, (made.generation, id));
            self.trial = None;
        }
        let lost = self
            .confirmed
            .iter()
            .find(|(place, (_, id))| ids(&disk.stack(&scopes())).get(place) != Some(id));
        match lost {
            Some((place, _)) => Err(format!("what was good at {place} is lost")),
            None => Ok(()),
        }
    }

    /// The box lost its power.
    pub(super) fn note_crash(&mut self) {
        self.trial = None;
        self.judged = None;
        self.was_well = false;
    }

    /// In peace, what holds is what is good on the disk.
    pub(super) fn check_steady(&self, holds: &Stack, disk: &Slots) -> Result<(), String> {
        if *holds == disk.stack(&scopes()) {
            Ok(())
        } else {
            Err("what holds is not what is durable".to_owned())
        }
    }

    /// After a long peace each newest lawful document holds, unless it had its chances.
    pub(super) fn check_converged(
        &self,
        holds: &Stack,
        retained: &BTreeMap<usize, u64>,
    ) -> Result<(), String> {
        for (place, id) in retained {
            let made = &self.made[id];
            let of_place = self
                .made
                .iter()
                .filter(|(_, other)| other.place == *place && other.is_signed);
            let is_newest = of_place
                .clone()
                .all(|(other, it)| other == id || it.generation < made.generation);
            let name = (scopes()[*place].path(), made.generation);
            let had_chances = self.staged.get(&name).is_some_and(|it| *it >= ATTEMPTS_MAX);
            if made.is_lawful
                && made.is_healthy
                && is_newest
                && !had_chances
                && ids(holds).get(place) != Some(id)
            {
                return Err(format!(
                    "{id} was published at {place}, and does not hold: {made:?}"
                ));
            }
        }
        Ok(())
    }
}
