//! What time alone makes happen: alarms that waited, silence, idle windows, revisions, batches that are old enough.

use super::Pipeline;
use crate::gate::Gate;
use crate::limits::{DUE_PER_CALL_MAX, TOLD_PER_CALL_MAX};
use crate::memory::Memory;
use crate::output::Emit;
use crate::thin::Thinner;
use crate::time::{Instant, Now, earlier};
use crate::window::Windows;

impl<M: Memory> Pipeline<M> {
    /// Does what is due by now, the longest due first, as far as one call may go. Each sensor comes at most once, because it
    /// is set to a later time or none.
    pub(super) fn expire(&mut self, now: Now, out: &mut impl Emit) {
        let sealed = self.counters.telemetry_batches;
        let profiles = self.counters.profiles;
        let told_max = self.counters.told().saturating_add(TOLD_PER_CALL_MAX);
        for _ in 0..DUE_PER_CALL_MAX {
            let first = self.timers.first(&self.memory.links);
            let Some((sensor, _)) = first.filter(|(_, due)| *due <= now.instant) else {
                break;
            };
            self.expire_sensor(now, usize::from(sensor), out);
            // What gates let go may fill the batch: one call seals no more than one.
            let is_sealed = self.counters.telemetry_batches > sealed;
            // A profile is written to the disk.
            let is_learned = self.counters.profiles > profiles;
            if is_sealed || is_learned || self.counters.told() >= told_max {
                break;
            }
        }
        if self.aggregates.due.is_some_and(|due| due <= now.instant) {
            self.seal_summaries(now, out);
        }
        let is_sealed = self.counters.telemetry_batches > sealed;
        if !is_sealed && self.telemetry.due.is_some_and(|due| due <= now.instant) {
            self.seal_rows(now, out);
        }
    }

    /// Does what is due by now for one sensor, whoever else waits.
    pub(crate) fn expire_if_due(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let due = self.timers.due(&self.memory.links, place as u16);
        if due.is_some_and(|due| due <= now.instant) {
            self.expire_sensor(now, place, out);
        }
    }

    fn expire_sensor(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        self.expire_alarms(now, place, out);
        self.let_go_if_due(now, place, out);
        self.forward_if_due(now, place, out);
        self.tell_profile_if_due(now, place, out);
        if self.memory.sensors[place].windows.is_stale(now, None) {
            self.close_windows(now, place, Windows::next_revised, out);
        }
        self.sample_if_due(now, place, out);
        self.close_windows(
            now,
            place,
            |windows, room, id, config| windows.next_idle(room, now, id, config),
            out,
        );
        self.reset_timer(place);
    }

    /// When a sensor is due next, if no reading comes before.
    fn due(&self, place: usize) -> Option<Instant> {
        let sensor = &self.memory.sensors[place];
        let waiting = self.gate(place).and_then(Gate::due);
        let due = sensor.due(self.slots(place), self.plan.config(sensor.rule));
        let held = self.thinner(place).and_then(Thinner::due);
        let profile = self.miner(place).map(|miner| miner.due);
        earlier(earlier(waiting, held), earlier(profile, due))
    }

    /// Sets a sensor's timer to what it waits for, after now; at the end of time there is no after.
    pub(crate) fn reset_timer(&mut self, place: usize) {
        let due = self.due(place);
        let later = self.instant.0.checked_add(1).map(Instant);
        let due = due.zip(later).map(|(due, later)| due.max(later));
        self.timers.set(&mut self.memory.links, place as u16, due);
    }

    /// Sets a sensor's timer only if it would come too late. Too early is well, and the usual case: each reading puts silence
    /// and idle windows off, which needs no change of the heap.
    pub(super) fn bring_timer_forward(&mut self, place: usize) {
        let Some(due) = self.due(place) else {
            return;
        };
        let is_early_enough = |set: Instant| set <= due;
        if !self
            .timers
            .due(&self.memory.links, place as u16)
            .is_some_and(is_early_enough)
        {
            self.timers
                .set(&mut self.memory.links, place as u16, Some(due));
        }
    }
}
