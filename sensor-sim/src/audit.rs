//! The audit: what the ledgers say was sent, against what a witness (Kafka, an MQTT subscriber) has got.
//!
//! A reading is known by its sensor and its time, and by its value where a recording has one time twice. Where the time was
//! lost on the way or replaced, it is known by its value alone, in order.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::ledger::{Expectation, LedgerError, Record, Records, Sent};
use crate::limits::CASES_MAX;

mod refusals;
mod sent;
mod witness;

pub use refusals::Refusals;
use sent::{Acknowledged, Reading, Sensor};
use witness::{View, Witness};

/// The ledgers, and what each witness has got of them.
#[derive(Debug, Default)]
pub struct Audit {
    sensors: Vec<Sensor>,
    index: HashMap<String, HashMap<String, usize>>,
    totals: Totals,
    witnesses: Vec<Witness>,
    refusals: Option<Refusals>,
}

/// What the ledgers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Runs of the simulator.
    pub runs: u64,
    /// Messages that were to be sent.
    pub messages: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Readings that were to be sent, repeats left out.
    pub readings: u64,
    /// Readings that were acknowledged.
    pub readings_acknowledged: u64,
    /// Readings that may be refused.
    pub refusable: u64,
}

/// One reading that a witness has got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// Its device.
    pub device: &'a str,
    /// Its signal.
    pub signal: &'a str,
    /// Its time by the device's clock; `None` if that was lost or replaced.
    pub time: Option<i64>,
    /// Its value as it was sent; `None` if that is not kept.
    pub value: Option<f64>,
}

/// A witness of an [`Audit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessId(usize);

/// What came of the readings, at one witness.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    /// The witness.
    pub witness: String,
    /// Readings that came at least once.
    pub present: u64,
    /// Readings that were acknowledged and never came.
    pub lost: Count,
    /// Readings that came again.
    pub doubled: Count,
    /// Readings that came after a later one of their sensor.
    pub reordered: Count,
    /// Readings that came with another value.
    pub changed: Count,
    /// What came and was never sent.
    pub unexplained: Count,
    /// Readings that were acknowledged and refused, as they might; nobody asked the gateway.
    pub refused: u64,
    /// Readings that were acknowledged and are missing, by the gateway's own reason.
    pub explained: BTreeMap<String, u64>,
    /// Readings that were never acknowledged, and never came.
    pub missing_unacknowledged: u64,
}

/// How often something happened, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// The first cases: of those that came, in the order in which they came; of those that did not, by their time.
    pub cases: Vec<Case>,
}

/// One reading of a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// Its device.
    pub device: String,
    /// Its signal.
    pub signal: String,
    /// The device's sequence, if the ledger knows it.
    pub sequence: Option<u32>,
    /// Its time, ms since the Unix epoch.
    pub time: Option<i64>,
    /// Its value.
    pub value: Option<f64>,
}

impl Account {
    /// The five counts that must be zero, by name.
    #[must_use]
    pub const fn faults(&self) -> [(&'static str, &Count); 5] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("reordered", &self.reordered),
            ("changed", &self.changed),
            ("unexplained", &self.unexplained),
        ]
    }

    /// Whether all of them are.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults().iter().all(|(_, count)| count.count == 0)
    }
}

impl Count {
    fn add(&mut self, case: impl FnOnce() -> Case) {
        self.count += 1;
        if self.cases.len() < CASES_MAX {
            self.cases.push(case());
        }
    }
}

impl Audit {
    /// Reads one more ledger. All are read before the first observation.
    ///
    /// # Errors
    /// [`LedgerError`] if the bytes are not one.
    pub fn read(&mut self, ledger: &[u8]) -> Result<(), LedgerError> {
        let acknowledged = Acknowledged::read(ledger)?;
        let mut streams: Vec<Stream> = Vec::new();
        let mut devices: Vec<&str> = Vec::new();
        let mut run = 0;
        for record in Records::new(ledger)? {
            match record? {
                Record::Run(_) => {
                    run += 1;
                    self.totals.runs += 1;
                    streams.clear();
                    devices.clear();
                }
                Record::Device(name) => devices.push(name),
                Record::Stream { device, signals } => {
                    let name = devices.get(device as usize).copied().unwrap_or_default();
                    let sensors = signals
                        .iter()
                        .map(|signal| self.sensor(name, signal))
                        .collect();
                    streams.push(Stream { device, sensors });
                }
                Record::Sent(sent) => {
                    if let Some(stream) = streams.get(sent.stream as usize) {
                        let is_acknowledged = acknowledged.has(run, stream.device, sent.sequence);
                        self.add(stream, &sent, is_acknowledged);
                    }
                }
                Record::Acknowledged { .. } => {}
            }
        }
        self.sensors.iter_mut().for_each(Sensor::sort);
        Ok(())
    }

    /// What the ledgers say.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Whether a ledger knows the sensor.
    #[must_use]
    pub fn knows(&self, device: &str, signal: &str) -> bool {
        self.find(device, signal).is_some()
    }

    /// From now on what is missing is refused only if the gateway says so, and else lost.
    pub fn explain(&mut self, refusals: Refusals) {
        self.refusals = Some(refusals);
    }

