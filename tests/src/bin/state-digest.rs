//! Prints a digest of what the machine computes out of seeded readings: its state, and every byte that it seals.
//!
//! `cross/build.sh --test` compares what it prints on this processor and on that of the box. They must be equal: a journal of
//! the field is replayed on a laptop, bit for bit.

use core::hash::Hasher;
use std::hash::DefaultHasher;

use gateway::commit::SealedRow;
use gateway::journal::Entry;
use gateway::machine::{Effects, Machine};
use pipeline::Instant;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use tests::harness::config;
use wire::{Alert, SensorName, Summary, Timestamp};

const CONFIG: &str = r#"
[gateway]
id = "edge-1"
[broker]
allow_anonymous = true
[store]
dir = "unused"
[defaults]
average = "10s"
rolling = { window = "60s", every = "10s" }
ewma = "30s"
silence = "20s"
[[sensor]]
device = "*"
range = [-50.0, 150.0]
[[sensor.alerts]]
name = "hot"
above = 80.0
hysteresis = 5.0
"#;

const SENSORS: u64 = 50;
const READINGS: u64 = 200_000;
const WALL_MS: i64 = 1_764_000_000_000;

/// Digests what goes out.
struct Digest(DefaultHasher);

impl Effects for Digest {
    fn alert(&mut self, alert: &Alert<'_>) {
        self.0.write_u64(alert.id);
        self.0.write(alert.why.as_str().as_bytes());
    }

    fn average(&mut self, summary: &Summary, name: SensorName<'_>, _: &[f64]) {
        self.0.write(name.device.as_bytes());
        self.0.write_u32(summary.revision);
    }

    fn seal(&mut self, row: &SealedRow<'_>) {
        self.0.write(row.bytes);
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let config = config(CONFIG);
    let plan = config.plan().map_err(|faults| format!("{faults:?}"))?;
    let mut machine = Machine::new(&plan, &config.sizes())?;
    let mut random = Pcg64::new(7, 0);
    // Keys are fixed in this hasher, so it gives the same number in every run.
    let mut out = Digest(DefaultHasher::new());
    machine.apply(Instant(0), &Entry::Boot { offset_ms: WALL_MS }, &mut out);
    for sensor in 0..SENSORS {
        let device = format!("device-{sensor}");
        let entry = Entry::Sensor {
            device: &device,
            signal: "t",
        };
        machine.apply(Instant(0), &entry, &mut out);
    }
    for number in 0..READINGS {
        let instant = Instant(number * 20);
        if machine
            .deadline()
            .is_some_and(|deadline| deadline <= instant)
        {
            machine.apply(instant, &Entry::Tick, &mut out);
        }
        machine.apply(instant, &reading(number, &mut random), &mut out);
    }
    println!(
        "state {:016x}, sealed {:016x}, {:?}",
        machine.digest(),
        out.0.finish(),
        machine.sealed()
    );
    Ok(())
}

/// A walk with noise; now and then nothing that is a number, out of range, late, or without a time.
fn reading(number: u64, random: &mut Pcg64) -> Entry<'static> {
    let chance = random.next_u64();
    let noise = f64::from((chance >> 32) as u32) / f64::from(u32::MAX);
    let now_ms = WALL_MS + (number * 20) as i64;
    let (time, value) = match chance % 100 {
        0 => (Some(now_ms), f64::NAN),
        1 => (Some(now_ms), 1e9 * noise),
        2..=4 => (Some(now_ms - (chance % 30_000) as i64), noise),
        5 => (None, noise),
        _ => (Some(now_ms), (number as f64 / 1e4).sqrt() * 20.0 + noise),
    };
    let sensor = (number % SENSORS) as u16;
    Entry::Reading {
        sensor,
        time: time.map(Timestamp),
        value,
    }
}
