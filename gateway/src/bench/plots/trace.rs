//! A signal on its way through the pipeline, as a box would run it: what there is to draw of it.

use pipeline::config::{Cleaning, Depth, Detect, Fill, Range, Unit};
use pipeline::detect::{Detector, FULL_BLOCKS, Trend};
use pipeline::limits::{WINDOW_MS_MAX, WINDOW_MS_MIN};
use pipeline::{
    BatchKind, Gate, Instant, Link, Now, OpenRow, Output, Pane, Parts, Pipeline, Plan, Reading,
    Scout, Sensor, Slot, Unusable,
};
use wire::{BatchReader, Content, Flags, Quality, Reasons, Summary, Timestamp, Transition};

use super::curve::{Cells, Curve, Span};
use crate::machine::Boxed;

/// Behind all times of files that count from 0.
const START_MS: i64 = 1_700_000_000_000;
/// From a reading to its arrival, ms.
const LAG_MS: i64 = 100;
/// Averages of a drawing, if the file has rows enough.
const AVERAGES: i64 = 120;
/// Rows of an average at least.
const AVERAGE_ROWS_MIN: i64 = 6;
/// Steps of the gateway that may be due between two readings: more wait for the next.
const STEPS_MAX: usize = 64;

/// What is known of a sensor in advance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// What it can measure.
    pub(crate) range: Option<[f64; 2]>,
    /// Whether °F may come for °C.
    pub(crate) flips: bool,
}

/// What became of the readings of a signal, by column.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// As sent.
    pub(crate) sent: Curve,
    /// Once cleaned.
    pub(crate) cleaned: Curve,
    /// As sent, where it was changed.
    pub(crate) changed: Curve,
    /// Mean of each window.
    pub(crate) average: Curve,
    /// Forecast for each time, less and more what it may be wrong by.
    pub(crate) forecast: Curve,
    /// Where a row is good, uncertain, bad.
    pub(crate) qualities: [Cells; 3],
    /// Why it is not good, by the bits of the reasons.
    pub(crate) reasons: [Cells; Reasons::NAMES.len()],
    /// While the alarm of the detector stands.
    pub(crate) alarm: Cells,
    pub(crate) counts: Counts,
    /// Length of the windows, ms.
    pub(crate) window_ms: i64,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Rows that came out, by quality: good, uncertain, bad.
    pub(crate) rows: [u64; 3],
    /// By reason, of those that are not good.
    pub(crate) reasons: [u64; Reasons::NAMES.len()],
    /// Values that came as forecast, give or take, and values that were forecast.
    pub(crate) foretold: [u64; 2],
    /// Alarms.
    pub(crate) raised: u64,
}

/// A trace that is on its way.
struct Watch {
    trace: Trace,
    span: Span,
    /// What is added to the times of the file.
    shift_ms: i64,
    /// Since when the alarm stands.
    since: Option<usize>,
}

impl Trace {
    /// Takes the readings through the pipeline.
    pub(crate) fn of(
        span: Span,
        times: &[i64],
        values: &[f64],
        known: Known,
    ) -> Result<Box<Self>, Unusable> {
        let period_ms = period_ms(times);
        let window_ms = (span.length_ms() / AVERAGES).max(AVERAGE_ROWS_MIN * period_ms);
        // Whole periods, so that each window has as many readings.
        let window_ms = ((window_ms + period_ms - 1) / period_ms * period_ms)
            .clamp(i64::from(WINDOW_MS_MIN), i64::from(WINDOW_MS_MAX));
        let plan = plan(window_ms, period_ms, known);
        let memory = memory(plan.panes_min() as usize, plan.slots_min());
        let mut pipeline = Box::new(Pipeline::new(plan, memory)?);
        let is_early = span.from < pipeline::limits::TIME_MS_MIN;
        let mut watch = Watch {
            trace: Self {
                window_ms,
                ..Self::default()
            },
            span,
            shift_ms: if is_early { START_MS - span.from } else { 0 },
            since: None,
        };
        watch.drive(&mut pipeline, times, values);
        watch.foretell(times, values);
        if let Some(since) = watch.since {
            watch.trace.alarm.mark(since, span.column(span.until));
        }
        Ok(Box::new(watch.trace))
    }
}

