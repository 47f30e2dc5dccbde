//! The whole state as bytes: what a restarted gateway goes on from.
//!
//! A version byte, then postcard parts one behind the other (head, rules, each sensor with its panes, rows, summaries), then a
//! CRC-32C. Each part is small, so that saving needs no large buffer.

use crate::batch::{Open, OpenRow};
use crate::config::{BatchConfig, Plan, SensorConfig, SensorRule};
use crate::counters::Counters;
use crate::limits::{CHECKPOINT_PART_BYTES_MAX, GATEWAY_BYTES_MAX, PANES_MAX, RULES_MAX};
use crate::memory::{Memory, Misfit, Parts};
use crate::names;
use crate::pipeline::Pipeline;
use crate::sensor::Sensor;
use crate::time::Instant;
use crate::timers::Timers;
use crate::window::Pane;
use core::error::Error;
use core::fmt;
use heapless::{String, Vec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::{Row, Summary, crc32c};

/// The version that is written, the first byte.
const VERSION: u8 = 1;

/// Upper bounds of the parts that there are many of, in bytes: floats take 8, other numbers up to 10.
const PANE_BYTES_MAX: usize = 160;
const ROW_BYTES_MAX: usize = 64;
const SUMMARY_BYTES_MAX: usize = 192;

/// The largest checkpoint of a pipeline with memory of this size, in bytes.
#[must_use]
pub const fn checkpoint_bytes_max(
    sensors: usize,
    panes: usize,
    rows: usize,
    summaries: usize,
) -> usize {
    let parts = 1 + RULES_MAX + sensors;
    let many = panes * PANE_BYTES_MAX + rows * ROW_BYTES_MAX + summaries * SUMMARY_BYTES_MAX;
    1 + parts * CHECKPOINT_PART_BYTES_MAX + many + 4
}

/// The first part.
#[derive(Serialize, Deserialize)]
struct Head {
    gateway: String<GATEWAY_BYTES_MAX, u8>,
    batch: BatchConfig,
    defaults: SensorConfig,
    rules: u16,
    sensors: u16,
    telemetry: Open,
    aggregates: Open,
    instant: Instant,
    last_alert: u64,
    counters: Counters,
}

/// One sensor; its kept panes follow.
#[derive(Serialize)]
struct SavedSensor<'a> {
    due: Option<Instant>,
    panes: u16,
    sensor: &'a Sensor,
}

/// The same, as it is read.
#[derive(Deserialize)]
struct LoadedSensor {
    due: Option<Instant>,
    panes: u16,
    sensor: Sensor,
}

/// The memory that a checkpoint needs at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Sensors.
    pub sensors: usize,
    /// Panes of each.
    pub panes_each: usize,
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
        let plan = parts.read_plan(&head, PANES_MAX)?;
        Ok(Self {
            sensors: head.sensors.into(),
            panes_each: plan.panes_min() as usize,
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
        let mut parts = PartWriter { sink, checksum: 0 };
        parts.put(&[VERSION]);
        parts.write(&self.head());
        self.plan.rules.iter().for_each(|rule| parts.write(rule));
        for (place, sensor) in self.memory.sensors[..usize::from(self.sensors)]
            .iter()
            .enumerate()
        {
            let working = self.plan.config(sensor.rule).working_len(self.panes_each);
            let panes = sensor
                .windows
                .kept(&self.memory.panes[place * self.panes_each..][..working]);
            let due = self.timers.due(&self.memory.links, place as u16);
            parts.write(&SavedSensor {
                due,
                panes: panes.clone().count() as u16,
                sensor,
            });
            panes.for_each(|pane| parts.write(pane));
        }
        self.memory.rows[..self.telemetry.len]
            .iter()
            .for_each(|row| parts.write(&row.row));
        self.memory.summaries[..self.aggregates.len]
            .iter()
            .for_each(|summary| parts.write(summary));
        let checksum = parts.checksum.to_le_bytes();
        parts.put(&checksum);
    }

    fn head(&self) -> Head {
        Head {
            gateway: self.plan.gateway.clone(),
            batch: self.plan.batch.clone(),
            defaults: self.plan.defaults.clone(),
            rules: self.plan.rules.len() as u16,
            sensors: self.sensors,
            telemetry: self.telemetry,
            aggregates: self.aggregates,
            instant: self.instant,
            last_alert: self.last_alert,
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
        let panes_each = memory.prepare().map_err(RestoreError::Memory)?;
        let mut parts = PartReader::new(bytes)?;
        let head: Head = parts.read("head")?;
        let plan = parts.read_plan(&head, panes_each)?;
        let mut timers = Timers::default();
        check_room(head.sensors.into(), memory.sensors.len(), "sensors")?;
        for place in 0..head.sensors {
            let at = usize::from(place);
            let panes = Parts::<M>::panes_of(&mut memory.panes, at, panes_each);
            let due = parts.read_sensor(&plan, &mut memory.sensors[at], panes)?;
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
        let Head {
            sensors,
            telemetry,
            aggregates,
            instant,
            last_alert,
            counters,
            ..
        } = head;
        Ok(Self {
            plan,
            memory,
            panes_each,
            sensors,
            timers,
            telemetry,
            aggregates,
            instant,
            last_alert,
            counters,
        })
    }
}

/// An open batch is never quite full, because a full one is sealed.
fn check_room(len: usize, room: usize, part: &'static str) -> Result<(), RestoreError> {
    let must = "be for at least as many as the checkpoint has";
    if len <= room {
        Ok(())
    } else {
        Err(RestoreError::Memory(Misfit { part, must }))
    }
}

/// Writes parts to a sink, and keeps their checksum.
struct PartWriter<S> {
    sink: S,
    checksum: u32,
}

impl<S: FnMut(&[u8])> PartWriter<S> {
    fn put(&mut self, bytes: &[u8]) {
        self.checksum = crc32c(self.checksum, bytes);
        (self.sink)(bytes);
    }

    #[expect(
        clippy::expect_used,
        reason = "a test fills the largest part and sees that it fits"
    )]
    fn write<T: Serialize>(&mut self, part: &T) {
        let mut buffer = [0; CHECKPOINT_PART_BYTES_MAX];
        let bytes = postcard::to_slice(part, &mut buffer)
            .expect("no part is longer than CHECKPOINT_PART_BYTES_MAX");
        self.put(bytes);
    }
}

