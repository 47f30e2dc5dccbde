//! Where an alarm of a sensor stands: its condition with delays and hysteresis, and what people have done about it.
//!
//! The states and transitions are those of ISA-18.2 (IEC 62682). A condition that comes back is another occurrence, with an id
//! of its own. While an alarm is shelved or suppressed its condition is followed, and nothing is told.

mod words;

use crate::config::{Chatter, Side};
use crate::time::{Instant, Now, earlier};
use serde::{Deserialize, Serialize};
use wire::{Standing, Timestamp, Transition};

pub(crate) use self::words::{Cause, alert};

/// Where the condition of an alarm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// All is well.
    #[default]
    Normal,
    /// It holds, but not for long enough.
    Rising { until: Instant, since: Timestamp },
    /// It holds.
    Raised,
    /// It is over, but not for long enough.
    Falling { until: Instant },
    /// It is over, but stays until somebody has seen it.
    Latched,
}

/// One alarm of a sensor, or room for one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    pub(crate) phase: Phase,
    /// The last occurrence; 0: there was none.
    pub(crate) id: u64,
    /// Event time of the reading with which it began.
    since: Timestamp,
    /// The latest of what it looks at.
    pub(crate) value: f64,
    /// Put away until then; 0: it is not.
    shelved: Instant,
    /// Whether somebody knows of the last occurrence.
    seen: bool,
    suppressed: bool,
    /// Raises since `counted`.
    raises: u8,
    counted: Instant,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            phase: Phase::Normal,
            id: 0,
            since: Timestamp(0),
            value: f64::NAN,
            shelved: Instant(0),
            seen: true,
            suppressed: false,
            raises: 0,
            counted: Instant(0),
        }
    }
}

/// What can happen to a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// It holds by this value, of this event time.
    Beyond(f64, Timestamp),
    /// It neither holds nor is over.
    Between(f64),
    /// It is over by this value.
    Back(f64),
    /// Time went on.
    Elapsed,
}

/// What the plan says of how an alarm moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    pub(crate) on_delay_ms: u32,
    pub(crate) off_delay_ms: u32,
    pub(crate) latch: bool,
    pub(crate) chatter: Option<Chatter>,
}

impl Event {
    /// What a value means to a limit.
    pub(crate) fn of(side: Side, limit: f64, hysteresis: f64, value: f64, time: Timestamp) -> Self {
        let excess = match side {
            Side::Above => value - limit,
            Side::Below => limit - value,
            Side::Beyond => value.abs() - limit,
        };
        if excess > 0.0 {
            Self::Beyond(value, time)
        } else if excess > -hysteresis {
            Self::Between(value)
        } else {
            Self::Back(value)
        }
    }
}

impl Slot {
    /// One event. A new occurrence takes the next id from `last_id`.
    pub(crate) fn step(
        &mut self,
        now: Now,
        event: Event,
        terms: &Terms,
        last_id: &mut u64,
    ) -> Option<Transition> {
        if let Event::Beyond(value, _) | Event::Between(value) | Event::Back(value) = event {
            self.value = value;
        }
        match (self.phase, event) {
            (Phase::Normal, Event::Beyond(_, since)) => match terms.on_delay_ms {
                0 => self.raise(now, since, terms, last_id),
                delay_ms => {
                    let until = now.instant.after_ms(delay_ms);
                    self.turn(Phase::Rising { until, since })
                }
            },
            (Phase::Rising { until, since }, Event::Beyond(..) | Event::Elapsed)
                if now.instant >= until =>
            {
                self.raise(now, since, terms, last_id)
            }
            (Phase::Rising { .. }, Event::Between(_) | Event::Back(_)) => self.turn(Phase::Normal),
            (Phase::Raised, Event::Back(_)) => match self.off_delay_ms(terms) {
                0 => self.clear(terms),
                delay_ms => {
                    let until = now.instant.after_ms(delay_ms);
                    self.turn(Phase::Falling { until })
                }
            },
            (Phase::Falling { .. } | Phase::Latched, Event::Beyond(..)) => self.turn(Phase::Raised),
            (Phase::Falling { until }, Event::Back(_) | Event::Elapsed) if now.instant >= until => {
                self.clear(terms)
            }
            (Phase::Normal, Event::Between(_) | Event::Back(_) | Event::Elapsed)
            | (Phase::Rising { .. }, Event::Beyond(..) | Event::Elapsed)
            | (Phase::Raised, Event::Beyond(..) | Event::Between(_) | Event::Elapsed)
            | (Phase::Falling { .. }, Event::Between(_) | Event::Back(_) | Event::Elapsed)
            | (Phase::Latched, Event::Between(_) | Event::Back(_) | Event::Elapsed) => None,
        }
    }

