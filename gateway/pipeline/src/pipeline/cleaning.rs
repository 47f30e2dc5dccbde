//! From a judged reading to the rows and windows: through the gate of its sensor, if it has one.

use super::Pipeline;
use crate::clean::Steady;
use crate::config::Plan;
use crate::gate::{Cleaned, FREE, Gate, Item, Released};
use crate::memory::Memory;
use crate::output::Emit;
use crate::time::Now;
use crate::window::Entry;
use wire::{Content, Flags, Quality, Reasons};

impl<M: Memory> Pipeline<M> {
    /// Takes a judged reading on: at once, or to wait in its gate.
    pub(super) fn clean(&mut self, now: Now, place: usize, item: Item, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let cleaning = self.plan.config(sensor.rule).cleaning.as_ref();
        let Some((gate, cleaning)) = sensor.gate.zip(cleaning) else {
            return self.admit(now, place, item.as_sent(), out);
        };
        let mut released = Released::new();
        self.memory.gates[usize::from(gate)].offer(now, item, cleaning, &mut released);
        self.admit_all(now, place, &released, out);
    }

    /// Lets go of what waited for long enough.
    pub(super) fn let_go_if_due(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let due = self.gate(place).and_then(Gate::due);
        if due.is_some_and(|due| due <= now.instant) {
            self.let_go(now, place, out);
        }
    }

    /// Lets go of what waits.
    pub(super) fn let_go(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        if let Some(gate) = self.memory.sensors[place].gate {
            let mut released = Released::new();
            self.memory.gates[usize::from(gate)].let_go(&mut released);
            self.admit_all(now, place, &released, out);
        }
    }

    /// Gives a sensor that is to be cleaned a gate, if one is left.
    pub(super) fn assign_gate(&mut self, place: usize) {
        let sensor = &mut self.memory.sensors[place];
        if sensor.gate.is_some() || self.plan.config(sensor.rule).cleaning.is_none() {
            return;
        }
        match self.memory.gates.iter().position(|gate| gate.owner == FREE) {
            Some(free) => {
                self.memory.gates[free].owner = place as u16;
                sensor.gate = Some(free as u16);
            }
            None => self.counters.gates_full += 1,
        }
    }

    /// Lets go of the gates that the next plan has no use for, with what waits in them. One whose settings change begins anew.
    pub(super) fn leave_gates(&mut self, now: Now, plan: &Plan, out: &mut impl Emit) {
        for place in 0..usize::from(self.sensors) {
            let sensor = &self.memory.sensors[place];
            let before = &self.plan.config(sensor.rule).cleaning;
            let after = &plan
                .config(plan.rule_of(&sensor.device, &sensor.signal))
                .cleaning;
            if before == after {
                continue;
            }
            self.let_go(now, place, out);
            if let Some(gate) = self.memory.sensors[place].gate.take() {
                self.memory.gates[usize::from(gate)] = Gate::default();
            }
        }
    }

    pub(super) fn gate(&self, place: usize) -> Option<&Gate> {
        let gate = self.memory.sensors[place].gate?;
        self.memory.gates.get(usize::from(gate))
    }

    fn admit_all(&mut self, now: Now, place: usize, released: &[Cleaned], out: &mut impl Emit) {
        for cleaned in released {
            self.counters.count_mended(cleaned.flags.reasons());
            self.admit(now, place, *cleaned, out);
        }
    }

    /// A reading that waits no more: into the windows and the batch.
    fn admit(&mut self, now: Now, place: usize, cleaned: Cleaned, out: &mut impl Emit) {
        let cleaned = self.doubt_the_stuck(place, cleaned);
        let cleaned = self.placed_like_the_last(place, cleaned);
        let last = &mut self.memory.sensors[place].last;
        if last.time == cleaned.time {
            last.flags = cleaned.flags;
        }
        let entry = Entry {
            time: cleaned.time,
            value: cleaned.content.value().unwrap_or_default(),
            quality: cleaned.flags.quality(),
        };
        self.learn(place, &cleaned);
        self.take_into_windows(now, place, entry, out);
        self.thin(now, place, cleaned, out);
    }

    /// A value that stands still for too long is uncertain. Thresholds have seen it before: a sensor that is stuck above a
    /// limit is above it all the same.
    fn doubt_the_stuck(&mut self, place: usize, cleaned: Cleaned) -> Cleaned {
        let sensor = &mut self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let width = config.stuck_width;
        let Some(stuck_ms) = config.stuck_ms else {
            sensor.steady = Steady::default();
            return cleaned;
        };
        // What was mended says nothing of the sensor.
        let value = match cleaned.content {
            Content::AsSent(value) => value,
            Content::Repaired { value, .. } if cleaned.flags.quality() == Quality::Good => value,
            Content::Repaired { .. }
            | Content::Refused(_)
            | Content::Filled(_)
            | Content::Nothing => return cleaned,
        };
        let reasons = cleaned.flags.reasons();
        if reasons.contains(Reasons::LATE)
            || !sensor.steady.is_stuck(cleaned.time, value, stuck_ms, width)
        {
            return cleaned;
        }
        self.counters.count_reasons(Reasons::STUCK);
        let flags = Flags::new(Quality::Uncertain, reasons | Reasons::STUCK);
        Cleaned { flags, ..cleaned }
    }
}
