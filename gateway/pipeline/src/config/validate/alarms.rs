//! What alarms must be.

use super::{Allotment, DELAY, Demand, SPAN, WINDOW, is_span, is_window};
use crate::config::{
    Chart, DETECT_RULE, Measure, SILENCE_RULE, SensorConfig, Side, Suppression, Threshold,
};
use crate::limits::{DELAY_MS_MAX, GROUPS_MAX, WINDOW_MS_MAX};

impl SensorConfig {
    pub(super) fn alarm_demands(&self, each: Allotment) -> [Demand; 5] {
        let is_calm = self
            .detect
            .is_none_or(|it| it.calm.is_finite() && it.calm > 0.0);
        let counts = |it: crate::config::Chatter| it.raises_max > 0 && is_span(it.within_ms);
        let is_group = self.group.is_none_or(|it| usize::from(it) < GROUPS_MAX);
        [
            Demand(
                self.slots() <= each.slots,
                "thresholds",
                "be fewer: there is no memory for so many alarms of a sensor",
            ),
            Demand(
                self.gauges() <= each.gauges,
                "thresholds",
                "be of the value alone: there is no memory for other measures",
            ),
            Demand(is_calm, "detect.calm", "be finite and above 0"),
            Demand(
                self.chatter.is_none_or(counts),
                "chatter",
                "allow at least one raise in 1 ms to a day",
            ),
            Demand(is_group, "group", "be one of 16"),
        ]
    }
}

impl Chart {
    pub(super) fn demands(&self) -> [Demand; 3] {
        let is_named = !self.device.is_empty() && !self.signal.is_empty();
        let is_own = self.signals.contains(&self.signal);
        [
            Demand(is_named, "together", "have a device and a signal"),
            Demand(
                self.signals.len() >= 2 && !is_own,
                "together.signals",
                "name two others at least",
            ),
            Demand(is_span(self.gather_ms), "together.gather_ms", SPAN),
        ]
    }
}

impl Suppression {
    pub(super) fn demands(&self) -> [Demand; 2] {
        [
            Demand(!self.signal.is_empty(), "suppress", "name a signal"),
            Demand(self.limit.is_finite(), "suppress", "have a finite limit"),
        ]
    }
}

impl Threshold {
    pub(super) fn demands(&self) -> [Demand; 8] {
        let is_level = !self.rule.is_empty() && !self.rule.contains(['/', '+', '#', '\0']);
        let is_width = self.hysteresis.is_finite() && self.hysteresis >= 0.0;
        let is_taken = self.rule == SILENCE_RULE || self.rule == DETECT_RULE;
        let is_aimed = !matches!(self.of, Measure::Forecast { .. }) || self.side != Side::Beyond;
        [
            Demand(
                is_level,
                "thresholds.rule",
                "be one level of a topic: not empty, without / + #",
            ),
            Demand(
                !is_taken,
                "thresholds.rule",
                "not be `silence` or `unusual`, which are taken",
            ),
            Demand(self.of.is_sound(), "thresholds.over", WINDOW),
            Demand(
                is_aimed,
                "thresholds.limit",
                "be above or below where it is foretold",
            ),
            Demand(self.limit.is_finite(), "thresholds.limit", "be finite"),
            Demand(
                is_width,
                "thresholds.hysteresis",
                "be finite and not below 0",
            ),
            Demand(
                self.on_delay_ms <= DELAY_MS_MAX,
                "thresholds.on_delay_ms",
                DELAY,
            ),
            Demand(
                self.off_delay_ms <= DELAY_MS_MAX,
                "thresholds.off_delay_ms",
                DELAY,
            ),
        ]
    }
}

impl Measure {
    fn is_sound(self) -> bool {
        match self {
            Self::Value | Self::Together => true,
            Self::Rate { over_ms }
            | Self::Noise { over_ms }
            | Self::Burst { over_ms }
            | Self::Level { over_ms } => is_window(over_ms),
            Self::Drift { learn_ms } => is_window(learn_ms),
            Self::Stuck { within } => within.is_finite() && within >= 0.0,
            Self::Forecast { over_ms, ahead_ms } => {
                is_window(over_ms) && (1..=WINDOW_MS_MAX).contains(&ahead_ms)
            }
        }
    }
}
