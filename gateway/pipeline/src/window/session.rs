//! Sessions: windows that end where nothing came for a while. They have no border in common with the clock.
//!
//! Values whose times are less than the gap apart belong together; where two of them lie in different multiples of the longest
//! length since 1970, they don't. Both say nothing of the order of arrival, so values within the lateness make the same sessions
//! in any order.

use super::pane::NEVER;
use super::{Entry, Room, Windows};
use crate::config::{SensorConfig, SessionRule};
use crate::limits::{EVENT_MS_ABS_MAX, REVISE_MS};
use crate::sensor::NEVER as NEVER_DUE;
use crate::time::{Instant, Now};
use crate::window::Pane;
use serde::{Deserialize, Serialize};
use wire::{Quality, SensorId, Summary, Timestamp, Window, WindowKind};

/// The number of a session's pane says how it stands: it may go on,
const OPEN: i64 = 0;
/// it was told,
const TOLD: i64 = 1;
/// or it has changed since.
const CHANGED: i64 = 2;

/// What waits for its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sessions {
    /// Event time at which the next open session ends, and `i64::MAX` if there is none.
    pub(super) next_end: i64,
    /// When to tell of sessions that have changed; [`NEVER_DUE`] if none has.
    pub(super) due: Instant,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            next_end: i64::MAX,
            due: NEVER_DUE,
        }
    }
}

impl Sessions {
    /// Whether it is such as can come about.
    pub(super) fn is_sound(&self, config: &SensorConfig) -> bool {
        let bound = 2 * EVENT_MS_ABS_MAX;
        let is_end = (-bound..=bound).contains(&self.next_end) && config.session.is_some();
        self.next_end == i64::MAX || is_end
    }
}

impl SessionRule {
    fn cell(self, time: i64) -> i64 {
        time.div_euclid(i64::from(self.length_ms_max))
    }

    /// When a session ends, if nothing more comes.
    fn end(self, pane: &Pane) -> i64 {
        let border = (self.cell(pane.stats.first_at) + 1) * i64::from(self.length_ms_max);
        border.min(pane.stats.last_at + i64::from(self.gap_ms))
    }

    /// Whether a value of that time belongs to a session. One that was told keeps its begin, by which it is known.
    fn joins(self, pane: &Pane, time: i64) -> bool {
        let gap_ms = i64::from(self.gap_ms);
        let from = match pane.number {
            OPEN => pane.stats.first_at - gap_ms + 1,
            TOLD | CHANGED => pane.stats.first_at,
            _ => return false,
        };
        time >= from
            && time < pane.stats.last_at + gap_ms
            && self.cell(time) == self.cell(pane.stats.first_at)
    }
}

