//! What a rehearsal does with a copy of the machine: another plan from the outside, and counts by sensor.

use pipeline::{Counts, Now, Plan};
use wire::SensorId;

use super::{Effects, Machine, Sealer};
use crate::journal::wall_at;

impl Machine {
    /// Goes on under another plan, as if it had come in an entry at the last one's instant.
    pub fn replan(&mut self, plan: &Plan, effects: &mut impl Effects) {
        let now = Now {
            instant: self.instant,
            wall: wall_at(self.instant, self.offset_ms),
        };
        let mut sealer = Sealer {
            gateway: &self.gateway,
            rows: &mut self.rows,
            effects,
        };
        let _ = self.pipeline.handle_plan(now, plan, &mut sealer);
    }

    /// What came of one sensor's readings.
    #[must_use]
    pub fn counts(&self, sensor: SensorId) -> Option<Counts> {
        Some(self.pipeline.status(sensor)?.counts)
    }
}
