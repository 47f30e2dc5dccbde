//! What comes from outside: who signed it, for whom, and whether it is news.

use serde_json::Value;

use super::{Agent, Judge, Now, Perform, State, Waiting, refuse};
use crate::fleet::document::{DOCUMENT_TYPE, Document, payload_digest};
use crate::fleet::envelope::Envelope;
use crate::fleet::limits::{ATTEMPTS_MAX, OVERRIDE_S, OVERRIDE_S_MAX, WALL_MS_MIN};
use crate::fleet::reason::{Reason, Refusal};
use crate::fleet::slots::{Override, Taken};

/// What became of a document at first sight.
pub(super) enum News {
    /// It waits for its turn.
    Waits,
    /// It is known already.
    Known,
}

impl<J: Judge> Agent<J> {
    pub(super) fn take_document<P: Perform>(
        &mut self,
        now: Now,
        place: usize,
        bytes: &[u8],
        out: &mut P,
    ) {
        // A retained message was cleared: only a signed document takes a layer away.
        if bytes.is_empty() || place >= self.settings.scopes.len() {
            return;
        }
        self.news.counters.documents += 1;
        let taken = match self.open_document(place, bytes) {
            Ok(taken) => taken,
            Err(refusal) => return self.tell_refusal(now, place, None, &refusal, out),
        };
        match self.weigh(now, place, &taken) {
            Ok(News::Waits) => {
                self.waiting.retain(|it| it.place != place);
                let not_before_ms = self.not_before_ms(now, &taken);
                self.waiting.push(Waiting {
                    place,
                    taken,
                    not_before_ms,
                });
                self.waiting.sort_by_key(|it| it.place);
            }
            Ok(News::Known) => {}
            Err(refusal) => self.tell_refusal(now, place, Some(&taken), &refusal, out),
        }
    }

    fn open_document(&self, place: usize, bytes: &[u8]) -> Result<Taken, Refusal> {
        let envelope = Envelope::parse(bytes)?;
        let payload = envelope.open(DOCUMENT_TYPE, &self.slots.keys.config, 1)?;
        let document = Document::parse(payload)?;
        let scope = &self.settings.scopes[place];
        if document.scope != *scope {
            let text = format!(
                "signed for {} of fleet `{}`, and came as {} of `{}`",
                document.scope.path(),
                document.scope.fleet,
                scope.path(),
                scope.fleet
            );
            return refuse(Reason::Scope, text);
        }
        Ok(Taken {
            digest: payload_digest(payload),
            document,
        })
    }

    /// What failed before a restart is tried again no sooner than without one.
    fn not_before_ms(&self, now: Now, taken: &Taken) -> u64 {
        let floor = self.slots.floor(&taken.document.scope);
        let has_failed = floor
            .is_some_and(|it| it.digest == taken.digest && !it.is_confirmed && it.attempts > 0);
        if has_failed {
            now.ms + self.settings.retry_ms
        } else {
            0
        }
    }

    /// Whether a document is news, by its generation, its dates and its share.
    fn weigh(&mut self, now: Now, place: usize, taken: &Taken) -> Result<News, Refusal> {
        let document = &taken.document;
        if self.is_under_way(&taken.digest) {
            return Ok(News::Known);
        }
        if let Some(known) = self.weigh_generation(place, taken)? {
            return Ok(known);
        }
        let is_over = document.expires.is_some_and(|at| at <= now.wall_ms);
        if is_over && now.wall_ms >= WALL_MS_MIN {
            return refuse(Reason::Expired, "it is out of date; sign it anew");
        }
        self.check_version(document)?;
        if let Some(rollout) = &document.rollout
            && !rollout.includes(self.gateway())
        {
            let text = format!("not among the first {} %", rollout.percent);
            return refuse(Reason::Deferred, text);
        }
        Ok(News::Waits)
    }

