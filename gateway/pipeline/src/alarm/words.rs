//! What an alert says: the occurrence, how it stands, and why, in words with the numbers.

use super::Slot;
use crate::config::{Detect, Measure, Rule, Side, SilenceRule, Threshold};
use crate::detect::{Finding, View};
use crate::time::Now;
use core::fmt;
use wire::{Alert, AlertKind, Clock, SensorId, SensorName, Transition, Why};

/// Why an alarm moved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause<'a> {
    /// Its condition did.
    Condition,
    /// So did a forecast, which is right give or take so many ms.
    Forecast(f64),
    /// A detector found this.
    Found(&'a Finding),
    /// A rule is in the plan no more, or not as it was.
    Withdrawn,
    /// One signal of several departs most.
    Departs(&'a str),
    /// By a person: who, and what he or she says.
    Person(&'a str, &'a str),
    /// The time on the shelf is over.
    ShelfTime,
    /// The plan says that it is silent while this signal is so.
    Suppression(&'a str),
}

/// The alert that tells of a transition.
pub(crate) fn alert<'a>(
    now: Now,
    (sensor, name): (SensorId, SensorName<'a>),
    rule: Rule<'a>,
    slot: &Slot,
    transition: Transition,
    cause: Cause<'_>,
) -> Alert<'a> {
    Alert {
        id: slot.id,
        sensor,
        name,
        rule: rule.name(),
        kind: rule.kind(),
        transition,
        standing: slot.standing(),
        first_out: None,
        severity: rule.severity(),
        at: now.wall,
        clock: Clock::Synced,
        since: slot.since(),
        value: value_of(rule, slot),
        limit: rule.limit(),
        why: why(name.unit, rule, slot, transition, cause),
    }
}

/// What is held against the limit, if it is of the limit's kind: a forecast is a time.
fn value_of(rule: Rule<'_>, slot: &Slot) -> Option<f64> {
    let is_like = rule.limit().is_some() && rule.kind() != AlertKind::Forecast;
    is_like
        .then_some(slot.value)
        .filter(|value| !value.is_nan())
}

fn why(unit: &str, rule: Rule<'_>, slot: &Slot, transition: Transition, cause: Cause<'_>) -> Why {
    let held = Held(slot, rule);
    match (transition, cause) {
        (_, Cause::Withdrawn) => Why::new(format_args!("the rule was changed or removed")),
        (Transition::Raised, Cause::Found(finding)) => {
            Why::new(format_args!("{}{held}", Found(finding)))
        }
        (Transition::Raised, Cause::Forecast(give_ms)) => Why::new(format_args!(
            "crosses {} in {} ± {}{held}",
            Amount(rule.limit().unwrap_or_default(), unit),
            Time(slot.value),
            Time(give_ms)
        )),
        (Transition::Raised, Cause::Departs(signal)) => Why::new(format_args!(
            "together {:.1} times as far from usual as may be, {signal} most{held}",
            slot.value
        )),
        (_, Cause::Person(by, note)) => {
            let said = if note.is_empty() { "" } else { ": " };
            Why::new(format_args!("{} by {by}{said}{note}", verb(transition)))
        }
        (_, Cause::ShelfTime) => Why::new(format_args!("the time on the shelf is over")),
        (_, Cause::Suppression(signal)) => {
            Why::new(format_args!("{} by {signal}", verb(transition)))
        }
        (Transition::Raised, _) => {
            Why::new(format_args!("{}{held}", Condition(rule, slot, unit, true)))
        }
        (_, _) => Why::new(format_args!("{}", Condition(rule, slot, unit, false))),
    }
}

const fn verb(transition: Transition) -> &'static str {
    match transition {
        Transition::Raised => "raised",
        Transition::Cleared => "cleared",
        Transition::Acknowledged => "acknowledged",
        Transition::Shelved => "shelved",
        Transition::Unshelved => "unshelved",
        Transition::Suppressed => "suppressed",
        Transition::Released => "released",
    }
}

/// That an alarm flips too often.
struct Held<'a>(&'a Slot, Rule<'a>);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chatter = self.1.terms().chatter;
        match chatter.filter(|_| self.0.is_chattering(chatter)) {
            Some(chatter) => write!(
                f,
                "; held: over {} times in {}",
                chatter.raises_max,
                Span(chatter.within_ms)
            ),
            None => Ok(()),
        }
    }
}

/// What holds, or does no more.
struct Condition<'a>(Rule<'a>, &'a Slot, &'a str, bool);

impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rule, slot, unit, holds) = *self;
        match (rule, holds) {
            (Rule::Threshold(threshold, _), _) => threshold.tell(f, slot.value, unit, holds),
            (Rule::Silence(SilenceRule { after_ms, .. }, _), true) => {
                write!(f, "no reading for {}", Span(*after_ms))
            }
            (Rule::Silence(..), false) => f.write_str("readings come again"),
            (Rule::Unusual(Detect { .. }, _), true) => f.write_str("unlike what it was before"),
            (Rule::Unusual(..), false) => f.write_str("as usual for a while again"),
        }
    }
}

