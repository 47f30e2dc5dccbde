//! What was sent against what came out: every reading by its sensor and time, counted exactly once.

use std::collections::BTreeMap;

use wire::Timestamp;

/// Readings of a sensor that are kept: 13 minutes at 5 Hz, longer than any outage of the demo.
pub(super) const READINGS_PER_SENSOR_MAX: usize = 4096;

/// The readings of all sensors.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sensors: Vec<Sensor>,
    tally: Tally,
}

/// A sensor, and its latest readings by their time.
#[derive(Debug)]
struct Sensor {
    device: String,
    signal: String,
    readings: BTreeMap<Timestamp, Reading>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    value: f64,
    acknowledged: bool,
    delivered: bool,
}

/// The sums. Each reading counts once in each of the first three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Handed to a client.
    pub(super) sent: u64,
    /// Acknowledged by the gateway.
    pub(super) acknowledged: u64,
    /// In Kafka.
    pub(super) delivered: u64,
    /// Acknowledged and not in Kafka: on the way, or in the end missing.
    pub(super) missing: u64,
    /// In Kafka once more.
    pub(super) doubled: u64,
    /// In Kafka with another raw value than was sent.
    pub(super) changed: u64,
    /// In Kafka, and never sent.
    pub(super) unknown: u64,
}

impl Tally {
    /// Whether every reading that was acknowledged is in Kafka as it was sent, and nothing else.
    pub(super) fn is_exactly_once(&self) -> bool {
        self.missing + self.doubled + self.changed + self.unknown == 0
    }
}

impl Ledger {
    /// A sensor comes in; its number is that of sensors before.
    pub(super) fn add(&mut self, device: &str, signal: &str) -> usize {
        self.sensors.push(Sensor {
            device: device.to_owned(),
            signal: signal.to_owned(),
            readings: BTreeMap::new(),
        });
        self.sensors.len() - 1
    }

    /// The sums so far.
    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// A reading is handed over; the same time again is the same reading again.
    pub(super) fn note_sent(&mut self, sensor: usize, time: Timestamp, value: f64) {
        let readings = &mut self.sensors[sensor].readings;
        if readings.contains_key(&time) {
            return;
        }
        if readings.len() == READINGS_PER_SENSOR_MAX {
            // What was missing stays so.
            readings.pop_first();
        }
        readings.insert(
            time,
            Reading {
                value,
                acknowledged: false,
                delivered: false,
            },
        );
        self.tally.sent += 1;
    }

    /// The gateway has acknowledged it.
    pub(super) fn note_acknowledged(&mut self, sensor: usize, time: Timestamp) {
        let Some(reading) = self.sensors[sensor].readings.get_mut(&time) else {
            return;
        };
        if !reading.acknowledged {
            reading.acknowledged = true;
            self.tally.acknowledged += 1;
            self.tally.missing += u64::from(!reading.delivered);
        }
    }

    /// A consumer of Kafka got it.
    pub(super) fn note_delivered(
        &mut self,
        device: &str,
        signal: &str,
        time: Timestamp,
        raw: Option<f64>,
    ) {
        let found = self
            .sensors
            .iter_mut()
            .find(|it| it.device == device && it.signal == signal);
        let Some(sensor) = found else {
            self.tally.unknown += 1;
            return;
        };
        let first = sensor.readings.first_key_value().map(|(first, _)| *first);
        let Some(reading) = sensor.readings.get_mut(&time) else {
            // Older ones than are kept were all there before.
            let is_old = first.is_some_and(|first| time < first);
            *(if is_old {
                &mut self.tally.doubled
            } else {
                &mut self.tally.unknown
            }) += 1;
            return;
        };
        if reading.delivered {
            self.tally.doubled += 1;
            return;
        }
        reading.delivered = true;
        self.tally.delivered += 1;
        self.tally.missing -= u64::from(reading.acknowledged);
        let is_same = raw.is_some_and(|raw| raw.to_bits() == reading.value.to_bits());
        self.tally.changed += u64::from(!is_same);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Sent(i64, f64),
        Acknowledged(i64),
        Delivered(i64, f64),
    }
    use Step::*;

    fn check(steps: &[Step], expected: Tally) {
        let mut ledger = Ledger::default();
        ledger.add("pump", "current");
        let sensor = ledger.add("pump", "vibration");
        for step in steps {
            match *step {
                Sent(time, value) => ledger.note_sent(sensor, Timestamp(time), value),
                Acknowledged(time) => ledger.note_acknowledged(sensor, Timestamp(time)),
                Delivered(time, raw) => {
                    ledger.note_delivered("pump", "vibration", Timestamp(time), Some(raw))
                }
            }
        }
        assert_eq!(ledger.tally(), expected);
    }

    #[test]
    fn a_reading_that_came_through_counts_once() {
        let once = Tally {
            sent: 1,
            acknowledged: 1,
            delivered: 1,
            ..Tally::default()
        };
        check(&[Sent(1, 0.5), Acknowledged(1), Delivered(1, 0.5)], once);
        check(&[Sent(1, 0.5), Delivered(1, 0.5), Acknowledged(1)], once);
        check(
            &[
                Sent(1, 0.5),
                Sent(1, 0.5),
                Acknowledged(1),
                Acknowledged(1),
                Delivered(1, 0.5),
            ],
            once,
        );
        assert!(once.is_exactly_once());
    }

    #[test]
    fn a_reading_that_is_acknowledged_and_not_there_is_missing() {
        let tally = Tally {
            sent: 2,
            acknowledged: 1,
            missing: 1,
            ..Tally::default()
        };
        check(&[Sent(1, 0.5), Sent(2, 0.5), Acknowledged(1)], tally);
        assert!(!tally.is_exactly_once());
    }

    #[test]
    fn what_comes_twice_or_changed_or_from_nowhere_is_seen() {
        let tally = Tally {
            sent: 1,
            delivered: 1,
            doubled: 1,
            changed: 1,
            unknown: 1,
            ..Tally::default()
        };
        check(
            &[
                Sent(1, 0.5),
                Delivered(1, 0.25),
                Delivered(1, 0.25),
                Delivered(7, 0.5),
            ],
            tally,
        );
        let mut ledger = Ledger::default();
        ledger.note_delivered("nobody", "vibration", Timestamp(1), Some(0.5));
        assert_eq!(ledger.tally().unknown, 1);
    }

    #[test]
    fn memory_is_bounded_and_old_doubles_are_still_seen() {
        let mut ledger = Ledger::default();
        let sensor = ledger.add("pump", "vibration");
        for time in 0..2 * READINGS_PER_SENSOR_MAX as i64 {
            ledger.note_sent(sensor, Timestamp(time), 1.0);
            ledger.note_acknowledged(sensor, Timestamp(time));
            ledger.note_delivered("pump", "vibration", Timestamp(time), Some(1.0));
        }
        assert!(ledger.tally().is_exactly_once());
        assert_eq!(
            ledger.sensors[sensor].readings.len(),
            READINGS_PER_SENSOR_MAX
        );
        ledger.note_delivered("pump", "vibration", Timestamp(3), Some(1.0));
        assert_eq!(ledger.tally().doubled, 1);
    }
}
