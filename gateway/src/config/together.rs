//! `[[together]]`: signals of a device that are judged together.

use pipeline::config::{Chart, Measure, Plan, SensorRule, Side, Threshold};
use pipeline::limits::{CHARTS_MAX, TOGETHER_MAX};
use serde::{Deserialize, Serialize};
use wire::Severity;

use super::plan::{narrow, text};
use super::{Fault, Millis};

/// A chart of several signals, which is a signal itself: how far they are from what they were, by how far they may be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// Device, or a pattern; any if absent.
    #[serde(default = "any")]
    pub device: String,
    /// What the chart's signal is called, and its alert.
    #[serde(default = "name")]
    pub signal: String,
    /// Of which signals.
    pub signals: Vec<String>,
    /// What comes within this time is one row.
    #[serde(default = "gather")]
    pub gather: Millis,
    /// Whether the machine wears out, instead of having a state to return to.
    #[serde(default)]
    pub wears: bool,
    /// How urgent it is.
    #[serde(default)]
    pub severity: Severity,
}

fn any() -> String {
    "*".to_owned()
}

fn name() -> String {
    "together".to_owned()
}

const fn gather() -> Millis {
    Millis(1_000)
}

/// The alert clears once the departure is down by this part of what may be.
const HYSTERESIS: f64 = 0.2;

/// Puts the charts into the plan, each with the rule of its signal: its alert is raised above 1.
pub(super) fn add(charts: &[Together], plan: &mut Plan, faults: &mut Vec<Fault>) {
    for (index, chart) in charts.iter().enumerate() {
        let key = format!("together[{index}]");
        let made = chart.chart(&key, faults);
        let mut config = plan.defaults.clone();
        config.thresholds.clear();
        config.detect = None;
        config.silence = None;
        let alert = Threshold {
            rule: text(&chart.signal, &format!("{key}.signal"), faults),
            of: Measure::Together,
            side: Side::Above,
            limit: 1.0,
            hysteresis: HYSTERESIS,
            severity: chart.severity,
            ..Threshold::default()
        };
        // It is the only one.
        let _ = config.thresholds.push(alert);
        let rule = SensorRule {
            device: made.device.clone(),
            signal: made.signal.clone(),
            config,
        };
        if plan.charts.push(made).is_err() || plan.rules.push(rule).is_err() {
            let help = format!("use at most {CHARTS_MAX} charts, and as many [[sensor]] fewer");
            faults.push(Fault::at(key, "too many charts or rules", help));
        }
    }
}

impl Together {
    fn chart(&self, key: &str, faults: &mut Vec<Fault>) -> Chart {
        let signals_key = format!("{key}.signals");
        let mut signals = heapless::Vec::new();
        for signal in &self.signals {
            if signals.push(text(signal, &signals_key, faults)).is_err() {
                let help = format!("name at most {TOGETHER_MAX}");
                faults.push(Fault::at(signals_key, "too many signals", help));
                break;
            }
        }
        Chart {
            device: text(&self.device, &format!("{key}.device"), faults),
            signal: text(&self.signal, &format!("{key}.signal"), faults),
            signals,
            gather_ms: narrow(self.gather),
            wears: self.wears,
        }
    }
}
