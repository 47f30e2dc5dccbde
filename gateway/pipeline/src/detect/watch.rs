//! When a score becomes an alarm: the limit, the rest after an alarm, and what habit does to a sensor that shouts.

use super::{HABIT, HABIT_DECAY, LEARNING, REST_BROKEN_BY};
use serde::{Deserialize, Serialize};

/// The last stage of a detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Readings so far.
    count: u32,
    /// Alarms, the older the less.
    habit: f32,
    /// Readings since the last alarm, if there was one.
    since: Option<u32>,
    /// The score of the last alarm.
    last: f32,
}

impl Watch {
    /// The limit of the next score.
    pub(super) fn limit(&self, theta: f32) -> f32 {
        theta * (1.0 + HABIT * self.habit)
    }

    /// Whether a score is an alarm.
    pub(super) fn step(&mut self, score: f32, theta: f32, rest: u32) -> bool {
        self.count = self.count.saturating_add(1);
        self.since = self.since.map(|since| since.saturating_add(1));

        self.habit *= HABIT_DECAY;
        let is_rested = self.since.is_none_or(|since| since >= rest);
        let is_alarm = self.count > LEARNING
            && score >= self.limit(theta)
            && (is_rested || score >= REST_BROKEN_BY * self.last);
        if is_alarm {
            self.habit += 1.0;
            self.last = score;
            self.since = Some(0);
        }
        is_alarm
    }

    /// Whether it is too early for alarms.
    pub(super) fn is_learning(&self) -> bool {
        self.count <= LEARNING
    }

    /// Whether an alarm came within this many readings.
    pub(super) fn is_within(&self, rest: u32) -> bool {
        self.since.is_some_and(|since| since < rest)
    }
}
