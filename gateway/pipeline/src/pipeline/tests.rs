//! The whole pipeline: timelines, an oracle, and what must hold for any input.

mod alerts;
mod cleaning;
mod derived;
mod detect;
mod operate;
mod due;
mod laws;
mod mining;
mod oracle;
mod plans;
mod quantiles;
mod robust;
mod together;
mod sessions;
mod thinning;
mod windows;

use super::*;
use crate::alarm::Slot;
use crate::batch::OpenRow;
use crate::config::SensorConfig;
use crate::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use crate::gate::Gate;
use crate::gauge::Gauge;
use crate::limits::{SLOTS_MAX, THRESHOLDS_MAX};
use crate::link::Link;
use crate::output::{BatchKind, Output};
use crate::profile::{Miner, Profile};
use crate::scout::{Crew, Scout};
use crate::thin::Thinner;
use crate::window::{Pane, PaneSketch};
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;
use wire::{AlertState, BatchReader, Row, Standing, Summary, SummaryReader, Transition};

/// 2026-01-01, a multiple of all windows used here.
pub(crate) const WALL: i64 = 1_767_225_600_000;

/// Memory on the heap, as a gateway has it.
pub(crate) struct Boxed;

impl Memory for Boxed {
    type Sensors = Box<[Sensor]>;
    type Panes = Box<[Pane]>;
    type Sketches = Box<[PaneSketch]>;
    type Gates = Box<[Gate]>;
    type Thinners = Box<[Thinner]>;
    type Miners = Box<[Miner]>;
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

pub(crate) const SENSORS: usize = 5;
pub(crate) const PANES: usize = 8;

pub(crate) fn memory() -> Parts<Boxed> {
    Parts {
        sensors: vec![Sensor::default(); SENSORS].into(),
        panes: vec![Pane::default(); SENSORS * PANES].into(),
        sketches: vec![PaneSketch::default(); 2 * PANES].into(),
        miners: vec![Miner::default(); SENSORS].into(),
        thinners: vec![Thinner::default(); SENSORS].into(),
        gates: vec![Gate::default(); SENSORS].into(),
        slots: vec![Slot::default(); SENSORS * SLOTS_MAX].into(),
        gauges: vec![Gauge::default(); SENSORS * THRESHOLDS_MAX].into(),
        lites: vec![Scout::default(); SENSORS].into(),
        standards: vec![Scout::default(); 2].into(),
        fulls: vec![Scout::default(); 1].into(),
        crews: vec![Scout::default(); 1].into(),
        links: vec![Link::default(); SENSORS].into(),
        rows: vec![OpenRow::default(); 50].into(),
        summaries: vec![Summary::default(); 20].into(),
        bytes: vec![0; 4096].into(),
    }
}

/// Tumbling windows of a second without lateness, whatever else `change` makes of it.
pub(crate) fn plan(change: impl FnOnce(&mut SensorConfig)) -> Plan {
    let mut plan = Plan {
        gateway: "box".try_into().unwrap(),
        ..Plan::default()
    };
    plan.defaults.tumbling_ms = Some(1000);
    plan.defaults.lateness_ms = 0;
    change(&mut plan.defaults);
    plan
}

/// Now, `ms` after the start on both clocks.
pub(crate) fn at(ms: u64) -> Now {
    Now {
        instant: Instant(ms),
        wall: Timestamp(WALL + ms as i64),
    }
}

/// What came out, as it can be kept.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a test keeps hundreds of them")]
pub(crate) enum Event {
    Alert {
        id: u64,
        sensor: SensorId,
        rule: String,
        transition: Transition,
        standing: Standing,
        why: String,
    },
    Summary(Summary),
    Profile(Profile, String),
    Rows(Vec<Row>),
    Summaries(Vec<Summary>),
}

/// As [`memory`], for another number of sensors with as many alarms as may be.
pub(crate) fn memory_of(sensors: usize) -> Parts<Boxed> {
    Parts {
        sensors: vec![Sensor::default(); sensors].into(),
        slots: vec![Slot::default(); sensors * SLOTS_MAX].into(),
        gauges: vec![Gauge::default(); sensors * THRESHOLDS_MAX].into(),
        links: vec![Link::default(); sensors].into(),
        ..memory()
    }
}

/// A pipeline, and all that came out of it.
pub(crate) struct Rig {
    /// Boxed, as the gateway has it: the plan in it is large.
    pub(crate) pipeline: Box<Pipeline<Boxed>>,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn keep(output: Output<'_>) -> Event {
    match output {
        Output::Alert(alert) => Event::Alert {
            id: alert.id,
            sensor: alert.sensor,
            rule: alert.rule.to_string(),
            transition: alert.transition,
            standing: alert.standing,
            why: alert.why.to_string(),
        },
        Output::Summary { summary, .. } => Event::Summary(*summary),
        Output::Profile {
            profile, partners, ..
        } => Event::Profile(*profile, partners.join(" ").trim_end().to_string()),
        Output::Batch {
            kind: BatchKind::Telemetry,
            bytes,
            items,
        } => {
            let rows: Vec<Row> = BatchReader::new(bytes)
                .unwrap()
                .map(|item| item.unwrap().1)
                .collect();
            assert_eq!(rows.len(), items as usize);
            Event::Rows(rows)
        }
        Output::Batch {
            kind: BatchKind::Aggregates,
            bytes,
            items,
        } => {
            let summaries: Vec<_> = SummaryReader::new(bytes)
                .unwrap()
                .map(|item| item.unwrap().1)
                .collect();
            assert_eq!(summaries.len(), items as usize);
            Event::Summaries(summaries)
        }
    }
}

impl Rig {
    /// A pipeline with one sensor, whose id is 0.
    pub(crate) fn new(change: impl FnOnce(&mut SensorConfig)) -> Self {
        Self::of(&plan(change))
    }

