//! The gate: a value that jumps waits until the next ones say whether it was a spike or a step; all others pass at once.
//!
//! A value is a suspect if it lies further from the last trusted one than the sensor moves ([`Scale::reach`]). What
//! becomes of it is decided by the residual of the median of three (Tukey, "Exploratory Data Analysis", 1977): by how much it
//! sticks out over *both* neighbours. A spike does, a step or the slope of a fast event doesn't, however steep it is. Equal
//! suspects one behind the other are a code or a glitch if the signal comes back within three readings, and a step if not.
//!
//! What was a spike, and what a stage before refused, is put on the line between its trusted neighbours, with what was sent
//! beside it. Nothing is changed silently: each has its reason.

mod fill;
mod filter;
mod flip;
mod item;
mod scale;

pub(crate) use item::{Cleaned, Item};

use self::fill::Line;
use self::filter::Past;
use self::flip::Flip;
use self::scale::{Period, Reach, Scale};
use crate::config::{Cleaning, Fill, Method};
use crate::limits::{GATE_HELD_MAX, GATE_RELEASED_MAX};
use crate::time::{Instant, Now};
use heapless::Vec;
use serde::{Deserialize, Serialize};
use wire::{Quality, Reasons, Timestamp};

/// No sensor owns this gate.
pub(crate) const FREE: u16 = u16::MAX;
/// A signal that is back within this part of a suspect's jump has returned.
const RETURN_RATIO: f64 = 0.3;

/// What sensors, converters and drivers send where they have no value. Most are also possible values, so one is a suspect only
/// if it is a jump, but by less than any other.
const CODES: [f64; 8] = [0.0, 85.0, -127.0, -200.0, -999.0, -9999.0, 4095.0, 65_535.0];
/// By how much less.
const CODE_RATIO: f64 = 0.5;

/// What the gate knows of a sensor, or room for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Whose it is.
    pub(crate) owner: u16,
    /// The last value that can be trusted.
    level: Option<Level>,
    scale: Scale,
    period: Period,
    /// The unit in which the sensor sends at the moment, if it is not its own.
    flip: Option<Flip>,
    held: Vec<Held, GATE_HELD_MAX, u8>,
    /// For the filters: the values that were released last.
    past: Past,
    /// When the first of the held ones has waited long enough.
    due: Option<Instant>,
}

/// A trusted value and its event time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Level {
    at: i64,
    value: f64,
}

/// A reading that waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    item: Item,
    /// It has no value of its own: it gets one from its neighbours.
    is_lost: bool,
}

/// What leaves the gate by one reading.
pub(crate) type Released = Vec<Cleaned, GATE_RELEASED_MAX>;

/// What becomes of a value that has judged the suspects before it.
enum Next {
    /// It waits with them, or as a suspect of its own.
    Hold,
    /// The signal has returned with it.
    Trust,
    /// None is left, and it is yet to be weighed.
    Weigh,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            owner: FREE,
            level: None,
            scale: Scale::default(),
            period: Period::default(),
            flip: None,
            held: Vec::new(),
            past: Past::default(),
            due: None,
        }
    }
}

impl Gate {
    /// Takes one reading; what needs to wait no more goes to `out`, oldest first.
    pub(crate) fn offer(&mut self, now: Now, item: Item, config: &Cleaning, out: &mut Released) {
        let is_behind = self.level.is_some_and(|level| item.time.0 < level.at)
            || self
                .held
                .last()
                .is_some_and(|held| item.time < held.item.time);
        let is_late = item.flags.reasons().contains(Reasons::LATE);
        let is_filtered = config.method != Method::Gate;
        if is_late
            || is_behind
            || (item.flags.quality() == Quality::Bad && (config.fill == Fill::None || is_filtered))
        {
            put(out, item.as_sent());
        } else if is_filtered {
            self.filter(now, item, config, out);
        } else if item.flags.quality() == Quality::Bad {
            self.hold(now, item, true, config, out);
        } else {
            self.weigh(now, item, config, out);
        }
        self.due = self.due.filter(|_| !self.held.is_empty());
    }

    /// When those that wait have waited long enough.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Lets go of what waits: nobody says what it was, so a suspect is uncertain and a lost one stays without a value.
    pub(crate) fn let_go(&mut self, out: &mut Released) {
        for held in &self.held {
            let item = match held.is_lost {
                _ if self.past.is_filtering() => held.item,
                true => held.item.because(Quality::Bad, Reasons::NONE),
                false => held.item.because(Quality::Uncertain, Reasons::SPIKE),
            };
            put(out, item.as_sent());
        }
        self.held.clear();
        self.due = None;
    }

    /// Whether a checkpoint could have made it.
    pub(crate) fn is_sound(&self) -> bool {
        self.held
            .iter()
            .all(|held| !held.item.value.is_nan() || held.is_lost)
    }

    /// A value that is possible: is it one that the sensor could have come to?
    fn weigh(&mut self, now: Now, item: Item, config: &Cleaning, out: &mut Released) {
        // Each turn resolves all suspects that wait, so the second one finds none.
        for _ in 0..2 {
            let Some(level) = self.level else {
                return self.trust(item.as_sent(), item.value, config, out);
            };
            let steps = self.period.steps(item.time.0.saturating_sub(level.at));
            let suspect = self.suspect();
            let weighed = suspect.unwrap_or(item).value;
            let part = if CODES.contains(&weighed) {
                CODE_RATIO
            } else {
                1.0
            };
            let reach = self.scale.reach(part * config.jump, part, steps);
            let Some(suspect) = suspect else {
                return self.meet(now, item, level, reach, config, out);
            };
            match self.judge_suspects(item, suspect, level, reach, config, out) {
                Next::Hold => return self.hold(now, item, false, config, out),
                Next::Trust => return self.trust(item.as_sent(), item.value, config, out),
                Next::Weigh => {}
            }
        }
        put(out, item.as_sent());
    }

