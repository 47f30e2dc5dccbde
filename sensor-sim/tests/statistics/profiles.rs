//! What a device without faults sends.

use core::f64::consts::TAU;

use sensor_sim::profile::{Profile, Signal, Source};
use sensor_sim::signal::{Channel, Disturbance, round_to};

use crate::{ERRORS, TUESDAY, deviation, mean, near, profile, watch};

const DAY_S: f64 = 86_400.0;
/// Devices whose chances are averaged.
const DEVICES: usize = 300;
/// Looks at a sensor in one day, evenly.
const LOOKS: usize = 144;

fn signals() -> impl Iterator<Item = (&'static str, Signal)> {
    Profile::shipped_names().flat_map(|name| {
        let signals = profile(name).signal;
        signals.into_iter().map(move |signal| (name, signal))
    })
}

/// A day of a device, looked at evenly, from a time on at which the lag has settled.
fn day(signal: &Signal, device: usize) -> Vec<f64> {
    let settle_ms = (signal.lag_s * 20_000.0) as i64;
    let mut channel = Channel::new(signal, &format!("d-{device}"), 11, TUESDAY - settle_ms);
    let step_ms = (signal.lag_s * 1000.0 / 5.0).max(1.0) as usize;
    for at in (TUESDAY - settle_ms..TUESDAY).step_by(step_ms) {
        channel.measure(at, Disturbance::default());
    }
    let look = |at: usize| {
        let at = TUESDAY + (at as f64 * DAY_S * 1000.0 / LOOKS as f64) as i64;
        channel.measure(at, Disturbance::default())
    };
    (0..LOOKS).map(look).collect()
}

/// What is sent for a quantity.
fn scaled(signal: &Signal, quantity: f64) -> f64 {
    signal.scale.map_or(quantity, |scale| {
        let share = (quantity - scale.from[0]) / (scale.from[1] - scale.from[0]);
        scale.to[0] + share * (scale.to[1] - scale.to[0])
    })
}

#[test]
fn every_value_is_a_multiple_of_the_step_and_between_the_rails() {
    for name in Profile::shipped_names() {
        let watch = watch(name, 20_000.0 * profile(name).period_ms / 1000.0);
        for sample in watch.run().samples {
            let signal = &watch.profile.signal[sample.signal];
            let [low, high] = signal.range;
            assert!((low..=high).contains(&sample.value), "{name}: {sample:?}");
            assert_eq!(round_to(sample.value, signal.step), sample.value, "{name}");
        }
    }
}

/// A time is the schedule's, moved by a normal deviate that is cut off at two deviations: these have a variance of
/// 0.9205. The difference of two has twice as much, and cutting to whole ms adds 1/12 for each.
#[test]
fn every_device_keeps_its_rate_and_its_jitter() {
    const CUT_VARIANCE: f64 = 0.9205;
    const COUNT: f64 = 5000.0;
    for name in Profile::shipped_names().filter(|name| *name != "battery-lora") {
        let profile = profile(name);
        let watch = watch(name, COUNT * profile.period_ms / 1000.0);
        let observed = watch.run();
        let times: Vec<i64> = observed.of(0).map(|it| it.at).collect();
        near(name, times.len() as f64, COUNT, 1.0);
        let gaps: Vec<f64> = times.windows(2).map(|it| (it[1] - it[0]) as f64).collect();
        near(
            name,
            mean(&gaps),
            profile.period_ms,
            4.0 * profile.jitter_ms / COUNT + 1e-3,
        );
        let expected = (2.0 * CUT_VARIANCE * profile.jitter_ms.powi(2) + 1.0 / 6.0).sqrt();
        // A late message is followed by a short gap, so that half of them count.
        near(
            name,
            deviation(&gaps),
            expected,
            ERRORS * expected / COUNT.sqrt(),
        );
    }
}

#[test]
fn the_radio_of_the_battery_node_loses_its_share() {
    let profile = Profile::shipped("battery-lora").unwrap();
    let count = 20_000.0;
    let observed = watch("battery-lora", count * profile.period_ms / 1000.0).run();
    let lost = 1.0 - observed.of(0).count() as f64 / count;
    let error = (profile.loss * (1.0 - profile.loss) / count).sqrt();
    near("loss", lost, profile.loss, ERRORS * error + 1.0 / count);
    // What is lost leaves no gap in the sequence: it was never sent.
    let sequences = observed.of(0).map(|it| it.sequence);
    assert!(sequences.eq(1..=observed.of(0).count() as u32));
}

