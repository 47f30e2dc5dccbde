//! What a kind of device is: its signals with their physics, its rate, its payload; read from TOML.

use core::fmt;

use serde::Deserialize;

use crate::dialect::Dialect;
use crate::limits::{NAME_BYTES_MAX, SIGNALS_MAX};

/// A kind of device.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is, for people.
    pub about: String,
    /// Time between two messages of a signal, ms.
    pub period_ms: f64,
    /// Deviation of that time, ms; the schedule itself doesn't wander.
    #[serde(default)]
    pub jitter_ms: f64,
    /// Share of its messages that the radio loses: they never leave the device. 0 to 1.
    #[serde(default)]
    pub loss: f64,
    /// How its messages are written.
    #[serde(default)]
    pub payload: Dialect,
    /// What it measures.
    pub signal: Vec<Signal>,
}

/// One measured quantity. The order of the steps is: source, wander, lag, scale, noise, step, range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name, the last level of the topic.
    pub name: String,
    /// Unit, for people.
    #[serde(default)]
    pub unit: String,
    /// What happens in the world.
    pub source: Source,
    /// Slow random walk around the source that always comes back (Ornstein-Uhlenbeck).
    #[serde(default)]
    pub wander: Option<Wander>,
    /// Time constant of the sensor, s: it follows the world by a first-order lag.
    #[serde(default)]
    pub lag_s: f64,
    /// From the quantity to what is sent, such as 4-20 mA.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// Deviation of the white noise on what is sent.
    #[serde(default)]
    pub noise: f64,
    /// What is sent is a multiple of this: the resolution of the converter.
    #[serde(default)]
    pub step: f64,
    /// What is sent lies in this range: the rails.
    #[serde(default = "unlimited")]
    pub range: [f64; 2],
    /// How large an ordinary change is; faults are measured in it. Without it: a tenth of the range.
    #[serde(default)]
    pub usual: Option<f64>,
    /// What it sends when its probe is disconnected; without it, not a number.
    #[serde(default)]
    pub disconnected: Option<f64>,
    /// What it sends once when its probe is back.
    #[serde(default)]
    pub power_up: Option<f64>,
}

/// What happens in the world.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A mean with a daily and a weekly swing.
    Cycle(Cycle),
    /// A two-point controller: up to `high`, then down to `low`.
    Band(Band),
    /// A machine that is off or on for random times.
    Switch(Switch),
    /// A meter that only counts up, faster by day.
    Counter(Counter),
    /// A battery that empties: flat for most of its life, steep at its end.
    Battery(Battery),
}

/// A mean with a daily and a weekly swing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// The mean.
    pub mean: f64,
    /// How far the peak lies above the mean; negative for a trough.
    #[serde(default)]
    pub daily: f64,
    /// Hour (UTC) of the peak.
    #[serde(default)]
    pub peak_hour: f64,
    /// What is added on Saturday and Sunday (UTC).
    #[serde(default)]
    pub weekend: f64,
}

/// A two-point controller.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Where it turns upwards.
    pub low: f64,
    /// Where it turns downwards.
    pub high: f64,
    /// How fast it goes up, each hour.
    pub rise_per_h: f64,
    /// How fast it goes down, each hour.
    pub fall_per_h: f64,
}

/// A machine that is off or on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// What is measured while it is off.
    pub off: f64,
    /// What is measured while it is on.
    pub on: f64,
    /// Mean time off, s.
    pub off_s: f64,
    /// Mean time on, s.
    pub on_s: f64,
    /// How much of the wander is left while it is off, 0 to 1: a machine that stands has no load that varies.
    #[serde(default = "one")]
    pub off_wander: f64,
}

/// A meter that counts up.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Where it begins.
    pub start: f64,
    /// What an hour adds on average.
    pub per_h: f64,
    /// How much of that depends on the hour, 0 to 1.
    #[serde(default)]
    pub daily: f64,
    /// Where it begins again at 0; without it, never.
    #[serde(default)]
    pub rollover: Option<f64>,
}

/// A battery that empties.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Battery {
    /// Volts when full.
    pub full: f64,
    /// Volts when empty; then somebody changes it.
    pub empty: f64,
    /// Life, h.
    pub hours: f64,
}

/// A slow random walk.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wander {
    /// Its deviation.
    pub size: f64,
    /// How long it remembers, s.
    pub time_s: f64,
}

/// A straight line from the quantity to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Two values of the quantity.
    pub from: [f64; 2],
    /// What is sent for them.
    pub to: [f64; 2],
}

const fn one() -> f64 {
    1.0
}

const fn unlimited() -> [f64; 2] {
    [-1e300, 1e300]
}

impl Signal {
    /// The size of an ordinary change.
    #[must_use]
    pub fn usual(&self) -> f64 {
        self.usual.unwrap_or_else(|| {
            let [low, high] = self.range;
            if high - low < 1e6 {
                (high - low) / 10.0
            } else {
                (self.noise * 10.0).max(1.0)
            }
        })
    }
}

/// Why a profile is not one.
#[derive(Debug, thiserror::Error)]
#[error("profile {name}: {reason}")]
pub struct ProfileError {
    /// Which profile.
    pub name: String,
    /// What is wrong with it, and where.
    pub reason: String,
}

