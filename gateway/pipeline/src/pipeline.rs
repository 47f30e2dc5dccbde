//! The pipeline as its caller sees it.

mod steps;
mod alarms;
mod scouting;
mod together;
mod cleaning;
mod clock;
mod derive;
mod due;
mod seal;
mod mining;
mod sketches;
mod thinning;
mod replan;

pub(crate) use self::alarms::Firsts;
pub(crate) use self::clock::Unset;
use crate::batch::Open;
use crate::config::{Allotment, Invalid, Plan, SensorConfig};
use crate::counters::Counters;
use crate::memory::{Memory, Misfit, Parts};
use crate::names;
use crate::output::Emit;
use crate::sensor::{Sensor, SensorStatus};
use crate::time::{Instant, Now, earlier};
use crate::timers::Timers;
use core::error::Error;
use core::fmt;
use heapless::String;
use wire::{Clock, Flags, SensorId, SensorName, Timestamp};

/// One reading of one sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When it was measured, by the sensor's clock, if the payload says so.
    pub time: Option<Timestamp>,
    /// What was measured.
    pub value: f64,
}

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It stands in the open batch, with these flags.
    Taken(Flags),
    /// It was dropped: one with the same time and value came shortly before.
    Duplicate,
    /// It was dropped: no sensor has this id.
    UnknownSensor,
}

/// Why a sensor can't be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All places are taken.
    TableFull,
    /// A name is empty, or longer than its limit.
    BadName,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TableFull => "the table of sensors is full: allow more sensors",
            Self::BadName => "a device name must have 1 to 64 bytes and a signal name 1 to 32",
        })
    }
}

impl Error for Refused {}

/// The pipeline: see the [crate] for its contracts.
pub struct Pipeline<M: Memory> {
    pub(crate) plan: Plan,
    pub(crate) memory: Parts<M>,
    /// What each sensor has.
    pub(crate) each: Allotment,
    pub(crate) sensors: u16,
    pub(crate) timers: Timers,
    pub(crate) telemetry: Open,
    pub(crate) aggregates: Open,
    /// The latest instant of any input: no input is earlier.
    pub(crate) instant: Instant,
    /// How far the gateway's clock can be trusted from here on.
    pub(crate) clock: Clock,
    /// The times that it gave when it was not set, last.
    pub(crate) unset: Unset,
    pub(crate) last_alert: u64,
    pub(crate) firsts: Firsts,
    pub(crate) counters: Counters,
}

/// Why no pipeline can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The memory doesn't fit together.
    Memory(Misfit),
    /// The plan is wrong, or asks for more memory.
    Plan(Invalid),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(misfit) => misfit.fmt(f),
            Self::Plan(invalid) => invalid.fmt(f),
        }
    }
}

impl Error for Unusable {}

impl<M: Memory> Pipeline<M> {
    /// A pipeline without any sensor.
    ///
    /// # Errors
    /// [`Unusable`] if the plan is wrong or the memory doesn't do for it.
    pub fn new(plan: Plan, mut memory: Parts<M>) -> Result<Self, Unusable> {
        let each = memory.prepare().map_err(Unusable::Memory)?;
        plan.validate(each).map_err(Unusable::Plan)?;
        Ok(Self {
            plan,
            memory,
            each,
            sensors: 0,
            timers: Timers::default(),
            telemetry: Open::default(),
            aggregates: Open::default(),
            instant: Instant::default(),
            clock: Clock::Synced,
            unset: Unset::default(),
            last_alert: 0,
            firsts: Firsts::default(),
            counters: Counters::default(),
        })
    }

    /// The id of the sensor with these names; a new one if there is none yet. Its silence counts from now.
    ///
    /// # Errors
    /// [`Refused`], which is counted, if there is no room or a name won't do.
    pub fn register(&mut self, now: Now, device: &str, signal: &str) -> Result<SensorId, Refused> {
        if let Some(sensor) = self.find(device, signal) {
            return Ok(sensor);
        }
        let place = self.sensors;
        if usize::from(place) == self.memory.sensors.len() {
            self.counters.table_full += 1;
            return Err(Refused::TableFull);
        }
        let (Ok(device), Ok(signal)) = (String::try_from(device), String::try_from(signal)) else {
            self.counters.bad_names += 1;
            return Err(Refused::BadName);
        };
        let now = self.not_before(now);
        let rule = self.plan.rule_of(&device, &signal);
        let sensor = Sensor::new(device, signal, rule, self.plan.config(rule), now);
        if sensor.device.is_empty() || sensor.signal.is_empty() {
            self.counters.bad_names += 1;
            return Err(Refused::BadName);
        }
        self.memory.sensors[usize::from(place)] = sensor;
        self.sensors += 1;
        names::insert(&mut self.memory.links, &self.memory.sensors, place);
        self.assign_gate(usize::from(place));
        self.assign_sketches(usize::from(place));
        self.assign_thinner(usize::from(place));
        self.assign_miner(usize::from(place));
        self.assign_scout(usize::from(place));
        self.reset_timer(usize::from(place));
        Ok(SensorId(place))
    }

