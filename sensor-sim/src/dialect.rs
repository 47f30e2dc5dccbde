//! How a kind of device talks: the form of its payload, its topic, and how fine its clock is.

use serde::Deserialize;

/// How a device writes its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `{"ts":…,"value":…,"boot":…,"seq":…,"crc":…}`, a message for each signal.
    #[default]
    Json,
    /// The number alone, a message for each signal. The time is lost.
    Bare,
    /// `{"ts":…,"values":{…},"boot":…,"seq":…,"crc":…}`, one message for all signals.
    JsonValues,
    /// Tasmota's telemetry: `{"Time":"…","DHT22":{"Temperature":21.5},…}`, with times in whole seconds, UTC.
    Tasmota,
    /// Shelly from its second generation on: a `NotifyStatus` of its RPC, with times in s and three decimals.
    Shelly,
    /// Zigbee2MQTT with `last_seen: epoch`: `{"temperature":21.5,…,"last_seen":…}`.
    Zigbee2mqtt,
    /// Sensor Measurement Lists as JSON, RFC 8428: `[{"bn":"dht22-0/","bt":…,"n":"temperature","u":"Cel","v":21.5},…]`.
    Senml,
    /// Sparkplug B 3.0: births with aliases, data by alias, a death certificate as the will.
    SparkplugB,
    /// A report of our own devices, as `wire` writes it: the parts of postcard.
    Postcard,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Json,
        Self::Bare,
        Self::JsonValues,
        Self::Tasmota,
        Self::Shelly,
        Self::Zigbee2mqtt,
        Self::Senml,
        Self::SparkplugB,
        Self::Postcard,
    ];

    /// Its name in a profile and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Bare => "bare",
            Self::JsonValues => "json-values",
            Self::Tasmota => "tasmota",
            Self::Shelly => "shelly",
            Self::Zigbee2mqtt => "zigbee2mqtt",
            Self::Senml => "senml",
            Self::SparkplugB => "sparkplug-b",
            Self::Postcard => "postcard",
        }
    }

    /// Its topic, where `{device}` and `{signal}` stand for their names.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Json | Self::Bare => "sensors/{device}/{signal}",
            Self::JsonValues | Self::Postcard => "sensors/{device}",
            Self::Tasmota => "tele/{device}/SENSOR",
            Self::Shelly => "{device}/events/rpc",
            Self::Zigbee2mqtt => "zigbee2mqtt/{device}",
            Self::Senml => "senml/{device}",
            Self::SparkplugB => "spBv1.0/sim/DDATA/{device}/{device}",
        }
    }

    /// A filter for the topics of all devices.
    #[must_use]
    pub const fn filter(self) -> &'static str {
        match self {
            Self::Json | Self::Bare => "sensors/#",
            Self::JsonValues | Self::Postcard => "sensors/+",
            Self::Tasmota => "tele/+/SENSOR",
            Self::Shelly => "+/events/rpc",
            Self::Zigbee2mqtt => "zigbee2mqtt/+",
            Self::Senml => "senml/+",
            Self::SparkplugB => "spBv1.0/sim/#",
        }
    }

    /// Whether one message carries all signals of the device.
    #[must_use]
    pub const fn joins_signals(self) -> bool {
        !matches!(self, Self::Json | Self::Bare)
    }

    /// The smallest step of its times, ms.
    #[must_use]
    pub const fn time_step_ms(self) -> i64 {
        match self {
            Self::Tasmota => 1000,
            _ => 1,
        }
    }
}

impl core::str::FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|dialect| dialect.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no dialect; known are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_has_one_name_everywhere() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.name().parse(), Ok(dialect));
            let read: Dialect =
                serde_json::from_value(serde_json::Value::from(dialect.name())).unwrap();
            assert_eq!(read, dialect);
        }
        assert!("morse".parse::<Dialect>().unwrap_err().contains("tasmota"));
    }

    #[test]
    fn a_topic_names_a_signal_where_the_payload_does_not() {
        for dialect in Dialect::ALL {
            let names_signal = dialect.topic().contains("{signal}");
            assert_eq!(names_signal, !dialect.joins_signals(), "{dialect:?}");
        }
    }
}
