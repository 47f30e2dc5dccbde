//! `sensor-sim score`: alerts against the labels of what really was wrong.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use sensor_sim::alert::{self, Alert};
use sensor_sim::labelled;
use sensor_sim::ledger::{Record, Records};
use sensor_sim::recording::Layout;
use sensor_sim::score::{self, Terms};
use sensor_sim::truth::{self, Label};

use crate::cli::{Basis, Marks, Score};
use crate::clock::Clock;
use crate::kafka::{self, Source};
use crate::listener::{Listener, Subscription};

/// The column of NAB's files that holds the values.
const NAB_SIGNAL: &str = "value";
/// The column of SKAB's files that marks what is wrong.
const SKAB_COLUMN: &str = "anomaly";

/// Scores, and gives the exit code.
pub(crate) fn score(options: &Score) -> Result<u8> {
    let mut alerts = alerts(options)?;
    // Only now: whoever listens to alerts does so while labels are still written.
    let labels = labels(options)?;
    if options.by == Basis::Since {
        for alert in &mut alerts {
            alert.at = alert.since.unwrap_or(alert.at);
        }
    }
    if let Some(gateway) = &options.gateway {
        alerts.retain(|alert| alert.gateway.as_ref() == Some(gateway));
    }
    let mut watched = Watched::default();
    for path in &options.ledger {
        watched.read(path)?;
    }
    let terms = Terms {
        grace_ms: i64::try_from(options.grace.as_millis())?,
        kinds: options.kinds.clone(),
        sensors: options.sensors.or_else(|| watched.sensors()),
        span_ms: options.span.or(watched.span_ms),
    };
    let score = score::score(&labels, &alert::sort_out(alerts), &terms);
    if options.json {
        crate::say(serde_json::to_string_pretty(&score)?);
    } else {
        crate::say(score);
    }
    Ok(0)
}

fn labels(options: &Score) -> Result<Vec<Label>> {
    let mut labels = Vec::new();
    for path in &options.labels {
        let text = read(path)?;
        let of_file = truth::read_labels(&text).with_context(|| path.display().to_string())?;
        labels.extend(of_file);
    }
    if let Some(path) = &options.set {
        labels.extend(labels_of_set(&options.marks, path, &options.device)?);
    }
    Ok(labels)
}

/// The labels of a file of a public data set, as faults of `device`.
pub(crate) fn labels_of_set(marks: &Marks, path: &Path, device: &str) -> Result<Vec<Label>> {
    let labels = match &marks.nab {
        Some(windows) => {
            let name = path.to_string_lossy();
            labelled::read_nab(&read(windows)?, &name, device, NAB_SIGNAL)
        }
        None => labelled::read_skab(&read(path)?, &skab_layout(), SKAB_COLUMN, device),
    };
    labels.with_context(|| format!("cannot read the labels of {}", path.display()))
}

/// How a file of SKAB is read.
pub(crate) fn skab_layout() -> Layout {
    Layout {
        delimiter: ';',
        time_column: "datetime".to_owned(),
        columns: Vec::new(),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn alerts(options: &Score) -> Result<Vec<Alert>> {
    if let Some(path) = &options.alerts {
        return alert::read_alerts(&read(path)?).with_context(|| path.display().to_string());
    }
    let clock = Clock::start();
    let alerts = match &options.kafka {
        Some(broker) => {
            let source = Source {
                broker,
                topic: &options.topic,
                properties: &options.property,
                wait: options.wait,
                idle: options.idle,
            };
            kafka::consume_alerts(&source, options.gateway.as_deref(), &clock)?
        }
        None => listen(options, &clock)?,
    };
    if let Some(path) = &options.record {
        let cannot = || format!("cannot write {}", path.display());
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let mut out = file.with_context(cannot)?;
        for alert in &alerts {
            writeln!(out, "{}", serde_json::to_string(alert)?).with_context(cannot)?;
        }
    }
    Ok(alerts)
}

fn listen(options: &Score, clock: &Clock) -> Result<Vec<Alert>> {
    let subscription = Subscription {
        broker: options.mqtt.clone().unwrap_or_default(),
        filter: options.filter.clone(),
        aside: vec![],
        name: "score",
        username: options.username.clone(),
        password_file: options.password_file.clone(),
        wait: options.wait,
        idle: options.idle,
        until: None,
        is_shown: true,
    };
    let mut alerts = Vec::new();
    let mut strange = 0_u64;
    Listener::new(&subscription, clock).listen(&mut |_, payload| {
        match serde_json::from_slice(payload) {
            Ok(alert) => alerts.push(alert),
            // An empty payload only takes back a retained one.
            Err(_) => strange += u64::from(!payload.is_empty()),
        }
    })?;
    if strange > 0 {
        eprintln!("{strange} messages on {} are no alerts", options.filter);
    }
    Ok(alerts)
}

/// Which sensors were watched, and when: what ledgers say.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    sensors: BTreeSet<(String, String)>,
    /// From when to when, ms since the Unix epoch.
    pub span_ms: Option<[i64; 2]>,
}

impl Watched {
    /// Adds what a ledger says.
    pub(crate) fn read(&mut self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot read the ledger {}", path.display());
        let bytes = fs::read(path).with_context(cannot)?;
        let mut devices = Vec::new();
        for record in Records::new(&bytes).with_context(cannot)? {
            match record.with_context(cannot)? {
                Record::Run(run) => {
                    devices.clear();
                    self.see(run.start);
                }
                Record::Device(name) => devices.push(name.to_owned()),
                Record::Stream { device, signals } => {
                    let device = devices.get(device as usize).cloned().unwrap_or_default();
                    let signals = signals
                        .iter()
                        .map(|signal| (device.clone(), signal.to_owned()));
                    self.sensors.extend(signals);
                }
                Record::Sent(sent) => self.see(sent.time),
                Record::Acknowledged { .. } => {}
            }
        }
        Ok(())
    }

    fn see(&mut self, time: i64) {
        let [from, until] = self.span_ms.unwrap_or([time, time]);
        // A device's clock that begins at 1970, or runs ahead, watched nothing in those years.
        const DAY_MS: i64 = 86_400_000;
        if (from - DAY_MS..until + DAY_MS).contains(&time) {
            self.span_ms = Some([from.min(time), until.max(time)]);
        }
    }

    /// Whether a ledger names the device.
    pub(crate) fn knows(&self, device: &str) -> bool {
        self.sensors.iter().any(|sensor| sensor.0 == device)
    }

    /// How many; `None` if no ledger said so.
    pub(crate) fn sensors(&self) -> Option<usize> {
        (!self.sensors.is_empty()).then_some(self.sensors.len())
    }
}
