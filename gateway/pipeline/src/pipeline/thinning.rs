//! From a cleaned row to the batch: through the thinner of its sensor, if it has one.

use super::Pipeline;
use crate::config::Plan;
use crate::gate::Cleaned;
use crate::memory::Memory;
use crate::output::Emit;
use crate::thin::{FREE, Forwarded, Thinner};
use crate::time::Now;
use wire::SensorId;

impl<M: Memory> Pipeline<M> {
    /// Puts a row into the batch, at once or as the thinner of its sensor says.
    pub(super) fn thin(&mut self, now: Now, place: usize, row: Cleaned, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let rule = self.plan.config(sensor.rule).thinning;
        let Some((thinner, rule)) = sensor.thinner.zip(rule) else {
            return self.push_row(now, SensorId(place as u16), row, out);
        };
        let mut forwarded = Forwarded::new();
        let thinner = &mut self.memory.thinners[usize::from(thinner)];
        let left_out = thinner.offer(now, row, &rule, &mut forwarded);
        self.counters.thinned += u64::from(left_out);
        for row in forwarded {
            self.push_row(now, SensorId(place as u16), row, out);
        }
    }

    /// Forwards what was held for long enough.
    pub(super) fn forward_if_due(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let due = self.thinner(place).and_then(Thinner::due);
        if due.is_some_and(|due| due <= now.instant) {
            self.forward_held(now, place, out);
        }
    }

    /// Gives a sensor that is to be thinned a thinner, if one is left.
    pub(super) fn assign_thinner(&mut self, place: usize) {
        let sensor = &mut self.memory.sensors[place];
        if sensor.thinner.is_some() || self.plan.config(sensor.rule).thinning.is_none() {
            return;
        }
        let mut thinners = self.memory.thinners.iter();
        match thinners.position(|thinner| thinner.owner == FREE) {
            Some(free) => {
                self.memory.thinners[free].owner = place as u16;
                sensor.thinner = Some(free as u16);
            }
            None => self.counters.thinners_full += 1,
        }
    }

    /// Lets go of the thinners whose rule is another in the next plan, with what they hold.
    pub(super) fn leave_thinners(&mut self, now: Now, plan: &Plan, out: &mut impl Emit) {
        for place in 0..usize::from(self.sensors) {
            let sensor = &self.memory.sensors[place];
            let before = self.plan.config(sensor.rule).thinning;
            let after = plan.rule_of(&sensor.device, &sensor.signal);
            if before == plan.config(after).thinning {
                continue;
            }
            self.forward_held(now, place, out);
            if let Some(thinner) = self.memory.sensors[place].thinner.take() {
                self.memory.thinners[usize::from(thinner)] = Thinner::default();
            }
        }
    }

    pub(super) fn thinner(&self, place: usize) -> Option<&Thinner> {
        let thinner = self.memory.sensors[place].thinner?;
        self.memory.thinners.get(usize::from(thinner))
    }

    fn forward_held(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        if let Some(thinner) = self.memory.sensors[place].thinner
            && let Some(row) = self.memory.thinners[usize::from(thinner)].let_go()
        {
            self.push_row(now, SensorId(place as u16), row, out);
        }
    }
}
