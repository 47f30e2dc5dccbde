//! `clean = { … }`: how jumps and gaps of a sensor are mended.

use pipeline::config::{Cleaning, Fill};
use serde::Deserialize;

use super::Millis;
use super::plan::narrow;

/// `clean = {}` takes the defaults; what is absent is inherited.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// A jump is suspect beyond this many usual steps of the sensor.
    pub jump: Option<f64>,
    /// How long a suspect waits at most for the readings that judge it.
    pub wait: Option<Millis>,
    /// Whether values in another unit are brought back.
    pub unit_flip: Option<bool>,
    /// What stands in for a missing or refused reading.
    pub fill: Option<Fill>,
    /// Longer gaps stay gaps.
    pub fill_max: Option<Millis>,
}

impl Clean {
    pub(super) fn apply(self, config: &mut Option<Cleaning>) {
        let cleaning = config.get_or_insert_default();
        let Self {
            jump,
            wait,
            unit_flip,
            fill,
            fill_max,
        } = self;
        cleaning.jump = jump.unwrap_or(cleaning.jump);
        cleaning.wait_ms_max = wait.map_or(cleaning.wait_ms_max, narrow);
        cleaning.unit_flip = unit_flip.unwrap_or(cleaning.unit_flip);
        cleaning.fill = fill.unwrap_or(cleaning.fill);
        cleaning.fill_ms_max = fill_max.map_or(cleaning.fill_ms_max, narrow);
    }
}
