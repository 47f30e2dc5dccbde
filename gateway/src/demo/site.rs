//! The site of the demo: its devices (their profiles lie in `site/`), what goes wrong with them and when, and the gateway's config.

use core::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use sensor_sim::fault::{FaultPlan, Order};
use sensor_sim::profile::{Profile, ProfileError};
use sensor_sim::truth::Kind;

use crate::config::{Config, ConfigError, Source};

/// Name of the gateway: `tidegate/demo/...` on MQTT, the key of its records in Kafka.
pub(super) const GATEWAY: &str = "demo";
/// Length of the average that is shown.
pub(super) const AVERAGE: &str = "10s";
/// Length of a round, s: the faults and the outage come again in each.
const ROUND_S: f64 = 60.0;
/// Rounds for which faults are planned: a day. Who looks for longer sees sensors without faults.
const ROUNDS_MAX: u64 = 24 * 60;
/// The outage of the upstream, in parts of a round.
const OUTAGE: [f64; 2] = [1.0 / 3.0, 7.0 / 12.0];

/// Who is there.
const DEVICES: [(&str, &str); 12] = [
    ("furnace-1", FURNACE),
    ("furnace-2", FURNACE),
    ("press-1", PRESS),
    ("pump-1", PUMP),
    ("pump-2", PUMP),
    ("pump-3", PUMP),
    ("chiller-1", CHILLER),
    ("chiller-2", CHILLER),
    ("tank-1", TANK),
    ("tank-2", TANK),
    ("coldroom-1", COLDROOM),
    ("coldroom-2", COLDROOM),
];

/// Kind, device, signal, begin and length in seconds of a round, size.
type Planned = (Kind, &'static str, &'static str, f64, f64, Option<f64>);

/// What goes wrong in each round.
const FAULTS: [Planned; 9] = [
    (
        Kind::Spike,
        "coldroom-1",
        "temperature",
        5.0,
        0.6,
        Some(60.0),
    ),
    (Kind::Stuck, "press-1", "current", 8.0, 12.0, None),
    (
        Kind::Drift,
        "furnace-1",
        "temperature",
        11.0,
        14.0,
        Some(85.0),
    ),
    (Kind::Step, "pump-2", "vibration", 25.0, 9.0, Some(4.0)),
    (Kind::Gap, "tank-2", "", 28.0, 9.0, None),
    (Kind::Duplicate, "chiller-1", "", 38.0, 8.0, None),
    (Kind::ProbeOff, "coldroom-2", "temperature", 41.0, 5.0, None),
    (Kind::NoiseBurst, "tank-1", "level", 43.0, 7.0, Some(0.2)),
    (
        Kind::Drift,
        "furnace-2",
        "temperature",
        44.0,
        10.0,
        Some(85.0),
    ),
];

const FURNACE: &str = include_str!("site/furnace.toml");
const PRESS: &str = include_str!("site/press.toml");
const PUMP: &str = include_str!("site/pump.toml");
const CHILLER: &str = include_str!("site/chiller.toml");
const TANK: &str = include_str!("site/tank.toml");
const COLDROOM: &str = include_str!("site/coldroom.toml");
/// What the gateway is told about these sensors.
const SENSORS: &str = include_str!("site/sensors.toml");

/// A device of the site.
pub(super) struct SiteDevice {
    /// Its name.
    pub(super) name: &'static str,
    /// Its kind.
    pub(super) profile: Arc<Profile>,
}

/// When the demo does what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    /// How long the sensors send, s; without end if absent.
    pub(super) seconds: Option<u64>,
}

/// All devices.
///
/// # Errors
/// [`ProfileError`] if a profile above is none.
pub(super) fn devices() -> Result<Vec<SiteDevice>, ProfileError> {
    let device = |(name, text)| {
        let profile = Arc::new(Profile::parse(name, text)?);
        Ok(SiteDevice { name, profile })
    };
    DEVICES.into_iter().map(device).collect()
}

