//! The whole state as bytes: what a restarted gateway goes on from.
//!
//! A version byte, then postcard parts one behind the other (head, conditions, derived signals, charts, suppressions, rules, each sensor with its alarms,
//! gate, detector and panes, rows, summaries), then a
//! CRC-32C. Each part is small, so that saving needs no large buffer.

mod parts;

use self::parts::{PartReader, PartWriter, check_room};
use crate::batch::{Open, OpenRow};
use crate::config::{Allotment, BatchConfig, Plan, SensorConfig};
use crate::counters::Counters;
use crate::limits::{
    CHARTS_MAX, CHECKPOINT_PART_BYTES_MAX, CONDITIONS_MAX, DERIVED_MAX, GATEWAY_BYTES_MAX,
    RULES_MAX, SUPPRESSIONS_MAX,
};
use crate::memory::{Memory, Misfit, Parts};
use crate::names;
use crate::pipeline::{Firsts, Pipeline, Unset};
use crate::scout::Place;
use crate::sensor::Sensor;
use crate::time::Instant;
use crate::timers::Timers;
use core::error::Error;
use core::fmt;
use heapless::String;
use serde::{Deserialize, Serialize};
use wire::{Clock, Row, Summary};

/// The version that is written, the first byte.
const VERSION: u8 = 3;

/// Upper bounds of the parts that there are many of, in bytes: floats take 8, other numbers up to 10.
const PANE_BYTES_MAX: usize = 160;
const SKETCH_BYTES_MAX: usize = 8 + 10 * wire::sketch::BINS_MAX;
const ROW_BYTES_MAX: usize = 64;
const SUMMARY_BYTES_MAX: usize = 192 + SKETCH_BYTES_MAX;

/// The largest checkpoint of a pipeline with memory of this size, in bytes.
#[must_use]
pub const fn checkpoint_bytes_max(
    sensors: usize,
    panes: usize,
    sketches: usize,
    rows: usize,
    summaries: usize,
) -> usize {
    // Each sensor may have alarms, a gate, a thinner, a miner, and a detector, which takes up to four.
    let parts =
        1 + CONDITIONS_MAX + DERIVED_MAX + CHARTS_MAX + SUPPRESSIONS_MAX + RULES_MAX + 10 * sensors;
    let many = panes * PANE_BYTES_MAX
        + sketches * SKETCH_BYTES_MAX
        + rows * ROW_BYTES_MAX
        + summaries * SUMMARY_BYTES_MAX;
    1 + parts * CHECKPOINT_PART_BYTES_MAX + many + 4
}

/// The first part.
#[derive(Serialize, Deserialize)]
struct Head {
    gateway: String<GATEWAY_BYTES_MAX, u8>,
    batch: BatchConfig,
    defaults: SensorConfig,
    conditions: u8,
    derived: u8,
    charts: u8,
    suppressions: u8,
    rules: u16,
    sensors: u16,
    gates: u16,
    thinners: u16,
    miners: u16,
    sketched: u16,
    scouts: [u16; 4],
    telemetry: Open,
    aggregates: Open,
    instant: Instant,
    clock: Clock,
    unset: Unset,
    last_alert: u64,
    firsts: Firsts,
    counters: Counters,
}

/// One sensor; its alarms, its gate, thinner, miner and detector, if it has them, and its kept panes follow, each with its sketch, if
/// it has one, and so do its sessions.
#[derive(Serialize)]
struct SavedSensor<'a> {
    due: Option<Instant>,
    panes: u16,
    sessions: u16,
    sensor: &'a Sensor,
}

/// The same, as it is read.
#[derive(Deserialize)]
struct LoadedSensor {
    due: Option<Instant>,
    panes: u16,
    sessions: u16,
    sensor: Sensor,
}

/// The memory that a checkpoint needs at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Sensors.
    pub sensors: usize,
    /// Panes of each.
    pub panes_each: usize,
    /// Alarms of each.
    pub slots_each: usize,
    /// Gauges of each.
    pub gauges_each: usize,
    /// Gates.
    pub gates: usize,
    /// Thinners.
    pub thinners: usize,
    /// Miners.
    pub miners: usize,
    /// Sensors with sketches.
    pub sketched: usize,
    /// Detectors of the least kind, the standard and the full one, and charts.
    pub scouts: [usize; 4],
    /// Rows of the open batch.
    pub rows: usize,
    /// Summaries of the open batch of them.
    pub summaries: usize,
}

