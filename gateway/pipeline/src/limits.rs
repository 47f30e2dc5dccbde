//! Every bound of the pipeline, with the reason for its number.

use crate::detect::{Detector, FULL_BLOCKS, Lite, STANDARD_BLOCKS};
use crate::scout::Scout;
use crate::sensor::Sensor;
use crate::window::Pane;
use wire::alert::WHY_BYTES_MAX;
use wire::sketch::SKETCH_BYTES_MAX;

/// Longest gateway id, in bytes: a host name fits.
pub const GATEWAY_BYTES_MAX: usize = 64;
/// Longest device name, in bytes: a UUID or a path of three words fits.
pub const DEVICE_BYTES_MAX: usize = 64;
/// Longest signal name, in bytes.
pub const SIGNAL_BYTES_MAX: usize = 32;
/// Longest unit, in bytes; UCUM's compound units fit.
pub const UNIT_BYTES_MAX: usize = 16;
/// Longest name of a rule, in bytes: it is a level of an MQTT topic.
pub const RULE_BYTES_MAX: usize = 32;

/// Most sensors of a table: an id is 16 bits, and one is kept for "none".
pub const SENSORS_MAX: usize = u16::MAX as usize;
/// Most rules of a plan: a site has tens of sensor kinds, not hundreds, and the plan stays below 64 KiB.
pub const RULES_MAX: usize = 128;
/// Most limits of a sensor: low-low, low, high, high-high, and two of how it moves.
pub const THRESHOLDS_MAX: usize = 6;
/// Most alarms of a sensor: its limits, silence, and what is unusual.
pub const SLOTS_MAX: usize = THRESHOLDS_MAX + 2;
/// Most groups of alarms of which it is told which came first: the machines of a site.
pub const GROUPS_MAX: usize = 16;
/// Most charts of a plan, for each of which a reading looks whether it is of it; each may be of many devices.
pub const CHARTS_MAX: usize = 4;
/// Most suppressions of a plan; sensors share them.
pub const SUPPRESSIONS_MAX: usize = 8;
/// Longest name of who operates an alarm, in bytes: a client id that people use.
pub const PERSON_BYTES_MAX: usize = 32;
/// Longest note of who operates an alarm, in bytes: with the name it fits in an explanation.
pub const NOTE_BYTES_MAX: usize = 48;
/// Most sentinels of a sensor: power-on and disconnection, and what a converter and its driver make of them.
pub const SENTINELS_MAX: usize = 4;
/// Recent readings of a sensor among which a duplicate is found: a client sends the same again within its next few. What a
/// reconnect brings again is known by its fingerprint, however old it is.
pub const RECENT_MAX: usize = 6;
/// Readings of a sensor that wait in its gate: two more tell a step from a glitch.
pub const GATE_HELD_MAX: usize = 3;
/// Values that are filled in at once: a minute at one reading a second, half a week at one an hour.
pub const GATE_FILLED_MAX: usize = 60;
/// What one reading makes a gate release: what is filled in, those that waited, and itself.
pub const GATE_RELEASED_MAX: usize = GATE_FILLED_MAX + GATE_HELD_MAX + 1;
/// Rows that one reading may make follow: what a gate releases, what a thinner held, and what it let go before.
pub const ROWS_PER_CALL_MAX: usize = GATE_RELEASED_MAX + 2;
/// Most conditions of a plan; sensors share them.
pub const CONDITIONS_MAX: usize = 16;
/// Most derived signals of a plan, for each of which a reading looks whether it is an input.
pub const DERIVED_MAX: usize = 16;
/// Longest expression, in bytes: a line and a half of an editor.
pub const EXPRESSION_BYTES_MAX: usize = 256;
/// Most steps of a compiled expression: it stays below half a KiB.
pub const EXPRESSION_OPS_MAX: usize = 24;
/// Most values that wait while an expression is calculated: one for each open parenthesis, and a few.
pub const EXPRESSION_STACK_MAX: usize = 24;
/// Parentheses and calls in each other; each takes a little of the compiler's stack.
pub const EXPRESSION_DEPTH_MAX: usize = 17;
/// Most signals that a formula is about.
pub const INPUTS_MAX: usize = 4;
/// Most units that a sensor's values may come in beside their own.
pub const FLIPS_MAX: usize = 4;
/// Signals of a device that are judged together: a large machine's; more are as good as unknown.
pub const TOGETHER_MAX: usize = 24;
/// Most panes of a sensor: an hour in hops of 15 s.
pub const PANES_MAX: usize = 256;
/// Sessions of a sensor that are kept: two that may go on while readings come out of order, and two that were told.
pub const SESSIONS_MAX: usize = 4;
/// Quantiles of a window that are told: three, and one more.
pub const QUANTILES_MAX: usize = 4;
/// Longest window, in ms: a week. The time it covers fits 32 bits.
pub const WINDOW_MS_MAX: u32 = 7 * 24 * 3_600_000;
/// Shortest time from one profile to the next, in ms: it is written to the disk.
pub const PROFILE_MS_MIN: u32 = 60_000;
/// Sensors of a device that are looked through for those that go along with one.
pub const PARTNERS_SEARCHED_MAX: usize = 64;
/// Shortest window or hop, in ms: below it a summary costs more than its readings.
pub const WINDOW_MS_MIN: u32 = 100;
/// Longest delay of any kind, in ms: a day.
pub const DELAY_MS_MAX: u32 = 24 * 3_600_000;
/// Most rows of an open batch.
pub const ROWS_MAX: usize = 65_536;

