//! Signals that are calculated from others of the same device.
//!
//! A good reading of an input makes the derived signal due, and it is sampled when its time comes: at the next deadline, which is
//! at most a ms away. So inputs that come together, in one payload, make one sample.

use super::Pipeline;
use crate::config::{Derived, Plan};
use crate::glob;
use crate::limits::INPUTS_MAX;
use crate::memory::Memory;
use crate::output::Emit;
use crate::pipeline::Reading;
use crate::sensor::{NEVER, Sensor};
use crate::time::Now;
use wire::{Clock, SensorId, Timestamp};

impl<M: Memory> Pipeline<M> {
    /// Makes the signals due that are calculated from this sensor's.
    pub(super) fn mark_derived(&mut self, now: Now, place: usize) {
        for nth in 0..self.plan.derived.len() {
            let sensor = &self.memory.sensors[place];
            let derived = &self.plan.derived[nth];
            let is_input = derived.inputs.contains(&sensor.signal);
            if !is_input || !glob::matches(&derived.device, &sensor.device) {
                continue;
            }
            let (device, signal) = (sensor.device.clone(), derived.signal.clone());
            // One that finds no place is counted like any other.
            if let Ok(sample) = self.register(now, &device, &signal) {
                self.memory.sensors[usize::from(sample.0)].sample_at = now.instant;
                self.bring_timer_forward(usize::from(sample.0));
            }
        }
    }

    /// Samples a derived signal that is due.
    pub(super) fn sample_if_due(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let sensor = &mut self.memory.sensors[place];
        if sensor.sample_at > now.instant || sensor.sample_at == NEVER {
            return;
        }
        sensor.sample_at = NEVER;
        let sensor = &self.memory.sensors[place];
        let Some(derived) = self.plan.derived_of(&sensor.device, &sensor.signal) else {
            return self.sample_chart(now, place, out);
        };
        let sample = self.sample(derived, &sensor.device);
        let (rate_ms, fresh_ms) = (derived.rate_ms, derived.fresh_ms);
        let sample = match (sample, rate_ms) {
            (Some(sample), Some(rate_ms)) => self.rate(place, &sample, rate_ms, fresh_ms),
            (sample, _) => sample,
        };
        match sample {
            Some(reading) => {
                let reading = self.placed_like(place, reading);
                let _ = self.take(now, SensorId(place as u16), &reading, out);
            }
            None => self.counters.derived_stale += 1,
        }
    }

    /// A sample of values that the gateway gave their times while its clock was not set has its time from the gateway too.
    pub(super) fn placed_like(&self, place: usize, reading: Reading) -> Reading {
        if self.clock == Clock::Synced {
            return reading;
        }
        let device = &self.memory.sensors[place].device;
        let is_placed = |sensor: &Sensor| {
            sensor.is_good_placed
                && Some(sensor.good_at) == reading.time
                && sensor.device == *device
        };
        let sensors = &self.memory.sensors[..usize::from(self.sensors)];
        let time = reading.time.filter(|_| !sensors.iter().any(is_placed));
        Reading { time, ..reading }
    }

    /// The change since the sample before, in `rate_ms`; none if there is none before, or it is too old.
    fn rate(
        &mut self,
        place: usize,
        sample: &Reading,
        rate_ms: u32,
        fresh_ms: u32,
    ) -> Option<Reading> {
        let time = sample.time?;
        let sensor = &mut self.memory.sensors[place];
        let before = sensor.before.filter(|_| sample.value.is_finite());
        sensor.before = Some((time, sample.value));
        let (from, value) = before.filter(|(_, value)| value.is_finite())?;
        let step_ms = time.0.saturating_sub(from.0);
        (1..=i64::from(fresh_ms))
            .contains(&step_ms)
            .then(|| Reading {
                value: (sample.value - value) / step_ms as f64 * f64::from(rate_ms),
                ..*sample
            })
    }

    /// The formula of the inputs' last good values; none if one is missing, or older than it may be beside the newest.
    fn sample(&self, derived: &Derived, device: &str) -> Option<Reading> {
        let mut values = [0.0; INPUTS_MAX];
        let mut times = [i64::MIN; INPUTS_MAX];
        for (nth, input) in derived.inputs.iter().enumerate() {
            let sensor = self.find(device, input)?;
            let sensor = &self.memory.sensors[usize::from(sensor.0)];
            if sensor.good.is_nan() {
                return None;
            }
            values[nth] = sensor.good;
            times[nth] = sensor.good_at.0;
        }
        let times = &times[..derived.inputs.len()];
        let newest = times.iter().copied().max()?;
        let is_fresh = |time: &i64| newest.saturating_sub(*time) <= i64::from(derived.fresh_ms);
        times.iter().all(is_fresh).then(|| Reading {
            time: Some(Timestamp(newest)),
            value: derived.formula.eval(&values[..derived.inputs.len()]),
        })
    }
}

impl Plan {
    /// How a signal is calculated, if it is.
    pub(crate) fn derived_of(&self, device: &str, signal: &str) -> Option<&Derived> {
        let fits =
            |derived: &&Derived| derived.signal == signal && glob::matches(&derived.device, device);
        self.derived.iter().find(fits)
    }
}
