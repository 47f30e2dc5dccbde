//! What raises an alert, and how alarms behave.

use super::SensorConfig;
use crate::alarm::Terms;
use crate::limits::{DEVICE_BYTES_MAX, RULE_BYTES_MAX, SIGNAL_BYTES_MAX, TOGETHER_MAX};
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use wire::{AlertKind, Severity};

/// The rule that silence is reported under.
pub const SILENCE_RULE: &str = "silence";
/// The rule that what is unusual is reported under.
pub const DETECT_RULE: &str = "unusual";

/// On which side of a limit a value breaks the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Above it.
    #[default]
    Above,
    /// Below it.
    Below,
    /// Its magnitude is above it.
    Beyond,
}

/// What is held against a limit. Times are event time, in ms; what the formulas are, `ALARMS.md` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Measure {
    /// The value.
    #[default]
    Value,
    /// The value less its average over about this time: for a steady slope, the change in it.
    Rate {
        /// Time constant of the average.
        over_ms: u32,
    },
    /// The standard deviation of the noise.
    Noise {
        /// Time constant.
        over_ms: u32,
    },
    /// The noise of about this time over that of twenty times as long.
    Burst {
        /// Time constant of the shorter one.
        over_ms: u32,
    },
    /// For how many ms the value has not moved by more than this.
    Stuck {
        /// In the unit of the values.
        within: f32,
    },
    /// The sum by which it has left the mean of its first values, in their standard deviations (CUSUM, Page 1954).
    Drift {
        /// How long the first values are gathered.
        learn_ms: u32,
    },
    /// The average over about this time less that over twenty times as long.
    Level {
        /// Time constant of the shorter one.
        over_ms: u32,
    },
    /// How far several signals are together from what they were, by how far they may be: of a chart's signal only.
    Together,
    /// In how many ms the limit is crossed, if it goes on as it does.
    Forecast {
        /// How long the trend remembers.
        over_ms: u32,
        /// How far it is trusted.
        ahead_ms: u32,
    },
}

/// A limit whose crossing raises an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// What the rule is called; unique within its sensor.
    pub rule: String<RULE_BYTES_MAX, u8>,
    /// What is held against the limit.
    pub of: Measure,
    /// Which side of the limit is wrong.
    pub side: Side,
    /// The limit.
    pub limit: f64,
    /// The alert clears when the value is back by this much.
    pub hysteresis: f64,
    /// The value must be beyond the limit for this many ms of the gateway's time before the alert is raised.
    pub on_delay_ms: u32,
    /// The value must be back for this many ms of the gateway's time before the alert is cleared.
    pub off_delay_ms: u32,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether it stays raised until somebody has acknowledged it.
    pub latch: bool,
}

/// When silence raises an alert, by the name of [`SILENCE_RULE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceRule {
    /// After this many ms of the gateway's time without a reading.
    pub after_ms: u32,
    /// How urgent it is.
    pub severity: Severity,
}

/// What learns how values usually are; its alert has the name of [`DETECT_RULE`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detect {
    /// How much it sees.
    pub depth: Depth,
    /// How far from usual is unusual: 2 is half as keen as 1.
    pub calm: f32,
    /// How urgent it is.
    pub severity: Severity,
}

/// How much a detector sees, and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// As much as there is memory left for.
    #[default]
    Auto,
    /// The level.
    Lite,
    /// Level, hour of the day, and shapes of two to five days.
    Standard,
    /// The same, of up to three weeks.
    Full,
}

/// When an alarm flips too often: it is held then until it has been well for as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chatter {
    /// It may be raised so many times
    pub raises_max: u8,
    /// in this many ms of the gateway's time.
    pub within_ms: u32,
}

/// When alarms are silent: while another signal of the device is beyond a limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// The other signal.
    pub signal: String<SIGNAL_BYTES_MAX, u8>,
    /// On which side of the limit it makes them silent.
    pub side: Side,
    /// The limit.
    pub limit: f64,
}

/// Signals of a device that are judged together. How far they are from what they were is a signal itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// Pattern of the devices that have it (`*` and `?`).
    pub device: String<DEVICE_BYTES_MAX, u8>,
    /// What its signal is called.
    pub signal: String<SIGNAL_BYTES_MAX, u8>,
    /// Of which signals.
    pub signals: Vec<String<SIGNAL_BYTES_MAX, u8>, TOGETHER_MAX, u8>,
    /// Values that come within this many ms of the gateway's time are one row.
    pub gather_ms: u32,
    /// Whether the machine wears out, instead of having a state to return to.
    pub wears: bool,
}

