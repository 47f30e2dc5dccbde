//! The windows of a sensor: panes of event time, and the summaries that are put together from them.
//!
//! Every value is added to one pane; tumbling and sliding windows share the panes. A window is closed when the watermark (the
//! newest event time less the lateness) reaches its end, or by the gateway's time when nothing more comes. A value that comes
//! later still joins its pane while that is kept, and the summaries of its windows are sent again with a higher revision.

mod pane;
mod progress;
mod room;
mod session;
mod stale;

pub use pane::Pane;
pub use room::PaneSketch;
pub(crate) use room::{FREE, Room};

use self::pane::NEVER;
use self::progress::Progress;
use self::session::Sessions;
use self::stale::Stale;
use crate::config::SensorConfig;
use crate::ewma::Ewma;
use crate::limits::{EVENT_MS_ABS_MAX, TIME_MS_MIN, WINDOW_MS_MAX};
use crate::sensor::NEVER as NEVER_DUE;
use crate::time::{Instant, Now, earlier};
use serde::{Deserialize, Serialize};
use wire::{Clock, Quality, SensorId, Sketch, Summary, Timestamp, Window, WindowKind};

const KINDS: [WindowKind; 2] = [WindowKind::Tumbling, WindowKind::Sliding];

/// Where a sensor's windows stand.
///
/// The panes that are kept are those whose numbers are above `newest` less the number of panes; each stands at its number
/// modulo the number of panes. A pane at such a place with another number is an old one and counts as empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Windows {
    /// Length of a pane in ms.
    pane_ms: u32,
    /// Raised by each revision, and when windows begin anew.
    revision: u32,
    /// Whether windows began anew: then the first ones lack a part.
    is_broken: bool,
    /// Windows that begin earlier, in s since the Unix epoch, may have been told before windows began anew: they have a higher revision.
    told_until_s: u32,
    /// The newest event time when windows began anew: what was open then lacks a part.
    broken_at: i64,
    /// None before the first reading.
    progress: Option<Progress>,
    /// Late values that no summary tells of yet.
    stale: Option<Stale>,
    sessions: Sessions,
    ewma: Option<Ewma>,
}

/// A value with what is known of it, for the windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) time: Timestamp,
    pub(crate) value: f64,
    pub(crate) quality: Quality,
}

/// Event time as the windows reckon with it.
fn clamped(time: Timestamp) -> i64 {
    time.0.clamp(-EVENT_MS_ABS_MAX, EVENT_MS_ABS_MAX)
}

impl Windows {
    pub(crate) fn new(config: &SensorConfig) -> Self {
        // A sensor without windows has a watermark all the same.
        let pane_ms = config.pane_ms().unwrap_or(WINDOW_MS_MAX);
        Self {
            pane_ms,
            revision: 0,
            is_broken: false,
            told_until_s: 0,
            broken_at: i64::MIN,
            progress: None,
            stale: None,
            sessions: Sessions::default(),
            ewma: None,
        }
    }

    /// Whether there was a reading since they began.
    pub(crate) const fn has_begun(&self) -> bool {
        self.progress.is_some()
    }

    /// Whether a reading of that time is behind the watermark.
    pub(crate) fn is_late(&self, time: Timestamp, config: &SensorConfig) -> bool {
        self.progress
            .as_ref()
            .is_some_and(|progress| clamped(time) < progress.watermark(config))
    }

    /// Whether the newest event time is one that the gateway's clock, as it is now, would not have let pass. So it is when
    /// that clock was ahead and has been set back: the sensor would be late until the time has come again.
    pub(crate) fn is_ahead(&self, now: Now, config: &SensorConfig) -> bool {
        let latest = now.wall.0.saturating_add(i64::from(config.future_ms_max));
        let is_synced = now.wall.0 >= TIME_MS_MIN;
        is_synced
            && self
                .progress
                .as_ref()
                .is_some_and(|progress| progress.time_max > latest)
    }

    /// Moves the watermark on; then [`next_closed`](Self::next_closed) has what it closes.
    pub(crate) fn advance(&mut self, now: Now, time: Timestamp, config: &SensorConfig) {
        let time = clamped(time);
        match &mut self.progress {
            Some(progress) => {
                progress.time_max = progress.time_max.max(time);
                progress.heard = now.instant;
            }
            None => self.progress = Some(Progress::begin(now, time, self, config)),
        }
    }

