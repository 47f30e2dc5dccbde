//! The gates: whether the box does as well under a change as it did before.

use super::{Agent, Change, Judge, Now, Perform, State};
use crate::fleet::document::Confirm;
use crate::fleet::limits::{BASELINE_MS, CONFIRM_S, LOOK_MS_MAX, WARM_UP_MS};
use crate::fleet::reason::{Gate, Reason};

/// How the box is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether Kafka is connected.
    pub uplink: bool,
    /// Readings taken over the last seconds, in 1/1000 a second.
    pub intake_milli: u64,
    /// Whether commits reach the disk.
    pub store: bool,
    /// Whether the gateway's own message came back in time.
    pub self_test: bool,
}

/// Fewer readings than this tell nothing, in 1/1000 a second.
const INTAKE_MILLI_MIN: u64 = 500;

impl Health {
    /// The first of `gates` that is shut, and was open before: what was broken already is no fault of the change.
    #[must_use]
    pub fn shut(&self, before: &Self, gates: &[Gate]) -> Option<Gate> {
        let is_open = |gate: &Gate| match gate {
            Gate::Uplink => self.uplink || !before.uplink,
            Gate::Intake => {
                before.intake_milli < INTAKE_MILLI_MIN
                    || self.intake_milli * 2 >= before.intake_milli
            }
            Gate::Store => self.store || !before.store,
            Gate::SelfTest => self.self_test || !before.self_test,
        };
        gates.iter().find(|gate| !is_open(gate)).copied()
    }
}

/// How the box was while what is good held.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    since_ms: Option<u64>,
    last_ms: u64,
    /// For how long uplink, store and self-test have been shut, ms; none: they were never open.
    shut_ms: [Option<u64>; 3],
    intake_milli: u64,
}

impl Baseline {
    pub(super) fn note(&mut self, now: Now, health: &Health) {
        let since_last = now.ms.saturating_sub(self.last_ms).min(LOOK_MS_MAX);
        self.since_ms.get_or_insert(now.ms);
        self.last_ms = now.ms;
        self.intake_milli = health.intake_milli;
        let open = [health.uplink, health.store, health.self_test];
        for (shut_ms, is_open) in self.shut_ms.iter_mut().zip(open) {
            *shut_ms = match *shut_ms {
                _ if is_open => Some(0),
                before => before.map(|ms| ms.saturating_add(since_last)),
            };
        }
    }

    /// The time of a trial is nobody's.
    pub(super) const fn skip(&mut self, now: Now) {
        self.last_ms = now.ms;
    }

    /// Whether it says enough for a change to be held against it.
    pub(super) fn is_ready(&self, now: Now) -> bool {
        let is_late = |since| now.ms - since >= WARM_UP_MS;
        self.shut_ms.iter().all(Option::is_some) || self.since_ms.is_some_and(is_late)
    }

    fn health(&self) -> Health {
        let was_open = |ms: Option<u64>| ms.is_some_and(|ms| ms < BASELINE_MS);
        let [uplink, store, self_test] = self.shut_ms.map(was_open);
        Health {
            uplink,
            intake_milli: self.intake_milli,
            store,
            self_test,
        }
    }
}

/// A change under watch.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) deadline_ms: u64,
    pub(super) shut: Option<Gate>,
    pub(super) is_said: bool,
    open_since_ms: Option<u64>,
    baseline: Health,
    how: Confirm,
}

impl Watch {
    pub(super) fn new(now: Now, change: &Change, baseline: &Baseline) -> Self {
        let how = match change {
            Change::Document(taken) => taken.document.confirm.clone(),
            Change::Override(_) => Confirm {
                timeout_s: CONFIRM_S,
                settle_s: 0,
                gates: Gate::ALL.into(),
                manual: true,
            },
        };
        Self {
            deadline_ms: now.ms + u64::from(how.timeout_s) * 1_000,
            shut: None,
            is_said: false,
            open_since_ms: None,
            baseline: baseline.health(),
            how,
        }
    }

    /// Looks at the gates; what to do now, if anything.
    fn look(&mut self, now: Now, health: &Health) -> Option<Result<(), Reason>> {
        self.shut = health.shut(&self.baseline, &self.how.gates);
        if self.shut.is_some() {
            self.open_since_ms = None;
        } else {
            let since = *self.open_since_ms.get_or_insert(now.ms);
            let has_settled = now.ms - since >= u64::from(self.how.settle_s) * 1_000;
            if has_settled && (self.is_said || !self.how.manual) {
                return Some(Ok(()));
            }
        }
        (now.ms >= self.deadline_ms)
            .then(|| Err(self.shut.map_or(Reason::Unconfirmed, Reason::Health)))
    }
}

impl<J: Judge> Agent<J> {
    pub(super) fn handle_health<P: Perform>(&mut self, now: Now, health: Health, out: &mut P) {
        let State::Confirming { watch, .. } = &mut self.state else {
            // A swap may wait for room: until it is done, what held before holds.
            let has_change = matches!(
                self.state,
                State::Returning {
                    is_swapped: false,
                    ..
                }
            );
            if has_change {
                self.baseline.skip(now);
            } else {
                self.baseline.note(now, &health);
            }
            return;
        };
        self.baseline.skip(now);
        let shut_before = watch.shut;
        let verdict = watch.look(now, &health);
        if watch.shut != shut_before {
            out.perform(super::Action::Report);
        }
        match verdict {
            None => {}
            Some(Ok(())) => self.confirm(now, out),
            Some(Err(reason)) => {
                let text = "not well by the deadline: the last good config is back";
                self.roll_back(now, reason, text, out);
            }
        }
    }

    /// A person says that the change is right; the gates must be open all the same.
    pub(super) fn confirm_by_hand(&mut self, is_on_site: bool) {
        if let State::Confirming { change, watch } = &mut self.state
            && (matches!(change, Change::Override(_)) == is_on_site)
        {
            watch.is_said = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Health = Health {
        uplink: true,
        intake_milli: 10_000,
        store: true,
        self_test: true,
    };

    fn check(before: Health, after: Health, expected: Option<Gate>) {
        assert_eq!(
            after.shut(&before, &Gate::ALL),
            expected,
            "{before:?} {after:?}"
        );
    }

    #[test]
    fn a_gate_is_shut_by_what_got_worse() {
        check(WELL, WELL, None);
        check(
            WELL,
            Health {
                uplink: false,
                ..WELL
            },
            Some(Gate::Uplink),
        );
        check(
            WELL,
            Health {
                intake_milli: 4_999,
                ..WELL
            },
            Some(Gate::Intake),
        );
        check(
            WELL,
            Health {
                intake_milli: 5_000,
                ..WELL
            },
            None,
        );
        check(
            WELL,
            Health {
                store: false,
                ..WELL
            },
            Some(Gate::Store),
        );
        check(
            WELL,
            Health {
                self_test: false,
                ..WELL
            },
            Some(Gate::SelfTest),
        );
    }

    #[test]
    fn what_was_broken_before_is_no_fault_of_the_change() {
        let ill = Health::default();
        check(ill, ill, None);
        let silent = Health {
            intake_milli: 499,
            ..WELL
        };
        check(
            silent,
            Health {
                intake_milli: 0,
                ..WELL
            },
            None,
        );
    }
}
