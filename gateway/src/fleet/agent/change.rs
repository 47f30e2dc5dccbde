//! A change on its way: tried, staged, swapped, confirmed or taken back.

use super::confirm::Watch;
use super::{Action, Agent, Change, Judge, Now, Perform, State, Waiting};
use crate::fleet::classes;
use crate::fleet::limits::ATTEMPTS_MAX;
use crate::fleet::reason::Reason;
use crate::fleet::slots::{Confirmed, Override, Pending, Taken};

impl<J: Judge> Agent<J> {
    /// The begin: what a restart has cut short has failed.
    pub(super) fn resume<P: Perform>(&mut self, now: Now, out: &mut P) {
        let scopes = &self.settings.scopes;
        self.slots
            .good
            .retain(|taken| scopes.contains(&taken.document.scope));
        if let Some(Pending { what, generation }) = self.slots.pending.take() {
            let text = "the process ended before it was confirmed: the last good config was booted";
            let code = Reason::Crash.code();
            self.news.tell(now, &what, generation, code, text, out);
            self.news.counters.rolled_back += 1;
            self.write(out);
        }
        out.perform(Action::Report);
    }

    /// Takes the next step that is possible without a further event.
    pub(super) fn proceed<P: Perform>(&mut self, now: Now, out: &mut P) {
        if !self.is_steady() {
            return;
        }
        let is_over = |over: &Override| over.until <= now.wall_ms;
        if self.slots.over.as_ref().is_some_and(is_over) {
            return self.lift_override(now, "OK", "its time is over", out);
        }
        if self.slots.over.is_some() && !self.allows_override() {
            let code = Reason::Policy.code();
            return self.lift_override(now, code, "the fleet allows none any more", out);
        }
        while self.is_steady() && self.baseline.is_ready(now) {
            let Some(waiting) = self.next_waiting(now, out) else {
                return;
            };
            self.start(now, waiting, out);
        }
    }

    /// The first that may go on, in the order of the layers.
    fn next_waiting<P: Perform>(&mut self, now: Now, out: &mut P) -> Option<Waiting> {
        let nth = self
            .waiting
            .iter()
            .position(|it| it.not_before_ms <= now.ms)?;
        let window = self.settings.changes_window_ms;
        while self.changes.front().is_some_and(|at| at + window <= now.ms) {
            self.changes.pop_front();
        }
        if self.changes.len() < self.settings.changes_max {
            self.is_held = false;
            return Some(self.waiting.remove(nth));
        }
        if !core::mem::replace(&mut self.is_held, true) {
            let (place, generation) = {
                let it = &self.waiting[nth];
                (it.place, it.taken.document.generation)
            };
            let what = self.settings.scopes[place].path();
            let text = "too many changes: the newest is tried once it is quieter";
            let code = Reason::Flap.code();
            self.news.tell(now, &what, generation, code, text, out);
        }
        None
    }

    fn start<P: Perform>(&mut self, now: Now, waiting: Waiting, out: &mut P) {
        let place = waiting.place;
        let config = &waiting.taken.document.config;
        let change = Change::Document(waiting.taken.clone());
        let stack = self.with_change(&change).stack(&self.settings.scopes);
        let result = self
            .weigh_floor(&waiting.taken)
            .and_then(|_| self.judge.form(&stack))
            .and_then(|()| classes::admit(config, &self.settings.locked))
            .and_then(|()| self.judge.judge(&stack));
        match result {
            Ok(()) => {
                self.state = State::Trying {
                    change,
                    answer: None,
                };
                out.perform(Action::Try(&stack));
            }
            Err(refusal) => self.tell_refusal(now, place, Some(&waiting.taken), &refusal, out),
        }
    }

    /// The attempt is counted, and the floor raised, on the disk, before anything is changed.
    pub(super) fn stage<P: Perform>(&mut self, change: Change, out: &mut P) {
        let before = Box::new(self.slots.clone());
        if let Change::Document(taken) = &change {
            self.slots.count_attempt(taken);
        }
        self.slots.pending = Some(Pending {
            what: change.what(),
            generation: change.generation(),
        });
        let write = self.write(out);
        self.state = State::Staging {
            change,
            before,
            write,
        };
    }

    pub(super) fn handle_written<P: Perform>(
        &mut self,
        now: Now,
        number: u64,
        is_done: bool,
        out: &mut P,
    ) {
        self.writes.1 = self.writes.1.max(number);
        match core::mem::replace(&mut self.state, State::Steady) {
            State::Staging {
                change,
                before,
                write,
            } if write == number => {
                if is_done {
                    let stack = self.with_change(&change).stack(&self.settings.scopes);
                    self.state = State::Swapping { change };
                    out.perform(Action::Swap(&stack));
                } else {
                    self.slots = *before;
                    // The file may be the new one all the same.
                    self.write(out);
                    let text = "the pending slot cannot be written; look at the disk";
                    self.tell_change(now, &change, Reason::Store, text, out);
                    if let Change::Document(taken) = change {
                        self.try_later(now, taken);
                    }
                }
            }
            State::Settling {
                change,
                before,
                write,
            } if write == number => {
                if is_done {
                    self.news.counters.confirmed += 1;
                    self.tell_confirmed(now, &change, out);
                } else {
                    self.slots = *before;
                    self.give_back(now, change, Reason::Store, "it cannot be written", out);
                }
            }
            State::Returning { is_swapped, write } if write == number => {
                self.state = State::Returning {
                    is_swapped,
                    write: 0,
                };
                self.end_return(out);
            }
            other => self.state = other,
        }
    }

