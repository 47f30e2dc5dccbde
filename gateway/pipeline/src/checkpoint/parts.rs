//! The parts of a checkpoint, one behind the other.

use super::{Head, LoadedSensor, RestoreError, VERSION};
use crate::config::Plan;
use crate::gate::{FREE, Gate};
use crate::limits::CHECKPOINT_PART_BYTES_MAX;
use crate::memory::Misfit;
use crate::sensor::Sensor;
use crate::time::Instant;
use crate::window::Pane;
use heapless::{LenType, Vec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::crc32c;

/// Writes parts to a sink, and keeps their checksum.
pub(super) struct PartWriter<S> {
    sink: S,
    pub(super) checksum: u32,
}

impl<S: FnMut(&[u8])> PartWriter<S> {
    pub(super) const fn new(sink: S) -> Self {
        Self { sink, checksum: 0 }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.checksum = crc32c(self.checksum, bytes);
        (self.sink)(bytes);
    }

    #[expect(
        clippy::expect_used,
        reason = "a test fills the largest part and sees that it fits"
    )]
    pub(super) fn write<T: Serialize>(&mut self, part: &T) {
        let mut buffer = [0; CHECKPOINT_PART_BYTES_MAX];
        let bytes = postcard::to_slice(part, &mut buffer)
            .expect("no part is longer than CHECKPOINT_PART_BYTES_MAX");
        self.put(bytes);
    }
}

/// Reads parts off the front of a checkpoint.
pub(super) struct PartReader<'a> {
    rest: &'a [u8],
}

impl<'a> PartReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, RestoreError> {
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

    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        part: &'static str,
    ) -> Result<T, RestoreError> {
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| RestoreError::Malformed(part))?;
        self.rest = rest;
        Ok(value)
    }

    /// Reads items into their place: a plan is large, and no stack holds many of it.
    fn fill<T: DeserializeOwned, const N: usize, L: LenType>(
        &mut self,
        items: &mut Vec<T, N, L>,
        count: usize,
        part: &'static str,
    ) -> Result<(), RestoreError> {
        for _ in 0..count {
            let item = self.read(part)?;
            items
                .push(item)
                .map_err(|_| RestoreError::Malformed(part))?;
        }
        Ok(())
    }

    pub(super) fn read_plan(
        &mut self,
        head: &Head,
        panes_each: usize,
    ) -> Result<Plan, RestoreError> {
        let mut plan = Plan {
            gateway: head.gateway.clone(),
            batch: head.batch.clone(),
            defaults: head.defaults.clone(),
            ..Plan::default()
        };
        self.fill(&mut plan.conditions, head.conditions.into(), "conditions")?;
        self.fill(&mut plan.derived, head.derived.into(), "derived")?;
        self.fill(&mut plan.rules, head.rules.into(), "rules")?;
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
    pub(super) fn read_sensor(
        &mut self,
        plan: &Plan,
        owner: u16,
        place: &mut Sensor,
        gates: &mut [Gate],
        panes: &mut [Pane],
    ) -> Result<Option<Instant>, RestoreError> {
        let loaded: LoadedSensor = self.read("sensors")?;
        if !loaded.sensor.is_sound(plan.config(loaded.sensor.rule)) {
            return Err(RestoreError::Malformed("sensors"));
        }
        let panes = plan.config(loaded.sensor.rule).working(panes);
        *place = loaded.sensor;
        if let Some(gate) = place.gate {
            self.read_gate(owner, gates.get_mut(usize::from(gate)))?;
        }
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

    /// Reads a gate into its place, which no other sensor may have.
    fn read_gate(&mut self, owner: u16, place: Option<&mut Gate>) -> Result<(), RestoreError> {
        let gate: Gate = self.read("gates")?;
        let place =
            place.filter(|place| place.owner == FREE && gate.owner == owner && gate.is_sound());
        *place.ok_or(RestoreError::Malformed("gates"))? = gate;
        Ok(())
    }

    pub(super) fn end(&self) -> Result<(), RestoreError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(RestoreError::Malformed("end"))
        }
    }
}

/// An open batch is never quite full, because a full one is sealed.
pub(super) fn check_room(len: usize, room: usize, part: &'static str) -> Result<(), RestoreError> {
    let must = "be for at least as many as the checkpoint has";
    if len <= room {
        Ok(())
    } else {
        Err(RestoreError::Memory(Misfit { part, must }))
    }
}