    /// Calls a witness; `sees_repeats` if nobody before it takes out what a device sends twice.
    pub fn witness(&mut self, name: &str, sees_repeats: bool) -> WitnessId {
        let view = |sensor: &Sensor| View {
            seen: vec![0; sensor.readings.len()],
            ..View::default()
        };
        self.witnesses.push(Witness {
            sees_repeats,
            views: self.sensors.iter().map(view).collect(),
            timeless: Vec::new(),
            account: Account {
                witness: name.to_owned(),
                ..Account::default()
            },
        });
        WitnessId(self.witnesses.len() - 1)
    }

    /// A witness has got a reading.
    pub fn see(&mut self, witness: WitnessId, observation: &Observation<'_>) {
        let sensor = self.find(observation.device, observation.signal);
        let witness = &mut self.witnesses[witness.0];
        match sensor {
            None => witness.account.unexplained.add(|| Case::of(observation)),
            Some(index) => witness.see(index, &self.sensors[index], observation),
        }
    }

    /// The final account of a witness, once it has got all that it will get.
    pub fn close(&mut self, witness: WitnessId) -> Account {
        let witness = &mut self.witnesses[witness.0];
        witness.match_timeless(&self.sensors);
        let mut account = witness.account.clone();
        let mut lost = Vec::new();
        let mut reasons = Reasons::new(self.refusals.as_ref());
        for (sensor, view) in self.sensors.iter().zip(&witness.views) {
            let is_known = view.seen.iter().any(|seen| *seen > 0);
            for (reading, seen) in sensor.readings.iter().zip(&view.seen) {
                match (*seen > 0, reading.is_acknowledged, reading.is_refusable) {
                    (true, _, _) => account.present += 1,
                    (false, false, _) => account.missing_unacknowledged += 1,
                    (false, true, true) if self.refusals.is_none() => account.refused += 1,
                    (false, true, _) => {
                        match reasons.find(&sensor.device, reading.time, is_known) {
                            Some(reason) => *account.explained.entry(reason).or_default() += 1,
                            None => lost.push((sensor, reading)),
                        }
                    }
                }
            }
        }
        lost.sort_by_key(|(_, reading)| (reading.time, reading.sequence));
        for (sensor, reading) in lost {
            account.lost.add(|| sensor.case(reading));
        }
        account
    }

    fn find(&self, device: &str, signal: &str) -> Option<usize> {
        self.index.get(device)?.get(signal).copied()
    }

    fn sensor(&mut self, device: &str, signal: &str) -> usize {
        if let Some(known) = self.find(device, signal) {
            return known;
        }
        let index = self.sensors.len();
        self.index
            .entry(device.to_owned())
            .or_default()
            .insert(signal.to_owned(), index);
        self.sensors.push(Sensor {
            device: device.to_owned(),
            signal: signal.to_owned(),
            readings: Vec::new(),
            by_time: None,
        });
        index
    }

    fn add(&mut self, stream: &Stream, sent: &Sent<'_>, is_acknowledged: bool) {
        self.totals.messages += 1;
        self.totals.acknowledged += u64::from(is_acknowledged);
        for (&sensor, value) in stream.sensors.iter().zip(sent.values.iter()) {
            let readings = &mut self.sensors[sensor].readings;
            if sent.expectation == Expectation::Repeat {
                // What is repeated was sent just before.
                if let Some(original) = readings.iter_mut().rev().find(|it| it.time == sent.time) {
                    original.repeats = original.repeats.saturating_add(1);
                    original.is_acknowledged |= is_acknowledged;
                    continue;
                }
            }
            let is_refusable = sent.expectation == Expectation::Refusable;
            self.totals.readings += 1;
            self.totals.readings_acknowledged += u64::from(is_acknowledged);
            self.totals.refusable += u64::from(is_refusable);
            readings.push(Reading {
                time: sent.time,
                value,
                sequence: sent.sequence,
                is_acknowledged,
                is_refusable,
                repeats: 0,
            });
        }
    }
}

/// Finds reasons for what is missing.
struct Reasons<'a> {
    refusals: Option<&'a Refusals>,
    /// Readings of sensors without a place that are not explained yet.
    sensors_left: u64,
}

impl<'a> Reasons<'a> {
    fn new(refusals: Option<&'a Refusals>) -> Self {
        Self {
            refusals,
            sensors_left: refusals.map_or(0, Refusals::sensors_refused),
        }
    }

    /// Why a reading is missing: its message was refused, or its sensor, of which nothing ever came, got no place.
    fn find(&mut self, device: &str, time: i64, is_known: bool) -> Option<String> {
        if let Some(reason) = self.refusals?.find(device, time) {
            return Some(reason.to_owned());
        }
        if is_known {
            return None;
        }
        self.sensors_left = self.sensors_left.checked_sub(1)?;
        Some("the gateway has no place for the sensor".to_owned())
    }
}

/// A stream of the run that is being read.
#[derive(Debug)]
struct Stream {
    device: u32,
    sensors: Vec<usize>,
}

impl Case {
    fn of(observation: &Observation<'_>) -> Self {
        Self {
            device: observation.device.to_owned(),
            signal: observation.signal.to_owned(),
            sequence: None,
            time: observation.time,
            value: observation.value,
        }
    }
}

#[cfg(test)]
mod tests;
