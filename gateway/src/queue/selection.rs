//! What of the store is exported: a lane, a span of time, some sensors.

use core::str::FromStr;
use std::time::UNIX_EPOCH;

use pipeline::glob;
use wire::{SensorName, Timestamp};

use crate::outbox::Lane;

/// A part of what waits.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which lane.
    pub lane: Lane,
    /// Event times from this one on: of a summary the start of its window, of alerts and gaps when the gateway decided.
    pub from: Timestamp,
    /// Event times before this one.
    pub to: Timestamp,
    /// Which sensors; none: all. Gaps belong to no sensor.
    pub sensors: Vec<SensorPattern>,
}

/// Some sensors by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorPattern {
    device: String,
    signal: String,
}

impl Selection {
    /// All of a lane.
    #[must_use]
    pub const fn all(lane: Lane) -> Self {
        Self {
            lane,
            from: Timestamp(i64::MIN),
            to: Timestamp(i64::MAX),
            sensors: Vec::new(),
        }
    }

    /// Whether what was at this time is in it.
    pub(super) fn has_time(&self, at: Timestamp) -> bool {
        (self.from.0..self.to.0).contains(&at.0)
    }

    /// Whether what this sensor had at this time is in it.
    pub(super) fn has(&self, name: SensorName<'_>, at: Timestamp) -> bool {
        let fits = |pattern: &SensorPattern| {
            glob::matches(&pattern.device, name.device)
                && glob::matches(&pattern.signal, name.signal)
        };
        self.has_time(at) && (self.sensors.is_empty() || self.sensors.iter().any(fits))
    }
}

impl FromStr for SensorPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (device, signal) = text.split_once('/').unwrap_or((text, "*"));
        if device.is_empty() || signal.is_empty() {
            return Err("write DEVICE or DEVICE/SIGNAL; * is any text".to_owned());
        }
        Ok(Self {
            device: device.to_owned(),
            signal: signal.to_owned(),
        })
    }
}

/// A moment as people write it: date, or date and time (UTC), or ms since 1970.
///
/// # Errors
/// What can be written.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(ms) = text.parse() {
        return Ok(Timestamp(ms));
    }
    let moment = humantime::parse_rfc3339_weak(text)
        .or_else(|_| humantime::parse_rfc3339_weak(&format!("{text} 00:00:00")))
        .ok()
        .and_then(|moment| moment.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok());
    moment
        .map(Timestamp)
        .ok_or_else(|| "write 2026-01-31, 2026-01-31T12:00:00 (UTC), or ms since 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_time(text: &str, ms: Option<i64>) {
        assert_eq!(parse_time(text).ok(), ms.map(Timestamp), "{text}");
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        check_time("2026-01-01", Some(1_767_225_600_000));
        check_time("2026-01-01 00:01:00", Some(1_767_225_660_000));
        check_time("2026-01-01T00:01:00.5Z", Some(1_767_225_660_500));
        check_time("1767225660000", Some(1_767_225_660_000));
        check_time("yesterday", None);
        check_time("2026-13-01", None);
    }

    fn check_sensor(pattern: &str, device: &str, signal: &str, fits: bool) {
        let mut selection = Selection::all(Lane::Telemetry);
        selection.sensors = vec![pattern.parse().expect("a pattern")];
        let name = SensorName {
            device,
            signal,
            unit: "",
        };
        assert_eq!(selection.has(name, Timestamp(0)), fits, "{pattern}");
    }

    #[test]
    fn sensors_are_chosen_by_device_and_signal() {
        check_sensor("pump-7", "pump-7", "flow", true);
        check_sensor("pump-7", "pump-71", "flow", false);
        check_sensor("pump-*/flow", "pump-71", "flow", true);
        check_sensor("pump-*/flow", "pump-71", "temp", false);
        check_sensor("*/temp", "oven", "temp", true);
        assert!("/temp".parse::<SensorPattern>().is_err());
    }

    #[test]
    fn a_span_begins_with_its_first_instant_and_ends_before_its_last() {
        let mut selection = Selection::all(Lane::Gap);
        (selection.from, selection.to) = (Timestamp(10), Timestamp(20));
        let taken = [9, 10, 19, 20].map(|at| selection.has_time(Timestamp(at)));
        assert_eq!(taken, [false, true, true, false]);
    }
}
