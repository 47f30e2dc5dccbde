//! Which rows need not be forwarded: those that a reader can put in again from their neighbours, up to a width.
//!
//! Averages and alerts have seen all of them. A row that is forwarded says how many before it were left out.
//!
//! *Deadband:* the last value that was forwarded is held; a value is left out while it is not further from it than the width.
//!
//! *Swinging door* (Bristol, "Swinging door trending", ISA 1990): a line goes from one forwarded value to the next; values that
//! are not further from it than the width are left out. Bristol's door stays open while there is any such line, but the one that
//! is drawn ends at a value that was measured, and so may miss others by twice the width. Here the door shuts where the value
//! itself does not lie between the two lines that hold all before it, so the width is kept.

use crate::config::{Thinning, ThinningMethod};
use crate::gate::Cleaned;
use crate::sensor::NEVER;
use crate::time::{Instant, Now};
use heapless::Vec;
use serde::{Deserialize, Serialize};
use wire::{Flags, LEFT_OUT_MAX, Quality};

/// No sensor owns this thinner.
pub(crate) const FREE: u16 = u16::MAX;

/// What was forwarded of a sensor last, and what may follow from it, or room for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thinner {
    /// Whose it is.
    pub(crate) owner: u16,
    from: Option<Segment>,
    /// Rows that were left out since.
    left_out: u32,
    /// The row that ends the line so far: it is forwarded if the next one does not fit.
    held: Option<Cleaned>,
    /// When the held one has waited long enough.
    due: Instant,
}

/// Where a line begins, and the steepest and the flattest one that hold all values behind it; by ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Segment {
    at: i64,
    value: f64,
    flags: Flags,
    steepest: f64,
    flattest: f64,
}

/// What one row makes a thinner forward: the one that it held, and the row itself.
pub(crate) type Forwarded = Vec<Cleaned, 2>;

impl Default for Thinner {
    fn default() -> Self {
        Self {
            owner: FREE,
            from: None,
            left_out: 0,
            held: None,
            due: NEVER,
        }
    }
}

impl Segment {
    fn new(row: &Cleaned, value: f64) -> Self {
        Self {
            at: row.time.0,
            value,
            flags: row.flags,
            steepest: f64::INFINITY,
            flattest: f64::NEG_INFINITY,
        }
    }

    fn slope_to(&self, at: i64, value: f64) -> f64 {
        (value - self.value) / at.saturating_sub(self.at) as f64
    }

    fn is_open_to(&self, at: i64, value: f64) -> bool {
        (self.flattest..=self.steepest).contains(&self.slope_to(at, value))
    }

    /// Narrows the door to the lines that come as near to this value.
    fn narrow(&mut self, at: i64, value: f64, width: f64) {
        self.steepest = libm::fminimum_num(self.steepest, self.slope_to(at, value + width));
        self.flattest = libm::fmaximum_num(self.flattest, self.slope_to(at, value - width));
    }
}

impl Thinner {
    /// Takes a row; what is to be forwarded goes to `out`, oldest first. Tells how many rows are left out by it.
    pub(crate) fn offer(
        &mut self,
        now: Now,
        row: Cleaned,
        rule: &Thinning,
        out: &mut Forwarded,
    ) -> u32 {
        let value = row.content.value();
        let Some(value) = value.filter(|_| row.flags.quality() != Quality::Bad) else {
            out.extend(self.let_go());
            self.from = None;
            out.extend([self.told(row)]);
            return 0;
        };
        let newest = self.held.map(|held| held.time.0);
        let newest = newest.or(self.from.map(|from| from.at));
        if newest.is_some_and(|newest| row.time.0 <= newest) {
            // It stands for itself, and the line goes on behind it.
            out.extend([row]);
            return 0;
        }
        if !self.goes_on(&row, rule) {
            out.extend(self.let_go());
        }
        // What was held may be the begin of a line to this one.
        match self.from.filter(|_| self.goes_on(&row, rule)) {
            None => self.begin(row, value, out),
            Some(from) => match rule.method {
                ThinningMethod::Deadband if (value - from.value).abs() > rule.width => {
                    self.begin(row, value, out)
                }
                ThinningMethod::Deadband => {
                    self.left_out += 1;
                    1
                }
                ThinningMethod::SwingingDoor => self.swing(now, row, value, rule, out),
            },
        }
    }

    /// When the held row has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.due).filter(|due| *due != NEVER)
    }

    /// Lets go of the held row: a line begins there.
    pub(crate) fn let_go(&mut self) -> Option<Cleaned> {
        self.due = NEVER;
        let held = self.held.take()?;
        let value = held.content.value();
        self.from = value.map(|value| Segment::new(&held, value));
        Some(self.told(held))
    }

    /// Whether a checkpoint could have made it.
    pub(crate) fn is_sound(&self) -> bool {
        let has_value = |held: Cleaned| held.content.value().is_some_and(f64::is_finite);
        self.left_out <= LEFT_OUT_MAX && self.held.is_none_or(has_value)
    }

    /// Whether a row can belong to what began with the last forwarded one.
    fn goes_on(&self, row: &Cleaned, rule: &Thinning) -> bool {
        self.from.is_some_and(|from| {
            let silence_ms = row.time.0.saturating_sub(from.at);
            from.flags == row.flags
                && silence_ms < i64::from(rule.silence_ms_max)
                && self.left_out < LEFT_OUT_MAX
        })
    }

    /// Forwards a row, from which all begins anew.
    fn begin(&mut self, row: Cleaned, value: f64, out: &mut Forwarded) -> u32 {
        self.from = Some(Segment::new(&row, value));
        out.extend([self.told(row)]);
        0
    }

    /// A row that may be left out by a line from the last forwarded one.
    fn swing(
        &mut self,
        now: Now,
        row: Cleaned,
        value: f64,
        rule: &Thinning,
        out: &mut Forwarded,
    ) -> u32 {
        let at = row.time.0;
        let is_open = self.from.is_some_and(|from| from.is_open_to(at, value));
        if !is_open {
            out.extend(self.let_go());
        }
        let left_out = u32::from(self.held.is_some());
        self.left_out += left_out;
        if let Some(from) = &mut self.from {
            from.narrow(at, value, rule.width);
        }
        if self.held.is_none() {
            self.due = now.instant.after_ms(rule.silence_ms_max);
        }
        self.held = Some(row);
        left_out
    }

    /// A row that is forwarded, with how many before it were not.
    fn told(&mut self, row: Cleaned) -> Cleaned {
        let left_out = core::mem::take(&mut self.left_out);
        Cleaned {
            flags: row.flags.with_left_out(left_out),
            ..row
        }
    }
}

#[cfg(test)]
mod tests;