/// The second difference of a series knows neither its level nor its slope. Of white noise with deviation s it has
/// 6 s²; rounding adds step²/12 to s²; a random walk of size w and memory t adds at most 4 w² dt / t.
#[test]
fn noise_has_its_deviation() {
    for (name, signal) in signals().filter(|(_, it)| it.noise >= it.step * 0.55 && it.noise > 0.0) {
        let profile = profile(name);
        let at = profile.signal.iter().position(|it| *it == signal).unwrap();
        let observed = watch(name, 20_000.0 * profile.period_ms / 1000.0).run();
        let values: Vec<f64> = observed.of(at).map(|it| it.value).collect();
        let white = signal.noise.powi(2) + signal.step.powi(2) / 12.0;
        let unit = scaled(&signal, 1.0) - scaled(&signal, 0.0);
        let walk = signal.wander.map_or(0.0, |it| {
            4.0 * (it.size * unit).powi(2) * profile.period_ms / 1000.0 / it.time_s
        });
        let most = (6.0 * white + walk).sqrt();
        // Where a machine turns on there is no noise but a flank.
        let bends: Vec<f64> = values
            .windows(3)
            .map(|it| it[0] - 2.0 * it[1] + it[2])
            .collect();
        let count = bends.len();
        let bends: Vec<f64> = bends
            .into_iter()
            .filter(|it| it.abs() < 6.0 * most)
            .collect();
        assert!(
            bends.len() as f64 > 0.97 * count as f64,
            "{name}/{}",
            signal.name
        );
        let found = deviation(&bends) / 6.0_f64.sqrt();
        let error = ERRORS / (2.0 * count as f64 / 3.0).sqrt();
        let (least, most) = (
            white.sqrt() * (1.0 - error),
            most / 6.0_f64.sqrt() * (1.0 + error),
        );
        assert!(
            (least..=most).contains(&found),
            "{name}/{}: {found} in {least}..{most}",
            signal.name
        );
    }
}

/// The mean of a day, over many devices, and how far one of them may be off: it follows from the source.
fn mean_of_day(signal: &Signal) -> Option<(f64, f64)> {
    // The average over a time T of what remembers for t has the variance s² 2 t / T.
    let averaged =
        |deviation: f64, memory_s: f64| deviation * (2.0 * memory_s / DAY_S).sqrt().min(1.0);
    let walk = signal.wander.map_or(0.0, |it| averaged(it.size, it.time_s));
    let (mean, own) = match signal.source {
        Source::Cycle(cycle) => (cycle.mean, 0.3 * signal.usual()),
        Source::Band(band) => (
            (band.low + band.high) / 2.0,
            (band.high - band.low) / 12.0_f64.sqrt(),
        ),
        Source::Switch(it) => {
            let share = it.on_s / (it.on_s + it.off_s);
            let memory_s = 1.0 / (1.0 / it.on_s + 1.0 / it.off_s);
            let own = (it.on - it.off) * (share * (1.0 - share)).sqrt();
            // What is looked at only now and then is not averaged better than that.
            let between_s = DAY_S / LOOKS as f64;
            (
                it.off + share * (it.on - it.off),
                averaged(own, memory_s.max(between_s / 2.0)),
            )
        }
        Source::Battery(it) => {
            // Devices begin evenly between full and 0.9 of a life.
            let mean = 0.3 * 0.45 + 0.7 * 0.9_f64.powi(8) / 9.0;
            (
                it.full - (it.full - it.empty) * mean,
                (it.full - it.empty) * 0.3,
            )
        }
        Source::Counter(_) => return None,
    };
    Some((mean, own.hypot(walk)))
}

#[test]
fn the_mean_of_a_day_is_that_of_the_source() {
    for (name, signal) in signals() {
        let Some((expected, one)) = mean_of_day(&signal) else {
            continue;
        };
        let days: Vec<f64> = (0..DEVICES).map(|it| mean(&day(&signal, it))).collect();
        let unit = scaled(&signal, 1.0) - scaled(&signal, 0.0);
        let error =
            (one * unit).hypot(signal.noise / (LOOKS as f64).sqrt()) / (DEVICES as f64).sqrt();
        let what = format!("{name}/{}", signal.name);
        // Rails and the age of a battery within the day shift it by less than a tenth of a step or so.
        let rails = 0.1 * signal.step
            + if signal.range[0] == 0.0 {
                0.05 * signal.noise
            } else {
                0.0
            };
        near(
            &what,
            mean(&days),
            scaled(&signal, expected),
            ERRORS * error + rails,
        );
    }
}

/// A lag of t lets `1 / (1 + (w t)²)` of a swing through in phase. The walk adds 4 w² t / (T (1 + (w t)²)) to the
/// variance of what is found.
#[test]
fn a_day_swings_as_far_as_it_shall_and_peaks_at_its_hour() {
    let omega = TAU / DAY_S;
    for (name, signal) in signals() {
        let Source::Cycle(cycle) = signal.source else {
            continue;
        };
        let in_phase = |device: usize| {
            let day = day(&signal, device);
            let terms = day.iter().enumerate().map(|(at, value)| {
                value * (TAU * (at as f64 / LOOKS as f64 - cycle.peak_hour / 24.0)).cos()
            });
            terms.sum::<f64>() * 2.0 / LOOKS as f64
        };
        let found: Vec<f64> = (0..DEVICES).map(in_phase).collect();
        let expected = cycle.daily / (1.0 + (omega * signal.lag_s).powi(2));
        let walk = signal.wander.map_or(0.0, |it| {
            4.0 * it.size.powi(2) * it.time_s / (DAY_S * (1.0 + (omega * it.time_s).powi(2)))
        });
        let error =
            (walk + 2.0 * signal.noise.powi(2) / LOOKS as f64).sqrt() / (DEVICES as f64).sqrt();
        near(
            &format!("{name}/{}", signal.name),
            mean(&found),
            expected,
            ERRORS * error + 0.1 * signal.step,
        );
    }
}

