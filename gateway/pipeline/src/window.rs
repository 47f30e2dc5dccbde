//! The windows of a sensor: panes of event time, and the summaries that are put together from them.
//!
//! Every value is added to one pane; tumbling and sliding windows share the panes. A window is closed when the watermark (the
//! newest event time less the lateness) reaches its end, or by the gateway's time when nothing more comes. A value that comes
//! later still joins its pane while that is kept, and the summaries of its windows are sent again with a higher revision.

mod pane;
mod progress;

pub use pane::Pane;

use self::pane::NEVER;
use self::progress::{Progress, first_start_after};
use crate::config::SensorConfig;
use crate::ewma::Ewma;
use crate::limits::{EVENT_MS_ABS_MAX, REVISE_MS, TIME_MS_MIN, WINDOW_MS_MAX};
use crate::time::{Instant, Now};
use serde::{Deserialize, Serialize};
use wire::{Quality, SensorId, Summary, Timestamp, Window, WindowKind};

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
    /// None before the first reading.
    progress: Option<Progress>,
    /// Late values that no summary tells of yet.
    stale: Option<Stale>,
    ewma: Option<Ewma>,
}

/// A span of event time in which late values came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stale {
    /// Start of the next window to be revised, by kind.
    next: [i64; 2],
    /// The newest of the late values.
    time_max: i64,
    /// When to revise.
    due: Instant,
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
            progress: None,
            stale: None,
            ewma: None,
        }
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

    /// Adds a reading to its pane and to the moving average; false if there are windows, but the pane is gone.
    ///
    /// All windows which the watermark has passed must have been closed before.
    pub(crate) fn push(
        &mut self,
        panes: &mut [Pane],
        now: Now,
        entry: Entry,
        config: &SensorConfig,
    ) -> bool {
        let time = clamped(entry.time);
        if entry.quality == Quality::Good {
            self.average(time, entry.value, config);
        }
        let has_windows = config.pane_ms().is_some();
        let Some(progress) = self.progress.as_mut().filter(|_| has_windows) else {
            return true;
        };
        let number = time.div_euclid(i64::from(self.pane_ms));
        if number <= progress.newest - panes.len() as i64 {
            return false;
        }
        progress.newest = progress.newest.max(number);
        let pane = &mut panes[number.rem_euclid(panes.len() as i64) as usize];
        if pane.number != number {
            *pane = Pane::empty(number);
        }
        pane.push(time, entry.value, entry.quality, config.gap_ms_max);
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

    /// Notes a value whose windows, or some of them, have been closed.
    fn note_stale(&mut self, now: Now, time: i64, config: &SensorConfig) {
        let Some(progress) = &self.progress else {
            return;
        };
        let mut first = [i64::MAX; 2];
        for kind in KINDS {
            let Some((length, step)) = config.shape(kind) else {
                continue;
            };
            let start = first_start_after(time - length, step);
            if start < progress.next[kind as usize] {
                first[kind as usize] = start;
            }
        }
        if first == [i64::MAX; 2] {
            return;
        }
        let stale = self.stale.get_or_insert(Stale {
            next: first,
            time_max: time,
            due: now.instant.after_ms(REVISE_MS),
        });
        stale.time_max = stale.time_max.max(time);
        for kind in KINDS {
            stale.next[kind as usize] = stale.next[kind as usize].min(first[kind as usize]);
        }
    }

    /// The summary of the next window which the watermark has passed.
    pub(crate) fn next_closed(
        &mut self,
        panes: &[Pane],
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let watermark = self.progress.as_ref()?.watermark(config);
        self.next_until(panes, sensor, config, watermark)
    }

    /// The summary of the next window which the gateway's time has passed, the sensor being idle.
    pub(crate) fn next_idle(
        &mut self,
        panes: &[Pane],
        now: Now,
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let until = self.progress.as_ref()?.idle_watermark(now, config);
        self.next_until(panes, sensor, config, until)
    }

    /// The summary of the next window of any that have begun, because they will not go on.
    pub(crate) fn next_broken(
        &mut self,
        panes: &[Pane],
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        self.next_until(panes, sensor, config, 2 * EVENT_MS_ABS_MAX)
    }

    /// The next window to be closed that ends at `until` or earlier and has readings.
    fn next_until(
        &mut self,
        panes: &[Pane],
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
                if let Some(summary) = self.summary(panes, sensor, window, config) {
                    return Some(summary);
                }
            }
        }
        None
    }

    /// Whether revisions are due: now, or before the pane for `time` takes the place of one that they need.
    pub(crate) fn is_stale(&self, now: Now, time: Option<Timestamp>) -> bool {
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
        panes: &[Pane],
        sensor: SensorId,
        config: &SensorConfig,
    ) -> Option<Summary> {
        while let Some(window) = self.take_stale(panes.len(), config) {
            if let Some(summary) = self.summary(panes, sensor, window, config) {
                self.revision = self.revision.saturating_add(1);
                return Some(Summary {
                    revision: self.revision,
                    ..summary
                });
            }
        }
        self.stale = None;
        None
    }

    /// The next stale window of which all panes are still kept.
    fn take_stale(&mut self, panes: usize, config: &SensorConfig) -> Option<Window> {
        let (stale, progress) = self.stale.as_mut().zip(self.progress.as_ref())?;
        let kept_from = (progress.newest - panes as i64 + 1) * i64::from(self.pane_ms);
        for kind in KINDS {
            let Some((length, step)) = config.shape(kind) else {
                continue;
            };
            let next = &mut stale.next[kind as usize];
            *next = (*next).max(first_start_after(kept_from - 1, step));
            if *next <= stale.time_max && *next < progress.next[kind as usize] {
                let start = Timestamp(*next);
                *next += step;
                return Some(Window {
                    start,
                    length_ms: length as u32,
                    kind,
                });
            }
        }
        None
    }

    /// Puts the panes of a window together; none if they are all empty.
    fn summary(
        &self,
        panes: &[Pane],
        sensor: SensorId,
        window: Window,
        config: &SensorConfig,
    ) -> Option<Summary> {
        let progress = self.progress.as_ref()?;
        let length = i64::from(window.length_ms);
        let pane_ms = i64::from(self.pane_ms);
        let first = window.start.0.div_euclid(pane_ms);
        let mut whole = Pane::empty(first);
        for number in first..first + length / pane_ms {
            let pane = &panes[number.rem_euclid(panes.len() as i64) as usize];
            if pane.number == number {
                whole.merge(pane, config.gap_ms_max);
            }
        }
        let is_open = window.start.0 + length > progress.watermark(config);
        let is_broken = window.start.0 < progress.whole_from;
        (!whole.is_empty()).then_some(Summary {
            sensor,
            window,
            stats: (whole.stats.n > 0).then_some(whole.stats),
            uncertain: whole.uncertain,
            bad: whole.bad,
            ewma: self.ewma.map(|ewma| ewma.mean),
            revision: if is_broken { self.revision } else { 0 },
            partial: is_open || is_broken,
        })
    }

    /// Begins anew, after all that was open has been told. Its next windows may be among those told: they have a higher
    /// revision.
    pub(crate) fn reset(&mut self, panes: &mut [Pane], config: &SensorConfig) {
        panes.fill(Pane::default());
        *self = Self {
            revision: self.revision.saturating_add(1),
            is_broken: true,
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
            .and_then(|progress| progress.idle_due(self.pane_ms, config));
        [revision, idle].into_iter().flatten().min()
    }

    /// Whether the panes are those of this configuration, and event time stands as it can.
    pub(crate) fn is_sound(&self, config: &SensorConfig) -> bool {
        let progress_holds = self
            .progress
            .as_ref()
            .is_none_or(|progress| progress.is_sound(self.pane_ms, config));
        self.pane_ms == Self::new(config).pane_ms && progress_holds
    }

    /// Which of `panes` are kept: what a checkpoint needs of them.
    pub(crate) fn kept<'p>(&self, panes: &'p [Pane]) -> impl Iterator<Item = &'p Pane> + Clone {
        let newest = self
            .progress
            .as_ref()
            .map_or(NEVER, |progress| progress.newest);
        let oldest = newest.saturating_sub(panes.len() as i64);
        panes
            .iter()
            .filter(move |pane| pane.number > oldest && pane.number <= newest)
    }
}
