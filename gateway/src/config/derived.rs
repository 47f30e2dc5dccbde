//! `[[derived]]`: signals that are calculated from others of the same device.

use pipeline::config::Plan;
use pipeline::expression::Expression;
use pipeline::limits::DERIVED_MAX;
use serde::{Deserialize, Serialize};

use super::plan::{narrow, text};
use super::{Fault, Millis};

/// A signal that nobody sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Device, or a pattern; any if absent.
    #[serde(default = "any")]
    pub device: String,
    /// What it is called.
    pub signal: String,
    /// A formula of names of other signals.
    pub expr: Option<String>,
    /// Such a formula whose change counts.
    pub rate: Option<String>,
    /// Its change in this time.
    #[serde(default = "second")]
    pub per: Millis,
    /// How much older an input may be than the newest.
    #[serde(default = "fresh")]
    pub fresh: Millis,
}

fn any() -> String {
    "*".to_owned()
}

const fn fresh() -> Millis {
    Millis(60_000)
}

const fn second() -> Millis {
    Millis(1_000)
}

/// Adds the derived signals to a plan.
pub(super) fn add(derived: &[Derived], plan: &mut Plan, faults: &mut Vec<Fault>) {
    for (nth, derived) in derived.iter().enumerate() {
        let key = format!("derived[{nth}]");
        let (expr, rate_ms) = match (&derived.expr, &derived.rate) {
            (Some(expr), None) => (expr, None),
            (None, Some(rate)) => (rate, Some(narrow(derived.per))),
            (Some(_), Some(_)) | (None, None) => {
                let help = "give either `expr = FORMULA` or `rate = FORMULA`";
                faults.push(Fault::at(key, "a derived signal has one formula", help));
                continue;
            }
        };
        let (formula, inputs) = match Expression::formula(expr) {
            Ok(compiled) => compiled,
            Err(error) => {
                let message = format!("`{}`, column {}: {}", expr, error.column, error.what);
                faults.push(Fault::at(format!("{key}.expr"), message, error.hint));
                continue;
            }
        };
        let made = pipeline::config::Derived {
            device: text(&derived.device, &format!("{key}.device"), faults),
            signal: text(&derived.signal, &format!("{key}.signal"), faults),
            formula,
            inputs,
            fresh_ms: narrow(derived.fresh),
            rate_ms,
        };
        if plan.derived.push(made).is_err() {
            let help = format!("at most {DERIVED_MAX} are allowed; a pattern serves many devices");
            faults.push(Fault::at(key, "too many derived signals", help));
            return;
        }
    }
}
