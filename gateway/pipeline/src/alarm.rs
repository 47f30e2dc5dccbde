//! The alarms of a sensor: thresholds with delays and hysteresis, and silence.

use crate::config::{SILENCE_RULE, Side, SilenceRule, Threshold};
use crate::time::{Instant, Now};
use core::fmt;
use serde::{Deserialize, Serialize};
use wire::{Alert, AlertState, SensorId, SensorName, Severity, Timestamp, Why};

/// An occurrence that was reported and has not cleared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Raise {
    id: u64,
    at: Timestamp,
    since: Timestamp,
    value: f64,
}

/// Something to report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// It began.
    Raised(Raise),
    /// It is over, by this value.
    Cleared(Raise, f64),
}

/// Where one threshold stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Alarm {
    /// All is well.
    #[default]
    Normal,
    /// Beyond the limit, but not for long enough.
    Rising { until: Instant, since: Timestamp },
    /// Reported.
    Raised(Raise),
    /// Back, but not for long enough.
    Falling { raise: Raise, until: Instant },
}

/// What can happen to a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// A value beyond the limit, and its event time.
    Beyond(f64, Timestamp),
    /// A value that is not beyond the limit, but not back by the hysteresis either.
    Between,
    /// A value that is back.
    Back(f64),
    /// Time went on; the last value is still this one.
    Elapsed(f64),
}

impl Event {
    /// What a value means to a threshold.
    pub(crate) fn of(threshold: &Threshold, value: f64, time: Timestamp) -> Self {
        let (excess, hysteresis) = match threshold.side {
            Side::Above => (value - threshold.limit, threshold.hysteresis),
            Side::Below => (threshold.limit - value, threshold.hysteresis),
        };
        if excess > 0.0 {
            Self::Beyond(value, time)
        } else if excess > -hysteresis {
            Self::Between
        } else {
            Self::Back(value)
        }
    }
}

impl Alarm {
    /// One event. A new occurrence takes the next id from `last_id`.
    pub(crate) fn step(
        &mut self,
        now: Now,
        event: Event,
        threshold: &Threshold,
        last_id: &mut u64,
    ) -> Option<Change> {
        let (next, change) = match (*self, event) {
            (Self::Normal, Event::Beyond(value, since)) => match threshold.on_delay_ms {
                0 => raised(now, since, value, last_id),
                delay_ms => (
                    Self::Rising {
                        until: now.instant.after_ms(delay_ms),
                        since,
                    },
                    None,
                ),
            },
            (Self::Normal, Event::Between | Event::Back(_) | Event::Elapsed(_)) => (*self, None),

            (Self::Rising { until, since }, Event::Beyond(value, _) | Event::Elapsed(value)) => {
                if now.instant >= until {
                    raised(now, since, value, last_id)
                } else {
                    (*self, None)
                }
            }
            (Self::Rising { .. }, Event::Between | Event::Back(_)) => (Self::Normal, None),

            (Self::Raised(raise), Event::Back(value)) => match threshold.off_delay_ms {
                0 => (Self::Normal, Some(Change::Cleared(raise, value))),
                delay_ms => (
                    Self::Falling {
                        raise,
                        until: now.instant.after_ms(delay_ms),
                    },
                    None,
                ),
            },
            (Self::Raised(_), Event::Beyond(..) | Event::Between | Event::Elapsed(_)) => {
                (*self, None)
            }

            (Self::Falling { raise, .. }, Event::Beyond(..)) => (Self::Raised(raise), None),
            (Self::Falling { raise, until }, Event::Back(value) | Event::Elapsed(value)) => {
                let is_over = now.instant >= until;
                if is_over {
                    (Self::Normal, Some(Change::Cleared(raise, value)))
                } else {
                    (*self, None)
                }
            }
            (Self::Falling { .. }, Event::Between) => (*self, None),
        };
        *self = next;
        change
    }

    /// When time alone moves it on.
    pub(crate) const fn due(&self) -> Option<Instant> {
        match self {
            Self::Normal | Self::Raised(_) => None,
            Self::Rising { until, .. } | Self::Falling { until, .. } => Some(*until),
        }
    }

    /// The occurrence that was reported and has not cleared.
    pub(crate) const fn raise(&self) -> Option<Raise> {
        match self {
            Self::Normal | Self::Rising { .. } => None,
            Self::Raised(raise) | Self::Falling { raise, .. } => Some(*raise),
        }
    }
}

fn raised(now: Now, since: Timestamp, value: f64, last_id: &mut u64) -> (Alarm, Option<Change>) {
    *last_id += 1;
    let raise = Raise {
        id: *last_id,
        at: now.wall,
        since,
        value,
    };
    (Alarm::Raised(raise), Some(Change::Raised(raise)))
}