impl Needs {
    /// What the checkpoint with these bytes needs.
    ///
    /// # Errors
    /// [`RestoreError`] if its beginning can't be read.
    pub fn of(bytes: &[u8]) -> Result<Self, RestoreError> {
        let mut parts = PartReader::new(bytes)?;
        let head: Head = parts.read("head")?;
        let mut plan = Plan::default();
        parts.read_plan(&head, Allotment::MAX, &mut plan)?;
        Ok(Self {
            sensors: head.sensors.into(),
            panes_each: plan.panes_min() as usize,
            slots_each: plan.slots_min(),
            gauges_each: plan.gauges_min(),
            gates: head.gates.into(),
            thinners: head.thinners.into(),
            miners: head.miners.into(),
            sketched: head.sketched.into(),
            scouts: head.scouts.map(usize::from),
            rows: head.telemetry.len,
            summaries: head.aggregates.len,
        })
    }
}

/// Why a checkpoint can't be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// It was written by another release.
    Version(u8),
    /// Its bytes were changed or cut.
    Checksum,
    /// A part is not as any pipeline writes it.
    Malformed(&'static str),
    /// The memory doesn't do for it.
    Memory(Misfit),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(
                    f,
                    "the checkpoint has version {version}, which this release doesn't know: replay the journal"
                )
            }
            Self::Checksum => {
                f.write_str("the checksum of the checkpoint differs: take an earlier one")
            }
            Self::Malformed(part) => write!(
                f,
                "the checkpoint's {part} can't be read: take an earlier one"
            ),
            Self::Memory(misfit) => misfit.fmt(f),
        }
    }
}

impl Error for RestoreError {}

impl<M: Memory> Pipeline<M> {
    /// Writes the whole state, piece by piece, to `sink`: at most [`checkpoint_bytes_max`] bytes.
    pub fn save(&self, sink: impl FnMut(&[u8])) {
        let mut parts = PartWriter::new(sink);
        parts.put(&[VERSION]);
        parts.write(&self.head());
        let conditions = self.plan.conditions.iter();
        conditions.for_each(|condition| parts.write(condition));
        let derived = self.plan.derived.iter();
        derived.for_each(|derived| parts.write(derived));
        self.plan.charts.iter().for_each(|chart| parts.write(chart));
        let suppressions = self.plan.suppressions.iter();
        suppressions.for_each(|suppression| parts.write(suppression));
        self.plan.rules.iter().for_each(|rule| parts.write(rule));
        (0..usize::from(self.sensors)).for_each(|place| self.save_sensor(place, &mut parts));
        self.memory.rows[..self.telemetry.len]
            .iter()
            .for_each(|row| parts.write(&row.row));
        self.memory.summaries[..self.aggregates.len]
            .iter()
            .for_each(|summary| parts.write(summary));
        let checksum = parts.checksum.to_le_bytes();
        parts.put(&checksum);
    }

    fn save_sensor(&self, place: usize, parts: &mut PartWriter<impl FnMut(&[u8])>) {
        let sensor = &self.memory.sensors[place];
        let [by_clock, sessions] = self.plan.config(sensor.rule).panes_each();
        let (by_clock, sessions) = (by_clock as usize, sessions as usize);
        let panes = &self.memory.panes[place * self.each.panes..][..by_clock + sessions];
        let keeps = sensor.windows.keeps(by_clock);
        let kept = (0..by_clock).filter(|at| keeps(&panes[*at]));
        parts.write(&SavedSensor {
            due: self.timers.due(&self.memory.links, place as u16),
            panes: kept.clone().count() as u16,
            sessions: sessions as u16,
            sensor,
        });
        let config = self.plan.config(sensor.rule);
        let slots = &self.slots(place)[..config.slots()];
        slots.iter().for_each(|slot| parts.write(slot));
        let gauges = &self.gauges(place)[..config.gauges()];
        gauges.iter().for_each(|gauge| parts.write(gauge));
        if let Some(gate) = sensor.gate {
            parts.write(&self.memory.gates[usize::from(gate)]);
        }
        if let Some(thinner) = sensor.thinner {
            parts.write(&self.memory.thinners[usize::from(thinner)]);
        }
        if let Some(miner) = sensor.miner {
            parts.write(&self.memory.miners[usize::from(miner)]);
        }
        match sensor.scout {
            None => {}
            Some(Place::Lite(at)) => parts.write(&self.memory.lites[usize::from(at)].detector),
            Some(Place::Standard(at)) => {
                parts.write_detector(&self.memory.standards[usize::from(at)].detector);
            }
            Some(Place::Full(at)) => {
                parts.write_detector(&self.memory.fulls[usize::from(at)].detector);
            }
            Some(Place::Chart(at)) => parts.write(&self.memory.crews[usize::from(at)].detector),
        }
        for at in kept.chain(by_clock..by_clock + sessions) {
            parts.write(&panes[at]);
            if let Some(block) = sensor.sketches {
                let at = usize::from(block) * self.each.panes + at;
                parts.write(&self.memory.sketches[at].sketch);
            }
        }
    }

