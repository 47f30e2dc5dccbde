//! How much one call does, whoever waits.

use super::*;
use crate::config::{SilenceRule, Sliding, Threshold};
use crate::limits::{
    ALERT_BYTES_MAX, BATCH_BYTES_MIN, DEVICE_BYTES_MAX, DUE_PER_CALL_MAX, GATEWAY_BYTES_MAX,
    PANES_MAX, RULE_BYTES_MAX, SIGNAL_BYTES_MAX, SUMMARY_BYTES_MAX, TOLD_PER_CALL_MAX,
    UNIT_BYTES_MAX, call_bytes_max, call_rows_max, summaries_per_sensor_max,
};
use std::format;
use wire::sketch::SKETCH_BYTES_MAX;
use wire::{Alert, Severity, Sketch, Stats, Why, Window, write_summaries};

const MANY: usize = 10_000;
const SUMMARIES: usize = 1024;
const BUFFER: usize = 64 * 1024;

/// What one call emitted.
#[derive(Default)]
struct Tally {
    alerts: usize,
    summaries: usize,
    batches: usize,
    bytes: usize,
    rows: Vec<Row>,
}

impl Emit for Tally {
    fn emit(&mut self, output: Output<'_>) {
        match output {
            Output::Alert(alert) => {
                self.alerts += 1;
                self.bytes += alert.write("box", &mut [0; ALERT_BYTES_MAX]).unwrap().len();
            }
            Output::Summary { .. } => self.summaries += 1,
            Output::Profile { .. } => {}
            Output::Batch { kind, bytes, .. } => {
                self.batches += 1;
                self.bytes += bytes.len();
                if kind == BatchKind::Telemetry {
                    let rows = BatchReader::new(bytes).unwrap();
                    self.rows.extend(rows.map(|item| item.unwrap().1));
                }
            }
        }
    }
}

/// A pipeline with many sensors; each has sent one reading.
fn crowd(sensors: usize, panes: usize, plan: Plan) -> Pipeline<Boxed> {
    let memory = Parts {
        panes: vec![Pane::default(); sensors * panes].into(),
        sketches: vec![PaneSketch::default(); sensors * panes].into(),
        miners: vec![Miner::default(); sensors].into(),
        thinners: vec![Thinner::default(); sensors].into(),
        gates: vec![Gate::default(); sensors].into(),
        rows: vec![OpenRow::default(); 8192].into(),
        summaries: vec![Summary::default(); SUMMARIES].into(),
        bytes: vec![0; BUFFER].into(),
        ..memory_of(sensors)
    };
    let mut pipeline = Pipeline::new(plan, memory).unwrap();
    for number in 0..sensors {
        let sensor = pipeline
            .register(at(0), &format!("device-{number}"), "flow")
            .unwrap();
        let reading = Reading {
            time: None,
            value: 1.0,
        };
        let _ = pipeline.handle_reading(at(0), sensor, &reading, &mut Tally::default());
    }
    pipeline
}

/// Calls until nothing is due; no call may do more than it should.
fn drain(pipeline: &mut Pipeline<Boxed>, now: Now, panes: usize) -> Vec<Tally> {
    let mut calls = Vec::new();
    while pipeline.deadline().is_some_and(|due| due <= now.instant) {
        let mut tally = Tally::default();
        pipeline.handle_timeout(now, &mut tally);
        assert!(tally.bytes <= call_bytes_max(panes, SUMMARIES, BUFFER));
        assert!(tally.alerts + tally.batches <= call_rows_max(panes));
        assert!(
            tally.alerts + tally.summaries
                < TOLD_PER_CALL_MAX as usize + summaries_per_sensor_max(panes)
        );
        calls.push(tally);
        assert!(calls.len() < MANY, "each call does something");
    }
    calls
}

fn silent(after_ms: u32) -> Plan {
    plan(|config| {
        config.silence = Some(SilenceRule {
            after_ms,
            severity: Severity::Warning,
        });
    })
}

