//! What the demo knows at a moment: built from the news, drawn by the view.

use std::collections::BTreeMap;

use sensor_sim::truth::Label;
use wire::Quality;

use super::ledger::{Ledger, Tally};
use super::news::{AlertSeen, AverageSeen, Delivery, News, Sent, Status};
use super::site::SiteDevice;

/// Faults under way that are kept: more than the script has.
const FAULTS_MAX: usize = 32;

/// All that is known.
#[derive(Debug)]
pub(super) struct Picture {
    /// The devices, in the order of the site.
    pub(super) devices: Vec<DeviceSeen>,
    /// Raised now, the oldest first.
    pub(super) alerts: Vec<AlertSeen>,
    /// How many alerts came.
    pub(super) alert_counts: AlertCounts,
    /// What is wrong with the sensors, as the simulator knows; the gateway does not.
    pub(super) faults: Vec<Label>,
    /// The gateway's latest status.
    pub(super) status: Status,
    /// Clients connected to the broker.
    pub(super) clients: u64,
    /// Messages sent.
    pub(super) messages: u64,
    /// Messages sent once more by a device that repeats itself.
    pub(super) repeats: u64,
    /// Readings in Kafka by their quality: good, uncertain, bad.
    pub(super) qualities: [u64; 3],
    /// Why Kafka holds something that cannot be read, the first time.
    pub(super) unreadable: Option<String>,
    /// Why the gateway has ended by itself.
    pub(super) gateway_ended: Option<String>,
    ledger: Ledger,
    raised: BTreeMap<(String, String, String), AlertSeen>,
}

/// Alerts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AlertCounts {
    /// Raised, as told on MQTT.
    pub(super) raised: u64,
    /// Cleared, as told on MQTT.
    pub(super) cleared: u64,
    /// Raised or cleared, as told in Kafka.
    pub(super) delivered: u64,
}

/// A device with its signals.
#[derive(Debug)]
pub(super) struct DeviceSeen {
    pub(super) name: &'static str,
    pub(super) signals: Vec<SignalSeen>,
}

/// A signal: what it sent last, and what the gateway made of its last ten seconds.
#[derive(Debug)]
pub(super) struct SignalSeen {
    pub(super) name: String,
    pub(super) unit: String,
    /// Decimals of its values.
    pub(super) decimals: usize,
    pub(super) now: Option<f64>,
    pub(super) average: Option<AverageSeen>,
    number: usize,
}

/// How a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing is known yet.
    Unknown,
    /// All values of its last average are good.
    Good,
    /// Some readings were bad or uncertain, and are not in the average, or are counted in it.
    Doubtful,
    /// An alert is raised.
    Alert,
}

impl Picture {
    /// Nothing has happened yet.
    pub(super) fn new(site: &[SiteDevice]) -> Self {
        let mut ledger = Ledger::default();
        let mut seen = |device: &SiteDevice| {
            let signals = device.profile.signal.iter().map(|signal| SignalSeen {
                name: signal.name.clone(),
                unit: signal.unit.clone(),
                decimals: decimals(signal.step),
                now: None,
                average: None,
                number: ledger.add(device.name, &signal.name),
            });
            DeviceSeen {
                name: device.name,
                signals: signals.collect(),
            }
        };
        let devices = site.iter().map(&mut seen).collect();
        Self {
            devices,
            alerts: Vec::new(),
            alert_counts: AlertCounts::default(),
            faults: Vec::new(),
            status: Status::default(),
            clients: 0,
            messages: 0,
            repeats: 0,
            qualities: [0; 3],
            unreadable: None,
            gateway_ended: None,
            ledger,
            raised: BTreeMap::new(),
        }
    }

    /// The sums of the ledger.
    pub(super) const fn tally(&self) -> Tally {
        self.ledger.tally()
    }

    /// Whether all that was sent is acknowledged and in Kafka, and the alerts too.
    pub(super) fn is_settled(&self) -> bool {
        let Tally {
            sent,
            acknowledged,
            missing,
            ..
        } = self.tally();
        sent == acknowledged && missing == 0 && self.alert_counts.is_delivered()
    }

    /// How a signal is.
    pub(super) fn mark(&self, device: &DeviceSeen, signal: &SignalSeen) -> Mark {
        if self
            .alerts
            .iter()
            .any(|alert| alert.device == device.name && alert.signal == signal.name)
        {
            return Mark::Alert;
        }
        match &signal.average {
            None => Mark::Unknown,
            Some(average) if average.bad + average.uncertain > 0 => Mark::Doubtful,
            Some(_) => Mark::Good,
        }
    }

