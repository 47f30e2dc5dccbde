//! What happened, in numbers: one counter for each thing that can.

use serde::{Deserialize, Serialize};
use wire::{Reasons, Transition};

/// Counts since the store was made. A checkpoint keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Readings that were handled, duplicates among them.
    pub readings: u64,
    /// Readings that were duplicates.
    pub duplicates: u64,
    /// Readings for an id that nobody has.
    pub unknown_sensors: u64,
    /// Sensors that were refused because the table is full.
    pub table_full: u64,
    /// Sensors that were refused because a name is too long or empty.
    pub bad_names: u64,
    /// Readings with an absurd time.
    pub time_repaired: u64,
    /// Readings with a time too far ahead.
    pub future: u64,
    /// Readings without a time.
    pub arrival_time: u64,
    /// Readings that came while the gateway's clock was not set.
    pub clock_unsynced: u64,
    /// Readings out of range.
    pub out_of_range: u64,
    /// Readings that were sentinels.
    pub sentinel: u64,
    /// Readings of a sensor that may be stuck.
    pub stuck: u64,
    /// Jumps that were taken back, and are spikes.
    pub spikes: u64,
    /// Jumps that were confirmed, and are steps.
    pub steps: u64,
    /// Readings that were brought back from another unit.
    pub unit: u64,
    /// Values that were filled in.
    pub filled: u64,
    /// Times at which a derived signal could not be calculated, because an input was missing or too old.
    pub derived_stale: u64,
    /// Sensors that are to be cleaned, for which no gate was left.
    pub gates_full: u64,
    /// Sensors whose quantiles are to be told, for which no sketches were left.
    pub sketches_full: u64,
    /// Rows that were left out: values that lie, as far as the plan cares, on the way between two that were forwarded.
    pub thinned: u64,
    /// Sensors that are to be thinned, for which no thinner was left.
    pub thinners_full: u64,
    /// Sensors that are to be profiled, for which no place was left.
    pub miners_full: u64,
    /// Readings for which the sensor's condition held.
    pub condition: u64,
    /// Readings that were infinite or no number.
    pub not_finite: u64,
    /// Readings behind their watermark.
    pub late: u64,
    /// Readings in no window, because their panes are gone.
    pub outside_windows: u64,
    /// Times at which a sensor's windows began anew, because its newest time lay in the future of a corrected clock.
    pub clock_resets: u64,
    /// Alerts raised.
    pub alerts_raised: u64,
    /// Alerts cleared.
    pub alerts_cleared: u64,
    /// Alarms acknowledged, shelved, suppressed, and back from that.
    pub alarms_operated: u64,
    /// What happened to alarms that are shelved or suppressed, and was not told.
    pub alarms_untold: u64,
    /// Sensors that are to be watched, for which no detector was left.
    pub detectors_full: u64,
    /// Summaries made, revisions among them.
    pub summaries: u64,
    /// Summaries that revise an earlier one.
    pub revisions: u64,
    /// Profiles told.
    pub profiles: u64,
    /// Batches of readings sealed.
    pub telemetry_batches: u64,
    /// Batches of summaries sealed.
    pub aggregate_batches: u64,
    /// Plans taken over after the first.
    pub plans: u64,
}

impl Counters {
    /// Alerts and summaries that were handed out.
    pub(crate) const fn told(&self) -> u64 {
        self.alerts_raised + self.alerts_cleared + self.alarms_operated + self.summaries
    }

    /// What counts transitions of this kind.
    pub(crate) const fn of_transition(&mut self, transition: Transition) -> &mut u64 {
        match transition {
            Transition::Raised => &mut self.alerts_raised,
            Transition::Cleared => &mut self.alerts_cleared,
            Transition::Acknowledged
            | Transition::Shelved
            | Transition::Unshelved
            | Transition::Suppressed
            | Transition::Released => &mut self.alarms_operated,
        }
    }

    pub(crate) fn count_mended(&mut self, reasons: Reasons) {
        for (reason, counter) in [
            (Reasons::SPIKE, &mut self.spikes),
            (Reasons::STEP, &mut self.steps),
            (Reasons::UNIT, &mut self.unit),
            (Reasons::FILLED, &mut self.filled),
        ] {
            *counter += u64::from(reasons.contains(reason));
        }
    }

    pub(crate) fn count_reasons(&mut self, reasons: Reasons) {
        for (reason, counter) in [
            (Reasons::TIME_REPAIRED, &mut self.time_repaired),
            (Reasons::FUTURE, &mut self.future),
            (Reasons::ARRIVAL_TIME, &mut self.arrival_time),
            (Reasons::CLOCK_UNSYNCED, &mut self.clock_unsynced),
            (Reasons::OUT_OF_RANGE, &mut self.out_of_range),
            (Reasons::SENTINEL, &mut self.sentinel),
            (Reasons::STUCK, &mut self.stuck),
            (Reasons::CONDITION, &mut self.condition),
            (Reasons::NOT_FINITE, &mut self.not_finite),
            (Reasons::LATE, &mut self.late),
        ] {
            *counter += u64::from(reasons.contains(reason));
        }
    }
}
