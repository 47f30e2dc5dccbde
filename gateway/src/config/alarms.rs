//! `[[sensor.alerts]]`, `detect`, `chatter`, `group` and `suppress`: what raises an alert, and how alarms behave.

use pipeline::config::{Chatter, Depth, Detect, Measure, Side, Suppression, Threshold};
use pipeline::limits::{GROUPS_MAX, SUPPRESSIONS_MAX};
use serde::{Deserialize, Serialize};
use wire::Severity;

use super::cleaning::Conditions;
use super::plan::{narrow, text};
use super::{Fault, Millis};

/// What sensors of a plan share.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) conditions: Conditions,
    pub(super) suppressions: heapless::Vec<Suppression, SUPPRESSIONS_MAX, u8>,
    groups: Vec<String>,
}

/// `[[sensor.alerts]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// A level of the alert's topic.
    pub name: String,
    /// What is held against the limit.
    #[serde(default)]
    pub of: Of,
    /// The time that `of` is about.
    pub over: Option<Millis>,
    /// How far ahead a forecast is trusted.
    pub ahead: Option<Millis>,
    /// A value that moves by no more than this is stuck.
    pub within: Option<f32>,
    /// Raised above this.
    pub above: Option<f64>,
    /// Raised below this.
    pub below: Option<f64>,
    /// Raised where the magnitude is above this.
    pub beyond: Option<f64>,
    /// Clears when the value is back by this much.
    #[serde(default)]
    pub hysteresis: f64,
    /// Beyond the limit for this long before it is raised.
    #[serde(default)]
    pub on_delay: Millis,
    /// Back for this long before it is cleared.
    pub off_delay: Option<Millis>,
    /// How urgent it is.
    #[serde(default)]
    pub severity: Severity,
    /// Stays raised until somebody has acknowledged it.
    #[serde(default)]
    pub latch: bool,
}

/// What is held against a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The value.
    #[default]
    Value,
    /// Its change over a time.
    Rate,
    /// Its noise.
    Noise,
    /// Its noise, in multiples of the usual one.
    Burst,
    /// How long it has not moved.
    Stuck,
    /// How far it has slowly left where it was.
    Drift,
    /// How far its level has moved.
    Level,
    /// When it will cross the limit.
    Forecast,
}

/// `detect = "auto"`, or `detect = { depth = "full", calm = 1.5 }`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Detection {
    /// The depth alone.
    Depth(DepthOrOff),
    /// With more to say.
    Full(DetectionTable),
}

/// The table that `detect` may be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionTable {
    /// How much it sees.
    pub depth: DepthOrOff,
    /// How far from usual is unusual.
    #[serde(default = "one")]
    pub calm: f32,
    /// How urgent it is.
    #[serde(default)]
    pub severity: Severity,
}

const fn one() -> f32 {
    1.0
}

/// How much a detector sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DepthOrOff {
    /// Nothing.
    Off,
    /// As much as there is memory left for.
    Auto,
    /// The level.
    Lite,
    /// Shapes of two to five days, too.
    Standard,
    /// Shapes of up to three weeks.
    Full,
}

/// `chatter = { times = 5, within = "1m" }`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatterRule {
    /// An alarm may be raised so many times
    pub times: u8,
    /// in this time.
    pub within: Millis,
}

/// `suppress = { signal = "running", below = 0.5 }`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressRule {
    /// Another signal of the device.
    pub signal: String,
    /// Silent while it is above this.
    pub above: Option<f64>,
    /// Silent while it is below this.
    pub below: Option<f64>,
}

/// `detectors_max = { lite = 1024, standard = 256, full = 64 }`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detectors {
    /// Of the least kind.
    pub lite: u16,
    /// Of the standard kind.
    pub standard: u16,
    /// Of the full kind.
    pub full: u16,
}

const MINUTE_MS: u64 = 60_000;
/// Deviations in sum at which a drift is one, if nothing is said.
const DRIFT_LIMIT: f64 = 8.0;
/// Multiples of the usual noise at which a burst is one, if nothing is said.
const BURST_LIMIT: f64 = 4.0;

impl AlertRule {
    pub(super) fn threshold(&self, key: &str, faults: &mut Vec<Fault>) -> Threshold {
        let measure = self.measure();
        let (side, limit) = self.limit(key, faults);
        self.refuse_what_is_for_others(key, faults);
        let off_delay = self.off_delay.unwrap_or(match self.of {
            // What is foretold wavers: it clears once it has been gone for a while.
            Of::Forecast => Millis(self.over(120).0 / 12),
            _ => Millis(0),
        });
        Threshold {
            rule: text(&self.name, &format!("{key}.name"), faults),
            of: measure,
            side,
            limit,
            hysteresis: self.hysteresis,
            on_delay_ms: narrow(self.on_delay),
            off_delay_ms: narrow(off_delay),
            severity: self.severity,
            latch: self.latch,
        }
    }

    fn over(&self, minutes: u64) -> Millis {
        self.over.unwrap_or(Millis(minutes * MINUTE_MS))
    }