/// Reads parts off the front of a checkpoint.
struct PartReader<'a> {
    rest: &'a [u8],
}

impl<'a> PartReader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, RestoreError> {
        let (bytes, checksum) = bytes.split_last_chunk().ok_or(RestoreError::Checksum)?;
        let (version, rest) = bytes.split_first().ok_or(RestoreError::Checksum)?;
        if *version != VERSION {
            return Err(RestoreError::Version(*version));
        }
        if crc32c(0, bytes) != u32::from_le_bytes(*checksum) {
            return Err(RestoreError::Checksum);
        }
        Ok(Self { rest })
    }

    fn read<T: DeserializeOwned>(&mut self, part: &'static str) -> Result<T, RestoreError> {
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| RestoreError::Malformed(part))?;
        self.rest = rest;
        Ok(value)
    }

    fn read_plan(&mut self, head: &Head, panes_each: usize) -> Result<Plan, RestoreError> {
        let mut rules = Vec::new();
        for _ in 0..head.rules {
            let rule = self.read::<SensorRule>("rules")?;
            rules
                .push(rule)
                .map_err(|_| RestoreError::Malformed("rules"))?;
        }
        let (gateway, batch, defaults) = (
            head.gateway.clone(),
            head.batch.clone(),
            head.defaults.clone(),
        );
        let plan = Plan {
            gateway,
            batch,
            defaults,
            rules,
        };
        let must = "be for as many panes per sensor as the checkpoint's plan needs";
        check_room(plan.panes_min() as usize, panes_each, "panes").map_err(|_| {
            RestoreError::Memory(Misfit {
                part: "panes",
                must,
            })
        })?;
        plan.validate(panes_each)
            .map_err(|_| RestoreError::Malformed("plan"))?;
        Ok(plan)
    }

    /// Reads a sensor into its place, and gives when it is due.
    fn read_sensor(
        &mut self,
        plan: &Plan,
        place: &mut Sensor,
        panes: &mut [Pane],
    ) -> Result<Option<Instant>, RestoreError> {
        let loaded: LoadedSensor = self.read("sensors")?;
        if !loaded.sensor.is_sound(plan.config(loaded.sensor.rule)) {
            return Err(RestoreError::Malformed("sensors"));
        }
        let panes = plan.config(loaded.sensor.rule).working(panes);
        *place = loaded.sensor;
        for _ in 0..loaded.panes {
            let pane: Pane = self.read("panes")?;
            let at = pane
                .number
                .checked_rem_euclid(panes.len() as i64)
                .ok_or(RestoreError::Malformed("panes"))?;
            panes[at as usize] = pane;
        }
        Ok(loaded.due)
    }

    fn end(&self) -> Result<(), RestoreError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(RestoreError::Malformed("end"))
        }
    }
}

#[cfg(test)]
mod tests;