    /// Adds a reading to its pane, its session and the moving average; false if there are windows, but it comes too late for them.
    ///
    /// All windows which the watermark has passed must have been closed before.
    pub(crate) fn push(
        &mut self,
        room: &mut Room<'_>,
        now: Now,
        entry: Entry,
        config: &SensorConfig,
    ) -> bool {
        let time = clamped(entry.time);
        if entry.quality == Quality::Good {
            self.average(time, entry.value, config);
        }
        let has_session = self.push_session(room, now, time, entry, config);
        self.push_pane(room, now, time, entry, config) && has_session
    }

    fn push_pane(
        &mut self,
        room: &mut Room<'_>,
        now: Now,
        time: i64,
        entry: Entry,
        config: &SensorConfig,
    ) -> bool {
        let has_windows = config.pane_ms().is_some();
        let Some(progress) = self.progress.as_mut().filter(|_| has_windows) else {
            return true;
        };
        let number = time.div_euclid(i64::from(self.pane_ms));
        let panes = room.panes.len() as i64;
        if number <= progress.newest - panes {
            return false;
        }
        progress.newest = progress.newest.max(number);
        let at = number.rem_euclid(panes) as usize;
        if room.panes[at].number != number {
            room.open(at, number);
        }
        room.panes[at].push(time, entry.value, entry.quality, config.gap_ms_max);
        if entry.quality != Quality::Bad {
            room.sketch(at, entry.value);
        }
        self.note_stale(now, time, config);
        true
    }

    fn average(&mut self, time: i64, value: f64, config: &SensorConfig) {
        match (config.ewma_tau_ms, &mut self.ewma) {
            (None, _) => self.ewma = None,
            (Some(_), None) => self.ewma = Some(Ewma::new(time, value)),
            (Some(tau_ms), Some(ewma)) => ewma.push(time, value, tau_ms),
        }
    }

    /// The summary of the next window which the watermark has passed.
    pub(crate) fn next_closed(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let watermark = self.progress.as_ref()?.watermark(config);
        self.next_until(room, sensor, config, watermark)
    }

    /// The summary of the next window which the gateway's time has passed, the sensor being idle.
    pub(crate) fn next_idle(
        &mut self,
        room: &mut Room<'_>,
        now: Now,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let until = self.progress.as_ref()?.idle_watermark(now, config);
        self.next_until(room, sensor, config, until)
    }

    /// The summary of the next window of any that have begun, because they will not go on.
    pub(crate) fn next_broken(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        self.next_until(room, sensor, config, 2 * EVENT_MS_ABS_MAX)
    }

    /// The next window to be closed that ends at `until` or earlier and has readings.
    fn next_until(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
        until: i64,
    ) -> Option<Summary> {
        for kind in KINDS {
            while let Some(window) =
                self.progress
                    .as_mut()?
                    .take_next(kind, self.pane_ms, config, until)
            {
                if let Some(summary) = self.summary(room, sensor, window, config) {
                    return Some(summary);
                }
            }
        }
        self.next_session(room, sensor, config, until)
    }

    /// Whether revisions are due: now, or before the pane for `time` takes the place of one that they need.
    pub(crate) fn is_stale(&self, now: Now, time: Option<Timestamp>) -> bool {
        if self.sessions.due <= now.instant {
            return true;
        }
        let Some((stale, progress)) = self.stale.as_ref().zip(self.progress.as_ref()) else {
            return false;
        };
        let is_new_pane =
            |time| clamped(time).div_euclid(i64::from(self.pane_ms)) > progress.newest;
        stale.due <= now.instant || time.is_some_and(is_new_pane)
    }