/// Largest magnitude of a value: no physical quantity comes near it, and four billion squares of it are still finite.
pub const VALUE_ABS_MAX: f64 = 1e140;
/// The year 2001, in ms since the Unix epoch: an earlier time comes from a clock that was never set.
pub const TIME_MS_MIN: i64 = 978_307_200_000;
/// The year 2200: a later time is no time.
pub const TIME_MS_MAX: i64 = 7_258_118_400_000;
/// Event time in windows stays within this many ms of 1970 (285 000 years), so that no sum of times overflows.
pub const EVENT_MS_ABS_MAX: i64 = 1 << 53;

/// How long the gateway waits for a reading behind the end of a window, beyond the lateness, in ms of its own time.
pub const IDLE_GRACE_MS: u32 = 2_000;
/// Idle windows close at multiples of this many ms, so that a jittering sensor doesn't move its timer with each reading.
pub const IDLE_GRAIN_MS: u64 = 250;
/// Late readings are gathered for this long before the summaries they change are sent again, in ms.
pub const REVISE_MS: u32 = 5_000;

/// Sensors that one call serves because their time has come: the next reading waits for them, and they take less than it takes
/// to write it down.
pub const DUE_PER_CALL_MAX: usize = 256;
/// A call that has told this many alerts and summaries serves no further sensor: after a long pause of the gateway each one may
/// have hundreds of windows to close, and the caller has to keep what they come to.
pub const TOLD_PER_CALL_MAX: u64 = 256;

/// The longest alert, in bytes of the format: a frame, names, and the numbers and the why.
pub const ALERT_BYTES_MAX: usize =
    FRAME_BYTES_MAX + NAME_BYTES_MAX + (1 + RULE_BYTES_MAX) + 40 + (1 + WHY_BYTES_MAX) + 3 + 10;
/// The longest summary in a batch, in bytes of the format: names, because each may be of another sensor, and the
/// numbers.
pub const SUMMARY_BYTES_MAX: usize = NAME_BYTES_MAX + 1 + 125 + SKETCH_BYTES_MAX;
/// What a message takes beside its body.
const FRAME_BYTES_MAX: usize = 1 + 1 + (1 + GATEWAY_BYTES_MAX) + 10 + 4;
/// A sensor with its names.
const NAME_BYTES_MAX: usize =
    3 + (1 + DEVICE_BYTES_MAX) + (1 + SIGNAL_BYTES_MAX) + (1 + UNIT_BYTES_MAX);

/// Alerts that one call may tell of one sensor: each alarm may come back from the shelf, be suppressed or released, and be
/// raised by time and cleared by a reading.
pub const ALERTS_PER_SENSOR_MAX: usize = 4 * SLOTS_MAX;

