//! What was measured in a scenario, and how a metric is read from it.

use core::fmt;
use std::collections::BTreeMap;

use sensor_sim::scenario::Metric;
use sensor_sim::score::Score;
use sensor_sim::truth::Kind;
use serde_json::Value;

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The figures of each phase that published.
    pub phases: Vec<(String, Value)>,
    /// What other commands printed.
    pub others: Vec<(String, Value)>,
    /// The account of each witness.
    pub witnesses: BTreeMap<&'static str, Value>,
    /// How good alerts were.
    pub score: Option<Score>,
}

impl Measured {
    /// Takes the account of a witness from what `verify` printed.
    pub(super) fn accounts(&mut self, witness: &'static str, verified: &Value) {
        self.witnesses
            .insert(witness, verified["witnesses"][0].clone());
    }

    /// The value of a metric; `None` if it was not measured.
    pub(super) fn value(&self, metric: Metric, argument: Option<&str>) -> Option<f64> {
        match metric.name {
            "alerts" => self.score.as_ref().map(|it| it.alerts as f64),
            "precision" => self.score.as_ref()?.precision,
            "false-alarms" => self.score.as_ref()?.false_per_sensor_day,
            "recall" | "delay-p50" | "delay-p95" => self.found(metric.name, argument),
            "present" | "lost" | "doubled" | "reordered" | "changed" | "unexplained" => {
                self.witnessed(metric.name, argument)
            }
            _ => self.of_phases(metric.name, argument),
        }
    }

    fn found(&self, name: &str, kind: Option<&str>) -> Option<f64> {
        let score = self.score.as_ref()?;
        let (recall, delay) = match kind {
            Some(kind) => {
                let found = score.by_kind.get(&kind.parse::<Kind>().ok()?)?;
                (Some(found.recall), found.delay)
            }
            None => (score.recall, score.delay),
        };
        match name {
            "recall" => recall,
            "delay-p50" => delay.p50_ms.map(|ms| ms as f64),
            _ => delay.p95_ms.map(|ms| ms as f64),
        }
    }

    /// The sum over all witnesses; of what is present the least.
    fn witnessed(&self, name: &str, witness: Option<&str>) -> Option<f64> {
        let accounts = self
            .witnesses
            .iter()
            .filter(|it| witness.is_none_or(|name| name == *it.0));
        let counts = accounts.map(|(_, account)| match name {
            "present" => account["present"].as_f64(),
            _ => account[name]["count"].as_f64(),
        });
        let counts: Vec<f64> = counts.collect::<Option<_>>()?;
        match name {
            "present" => counts.into_iter().reduce(f64::min),
            _ => counts.into_iter().reduce(|one, other| one + other),
        }
    }

    /// Counts and rates are added up over the phases; of latencies and of cost the worst counts.
    fn of_phases(&self, name: &str, phase: Option<&str>) -> Option<f64> {
        let figures = self
            .phases
            .iter()
            .filter(|it| phase.is_none_or(|name| name == it.0));
        let values = figures.map(|(_, it)| of_figures(it, name));
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        match name {
            "cpu" | "max" => values.into_iter().reduce(f64::max),
            _ if name.starts_with('p') => values.into_iter().reduce(f64::max),
            _ => values.into_iter().reduce(|one, other| one + other),
        }
    }
}