    /// Somebody has seen it; none if there is nothing to see.
    pub(crate) fn acknowledge(&mut self) -> Option<Transition> {
        if self.seen {
            return None;
        }
        self.seen = true;
        if self.phase == Phase::Latched {
            self.phase = Phase::Normal;
        }
        Some(Transition::Acknowledged)
    }

    /// A person puts it away until then.
    pub(crate) fn shelve(&mut self, until: Instant) -> Transition {
        self.shelved = until;
        Transition::Shelved
    }

    /// It is back, if it was away.
    pub(crate) fn unshelve(&mut self) -> Option<Transition> {
        let is_shelved = self.shelved != Instant(0);
        self.shelved = Instant(0);
        is_shelved.then_some(Transition::Unshelved)
    }

    /// It is back, if it was away for long enough.
    pub(crate) fn unshelve_if_due(&mut self, now: Now) -> Option<Transition> {
        (self.shelved <= now.instant)
            .then(|| self.unshelve())
            .flatten()
    }

    /// The plan makes it silent, or not; none if nothing changes that anybody could have seen.
    pub(crate) fn suppress(&mut self, suppressed: bool) -> Option<Transition> {
        if self.suppressed == suppressed {
            return None;
        }
        let before = self.standing();
        self.suppressed = suppressed;
        let transition = if suppressed {
            Transition::Suppressed
        } else {
            Transition::Released
        };
        let is_quiet = |standing| standing == Standing::Normal || standing == Standing::Suppressed;
        (!is_quiet(before) || !is_quiet(self.standing())).then_some(transition)
    }

    /// How it stands once its rule is gone, and what that is called; none if there is nothing to take back.
    pub(crate) fn withdrawn(self) -> Option<(Self, Transition)> {
        let transition = match self.standing() {
            Standing::Normal => return None,
            Standing::Returned => Transition::Acknowledged,
            Standing::Unacknowledged | Standing::Acknowledged => Transition::Cleared,
            Standing::Shelved => Transition::Unshelved,
            Standing::Suppressed => Transition::Released,
        };
        let withdrawn = Self {
            id: self.id,
            since: self.since,
            value: self.value,
            ..Self::default()
        };
        Some((withdrawn, transition))
    }

    /// Whether what happens to its condition is told.
    pub(crate) fn is_told(&self) -> bool {
        !self.suppressed && self.shelved == Instant(0)
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Standing {
        let holds = match self.phase {
            Phase::Normal | Phase::Rising { .. } => false,
            Phase::Raised | Phase::Falling { .. } | Phase::Latched => true,
        };
        if self.suppressed {
            Standing::Suppressed
        } else if self.shelved != Instant(0) {
            Standing::Shelved
        } else {
            match (holds, self.seen) {
                (true, true) => Standing::Acknowledged,
                (true, false) => Standing::Unacknowledged,
                (false, true) => Standing::Normal,
                (false, false) => Standing::Returned,
            }
        }
    }

    /// Whether it flips too often, so that it is held.
    pub(crate) fn is_chattering(&self, chatter: Option<Chatter>) -> bool {
        chatter.is_some_and(|chatter| self.raises > chatter.raises_max)
    }

    /// When time alone moves it on.
    pub(crate) fn due(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Normal | Phase::Raised | Phase::Latched => None,
            Phase::Rising { until, .. } | Phase::Falling { until } => Some(until),
        };
        let shelved = Some(self.shelved).filter(|until| *until != Instant(0));
        earlier(phase, shelved)
    }

    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    fn turn(&mut self, phase: Phase) -> Option<Transition> {
        self.phase = phase;
        None
    }

    fn raise(
        &mut self,
        now: Now,
        since: Timestamp,
        terms: &Terms,
        last_id: &mut u64,
    ) -> Option<Transition> {
        *last_id += 1;
        self.phase = Phase::Raised;
        (self.id, self.since, self.seen) = (*last_id, since, false);
        if let Some(chatter) = terms.chatter {
            if now.instant > self.counted.after_ms(chatter.within_ms) {
                (self.counted, self.raises) = (now.instant, 0);
            }
            self.raises = self.raises.saturating_add(1);
        }
        Some(Transition::Raised)
    }

    fn clear(&mut self, terms: &Terms) -> Option<Transition> {
        if terms.latch && !self.seen {
            return self.turn(Phase::Latched);
        }
        self.phase = Phase::Normal;
        Some(Transition::Cleared)
    }

    /// One that flips too often must be back for as long as its flips are counted.
    fn off_delay_ms(&self, terms: &Terms) -> u32 {
        match terms.chatter.filter(|_| self.is_chattering(terms.chatter)) {
            Some(chatter) => terms.off_delay_ms.max(chatter.within_ms),
            None => terms.off_delay_ms,
        }
    }
}

#[cfg(test)]
mod tests;
