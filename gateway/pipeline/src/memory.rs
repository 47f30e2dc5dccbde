//! The memory of a pipeline, which the caller gives: boxed by a gateway, borrowed by a test.

use crate::alarm::Slot;
use crate::batch::OpenRow;
use crate::config::{Allotment, SensorConfig};
use crate::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use crate::gate::Gate;
use crate::gauge::Gauge;
use crate::limits::{BATCH_BYTES_MIN, ROWS_MAX, SENSORS_MAX};
use crate::link::Link;
use crate::profile::Miner;
use crate::scout::{self, Crew, Scout};
use crate::sensor::Sensor;
use crate::thin::Thinner;
use crate::window::{Pane, PaneSketch, Room};
use core::error::Error;
use core::fmt;
use core::marker::PhantomData;
use core::ops::DerefMut;
use wire::Summary;

/// Which kind of slices the memory is made of, for example `Box<[…]>`.
pub trait Memory {
    /// Holds the sensors.
    type Sensors: DerefMut<Target = [Sensor]>;
    /// Holds the panes of the sensors' windows.
    type Panes: DerefMut<Target = [Pane]>;
    /// Holds the sketches of the sensors whose quantiles are told.
    type Sketches: DerefMut<Target = [PaneSketch]>;
    /// Holds the gates of the sensors that are cleaned.
    type Gates: DerefMut<Target = [Gate]>;
    /// Holds the thinners of the sensors not all of whose rows are forwarded.
    type Thinners: DerefMut<Target = [Thinner]>;
    /// Holds what is learned of the sensors that are profiled.
    type Miners: DerefMut<Target = [Miner]>;
    /// Holds the sensors' alarms.
    type Slots: DerefMut<Target = [Slot]>;
    /// Holds what their limits remember.
    type Gauges: DerefMut<Target = [Gauge]>;
    /// Holds the detectors of the least kind.
    type Lites: DerefMut<Target = [Scout<Lite>]>;
    /// Holds the detectors of the standard kind.
    type Standards: DerefMut<Target = [Scout<Detector<STANDARD_BLOCKS>>]>;
    /// Holds the detectors of the full kind.
    type Fulls: DerefMut<Target = [Scout<Detector<FULL_BLOCKS>>]>;
    /// Holds the charts of several signals.
    type Crews: DerefMut<Target = [Scout<Crew>]>;
    /// Holds the indexes over the sensors.
    type Links: DerefMut<Target = [Link]>;
    /// Holds the rows of the open telemetry batch.
    type Rows: DerefMut<Target = [OpenRow]>;
    /// Holds the summaries of the open batch of them.
    type Summaries: DerefMut<Target = [Summary]>;
    /// Holds a batch while it is handed out.
    type Bytes: DerefMut<Target = [u8]>;
}

/// The memory itself. All slices are filled with their types' defaults.
pub struct Parts<M: Memory> {
    /// As many as there may be sensors.
    pub sensors: M::Sensors,
    /// A whole number of panes for each sensor; [`Plan::panes_min`](crate::Plan::panes_min) tells how many.
    pub panes: M::Panes,
    /// As many for each sensor whose quantiles are told as it has panes; the others' are not.
    pub sketches: M::Sketches,
    /// As many as sensors may be cleaned at once; the others' values pass as they are.
    pub gates: M::Gates,
    /// As many as sensors may be thinned at once; of the others all rows are forwarded.
    pub thinners: M::Thinners,
    /// As many as sensors may be profiled at once.
    pub miners: M::Miners,
    /// A whole number of alarms for each sensor; [`Plan::slots_min`](crate::Plan::slots_min) tells how many.
    pub slots: M::Slots,
    /// A whole number of gauges for each sensor; [`Plan::gauges_min`](crate::Plan::gauges_min) tells how many.
    pub gauges: M::Gauges,
    /// As many as sensors may be watched by a detector of the least kind.
    pub lites: M::Lites,
    /// The same for the standard kind.
    pub standards: M::Standards,
    /// The same for the full kind.
    pub fulls: M::Fulls,
    /// As many as devices whose signals may be judged together.
    pub crews: M::Crews,
    /// As many as sensors.
    pub links: M::Links,
    /// As many as a telemetry batch may have rows.
    pub rows: M::Rows,
    /// As many as a batch of summaries may have.
    pub summaries: M::Summaries,
    /// As long as a batch may be; what doesn't fit goes into two batches.
    pub bytes: M::Bytes,
}

/// Memory that is borrowed from elsewhere.
#[derive(Debug)]
pub struct Borrowed<'m>(PhantomData<&'m ()>);

impl<'m> Memory for Borrowed<'m> {
    type Sensors = &'m mut [Sensor];
    type Panes = &'m mut [Pane];
    type Sketches = &'m mut [PaneSketch];
    type Gates = &'m mut [Gate];
    type Thinners = &'m mut [Thinner];
    type Miners = &'m mut [Miner];
    type Slots = &'m mut [Slot];
    type Gauges = &'m mut [Gauge];
    type Lites = &'m mut [Scout<Lite>];
    type Standards = &'m mut [Scout<Detector<STANDARD_BLOCKS>>];
    type Fulls = &'m mut [Scout<Detector<FULL_BLOCKS>>];
    type Crews = &'m mut [Scout<Crew>];
    type Links = &'m mut [Link];
    type Rows = &'m mut [OpenRow];
    type Summaries = &'m mut [Summary];
    type Bytes = &'m mut [u8];
}

