//! A pipeline with three sensors, and what must hold of all that comes out of it.

use pipeline::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use pipeline::{
    BatchKind, Crew, Gate, Gauge, Instant, Link, Memory, Miner, Now, OpenRow, Output, Pane,
    PaneSketch, Parts, Pipeline, Plan, Reading, Scout, Sensor, Slot, Thinner,
};
use wire::{BatchReader, SensorId, Summary, SummaryReader, Timestamp};

/// The memory is boxed.
pub struct Boxed;

impl Memory for Boxed {
    type Sensors = Box<[Sensor]>;
    type Panes = Box<[Pane]>;
    type Sketches = Box<[PaneSketch]>;
    type Gates = Box<[Gate]>;
    type Thinners = Box<[Thinner]>;
    type Miners = Box<[Miner]>;
    type Links = Box<[Link]>;
    type Slots = Box<[Slot]>;
    type Gauges = Box<[Gauge]>;
    type Lites = Box<[Scout<Lite>]>;
    type Standards = Box<[Scout<Detector<STANDARD_BLOCKS>>]>;
    type Fulls = Box<[Scout<Detector<FULL_BLOCKS>>]>;
    type Crews = Box<[Scout<Crew>]>;
    type Rows = Box<[OpenRow]>;
    type Summaries = Box<[Summary]>;
    type Bytes = Box<[u8]>;
}

/// Sensors.
pub const SENSORS: usize = 3;
/// Panes of each.
pub const PANES: usize = 16;
/// Alarms of each, and gauges.
const SLOTS: usize = 8;
/// When the gateway's time begins: 2026.
const WALL: i64 = 1_767_225_600_000;

fn memory() -> Parts<Boxed> {
    Parts {
        sensors: vec![Sensor::default(); SENSORS].into(),
        panes: vec![Pane::default(); SENSORS * PANES].into(),
        sketches: vec![PaneSketch::default(); SENSORS * PANES].into(),
        gates: vec![Gate::default(); SENSORS].into(),
        thinners: vec![Thinner::default(); SENSORS].into(),
        miners: vec![Miner::default(); SENSORS].into(),
        slots: vec![Slot::default(); SENSORS * SLOTS].into(),
        gauges: vec![Gauge::default(); SENSORS * SLOTS].into(),
        lites: (0..SENSORS).map(|_| Scout::default()).collect(),
        standards: (0..SENSORS).map(|_| Scout::default()).collect(),
        fulls: (0..SENSORS).map(|_| Scout::default()).collect(),
        crews: (0..SENSORS).map(|_| Scout::default()).collect(),
        links: vec![Link::default(); SENSORS].into(),
        rows: vec![OpenRow::default(); 128].into(),
        summaries: vec![Summary::default(); 32].into(),
        bytes: vec![0; 16 * 1024].into(),
    }
}

/// A pipeline whose rows are counted.
pub struct Line {
    pipeline: Box<Pipeline<Boxed>>,
    rows: u64,
    ms: u64,
}

impl Line {
    /// With sensors of these names; none if the plan cannot be used.
    #[must_use]
    pub fn new(plan: Plan, names: [(&str, &str); SENSORS]) -> Option<Self> {
        let mut pipeline = Box::new(Pipeline::new(plan, memory()).ok()?);
        for (device, signal) in names {
            pipeline.register(now(0), device, signal).ok()?;
        }
        Some(Self {
            pipeline,
            rows: 0,
            ms: 0,
        })
    }

    /// A reading, `wait_ms` behind the one before.
    pub fn read(&mut self, wait_ms: u64, sensor: u16, time: Option<i64>, value: f64) {
        self.ms += wait_ms;
        let reading = Reading {
            time: time.map(Timestamp),
            value,
        };
        let rows = &mut self.rows;
        let mut out = |output: Output<'_>| *rows += rows_of(output);
        let _ = self
            .pipeline
            .handle_reading(now(self.ms), SensorId(sensor), &reading, &mut out);
        self.serve();
    }

    /// Does what is due.
    fn serve(&mut self) {
        for _ in 0..16 {
            if self.pipeline.deadline().is_none_or(|due| due.0 > self.ms) {
                return;
            }
            let rows = &mut self.rows;
            let mut out = |output: Output<'_>| *rows += rows_of(output);
            self.pipeline.handle_timeout(now(self.ms), &mut out);
        }
    }

    /// Takes over another plan, if it can be used.
    pub fn change(&mut self, plan: &Plan) {
        let rows = &mut self.rows;
        let mut out = |output: Output<'_>| *rows += rows_of(output);
        let _ = self.pipeline.handle_plan(now(self.ms), plan, &mut out);
    }

    /// Saves and restores it, which must change nothing.
    pub fn sleep(&mut self) {
        let mut bytes = Vec::new();
        self.pipeline.save(|part| bytes.extend_from_slice(part));
        let digest = self.pipeline.digest();
        *self.pipeline = Pipeline::restore(memory(), &bytes).expect("it was just saved");
        assert_eq!(self.pipeline.digest(), digest);
    }

    /// Waits until all is told, and holds what came out against what went in.
    pub fn end(mut self) {
        let mut plan = self.pipeline.plan().clone();
        // Gates and thinners let go of what they hold.
        plan.rules.clear();
        plan.defaults.cleaning = None;
        plan.defaults.thinning = None;
        self.change(&plan);
        let counters = self.pipeline.counters();
        let sensors = (0..self.pipeline.sensors()).map(SensorId);
        let sensors = sensors.filter_map(|sensor| self.pipeline.status(sensor));
        let taken: u64 = sensors
            .map(|sensor| u64::from(sensor.counts.readings))
            .sum();
        assert_eq!(
            self.rows + counters.thinned,
            taken + counters.filled,
            "each reading is a row, or counted"
        );
    }
}

fn now(ms: u64) -> Now {
    Now {
        instant: Instant(ms),
        wall: Timestamp(WALL + ms as i64),
    }
}

/// Every batch can be read; tells how many rows it has.
fn rows_of(output: Output<'_>) -> u64 {
    match output {
        Output::Batch {
            kind: BatchKind::Telemetry,
            bytes,
            items,
        } => {
            let rows = BatchReader::new(bytes).expect("a batch");
            let rows = rows.map(|row| row.expect("a row")).count();
            assert_eq!(rows, items as usize);
            u64::from(items)
        }
        Output::Batch {
            kind: BatchKind::Aggregates,
            bytes,
            items,
        } => {
            let summaries = SummaryReader::new(bytes).expect("a batch");
            for summary in summaries.map(|summary| summary.expect("a summary").1) {
                if let Some(stats) = summary.stats {
                    assert!(stats.n > 0 && stats.min <= stats.max, "{stats:?}");
                    assert!(stats.mean.is_finite() && stats.m2 >= 0.0, "{stats:?}");
                }
            }
            assert!(items > 0);
            0
        }
        Output::Alert(_) | Output::Summary { .. } | Output::Profile { .. } => 0,
    }
}
