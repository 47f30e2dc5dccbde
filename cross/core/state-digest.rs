//! Prints a digest of what the machine computes out of seeded readings: its state, and every byte that it seals.
//!
//! `cross/build.sh --test` compares what it prints on this processor and on that of the box. They must be equal: a journal of
//! the field is replayed on a laptop, bit for bit.

use core::hash::Hasher;
use std::hash::DefaultHasher;

use gateway::commit::SealedRow;
use gateway::journal::Entry;
use gateway::machine::{Effects, Machine, Sizes};
use pipeline::config::{Cleaning, Depth, Detect, Range, SensorConfig, SilenceRule, Sliding, Threshold};
use pipeline::{Instant, Plan};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use wire::{Alert, SensorName, Severity, Summary, Timestamp};

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
    let plan = plan()?;
    let sizes = Sizes {
        sensors: SENSORS as usize,
        gates: SENSORS as usize,
        miners: 0,
        thinners: 0,
        sketched: SENSORS as usize,
        panes_per_sensor: usize::try_from(plan.panes_min())?,
        slots_per_sensor: plan.slots_min(),
        gauges_per_sensor: plan.gauges_min(),
        scouts: [SENSORS as usize, 0, 0, 0],
        rows: plan.batch.readings_max as usize,
    };
    let mut machine = Machine::new(&plan, &sizes)?;
    let mut random = Pcg64::new(7, 0);
    // Keys are fixed in this hasher, so it gives the same number in every run.
    let mut out = Digest(DefaultHasher::new());
    machine.apply(Instant(0), &Entry::Boot { offset_ms: WALL_MS, clock: wire::Clock::Synced }, &mut out);
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

/// Cleaning, every window, a threshold, silence and a detector.
fn plan() -> Result<Plan, Box<dyn core::error::Error>> {
    let threshold = Threshold {
        rule: "hot".try_into()?,
        limit: 80.0,
        hysteresis: 5.0,
        ..Threshold::default()
    };
    let mut defaults = SensorConfig {
        range: Some(Range {
            min: -50.0,
            max: 150.0,
        }),
        cleaning: Some(Cleaning::default()),
        tumbling_ms: Some(10_000),
        sliding: Some(Sliding {
            window_ms: 60_000,
            hop_ms: 10_000,
        }),
        ewma_tau_ms: Some(30_000),
        detect: Some(Detect {
            depth: Depth::Lite,
            ..Detect::default()
        }),
        silence: Some(SilenceRule {
            after_ms: 20_000,
            severity: Severity::Warning,
        }),
        ..SensorConfig::default()
    };
    defaults.thresholds.push(threshold).map_err(|_| "no room")?;
    defaults.quantiles.push(0.95).map_err(|_| "no room")?;
    Ok(Plan {
        gateway: "edge-1".try_into()?,
        defaults,
        ..Plan::default()
    })
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