    /// A value, while no suspect waits.
    fn meet(
        &mut self,
        now: Now,
        item: Item,
        level: Level,
        reach: Reach,
        config: &Cleaning,
        out: &mut Released,
    ) {
        if (item.value - level.value).abs() <= reach.jump {
            self.flip = None;
            return self.trust(item.as_sent(), item.value, config, out);
        }
        let flip = self
            .flip
            .filter(|flip| flip.fits(level.value, item.value, reach.width));
        match flip {
            Some(flip) => self.trust_flipped(flip, item, config, out),
            None => self.hold(now, item, false, config, out),
        }
    }

    /// What a value says of the suspects before it.
    fn judge_suspects(
        &mut self,
        item: Item,
        suspect: Item,
        level: Level,
        reach: Reach,
        config: &Cleaning,
        out: &mut Released,
    ) -> Next {
        let (jump, back) = (suspect.value - level.value, suspect.value - item.value);
        let sticks_out = jump * back > 0.0 && jump.abs().min(back.abs()) > reach.jump;
        let has_returned =
            (item.value - level.value).abs() <= reach.jump.max(RETURN_RATIO * jump.abs());
        if sticks_out {
            self.lose_suspects();
            return if has_returned {
                Next::Trust
            } else {
                Next::Hold
            };
        }
        let flip = Flip::of(
            &config.flips,
            level.value,
            suspect.value,
            item.value,
            reach.width,
        );
        let is_same = suspect.value.to_bits() == item.value.to_bits();
        if flip.is_none() && is_same && self.held.len() < GATE_HELD_MAX {
            return Next::Hold;
        }
        self.flip = flip;
        self.confirm(flip, config, out);
        Next::Weigh
    }

    fn suspect(&self) -> Option<Item> {
        self.held
            .iter()
            .rev()
            .find(|held| !held.is_lost)
            .map(|held| held.item)
    }

    /// The suspects were spikes.
    fn lose_suspects(&mut self) {
        for held in self.held.iter_mut().filter(|held| !held.is_lost) {
            held.item = held.item.because(Quality::Uncertain, Reasons::SPIKE);
            held.is_lost = true;
        }
    }

    /// The suspects were right: a step, or another unit.
    fn confirm(&mut self, flip: Option<Flip>, config: &Cleaning, out: &mut Released) {
        let mut is_first = true;
        while let Some(at) = self.held.iter().position(|held| !held.is_lost) {
            let item = self.held[at].item;
            let behind = self.held[at + 1..].iter().copied().collect();
            self.held.truncate(at);
            match flip {
                Some(flip) => self.trust_flipped(flip, item, config, out),
                None if is_first => {
                    let item = item.because(item.flags.quality(), Reasons::STEP);
                    self.trust(item.as_sent(), item.value, config, out)
                }
                None => self.trust(item.as_sent(), item.value, config, out),
            }
            is_first = false;
            self.held = behind;
        }
    }

    fn trust_flipped(&mut self, flip: Flip, item: Item, config: &Cleaning, out: &mut Released) {
        let value = flip.undo(item.value);
        let item = item.because(Quality::Uncertain, Reasons::UNIT);
        self.trust(item.repaired(value), value, config, out);
    }

    /// Lets a value pass that can be trusted, and before it all that waited for it.
    fn trust(&mut self, cleaned: Cleaned, value: f64, config: &Cleaning, out: &mut Released) {
        let at = cleaned.time.0;
        if let Some(level) = self.level {
            self.bridge(
                Line::new(level.at, level.value, at, value, config.fill),
                config,
                cleaned.arrival,
                out,
            );
            if self.held.is_empty() {
                self.period.push(at.saturating_sub(level.at));
            }
            self.scale.push(value, value - level.value);
        } else {
            self.held
                .iter()
                .for_each(|held| put(out, held.item.as_sent()));
        }
        self.held.clear();
        self.level = Some(Level { at, value });
        put(out, cleaned);
    }

    /// Gives the lost ones, and the slots in which nothing came, their values between two trusted ones.
    fn bridge(&mut self, line: Line, config: &Cleaning, arrival: Timestamp, out: &mut Released) {
        let mut from = line.from;
        for held in &self.held {
            line.fill(from, held.item.time.0, self.period, config, arrival, out);
            put(out, held.item.repaired(line.at(held.item.time.0)));
            from = held.item.time.0;
        }
        line.fill(from, line.to, self.period, config, arrival, out);
    }

    /// Lets a reading wait; where too many do, the first ones are given up.
    fn hold(&mut self, now: Now, item: Item, is_lost: bool, config: &Cleaning, out: &mut Released) {
        if self.held.is_full() && self.suspect().is_some() {
            self.confirm(None, config, out);
        }
        if self.held.is_full() {
            let oldest = self.held.remove(0);
            match &mut self.level {
                None => put(out, oldest.item.as_sent()),
                Some(level) => {
                    level.at = oldest.item.time.0;
                    put(out, oldest.item.repaired(level.value));
                }
            }
        }
        if self.held.is_empty() {
            self.due = Some(now.instant.after_ms(config.wait_ms_max));
        }
        // There is room: the lines above made it.
        let _ = self.held.push(Held { item, is_lost });
    }
}

/// `GATE_RELEASED_MAX` counts all that one call can release.
fn put(out: &mut Released, cleaned: Cleaned) {
    let is_put = out.push(cleaned).is_ok();
    debug_assert!(is_put, "GATE_RELEASED_MAX is too small");
}

#[cfg(test)]
mod tests;