    pub(super) fn handle_swapped<P: Perform>(&mut self, now: Now, is_done: bool, out: &mut P) {
        match core::mem::replace(&mut self.state, State::Steady) {
            State::Swapping { change } if is_done => {
                self.changes.push_back(now.ms);
                while self.changes.len() > self.settings.changes_max {
                    self.changes.pop_front();
                }
                let watch = Watch::new(now, &change, &self.baseline);
                self.state = State::Confirming { change, watch };
                out.perform(Action::Report);
            }
            State::Swapping { change } => {
                self.give_back(
                    now,
                    change,
                    Reason::DryRun,
                    "it cannot be put in place",
                    out,
                );
            }
            State::Returning { write, .. } => {
                self.state = State::Returning {
                    is_swapped: true,
                    write,
                };
                self.end_return(out);
            }
            other => self.state = other,
        }
    }

    fn end_return<P: Perform>(&mut self, out: &mut P) {
        if let State::Returning {
            is_swapped: true,
            write: 0,
        } = self.state
        {
            self.state = State::Steady;
            out.perform(Action::Report);
        }
    }

    pub(super) fn confirm<P: Perform>(&mut self, now: Now, out: &mut P) {
        let change = match core::mem::replace(&mut self.state, State::Steady) {
            State::Confirming { change, .. } => change,
            other => {
                self.state = other;
                return;
            }
        };
        let before = Box::new(self.slots.clone());
        self.slots = self.with_change(&change);
        if let Change::Document(taken) = &change {
            self.slots.confirm_floor(&taken.document.scope);
        }
        self.slots.pending = None;
        self.slots.note_confirmed(Confirmed {
            what: change.what(),
            generation: change.generation(),
            at: now.wall_ms,
        });
        let write = self.write(out);
        self.state = State::Settling {
            change,
            before,
            write,
        };
    }

    pub(super) fn roll_back<P: Perform>(
        &mut self,
        now: Now,
        reason: Reason,
        text: &str,
        out: &mut P,
    ) -> bool {
        match core::mem::replace(&mut self.state, State::Steady) {
            State::Confirming { change, .. } => {
                self.give_back(now, change, reason, text, out);
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }

    /// What was good is swapped back. A document gets its second attempt later.
    fn give_back<P: Perform>(
        &mut self,
        now: Now,
        change: Change,
        reason: Reason,
        text: &str,
        out: &mut P,
    ) {
        self.news.counters.rolled_back += 1;
        self.tell_change(now, &change, reason, text, out);
        if let Change::Document(taken) = change {
            self.try_later(now, taken);
        }
        self.slots.pending = None;
        self.go_back(out);
    }

    /// A document that has attempts left gets the next one after a while, unless a newer one waits.
    fn try_later(&mut self, now: Now, taken: Taken) {
        let floor = self.slots.floor(&taken.document.scope);
        let has_attempts =
            floor.is_none_or(|it| it.digest != taken.digest || it.attempts < ATTEMPTS_MAX);
        let Some(place) = self.place_of(&taken) else {
            return;
        };
        if has_attempts && self.waiting.iter().all(|it| it.place != place) {
            self.waiting.push(Waiting {
                place,
                taken,
                not_before_ms: now.ms + self.settings.retry_ms,
            });
            self.waiting.sort_by_key(|it| it.place);
        }
    }

    fn go_back<P: Perform>(&mut self, out: &mut P) {
        let write = self.write(out);
        self.state = State::Returning {
            is_swapped: false,
            write,
        };
        out.perform(Action::Swap(&self.slots.stack(&self.settings.scopes)));
    }

    pub(super) fn clear_override<P: Perform>(&mut self, now: Now, out: &mut P) {
        let is_trying = matches!(
            &self.state,
            State::Confirming {
                change: Change::Override(_),
                ..
            }
        );
        if is_trying {
            self.roll_back(now, Reason::Unconfirmed, "taken back on site", out);
        } else if self.is_steady() && self.slots.over.is_some() {
            self.lift_override(now, "OK", "taken back on site", out);
        }
    }

    fn lift_override<P: Perform>(&mut self, now: Now, code: &'static str, why: &str, out: &mut P) {
        self.slots.over = None;
        let text = format!("the override ended: {why}");
        self.news.tell(now, "override", 0, code, &text, out);
        self.go_back(out);
    }
}
