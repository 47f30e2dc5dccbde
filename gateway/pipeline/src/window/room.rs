//! The memory that the windows of one sensor work with: panes, and sketches beside them where quantiles are asked for.

use super::Pane;
use super::session::is_session;
use crate::config::SensorConfig;
use serde::{Deserialize, Serialize};
use wire::Sketch;

/// No sensor owns these sketches.
pub(crate) const FREE: u16 = u16::MAX;

/// Room for the sketch of a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneSketch {
    /// Whose it is.
    pub(crate) owner: u16,
    pub(crate) sketch: Sketch,
}

impl Default for PaneSketch {
    fn default() -> Self {
        Self {
            owner: FREE,
            sketch: Sketch::default(),
        }
    }
}

/// What a sensor has: the panes of its windows by the clock, those of its sessions, and a sketch for each, or none at all.
#[derive(Debug)]
pub(crate) struct Room<'p> {
    pub(super) panes: &'p mut [Pane],
    pub(super) sessions: &'p mut [Pane],
    sketches: &'p mut [PaneSketch],
}

impl SensorConfig {
    /// The panes that the sensor works with, of those that it was given: as many as its windows need, so that what
    /// comes of its readings depends on the plan alone, and not on how much memory there is.
    pub(crate) fn room<'p>(
        &self,
        panes: &'p mut [Pane],
        sketches: &'p mut [PaneSketch],
    ) -> Room<'p> {
        let [by_clock, sessions] = self.panes_each().map(|count| count as usize);
        let (by_clock, rest) = panes.split_at_mut(by_clock.min(panes.len()));
        let sessions = sessions.min(rest.len());
        Room {
            panes: by_clock,
            sessions: &mut rest[..sessions],
            sketches,
        }
    }
}

impl Room<'_> {
    /// Empties the pane of this number at its place.
    pub(super) fn open(&mut self, at: usize, number: i64) {
        self.panes[at] = Pane::empty(number);
        self.clear_sketch(at);
    }

    /// Empties a session.
    pub(super) fn clear_session(&mut self, nth: usize) {
        self.sessions[nth] = Pane::default();
        self.clear_sketch(self.panes.len() + nth);
    }

    /// Adds a value to the sketch of a pane.
    pub(super) fn sketch(&mut self, at: usize, value: f64) {
        if let Some(place) = self.sketches.get_mut(at) {
            place.sketch.push(value);
        }
    }

    pub(super) fn sketch_of(&self, at: usize) -> Option<Sketch> {
        self.sketches.get(at).map(|place| place.sketch)
    }

    /// The place of a session's sketch.
    pub(super) fn session_at(&self, nth: usize) -> usize {
        self.panes.len() + nth
    }

    /// Puts the sketch of one session to that of another.
    pub(super) fn merge_session_sketches(&mut self, into: usize, from: usize) {
        let (into, from) = (self.session_at(into), self.session_at(from));
        if let Some(other) = self.sketch_of(from)
            && let Some(place) = self.sketches.get_mut(into)
        {
            place.sketch.merge(&other);
        }
    }

    pub(crate) const fn has_sketches(&self) -> bool {
        !self.sketches.is_empty()
    }

    /// Puts a pane of a checkpoint where its number belongs; tells where that is, if there is such a place.
    pub(crate) fn put_pane(&mut self, pane: Pane) -> Option<usize> {
        let at = pane.number.checked_rem_euclid(self.panes.len() as i64)?;
        self.panes[at as usize] = pane;
        Some(at as usize)
    }

    /// Puts a session of a checkpoint to its place, if it is one that could be there.
    pub(crate) fn put_session(&mut self, nth: usize, pane: Pane) -> Option<usize> {
        let place = self.sessions.get_mut(nth)?;
        *place = Some(pane).filter(is_session)?;
        Some(self.session_at(nth))
    }

    pub(crate) fn put_sketch(&mut self, at: usize, sketch: Sketch) {
        if let Some(place) = self.sketches.get_mut(at) {
            place.sketch = sketch;
        }
    }

    /// Empties all.
    pub(super) fn clear(&mut self) {
        self.panes.fill(Pane::default());
        self.sessions.fill(Pane::default());
        for place in &mut *self.sketches {
            place.sketch = Sketch::default();
        }
    }

    fn clear_sketch(&mut self, at: usize) {
        if let Some(place) = self.sketches.get_mut(at) {
            place.sketch = Sketch::default();
        }
    }
}