    /// The summary of the next closed window in which late values came.
    pub(crate) fn next_revised(
        &mut self,
        room: &mut Room<'_>,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        while let Some(window) = self.take_stale(room.panes.len(), config) {
            if let Some(summary) = self.summary(room, sensor, window, config) {
                self.revision = self.revision.saturating_add(1);
                return Some(Summary {
                    revision: self.revision,
                    ..summary
                });
            }
        }
        self.stale = None;
        self.next_changed(room, sensor, config)
    }

    /// Puts the panes of a window together; none if they are all empty.
    fn summary(
        &self,
        room: &Room<'_>,
        sensor: SensorId,
        window: Window,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let progress = self.progress.as_ref()?;
        let length = i64::from(window.length_ms);
        let pane_ms = i64::from(self.pane_ms);
        let first = window.start.0.div_euclid(pane_ms);
        let mut whole = Pane::empty(first);
        let mut sketch: Option<Sketch> = None;
        for number in first..first + length / pane_ms {
            let at = number.rem_euclid(room.panes.len() as i64) as usize;
            if room.panes[at].number == number {
                whole.merge(&room.panes[at], config.gap_ms_max);
                if let Some(other) = room.sketch_of(at) {
                    sketch.get_or_insert_default().merge(&other);
                }
            }
        }
        let is_open = window.start.0 + length > progress.watermark(config);
        (!whole.is_empty())
            .then(|| self.summary_of(&whole, sketch, sensor, window, is_open, config))
    }

    fn summary_of(
        &self,
        whole: &Pane,
        sketch: Option<Sketch>,
        sensor: SensorId,
        window: Window,
        is_open: bool,
        config: &SensorConfig,
    ) -> Summary {
        let whole_from = self.progress.as_ref().map(|progress| progress.whole_from);
        let start = window.start.0;
        let end = start.saturating_add(i64::from(window.length_ms));
        let watermark = self.broken_at.saturating_sub(i64::from(config.lateness_ms));
        let was_open = start <= self.broken_at && end > watermark;
        let is_broken = was_open || whole_from.is_some_and(|from| start < from);
        Summary {
            sensor,
            window,
            stats: (whole.stats.n > 0).then_some(whole.stats),
            uncertain: whole.uncertain,
            bad: whole.bad,
            ewma: self.ewma.map(|ewma| ewma.mean),
            sketch: sketch.filter(|_| whole.stats.n > 0),
            revision: if is_broken || start < i64::from(self.told_until_s) * 1_000 {
                self.revision
            } else {
                0
            },
            partial: is_open || is_broken,
            clock: Clock::Synced,
        }
    }

    /// Begins anew, after all that was open has been told. Its next windows may be among those told, or those which begin before `told`,
    /// if what was told is moved up to there: they have a higher revision.
    pub(crate) fn reset(
        &mut self,
        room: &mut Room<'_>,
        config: &SensorConfig,
        told: Option<Timestamp>,
    ) {
        room.clear();
        let progress = self.progress.as_ref();
        let pane_ms = i64::from(self.pane_ms);
        let filled_until = progress.map_or(i64::MIN, |it| it.filled_until(pane_ms));
        let told = told.map_or(i64::MIN, |told| told.0);
        let told_until_s = filled_until
            .max(told)
            .max(0)
            .saturating_add(999)
            .div_euclid(1_000);
        *self = Self {
            revision: self.revision.saturating_add(1),
            is_broken: true,
            told_until_s: u32::try_from(told_until_s)
                .unwrap_or(u32::MAX)
                .max(self.told_until_s),
            broken_at: progress.map_or(self.broken_at, |it| it.time_max),
            ewma: self.ewma,
            ..Self::new(config)
        };
    }

    /// When the gateway's time closes a window or sends a revision, if nothing comes before.
    pub(crate) fn due(&self, config: &SensorConfig) -> Option<Instant> {
        let revision = self.stale.as_ref().map(|stale| stale.due);
        let idle = self
            .progress
            .as_ref()
            .and_then(|progress| progress.idle_due(self.pane_ms, self.sessions.next_end, config));
        let changed = Some(self.sessions.due).filter(|due| *due != NEVER_DUE);
        earlier(earlier(revision, changed), idle)
    }

    /// Whether the panes are those of this configuration, and event time stands as it can.
    pub(crate) fn is_sound(&self, config: &SensorConfig) -> bool {
        let progress_holds = self
            .progress
            .as_ref()
            .is_none_or(|progress| progress.is_sound(self.pane_ms, config));
        self.pane_ms == Self::new(config).pane_ms
            && progress_holds
            && self.sessions.is_sound(config)
    }

    /// Whether a pane by the clock is kept, of so many: what a checkpoint needs of them.
    pub(crate) fn keeps(&self, panes: usize) -> impl Fn(&Pane) -> bool {
        let newest = self
            .progress
            .as_ref()
            .map_or(NEVER, |progress| progress.newest);
        let oldest = newest.saturating_sub(panes as i64);
        move |pane| pane.number > oldest && pane.number <= newest
    }
}
