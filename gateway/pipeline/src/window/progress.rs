//! How far a sensor's event time has come, and which window is the next to be closed.

use super::{KINDS, Windows};
use crate::config::SensorConfig;
use crate::limits::{EVENT_MS_ABS_MAX, IDLE_GRACE_MS, IDLE_GRAIN_MS};
use crate::time::{Instant, Now};
use serde::{Deserialize, Serialize};
use wire::{Timestamp, Window, WindowKind};

/// How far event time has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The newest event time.
    pub(super) time_max: i64,
    /// When the last reading came.
    pub(super) heard: Instant,
    /// The newest pane with a reading.
    pub(super) newest: i64,
    /// Start of the next window to be closed, by kind.
    pub(super) next: [i64; 2],
    /// Windows that start earlier lack a part, because they began anew.
    pub(super) whole_from: i64,
}

impl Progress {
    pub(super) fn begin(now: Now, time: i64, windows: &Windows, config: &SensorConfig) -> Self {
        let mut next = [0; 2];
        for kind in KINDS {
            let Some((length, step)) = config.shape(kind) else {
                continue;
            };
            // The first window that a reading within the lateness could belong to.
            next[kind as usize] =
                first_start_after(time - i64::from(config.lateness_ms) - length, step);
        }
        Self {
            time_max: time,
            heard: now.instant,
            newest: time.div_euclid(i64::from(windows.pane_ms)),
            next,
            whole_from: if windows.is_broken { time } else { i64::MIN },
        }
    }

    pub(super) fn watermark(&self, config: &SensorConfig) -> i64 {
        self.time_max - i64::from(config.lateness_ms)
    }

    /// The watermark as it would stand if event time had gone on with the gateway's since the last reading.
    pub(super) fn idle_watermark(&self, now: Now, config: &SensorConfig) -> i64 {
        let silent_ms = i64::try_from(now.instant.since_ms(self.heard))
            .unwrap_or(i64::MAX)
            .min(EVENT_MS_ABS_MAX);
        self.watermark(config) + silent_ms - i64::from(IDLE_GRACE_MS)
    }

    /// The end of all panes that may hold readings.
    pub(super) fn filled_until(&self, pane_ms: i64) -> i64 {
        (self.newest + 1) * pane_ms
    }

    /// Takes the next window of a kind if it ends at `until` or earlier. Where no reading is, the watermark passes over.
    pub(super) fn take_next(
        &mut self,
        kind: WindowKind,
        pane_ms: u32,
        config: &SensorConfig,
        until: i64,
    ) -> Option<Window> {
        let (length, step) = config.shape(kind)?;
        let watermark = self.watermark(config);
        let filled_until = self.filled_until(i64::from(pane_ms));
        let next = &mut self.next[kind as usize];
        if *next >= filled_until {
            *next = (*next).max(first_start_after(watermark - length, step));
            return None;
        }
        let start = *next;
        (start + length <= until).then(|| {
            *next += step;
            Window {
                start: Timestamp(start),
                length_ms: length as u32,
                kind,
            }
        })
    }

    /// Whether it is such as can come about: times are clamped, and the next windows are not further back than the lateness.
    pub(super) fn is_sound(&self, pane_ms: u32, config: &SensorConfig) -> bool {
        let is_time = |time: i64| (-2 * EVENT_MS_ABS_MAX..=2 * EVENT_MS_ABS_MAX).contains(&time);
        let pane_ms = i64::from(pane_ms);
        let Some(filled_until) = self
            .newest
            .checked_add(1)
            .and_then(|number| number.checked_mul(pane_ms))
        else {
            return false;
        };
        let is_near = |kind: WindowKind| {
            let next = self.next[kind as usize];
            let back_max = |(length, _)| length + pane_ms + i64::from(config.lateness_ms);
            is_time(next)
                && config
                    .shape(kind)
                    .is_none_or(|shape| filled_until - next <= back_max(shape))
        };
        is_time(self.time_max) && is_time(filled_until) && KINDS.into_iter().all(is_near)
    }

    /// When [`idle_watermark`](Self::idle_watermark) reaches the end of a window with readings; the next session ends at
    /// `session_end`.
    pub(super) fn idle_due(
        &self,
        pane_ms: u32,
        session_end: i64,
        config: &SensorConfig,
    ) -> Option<Instant> {
        let filled_until = self.filled_until(i64::from(pane_ms));
        let ends = KINDS.into_iter().filter_map(|kind| {
            let next = self.next[kind as usize];
            config
                .shape(kind)
                .filter(|_| next < filled_until)
                .map(|(length, _)| next + length)
        });
        let session_end = Some(session_end).filter(|end| *end < i64::MAX);
        let wait_ms =
            ends.chain(session_end).min()? - self.watermark(config) + i64::from(IDLE_GRACE_MS);
        let due = self
            .heard
            .0
            .saturating_add(u64::try_from(wait_ms).unwrap_or(0));
        Some(Instant(
            due.checked_next_multiple_of(IDLE_GRAIN_MS)
                .unwrap_or(u64::MAX),
        ))
    }
}

/// The first multiple of `step` above `time`.
pub(super) fn first_start_after(time: i64, step: i64) -> i64 {
    (time.div_euclid(step) + 1) * step
}
