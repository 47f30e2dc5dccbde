//! Where alerts go beside MQTT and Kafka: a lamp or horn at a line of the box, and a web address.
//!
//! Both have a thread of their own and are told by [`Outputs::alert`], which never waits. What an output sees is what a
//! subscriber of `tidegate/<id>/alert/#` sees, the retained ones at the start included.

use std::collections::BTreeSet;
use std::io;

use serde::Deserialize;
use wire::Severity;

use crate::config::Config;
use crate::limits::LAMP_ALERTS_MAX;

mod lamp;
mod webhook;

use lamp::Lamp;
use webhook::Webhook;

/// The outputs that the config names.
#[derive(Debug, Default)]
pub struct Outputs {
    lamp: Option<(Lamp, Reason)>,
    webhook: Option<(Webhook, Severity)>,
}

/// What an output has to know of an alert's message.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Head {
    id: u64,
    state: State,
    severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Raised,
    Cleared,
}

impl Outputs {
    /// Starts a thread for each output of the config.
    ///
    /// # Errors
    /// If the system gives no thread, or the webhook's token cannot be read.
    pub fn start(config: &Config) -> io::Result<Self> {
        let lamp = match &config.lamp {
            None => None,
            Some(settings) => Some((Lamp::start(settings)?, Reason::new(settings.severity))),
        };
        let webhook = match &config.webhook {
            None => None,
            Some(settings) => {
                let webhook = Webhook::start(settings, &config.gateway.id)?;
                Some((webhook, settings.severity))
            }
        };
        Ok(Self { lamp, webhook })
    }

    /// An alert's message, as JSON. `again`: it was told before this start already, so only what shows a state takes it.
    pub fn alert(&mut self, payload: &[u8], again: bool) {
        if self.lamp.is_none() && self.webhook.is_none() {
            return;
        }
        let Ok(head) = serde_json::from_slice::<Head>(payload) else {
            tracing::warn!("an alert's message was not understood by the outputs");
            return;
        };
        if let Some((lamp, reason)) = &mut self.lamp {
            lamp.show(reason.note(head));
        }
        if let Some((webhook, severity)) = &self.webhook
            && head.severity >= *severity
            && !again
        {
            webhook.send(payload);
        }
    }
}

/// Why the lamp is on: alerts that are raised and urgent enough.
#[derive(Debug)]
struct Reason {
    severity: Severity,
    raised: BTreeSet<u64>,
    /// Once there were more than can be told apart, the lamp stays on: somebody has to look.
    overflowed: bool,
}

impl Reason {
    fn new(severity: Severity) -> Self {
        Self {
            severity,
            raised: BTreeSet::new(),
            overflowed: false,
        }
    }

    /// Whether the lamp is to be on after this alert.
    fn note(&mut self, head: Head) -> bool {
        if head.severity >= self.severity {
            match head.state {
                State::Cleared => {
                    self.raised.remove(&head.id);
                }
                State::Raised if self.raised.len() < LAMP_ALERTS_MAX => {
                    self.raised.insert(head.id);
                }
                State::Raised => self.overflowed = true,
            }
        }
        self.overflowed || !self.raised.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(severity: Severity, told: &[(u64, State, Severity)], on: &[bool]) {
        let mut reason = Reason::new(severity);
        let shown: Vec<bool> = told
            .iter()
            .map(|&(id, state, severity)| {
                reason.note(Head {
                    id,
                    state,
                    severity,
                })
            })
            .collect();
        assert_eq!(shown, on);
    }

    #[test]
    fn the_lamp_is_on_while_an_alert_is_raised() {
        use State::{Cleared, Raised};
        let warning = Severity::Warning;
        check(
            warning,
            &[
                (1, Raised, warning),
                (2, Raised, Severity::Critical),
                (1, Cleared, warning),
                (2, Cleared, Severity::Critical),
            ],
            &[true, true, true, false],
        );
    }

    #[test]
    fn alerts_that_are_not_urgent_leave_it_off() {
        check(
            Severity::Critical,
            &[(1, State::Raised, Severity::Warning)],
            &[false],
        );
    }

    #[test]
    fn an_alert_that_is_told_twice_is_cleared_once() {
        let critical = Severity::Critical;
        check(
            critical,
            &[
                (1, State::Raised, critical),
                (1, State::Raised, critical),
                (1, State::Cleared, critical),
            ],
            &[true, true, false],
        );
    }

    #[test]
    fn more_alerts_than_can_be_told_apart_keep_it_on() {
        let mut reason = Reason::new(Severity::Info);
        let mut note = |id, state| {
            reason.note(Head {
                id,
                state,
                severity: Severity::Info,
            })
        };
        let ids = 0..LAMP_ALERTS_MAX as u64 + 1;
        assert!(ids.clone().all(|id| note(id, State::Raised)));
        assert!(ids.clone().all(|id| note(id, State::Cleared)));
    }

    #[test]
    fn the_message_of_an_alert_is_understood() {
        let mut message = crate::messages::Message::default();
        let alert = wire::Alert {
            clock: wire::Clock::Synced,
            id: 7,
            sensor: wire::SensorId(1),
            name: wire::SensorName {
                device: "pump",
                signal: "t",
                unit: "",
            },
            rule: "hot",
            kind: wire::AlertKind::Limit,
            transition: wire::Transition::Shelved,
            standing: wire::Standing::Shelved,
            first_out: None,
            severity: Severity::Critical,
            at: wire::Timestamp(1),
            since: wire::Timestamp(1),
            value: None,
            limit: None,
            why: wire::Why::new(format_args!("hot")),
        };
        message.write_alert("edge-1", &alert);
        let head: Head = serde_json::from_slice(&message.payload).expect("what a subscriber gets");
        assert_eq!(
            (head.id, head.state, head.severity),
            (7, State::Cleared, Severity::Critical)
        );
    }
}
