//! Windows that were told, and whose panes have changed since.

use super::progress::first_start_after;
use super::{KINDS, Windows};
use crate::config::SensorConfig;
use crate::limits::REVISE_MS;
use crate::time::{Instant, Now};
use serde::{Deserialize, Serialize};
use wire::{Timestamp, Window};

/// A span of event time in which late values came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stale {
    /// Start of the next window to be revised, by kind.
    next: [i64; 2],
    /// The newest of the late values.
    time_max: i64,
    /// When to revise.
    pub(super) due: Instant,
}

impl Windows {
    /// Notes a value whose windows, or some of them, have been closed.
    pub(super) fn note_stale(&mut self, now: Now, time: i64, config: &SensorConfig) {
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

    /// The next stale window of which all panes are still kept.
    pub(super) fn take_stale(&mut self, panes: usize, config: &SensorConfig) -> Option<Window> {
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
}
