//! How good alerts are: held against the labels of what really was wrong.
//!
//! An alert that is raised while a label lasts, or within a grace after it, finds that label; its delay counts from the
//! label's beginning. An alert that finds no label is a false one. Of several labels at once an alert finds all.
//! A label of a whole device is found by an alert of any of its signals.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::alert::{Alert, State};
use crate::truth::{Kind, Label};

/// What was watched, and how strictly it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// How long after its end a label may still be found, ms.
    pub grace_ms: i64,
    /// Kinds that count; all if empty. An alert that finds a label of another kind is neither right nor false.
    pub kinds: Vec<Kind>,
    /// Sensors (a device and a signal each) that were watched; those which labels and alerts name if absent.
    pub sensors: Option<usize>,
    /// When somebody watched, ms since the Unix epoch; from the first to the last label or alert if absent.
    pub span_ms: Option<[i64; 2]>,
}

/// How good alerts are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Labels that count.
    pub labels: u64,
    /// Labels that were found.
    pub found: u64,
    /// Share of the labels that were found; `None` without labels.
    pub recall: Option<f64>,
    /// Alerts that were raised and are judged.
    pub alerts: u64,
    /// Alerts that found no label.
    pub false_alarms: u64,
    /// Share of the alerts that found a label; `None` without alerts.
    pub precision: Option<f64>,
    /// Delay of what was found.
    pub delay: Delay,
    /// Days that all sensors together were watched.
    pub sensor_days: f64,
    /// False alarms of a sensor and a day; `None` if nobody watched.
    pub false_per_sensor_day: Option<f64>,
    /// By kind of fault.
    pub by_kind: BTreeMap<Kind, Found>,
    /// By rule that raised alerts.
    pub by_rule: BTreeMap<String, Raised>,
}

/// How well the faults of a kind were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Found {
    /// Labels of the kind.
    pub labels: u64,
    /// Labels that were found.
    pub found: u64,
    /// Share of them.
    pub recall: f64,
    /// Delay of what was found.
    pub delay: Delay,
}

/// How often a rule was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Raised {
    /// Alerts of the rule.
    pub alerts: u64,
    /// Alerts that found no label.
    pub false_alarms: u64,
    /// Share that found one.
    pub precision: f64,
}

/// Time from the beginning of a label to its first alert, by nearest rank; `None` if nothing was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Delay {
    /// Half are not later, ms.
    pub p50_ms: Option<i64>,
    /// 95 of 100 are not later, ms.
    pub p95_ms: Option<i64>,
}

/// Holds `alerts` against `labels`.
#[must_use]
pub fn score(labels: &[Label], alerts: &[Alert], terms: &Terms) -> Score {
    let judged = Judged::new(labels, alerts, terms);
    let mut by_kind: BTreeMap<Kind, (u64, Vec<i64>)> = BTreeMap::new();
    for (label, delay) in labels.iter().zip(&judged.delays) {
        if terms.counts(label.kind) {
            let (count, delays) = by_kind.entry(label.kind).or_default();
            *count += 1;
            delays.extend(delay);
        }
    }
    let delays: Vec<i64> = by_kind.values().flat_map(|it| it.1.clone()).collect();
    let found = delays.len() as u64;
    let count: u64 = by_kind.values().map(|it| it.0).sum();
    let raised: u64 = judged.by_rule.values().map(|it| it.alerts).sum();
    let false_alarms: u64 = judged.by_rule.values().map(|it| it.false_alarms).sum();
    let sensor_days = sensor_days(labels, alerts, terms);
    Score {
        labels: count,
        found,
        recall: share(found, count),
        alerts: raised,
        false_alarms,
        precision: share(raised - false_alarms, raised),
        delay: Delay::of(delays),
        sensor_days,
        false_per_sensor_day: (sensor_days > 0.0).then(|| false_alarms as f64 / sensor_days),
        by_kind: by_kind
            .into_iter()
            .map(|(kind, (labels, delays))| (kind, Found::new(labels, delays)))
            .collect(),
        by_rule: judged.by_rule,
    }
}

/// Labels and alerts, brought together.
struct Judged {
    /// For each label how late it was found, ms.
    delays: Vec<Option<i64>>,
    by_rule: BTreeMap<String, Raised>,
}

impl Judged {
    fn new(labels: &[Label], alerts: &[Alert], terms: &Terms) -> Self {
        let mut of_device: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, label) in labels.iter().enumerate() {
            of_device.entry(&label.device).or_default().push(at);
        }
        let mut delays: Vec<Option<i64>> = vec![None; labels.len()];
        let mut by_rule: BTreeMap<String, Raised> = BTreeMap::new();
        for alert in alerts.iter().filter(|alert| alert.state == State::Raised) {
            let places = of_device
                .get(alert.device.as_str())
                .map_or(&[][..], |places| places);
            let (mut is_right, mut is_other) = (false, false);
            for &at in places
                .iter()
                .filter(|&&at| is_found(&labels[at], alert, terms))
            {
                is_right |= terms.counts(labels[at].kind);
                is_other = true;
                let delay = alert.at - labels[at].from_ms;
                delays[at] = Some(delays[at].map_or(delay, |first| first.min(delay)));
            }
            if is_right || !is_other {
                let rule = by_rule.entry(alert.rule.clone()).or_default();
                rule.alerts += 1;
                rule.false_alarms += u64::from(!is_right);
            }
        }
        for rule in by_rule.values_mut() {
            rule.precision = (rule.alerts - rule.false_alarms) as f64 / rule.alerts as f64;
        }
        Self { delays, by_rule }
    }
}