    /// Takes in what happened; `wall_ms` is the time, ms since the Unix epoch.
    pub(super) fn apply(&mut self, news: News, wall_ms: i64) {
        self.faults.retain(|fault| wall_ms < fault.until_ms);
        match news {
            News::Connected => self.clients += 1,
            News::Disconnected => self.clients = self.clients.saturating_sub(1),
            News::Sent(sent) => self.note_sent(&sent),
            News::Acknowledged { device, time } => {
                for signal in &self.devices[device].signals {
                    self.ledger.note_acknowledged(signal.number, time);
                }
            }
            News::Fault(fault) if self.faults.len() < FAULTS_MAX => self.faults.push(fault),
            News::Fault(_) | News::OtherDelivered => {}
            News::Status(status) => self.status = status,
            News::Alert(alert) => self.note_alert(alert),
            News::Average(average) => self.note_average(average),
            News::Delivered(deliveries) => deliveries.iter().for_each(|it| self.note_delivered(it)),
            News::AlertDelivered => self.alert_counts.delivered += 1,
            News::Unreadable(why) => {
                self.unreadable.get_or_insert(why);
            }
            News::GatewayEnded(why) => self.gateway_ended = Some(why),
        }
    }

    fn note_sent(&mut self, sent: &Sent) {
        self.messages += 1;
        self.repeats += u64::from(sent.is_repeat);
        for (signal, value) in self.devices[sent.device]
            .signals
            .iter_mut()
            .zip(&sent.values)
        {
            signal.now = Some(*value);
            self.ledger.note_sent(signal.number, sent.time, *value);
        }
    }

    fn note_delivered(&mut self, delivery: &Delivery) {
        let Delivery {
            device,
            signal,
            time,
            raw,
            flags,
        } = delivery;
        self.ledger.note_delivered(device, signal, *time, *raw);
        self.qualities[match flags.quality() {
            Quality::Good => 0,
            Quality::Uncertain => 1,
            Quality::Bad => 2,
        }] += 1;
    }

    fn note_alert(&mut self, alert: AlertSeen) {
        let key = (
            alert.device.clone(),
            alert.signal.clone(),
            alert.rule.clone(),
        );
        if alert.state == "raised" {
            self.alert_counts.raised += 1;
            self.raised.insert(key, alert);
        } else {
            self.alert_counts.cleared += 1;
            self.raised.remove(&key);
        }
        self.alerts = self.raised.values().cloned().collect();
        self.alerts.sort_by_key(|alert| alert.at);
    }

    fn note_average(&mut self, average: AverageSeen) {
        let device = self
            .devices
            .iter_mut()
            .find(|device| device.name == average.device);
        let signal = device.and_then(|device| {
            device
                .signals
                .iter_mut()
                .find(|it| it.name == average.signal)
        });
        // A revision of an older window comes behind a newer one.
        if let Some(signal) = signal
            && signal
                .average
                .as_ref()
                .is_none_or(|known| known.start <= average.start)
        {
            signal.average = Some(average);
        }
    }
}

impl AlertCounts {
    /// Whether Kafka has all of them.
    pub(super) const fn is_delivered(self) -> bool {
        self.raised + self.cleared <= self.delivered
    }
}

/// Decimals that show every step of a converter, three at most.
fn decimals(step: f64) -> usize {
    [1.0, 0.1, 0.01]
        .iter()
        .position(|shown| step >= *shown)
        .unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::super::site::devices;
    use super::*;

    fn alert(state: &str, rule: &str) -> News {
        News::Alert(AlertSeen {
            device: "pump-1".into(),
            signal: "vibration".into(),
            rule: rule.into(),
            state: state.into(),
            at: 5,
            why: "4.9 is above 4.5".into(),
        })
    }

    #[test]
    fn an_alert_stands_until_it_is_cleared() {
        let mut picture = Picture::new(&devices().expect("profiles"));
        picture.apply(alert("raised", "vibration"), 0);
        picture.apply(alert("raised", "silence"), 0);
        picture.apply(alert("cleared", "vibration"), 0);
        assert_eq!(
            (picture.alerts.len(), picture.alerts[0].rule.as_str()),
            (1, "silence")
        );
        assert!(!picture.is_settled(), "three are told, none is in Kafka");
        for _ in 0..3 {
            picture.apply(News::AlertDelivered, 0);
        }
        assert!(picture.is_settled());
    }

    #[test]
    fn an_average_that_comes_late_does_not_hide_a_newer_one() {
        let mut picture = Picture::new(&devices().expect("profiles"));
        let mut tell = |start, bad| {
            let average = AverageSeen {
                device: "pump-1".into(),
                signal: "vibration".into(),
                start,
                mean: Some(start as f64),
                uncertain: 0,
                bad,
            };
            picture.apply(News::Average(average), 0);
            let device = picture
                .devices
                .iter()
                .find(|device| device.name == "pump-1")
                .expect("a pump");
            picture.mark(device, &device.signals[0])
        };
        assert_eq!(tell(4_000, 1), Mark::Doubtful);
        assert_eq!(tell(2_000, 0), Mark::Doubtful);
        assert_eq!(tell(6_000, 0), Mark::Good);
    }

    #[test]
    fn a_fault_is_shown_until_it_is_over() {
        let mut picture = Picture::new(&devices().expect("profiles"));
        let kind = sensor_sim::truth::Kind::Gap;
        let fault = Label {
            device: "tank-2".into(),
            signal: None,
            kind,
            from_ms: 0,
            until_ms: 10,
            size: 1.0,
        };
        picture.apply(News::Fault(fault), 0);
        picture.apply(News::Connected, 9);
        assert_eq!(picture.faults.len(), 1);
        picture.apply(News::Connected, 10);
        assert_eq!(picture.faults.len(), 0);
    }
}