    pub(crate) fn of(plan: &Plan) -> Self {
        let mut pipeline = Box::new(Pipeline::new(plan.clone(), memory()).unwrap());
        pipeline.register(at(0), "pump", "flow").unwrap();
        Self {
            pipeline,
            events: Vec::new(),
        }
    }

    /// A reading of sensor 0 whose clock is the gateway's.
    pub(crate) fn read(&mut self, ms: u64, value: f64) -> &mut Self {
        let _ = self.read_of(ms, Some(ms as i64), value);
        self
    }

    /// A reading of sensor 0 with a time of its own, in ms since the start.
    pub(crate) fn read_of(&mut self, ms: u64, time: Option<i64>, value: f64) -> Verdict {
        let reading = Reading {
            time: time.map(|ms| Timestamp(WALL + ms)),
            value,
        };
        let events = &mut self.events;
        self.pipeline
            .handle_reading(at(ms), SensorId(0), &reading, &mut |output: Output<'_>| {
                events.push(keep(output))
            })
    }

    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        let events = &mut self.events;
        self.pipeline
            .handle_timeout(at(ms), &mut |output: Output<'_>| events.push(keep(output)));
        self
    }

    pub(crate) fn seal(&mut self, ms: u64) -> &mut Self {
        let events = &mut self.events;
        self.pipeline
            .seal(at(ms), &mut |output: Output<'_>| events.push(keep(output)));
        self
    }

    pub(crate) fn change(&mut self, ms: u64, plan: &Plan) -> Result<(), Invalid> {
        let events = &mut self.events;
        self.pipeline
            .handle_plan(at(ms), plan, &mut |output: Output<'_>| {
                events.push(keep(output))
            })
    }

    /// The summaries so far, as `start+length: mean of n`, with `~` if partial, `bN` for N bad readings, `rN` for a revision.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let tell = |event: &Event| match event {
            Event::Summary(summary) => Some(tell_summary(summary)),
            _ => None,
        };
        self.events.iter().filter_map(tell).collect()
    }

    /// The alerts so far, as `+rule` and `-rule` with the id.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let tell = |event: &Event| match event {
            Event::Alert {
                id,
                rule,
                transition: Transition::Raised,
                ..
            } => Some(std::format!("+{rule} {id}")),
            Event::Alert {
                id,
                rule,
                transition: Transition::Cleared,
                ..
            } => Some(std::format!("-{rule} {id}")),
            _ => None,
        };
        self.events.iter().filter_map(tell).collect()
    }

    /// All rows that are sealed.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let rows = |event: &Event| match event {
            Event::Rows(rows) => rows.clone(),
            _ => Vec::new(),
        };
        self.events.iter().flat_map(rows).collect()
    }
}

fn tell_summary(summary: &Summary) -> String {
    let start = summary.window.start.0 - WALL;
    let mut told = std::format!("{start}+{}:", summary.window.length_ms);
    if let Some(stats) = &summary.stats {
        told += &std::format!(" {} of {}", stats.mean, stats.n);
    }
    if summary.bad > 0 {
        told += &std::format!(" b{}", summary.bad);
    }
    if summary.revision > 0 {
        told += &std::format!(" r{}", summary.revision);
    }
    if summary.partial { told + " ~" } else { told }
}
