//! How values are mended, and which rows need not be forwarded.

use crate::limits::FLIPS_MAX;
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// How jumps and gaps are mended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleaning {
    /// How a spike is told, and what it becomes.
    #[serde(default)]
    pub method: Method,
    /// A value is suspect if it is further from the one before than this many usual steps of the sensor.
    pub jump: f64,
    /// A suspect waits at most this many ms of the gateway's time for the readings that judge it.
    pub wait_ms_max: u32,
    /// Other units in which the values may come by mistake: they are brought back.
    pub flips: Vec<Unit, FLIPS_MAX, u8>,
    /// What stands in for readings that did not come or could not be used.
    pub fill: Fill,
    /// Longer gaps stay gaps, in ms of event time.
    pub fill_ms_max: u32,
}

/// How a spike is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A jump waits until the next readings say whether it was a spike or a step: the best of the three on sensor data.
    #[default]
    Gate,
    /// The Hampel filter over seven values: further from their median than three deviations, a value becomes the median.
    Hampel,
    /// SCREEN: a value is moved as little as the sensor's speed demands.
    Screen,
}

/// Which rows need not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thinning {
    /// How a reader puts them in again.
    pub method: ThinningMethod,
    /// No value that he puts in is further from what was left out than this, in the sensor's unit.
    pub width: f64,
    /// At least one row is forwarded for every so many ms in which there are some.
    pub silence_ms_max: u32,
}

/// How a reader puts rows in again that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThinningMethod {
    /// The last value that was forwarded is held.
    Deadband,
    /// On the line from one forwarded value to the next.
    SwingingDoor,
}

/// A unit in which values come by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// °F for °C.
    Fahrenheit,
    /// °C for °F.
    Celsius,
    /// K for °C.
    Kelvin,
    /// A thousand for one: mbar for bar, mV for V.
    Milli,
    /// One for a thousand: bar for mbar, V for mV.
    Kilo,
}

/// What stands in for a reading that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// Nothing.
    None,
    /// The last value that can be trusted.
    Hold,
    /// A value on the line to the next one, once that has come.
    #[default]
    Linear,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            method: Method::Gate,
            jump: 2.5,
            wait_ms_max: 30_000,
            flips: Vec::new(),
            fill: Fill::default(),
            fill_ms_max: 300_000,
        }
    }
}
