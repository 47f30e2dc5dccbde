//! The parts of a checkpoint, one behind the other.

use super::{Head, LoadedSensor, RestoreError, VERSION};
use crate::config::{Allotment, Plan, SensorConfig};
use crate::detect::{Detector, Lite};
use crate::gate::{self, Gate};
use crate::limits::CHECKPOINT_PART_BYTES_MAX;
use crate::memory::{Memory, Misfit, Parts};
use crate::profile::{self, Miner};
use crate::scout::{self, Crew, Place, Scout};
use crate::thin::{self, Thinner};
use crate::time::Instant;
use crate::window::{FREE, Room};
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

    /// A detector in four parts: it is too long for one.
    pub(super) fn write_detector<const M: usize>(&mut self, detector: &Detector<M>) {
        self.write(&detector.front);
        detector.shapes.iter().for_each(|shapes| self.write(shapes));
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

    /// Reads a plan into its place, for it is large.
    pub(super) fn read_plan(
        &mut self,
        head: &Head,
        each: Allotment,
        plan: &mut Plan,
    ) -> Result<(), RestoreError> {
        plan.gateway.clone_from(&head.gateway);
        plan.batch.clone_from(&head.batch);
        plan.defaults.clone_from(&head.defaults);
        self.fill(&mut plan.conditions, head.conditions.into(), "conditions")?;
        self.fill(&mut plan.derived, head.derived.into(), "derived")?;
        self.fill(&mut plan.charts, head.charts.into(), "charts")?;
        let suppressions = head.suppressions.into();
        self.fill(&mut plan.suppressions, suppressions, "suppressions")?;
        self.fill(&mut plan.rules, head.rules.into(), "rules")?;
        let must = "be for as many per sensor as the checkpoint's plan needs";
        for (needed, given, part) in [
            (plan.panes_min() as usize, each.panes, "panes"),
            (plan.slots_min(), each.slots, "slots"),
            (plan.gauges_min(), each.gauges, "gauges"),
        ] {
            check_room(needed, given, part)
                .map_err(|_| RestoreError::Memory(Misfit { part, must }))?;
        }
        plan.validate(each)
            .map_err(|_| RestoreError::Malformed("plan"))
    }

    /// Reads a sensor into its place, and gives when it is due.
    pub(super) fn read_sensor<M: Memory>(
        &mut self,
        plan: &Plan,
        owner: u16,
        memory: &mut Parts<M>,
        each: Allotment,
    ) -> Result<Option<Instant>, RestoreError> {
        let place = usize::from(owner);
        let loaded: LoadedSensor = self.read("sensors")?;
        let config = plan.config(loaded.sensor.rule);
        if !loaded.sensor.is_sound(config) {
            return Err(RestoreError::Malformed("sensors"));
        }
        memory.sensors[place] = loaded.sensor;
        self.read_alarms(place, config, memory, each)?;
        let sensor = &memory.sensors[place];
        let scout = sensor.scout;
        if let Some(gate) = sensor.gate {
            self.read_gate(owner, memory.gates.get_mut(usize::from(gate)))?;
        }
        if let Some(thinner) = memory.sensors[place].thinner {
            self.read_thinner(owner, memory.thinners.get_mut(usize::from(thinner)))?;
        }
        if let Some(miner) = memory.sensors[place].miner {
            self.read_miner(owner, memory.miners.get_mut(usize::from(miner)))?;
        }
        self.read_scout(owner, scout, memory)?;
        let block = memory.sensors[place].sketches;
        if let Some(block) = block {
            let first = memory.sketches.get_mut(usize::from(block) * each.panes);
            let first = first.filter(|first| first.owner == FREE);
            first.ok_or(RestoreError::Malformed("sketches"))?.owner = owner;
        }
        let mut room = Parts::<M>::room_of(
            &mut memory.panes,
            &mut memory.sketches,
            (place, block),
            each.panes,
            config,
        );
        for _ in 0..loaded.panes {
            let pane = self.read("panes")?;
            let at = room.put_pane(pane);
            self.read_sketch(&mut room, at, "panes")?;
        }
        for nth in 0..usize::from(loaded.sessions) {
            let pane = self.read("sessions")?;
            let at = room.put_session(nth, pane);
            self.read_sketch(&mut room, at, "sessions")?;
        }
        Ok(loaded.due)
    }

    /// Reads the sketch of a pane that was put there, if the sensor has any.
    fn read_sketch(
        &mut self,
        room: &mut Room<'_>,
        at: Option<usize>,
        part: &'static str,
    ) -> Result<(), RestoreError> {
        let at = at.ok_or(RestoreError::Malformed(part))?;
        if room.has_sketches() {
            room.put_sketch(at, self.read("sketches")?);
        }
        Ok(())
    }

    /// Reads a sensor's alarms, and what their limits remember.
    fn read_alarms<M: Memory>(
        &mut self,
        place: usize,
        config: &SensorConfig,
        memory: &mut Parts<M>,
        each: Allotment,
    ) -> Result<(), RestoreError> {
        for slot in &mut memory.slots[place * each.slots..][..config.slots()] {
            *slot = self.read("alarms")?;
        }
        for gauge in &mut memory.gauges[place * each.gauges..][..config.gauges()] {
            *gauge = self.read("gauges")?;
        }
        Ok(())
    }

    /// Reads a sensor's detector, if it has one.
    fn read_scout<M: Memory>(
        &mut self,
        owner: u16,
        scout: Option<Place>,
        memory: &mut Parts<M>,
    ) -> Result<(), RestoreError> {
        match scout {
            None => Ok(()),
            Some(Place::Lite(at)) => self.read_lite(owner, memory.lites.get_mut(usize::from(at))),
            Some(Place::Chart(at)) => self.read_crew(owner, memory.crews.get_mut(usize::from(at))),
            Some(Place::Standard(at)) => {
                self.read_detector(owner, memory.standards.get_mut(usize::from(at)))
            }
            Some(Place::Full(at)) => {
                self.read_detector(owner, memory.fulls.get_mut(usize::from(at)))
            }
        }
    }

    /// Reads a chart into its place, which no other sensor may have.
    fn read_crew(
        &mut self,
        owner: u16,
        place: Option<&mut Scout<Crew>>,
    ) -> Result<(), RestoreError> {
        let detector: Crew = self.read("charts")?;
        let place = place.filter(|place| place.owner == scout::FREE);
        *place.ok_or(RestoreError::Malformed("charts"))? = Scout { owner, detector };
        Ok(())
    }

    /// Reads a detector of the least kind into its place, which no other sensor may have.
    fn read_lite(
        &mut self,
        owner: u16,
        place: Option<&mut Scout<Lite>>,
    ) -> Result<(), RestoreError> {
        let detector: Lite = self.read("detectors")?;
        let place = place.filter(|place| place.owner == scout::FREE && detector.is_sound());
        *place.ok_or(RestoreError::Malformed("detectors"))? = Scout { owner, detector };
        Ok(())
    }

    /// The same of the kinds that have all views, part by part.
    fn read_detector<const N: usize>(
        &mut self,
        owner: u16,
        place: Option<&mut Scout<Detector<N>>>,
    ) -> Result<(), RestoreError> {
        let place = place.filter(|place| place.owner == scout::FREE);
        let place = place.ok_or(RestoreError::Malformed("detectors"))?;
        place.owner = owner;
        place.detector.front = self.read("detectors")?;
        for shapes in &mut place.detector.shapes {
            *shapes = self.read("detectors")?;
        }
        if place.detector.is_sound() {
            Ok(())
        } else {
            Err(RestoreError::Malformed("detectors"))
        }
    }

    /// Reads a gate into its place, which no other sensor may have.
    fn read_gate(&mut self, owner: u16, place: Option<&mut Gate>) -> Result<(), RestoreError> {
        let gate: Gate = self.read("gates")?;
        let place = place
            .filter(|place| place.owner == gate::FREE && gate.owner == owner && gate.is_sound());
        *place.ok_or(RestoreError::Malformed("gates"))? = gate;
        Ok(())
    }

    /// The same of a thinner.
    fn read_thinner(
        &mut self,
        owner: u16,
        place: Option<&mut Thinner>,
    ) -> Result<(), RestoreError> {
        let thinner: Thinner = self.read("thinners")?;
        let is_right = thinner.owner == owner && thinner.is_sound();
        let place = place.filter(|place| place.owner == thin::FREE && is_right);
        *place.ok_or(RestoreError::Malformed("thinners"))? = thinner;
        Ok(())
    }

    /// The same of a miner.
    fn read_miner(&mut self, owner: u16, place: Option<&mut Miner>) -> Result<(), RestoreError> {
        let miner: Miner = self.read("miners")?;
        let is_right = miner.owner == owner && miner.is_sound();
        let place = place.filter(|place| place.owner == profile::FREE && is_right);
        *place.ok_or(RestoreError::Malformed("miners"))? = miner;
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
