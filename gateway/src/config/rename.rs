//! `[[rename]]`: signals that go by another name than their devices give them.

use serde::{Deserialize, Serialize};

use super::{Config, Fault};
use crate::limits::{RENAMES_MAX, SIGNAL_BYTES_MAX};
use crate::mapping;

/// One `[[rename]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Device, or a pattern; any if absent.
    #[serde(default = "any")]
    pub device: String,
    /// What the device calls it.
    pub signal: String,
    /// What it is called here.
    pub to: String,
}

fn any() -> String {
    "*".to_owned()
}

impl Config {
    /// For the mapping.
    pub(super) fn renames(&self) -> impl Iterator<Item = mapping::Rename> + '_ {
        self.renames.iter().map(|rename| mapping::Rename {
            device: rename.device.clone(),
            signal: rename.signal.clone(),
            to: rename.to.clone(),
        })
    }

    pub(super) fn check_renames(&self, check: &mut impl FnMut(bool, Fault)) {
        check(
            self.renames.len() <= RENAMES_MAX,
            Fault::at(
                "rename",
                "too many names",
                format!("give at most {RENAMES_MAX} [[rename]]; a pattern serves many devices"),
            ),
        );
        for (nth, rename) in self.renames.iter().enumerate() {
            let is_name = (1..=SIGNAL_BYTES_MAX).contains(&rename.to.len())
                && !rename.to.contains(['+', '#', '/'])
                && !rename.to.contains(char::is_control);
            check(
                is_name,
                Fault::at(
                    format!("rename[{nth}].to"),
                    "this cannot be a signal's name",
                    format!("use 1 to {SIGNAL_BYTES_MAX} bytes without / + #"),
                ),
            );
            let before = &self.renames[..nth];
            let is_first = before
                .iter()
                .all(|other| (&other.device, &other.signal) != (&rename.device, &rename.signal));
            check(
                is_first,
                Fault::at(
                    format!("rename[{nth}].signal"),
                    "this signal has a name already, and the first counts",
                    "take one of the two out",
                ),
            );
        }
    }
}
