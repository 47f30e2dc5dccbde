//! Every bound of the pipeline, with the reason for its number.

use crate::sensor::Sensor;
use crate::window::Pane;

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
/// Most thresholds of a sensor: low-low, low, high, high-high.
pub const THRESHOLDS_MAX: usize = 4;
/// Recent readings of a sensor among which a duplicate is found: more than a client has in flight for one sensor.
pub const RECENT_MAX: usize = 16;
/// Most panes of a sensor: an hour in hops of 15 s.
pub const PANES_MAX: usize = 256;
/// Longest window, in ms: a week. The time it covers fits 32 bits.
pub const WINDOW_MS_MAX: u32 = 7 * 24 * 3_600_000;
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

/// The smallest buffer for sealed batches: one row with the longest names fits.
pub const BATCH_BYTES_MIN: usize = 1_024;
/// The largest part of a checkpoint that is made in one piece: a rule, or a sensor without its panes.
pub const CHECKPOINT_PART_BYTES_MAX: usize = 2_048;

/// What a sensor of the least kind may take: two panes do for tumbling windows.
pub const SENSOR_LITE_BYTES_MAX: usize = 1_024;

const _: () = {
    assert!(
        size_of::<Sensor>() + 2 * size_of::<Pane>() + size_of::<crate::Link>()
            <= SENSOR_LITE_BYTES_MAX
    );
    assert!(RULES_MAX < u16::MAX as usize);
    assert!(
        BATCH_BYTES_MIN
            >= GATEWAY_BYTES_MAX + DEVICE_BYTES_MAX + SIGNAL_BYTES_MAX + UNIT_BYTES_MAX + 256
    );
};