/// Summaries that one call may tell of one sensor with `panes` panes: of both kinds those that are closed, which begin at most
/// two panes earlier than the oldest that is kept, and those that are revised; and as many sessions.
#[must_use]
pub const fn summaries_per_sensor_max(panes: usize) -> usize {
    2 * (panes + 2) + 2 * panes + 2 * SESSIONS_MAX
}

/// Alerts and batches that one call may emit, if each sensor has `panes` panes: at the worst a plan makes a batch of each summary.
#[must_use]
pub const fn call_rows_max(panes: usize) -> usize {
    TOLD_PER_CALL_MAX as usize + ALERTS_PER_SENSOR_MAX + summaries_per_sensor_max(panes) + 2
}

/// Bytes of the alerts and batches that one call of `handle_reading` or `handle_timeout` may emit, if each sensor has `panes`
/// panes, `summaries` wait at most for their batch, and a batch has at most `buffer` bytes.
#[must_use]
pub const fn call_bytes_max(panes: usize, summaries: usize, buffer: usize) -> usize {
    let telemetry = buffer;
    let alerts = ALERTS_PER_SENSOR_MAX * ALERT_BYTES_MAX;
    let told = TOLD_PER_CALL_MAX as usize + summaries_per_sensor_max(panes);
    // An alert is shorter than a summary with a batch of its own.
    let one = SUMMARY_BYTES_MAX + FRAME_BYTES_MAX;
    telemetry + alerts + told * one + summaries * SUMMARY_BYTES_MAX + FRAME_BYTES_MAX
}

/// The smallest buffer for sealed batches: one row with the longest names fits.
pub const BATCH_BYTES_MIN: usize = 1_024;
/// The largest part of a checkpoint that is made in one piece: a rule, or a sensor without its panes.
pub const CHECKPOINT_PART_BYTES_MAX: usize = 2_048;

/// What a sensor of the least kind may take: tumbling windows with lateness need three panes.
pub const SENSOR_LITE_BYTES_MAX: usize = 1_024;
/// What one may take that is cleaned, and has 32 panes: five minutes every ten seconds.
pub const SENSOR_STANDARD_BYTES_MAX: usize = 4_096;
/// What one may take that is cleaned, and has 160 panes: 39 minutes every fifteen seconds.
pub const SENSOR_FULL_BYTES_MAX: usize = 16_384;

const fn sensor_bytes(panes: usize, slots: usize) -> usize {
    let alarms = slots * size_of::<crate::Slot>();
    size_of::<Sensor>() + panes * size_of::<Pane>() + size_of::<crate::Link>() + alarms
}

const fn gauges_bytes(gauges: usize) -> usize {
    gauges * size_of::<crate::Gauge>()
}

const _: () = {
    // The least kind: tumbling windows, and a detector with its alarm.
    assert!(sensor_bytes(3, 1) + size_of::<Scout<Lite>>() <= SENSOR_LITE_BYTES_MAX);
    assert!(sensor_bytes(32, 2) + size_of::<crate::Gate>() <= SENSOR_STANDARD_BYTES_MAX);
    let standard = size_of::<Scout<Detector<STANDARD_BLOCKS>>>() + size_of::<crate::Gate>();
    assert!(sensor_bytes(3, 3) + standard <= SENSOR_STANDARD_BYTES_MAX);
    let full = size_of::<Scout<Detector<FULL_BLOCKS>>>() + size_of::<crate::Gate>();
    let alarms = gauges_bytes(THRESHOLDS_MAX);
    assert!(sensor_bytes(60, SLOTS_MAX) + full + alarms <= SENSOR_FULL_BYTES_MAX);
    assert!(sensor_bytes(160, 2) + size_of::<crate::Gate>() <= SENSOR_FULL_BYTES_MAX);
    assert!(RULES_MAX < u16::MAX as usize);
    assert!(ALERT_BYTES_MAX <= SUMMARY_BYTES_MAX + FRAME_BYTES_MAX);
    assert!(
        BATCH_BYTES_MIN
            >= GATEWAY_BYTES_MAX + DEVICE_BYTES_MAX + SIGNAL_BYTES_MAX + UNIT_BYTES_MAX + 256
    );
};
