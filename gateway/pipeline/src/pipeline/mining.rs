//! What is learned of sensors, and when it is told.

use super::Pipeline;
use crate::gate::Cleaned;
use crate::limits::PARTNERS_SEARCHED_MAX;
use crate::memory::Memory;
use crate::output::{Emit, Output};
use crate::profile::{FREE, Miner, PARTNERS_MAX, Profile};
use crate::time::Now;
use wire::SensorId;

impl<M: Memory> Pipeline<M> {
    /// Learns from a row.
    pub(super) fn learn(&mut self, place: usize, row: &Cleaned) {
        if let Some(miner) = self.memory.sensors[place].miner {
            self.memory.miners[usize::from(miner)].push(row);
        }
    }

    /// Tells a profile whose time has come.
    pub(super) fn tell_profile_if_due(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let interval_ms = self.plan.config(sensor.rule).profile_ms;
        let is_due = self
            .miner(place)
            .is_some_and(|miner| miner.due <= now.instant);
        let (Some(miner), Some(interval_ms), true) = (sensor.miner, interval_ms, is_due) else {
            return;
        };
        self.memory.miners[usize::from(miner)].due = now.instant.after_ms(interval_ms);
        let Some(profile) = self.profile(place) else {
            return;
        };
        self.counters.profiles += 1;
        let signal = |partner: Option<(SensorId, f64)>| {
            partner.map_or("", |(sensor, _)| self.name(sensor).signal)
        };
        let partners: [&str; PARTNERS_MAX] = profile.partners.map(signal);
        out.emit(Output::Profile {
            profile: &profile,
            name: self.name(SensorId(place as u16)),
            partners,
        });
    }

    /// What is known of a sensor, and what goes along with it.
    fn profile(&self, place: usize) -> Option<Profile> {
        let sensor = &self.memory.sensors[place];
        let miner = self.miner(place)?;
        let mut profile = miner.profile(sensor.counts)?;
        let others = 0..usize::from(self.sensors);
        let others = others
            .filter(|other| *other != place && self.memory.sensors[*other].device == sensor.device);
        for other in others.take(PARTNERS_SEARCHED_MAX) {
            let r = self.miner(other).and_then(|other| miner.correlation(other));
            if let Some(r) = r {
                profile.take_partner(SensorId(other as u16), r);
            }
        }
        Some(profile)
    }

    /// Gives a sensor that is to be profiled a place, if one is left, and takes that of any other back.
    pub(super) fn assign_miner(&mut self, place: usize) {
        let sensor = &mut self.memory.sensors[place];
        let interval_ms = self.plan.config(sensor.rule).profile_ms;
        match (sensor.miner, interval_ms) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(miner), None) => {
                self.memory.miners[usize::from(miner)] = Miner::default();
                sensor.miner = None;
            }
            (None, Some(interval_ms)) => {
                let mut miners = self.memory.miners.iter();
                match miners.position(|miner| miner.owner == FREE) {
                    Some(free) => {
                        self.memory.miners[free].owner = place as u16;
                        self.memory.miners[free].due = self.instant.after_ms(interval_ms);
                        sensor.miner = Some(free as u16);
                    }
                    None => self.counters.miners_full += 1,
                }
            }
        }
    }

    pub(super) fn miner(&self, place: usize) -> Option<&Miner> {
        let miner = self.memory.sensors[place].miner?;
        self.memory.miners.get(usize::from(miner))
    }
}