    /// Places of a kind up to the last one that a sensor owns.
    fn used(&self, place: impl Fn(&Sensor) -> Option<u16>) -> u16 {
        let sensors = &self.memory.sensors[..usize::from(self.sensors)];
        let used = sensors.iter().filter_map(place);
        used.max().map_or(0, |last| last.saturating_add(1))
    }

    /// Detectors of each kind up to the last one that a sensor owns.
    fn scouts_used(&self) -> [u16; 4] {
        let mut used = [0; 4];
        let sensors = &self.memory.sensors[..usize::from(self.sensors)];
        for scout in sensors.iter().filter_map(|sensor| sensor.scout) {
            let (kind, at) = match scout {
                Place::Lite(at) => (0, at),
                Place::Standard(at) => (1, at),
                Place::Full(at) => (2, at),
                Place::Chart(at) => (3, at),
            };
            used[kind] = at.saturating_add(1).max(used[kind]);
        }
        used
    }

    fn head(&self) -> Head {
        Head {
            gateway: self.plan.gateway.clone(),
            batch: self.plan.batch.clone(),
            defaults: self.plan.defaults.clone(),
            conditions: self.plan.conditions.len() as u8,
            derived: self.plan.derived.len() as u8,
            charts: self.plan.charts.len() as u8,
            suppressions: self.plan.suppressions.len() as u8,
            rules: self.plan.rules.len() as u16,
            sensors: self.sensors,
            gates: self.used(|sensor| sensor.gate),
            thinners: self.used(|sensor| sensor.thinner),
            miners: self.used(|sensor| sensor.miner),
            sketched: self.used(|sensor| sensor.sketches),
            scouts: self.scouts_used(),
            telemetry: self.telemetry,
            aggregates: self.aggregates,
            instant: self.instant,
            clock: self.clock,
            unset: self.unset,
            last_alert: self.last_alert,
            firsts: self.firsts,
            counters: self.counters.clone(),
        }
    }

    /// FNV-1a (64 bits) of the whole state: two pipelines with the same digest go on alike.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = 0xCBF2_9CE4_8422_2325;
        self.save(|bytes| {
            for byte in bytes {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
            }
        });
        digest
    }

    /// The pipeline whose state was saved.
    ///
    /// # Errors
    /// [`RestoreError`] if the bytes are no checkpoint of this release, or the memory is too small for it.
    pub fn restore(mut memory: Parts<M>, bytes: &[u8]) -> Result<Self, RestoreError> {
        let each = memory.prepare().map_err(RestoreError::Memory)?;
        let mut parts = PartReader::new(bytes)?;
        let head: Head = parts.read("head")?;
        let mut plan = Plan::default();
        parts.read_plan(&head, each, &mut plan)?;
        let mut timers = Timers::default();
        check_room(head.sensors.into(), memory.sensors.len(), "sensors")?;
        check_room(head.gates.into(), memory.gates.len(), "gates")?;
        check_room(head.thinners.into(), memory.thinners.len(), "thinners")?;
        check_room(head.miners.into(), memory.miners.len(), "miners")?;
        let blocks = memory.sketches.len() / each.panes.max(1);
        check_room(head.sketched.into(), blocks, "sketches")?;
        let [lites, standards, fulls, crews] = head.scouts;
        check_room(crews.into(), memory.crews.len(), "crews")?;
        check_room(lites.into(), memory.lites.len(), "lites")?;
        check_room(standards.into(), memory.standards.len(), "standards")?;
        check_room(fulls.into(), memory.fulls.len(), "fulls")?;
        for place in 0..head.sensors {
            let due = parts.read_sensor(&plan, place, &mut memory, each)?;
            names::insert(&mut memory.links, &memory.sensors, place);
            timers.set(&mut memory.links, place, due);
        }
        check_room(head.telemetry.len, memory.rows.len(), "rows")?;
        for (order, row) in memory.rows[..head.telemetry.len].iter_mut().enumerate() {
            *row = OpenRow {
                row: parts.read::<Row>("rows")?,
                order: order as u32,
            };
        }
        check_room(head.aggregates.len, memory.summaries.len(), "summaries")?;
        for summary in &mut memory.summaries[..head.aggregates.len] {
            *summary = parts.read::<Summary>("summaries")?;
        }
        parts.end()?;
        Ok(Self {
            plan,
            memory,
            each,
            sensors: head.sensors,
            timers,
            telemetry: head.telemetry,
            aggregates: head.aggregates,
            instant: head.instant,
            clock: head.clock,
            unset: head.unset,
            last_alert: head.last_alert,
            firsts: head.firsts,
            counters: head.counters,
        })
    }
}

#[cfg(test)]
mod tests;
