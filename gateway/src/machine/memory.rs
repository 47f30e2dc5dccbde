//! How much memory the machine takes, at the start and once.

use pipeline::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use pipeline::{
    Crew, Gate, Gauge, Link, Memory, Miner, Needs, OpenRow, Pane, PaneSketch, Parts, Scout, Sensor,
    Slot, Thinner,
};
use wire::Summary;

use super::{Machine, StateError};
use crate::limits::{BATCH_BYTES, DELIVERIES_MAX, SUMMARIES_OPEN_MAX};

/// How much memory the pipeline gets at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Sensors.
    pub sensors: usize,
    /// Gates: sensors that may be cleaned.
    pub gates: usize,
    /// Miners: sensors that may be profiled.
    pub miners: usize,
    /// Thinners: sensors not all of whose rows are forwarded.
    pub thinners: usize,
    /// Sensors that may have sketches.
    pub sketched: usize,
    /// Panes of each.
    pub panes_per_sensor: usize,
    /// Alarms of each.
    pub slots_per_sensor: usize,
    /// Gauges of each: what limits remember that are of more than the value.
    pub gauges_per_sensor: usize,
    /// Sensors that may be watched by detectors of the least kind, the standard and the full one, and charts of several signals.
    pub scouts: [usize; 4],
    /// Rows of the open batch.
    pub rows: usize,
}

impl Sizes {
    /// For the tests that take a small journal through a machine.
    #[cfg(test)]
    pub(crate) const SMALL: Self = Self {
        sensors: 4,
        gates: 0,
        thinners: 0,
        miners: 0,
        sketched: 0,
        panes_per_sensor: 8,
        slots_per_sensor: 2,
        gauges_per_sensor: 0,
        scouts: [0; 4],
        rows: 64,
    };

    /// These sizes, or what a pipeline's saved state needs where that is more.
    pub(super) fn covering(&self, pipeline: &[u8]) -> Result<Self, StateError> {
        let needs = Needs::of(pipeline).map_err(StateError::Pipeline)?;
        Ok(Self {
            sensors: self.sensors.max(needs.sensors),
            gates: self.gates.max(needs.gates),
            thinners: self.thinners.max(needs.thinners),
            miners: self.miners.max(needs.miners),
            sketched: self.sketched.max(needs.sketched),
            panes_per_sensor: self.panes_per_sensor.max(needs.panes_each),
            slots_per_sensor: self.slots_per_sensor.max(needs.slots_each),
            gauges_per_sensor: self.gauges_per_sensor.max(needs.gauges_each),
            scouts: [0, 1, 2, 3].map(|kind| self.scouts[kind].max(needs.scouts[kind])),
            rows: self.rows.max(needs.rows),
        })
    }
}

/// The pipeline's memory is boxed, once, at start.
pub(crate) struct Boxed;

impl Memory for Boxed {
    type Sensors = Box<[Sensor]>;
    type Panes = Box<[Pane]>;
    type Sketches = Box<[PaneSketch]>;
    type Gates = Box<[Gate]>;
    type Miners = Box<[Miner]>;
    type Thinners = Box<[Thinner]>;
    type Slots = Box<[Slot]>;
    type Gauges = Box<[Gauge]>;
    type Lites = Box<[Scout<Lite>]>;
    type Standards = Box<[Scout<Detector<STANDARD_BLOCKS>>]>;
    type Fulls = Box<[Scout<Detector<FULL_BLOCKS>>]>;
    type Crews = Box<[Scout<Crew>]>;
    type Links = Box<[Link]>;
    type Rows = Box<[OpenRow]>;
    type Summaries = Box<[Summary]>;
    type Bytes = Box<[u8]>;
}

/// Most bytes that a machine takes, its saved state not counted.
#[must_use]
pub fn memory_bytes(sizes: &Sizes) -> usize {
    let per_sensor = size_of::<Sensor>()
        + size_of::<Link>()
        + sizes.panes_per_sensor * size_of::<Pane>()
        + sizes.slots_per_sensor * size_of::<Slot>()
        + sizes.gauges_per_sensor * size_of::<Gauge>();
    let [lites, standards, fulls, crews] = sizes.scouts;
    sizes.sensors * per_sensor
        + lites * size_of::<Scout<Lite>>()
        + standards * size_of::<Scout<Detector<STANDARD_BLOCKS>>>()
        + fulls * size_of::<Scout<Detector<FULL_BLOCKS>>>()
        + crews * size_of::<Scout<Crew>>()
        + sizes.gates * size_of::<Gate>()
        + sizes.miners * size_of::<Miner>()
        + sizes.thinners * size_of::<Thinner>()
        + sizes.sketched * sizes.panes_per_sensor * size_of::<PaneSketch>()
        + sizes.rows * size_of::<OpenRow>()
        + SUMMARIES_OPEN_MAX * size_of::<Summary>()
        + BATCH_BYTES
        + size_of::<Machine>()
        + DELIVERIES_MAX * 8
}

pub(super) fn parts(sizes: &Sizes) -> Parts<Boxed> {
    Parts {
        sensors: (0..sizes.sensors).map(|_| Sensor::default()).collect(),
        panes: vec![Pane::default(); sizes.sensors * sizes.panes_per_sensor].into(),
        sketches: vec![PaneSketch::default(); sizes.sketched * sizes.panes_per_sensor].into(),
        gates: (0..sizes.gates).map(|_| Gate::default()).collect(),
        thinners: (0..sizes.thinners).map(|_| Thinner::default()).collect(),
        miners: (0..sizes.miners).map(|_| Miner::default()).collect(),
        slots: vec![Slot::default(); sizes.sensors * sizes.slots_per_sensor].into(),
        gauges: vec![Gauge::default(); sizes.sensors * sizes.gauges_per_sensor].into(),
        lites: (0..sizes.scouts[0]).map(|_| Scout::default()).collect(),
        standards: (0..sizes.scouts[1]).map(|_| Scout::default()).collect(),
        fulls: (0..sizes.scouts[2]).map(|_| Scout::default()).collect(),
        crews: (0..sizes.scouts[3]).map(|_| Scout::default()).collect(),
        links: vec![Link::default(); sizes.sensors].into(),
        rows: vec![OpenRow::default(); sizes.rows].into(),
        summaries: vec![Summary::default(); SUMMARIES_OPEN_MAX].into(),
        bytes: vec![0; BATCH_BYTES].into(),
    }
}