fn of_figures(figures: &Value, name: &str) -> Option<f64> {
    let sent = figures["sent"].as_f64()?;
    match name {
        "unacknowledged" => Some(sent - figures["acknowledged"].as_f64()?),
        "rate" => Some(sent / figures["seconds"].as_f64()?.max(1e-9)),
        "cpu" => figures["cpu_s_per_million"].as_f64(),
        "max" => Some(figures["response_us"][name].as_f64()? / 1000.0),
        _ if name.starts_with('p') => Some(figures["response_us"][name].as_f64()? / 1000.0),
        _ => figures[name].as_f64(),
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>10}{:>8}{:>10}{:>12}{:>12}{:>10}",
            "phase", "sent", "open", "rate", "p50", "p99", "broken"
        )?;
        for (name, it) in &self.phases {
            let of = |metric| of_figures(it, metric).unwrap_or(f64::NAN);
            writeln!(
                f,
                "{name:<16}{:>10}{:>8}{:>8.0}/s{:>9.2} ms{:>9.2} ms{:>10}",
                of("sent"),
                of("unacknowledged"),
                of("rate"),
                of("p50"),
                of("p99"),
                of("disconnects")
            )?;
        }
        for (name, _) in &self.others {
            writeln!(f, "{name:<16}{:>10}", "done")?;
        }
        for (name, account) in &self.witnesses {
            let count = |key: &str| account[key]["count"].as_u64().unwrap_or_default();
            writeln!(
                f,
                "\n{name}: {} readings present · lost {} · doubled {} · reordered {} · changed {} · unexplained {}",
                account["present"],
                count("lost"),
                count("doubled"),
                count("reordered"),
                count("changed"),
                count("unexplained")
            )?;
        }
        match &self.score {
            Some(score) => writeln!(f, "\n{score}\n"),
            None => writeln!(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use sensor_sim::scenario::METRICS;
    use serde_json::json;

    use super::*;

    fn measured() -> Measured {
        let figures = |sent: u64, p99: u64| {
            json!({
                "seconds": 2.0, "sent": sent, "acknowledged": sent - 1, "resent": 0, "connects": 1,
                "disconnects": 0, "faults": 0, "cpu_s_per_million": 1.5,
                "response_us": { "p50": 1, "p90": 1, "p99": p99, "p99.9": 1, "p99.99": 1, "max": 9000 },
            })
        };
        let account = |present: u64, lost: u64| {
            let none = json!({ "count": 0 });
            json!({ "present": present, "lost": { "count": lost }, "doubled": none, "reordered": none,
                "changed": none, "unexplained": none })
        };
        Measured {
            phases: vec![
                ("one".into(), figures(10, 7000)),
                ("two".into(), figures(20, 5000)),
            ],
            others: vec![],
            witnesses: [("mqtt", account(30, 0)), ("kafka", account(28, 2))].into(),
            score: Some(sensor_sim::score::score(
                &[],
                &[],
                &sensor_sim::score::Terms {
                    grace_ms: 0,
                    kinds: vec![],
                    sensors: None,
                    span_ms: None,
                },
            )),
        }
    }

    #[track_caller]
    fn check(name: &str, argument: Option<&str>, expected: Option<f64>) {
        let metric = METRICS.into_iter().find(|it| it.name == name).unwrap();
        assert_eq!(measured().value(metric, argument), expected, "{name}");
    }

    #[test]
    fn metrics_are_read_from_what_was_measured() {
        check("sent", None, Some(30.0));
        check("sent", Some("two"), Some(20.0));
        check("unacknowledged", None, Some(2.0));
        check("rate", Some("one"), Some(5.0));
        check("cpu", None, Some(1.5));
        check("p99", None, Some(7.0));
        check("p99", Some("two"), Some(5.0));
        check("max", None, Some(9.0));
        check("lost", None, Some(2.0));
        check("lost", Some("mqtt"), Some(0.0));
        check("present", None, Some(28.0));
        check("alerts", None, Some(0.0));
        check("recall", None, None);
        check("recall", Some("stuck"), None);
    }

    /// A metric that nothing measures would fail every scenario.
    #[test]
    fn every_metric_of_a_phase_or_a_witness_has_a_value() {
        use sensor_sim::scenario::Argument::{Phase, Witness};
        for metric in METRICS
            .into_iter()
            .filter(|it| [Phase, Witness].contains(&it.argument))
        {
            assert!(measured().value(metric, None).is_some(), "{}", metric.name);
        }
    }
}
