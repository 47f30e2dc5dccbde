//! What the pipeline shall do: the plan, which the gateway makes of its configuration file.

mod alarms;
mod cleaning;
mod decode;
mod validate;

pub use alarms::{
    Chart, Chatter, Depth, Detect, Measure, Rule, Side, SilenceRule, Suppression, Threshold,
};
pub use alarms::{DETECT_RULE, SILENCE_RULE};
pub use cleaning::{Cleaning, Fill, Method, Thinning, ThinningMethod, Unit};
pub use decode::NoPlan;
pub use validate::{Allotment, Invalid};

use crate::expression::{Expression, Inputs};
use crate::glob;
use crate::limits::{
    CHARTS_MAX, CONDITIONS_MAX, DERIVED_MAX, DEVICE_BYTES_MAX, GATEWAY_BYTES_MAX, QUANTILES_MAX,
    RULES_MAX, SENTINELS_MAX, SESSIONS_MAX, SIGNAL_BYTES_MAX, SUPPRESSIONS_MAX, THRESHOLDS_MAX,
    UNIT_BYTES_MAX,
};
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};
use wire::WindowKind;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Id of this gateway, which stands in every batch.
    pub gateway: String<GATEWAY_BYTES_MAX, u8>,
    /// When batches are sealed.
    pub batch: BatchConfig,
    /// Conditions that sensors refer to.
    pub conditions: Vec<Expression, CONDITIONS_MAX, u8>,
    /// Signals that are calculated from others of the same device.
    pub derived: Vec<Derived, DERIVED_MAX, u8>,
    /// Signals that are judged together.
    pub charts: Vec<Chart, CHARTS_MAX, u8>,
    /// When alarms are silent; sensors refer to these.
    pub suppressions: Vec<Suppression, SUPPRESSIONS_MAX, u8>,
    /// For sensors that no rule fits.
    pub defaults: SensorConfig,
    /// For sensors by name; the last rule that fits holds, as a whole.
    pub rules: Vec<SensorRule, RULES_MAX>,
}

/// When batches are sealed, and what stands in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchConfig {
    /// Seal at this many readings (or summaries), or when the memory given for them is full.
    pub readings_max: u32,
    /// Seal this many ms after the first reading (or summary).
    pub ms_max: u32,
    /// Whether what was sent is kept beside the value where they differ, and for bad readings.
    pub keep_raw: bool,
}

/// A signal that is calculated from others of the same device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Derived {
    /// Pattern of the devices that have it (`*` and `?`).
    pub device: String<DEVICE_BYTES_MAX, u8>,
    /// What it is called; its unit, windows and alerts are those of the rule that fits.
    pub signal: String<SIGNAL_BYTES_MAX, u8>,
    /// How it is calculated.
    pub formula: Expression,
    /// Of what.
    pub inputs: Inputs,
    /// An input may be older than the newest by this many ms of event time, and so may the sample before, where the rate counts.
    pub fresh_ms: u32,
    /// Not the formula itself counts, but its change in so many ms of event time.
    #[serde(default)]
    pub rate_ms: Option<u32>,
}

/// A configuration for all sensors whose names fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SensorRule {
    /// Pattern of the device's name (`*` and `?`).
    pub device: String<DEVICE_BYTES_MAX, u8>,
    /// Pattern of the signal's name (`*` and `?`).
    pub signal: String<SIGNAL_BYTES_MAX, u8>,
    /// What holds for them.
    pub config: SensorConfig,
}

