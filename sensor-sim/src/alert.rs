//! Alerts as somebody wrote them down: one JSON object a line, as the gateway publishes them.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// Whether an alert says that a rule is broken, or that it holds again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The rule is broken.
    Raised,
    /// The rule holds again.
    Cleared,
}

/// One alert. Fields that a score has no need of are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Counts the occurrences on the gateway; the raised and the cleared one of an occurrence share it.
    #[serde(default)]
    pub id: Option<u64>,
    /// Which gateway says so.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Whose rule is broken.
    pub device: String,
    /// Which of its signals.
    pub signal: String,
    /// What the rule is called.
    pub rule: String,
    /// Raised or cleared.
    pub state: State,
    /// When it was decided, ms since the Unix epoch.
    pub at: i64,
    /// Time of the reading with which the occurrence began, by the device's clock, ms since the Unix epoch.
    #[serde(default)]
    pub since: Option<i64>,
}

/// A line that is no alert.
#[derive(Debug, thiserror::Error)]
#[error(
    "line {line} is no alert: {reason}; a line is a JSON object with device, signal, rule, state and at, or an MQTT topic and that"
)]
pub struct AlertError {
    /// Which line, from 1.
    pub line: usize,
    /// Why.
    pub reason: serde_json::Error,
}

/// Reads the alerts of a file, in the order of their times. A retained alert that came twice counts once.
///
/// What stands before the first `{` of a line is passed over: `mosquitto_sub -v` writes the topic there.
///
/// # Errors
/// [`AlertError`] at the first line that is none. Empty lines are passed over.
pub fn read_alerts(text: &str) -> Result<Vec<Alert>, AlertError> {
    let mut alerts = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let object = line.find('{').map_or(line.trim(), |start| &line[start..]);
        if object.is_empty() {
            continue;
        }
        let alert = serde_json::from_str(object).map_err(|reason| AlertError {
            line: at + 1,
            reason,
        })?;
        alerts.push(alert);
    }
    Ok(sort_out(alerts))
}

/// Puts alerts into the order of their times, and keeps one of each.
#[must_use]
pub fn sort_out(mut alerts: Vec<Alert>) -> Vec<Alert> {
    let mut seen = HashSet::new();
    alerts.retain(|alert| {
        let Some(id) = alert.id else { return true };
        seen.insert((alert.gateway.clone(), id, alert.state, alert.at))
    });
    alerts.sort_by_key(|alert| alert.at);
    alerts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the gateway publishes it.
    const RAISED: &str = r#"{"id":7,"gateway":"edge-1","device":"pump","signal":"flow","unit":"","rule":"hot","state":"raised","severity":"warning","at":5000,"since":4000,"value":92.5,"limit":90.0,"why":"92.5 is above 90"}"#;

    #[test]
    fn alerts_are_read_with_and_without_a_topic_and_once() {
        let cleared = RAISED.replace("raised", "cleared").replace("5000", "4500");
        let text = format!("tidegate/edge-1/alert/pump/flow/hot {RAISED}\n\n{cleared}\n{RAISED}\n");
        let alerts = read_alerts(&text).unwrap();
        let states: Vec<_> = alerts.iter().map(|it| (it.state, it.at)).collect();
        assert_eq!(states, [(State::Cleared, 4500), (State::Raised, 5000)]);
        assert_eq!(
            (
                alerts[1].id,
                alerts[1].rule.as_str(),
                alerts[1].device.as_str()
            ),
            (Some(7), "hot", "pump")
        );
    }

    #[test]
    fn alerts_of_another_detector_need_no_id() {
        let line = r#"{"device":"a","signal":"b","rule":"r","state":"raised","at":1}"#;
        assert_eq!(read_alerts(&format!("{line}\n{line}")).unwrap().len(), 2);
    }

    #[test]
    fn a_line_that_is_no_alert_is_named() {
        let error = read_alerts(&format!("{RAISED}\nno alert\n")).unwrap_err();
        assert!(
            error.to_string().starts_with("line 2 is no alert"),
            "{error}"
        );
        assert!(read_alerts("t {\"device\":\"a\"}").is_err());
    }
}