    /// The id of the sensor with these names.
    #[must_use]
    pub fn find(&self, device: &str, signal: &str) -> Option<SensorId> {
        names::find(&self.memory.links, &self.memory.sensors, device, signal).map(SensorId)
    }

    /// Takes one reading: what is due by now for its sensor comes first, then its alerts, then its summaries, then the batch
    /// if it is full. It emits at most one batch of readings, and [`call_bytes_max`](crate::limits::call_bytes_max) in all.
    pub fn handle_reading(
        &mut self,
        now: Now,
        sensor: SensorId,
        reading: &Reading,
        out: &mut impl Emit,
    ) -> Verdict {
        let now = self.not_before(now);
        self.counters.readings += 1;
        if sensor.0 >= self.sensors {
            self.counters.unknown_sensors += 1;
            return Verdict::UnknownSensor;
        }
        self.expire_if_due(now, usize::from(sensor.0), out);
        self.take(now, sensor, reading, out)
    }

    /// Does what is due by now: delays of alarms, silence, idle windows, revisions, batches that are old enough. The longest
    /// due comes first. One call serves at most [`DUE_PER_CALL_MAX`](crate::limits::DUE_PER_CALL_MAX) sensors, and fewer if
    /// they have much to tell; then the [`deadline`](Self::deadline) has still come, and the next call goes on.
    pub fn handle_timeout(&mut self, now: Now, out: &mut impl Emit) {
        let now = self.not_before(now);
        self.expire(now, out);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before. It may be earlier than
    /// there is something to do, but never later.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let sensor = self.timers.first(&self.memory.links).map(|(_, due)| due);
        earlier(sensor, earlier(self.telemetry.due, self.aggregates.due))
    }

    /// Takes over another plan. Sensors for which nothing changes go on as they are; where the windows change, the open ones
    /// are told as partial and begin anew; an alert whose rule changes is cleared. Open batches are sealed. Before, it does what
    /// one [`handle_timeout`](Self::handle_timeout) does.
    ///
    /// What it emits has no bound but the number of sensors: each may clear its alerts and tell its open windows.
    ///
    /// # Errors
    /// [`Invalid`] if the plan is wrong or the memory doesn't do for it; the old one holds then.
    // Plans on its stack would be on that of each reading, and touched page by page, if a compiler put it into its caller.
    #[cold]
    #[inline(never)]
    pub fn handle_plan(
        &mut self,
        now: Now,
        plan: &Plan,
        out: &mut impl Emit,
    ) -> Result<(), Invalid> {
        plan.validate(self.each)?;
        let now = self.not_before(now);
        self.expire(now, out);
        self.take_over(now, plan, out);
        self.counters.plans += 1;
        Ok(())
    }

    /// Seals the open batches as they are, after what one [`handle_timeout`](Self::handle_timeout) does.
    pub fn seal(&mut self, now: Now, out: &mut impl Emit) {
        let now = self.not_before(now);
        self.expire(now, out);
        self.seal_all(now, out);
    }

    /// What holds now.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many sensors are registered; their ids are all below it.
    #[must_use]
    pub const fn sensors(&self) -> u16 {
        self.sensors
    }

    /// How a sensor stands.
    #[must_use]
    pub fn status(&self, sensor: SensorId) -> Option<SensorStatus<'_>> {
        let state = self.memory.sensors[..usize::from(self.sensors)].get(usize::from(sensor.0))?;
        Some(SensorStatus {
            sensor,
            name: self.name(sensor),
            time: state.last.time,
            value: state.last.value,
            flags: state.last.flags,
            counts: state.counts,
        })
    }

    /// What a sensor is called; empty names if there is none of this id.
    #[must_use]
    pub fn name(&self, sensor: SensorId) -> SensorName<'_> {
        name_of(&self.memory.sensors, &self.plan, sensor)
    }

    pub(crate) fn config_of(&self, sensor: SensorId) -> &SensorConfig {
        let state = self.memory.sensors.get(usize::from(sensor.0));
        self.plan.config(state.and_then(|state| state.rule))
    }

    /// The engine's time never goes back.
    pub(crate) fn not_before(&mut self, now: Now) -> Now {
        self.instant = self.instant.max(now.instant);
        Now {
            instant: self.instant,
            ..now
        }
    }
}

/// What a sensor is called; empty names if there is none of this id.
pub(crate) fn name_of<'a>(
    sensors: &'a [Sensor],
    plan: &'a Plan,
    sensor: SensorId,
) -> SensorName<'a> {
    let state = sensors.get(usize::from(sensor.0));
    state
        .map(|state| state.name(plan.config(state.rule)))
        .unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