/// What holds for a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorConfig {
    /// Unit of the values, empty if unknown.
    pub unit: String<UNIT_BYTES_MAX, u8>,
    /// What was sent is multiplied by this, to be in the unit.
    pub scale: f64,
    /// Then this is added.
    pub offset: f64,
    /// Values outside are bad.
    pub range: Option<Range>,
    /// Values by which the sensor says that it has none, such as the -127 of a DS18B20 that is disconnected. They are bad.
    #[serde(default)]
    pub sentinels: Vec<f64, SENTINELS_MAX>,
    /// Values for which this condition holds are bad: filtered = data \ { x | condition(x) }.
    /// Its place among the plan's conditions.
    pub drop_if: Option<u8>,
    /// Values that have been the same for longer than this many ms of event time are uncertain, because the sensor may be
    /// stuck. Longer than a healthy one stands still.
    #[serde(default)]
    pub stuck_ms: Option<u32>,
    /// Values that differ by no more than this are the same for that: a live sensor has more noise.
    #[serde(default)]
    pub stuck_width: f64,
    /// How jumps and gaps are mended; none: values pass as they are.
    pub cleaning: Option<Cleaning>,
    /// Which rows need not be forwarded; none: all are.
    #[serde(default)]
    pub thinning: Option<Thinning>,
    /// A window stays open this long behind its end, in ms of event time.
    pub lateness_ms: u32,
    /// A sensor's time may be ahead of the gateway's by this many ms.
    pub future_ms_max: u32,
    /// Between readings further apart than this many ms, the time-weighted mean has a gap.
    pub gap_ms_max: u32,
    /// Length of the tumbling windows, in ms.
    pub tumbling_ms: Option<u32>,
    /// The sliding windows.
    pub sliding: Option<Sliding>,
    /// The windows that end with a pause.
    #[serde(default)]
    pub session: Option<SessionRule>,
    /// The parts of all values at which each window's distribution is told, such as 0.95.
    #[serde(default)]
    pub quantiles: Vec<f64, QUANTILES_MAX>,
    /// Time constant of the exponentially weighted moving average, in ms.
    pub ewma_tau_ms: Option<u32>,
    /// What is usual for the signal is learned, and told each time so many ms of the gateway's time are over.
    #[serde(default)]
    pub profile_ms: Option<u32>,
    /// Limits whose crossing raises an alert.
    pub thresholds: Vec<Threshold, THRESHOLDS_MAX>,
    /// When silence raises an alert.
    pub silence: Option<SilenceRule>,
    /// What learns how the values usually are, and raises an alert when they are not.
    pub detect: Option<Detect>,
    /// When alarms flip too often; none: as often as they like.
    pub chatter: Option<Chatter>,
    /// Of alarms with the same number it is told which came first.
    pub group: Option<u8>,
    /// When alarms are silent: a place among the plan's suppressions.
    pub suppress: Option<u8>,
}

/// The values that are possible, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// Sliding windows: one of `window_ms` every `hop_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sliding {
    /// Length of a window; a multiple of the hop.
    pub window_ms: u32,
    /// From the start of one window to the start of the next.
    pub hop_ms: u32,
}

/// Windows from the first value behind a pause to the last one before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRule {
    /// Values that are less than this many ms of event time apart belong together.
    pub gap_ms: u32,
    /// A session does not cross the multiples of this many ms since 1970, so that it has an end where no pause comes.
    pub length_ms_max: u32,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            readings_max: 5_000,
            ms_max: 5_000,
            keep_raw: true,
        }
    }
}

impl Default for SensorConfig {
    fn default() -> Self {
        Self {
            unit: String::new(),
            scale: 1.0,
            offset: 0.0,
            range: None,
            sentinels: Vec::new(),
            drop_if: None,
            stuck_ms: None,
            stuck_width: 0.0,
            cleaning: None,
            thinning: None,
            lateness_ms: 5_000,
            future_ms_max: 300_000,
            gap_ms_max: 300_000,
            tumbling_ms: Some(60_000),
            sliding: None,
            session: None,
            quantiles: Vec::new(),
            ewma_tau_ms: None,
            profile_ms: None,
            thresholds: Vec::new(),
            silence: None,
            detect: None,
            chatter: None,
            group: None,
            suppress: None,
        }
    }
}

impl Plan {
    /// How many panes of memory each sensor must have at least.
    #[must_use]
    pub fn panes_min(&self) -> u64 {
        let rules = self.rules.iter().map(|rule| rule.config.panes_min());
        rules.fold(self.defaults.panes_min(), u64::max)
    }

    /// How many alarms each sensor must have memory for at least.
    #[must_use]
    pub fn slots_min(&self) -> usize {
        let rules = self.rules.iter().map(|rule| rule.config.slots());
        rules.fold(self.defaults.slots(), usize::max)
    }

    /// How many gauges each sensor must have memory for at least.
    #[must_use]
    pub fn gauges_min(&self) -> usize {
        let rules = self.rules.iter().map(|rule| rule.config.gauges());
        rules.fold(self.defaults.gauges(), usize::max)
    }

    /// Whether any sensor is to be watched to this depth.
    #[must_use]
    pub fn detects(&self, depth: Depth) -> bool {
        let rules = self.rules.iter().map(|rule| &rule.config);
        let mut configs = rules.chain([&self.defaults]);
        configs.any(|config| config.detect.is_some_and(|it| it.depth == depth))
    }