impl Watch {
    fn drive(&mut self, pipeline: &mut Pipeline<Boxed>, times: &[i64], values: &[f64]) {
        let begin = self.span.from;
        let now_at = |time: i64| Now {
            instant: Instant(time.saturating_sub(begin).saturating_add(LAG_MS) as u64),
            wall: Timestamp(time + LAG_MS),
        };
        let shifted = |now: Now, shift_ms: i64| Now {
            wall: Timestamp(now.wall.0 + shift_ms),
            ..now
        };
        let mut latest = now_at(begin);
        let shift_ms = self.shift_ms;
        let Ok(sensor) = pipeline.register(shifted(latest, shift_ms), "bench", "series") else {
            return;
        };
        for (time, value) in times.iter().zip(values) {
            self.trace.sent.push(self.span.column(*time), *value);
            if now_at(*time).instant > latest.instant {
                latest = now_at(*time);
            }
            let now = shifted(latest, shift_ms);
            for _ in 0..STEPS_MAX {
                if pipeline.deadline().is_none_or(|due| due > now.instant) {
                    break;
                }
                pipeline.handle_timeout(now, &mut |output: Output<'_>| self.take(output));
            }
            let reading = Reading {
                time: Some(Timestamp(time + shift_ms)),
                value: *value,
            };
            let out = &mut |output: Output<'_>| self.take(output);
            let _ = pipeline.handle_reading(now, sensor, &reading, out);
        }
        // A plan without gate and windows lets go of all that waits.
        let plan = Plan::default();
        let now = shifted(latest, shift_ms);
        let out = &mut |output: Output<'_>| self.take(output);
        let _ = pipeline.handle_plan(now, &plan, out);
        pipeline.seal(now, &mut |output: Output<'_>| self.take(output));
    }

    fn take(&mut self, output: Output<'_>) {
        match output {
            Output::Batch {
                kind: BatchKind::Telemetry,
                bytes,
                ..
            } => {
                let rows = BatchReader::new(bytes).into_iter().flatten();
                for (_, row) in rows.filter_map(Result::ok) {
                    self.take_row(row.time.0 - self.shift_ms, row.content, row.flags);
                }
            }
            Output::Summary { summary, .. } => self.take_summary(summary),
            Output::Alert(alert) => {
                let column = self.span.column(alert.at.0 - LAG_MS - self.shift_ms);
                match (alert.transition, self.since) {
                    (Transition::Raised, _) => {
                        self.trace.counts.raised += 1;
                        self.since = Some(column);
                    }
                    (Transition::Cleared, Some(since)) => {
                        self.trace.alarm.mark(since, column);
                        self.since = None;
                    }
                    _ => {}
                }
            }
            Output::Batch { .. } | Output::Profile { .. } => {}
        }
    }

    fn take_row(&mut self, time: i64, content: Content, flags: Flags) {
        let (trace, column) = (&mut self.trace, self.span.column(time));
        if let Some(value) = content.value() {
            trace.cleaned.push(column, value);
        }
        if let Content::Repaired { raw, .. } | Content::Refused(raw) = content {
            trace.changed.push(column, raw);
        }
        let quality = flags.quality();
        trace.counts.rows[quality as usize] += 1;
        trace.qualities[quality as usize].mark(column, column);
        if quality == Quality::Good {
            return;
        }
        for bit in (0..Reasons::NAMES.len()).filter(|bit| flags.reasons().0 >> bit & 1 == 1) {
            trace.reasons[bit].mark(column, column);
            trace.counts.reasons[bit] += 1;
        }
    }

    fn take_summary(&mut self, summary: &Summary) {
        let middle = summary.window.start.0 + i64::from(summary.window.length_ms) / 2;
        if let Some(stats) = summary.stats {
            let column = self.span.column(middle - self.shift_ms);
            self.trace.average.push(column, stats.mean);
        }
    }

    /// Holds what the trend foretells, one window ahead, against what came.
    fn foretell(&mut self, times: &[i64], values: &[f64]) {
        let ahead_ms = self.trace.window_ms;
        let mut trend = Trend::new(2.0 * ahead_ms as f64);
        // What is foretold and not due yet: the newest for each part of a window, so that few are kept.
        let mut open: std::collections::VecDeque<(i64, f64, f64)> = Default::default();
        for (time, value) in times.iter().zip(values).filter(|(_, it)| it.is_finite()) {
            while let Some((_, low, high)) = open.pop_front_if(|(due, ..)| *due <= *time) {
                let is_within = (low..=high).contains(value);
                self.trace.counts.foretold[0] += u64::from(is_within);
                self.trace.counts.foretold[1] += 1;
            }
            trend.push(Timestamp(*time), *value);
            let is_room = open.back().is_none_or(|(due, ..)| {
                *due + ahead_ms / crate::limits::PLOT_FORECASTS_OPEN <= *time + ahead_ms
            });
            let Some(forecast) = trend.ahead(ahead_ms as f64).filter(|_| is_room) else {
                continue;
            };
            let [low, high] = [-1.0, 1.0].map(|side| forecast.value + side * forecast.give);
            let due = time + ahead_ms;
            open.push_back((due, low, high));
            if due <= self.span.until {
                let column = self.span.column(due);
                self.trace.forecast.push(column, low);
                self.trace.forecast.push(column, high);
            }
        }
    }
}

/// The usual time from a row to the next, ms.
fn period_ms(times: &[i64]) -> i64 {
    let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.retain(|step| *step > 0);
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(1)
}

/// One plan for all files, but for what is known of the sensor.
fn plan(window_ms: i64, period_ms: i64, known: Known) -> Plan {
    let mut plan = Plan::default();
    let name_fits = plan.gateway.push_str("bench");
    debug_assert!(name_fits.is_ok());
    let sensor = &mut plan.defaults;
    sensor.range = known.range.map(|[min, max]| Range { min, max });
    sensor.tumbling_ms = Some(window_ms as u32);
    sensor.lateness_ms = 0;
    let ms = |rows: i64| u32::try_from(rows * period_ms).unwrap_or(u32::MAX);
    let flips = known.flips.then_some(Unit::Fahrenheit);
    sensor.cleaning = Some(Cleaning {
        flips: flips.into_iter().collect(),
        fill: Fill::Linear,
        wait_ms_max: ms(100).min(pipeline::limits::DELAY_MS_MAX),
        fill_ms_max: ms(60),
        ..Cleaning::default()
    });
    sensor.detect = Some(Detect {
        depth: Depth::Full,
        ..Detect::default()
    });
    plan
}

fn memory(panes: usize, slots: usize) -> Parts<Boxed> {
    Parts {
        sensors: [Sensor::default()].into(),
        panes: vec![Pane::default(); panes].into(),
        sketches: [].into(),
        gates: [Gate::default()].into(),
        thinners: [].into(),
        miners: [].into(),
        slots: vec![Slot::default(); slots].into(),
        gauges: [].into(),
        lites: [].into(),
        standards: [].into(),
        fulls: (0..1)
            .map(|_| Scout::<Detector<FULL_BLOCKS>>::default())
            .collect(),
        crews: [].into(),
        links: [Link::default()].into(),
        rows: vec![OpenRow::default(); 1024].into(),
        summaries: vec![Summary::default(); 64].into(),
        bytes: vec![0; 65_536].into(),
    }
}
