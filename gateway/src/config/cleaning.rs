//! `clean = { … }`: how jumps and gaps of a sensor are mended.

use pipeline::config::{Cleaning, Fill, Unit};
use serde::Deserialize;

use super::plan::narrow;
use super::{Fault, Millis};

/// `clean = {}` takes the defaults; what is absent is inherited.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// A jump is suspect beyond this many usual steps of the sensor.
    pub jump: Option<f64>,
    /// How long a suspect waits at most for the readings that judge it.
    pub wait: Option<Millis>,
    /// Units in which the values may come by mistake; they are brought back.
    pub unit_flip: Option<Vec<Unit>>,
    /// What stands in for a missing or refused reading.
    pub fill: Option<Fill>,
    /// Longer gaps stay gaps.
    pub fill_max: Option<Millis>,
}

impl Clean {
    pub(super) fn apply(&self, config: &mut Option<Cleaning>, key: &str, faults: &mut Vec<Fault>) {
        let cleaning = config.get_or_insert_default();
        let Self {
            jump,
            wait,
            unit_flip,
            fill,
            fill_max,
        } = self;
        if let Some(units) = unit_flip {
            cleaning.flips.clear();
            if cleaning.flips.extend_from_slice(units).is_err() {
                let key = format!("{key}.clean.unit_flip");
                faults.push(Fault::at(key, "too many units", "give at most four"));
            }
        }
        cleaning.jump = jump.unwrap_or(cleaning.jump);
        cleaning.wait_ms_max = wait.map_or(cleaning.wait_ms_max, narrow);
        cleaning.fill = fill.unwrap_or(cleaning.fill);
        cleaning.fill_ms_max = fill_max.map_or(cleaning.fill_ms_max, narrow);
    }
}
