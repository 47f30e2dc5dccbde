//! The JSON of a profile.

use core::iter::zip;
use std::collections::BTreeMap;

use pipeline::{PARTNERS_MAX, Profile};
use serde::Serialize;
use wire::SensorName;

/// What is usual for a signal.
#[derive(Serialize)]
pub(super) struct ProfileJson<'a> {
    device: &'a str,
    signal: &'a str,
    unit: &'a str,
    values: u32,
    low: f64,
    median: f64,
    high: f64,
    noise: f64,
    sampling_ms: Option<f64>,
    regularity: Option<f64>,
    season_ms: Option<f64>,
    season_strength: Option<f64>,
    /// Pearson's correlation, by signal.
    partners: BTreeMap<&'a str, f64>,
    health: u8,
    /// Points that are missing to 100, by cause.
    losses: BTreeMap<&'static str, u8>,
}

impl<'a> ProfileJson<'a> {
    pub(super) fn new(
        profile: &Profile,
        name: SensorName<'a>,
        partners: [&'a str; PARTNERS_MAX],
    ) -> Self {
        let [low, median, high] = profile.range;
        let correlations = profile.partners.iter().flatten().map(|(_, r)| *r);
        let losses = profile.losses.iter().filter(|loss| loss.points > 0);
        Self {
            device: name.device,
            signal: name.signal,
            unit: name.unit,
            values: profile.values,
            low,
            median,
            high,
            noise: profile.noise,
            sampling_ms: profile.sampling_ms,
            regularity: profile.regularity,
            season_ms: profile.season.map(|(ms, _)| ms),
            season_strength: profile.season.map(|(_, strength)| strength),
            partners: zip(partners, correlations).collect(),
            health: profile.health,
            losses: losses.map(|loss| (loss.cause, loss.points)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Loss;
    use wire::SensorId;

    use crate::messages::Message;

    use super::*;

    #[test]
    fn a_profile_names_partners_and_causes() {
        let loss = |cause, points| Loss { cause, points };
        let zero = loss("late", 0);
        let profile = Profile {
            values: 7,
            range: [1.0, 2.0, 3.0],
            noise: 0.5,
            sampling_ms: Some(1000.0),
            regularity: Some(1.0),
            season: None,
            partners: [Some((SensorId(4), -0.9)), None, None],
            health: 80,
            losses: [loss("bad", 20), zero, zero, zero, zero, zero, zero],
        };
        let name = SensorName {
            device: "tank",
            signal: "level",
            unit: "m",
        };
        let mut message = Message::default();
        message.write_profile("g", &profile, name, ["inflow", "", ""]);
        assert_eq!(message.topic, "tidegate/g/profile/tank/level");
        let json: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(json["partners"], serde_json::json!({ "inflow": -0.9 }));
        assert_eq!(json["losses"], serde_json::json!({ "bad": 20 }));
        assert_eq!(
            (&json["health"], &json["season_ms"]),
            (&80.into(), &serde_json::Value::Null)
        );
    }
}