/// The gateway's config: what is not said here is as in any other gateway.
///
/// # Errors
/// [`ConfigError`] if it is wrong.
pub(super) fn config(port: u16, dir: &Path, bootstrap: &str) -> Result<Config, ConfigError> {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "[gateway]\nid = \"{GATEWAY}\"\n\
         [broker]\nlisten = \"127.0.0.1:{port}\"\nallow_anonymous = true\nconnections_max = 64\n\
         status_interval = \"500ms\"\n\
         [store]\ndir = {dir}\nmax_bytes = \"256MiB\"\n\
         [kafka]\nbootstrap = \"{bootstrap}\"\n\
         [pipeline]\nsensors_max = 256\nbatch_interval = \"2s\"\n{SENSORS}",
        dir = toml::Value::from(dir.to_string_lossy().into_owned()),
    );
    let path = "the demo's own config".into();
    Config::from_source(&Source { path, text })
}

impl Script {
    /// How long a round takes, s.
    fn round_s(self) -> f64 {
        self.seconds
            .map_or(ROUND_S, |seconds| (seconds as f64).min(ROUND_S))
    }

    /// The faults, in as many rounds as the demo has.
    pub(super) fn faults(self) -> FaultPlan {
        let round_s = self.round_s();
        let rounds = self
            .seconds
            .map_or(ROUNDS_MAX, |seconds| (seconds / 60).clamp(1, ROUNDS_MAX));
        let scale = round_s / ROUND_S;
        let order = |round: u64, fault: &Planned| {
            let (kind, device, signal, from_s, for_s, size) = *fault;
            Order {
                kind,
                device: device.into(),
                signal: signal.into(),
                from_s: round as f64 * round_s + from_s * scale,
                // A spike is one reading, however short the round is.
                for_s: if kind == Kind::Spike {
                    for_s
                } else {
                    for_s * scale
                },
                size,
            }
        };
        let orders =
            (0..rounds).flat_map(|round| FAULTS.iter().map(move |fault| order(round, fault)));
        FaultPlan {
            orders: orders.collect(),
            ..FaultPlan::default()
        }
    }

    /// Whether the upstream shall be away, `elapsed_ms` after the sensors began.
    pub(super) fn is_outage(self, elapsed_ms: u64) -> bool {
        let round_ms = self.round_s() * 1000.0;
        let part = (elapsed_ms as f64 / round_ms).fract();
        !self.is_over(elapsed_ms) && (OUTAGE[0]..OUTAGE[1]).contains(&part)
    }

    /// Whether the sensors have sent for long enough.
    pub(super) fn is_over(self, elapsed_ms: u64) -> bool {
        self.seconds
            .is_some_and(|seconds| elapsed_ms >= seconds * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_is_one_that_the_gateway_takes() {
        let config = config(0, Path::new("/x \"y\""), "127.0.0.1:9").expect("valid");
        assert_eq!(config.store.dir, Path::new("/x \"y\""));
        let devices = devices().expect("profiles");
        for (kind, device, signal, ..) in FAULTS {
            let found = devices
                .iter()
                .find(|known| known.name == device)
                .expect(device);
            let signals = &found.profile.signal;
            assert!(
                kind.is_of_device() || signals.iter().any(|known| known.name == signal),
                "{device} {signal}"
            );
        }
    }

    fn check_outage(seconds: Option<u64>, elapsed_s: f64, expected: bool) {
        let elapsed_ms = (elapsed_s * 1000.0) as u64;
        assert_eq!(
            Script { seconds }.is_outage(elapsed_ms),
            expected,
            "{seconds:?} at {elapsed_s}"
        );
    }

    #[test]
    fn the_upstream_goes_away_a_third_into_each_round_and_comes_back() {
        for (elapsed_s, expected) in [
            (0.0, false),
            (19.9, false),
            (20.0, true),
            (34.9, true),
            (35.0, false),
        ] {
            check_outage(Some(60), elapsed_s, expected);
            check_outage(Some(12), elapsed_s / 5.0, expected);
            check_outage(None, 600.0 + elapsed_s, expected);
        }
        check_outage(Some(60), 80.0, false);
    }

    #[test]
    fn faults_come_in_every_round() {
        let count = |seconds| Script { seconds }.faults().orders.len();
        assert_eq!(
            (count(Some(12)), count(Some(60)), count(Some(300))),
            (9, 9, 45)
        );
        assert_eq!(count(None), 9 * 1440);
        let last = Script { seconds: Some(12) }
            .faults()
            .orders
            .pop()
            .expect("orders");
        assert!(last.from_s + last.for_s <= 12.0);
    }
}