/// 63.2 % of a flank are left behind after the time constant.
#[test]
fn a_sensor_follows_by_its_lag() {
    for (name, mut signal) in signals().filter(|(_, it)| it.lag_s > 0.0) {
        let Source::Switch(switch) = signal.source else {
            continue;
        };
        (signal.noise, signal.step, signal.wander) = (0.0, 0.0, None);
        let mut channel = Channel::new(&signal, "d", 11, TUESDAY);
        let (off, on) = (scaled(&signal, switch.off), scaled(&signal, switch.on));
        let step_ms = (signal.lag_s * 10.0) as i64;
        let values: Vec<f64> = (0..2_000_000)
            .map(|at| channel.measure(TUESDAY + at * step_ms, Disturbance::default()))
            .collect();
        // A flank from the very bottom that is not cut short.
        let share = |value: f64| (value - off) / (on - off);
        let starts = values
            .windows(700)
            .filter(|it| share(it[0]) < 1e-3 && share(it[1]) > 5e-3 && share(it[699]) > 0.999);
        let spans: Vec<f64> = starts
            .filter(|it| it.is_sorted())
            .map(|it| it.iter().filter(|value| share(**value) < 0.632).count() as f64 / 100.0)
            .collect();
        assert!(!spans.is_empty(), "{name}");
        near(name, mean(&spans), 1.0, 0.02);
    }
}

#[test]
fn contacts_and_machines_are_on_for_their_share() {
    for (name, signal) in signals() {
        let Source::Switch(switch) = signal.source else {
            continue;
        };
        let share = switch.on_s / (switch.on_s + switch.off_s);
        let middle = scaled(&signal, (switch.on + switch.off) / 2.0);
        let is_on = |value: &&f64| **value > middle;
        let days = (0..DEVICES).map(|it| day(&signal, it));
        let on: usize = days.map(|day| day.iter().filter(is_on).count()).sum();
        let memory_s = 1.0 / (1.0 / switch.on_s + 1.0 / switch.off_s);
        let independent =
            (DEVICES * LOOKS) as f64 * (DAY_S / LOOKS as f64 / (2.0 * memory_s)).min(1.0);
        let error = (share * (1.0 - share) / independent).sqrt();
        // A lag reaches the middle late both ways, but not at all if the machine turns back before.
        let lag = signal.lag_s / switch.on_s.min(switch.off_s) * 0.1;
        near(
            name,
            on as f64 / (DEVICES * LOOKS) as f64,
            share,
            ERRORS * error + lag,
        );
    }
}

#[test]
fn a_meter_only_counts_up_and_begins_again_at_its_modulus() {
    let mut watch = watch("energy-counter", 2.0 * DAY_S);
    let Source::Counter(counter) = &mut watch.profile.signal[0].source else {
        panic!()
    };
    let (per_h, modulus) = (counter.per_h, counter.rollover.unwrap());
    // All devices begin somewhere in the thousand hours behind this; the one at hand goes over within the two days.
    counter.start = 0.0;
    let first = watch.run().samples[0].value;
    let Source::Counter(counter) = &mut watch.profile.signal[0].source else {
        panic!()
    };
    counter.start = modulus - first - 100.0;
    let samples = watch.run().samples;
    let steps: Vec<f64> = samples
        .windows(2)
        .map(|it| it[1].value - it[0].value)
        .collect();
    assert_eq!(steps.iter().filter(|it| **it < 0.0).count(), 1);
    let unwrapped: Vec<f64> = steps
        .iter()
        .map(|it| if *it < 0.0 { it + modulus } else { *it })
        .collect();
    let hours = (samples[samples.len() - 1].at - samples[0].at) as f64 / 3.6e6;
    // Over whole days the swing of the day is nothing; the two ends lie at most 10 s off, at night.
    near(
        "two days",
        unwrapped.iter().sum(),
        per_h * hours,
        per_h * 20.0 / 3600.0,
    );
    // By day it counts 1.7 times as fast as on average, at night 0.3 times.
    let fastest = unwrapped.iter().copied().fold(0.0, f64::max);
    near(
        "noon",
        fastest,
        1.7 * per_h * 10.0 / 3600.0,
        0.1 * per_h * 10.0 / 3600.0 + 0.001,
    );
}
