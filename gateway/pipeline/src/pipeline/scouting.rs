//! Detectors on duty: who has one, and what it sees.

use super::Pipeline;
use crate::alarm::{Cause, Event};
use crate::config::{Depth, Plan};
use crate::memory::Memory;
use crate::output::Emit;
use crate::scout::{Place, Scout, Watch, Watched, claim, clear, look};
use crate::time::Now;
use crate::window::Entry;

impl<M: Memory> Pipeline<M> {
    /// Shows a good value to the sensor's detector, before any repair: what a repair takes away is what is to be found.
    pub(super) fn scout(&mut self, now: Now, place: usize, entry: Entry, out: &mut impl Emit) {
        let config = self.config_at(place);
        let scout = self.memory.sensors[place].scout;
        let Some(((detect, nth), scout)) = config.detect.zip(config.unusual_place()).zip(scout)
        else {
            return;
        };
        let (time, value, calm) = (entry.time, entry.value, detect.calm);
        let memory = &mut self.memory;
        let (finding, is_alarmed) = match scout {
            Place::Lite(at) => look(&mut memory.lites[usize::from(at)], time, value, calm),
            Place::Standard(at) => look(&mut memory.standards[usize::from(at)], time, value, calm),
            Place::Full(at) => look(&mut memory.fulls[usize::from(at)], time, value, calm),
            // A chart has its rows from elsewhere.
            Place::Chart(_) => return,
        };
        if finding.is_alarm {
            let event = Event::Beyond(value, time);
            self.step_alarm(now, (place, nth), event, Cause::Found(&finding), out);
        } else if !is_alarmed {
            // It stands until the detector has rested without a further alarm.
            self.step_alarm(now, (place, nth), Event::Back(value), Cause::Condition, out);
        }
    }

    /// Gives a sensor that is to be watched a detector, if one is left.
    pub(super) fn assign_scout(&mut self, place: usize) {
        if self.memory.sensors[place].scout.is_some() || self.assign_crew(place) {
            return;
        }
        let Some(detect) = self.config_at(place).detect else {
            return;
        };
        let (memory, owner) = (&mut self.memory, place as u16);
        let scout = match detect.depth {
            Depth::Lite => claim(&mut memory.lites, owner).map(Place::Lite),
            Depth::Standard => claim(&mut memory.standards, owner).map(Place::Standard),
            Depth::Full => claim(&mut memory.fulls, owner).map(Place::Full),
            Depth::Auto => claim(&mut memory.fulls, owner)
                .map(Place::Full)
                .or_else(|| claim(&mut memory.standards, owner).map(Place::Standard))
                .or_else(|| claim(&mut memory.lites, owner).map(Place::Lite)),
        };
        self.counters.detectors_full += u64::from(scout.is_none());
        self.memory.sensors[place].scout = scout;
    }

    /// Sets the detectors free that the next plan has no use for. One that only gets calmer goes on with what it learned.
    pub(super) fn leave_scouts(&mut self, plan: &Plan) {
        for place in 0..usize::from(self.sensors) {
            let sensor = &self.memory.sensors[place];
            let after = plan.config(plan.rule_of(&sensor.device, &sensor.signal));
            let depth = |detect: crate::config::Detect| detect.depth;
            let chart = plan.chart_of(&sensor.device, &sensor.signal);
            let has_same = self.plan.chart_of(&sensor.device, &sensor.signal) == chart;
            if has_same && self.config_at(place).detect.map(depth) == after.detect.map(depth) {
                continue;
            }
            match self.memory.sensors[place].scout.take() {
                Some(Place::Lite(at)) => clear(&mut self.memory.lites[usize::from(at)]),
                Some(Place::Standard(at)) => clear(&mut self.memory.standards[usize::from(at)]),
                Some(Place::Full(at)) => clear(&mut self.memory.fulls[usize::from(at)]),
                Some(Place::Chart(at)) => {
                    self.memory.crews[usize::from(at)] = Scout::default();
                }
                None => {}
            }
        }
    }

    /// How many sensors are watched by detectors.
    #[must_use]
    pub fn watched(&self) -> Watched {
        let mut watched = Watched {
            refused: self.counters.detectors_full,
            ..Watched::default()
        };
        for sensor in &self.memory.sensors[..usize::from(self.sensors)] {
            let is_learning = match sensor.scout {
                None => continue,
                Some(Place::Chart(at)) => {
                    watched.together += 1;
                    let together = &self.memory.crews[usize::from(at)].detector.together;
                    together.is_learning()
                }
                Some(Place::Lite(at)) => {
                    watched.lite += 1;
                    self.memory.lites[usize::from(at)].detector.is_learning()
                }
                Some(Place::Standard(at)) => {
                    watched.standard += 1;
                    Watch::is_learning(&self.memory.standards[usize::from(at)].detector)
                }
                Some(Place::Full(at)) => {
                    watched.full += 1;
                    Watch::is_learning(&self.memory.fulls[usize::from(at)].detector)
                }
            };
            watched.learning += u32::from(is_learning);
        }
        watched
    }
}
