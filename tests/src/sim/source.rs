//! The devices of a site: those of the sensor simulator, with some of their faults.

use std::sync::Arc;

use sensor_sim::device::{Device, Message, Recipe};
use sensor_sim::dialect::Dialect;
use sensor_sim::fault::FaultPlan;
use sensor_sim::payload::{Writer, is_refusable};
use sensor_sim::profile::Profile;
use sensor_sim::truth::Kind;

use super::chance::Chance;
use super::site::BEGIN_MS;

/// A device, and how it writes.
#[derive(Debug)]
pub struct Source {
    /// The device of the sensor simulator.
    pub device: Device,
    /// Its way of writing.
    pub writer: Writer,
    /// Names of its signals.
    pub signals: Vec<String>,
}

/// A message that a client is to send.
#[derive(Debug)]
pub struct Composed {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// What the payload says: sensor, time and value.
    pub readings: Vec<((String, String), Option<i64>, f64)>,
}

impl Composed {
    /// One that says nothing.
    #[must_use]
    pub fn broken() -> Self {
        Self {
            topic: "sensors/broken/t".to_owned(),
            payload: b"{\"ts\":".to_vec(),
            readings: Vec::new(),
        }
    }
}

impl Source {
    /// What the device sends at `now_ms`; from `end_ms` on, only what it has kept back.
    pub fn sense(&mut self, now_ms: u64, end_ms: u64) -> Vec<Composed> {
        let Self {
            device,
            writer,
            signals,
        } = self;
        let name = device.name().to_owned();
        let mut composed = Vec::new();
        let mut send = |message: &Message<'_>| {
            composed.push(compose(&name, writer, signals, message));
        };
        if now_ms < end_ms {
            device.tick(BEGIN_MS + now_ms as i64, &mut |_| {}, &mut send);
        } else {
            device.flush(&mut send);
        }
        composed
    }

    /// When it has something to send again, true time in ms.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        self.device.due_us() / 1_000
    }
}

fn compose(device: &str, writer: &Writer, signals: &[String], message: &Message<'_>) -> Composed {
    let dialect = writer.dialect();
    let mut payload = Vec::new();
    writer.write(message, &mut payload);
    let signal = &signals[message.stream];
    let named = if dialect.joins_signals() {
        signals
    } else {
        core::slice::from_ref(signal)
    };
    let time = (dialect != Dialect::Bare).then_some(message.time);
    let readings = named.iter().zip(message.values);
    let readings =
        readings.map(|(signal, value)| ((device.to_owned(), signal.clone()), time, *value));
    let is_refused = is_refusable(dialect, message.values);
    Composed {
        topic: dialect
            .topic()
            .replace("{device}", device)
            .replace("{signal}", signal),
        payload,
        readings: readings.filter(|_| !is_refused).collect(),
    }
}

#[must_use]
#[expect(
    clippy::expect_used,
    reason = "the profiles are part of the sensor simulator"
)]
/// The device of this number.
///
/// # Panics
/// If a profile of the sensor simulator is gone.
pub fn source(seed: u64, number: u64, chance: &mut Chance) -> Source {
    let kind = chance.pick(&["dht22", "ds18b20", "vibration-rms", "bme280"]);
    let mut profile = Profile::shipped(kind).expect("a profile");
    profile.payload = chance.pick(&[
        Dialect::Json,
        Dialect::Json,
        Dialect::Bare,
        Dialect::JsonValues,
    ]);
    let plan = FaultPlan {
        kinds: [
            Kind::Spike,
            Kind::Step,
            Kind::NoiseBurst,
            Kind::Gap,
            Kind::Duplicate,
            Kind::OutOfOrder,
            Kind::Backlog,
            Kind::ProbeOff,
        ]
        .into_iter()
        .filter(|_| chance.one_in(2))
        .collect(),
        every_s: 12.0,
        lasts_s: [1.0, 8.0],
        orders: Vec::new(),
    };
    let name = format!("{kind}-{number}");
    let recipe = Recipe {
        profile: Arc::new(profile.clone()),
        plan: Arc::new(plan),
        seed,
        start: BEGIN_MS,
        rate_hz: Some(chance.pick(&[0.5, 1.0, 3.0])),
        boots: 0,
    };
    Source {
        device: Device::new(&name, &recipe),
        writer: Writer::new(&profile, &name, 0),
        signals: profile.signal.iter().map(|it| it.name.clone()).collect(),
    }
}
