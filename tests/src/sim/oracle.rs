//! The oracle: what consumers of Kafka must have got at the end, from what the sensors sent alone. It has lists and maps, and
//! never asks the system under test.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Plan;
use pipeline::config::SensorConfig;
use wire::{Alert, AlertState, BatchReader, Quality, Reasons, Row, Summary, SummaryReader};

use super::kafka::Record;
use super::marks::Marks;
use super::{alerts, placed, windows};
use gateway::outbox::Lane;

/// Readings of a sensor among which the same one again is a duplicate: as the pipeline's paper says.
const RECENT: usize = 8;

/// A sensor: device and signal.
pub type Sensor = (String, String);

/// A reading as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// By the sensor's clock, if the payload says it, ms since the Unix epoch.
    pub time: Option<i64>,
    /// The value.
    pub value: f64,
    /// Number of its message.
    pub message: usize,
}

/// What was sent and answered, and what was promised.
#[derive(Debug, Default)]
pub struct Oracle {
    sent: BTreeMap<Sensor, Vec<Sent>>,
    /// Whether each message holds readings, and its answer.
    messages: Vec<(bool, Option<u8>)>,
    heard: BTreeSet<(u64, bool)>,
    /// Devices that send at QoS 2.
    pub exact: BTreeSet<String>,
    /// The disk lied: what was promised cannot be kept, and what was sent comes again under another epoch.
    /// From this message on all is as always.
    pub forgives: Option<usize>,
    /// A subscriber's session was lost: alerts may have passed it by.
    pub deaf: bool,
    /// The gateway's clock jumped, or was not set.
    pub jumped: bool,
    /// It jumped while it was set, so that times went back.
    pub wound: bool,
    /// When a device's messages were given to the gateway, true time in ms.
    given: BTreeMap<String, BTreeSet<i64>>,
}

/// What a consumer makes of the log.
#[derive(Default)]
struct Consumer<'k> {
    rows: BTreeMap<Sensor, Vec<Row>>,
    summaries: BTreeMap<Sensor, Vec<Summary>>,
    alerts: BTreeMap<Sensor, Vec<Alert<'k>>>,
}

impl Oracle {
    /// A message is sent with these readings; none: its payload holds none. Returns its number.
    pub fn note_sent(&mut self, readings: &[(Sensor, Option<i64>, f64)]) -> usize {
        let message = self.messages.len();
        self.messages.push((!readings.is_empty(), None));
        for (sensor, time, value) in readings {
            self.sent.entry(sensor.clone()).or_default().push(Sent {
                time: *time,
                value: *value,
                message,
            });
        }
        message
    }

    /// The gateway has answered for a message.
    ///
    /// # Errors
    /// If this is not the answer it has to give.
    pub fn note_answer(
        &mut self,
        message: usize,
        reason: u8,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let (has_readings, answer) = &mut self.messages[message];
        *answer = Some(reason);
        if *has_readings && reason >= 0x80 {
            return Err(format!("message {message} was refused with {reason:#x}"));
        }
        if !*has_readings {
            marks.hit("payload-refused");
        }
        Ok(())
    }

    /// The gateway was given a message by a device, at `at` in true time.
    pub fn note_given(&mut self, device: &str, at: i64) {
        self.given.entry(device.to_owned()).or_default().insert(at);
    }

    /// A subscriber got an alert.
    pub fn note_heard(&mut self, id: u64, is_raised: bool) {
        self.heard.insert((id, is_raised));
    }

    /// The subscriber's subscription stands. What was sent before may have passed it by.
    pub fn note_subscribed(&mut self) {
        self.deaf |= !self.messages.is_empty();
    }

    /// The disk has lied until now.
    pub fn forgive(&mut self) {
        self.forgives = Some(self.messages.len());
    }