impl Threshold {
    fn tell(&self, f: &mut fmt::Formatter<'_>, value: f64, unit: &str, holds: bool) -> fmt::Result {
        let is = if holds { "is" } else { "is no more" };
        let (amount, limit) = (Amount(value, unit), Amount(self.limit, unit));
        let side = match self.side {
            Side::Above => "above",
            Side::Below => "below",
            Side::Beyond => "beyond ±",
        };
        match self.of {
            Measure::Value => write!(f, "{amount} {is} {side} {limit}"),
            Measure::Rate { over_ms } => {
                write!(
                    f,
                    "a change by {amount} in {} {is} {side} {limit}",
                    Span(over_ms)
                )
            }
            Measure::Noise { over_ms } => {
                write!(
                    f,
                    "noise of {amount} over {} {is} {side} {limit}",
                    Span(over_ms)
                )
            }
            Measure::Burst { .. } => {
                write!(
                    f,
                    "noise of {value:.1} times its usual {is} {side} {}",
                    self.limit
                )
            }
            Measure::Together if holds => {
                write!(f, "together {value:.1} times as far from usual as may be")
            }
            Measure::Together => write!(
                f,
                "together {value:.1} times as far from usual as may be again"
            ),
            Measure::Stuck { .. } if holds => write!(f, "has not moved for {}", Time(value)),
            Measure::Stuck { .. } => f.write_str("moves again"),
            Measure::Drift { .. } => {
                write!(
                    f,
                    "drift of {value:.1} deviations in sum {is} {side} {}",
                    self.limit
                )
            }
            Measure::Level { over_ms } => {
                write!(
                    f,
                    "a level moved by {amount} in {} {is} {side} {limit}",
                    Span(over_ms)
                )
            }
            Measure::Forecast { .. } if holds => write!(f, "crosses {limit} in {}", Time(value)),
            Measure::Forecast { .. } => write!(f, "does not go for {limit} any more"),
        }?;
        match self.on_delay_ms {
            delay_ms if holds && delay_ms > 0 => write!(f, " for {}", Span(delay_ms)),
            _ => Ok(()),
        }
    }
}

/// What a detector found.
struct Found<'a>(&'a Finding);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            view,
            size,
            one_in,
            score,
            limit,
            ..
        } = self.0;
        let what = match view {
            View::Shape => "no shape before was like this",
            View::Level => "the level has left its usual",
            View::Hour => "unusual for this hour",
        };
        write!(
            f,
            "{what}: {size:.1} deviations, one in {one_in:.0}, score {score:.1} of {limit:.1}"
        )
    }
}

/// A number with its unit; very large and very small ones by powers of ten, so that they stay short.
struct Amount<'a>(f64, &'a str);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, unit) = self;
        let is_plain = *number == 0.0 || (1e-4..1e15).contains(&number.abs());
        if is_plain {
            write!(f, "{}", Short(*number))?
        } else {
            write!(f, "{number:e}")?
        }
        if unit.is_empty() {
            Ok(())
        } else {
            write!(f, " {unit}")
        }
    }
}

/// A number as it is where that is short, else with six digits that count.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = *self;
        let digits = 5 - libm::floor(libm::log10(number.abs().max(1e-4))) as i32;
        let factor = libm::exp10(f64::from(digits.clamp(0, 9)));
        let rounded = libm::round(number * factor) / factor;
        let is_short = rounded == number || digits < 0;
        if is_short {
            write!(f, "{number}")
        } else {
            write!(f, "{rounded}")
        }
    }
}

/// A span of ms, in the largest unit that has no remainder.
struct Span(u32);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit_ms, unit) in [(3_600_000, "h"), (60_000, "min"), (1000, "s")] {
            if self.0.is_multiple_of(unit_ms) {
                return write!(f, "{} {unit}", self.0 / unit_ms);
            }
        }
        write!(f, "{} ms", self.0)
    }
}

/// A time of ms as people say it, in two units: 3 h 10 min.
struct Time(f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = libm::round(self.0 / 1000.0).clamp(0.0, 1e12) as u64;
        let units = [
            (86_400, "d", 3_600, "h"),
            (3_600, "h", 60, "min"),
            (60, "min", 1, "s"),
        ];
        for (large_s, large, small_s, small) in units {
            if seconds >= large_s {
                let (many, rest) = (seconds / large_s, seconds % large_s / small_s);
                return match rest {
                    0 => write!(f, "{many} {large}"),
                    _ => write!(f, "{many} {large} {rest} {small}"),
                };
            }
        }
        write!(f, "{seconds} s")
    }
}
