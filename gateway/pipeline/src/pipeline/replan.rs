//! From one plan to the next.

use super::Pipeline;
use crate::config::Plan;
use crate::memory::{Memory, Parts};
use crate::output::Emit;
use crate::time::Now;

impl<M: Memory> Pipeline<M> {
    /// Takes over a plan that is valid: alerts first, then windows, then batches, which the names and units of the old plan
    /// belong to; then the new one holds.
    pub(super) fn take_over(&mut self, now: Now, plan: &Plan, out: &mut impl Emit) {
        for place in 0..usize::from(self.sensors) {
            self.withdraw_alarms(now, place, plan, out);
        }
        self.leave_gates(now, plan, out);
        self.leave_thinners(now, plan, out);
        self.leave_scouts(plan);
        for place in 0..usize::from(self.sensors) {
            if !self.keeps_windows(place, plan) {
                self.break_windows(now, place, out);
                let sensor = &mut self.memory.sensors[place];
                let rule = plan.rule_of(&sensor.device, &sensor.signal);
                let config = plan.config(rule);
                let mut room = Parts::<M>::room_of(
                    &mut self.memory.panes,
                    &mut self.memory.sketches,
                    (place, sensor.sketches),
                    self.each.panes,
                    config,
                );
                sensor.windows.reset(&mut room, config, None);
            }
        }
        self.seal_all(now, out);
        for sensor in &mut self.memory.sensors[..usize::from(self.sensors)] {
            sensor.rule = plan.rule_of(&sensor.device, &sensor.signal);
        }
        self.plan.clone_from(plan);
        for place in 0..usize::from(self.sensors) {
            self.assign_gate(place);
            self.assign_sketches(place);
            self.assign_thinner(place);
            self.assign_miner(place);
            self.assign_scout(place);
            self.reset_timer(place);
        }
    }

    fn keeps_windows(&self, place: usize, plan: &Plan) -> bool {
        let sensor = &self.memory.sensors[place];
        let before = self.plan.config(sensor.rule);
        before.has_windows_of(plan.config(plan.rule_of(&sensor.device, &sensor.signal)))
    }
}
