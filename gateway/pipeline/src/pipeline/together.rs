//! Several signals of a device, judged together: how far they are from what they were is a signal of the device itself.
//!
//! A good reading of one of them opens a row, which takes what comes within a moment; then the chart sees the last good value of each.

use super::{Pipeline, Reading};
use crate::config::{Chart, Plan};
use crate::detect::{Course, Together};
use crate::glob;
use crate::limits::{SIGNAL_BYTES_MAX, TOGETHER_MAX};
use crate::memory::Memory;
use crate::output::Emit;
use crate::scout::{Place, claim};
use crate::sensor::NEVER;
use crate::time::Now;
use heapless::String;
use wire::{SensorId, Timestamp};

impl<M: Memory> Pipeline<M> {
    /// Opens a row of each chart that this sensor is of.
    pub(super) fn mark_charts(&mut self, now: Now, place: usize) {
        for nth in 0..self.plan.charts.len() {
            let sensor = &self.memory.sensors[place];
            let chart = &self.plan.charts[nth];
            if !chart.signals.contains(&sensor.signal)
                || !glob::matches(&chart.device, &sensor.device)
            {
                continue;
            }
            let (device, signal) = (sensor.device.clone(), chart.signal.clone());
            let due = now.instant.after_ms(chart.gather_ms);
            // One that finds no place is counted like any other.
            if let Ok(id) = self.register(now, &device, &signal) {
                let own = &mut self.memory.sensors[usize::from(id.0)];
                if own.sample_at == NEVER {
                    own.sample_at = due;
                    self.bring_timer_forward(usize::from(id.0));
                }
            }
        }
    }

    /// Shows the row that was gathered to its chart.
    pub(super) fn sample_chart(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let chart = self.plan.chart_of(&sensor.device, &sensor.signal);
        let (Some(chart), Some(Place::Chart(at))) = (chart, sensor.scout) else {
            return;
        };
        let mut row = [f64::NAN; TOGETHER_MAX];
        let mut newest = i64::MIN;
        for (value, signal) in row.iter_mut().zip(&chart.signals) {
            if let Some(other) = self.find(&sensor.device, signal) {
                let other = &self.memory.sensors[usize::from(other.0)];
                *value = other.good;
                newest = newest.max(other.good_at.0);
            }
        }
        let len = chart.signals.len();
        let crew = &mut self.memory.crews[usize::from(at)].detector;
        let departure = crew.together.push(&row[..len]);
        crew.most = departure.signal as u8;
        if departure.limit > 0.0 {
            let reading = Reading {
                time: Some(Timestamp(newest)),
                value: departure.score(),
            };
            let reading = self.placed_like(place, reading);
            let _ = self.take(now, SensorId(place as u16), &reading, out);
        }
    }

    /// Gives the signal of a chart its chart, if one is left; whether it is one.
    pub(super) fn assign_crew(&mut self, place: usize) -> bool {
        let sensor = &mut self.memory.sensors[place];
        let Some(chart) = self.plan.chart_of(&sensor.device, &sensor.signal) else {
            return false;
        };
        let course = if chart.wears {
            Course::WEAR
        } else {
            Course::STEADY
        };
        match claim(&mut self.memory.crews, place as u16) {
            Some(at) => {
                self.memory.crews[usize::from(at)].detector.together = Together::new(course);
                sensor.scout = Some(Place::Chart(at));
            }
            None => self.counters.detectors_full += 1,
        }
        true
    }

    /// The signal of a chart that departs most.
    pub(super) fn departs(&self, place: usize) -> String<SIGNAL_BYTES_MAX, u8> {
        let sensor = &self.memory.sensors[place];
        let chart = self.plan.chart_of(&sensor.device, &sensor.signal);
        let (Some(chart), Some(Place::Chart(at))) = (chart, sensor.scout) else {
            return String::new();
        };
        let most = self.memory.crews[usize::from(at)].detector.most;
        chart
            .signals
            .get(usize::from(most))
            .cloned()
            .unwrap_or_default()
    }
}

impl Plan {
    /// What a signal is the chart of, if it is one.
    pub(crate) fn chart_of(&self, device: &str, signal: &str) -> Option<&Chart> {
        let fits = |chart: &&Chart| chart.signal == signal && glob::matches(&chart.device, device);
        self.charts.iter().find(fits)
    }
}
