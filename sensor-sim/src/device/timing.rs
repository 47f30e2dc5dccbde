//! When a device is due, and what its clock says.

use std::collections::HashSet;

use super::Recipe;
use crate::chance::Chance;
use crate::truth::{Kind, Label};

/// When a device is due. Jitter moves a message, never the schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    chance: Chance,
    interval_us: f64,
    jitter_us: f64,
    phase_us: f64,
    count: u64,
    /// When the device is due, µs after its start.
    pub(super) due_us: u64,
}

impl Schedule {
    /// The schedule of the device `name`.
    pub(super) fn new(name: &str, recipe: &Recipe) -> Self {
        let profile = &recipe.profile;
        let messages = if profile.payload.joins_signals() {
            1
        } else {
            profile.signal.len()
        };
        let own_us = profile.period_ms * 1000.0 / messages as f64;
        let interval_us = recipe.rate_hz.map_or(own_us, |rate| 1e6 / rate);
        let mut chance = Chance::new(recipe.seed, name, "schedule");
        let phase_us = chance.unit() * interval_us;
        // Above half of the interval two messages would change places.
        let jitter_us = (profile.jitter_ms * 1000.0).min(interval_us * 0.2);
        let mut schedule = Self {
            chance,
            interval_us,
            jitter_us,
            phase_us,
            count: 0,
            due_us: 0,
        };
        schedule.plan();
        schedule
    }

    /// What was due is done.
    pub(super) fn advance(&mut self) {
        self.count += 1;
        self.plan();
    }

    fn plan(&mut self) {
        let even = self.phase_us + self.interval_us * self.count as f64;
        let jitter = if self.jitter_us > 0.0 {
            self.jitter_us * self.chance.normal().clamp(-2.0, 2.0)
        } else {
            0.0
        };
        self.due_us = self.due_us.max((even + jitter).max(0.0) as u64);
    }
}

/// The clock of the device, right or wrong. A sensor never sends one time twice, so that a reading is known by it.
#[derive(Clone, Debug)]
pub(super) struct DeviceClock {
    /// The smallest step of its times, ms; all that follows counts in these steps.
    step_ms: i64,
    /// Last right time of each stream.
    last: Vec<i64>,
    /// Wrong times that were sent, if there are faults of the clock: all odd, while right times are even.
    wrong: Option<HashSet<(usize, i64)>>,
}

impl DeviceClock {
    /// The clock of a device with so many streams, which tells times in steps of `step_ms`.
    pub(super) fn new(streams: usize, step_ms: i64, has_faults: bool) -> Self {
        Self {
            step_ms,
            last: vec![i64::MIN; streams],
            wrong: has_faults.then(HashSet::new),
        }
    }

    /// The time that the device puts into a message of `stream` at `at`.
    pub(super) fn read(&mut self, at: i64, stream: usize, fault: Option<&Label>) -> i64 {
        let steps = at.div_euclid(self.step_ms);
        let Some(wrong) = &mut self.wrong else {
            self.last[stream] = steps.max(self.last[stream].saturating_add(1));
            return self.last[stream] * self.step_ms;
        };
        let Some(fault) = fault.filter(|fault| fault.kind.is_of_clock()) else {
            self.last[stream] = (steps & !1).max(self.last[stream].saturating_add(2));
            return self.last[stream] * self.step_ms;
        };
        let since = at - fault.from_ms;
        let told = match fault.kind {
            Kind::ClockSkew => at + (since as f64 * fault.size) as i64,
            Kind::ClockStep => at + fault.size as i64,
            _ => since,
        };
        let mut steps = 1 | told.div_euclid(self.step_ms);
        while !wrong.insert((stream, steps)) {
            steps += 2;
        }
        steps * self.step_ms
    }
}