    fn measure(&self) -> Measure {
        let over_ms = narrow(self.over(10));
        match self.of {
            Of::Value => Measure::Value,
            Of::Rate => Measure::Rate { over_ms },
            Of::Noise => Measure::Noise { over_ms },
            Of::Burst => Measure::Burst { over_ms },
            Of::Stuck => Measure::Stuck {
                within: self.within.unwrap_or(0.0),
            },
            Of::Drift => Measure::Drift {
                learn_ms: narrow(self.over(60)),
            },
            Of::Level => Measure::Level { over_ms },
            Of::Forecast => Measure::Forecast {
                over_ms: narrow(self.over(120)),
                ahead_ms: narrow(self.ahead.unwrap_or(Millis(240 * MINUTE_MS))),
            },
        }
    }

    fn limit(&self, key: &str, faults: &mut Vec<Fault>) -> (Side, f64) {
        match (self.of, self.above, self.below, self.beyond) {
            // It has not moved for longer than this.
            (Of::Stuck, None, None, None) => (Side::Above, self.over(30).0 as f64),
            (Of::Drift, None, None, None) => (Side::Beyond, DRIFT_LIMIT),
            (Of::Burst, None, None, None) => (Side::Above, BURST_LIMIT),
            (of, Some(limit), None, None) if of != Of::Stuck => (Side::Above, limit),
            (of, None, Some(limit), None) if of != Of::Stuck => (Side::Below, limit),
            (of, None, None, Some(limit)) if of != Of::Stuck => (Side::Beyond, limit),
            (of, ..) => {
                let help = match of {
                    Of::Stuck => "say with `over` how long it may stand still",
                    _ => "give one of `above = LIMIT`, `below = LIMIT`, `beyond = LIMIT`",
                };
                faults.push(Fault::at(key, "an alert has one limit", help));
                (Side::Above, 0.0)
            }
        }
    }

    fn refuse_what_is_for_others(&self, key: &str, faults: &mut Vec<Fault>) {
        for (is_wrong, name, help) in [
            (
                self.over.is_some() && self.of == Of::Value,
                "over",
                "leave it out, or say with `of` what is looked at over this time",
            ),
            (
                self.ahead.is_some() && self.of != Of::Forecast,
                "ahead",
                "leave it out: it is for `of = \"forecast\"`",
            ),
            (
                self.within.is_some() && self.of != Of::Stuck,
                "within",
                "leave it out: it is for `of = \"stuck\"`",
            ),
        ] {
            if is_wrong {
                let message = format!("`{name}` is of no use here");
                faults.push(Fault::at(format!("{key}.{name}"), message, help));
            }
        }
    }
}

impl Detection {
    /// None: off.
    pub(super) fn detect(self) -> Option<Detect> {
        let (depth, detect) = match self {
            Self::Depth(depth) => (depth, Detect::default()),
            Self::Full(table) => {
                let detect = Detect {
                    calm: table.calm,
                    severity: table.severity,
                    ..Detect::default()
                };
                (table.depth, detect)
            }
        };
        let depth = match depth {
            DepthOrOff::Off => return None,
            DepthOrOff::Auto => Depth::Auto,
            DepthOrOff::Lite => Depth::Lite,
            DepthOrOff::Standard => Depth::Standard,
            DepthOrOff::Full => Depth::Full,
        };
        Some(Detect { depth, ..detect })
    }
}

impl From<ChatterRule> for Chatter {
    fn from(rule: ChatterRule) -> Self {
        Self {
            raises_max: rule.times,
            within_ms: narrow(rule.within),
        }
    }
}

impl Tables {
    /// The number of a group.
    pub(super) fn group(&mut self, name: &str, key: &str, faults: &mut Vec<Fault>) -> Option<u8> {
        if let Some(known) = self.groups.iter().position(|known| known == name) {
            return Some(known as u8);
        }
        if self.groups.len() == GROUPS_MAX {
            let help = format!("at most {GROUPS_MAX} different ones are allowed");
            faults.push(Fault::at(format!("{key}.group"), "too many groups", help));
            return None;
        }
        self.groups.push(name.to_owned());
        Some(self.groups.len() as u8 - 1)
    }

    /// The place of a suppression; sensors with the same one share it.
    pub(super) fn suppression(
        &mut self,
        rule: &SuppressRule,
        key: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<u8> {
        let key = format!("{key}.suppress");
        let (side, limit) = match (rule.above, rule.below) {
            (Some(limit), None) => (Side::Above, limit),
            (None, Some(limit)) => (Side::Below, limit),
            (Some(_), Some(_)) | (None, None) => {
                let help = "give either `above = LIMIT` or `below = LIMIT`";
                faults.push(Fault::at(key, "a suppression has one limit", help));
                return None;
            }
        };
        let suppression = Suppression {
            signal: text(&rule.signal, &key, faults),
            side,
            limit,
        };
        let known = self.suppressions.iter().position(|it| *it == suppression);
        if let Some(known) = known {
            return Some(known as u8);
        }
        if self.suppressions.push(suppression).is_err() {
            let help = format!("at most {SUPPRESSIONS_MAX} different ones are allowed");
            faults.push(Fault::at(key, "too many suppressions", help));
            return None;
        }
        Some(self.suppressions.len() as u8 - 1)
    }
}
