//! The machine's memory: how much, and all of it at start.

use pipeline::{
    Gate, Link, Memory, Miner, Needs, OpenRow, Pane, PaneSketch, Parts, Sensor, Thinner,
};
use wire::Summary;

use super::{Machine, StateError};
use crate::limits::{BATCH_BYTES, DELIVERIES_MAX, SUMMARIES_OPEN_MAX};

/// How much memory the pipeline gets at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Rows of the open batch.
    pub rows: usize,
}

impl Sizes {
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
    type Links = Box<[Link]>;
    type Rows = Box<[OpenRow]>;
    type Summaries = Box<[Summary]>;
    type Bytes = Box<[u8]>;
}

/// Most bytes that a machine takes, its saved state not counted.
#[must_use]
pub fn memory_bytes(sizes: &Sizes) -> usize {
    let per_sensor =
        size_of::<Sensor>() + size_of::<Link>() + sizes.panes_per_sensor * size_of::<Pane>();
    sizes.sensors * per_sensor
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
        links: vec![Link::default(); sizes.sensors].into(),
        rows: vec![OpenRow::default(); sizes.rows].into(),
        summaries: vec![Summary::default(); SUMMARIES_OPEN_MAX].into(),
        bytes: vec![0; BATCH_BYTES].into(),
    }
}
