//! From one plan to the next.

use super::Pipeline;
use super::steps::tell;
use crate::alarm::{Alarm, Cause, Change, Silence, alert};
use crate::config::{Plan, SILENCE_RULE, SensorConfig};
use crate::limits::THRESHOLDS_MAX;
use crate::memory::{Memory, Parts};
use crate::output::Emit;
use crate::time::Now;
use wire::SensorId;

impl<M: Memory> Pipeline<M> {
    /// Takes over a plan that is valid: alerts first, then windows, then batches, which the names and units of the old plan
    /// belong to; then the new one holds.
    pub(super) fn take_over(&mut self, now: Now, plan: &Plan, out: &mut impl Emit) {
        for place in 0..usize::from(self.sensors) {
            self.withdraw_alarms(now, place, plan, out);
        }
        self.leave_gates(now, plan, out);
        self.leave_thinners(now, plan, out);
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
                    self.panes_each,
                    config,
                );
                sensor.windows.reset(&mut room, config);
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
            self.reset_timer(place);
        }
    }

    fn keeps_windows(&self, place: usize, plan: &Plan) -> bool {
        let sensor = &self.memory.sensors[place];
        let before = self.plan.config(sensor.rule);
        before.has_windows_of(plan.config(plan.rule_of(&sensor.device, &sensor.signal)))
    }

    /// A threshold that stands in the new plan as it was goes on; what was raised by another one is cleared.
    fn withdraw_alarms(&mut self, now: Now, place: usize, plan: &Plan, out: &mut impl Emit) {
        let sensor = &mut self.memory.sensors[place];
        let before = self.plan.config(sensor.rule);
        let after = plan.config(plan.rule_of(&sensor.device, &sensor.signal));
        let mut kept = [Alarm::default(); THRESHOLDS_MAX];
        let id = SensorId(place as u16);
        for (alarm, threshold) in sensor.alarms.iter().zip(&before.thresholds) {
            if let Some(nth) = after.thresholds.iter().position(|other| other == threshold) {
                kept[nth] = *alarm;
            } else if let Some(raise) = alarm.raise() {
                let change = Change::Cleared(raise, sensor.good);
                let cause = Cause::Withdrawn(&threshold.rule, threshold.severity);
                tell(
                    &mut self.counters,
                    out,
                    &alert(now, id, sensor.name(before), cause, change),
                    change,
                );
            }
        }
        sensor.alarms = kept;
        if let Some(change) = withdraw_silence(&mut sensor.silence, now, before, after) {
            let severity = before.silence.map(|rule| rule.severity).unwrap_or_default();
            let cause = Cause::Withdrawn(SILENCE_RULE, severity);
            tell(
                &mut self.counters,
                out,
                &alert(now, id, sensor.name(before), cause, change),
                change,
            );
        }
    }
}

fn withdraw_silence(
    silence: &mut Silence,
    now: Now,
    before: &SensorConfig,
    after: &SensorConfig,
) -> Option<Change> {
    let raise = silence
        .raise()
        .filter(|_| before.silence != after.silence)?;
    *silence = Silence::Heard(now);
    Some(Change::Cleared(raise, 0.0))
}