#[test]
fn ten_thousand_sensors_that_fall_silent_together_are_told_in_many_calls() {
    let mut pipeline = crowd(MANY, 2, silent(1000));
    let calls = drain(&mut pipeline, at(60_000), 2);
    let alerts: usize = calls.iter().map(|call| call.alerts).sum();
    let summaries: usize = calls.iter().map(|call| call.summaries).sum();
    assert_eq!((alerts, summaries), (MANY, MANY));
    assert!(
        calls
            .iter()
            .all(|call| call.alerts <= DUE_PER_CALL_MAX && call.summaries <= DUE_PER_CALL_MAX)
    );
    assert_eq!(pipeline.alerts().count(), MANY);
    assert!(
        drain(&mut pipeline, at(70_000), 2)
            .iter()
            .all(|call| call.alerts == 0)
    );
    assert_eq!(pipeline.deadline(), None);
}

#[test]
fn a_reading_does_not_wait_for_other_sensors() {
    let mut pipeline = crowd(MANY, 2, silent(1000));
    let reading = Reading {
        time: None,
        value: 2.0,
    };
    let last = SensorId(MANY as u16 - 1);
    let mut tally = Tally::default();
    let verdict = pipeline.handle_reading(at(60_000), last, &reading, &mut tally);
    assert!(matches!(verdict, Verdict::Taken(_)));
    // Its own silence is raised and cleared, and its own window closed; nobody else's.
    assert_eq!((tally.alerts, tally.summaries, tally.batches), (2, 1, 0));
    assert_eq!(pipeline.alerts().count(), 0);
    let calls = drain(&mut pipeline, at(60_000), 2);
    assert_eq!(
        calls.iter().map(|call| call.alerts).sum::<usize>(),
        MANY - 1
    );
}

#[test]
fn sensors_with_many_windows_to_close_stop_a_call_early() {
    // One pane more than the window has is kept for revisions.
    const WINDOWS: usize = PANES_MAX - 1;
    let mut plan = plan(|config| {
        config.tumbling_ms = None;
        config.sliding = Some(Sliding {
            window_ms: WINDOWS as u32 * 1000,
            hop_ms: 1000,
        });
    });
    plan.batch.readings_max = 1;
    let mut pipeline = crowd(20, PANES_MAX, plan);
    let calls = drain(&mut pipeline, at(3_600_000), PANES_MAX);
    let summaries: Vec<usize> = calls.iter().map(|call| call.summaries).collect();
    // A call stops once it has told TOLD_PER_CALL_MAX, which the second sensor brings about.
    assert_eq!(summaries, [2 * WINDOWS; 10]);
}

#[test]
fn a_batch_that_is_too_long_for_the_buffer_is_told_in_several_calls() {
    let mut pipeline = crowd(MANY, 2, silent(60_000));
    let calls = drain(&mut pipeline, at(10_000), 2);
    let rows: Vec<u16> = calls
        .iter()
        .flat_map(|call| call.rows.iter().map(|row| row.sensor.0))
        .collect();
    // A part was sealed when the memory was full; the rest comes in the order of sensors, nothing twice.
    assert!(calls.iter().filter(|call| !call.rows.is_empty()).count() > 1);
    assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
    assert!(rows.contains(&(MANY as u16 - 1)));
}

#[test]
fn rows_that_wait_for_the_next_batch_keep_the_order_of_arrival() {
    let mut plan = plan(|config| config.tumbling_ms = None);
    plan.batch.readings_max = 150;
    let mut small = memory();
    small.rows = vec![OpenRow::default(); 150].into();
    small.bytes = vec![0; BATCH_BYTES_MIN].into();
    let mut pipeline = Pipeline::new(plan, small).unwrap();
    for device in ["a", "b", "c"] {
        let _ = pipeline.register(at(0), device, "flow");
    }
    let mut tally = Tally::default();
    for n in 0..300_u64 {
        let reading = Reading {
            time: None,
            value: n as f64 + 1e-12,
        };
        let _ = pipeline.handle_reading(at(n), SensorId(n as u16 % 3), &reading, &mut tally);
    }
    pipeline.seal(at(300), &mut tally);
    assert!(
        tally.batches > 300 / 150,
        "some batches were too long for the buffer"
    );
    for sensor in 0..3 {
        let own = tally.rows.iter().filter(|row| row.sensor.0 == sensor);
        let times: Vec<i64> = own.map(|row| row.arrival.0 - WALL).collect();
        let expected: Vec<i64> = (0..100).map(|n| n * 3 + i64::from(sensor)).collect();
        assert_eq!(times, expected);
    }
}

