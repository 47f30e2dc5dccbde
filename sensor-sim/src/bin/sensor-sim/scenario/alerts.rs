//! Listens to alerts while phases run, and scores them at the end.

use std::fs;
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use sensor_sim::alert::{self, Alert};
use sensor_sim::scenario::Scenario;
use sensor_sim::score::{self, Score, Terms};
use sensor_sim::truth;

use crate::cli::Scenario as Options;
use crate::clock::Clock;
use crate::listener::{Listener, Subscription};
use crate::score::Watched;

/// Where gateways publish alerts.
const FILTER: &str = "tidegate/+/alert/#";

/// A thread that listens to alerts.
pub(super) struct Watchman {
    thread: JoinHandle<Result<Vec<Alert>>>,
    begun_ms: i64,
}

impl Watchman {
    /// Listens from now on, until the file `over` is there and nothing comes for the grace of the scenario.
    pub(super) fn start(options: &Options, scenario: &Scenario, over: &Path) -> Self {
        let subscription = Subscription {
            broker: options.broker.clone(),
            filter: FILTER.to_owned(),
            aside: vec![],
            name: "scenario",
            username: options.username.clone(),
            password_file: options.password_file.clone(),
            wait: scenario.grace,
            idle: scenario.grace,
            until: Some(over.to_owned()),
            is_shown: false,
        };
        let clock = Clock::start();
        let thread = std::thread::spawn(move || {
            let mut alerts = Vec::new();
            Listener::new(&subscription, &clock).listen(&mut |_, payload| {
                alerts.extend(serde_json::from_slice::<Alert>(payload));
            })?;
            Ok(alerts)
        });
        Self {
            thread,
            begun_ms: clock.wall_ms(0),
        }
    }

    /// Waits for its end, and holds what was heard against the labels in `folder`.
    pub(super) fn score(self, scenario: &Scenario, folder: &Path) -> Result<Score> {
        let alerts = self
            .thread
            .join()
            .map_err(|_| anyhow!("the thread of the alerts broke"))??;
        let alerts = alert::sort_out(alerts);
        let mut labels = Vec::new();
        let mut watched = Watched::default();
        let mut judged = Vec::new();
        for phase in scenario.phases.iter().filter(|phase| phase.has_ledger()) {
            let path = super::labels_in(folder, phase);
            if let Ok(text) = fs::read_to_string(&path) {
                labels
                    .extend(truth::read_labels(&text).with_context(|| path.display().to_string())?);
            }
            let ledger = folder.join(format!("{}.ledger", phase.name));
            let mut own = Watched::default();
            own.read(&ledger)?;
            watched.read(&ledger)?;
            // Retained alerts of other days are none of ours. Silence after a phase is its end and no fault.
            let span = self.begun_ms..=own.span_ms.map_or(i64::MAX, |it| it[1]);
            let of_phase = alerts
                .iter()
                .filter(|it| span.contains(&it.at) && own.knows(&it.device));
            judged.extend(of_phase.cloned());
        }
        let terms = Terms {
            grace_ms: scenario.grace.as_millis() as i64,
            kinds: scenario.kinds.clone(),
            sensors: watched.sensors(),
            span_ms: watched.span_ms,
        };
        Ok(score::score(&labels, &judged, &terms))
    }
}
