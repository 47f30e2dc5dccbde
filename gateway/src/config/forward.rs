//! `forward = { … }`: which rows of a sensor need not go to Kafka.

use pipeline::config::{Thinning, ThinningMethod};
use serde::{Deserialize, Serialize};

use super::plan::narrow;
use super::{Fault, Millis};

/// Either `deadband` or `swinging_door`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Leaves out values that are not further than this from the last one that was forwarded.
    pub deadband: Option<f64>,
    /// Leaves out values that are not further than this from the line between two that are forwarded.
    pub swinging_door: Option<f64>,
    /// Something is forwarded at least this often.
    #[serde(default = "silence")]
    pub silence: Millis,
}

const fn silence() -> Millis {
    Millis(600_000)
}

impl Forward {
    pub(super) fn thinning(&self, key: &str, faults: &mut Vec<Fault>) -> Option<Thinning> {
        let (method, width) = match (self.deadband, self.swinging_door) {
            (Some(width), None) => (ThinningMethod::Deadband, width),
            (None, Some(width)) => (ThinningMethod::SwingingDoor, width),
            (Some(_), Some(_)) | (None, None) => {
                let help = "give either `deadband = WIDTH` or `swinging_door = WIDTH`";
                faults.push(Fault::at(
                    format!("{key}.forward"),
                    "one width is needed",
                    help,
                ));
                return None;
            }
        };
        Some(Thinning {
            method,
            width,
            silence_ms_max: narrow(self.silence),
        })
    }
}