fn is_found(label: &Label, alert: &Alert, terms: &Terms) -> bool {
    let is_its = label.signal.as_ref().is_none_or(|it| *it == alert.signal);
    is_its && (label.from_ms..=label.until_ms.saturating_add(terms.grace_ms)).contains(&alert.at)
}

impl Terms {
    fn counts(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

impl Found {
    fn new(labels: u64, delays: Vec<i64>) -> Self {
        let found = delays.len() as u64;
        Self {
            labels,
            found,
            recall: found as f64 / labels as f64,
            delay: Delay::of(delays),
        }
    }
}

impl Delay {
    fn of(mut delays: Vec<i64>) -> Self {
        delays.sort_unstable();
        let rank = |share: f64| {
            let rank = (share * delays.len() as f64).ceil() as usize;
            delays.get(rank.max(1) - 1).copied()
        };
        Self {
            p50_ms: rank(0.5),
            p95_ms: rank(0.95),
        }
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn sensor_days(labels: &[Label], alerts: &[Alert], terms: &Terms) -> f64 {
    let of_labels = labels
        .iter()
        .map(|it| (it.device.as_str(), it.signal.as_deref()));
    let of_alerts = alerts
        .iter()
        .map(|it| (it.device.as_str(), Some(it.signal.as_str())));
    let named: BTreeSet<_> = of_labels.chain(of_alerts).collect();
    // A device that is named as a whole is one sensor only if none of its signals is named.
    let is_counted = |&(device, signal): &(&str, Option<&str>)| {
        signal.is_some() || !named.iter().any(|it| it.0 == device && it.1.is_some())
    };
    let sensors = terms
        .sensors
        .unwrap_or_else(|| named.iter().filter(|it| is_counted(it)).count());
    let starts = labels.iter().map(|it| it.from_ms);
    let ends = labels.iter().map(|it| it.until_ms);
    let times = || alerts.iter().map(|it| it.at);
    let [from, until] = terms.span_ms.unwrap_or_else(|| {
        let from = starts.chain(times()).min().unwrap_or(0);
        [from, ends.chain(times()).max().unwrap_or(from)]
    });
    sensors as f64 * (until - from).max(0) as f64 / 86_400_000.0
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18}{:>8}{:>8}{:>9}{:>12}{:>12}",
            "fault", "labels", "found", "recall", "delay p50", "p95"
        )?;
        let line =
            |f: &mut fmt::Formatter<'_>, name: &str, count: [u64; 2], recall, delay: Delay| {
                writeln!(
                    f,
                    "{name:<18}{:>8}{:>8}{:>9}{:>12}{:>12}",
                    count[0],
                    count[1],
                    Percent(recall),
                    Seconds(delay.p50_ms),
                    Seconds(delay.p95_ms)
                )
            };
        for (kind, it) in &self.by_kind {
            let count = [it.labels, it.found];
            line(f, &kind.to_string(), count, Some(it.recall), it.delay)?;
        }
        line(f, "all", [self.labels, self.found], self.recall, self.delay)?;
        writeln!(
            f,
            "\n{:<18}{:>8}{:>8}{:>11}",
            "rule", "alerts", "false", "precision"
        )?;
        for (rule, it) in &self.by_rule {
            let precision = Percent(Some(it.precision));
            writeln!(
                f,
                "{rule:<18}{:>8}{:>8}{precision:>11}",
                it.alerts, it.false_alarms
            )?;
        }
        let precision = Percent(self.precision);
        writeln!(
            f,
            "{:<18}{:>8}{:>8}{precision:>11}",
            "all", self.alerts, self.false_alarms
        )?;
        write!(f, "\nfalse alarms of a sensor and day: ")?;
        match self.false_per_sensor_day {
            Some(rate) => write!(
                f,
                "{rate:.3}  ({:.3} sensor-days watched)",
                self.sensor_days
            ),
            None => write!(f, "-  (nobody watched)"),
        }
    }
}

struct Percent(Option<f64>);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => f.pad(&format!("{:.1} %", share * 100.0)),
            None => f.pad("-"),
        }
    }
}

struct Seconds(Option<i64>);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ms) if ms >= 7_200_000 => f.pad(&format!("{:.1} h", ms as f64 / 3.6e6)),
            Some(ms) => f.pad(&format!("{:.3} s", ms as f64 / 1000.0)),
            None => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests;
