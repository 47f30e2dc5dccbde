//! All that is kept of one sensor, beside its panes.

use crate::alarm::{Phase, Slot};
use crate::clean::{Recent, Steady};
use crate::config::SensorConfig;
use crate::limits::{DEVICE_BYTES_MAX, SIGNAL_BYTES_MAX};
use crate::scout::Place;
use crate::time::{Instant, Now, earlier};
use crate::window::Windows;
use heapless::String;
use serde::{Deserialize, Serialize};
use wire::{Flags, SensorId, SensorName, Timestamp};

/// An instant that does not come.
pub(crate) const NEVER: Instant = Instant(u64::MAX);

/// The state of one sensor, or room for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    pub(crate) device: String<DEVICE_BYTES_MAX, u8>,
    pub(crate) signal: String<SIGNAL_BYTES_MAX, u8>,
    /// The rule that holds for it; none: the defaults.
    pub(crate) rule: Option<u16>,
    pub(crate) recent: Recent,
    pub(crate) windows: Windows,
    /// When the last reading came.
    pub(crate) heard: Now,
    /// The last good value.
    pub(crate) good: f64,
    /// Event time of that value.
    pub(crate) good_at: Timestamp,
    /// Whether that is the time of the gateway's clock while that was not set.
    pub(crate) is_good_placed: bool,
    /// Of which time without a set clock the readings in its windows are, if they have their times by that clock.
    pub(crate) placed_in: Option<u16>,
    /// When it is to be calculated from others: [`NEVER`], but for a short while.
    pub(crate) sample_at: Instant,
    /// What its formula came to last, and when, if it is the rate of that.
    pub(crate) before: Option<(Timestamp, f64)>,
    pub(crate) steady: Steady,
    /// Which sketches are its own, if its quantiles are told and there were some left.
    pub(crate) sketches: Option<u16>,
    /// The place of its gate, if it is cleaned and there was one left.
    pub(crate) gate: Option<u16>,
    /// The place of its thinner, if it is thinned and there was one left.
    pub(crate) thinner: Option<u16>,
    /// The place of what is learned of it, if it is profiled and there was one left.
    pub(crate) miner: Option<u16>,
    /// Its detector, if it has one.
    pub(crate) scout: Option<Place>,
    pub(crate) last: Last,
    pub(crate) counts: Counts,
}

/// The last reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) time: Timestamp,
    pub(crate) value: f64,
    pub(crate) flags: Flags,
}

/// What came of one sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Readings, without duplicates.
    pub readings: u32,
    /// Of these, bad ones.
    pub bad: u32,
    /// Of these, late ones.
    pub late: u32,
    /// Duplicates.
    pub duplicates: u32,
}

/// How a sensor stands, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SensorStatus<'a> {
    /// Its place in the table.
    pub sensor: SensorId,
    /// What it is called.
    pub name: SensorName<'a>,
    /// Event time of its last reading.
    pub time: Timestamp,
    /// The last reading, as it was sent; no number if there was none.
    pub value: f64,
    /// Quality and reasons of the last reading.
    pub flags: Flags,
    /// What came of it so far.
    pub counts: Counts,
}

impl Default for Sensor {
    fn default() -> Self {
        Self::new(
            String::new(),
            String::new(),
            None,
            &SensorConfig::default(),
            Now::default(),
        )
    }
}

impl Sensor {
    pub(crate) fn new(
        device: String<DEVICE_BYTES_MAX, u8>,
        signal: String<SIGNAL_BYTES_MAX, u8>,
        rule: Option<u16>,
        config: &SensorConfig,
        now: Now,
    ) -> Self {
        Self {
            device,
            signal,
            rule,
            recent: Recent::default(),
            windows: Windows::new(config),
            heard: now,
            good: f64::NAN,
            good_at: Timestamp::default(),
            is_good_placed: false,
            placed_in: None,
            sample_at: NEVER,
            before: None,
            steady: Steady::default(),
            sketches: None,
            gate: None,
            thinner: None,
            miner: None,
            scout: None,
            last: Last {
                value: f64::NAN,
                ..Last::default()
            },
            counts: Counts::default(),
        }
    }

    pub(crate) fn name<'a>(&'a self, config: &'a SensorConfig) -> SensorName<'a> {
        SensorName {
            device: &self.device,
            signal: &self.signal,
            unit: &config.unit,
        }
    }

    /// When it is due next, if no reading comes before.
    pub(crate) fn due(&self, slots: &[Slot], config: &SensorConfig) -> Option<Instant> {
        let alarms = slots.iter().map(Slot::due).fold(None, earlier);
        let silence = self.silent_at(slots, config);
        let sample = Some(self.sample_at).filter(|at| *at != NEVER);
        earlier(
            earlier(alarms, silence),
            earlier(sample, self.windows.due(config)),
        )
    }

    /// When it will have been silent for too long, if it isn't told already.
    fn silent_at(&self, slots: &[Slot], config: &SensorConfig) -> Option<Instant> {
        let after_ms = config.silence?.after_ms;
        let slot = slots.get(config.silence_place()?)?;
        (slot.phase == Phase::Normal).then(|| self.heard.instant.after_ms(after_ms))
    }

    /// Whether a checkpoint could have made it under this configuration.
    pub(crate) fn is_sound(&self, config: &SensorConfig) -> bool {
        self.recent.is_sound() && self.windows.is_sound(config)
    }
}