    /// Whether every message was answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.messages.iter().all(|(_, answer)| answer.is_some())
    }

    /// Holds the log against what was sent.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, log: &[Record], plan: &Plan, marks: &mut Marks) -> Result<(), String> {
        check_once(log)?;
        let consumer = Consumer::read(log, marks)?;
        if let Some(stranger) = consumer
            .rows
            .keys()
            .find(|sensor| !self.sent.contains_key(*sensor))
        {
            return Err(format!("{stranger:?} never sent anything"));
        }
        for (sensor, sent) in &self.sent {
            let config = config_of(plan, sensor);
            let rows = consumer.rows.get(sensor).map_or(&[][..], Vec::as_slice);
            let at = |text| format!("{}/{}: {text}", sensor.0, sensor.1);
            if self.forgives.is_some() && self.exact.contains(&sensor.0) {
                // A packet id that came back with the disk's old state takes the message under it for the one before.
                continue;
            }
            self.check_readings(sent, rows, config, marks).map_err(at)?;
            if !self.wound && config.cleaning.is_none() {
                self.check_arrivals(&sensor.0, rows).map_err(at)?;
            }
            if self.forgives.is_some() {
                continue;
            }
            let told = consumer.alerts.get(sensor).map_or(&[][..], Vec::as_slice);
            alerts::check_thresholds(rows, told, config, marks).map_err(at)?;
            alerts::check_silence(told, config, marks).map_err(at)?;
            let summaries = consumer
                .summaries
                .get(sensor)
                .map_or(&[][..], Vec::as_slice);
            if config.cleaning.is_none() {
                self.check_windows(rows, summaries, config, marks)
                    .map_err(at)?;
            }
        }
        self.check_heard(&consumer)
    }

    /// Every reading once, equal, in its order.
    fn check_readings(
        &self,
        sent: &[Sent],
        rows: &[Row],
        config: &SensorConfig,
        marks: &mut Marks,
    ) -> Result<(), String> {
        let expected = without_duplicates(sent, marks);
        let measured = rows.iter().filter_map(|row| Some((row, raw(row)?)));
        let mut arrived: Vec<(&Row, f64)> = measured.collect();
        if let Some(since) = self.forgives {
            return check_since(since, &expected, &arrived);
        }
        let mut expected: Vec<&Sent> = expected.iter().collect();
        if config.cleaning.is_some() {
            // A reading that waits in its gate is passed by others: only what there is counts.
            marks.hit("cleaned");
            arrived.sort_by_key(|(_, value)| value.to_bits());
            expected.sort_by_key(|sent| sent.value.to_bits());
        }
        for (place, (sent, (row, value))) in expected.iter().zip(&arrived).enumerate() {
            if sent.value.to_bits() != value.to_bits() {
                return Err(around(place, &expected, &arrived));
            }
            if config.cleaning.is_none() {
                self.check_time(place, sent, row)?;
            }
        }
        if expected.len() == arrived.len() {
            Ok(())
        } else {
            Err(around(
                expected.len().min(arrived.len()),
                &expected,
                &arrived,
            ))
        }
    }

    /// Every window once under each revision, with what is to be in it.
    fn check_windows(
        &self,
        rows: &[Row],
        summaries: &[Summary],
        config: &SensorConfig,
        marks: &mut Marks,
    ) -> Result<(), String> {
        placed::check_revisions(summaries)?;
        if !rows.iter().any(placed::is_placed) {
            return windows::check(rows, summaries, config, marks);
        }
        if self.wound {
            return Ok(());
        }
        placed::check(rows, summaries, config, marks)
    }

    /// A time that holds is one at which the gateway was given something by the device; one that does not is earlier.
    fn check_arrivals(&self, device: &str, rows: &[Row]) -> Result<(), String> {
        let given = self.given.get(device).ok_or("nothing was given")?;
        let is_unset = |row: &Row| row.flags.reasons().contains(Reasons::CLOCK_UNSYNCED);
        let latest = given.last().copied().unwrap_or(i64::MIN);
        let is_right = |row: &&Row| {
            given.contains(&row.arrival.0) || (is_unset(row) && row.arrival.0 < latest)
        };
        match rows.iter().find(|row| !is_right(row)) {
            None => Ok(()),
            Some(row) => Err(format!("nothing was given at the arrival of {row:?}")),
        }
    }

    fn check_time(&self, place: usize, sent: &Sent, row: &Row) -> Result<(), String> {
        let reasons = row.flags.reasons();
        match sent.time {
            Some(time) if time == row.time.0 => Ok(()),
            Some(_) if reasons.contains(Reasons::FUTURE) && self.jumped => Ok(()),
            None if reasons.contains(Reasons::ARRIVAL_TIME) => Ok(()),
            time => Err(format!(
                "reading {place} has the time {}, but {time:?} was sent",
                row.time.0
            )),
        }
    }

    /// What is in Kafka was published too.
    fn check_heard(&self, consumer: &Consumer<'_>) -> Result<(), String> {
        if self.deaf || self.forgives.is_some() {
            return Ok(());
        }
        let alerts = consumer.alerts.values().flatten();
        let missed: Vec<_> = alerts
            .map(|alert| (alert.id, alert.state() == AlertState::Raised))
            .filter(|alert| !self.heard.contains(alert))
            .collect();
        if missed.is_empty() {
            Ok(())
        } else {
            Err(format!("alerts {missed:?} were never published by MQTT"))
        }
    }
}