/// Memory that no pipeline can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which part.
    pub part: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the memory for {} must {}", self.part, self.must)
    }
}

impl Error for Misfit {}

/// The first part that isn't as it must be.
fn fit<const N: usize>(parts: [(bool, &'static str, &'static str); N]) -> Result<(), Misfit> {
    match parts.into_iter().find(|(is_right, ..)| !is_right) {
        Some((_, part, must)) => Err(Misfit { part, must }),
        None => Ok(()),
    }
}

impl<M: Memory> Parts<M> {
    /// Puts everything back to its default, and gives what each sensor has.
    pub(crate) fn prepare(&mut self) -> Result<Allotment, Misfit> {
        self.check_each()?;
        self.check_pools()?;
        let sensors = self.sensors.len();
        self.sensors.fill_with(Sensor::default);
        self.panes.fill(Pane::default());
        self.sketches.fill(PaneSketch::default());
        self.gates.fill_with(Gate::default);
        self.thinners.fill_with(Thinner::default);
        self.miners.fill_with(Miner::default);
        self.slots.fill(Slot::default());
        self.gauges.fill(Gauge::default());
        self.lites.fill_with(Scout::default);
        self.standards.iter_mut().for_each(scout::clear);
        self.fulls.iter_mut().for_each(scout::clear);
        self.crews.fill_with(Scout::default);
        self.links.fill(Link::default());
        Ok(Allotment {
            panes: self.panes.len() / sensors,
            slots: self.slots.len() / sensors,
            gauges: self.gauges.len() / sensors,
        })
    }

    /// Whether what each sensor has is there for all.
    fn check_each(&self) -> Result<(), Misfit> {
        let sensors = self.sensors.len();
        fit([
            (
                (1..=SENSORS_MAX).contains(&sensors),
                "sensors",
                "be for 1 to 65 535 of them",
            ),
            (
                self.links.len() == sensors,
                "links",
                "be for as many as sensors",
            ),
            (
                self.panes.len().checked_rem(sensors) == Some(0),
                "panes",
                "be for a whole number of them per sensor",
            ),
            (
                self.slots.len().checked_rem(sensors) == Some(0),
                "slots",
                "be for a whole number of them per sensor",
            ),
            (
                self.gauges.len().checked_rem(sensors) == Some(0),
                "gauges",
                "be for a whole number of them per sensor",
            ),
        ])
    }

    /// Whether what sensors share is as it must be.
    fn check_pools(&self) -> Result<(), Misfit> {
        let sensors = self.sensors.len();
        fit([
            (
                sensors == 0 || self.sketches.is_empty() || {
                    let each = self.panes.len() / sensors;
                    self.sketches.len().checked_rem(each) == Some(0)
                        && self.sketches.len() <= self.panes.len()
                },
                "sketches",
                "be for as many of them per sensor as panes, and for no more sensors",
            ),
            (
                self.gates
                    .len()
                    .max(self.thinners.len())
                    .max(self.miners.len())
                    <= SENSORS_MAX,
                "gates, thinners and miners",
                "be for at most 65 535 of them",
            ),
            (
                self.lites
                    .len()
                    .max(self.standards.len())
                    .max(self.fulls.len())
                    .max(self.crews.len())
                    <= SENSORS_MAX,
                "detectors",
                "be for at most 65 535 of each kind",
            ),
            (
                (1..=ROWS_MAX).contains(&self.rows.len()),
                "rows",
                "be for 1 to 65 536 of them",
            ),
            (
                !self.summaries.is_empty(),
                "summaries",
                "be for at least one",
            ),
            (
                self.bytes.len() >= BATCH_BYTES_MIN,
                "bytes",
                "be at least 1024 bytes",
            ),
        ])
    }

    /// The alarms of the sensor at `place`.
    pub(crate) fn slots_of(&self, place: usize, each: Allotment) -> &[Slot] {
        &self.slots[place * each.slots..][..each.slots]
    }

    /// What the limits of the sensor at `place` remember.
    pub(crate) fn gauges_of(&self, place: usize, each: Allotment) -> &[Gauge] {
        &self.gauges[place * each.gauges..][..each.gauges]
    }

    /// The panes of the sensor at `place`, of which each has `each`.
    pub(crate) fn panes_of(panes: &mut [Pane], place: usize, each: usize) -> &mut [Pane] {
        &mut panes[place * each..][..each]
    }

    /// What the windows of the sensor at `place` work with; `block` says which sketches are its own.
    pub(crate) fn room_of<'p>(
        panes: &'p mut [Pane],
        sketches: &'p mut [PaneSketch],
        (place, block): (usize, Option<u16>),
        each: usize,
        config: &SensorConfig,
    ) -> Room<'p> {
        let sketches = match block {
            Some(block) => &mut sketches[usize::from(block) * each..][..each],
            None => &mut [],
        };
        config.room(Self::panes_of(panes, place, each), sketches)
    }
}