impl Windows {
    /// Adds a reading to its session; false if it comes too late for any.
    pub(super) fn push_session(
        &mut self,
        room: &mut Room<'_>,
        now: Now,
        time: i64,
        entry: Entry,
        config: &SensorConfig,
    ) -> bool {
        let (Some(rule), Some(progress)) = (config.session, self.progress.as_ref()) else {
            return true;
        };
        let is_late = time < progress.watermark(config);
        let is_bad = entry.quality == Quality::Bad;
        let joined = |room: &Room<'_>, state: fn(i64) -> bool, from: usize| {
            let joins = |pane: &Pane| state(pane.number) && rule.joins(pane, time);
            let found = room.sessions[from..].iter().position(joins);
            found.map(|nth| from + nth)
        };
        let is_open = |number| number == OPEN;
        let open = joined(room, is_open, 0);
        let Some(home) = open
            .or_else(|| joined(room, |number| number != OPEN, 0))
            .or_else(|| (!is_late && !is_bad).then(|| empty_place(room))?)
        else {
            return is_bad || !is_late;
        };
        let pane = &mut room.sessions[home];
        if pane.number == NEVER {
            pane.number = OPEN;
        } else if pane.number == TOLD {
            pane.number = CHANGED;
            let due = now.instant.after_ms(REVISE_MS);
            self.sessions.due = self.sessions.due.min(due);
        }
        pane.push(time, entry.value, entry.quality, config.gap_ms_max);
        if !is_bad {
            room.sketch(room.session_at(home), entry.value);
        }
        // It may have closed the gap to another one.
        if open.is_some()
            && let Some(other) = joined(room, is_open, home + 1)
        {
            merge(room, home, other, config);
        }
        self.sessions.next_end = next_end(room, rule);
        true
    }

    /// The summary of the oldest open session, if the value of that time needs its place.
    pub(crate) fn next_crowded(
        &mut self,
        room: &mut Room<'_>,
        entry: Entry,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let rule = config.session?;
        let time = super::clamped(entry.time);
        let is_kept = |pane: &Pane| pane.number == OPEN && !rule.joins(pane, time);
        let is_wanted = entry.quality != Quality::Bad;
        (is_wanted && room.sessions.iter().all(is_kept))
            .then(|| self.next_session(room, sensor, config, i64::MAX))?
    }

    /// The summary of the next open session that ends at `until` or earlier.
    pub(super) fn next_session(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
        until: i64,
    ) -> Option<Summary> {
        if self.sessions.next_end > until {
            return None;
        }
        let rule = config.session?;
        let ends = room.sessions.iter().enumerate();
        let ends = ends.filter(|(_, pane)| pane.number == OPEN);
        let (end, nth) = ends.map(|(nth, pane)| (rule.end(pane), nth)).min()?;
        room.sessions[nth].number = TOLD;
        self.sessions.next_end = next_end(room, rule);
        (end <= until).then(|| self.session_summary(room, nth, end, sensor, config))?
    }

    /// The summary of the next session that has changed since it was told.
    pub(super) fn next_changed(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let mut sessions = room.sessions.iter();
        let Some(nth) = sessions.position(|pane| pane.number == CHANGED) else {
            self.sessions.due = NEVER_DUE;
            return None;
        };
        room.sessions[nth].number = TOLD;
        let end = config.session?.end(&room.sessions[nth]);
        let summary = self.session_summary(room, nth, end, sensor, config)?;
        self.revision = self.revision.saturating_add(1);
        Some(Summary {
            revision: self.revision,
            ..summary
        })
    }

    fn session_summary(
        &self,
        room: &Room<'_>,
        nth: usize,
        end: i64,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let progress = self.progress.as_ref()?;
        let pane = &room.sessions[nth];
        let length = pane.stats.last_at - pane.stats.first_at + 1;
        let window = Window {
            start: Timestamp(pane.stats.first_at),
            length_ms: u32::try_from(length).unwrap_or(u32::MAX),
            kind: WindowKind::Session,
        };
        let sketch = room.sketch_of(room.session_at(nth));
        let is_open = end > progress.watermark(config);
        Some(self.summary_of(pane, sketch, sensor, window, is_open, config))
    }
}

/// Whether a pane is one that can stand for a session.
pub(super) fn is_session(pane: &Pane) -> bool {
    let is_time = |time: i64| (-EVENT_MS_ABS_MAX..=EVENT_MS_ABS_MAX).contains(&time);
    let is_filled = [OPEN, TOLD, CHANGED].contains(&pane.number) && pane.stats.n > 0;
    let times = [pane.stats.first_at, pane.stats.last_at];
    pane.number == NEVER || is_filled && times[0] <= times[1] && times.into_iter().all(is_time)
}

/// A session's place that is empty, or the one of the oldest that was told.
fn empty_place(room: &mut Room<'_>) -> Option<usize> {
    let places = room.sessions.iter().enumerate();
    let places = places.filter(|(_, pane)| pane.number != OPEN);
    let age = |pane: &Pane| (pane.number != NEVER).then_some(pane.stats.first_at);
    let (_, nth) = places.map(|(nth, pane)| (age(pane), nth)).min()?;
    room.clear_session(nth);
    Some(nth)
}

/// Puts two open sessions together, in the place of the first one.
fn merge(room: &mut Room<'_>, one: usize, other: usize, config: &SensorConfig) {
    let (a, b) = (room.sessions[one], room.sessions[other]);
    let (mut earlier, later) = match a.stats.first_at <= b.stats.first_at {
        true => (a, b),
        false => (b, a),
    };
    earlier.merge(&later, config.gap_ms_max);
    room.sessions[one] = earlier;
    room.merge_session_sketches(one, other);
    room.clear_session(other);
}

fn next_end(room: &Room<'_>, rule: SessionRule) -> i64 {
    let open = room.sessions.iter().filter(|pane| pane.number == OPEN);
    open.map(|pane| rule.end(pane)).min().unwrap_or(i64::MAX)
}