    fn weigh_generation(&mut self, place: usize, taken: &Taken) -> Result<Option<News>, Refusal> {
        if let Some(known) = self.weigh_floor(taken)? {
            return Ok(Some(known));
        }
        let generation = taken.document.generation;
        let Some(nth) = self.waiting.iter().position(|it| it.place == place) else {
            return Ok(None);
        };
        let waiting = &self.waiting[nth].taken;
        if waiting.digest == taken.digest {
            return Ok(Some(News::Known));
        }
        if waiting.document.generation > generation {
            let text = format!("generation {generation} after a newer one, which waits");
            return refuse(Reason::Stale, text);
        }
        if waiting.document.generation == generation {
            // Neither is taken: there is no telling which one is meant.
            self.waiting.remove(nth);
            return Err(conflict(generation));
        }
        Ok(None)
    }

    /// Whether a document may still follow what its scope has seen; it is asked again when its turn comes.
    pub(super) fn weigh_floor(&self, taken: &Taken) -> Result<Option<News>, Refusal> {
        let generation = taken.document.generation;
        let Some(floor) = self.slots.floor(&taken.document.scope) else {
            return Ok(None);
        };
        if generation < floor.generation {
            let text = format!("generation {generation}, after {}", floor.generation);
            return refuse(Reason::Stale, text);
        }
        if generation > floor.generation {
            return Ok(None);
        }
        if floor.digest != taken.digest {
            return Err(conflict(generation));
        }
        if floor.is_confirmed && self.slots.good(&taken.document.scope) == Some(taken) {
            return Ok(Some(News::Known));
        }
        if floor.attempts >= ATTEMPTS_MAX {
            let text = format!("generation {generation} failed {ATTEMPTS_MAX} times");
            return refuse(Reason::Bad, text);
        }
        Ok(None)
    }

    fn check_version(&self, document: &Document) -> Result<(), Refusal> {
        let Some(text) = &document.gateway_min else {
            return Ok(());
        };
        let wrong = || Refusal::whole(Reason::Schema, "gateway_min must be MAJOR.MINOR.PATCH");
        let mut wanted = [0; 3];
        let mut parts = text.split('.');
        for number in &mut wanted {
            let part = parts.next().ok_or_else(wrong)?;
            *number = part.parse().map_err(|_| wrong())?;
        }
        if wanted > self.settings.version {
            return refuse(Reason::Version, format!("for gateway {text} or newer"));
        }
        Ok(())
    }

    /// A newer key list is taken at once: what it no longer names can sign nothing from here on.
    pub(super) fn take_keys<P: Perform>(&mut self, now: Now, bytes: &[u8], out: &mut P) {
        if bytes.is_empty() {
            return;
        }
        match self.slots.keys.successor(bytes) {
            Ok(Some(keys)) => {
                self.news
                    .tell(now, "keys", keys.version, "OK", "a new key list holds", out);
                self.slots.keys = keys.clone();
                if let State::Staging { before, .. } | State::Settling { before, .. } =
                    &mut self.state
                {
                    before.keys = keys;
                }
                self.write(out);
            }
            Ok(None) => {}
            Err(refusal) => self.news.refuse(now, "keys", 0, &refusal, out),
        }
    }

    pub(super) fn take_override<P: Perform>(
        &mut self,
        now: Now,
        by: &str,
        ttl_s: Option<u64>,
        config: Value,
        out: &mut P,
    ) {
        let ttl_s = ttl_s.unwrap_or(OVERRIDE_S);
        let over = Override {
            by: by.to_owned(),
            config,
            until: now
                .wall_ms
                .saturating_add(i64::try_from(ttl_s * 1_000).unwrap_or(i64::MAX)),
        };
        let result = if !self.is_steady() {
            refuse(
                Reason::Flap,
                "another change is on its way; try again later",
            )
        } else if !self.allows_override() {
            refuse(Reason::Policy, "the fleet allows no override on site")
        } else if !(1..=OVERRIDE_S_MAX).contains(&ttl_s) || !over.config.is_object() {
            let text = format!("`config` is an object, and holds 1 to {OVERRIDE_S_MAX} s");
            refuse(Reason::Schema, text)
        } else {
            self.try_override(over, out)
        };
        if let Err(refusal) = result {
            self.news.tell(
                now,
                "override",
                0,
                refusal.reason.code(),
                &refusal.text(),
                out,
            );
        }
    }
}

fn conflict(generation: u64) -> Refusal {
    let text = format!("two documents of generation {generation}: are there two controllers?");
    Refusal::whole(Reason::Conflict, text)
}
