//! The counters in the text form of Prometheus.

use core::fmt::{Display, Write};

use hyper::http::StatusCode;
use serde_json::{Value, json};

use super::Answer;
use crate::engine::{Status, Waiting};
use crate::outbox::LANES;

/// Names of the lanes, in their order.
const LANE_NAMES: [&str; LANES] = ["alert", "gap", "aggregate", "telemetry"];

/// Whether readings are taken: 200, or 503 with the reason.
#[must_use]
pub fn health(status: &Status) -> Answer {
    let body = json!({ "disk_full": status.disk_full, "uplink": status.uplink });
    if status.disk_full {
        Answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
    } else {
        Answer::json(StatusCode::OK, &body)
    }
}

/// The status of the gateway as metrics. Counters are named as in the status message.
#[must_use]
pub fn metrics(gateway: &str, status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, labels: &str, value: &dyn Display| {
        if !kind.is_empty() {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "# TYPE tidegate_{name} {kind}");
        }
        let _ = writeln!(
            text,
            "tidegate_{name}{{gateway=\"{gateway}\"{labels}}} {value}"
        );
    };
    if let Ok(Value::Object(counters)) = serde_json::to_value(status.counters) {
        for (name, value) in &counters {
            line(&format!("{name}_total"), "counter", "", value);
        }
    }
    if let Ok(Value::Object(counters)) = serde_json::to_value(&status.pipeline) {
        for (name, value) in &counters {
            line(&format!("pipeline_{name}_total"), "counter", "", value);
        }
    }
    for (at, (reason, count)) in status.refused.iter().enumerate() {
        let kind = if at == 0 { "counter" } else { "" };
        line(
            "refused_total",
            kind,
            &format!(",reason=\"{reason}\""),
            count,
        );
    }
    line("sensors", "gauge", "", &status.sensors.0);
    line("sensors_max", "gauge", "", &status.sensors.1);
    line("acks_pending", "gauge", "", &status.acks_pending);
    line("disk_full", "gauge", "", &u8::from(status.disk_full));
    line(
        "uplink_connected",
        "gauge",
        "",
        &u8::from(status.uplink == "connected"),
    );
    write_backlog(&status.backlog, &mut line);
    line("journal_position", "counter", "", &status.journal_position);
    for (name, sequences) in [
        ("sealed_sequence", status.sealed),
        ("sent_sequence", status.sent),
    ] {
        for (at, (lane, sequence)) in LANE_NAMES.iter().zip(sequences).enumerate() {
            let kind = if at == 0 { "counter" } else { "" };
            line(name, kind, &format!(",lane=\"{lane}\""), &sequence);
        }
    }
    text
}

/// What waits for Kafka; `line` writes one metric: name, type, labels, value.
fn write_backlog(backlog: &Waiting, line: &mut impl FnMut(&str, &str, &str, &dyn Display)) {
    line("thinned_rows_total", "counter", "", &backlog.thinned_rows);
    line("thinned_items_total", "counter", "", &backlog.thinned_items);
    let age_s = backlog.oldest_age_s.unwrap_or(0);
    line("backlog_age_seconds", "gauge", "", &age_s);
    if let Some(eta_s) = backlog.drain_eta_s {
        line("drain_eta_seconds", "gauge", "", &eta_s);
    }
    for (name, numbers) in [
        ("backlog_rows", backlog.rows),
        ("backlog_bytes", backlog.bytes),
    ] {
        for (at, (lane, number)) in LANE_NAMES.iter().zip(numbers).enumerate() {
            let kind = if at == 0 { "gauge" } else { "" };
            line(name, kind, &format!(",lane=\"{lane}\""), &number);
        }
    }
}