impl<'k> Consumer<'k> {
    fn read(log: &'k [Record], marks: &mut Marks) -> Result<Self, String> {
        let mut consumer = Self::default();
        let broken = |error| format!("a record cannot be read: {error:?}");
        for Record { row, .. } in log {
            match row.lane {
                Lane::Telemetry => {
                    for item in BatchReader::new(&row.bytes).map_err(broken)? {
                        let (name, item) = item.map_err(broken)?;
                        mark_row(&item, marks);
                        let sensor = (name.device.to_owned(), name.signal.to_owned());
                        consumer.rows.entry(sensor).or_default().push(item);
                    }
                }
                Lane::Aggregate => {
                    for item in SummaryReader::new(&row.bytes).map_err(broken)? {
                        let (name, item) = item.map_err(broken)?;
                        let sensor = (name.device.to_owned(), name.signal.to_owned());
                        consumer.summaries.entry(sensor).or_default().push(item);
                    }
                }
                Lane::Alert => {
                    let (_, alert) = Alert::read(&row.bytes).map_err(broken)?;
                    let sensor = (alert.name.device.to_owned(), alert.name.signal.to_owned());
                    consumer.alerts.entry(sensor).or_default().push(alert);
                }
                Lane::Gap => return Err("a gap record, though nothing was thinned".to_owned()),
            }
            marks.add("row-in-parts", u64::from(row.part > 0));
        }
        Ok(consumer)
    }
}

fn mark_row(row: &Row, marks: &mut Marks) {
    for (reason, mark) in [
        (Reasons::LATE, "late"),
        (Reasons::ARRIVAL_TIME, "arrival-time"),
        (Reasons::FUTURE, "future"),
        (Reasons::CLOCK_UNSYNCED, "unsynced"),
        (Reasons::CLOCK_REPAIRED, "repaired"),
    ] {
        marks.add(mark, u64::from(row.flags.reasons().contains(reason)));
    }
    marks.add("bad", u64::from(row.flags.quality() == Quality::Bad));
}

/// No record comes twice, and within its lane each comes in its order.
fn check_once(log: &[Record]) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for Record { epoch, row } in log {
        let place = (row.sequence.0, row.part);
        let before = last.insert((row.lane, *epoch), place);
        if before.is_some_and(|before| before >= place) {
            return Err(format!(
                "{:?} {place:?} of epoch {epoch} comes after {before:?}",
                row.lane
            ));
        }
    }
    Ok(())
}

fn without_duplicates(sent: &[Sent], marks: &mut Marks) -> Vec<Sent> {
    let mut kept: Vec<Sent> = Vec::new();
    for reading in sent {
        let same = |other: &&Sent| {
            other.time == reading.time && other.value.to_bits() == reading.value.to_bits()
        };
        let timed = kept.iter().rev().filter(|other| other.time.is_some());
        if reading.time.is_some() && timed.take(RECENT).any(|other| same(&other)) {
            marks.hit("duplicate-dropped");
        } else {
            kept.push(*reading);
        }
    }
    kept
}

/// Where the disk lied, at least what was sent after it was found out must have arrived.
fn check_since(since: usize, expected: &[Sent], arrived: &[(&Row, f64)]) -> Result<(), String> {
    let arrived: BTreeSet<u64> = arrived.iter().map(|(_, value)| value.to_bits()).collect();
    let mut later = expected.iter().filter(|sent| sent.message >= since);
    match later.find(|sent| !arrived.contains(&sent.value.to_bits())) {
        None => Ok(()),
        Some(lost) => Err(format!("{lost:?} did not arrive")),
    }
}

/// What was sent and what arrived where they differ first, for people.
fn around(place: usize, expected: &[&Sent], arrived: &[(&Row, f64)]) -> String {
    let begin = place.saturating_sub(2);
    let (sent, came) = (expected.len(), arrived.len());
    let expected: Vec<_> = expected.iter().skip(begin).take(6).collect();
    let arrived = arrived.iter().skip(begin).take(6);
    let arrived: Vec<_> = arrived.map(|(row, value)| (row.time.0, *value)).collect();
    format!(
        "reading {place} is not the one that was sent ({sent} were sent, {came} arrived); from {begin} on were sent \
         {expected:?}, and arrived {arrived:?}"
    )
}

fn raw(row: &Row) -> Option<f64> {
    match row.content {
        wire::Content::AsSent(value) => Some(value),
        content => content.raw(),
    }
}

fn config_of<'p>(plan: &'p Plan, (device, signal): &Sensor) -> &'p SensorConfig {
    let of = |rule: &&pipeline::config::SensorRule| {
        rule.device.as_str() == device && rule.signal.as_str() == signal
    };
    let rule = plan.rules.iter().find(of);
    rule.map_or(&plan.defaults, |rule| &rule.config)
}