/// Names of the longest kind.
struct Longest {
    device: String,
    signal: String,
    unit: String,
    gateway: String,
}

impl Longest {
    fn new() -> Self {
        Self {
            device: "d".repeat(DEVICE_BYTES_MAX),
            signal: "s".repeat(SIGNAL_BYTES_MAX),
            unit: "u".repeat(UNIT_BYTES_MAX),
            gateway: "g".repeat(GATEWAY_BYTES_MAX),
        }
    }

    fn name(&self) -> SensorName<'_> {
        SensorName {
            device: &self.device,
            signal: &self.signal,
            unit: &self.unit,
        }
    }
}

#[test]
fn the_longest_alert_fits_its_bound() {
    let longest = Longest::new();
    let (name, sensor) = (longest.name(), SensorId(u16::MAX));
    let alert = Alert {
        clock: Clock::Synced,
        id: u64::MAX,
        sensor,
        name,
        rule: &"r".repeat(RULE_BYTES_MAX),
        kind: wire::AlertKind::Together,
        transition: Transition::Raised,
        standing: Standing::Acknowledged,
        first_out: Some(u64::MAX),
        severity: Severity::Critical,
        at: Timestamp(i64::MAX),
        since: Timestamp(-2),
        value: Some(1.0),
        limit: Some(1.0),
        why: Why::new(format_args!("{}", "w".repeat(200))),
    };
    let mut buffer = [0; 1024];
    let len = alert.write(&longest.gateway, &mut buffer).unwrap().len();
    assert_eq!(len, ALERT_BYTES_MAX);
}

#[test]
fn the_longest_summary_fits_its_bound() {
    let longest = Longest::new();
    let (name, sensor) = (longest.name(), SensorId(u16::MAX));
    let mut buffer = [0; 1024];
    let far = Stats {
        n: u32::MAX,
        covered_ms: u32::MAX,
        first_at: 0,
        last_at: 0,
        ..Stats::of(0, 1.0)
    };
    let summary = Summary {
        sensor,
        window: Window {
            start: Timestamp(i64::MIN + 1),
            length_ms: u32::MAX,
            kind: wire::WindowKind::Sliding,
        },
        stats: Some(far),
        uncertain: u32::MAX,
        bad: u32::MAX,
        ewma: Some(1.0),
        sketch: Some(Sketch::default()),
        revision: u32::MAX,
        partial: true,
        clock: Clock::Synced,
    };
    let empty = write_summaries(
        &longest.gateway,
        Timestamp(0),
        &[] as &[Summary],
        |_| name,
        &mut buffer,
    );
    let empty = empty.unwrap().len();
    let one = write_summaries(
        &longest.gateway,
        Timestamp(0),
        &[summary],
        |_| name,
        &mut buffer,
    );
    // The sketch is empty: its longest is known to the format.
    let sketch = SKETCH_BYTES_MAX - 2;
    assert_eq!(one.unwrap().len() - empty + sketch, SUMMARY_BYTES_MAX);
}

#[test]
fn thresholds_and_silence_tell_no_more_than_their_bound() {
    let mut plan = silent(1000);
    for rule in ["a", "b", "c", "d"] {
        let threshold = Threshold {
            rule: rule.try_into().unwrap(),
            limit: 0.0,
            on_delay_ms: 500,
            ..Threshold::default()
        };
        plan.defaults.thresholds.push(threshold).unwrap();
    }
    let mut pipeline = crowd(1, 2, plan);
    let reading = Reading {
        time: None,
        value: -1.0,
    };
    let mut tally = Tally::default();
    let _ = pipeline.handle_reading(at(60_000), SensorId(0), &reading, &mut tally);
    assert_eq!(
        tally.alerts,
        2 * 5,
        "each is raised by time and cleared by the reading"
    );
    assert!(tally.alerts <= crate::limits::ALERTS_PER_SENSOR_MAX);
}