/// The profiles that come with the program, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("dht22", include_str!("../profiles/dht22.toml")),
    ("ds18b20", include_str!("../profiles/ds18b20.toml")),
    (
        "pt100-4-20ma",
        include_str!("../profiles/pt100-4-20ma.toml"),
    ),
    ("bme280", include_str!("../profiles/bme280.toml")),
    (
        "vibration-rms",
        include_str!("../profiles/vibration-rms.toml"),
    ),
    (
        "current-clamp",
        include_str!("../profiles/current-clamp.toml"),
    ),
    ("tank-level", include_str!("../profiles/tank-level.toml")),
    (
        "energy-counter",
        include_str!("../profiles/energy-counter.toml"),
    ),
    (
        "door-contact",
        include_str!("../profiles/door-contact.toml"),
    ),
    (
        "battery-lora",
        include_str!("../profiles/battery-lora.toml"),
    ),
];

impl Profile {
    /// Names of the profiles that come with the program.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The profile `name` that comes with the program.
    ///
    /// # Errors
    /// [`ProfileError`] if there is none of that name.
    pub fn shipped(name: &str) -> Result<Self, ProfileError> {
        let found = SHIPPED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| {
            let names: Vec<_> = Self::shipped_names().collect();
            refuse(
                name,
                format_args!(
                    "unknown; shipped are {}; a file needs .toml at its end",
                    names.join(", ")
                ),
            )
        })?;
        Self::parse(name, text)
    }

    /// Reads a profile; `name` is for the messages.
    ///
    /// # Errors
    /// [`ProfileError`] with what is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(|error| refuse(name, error))?;
        profile.check(name)?;
        Ok(profile)
    }

    fn check(&self, name: &str) -> Result<(), ProfileError> {
        if self.signal.is_empty() || self.signal.len() > SIGNALS_MAX {
            return Err(refuse(
                name,
                format_args!(
                    "has {} signals; 1 to {SIGNALS_MAX} are possible",
                    self.signal.len()
                ),
            ));
        }
        if !(self.period_ms >= 1.0 && self.period_ms < 1e10 && self.jitter_ms >= 0.0) {
            return Err(refuse(
                name,
                "period_ms must be 1 or more, jitter_ms 0 or more",
            ));
        }
        if !(0.0..1.0).contains(&self.loss) {
            return Err(refuse(name, "loss must be 0 or more and below 1"));
        }
        for (at, signal) in self.signal.iter().enumerate() {
            let [low, high] = signal.range;
            if !is_name(&signal.name) || self.signal[..at].iter().any(|it| it.name == signal.name) {
                return Err(refuse(
                    name,
                    format_args!(
                        "signal {:?} is no name for a topic, or stands twice",
                        signal.name
                    ),
                ));
            }
            // Written so that a value which is not a number fails too.
            if !(low < high && signal.lag_s >= 0.0 && signal.noise >= 0.0 && signal.step >= 0.0) {
                return Err(refuse(
                    name,
                    format_args!(
                        "signal {}: range must rise; lag_s, noise and step be 0 or more",
                        signal.name
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The same device with `count` signals: its own ones in turn, numbered.
    #[must_use]
    pub fn with_signals(mut self, count: usize) -> Self {
        let own = core::mem::take(&mut self.signal);
        self.signal = (0..count.clamp(1, SIGNALS_MAX * 8))
            .map(|at| {
                let mut signal = own[at % own.len()].clone();
                signal.name = format!("{}-{}", signal.name, at / own.len());
                signal
            })
            .collect();
        self
    }
}

/// Whether `name` can be a level of a topic.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.contains(['/', '+', '#', '\0', '"', '\\'])
        && !name.starts_with('$')
}

fn refuse(name: &str, reason: impl fmt::Display) -> ProfileError {
    ProfileError {
        name: name.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_one() {
        assert_eq!(Profile::shipped_names().count(), 10);
        for name in Profile::shipped_names() {
            Profile::shipped(name).unwrap();
        }
    }

    fn check_refused(text: &str, reason: &str) {
        let error = Profile::parse("x", text).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("profile x"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_profile_is_refused_with_its_reason() {
        let signal = |name: &str, more: &str| {
            format!(
                "[[signal]]\nname = {name:?}\nsource = {{ kind = \"cycle\", mean = 1.0 }}\n{more}\n"
            )
        };
        let head = "about = \"\"\nperiod_ms = 1000\n";
        check_refused("about = \"\"\nperiod_ms = 1\nsignal = []", "0 signals");
        check_refused(
            &format!("about = \"\"\nperiod_ms = 0\n{}", signal("a", "")),
            "period_ms",
        );
        check_refused(
            &format!("loss = 1.0\n{head}{}", signal("a", "")),
            "loss must",
        );
        check_refused(&format!("{head}{}", signal("a/b", "")), "no name");
        check_refused(&format!("{head}{0}{0}", signal("a", "")), "stands twice");
        check_refused(
            &format!("{head}{}", signal("a", "range = [2.0, 1.0]")),
            "range must rise",
        );
        check_refused(&format!("{head}{}", signal("a", "nois = 2.0")), "nois");
        assert!(
            Profile::shipped("dht23")
                .unwrap_err()
                .to_string()
                .contains("dht22, ds18b20")
        );
    }

    #[test]
    fn signals_can_be_multiplied() {
        let profile = Profile::shipped("dht22").unwrap().with_signals(3);
        let names: Vec<_> = profile
            .signal
            .iter()
            .map(|signal| signal.name.as_str())
            .collect();
        assert_eq!(names, ["temperature-0", "humidity-0", "temperature-1"]);
    }
}
