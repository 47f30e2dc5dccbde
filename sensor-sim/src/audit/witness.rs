//! What one witness has got, reading by reading.

use std::collections::{HashMap, VecDeque};

use super::sent::{RANK_MAX, Sensor};
use super::{Account, Case, Observation};

/// Somebody who received readings.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) sees_repeats: bool,
    pub(super) views: Vec<View>,
    /// Sensor and value of what came without a time that could be trusted.
    pub(super) timeless: Vec<(usize, f64)>,
    pub(super) account: Account,
}

/// What a witness has seen of one sensor.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// How often each reading came.
    pub(super) seen: Vec<u8>,
    /// The one that would come next.
    pub(super) next: usize,
    /// The last one in order of sending that has come.
    pub(super) newest: Option<usize>,
}

impl Witness {
    /// Takes an observation of `sensor`, whose index is `index`.
    pub(super) fn see(&mut self, index: usize, sensor: &Sensor, observation: &Observation<'_>) {
        let value = observation.value;
        let Some(time) = observation.time else {
            return self.timeless.push((index, value.unwrap_or(f64::NAN)));
        };
        let view = &self.views[index];
        let rank = |at: usize| {
            let is_it = value.is_none_or(|value| is_same(value, sensor.readings[at].value));
            let is_open = view.seen[at] == 0;
            if is_it && is_open {
                RANK_MAX
            } else {
                2 * u8::from(is_it) + u8::from(is_open)
            }
        };
        match sensor.find(time, view.next, rank) {
            None => self.account.unexplained.add(|| Case::of(observation)),
            Some(at) => self.take(sensor, index, at, value),
        }
    }

    fn take(&mut self, sensor: &Sensor, index: usize, at: usize, value: Option<f64>) {
        let view = &mut self.views[index];
        let reading = &sensor.readings[at];
        let allowed = if self.sees_repeats {
            reading.repeats.saturating_add(1)
        } else {
            1
        };
        if view.seen[at] >= allowed {
            self.account.doubled.add(|| sensor.case(reading));
        } else if view.seen[at] == 0 && view.newest.is_some_and(|newest| at < newest) {
            self.account.reordered.add(|| sensor.case(reading));
        }
        if value.is_some_and(|value| !is_same(value, reading.value)) {
            self.account.changed.add(|| Case {
                value,
                ..sensor.case(reading)
            });
        }
        view.seen[at] = view.seen[at].saturating_add(1);
        view.newest = view.newest.max(Some(at));
        view.next = at + 1;
    }

    /// What came without its time is the oldest reading of that value which has not come, but rather one that must have
    /// come than one that need not; or, if all have, one of them again.
    pub(super) fn match_timeless(&mut self, sensors: &[Sensor]) {
        let mut open: HashMap<(usize, u64), VecDeque<usize>> = HashMap::new();
        let timeless = core::mem::take(&mut self.timeless);
        let mut wanted: Vec<usize> = timeless.iter().map(|(sensor, _)| *sensor).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for index in wanted {
            let readings = &sensors[index].readings;
            let seen = &self.views[index].seen;
            let mut missing: Vec<usize> = (0..readings.len()).filter(|at| seen[*at] == 0).collect();
            missing.sort_by_key(|at| (readings[*at].is_refusable, !readings[*at].is_acknowledged));
            for at in missing {
                open.entry((index, bits(readings[at].value)))
                    .or_default()
                    .push_back(at);
            }
        }
        for (index, value) in timeless {
            let sensor = &sensors[index];
            let case = |time| Case {
                device: sensor.device.clone(),
                signal: sensor.signal.clone(),
                sequence: None,
                time,
                value: Some(value),
            };
            match open.get_mut(&(index, bits(value))) {
                Some(places) => match places.pop_front() {
                    Some(at) => self.views[index].seen[at] = 1,
                    None => self.account.doubled.add(|| case(None)),
                },
                None if sensor
                    .readings
                    .iter()
                    .any(|reading| is_same(reading.value, value)) =>
                {
                    self.account.doubled.add(|| case(None));
                }
                None => self.account.unexplained.add(|| case(None)),
            }
        }
    }
}

fn is_same(a: f64, b: f64) -> bool {
    bits(a) == bits(b)
}

/// The value as bits: both zeros are one, and so are all that are no number.
const fn bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}