    /// Whether any sensor is to have a gate.
    #[must_use]
    pub fn has_cleaning(&self) -> bool {
        let mut configs = self.rules.iter().map(|rule| &rule.config);
        self.defaults.cleaning.is_some() || configs.any(|config| config.cleaning.is_some())
    }

    /// Whether any sensor is to have a thinner.
    #[must_use]
    pub fn has_thinning(&self) -> bool {
        let mut configs = self.rules.iter().map(|rule| &rule.config);
        self.defaults.thinning.is_some() || configs.any(|config| config.thinning.is_some())
    }

    /// Whether any sensor is to be profiled.
    #[must_use]
    pub fn has_profiles(&self) -> bool {
        let mut configs = self.rules.iter().map(|rule| &rule.config);
        self.defaults.profile_ms.is_some() || configs.any(|config| config.profile_ms.is_some())
    }

    /// Whether any sensor is to have sketches.
    #[must_use]
    pub fn has_quantiles(&self) -> bool {
        let mut configs = self.rules.iter().map(|rule| &rule.config);
        !self.defaults.quantiles.is_empty() || configs.any(|config| !config.quantiles.is_empty())
    }

    /// The condition of a sensor.
    pub(crate) fn condition(&self, config: &SensorConfig) -> Option<&Expression> {
        self.conditions.get(usize::from(config.drop_if?))
    }

    /// The place of the last rule that fits; none if the defaults hold.
    pub(crate) fn rule_of(&self, device: &str, signal: &str) -> Option<u16> {
        let fits = |rule: &SensorRule| {
            glob::matches(&rule.signal, signal) && glob::matches(&rule.device, device)
        };
        self.rules.iter().rposition(fits).map(|place| place as u16)
    }

    pub(crate) fn config(&self, rule: Option<u16>) -> &SensorConfig {
        rule.and_then(|place| self.rules.get(usize::from(place)))
            .map_or(&self.defaults, |rule| &rule.config)
    }
}

impl SensorConfig {
    /// Length of the panes of which all windows of the sensor are put together.
    pub(crate) fn pane_ms(&self) -> Option<u32> {
        match (self.tumbling_ms, self.sliding) {
            (None, None) => None,
            (Some(tumbling_ms), None) => Some(tumbling_ms),
            (None, Some(sliding)) => Some(sliding.hop_ms),
            (Some(tumbling_ms), Some(sliding)) => {
                Some(greatest_divisor(tumbling_ms, sliding.hop_ms))
            }
        }
    }

    pub(crate) fn panes_min(&self) -> u64 {
        self.panes_each().into_iter().sum()
    }

    /// How many panes the windows by the clock need, and how many the sessions.
    ///
    /// Enough for the longest window and the lateness behind it, so that no pane makes room for a new one before all windows
    /// which it belongs to are closed; and one more, whose windows are closed and may still be revised.
    pub(crate) fn panes_each(&self) -> [u64; 2] {
        let sessions = self.session.map_or(0, |_| SESSIONS_MAX as u64);
        let Some(pane_ms) = self.pane_ms().filter(|ms| *ms > 0) else {
            return [0, sessions];
        };
        let length_ms = self
            .tumbling_ms
            .unwrap_or(0)
            .max(self.sliding.map_or(0, |sliding| sliding.window_ms));
        let span_ms = u64::from(length_ms) + u64::from(self.lateness_ms);
        [span_ms.div_ceil(u64::from(pane_ms)) + 1, sessions]
    }

    /// Length and step of the windows of a kind, in ms of event time.
    pub(crate) fn shape(&self, kind: WindowKind) -> Option<(i64, i64)> {
        match kind {
            WindowKind::Tumbling => self.tumbling_ms.map(|ms| (i64::from(ms), i64::from(ms))),
            WindowKind::Sliding => self
                .sliding
                .map(|s| (i64::from(s.window_ms), i64::from(s.hop_ms))),
            WindowKind::Session => None,
        }
    }

    /// Whether both make the same windows of the same readings.
    pub(crate) fn has_windows_of(&self, other: &Self) -> bool {
        self.tumbling_ms == other.tumbling_ms
            && self.sliding == other.sliding
            && self.session == other.session
            && self.quantiles.is_empty() == other.quantiles.is_empty()
            && self.lateness_ms == other.lateness_ms
    }
}

/// Euclid's algorithm.
const fn greatest_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