/// Whether a sensor is heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Silence {
    /// Heard last at that instant and wall time.
    Heard(Now),
    /// Reported as silent; the value of the occurrence is how many ms it had been.
    Silent(Raise),
}

impl Silence {
    /// The sensor is heard.
    pub(crate) fn hear(&mut self, now: Now) -> Option<Change> {
        let change = match *self {
            Self::Heard(_) => None,
            Self::Silent(raise) => Some(Change::Cleared(raise, raise.value)),
        };
        *self = Self::Heard(now);
        change
    }

    /// Time went on.
    pub(crate) fn elapse(
        &mut self,
        now: Now,
        rule: Option<&SilenceRule>,
        last_id: &mut u64,
    ) -> Option<Change> {
        let Self::Heard(last) = *self else {
            return None;
        };
        let rule = rule.filter(|rule| now.instant >= last.instant.after_ms(rule.after_ms))?;
        *last_id += 1;
        let raise = Raise {
            id: *last_id,
            at: now.wall,
            since: last.wall,
            value: f64::from(rule.after_ms),
        };
        *self = Self::Silent(raise);
        Some(Change::Raised(raise))
    }

    pub(crate) fn due(&self, rule: Option<&SilenceRule>) -> Option<Instant> {
        match self {
            Self::Heard(last) => rule.map(|rule| last.instant.after_ms(rule.after_ms)),
            Self::Silent(_) => None,
        }
    }

    pub(crate) const fn raise(&self) -> Option<Raise> {
        match self {
            Self::Heard(_) => None,
            Self::Silent(raise) => Some(*raise),
        }
    }
}

/// What an alert is about, beside the occurrence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause<'a> {
    /// A value beyond a limit.
    Threshold(&'a Threshold),
    /// No reading for too long.
    Silence(&'a SilenceRule),
    /// A rule that is in the plan no more, or not as it was.
    Withdrawn(&'a str, Severity),
}

/// The alert that tells of a change.
pub(crate) fn alert<'a>(
    now: Now,
    sensor: SensorId,
    name: SensorName<'a>,
    cause: Cause<'a>,
    change: Change,
) -> Alert<'a> {
    let (raise, state, at, value) = match change {
        Change::Raised(raise) => (raise, AlertState::Raised, raise.at, raise.value),
        Change::Cleared(raise, value) => (raise, AlertState::Cleared, now.wall, value),
    };
    let (rule, severity, limit) = match cause {
        Cause::Threshold(threshold) => (
            threshold.rule.as_str(),
            threshold.severity,
            Some(threshold.limit),
        ),
        Cause::Silence(rule) => (SILENCE_RULE, rule.severity, None),
        Cause::Withdrawn(rule, severity) => (rule, severity, None),
    };
    Alert {
        id: raise.id,
        sensor,
        name,
        rule,
        state,
        severity,
        at,
        since: raise.since,
        value: matches!(cause, Cause::Threshold(_)).then_some(value),
        limit,
        why: why(name.unit, cause, state, value),
    }
}

fn why(unit: &str, cause: Cause<'_>, state: AlertState, value: f64) -> Why {
    match (cause, state) {
        (Cause::Threshold(threshold), AlertState::Raised) => {
            let side = side_word(threshold.side);
            let (value, limit) = (Amount(value, unit), Amount(threshold.limit, unit));
            match threshold.on_delay_ms {
                0 => Why::new(format_args!("{value} is {side} {limit}")),
                delay_ms => Why::new(format_args!(
                    "{value} is {side} {limit} for {}",
                    Span(delay_ms)
                )),
            }
        }
        (Cause::Threshold(threshold), AlertState::Cleared) => {
            let side = side_word(threshold.side);
            Why::new(format_args!(
                "{} is no more {side} {}",
                Amount(value, unit),
                Amount(threshold.limit, unit)
            ))
        }
        (Cause::Silence(rule), AlertState::Raised) => {
            Why::new(format_args!("no reading for {}", Span(rule.after_ms)))
        }
        (Cause::Silence(_), AlertState::Cleared) => Why::new(format_args!("readings come again")),
        (Cause::Withdrawn(..), AlertState::Raised | AlertState::Cleared) => {
            Why::new(format_args!("the rule was changed or removed"))
        }
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Above => "above",
        Side::Below => "below",
    }
}

/// A number with its unit; very large and very small ones by powers of ten, so that they stay short.
struct Amount<'a>(f64, &'a str);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, unit) = self;
        let is_plain = *number == 0.0 || (1e-4..1e15).contains(&number.abs());
        if is_plain {
            write!(f, "{number}")?
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

#[cfg(test)]
mod tests;
