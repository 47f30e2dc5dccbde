//! A series with faults goes through the pipeline, and its rows come back by slot.

use pipeline::config::{Cleaning, Fill, Method, Range, Unit};
use pipeline::{
    BatchKind, Gate, Instant, Link, Now, OpenRow, Output, Pane, Parts, Pipeline, Plan, Reading,
    Sensor,
};
use wire::{BatchReader, Flags, Quality, Row, Summary, Timestamp};

use super::CleaningError;
use super::faults::Injected;
use super::series::Series;
use crate::machine::Boxed;

/// When the series begins: any time behind 2001.
const START_MS: i64 = 1_700_000_000_000;
/// From a reading to its arrival, ms.
const LAG_MS: i64 = 100;

/// What is known of a slot in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) value: f64,
    pub(super) flags: Flags,
}

fn memory(panes: usize) -> Parts<Boxed> {
    Parts {
        sensors: [Sensor::default()].into(),
        panes: vec![Pane::default(); panes].into(),
        sketches: [].into(),
        gates: [Gate::default()].into(),
        thinners: [].into(),
        miners: [].into(),
        slots: [].into(),
        gauges: [].into(),
        lites: [].into(),
        standards: [].into(),
        fulls: [].into(),
        crews: [].into(),
        links: [Link::default()].into(),
        rows: vec![OpenRow::default(); 1024].into(),
        summaries: vec![Summary::default(); 64].into(),
        bytes: vec![0; 65_536].into(),
    }
}

/// One set of parameters for all series, but for the range.
fn plan(series: &Series, method: Method) -> Plan {
    let mut plan = Plan::default();
    let name_fits = plan.gateway.push_str("bench");
    debug_assert!(name_fits.is_ok());
    let [min, max] = series.range;
    plan.defaults.range = Some(Range { min, max });
    plan.defaults.tumbling_ms = None;
    plan.defaults.cleaning = Some(Cleaning {
        method,
        flips: [Unit::Fahrenheit].into_iter().collect(),
        fill: Fill::Linear,
        wait_ms_max: 24 * 3_600_000,
        fill_ms_max: 3 * 24 * 3_600_000,
        ..Cleaning::default()
    });
    plan
}

/// The slots as the pipeline's rows tell of them; none where they say nothing.
pub(super) fn clean(
    series: &Series,
    injected: &Injected,
    method: Method,
) -> Result<Vec<Option<Slot>>, CleaningError> {
    let plan = plan(series, method);
    let panes = plan.panes_min().max(1) as usize;
    let mut pipeline = Pipeline::new(plan, memory(panes)).map_err(CleaningError::Plan)?;
    let mut slots = vec![None; injected.sent.len()];
    let mut keep = |output: Output<'_>| keep(output, series.period_ms, &mut slots);
    let now_of = |at: usize| {
        let ms = at as i64 * series.period_ms + LAG_MS;
        Now {
            instant: Instant(ms.unsigned_abs()),
            wall: Timestamp(START_MS + ms),
        }
    };
    let Ok(sensor) = pipeline.register(now_of(0), "bench", "series") else {
        return Ok(slots);
    };
    for (at, sent) in injected.sent.iter().enumerate() {
        let Some(value) = *sent else { continue };
        let time = Some(Timestamp(START_MS + at as i64 * series.period_ms));
        let reading = Reading { time, value };
        let _ = pipeline.handle_reading(now_of(at), sensor, &reading, &mut keep);
    }
    pipeline.seal(now_of(injected.sent.len() + 100), &mut keep);
    Ok(slots)
}

fn keep(output: Output<'_>, period_ms: i64, slots: &mut [Option<Slot>]) {
    let Output::Batch {
        kind: BatchKind::Telemetry,
        bytes,
        ..
    } = output
    else {
        return;
    };
    let rows = BatchReader::new(bytes).into_iter().flatten();
    for (_, row) in rows.filter_map(Result::ok) {
        let at = (row.time.0 - START_MS + period_ms / 2) / period_ms;
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| slots.get_mut(at)) {
            *slot = slot_of(&row).or(*slot);
        }
    }
}

fn slot_of(row: &Row) -> Option<Slot> {
    let value = row.content.value()?;
    (row.flags.quality() != Quality::Bad).then_some(Slot {
        value,
        flags: row.flags,
    })
}
