//! `clean = { … }` and `drop_if = "…"`: how jumps and gaps of a sensor are mended, and what is not wanted.

use pipeline::config::{Cleaning, Fill, Method, Unit};
use pipeline::expression::Expression;
use pipeline::limits::CONDITIONS_MAX;
use serde::{Deserialize, Serialize};

use super::plan::narrow;
use super::{Fault, Millis};

/// `clean = {}` takes the defaults; what is absent is inherited.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// How a spike is told.
    pub method: Option<Method>,
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
            method,
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
        cleaning.method = method.unwrap_or(cleaning.method);
        cleaning.jump = jump.unwrap_or(cleaning.jump);
        cleaning.wait_ms_max = wait.map_or(cleaning.wait_ms_max, narrow);
        cleaning.fill = fill.unwrap_or(cleaning.fill);
        cleaning.fill_ms_max = fill_max.map_or(cleaning.fill_ms_max, narrow);
    }
}

/// The conditions of a plan.
pub(super) type Conditions = heapless::Vec<Expression, CONDITIONS_MAX, u8>;

/// The place of a condition among those of the plan; sensors with the same one share it.
pub(super) fn place_of(
    text: &str,
    conditions: &mut Conditions,
    key: &str,
    faults: &mut Vec<Fault>,
) -> Option<u8> {
    let condition = match Expression::condition(text) {
        Ok(condition) => condition,
        Err(error) => {
            let message = format!("`{text}`, column {}: {}", error.column, error.what);
            faults.push(Fault::at(key, message, error.hint));
            return None;
        }
    };
    if let Some(known) = conditions.iter().position(|known| *known == condition) {
        return Some(known as u8);
    }
    if conditions.push(condition).is_err() {
        let help = format!("at most {CONDITIONS_MAX} different ones are allowed");
        faults.push(Fault::at(key, "too many conditions", help));
        return None;
    }
    Some(conditions.len() as u8 - 1)
}