/// What one alarm of a sensor is about, and when it counts as chattering.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule<'p> {
    /// A limit.
    Threshold(&'p Threshold, Option<Chatter>),
    /// Silence.
    Silence(&'p SilenceRule, Option<Chatter>),
    /// What is unusual.
    Unusual(&'p Detect, Option<Chatter>),
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            depth: Depth::Auto,
            calm: 1.0,
            severity: Severity::Warning,
        }
    }
}

impl Measure {
    /// Whether it has a memory of its own.
    #[must_use]
    pub const fn has_gauge(&self) -> bool {
        !matches!(self, Self::Value | Self::Together)
    }

    const fn kind(self) -> AlertKind {
        match self {
            Self::Value => AlertKind::Limit,
            Self::Rate { .. } => AlertKind::Rate,
            Self::Noise { .. } => AlertKind::Noise,
            Self::Burst { .. } => AlertKind::Burst,
            Self::Stuck { .. } => AlertKind::Stuck,
            Self::Drift { .. } => AlertKind::Drift,
            Self::Level { .. } => AlertKind::Level,
            Self::Forecast { .. } => AlertKind::Forecast,
            Self::Together => AlertKind::Together,
        }
    }
}

impl<'p> Rule<'p> {
    /// Its name, a level of its topic.
    #[must_use]
    pub fn name(self) -> &'p str {
        match self {
            Self::Threshold(threshold, _) => &threshold.rule,
            Self::Silence(..) => SILENCE_RULE,
            Self::Unusual(..) => DETECT_RULE,
        }
    }

    /// What it looks at.
    #[must_use]
    pub const fn kind(self) -> AlertKind {
        match self {
            Self::Threshold(threshold, _) => threshold.of.kind(),
            Self::Silence(..) => AlertKind::Silence,
            Self::Unusual(..) => AlertKind::Unusual,
        }
    }

    pub(crate) const fn severity(self) -> Severity {
        match self {
            Self::Threshold(threshold, _) => threshold.severity,
            Self::Silence(rule, _) => rule.severity,
            Self::Unusual(detect, _) => detect.severity,
        }
    }

    pub(crate) const fn limit(self) -> Option<f64> {
        match self {
            Self::Threshold(threshold, _) => Some(threshold.limit),
            Self::Silence(..) | Self::Unusual(..) => None,
        }
    }

    pub(crate) const fn terms(self) -> Terms {
        match self {
            Self::Threshold(threshold, chatter) => Terms {
                on_delay_ms: threshold.on_delay_ms,
                off_delay_ms: threshold.off_delay_ms,
                latch: threshold.latch,
                chatter,
            },
            Self::Silence(_, chatter) | Self::Unusual(_, chatter) => Terms {
                on_delay_ms: 0,
                off_delay_ms: 0,
                latch: false,
                chatter,
            },
        }
    }
}

impl SensorConfig {
    /// What its alarm at this place is about: limits first, then silence, then what is unusual.
    pub(crate) fn rule(&self, nth: usize) -> Option<Rule<'_>> {
        let limits = self.thresholds.len();
        let silence = usize::from(self.silence.is_some());
        if let Some(threshold) = self.thresholds.get(nth) {
            return Some(Rule::Threshold(threshold, self.chatter));
        }
        if nth == limits && silence == 1 {
            return Some(Rule::Silence(self.silence.as_ref()?, self.chatter));
        }
        let detect = self.detect.as_ref().filter(|_| nth == limits + silence)?;
        Some(Rule::Unusual(detect, self.chatter))
    }

    /// The place of the alarm by this name.
    pub(crate) fn place_of(&self, name: &str) -> Option<usize> {
        (0..self.slots()).find(|nth| self.rule(*nth).is_some_and(|rule| rule.name() == name))
    }

    /// The place of the alarm for silence, if there is one.
    pub(crate) fn silence_place(&self) -> Option<usize> {
        self.silence.map(|_| self.thresholds.len())
    }

    /// The place of the alarm for what is unusual, if there is one.
    pub(crate) fn unusual_place(&self) -> Option<usize> {
        self.detect
            .map(|_| self.thresholds.len() + usize::from(self.silence.is_some()))
    }

    /// How many alarms it has.
    pub(crate) fn slots(&self) -> usize {
        self.thresholds.len()
            + usize::from(self.silence.is_some())
            + usize::from(self.detect.is_some())
    }

    /// How many gauges it needs: those of its limits, up to the last that needs one.
    pub(crate) fn gauges(&self) -> usize {
        let last = self.thresholds.iter().rposition(|it| it.of.has_gauge());
        last.map_or(0, |last| last + 1)
    }
}
