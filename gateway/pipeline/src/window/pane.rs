//! One pane of event time: the smallest span of which windows are put together.

use serde::{Deserialize, Serialize};
use wire::{Quality, Stats};

/// The number of a pane that was never used.
pub(super) const NEVER: i64 = i64::MIN;

/// What is known of one pane of event time; `stats.n` is 0 while no value is in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pane {
    /// Its start divided by the length of the sensor's panes.
    pub(crate) number: i64,
    pub(super) stats: Stats,
    pub(super) uncertain: u32,
    pub(super) bad: u32,
}

impl Default for Pane {
    fn default() -> Self {
        Self::empty(NEVER)
    }
}

impl Pane {
    pub(super) fn empty(number: i64) -> Self {
        Self {
            number,
            stats: Stats::default(),
            uncertain: 0,
            bad: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stats.n == 0 && self.bad == 0
    }

    pub(super) fn push(&mut self, at: i64, value: f64, quality: Quality, gap_ms_max: u32) {
        if quality == Quality::Bad {
            self.bad = self.bad.saturating_add(1);
            return;
        }
        self.uncertain = self
            .uncertain
            .saturating_add(u32::from(quality == Quality::Uncertain));
        match self.stats.n {
            0 => self.stats = Stats::of(at, value),
            _ => self.stats.push(at, value, gap_ms_max),
        }
    }

    pub(super) fn merge(&mut self, later: &Self, gap_ms_max: u32) {
        self.uncertain = self.uncertain.saturating_add(later.uncertain);
        self.bad = self.bad.saturating_add(later.bad);
        match (self.stats.n, later.stats.n) {
            (_, 0) => {}
            (0, _) => self.stats = later.stats,
            (_, _) => self.stats.merge(&later.stats, gap_ms_max),
        }
    }
}
