use super::*;
use crate::profile::Profile;

/// 2026-03-02, a Monday.
const START: i64 = 1_772_409_600_000;

fn channel(text: &str, step: f64) -> Channel {
    let text = format!(
        "about = \"\"\nperiod_ms = 1000\n[[signal]]\nname = \"x\"\nusual = 1e-9\nstep = {step}\n{text}"
    );
    Channel::new(
        &Profile::parse("test", &text).unwrap().signal[0],
        "device",
        1,
        START,
    )
}

fn series(channel: &mut Channel, period_s: i64, count: i64) -> Vec<f64> {
    let at = |index| START + index * period_s * 1000;
    (0..count)
        .map(|index| channel.measure(at(index), Disturbance::default()))
        .collect()
}

fn moments(all: &[f64]) -> (f64, f64) {
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
    (mean, variance.sqrt())
}

#[track_caller]
fn near(got: f64, expected: f64, off_max: f64) {
    assert!(
        (got - expected).abs() <= off_max,
        "{got} is not {expected} ± {off_max}"
    );
}

#[test]
fn a_day_swings_around_its_mean_and_peaks_at_its_hour() {
    let mut channel = channel(
        "source = { kind = \"cycle\", mean = 20.0, daily = 3.0, peak_hour = 15.0, weekend = -2.0 }",
        0.0,
    );
    let hours = series(&mut channel, 3600, 7 * 24);
    near(hours[15], 23.0, 1e-6);
    near(hours[24 + 3], 17.0, 1e-6);
    // Monday begins as cold as the weekend was, and is halfway at four.
    near(hours[0] - hours[24], -2.0, 1e-6);
    near(hours[4] - hours[24 + 4], -1.0, 1e-6);
    near(hours[5 * 24 + 15], 21.0, 1e-6);
    near(moments(&hours[24..48]).0, 20.0, 1e-6);
}

#[test]
fn a_machine_that_stands_has_no_load_that_varies() {
    let source = "source = { kind = \"switch\", off = 0.0, on = 10.0, off_s = 300.0, on_s = 300.0, off_wander = 0.0 }\nwander = { size = 1.0, time_s = 10.0 }";
    let values = series(&mut channel(source, 0.0), 5, 5000);
    let (off, on): (Vec<f64>, Vec<f64>) = values.into_iter().partition(|value| *value < 5.0);
    assert!(off.iter().all(|value| *value == 0.0) && off.len() > 1000);
    near(moments(&on).1, 1.0, 0.15);
}

#[test]
fn a_tank_goes_up_and_down_between_its_floats_at_its_rates() {
    let mut channel = channel(
        "source = { kind = \"band\", low = 1.0, high = 2.0, rise_per_h = 4.0, fall_per_h = 1.0 }",
        0.0,
    );
    let minutes = series(&mut channel, 60, 3000);
    assert!(minutes.iter().all(|level| (1.0..=2.0).contains(level)));
    let rises = minutes
        .windows(2)
        .filter(|pair| (pair[1] - pair[0] - 4.0 / 60.0).abs() < 1e-9)
        .count();
    let falls = minutes
        .windows(2)
        .filter(|pair| (pair[1] - pair[0] + 1.0 / 60.0).abs() < 1e-9)
        .count();
    near(rises as f64 / 3000.0, 0.2, 0.02);
    near(falls as f64 / 3000.0, 0.8, 0.03);
}

#[test]
fn a_switch_is_on_for_its_share_of_the_time() {
    let mut channel = channel(
        "source = { kind = \"switch\", off = 0.0, on = 1.0, off_s = 90.0, on_s = 30.0 }",
        1.0,
    );
    let all = series(&mut channel, 1, 400_000);
    near(moments(&all).0, 0.25, 0.02);
    let turns = all.windows(2).filter(|pair| pair[0] != pair[1]).count();
    near(turns as f64, 2.0 * 400_000.0 / 120.0, 400.0);
}

#[test]
fn a_switch_that_nobody_looked_at_for_years_answers_at_once() {
    let mut channel = channel(
        "source = { kind = \"switch\", off = 0.0, on = 1.0, off_s = 0.01, on_s = 0.01 }",
        1.0,
    );
    let value = channel.measure(START + 400 * DAY_MS, Disturbance::default());
    assert!(value == 0.0 || value == 1.0);
}

#[test]
fn a_counter_never_falls_but_at_its_end() {
    let mut channel = channel(
        "source = { kind = \"counter\", start = 0.0, per_h = 6.0, daily = 0.9, rollover = 5000.0 }",
        0.001,
    );
    let all = series(&mut channel, 600, 30 * 144);
    let falls: Vec<_> = all.windows(2).filter(|pair| pair[1] < pair[0]).collect();
    assert!(
        falls.len() <= 1 && falls.iter().all(|pair| pair[0] > 4990.0 && pair[1] < 10.0),
        "{falls:?}"
    );
    let gained = (all[4319] - all[0] + 5000.0) % 5000.0;
    near(gained, 6.0 * 24.0 * 30.0, 8.0);
}

#[test]
fn a_battery_is_flat_first_and_steep_at_its_end() {
    let mut channel = channel(
        "source = { kind = \"battery\", full = 3.6, empty = 2.7, hours = 1000.0 }",
        0.0,
    );
    let all = series(&mut channel, 3600, 2000);
    let changed = all.windows(2).position(|pair| pair[1] > pair[0]).unwrap();
    let life = &all[changed + 1..changed + 1001];
    near(life[0], 3.6, 0.01);
    near(life[500], 3.46, 0.01);
    near(life[999], 2.7, 0.02);
    assert!(life.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn the_random_walk_keeps_its_size_and_forgets_in_its_time() {
    let mut channel = channel(
        "source = { kind = \"cycle\", mean = 0.0 }\nwander = { size = 2.0, time_s = 50.0 }",
        0.0,
    );
    let all = series(&mut channel, 1, 200_000);
    let (mean, deviation) = moments(&all);
    near(mean, 0.0, 0.15);
    near(deviation, 2.0, 0.1);
    let together = all.windows(51).map(|part| part[0] * part[50]).sum::<f64>() / 199_950.0;
    near(together / 4.0, libm::exp(-1.0), 0.05);
}

#[test]
fn a_lag_follows_a_step_to_63_percent_in_its_time() {
    let mut channel = channel(
        "source = { kind = \"switch\", off = 0.0, on = 1.0, off_s = 3000.0, on_s = 3000.0 }\nlag_s = 100.0",
        0.0,
    );
    let all = series(&mut channel, 1, 20_000);
    let turn = (1..all.len())
        .find(|&at| all[at - 1] < 1e-6 && all[at] > 1e-6)
        .unwrap();
    near(all[turn + 99], 1.0 - libm::exp(-1.0), 0.01);
}

#[test]
fn noise_and_steps_are_those_of_the_converter() {
    let mut channel = channel(
        "source = { kind = \"cycle\", mean = 10.0 }\nnoise = 0.5\nrange = [9.0, 10.8]",
        0.1,
    );
    let all = series(&mut channel, 1, 50_000);
    assert!(
        all.iter().all(|value| format!("{value}").len() <= 4),
        "multiples of 0.1 print short"
    );
    near(all.iter().copied().fold(f64::MIN, f64::max), 10.8, 1e-12);
    near(all.iter().copied().fold(f64::MAX, f64::min), 9.0, 1e-12);
    let inside = all
        .iter()
        .filter(|value| **value > 9.45 && **value < 10.55)
        .count();
    near(inside as f64 / 50_000.0, 0.7287, 0.01);
}

#[test]
fn milliamperes_stand_for_degrees() {
    let mut channel = channel(
        "source = { kind = \"cycle\", mean = 75.0 }\nscale = { from = [0.0, 150.0], to = [4.0, 20.0] }",
        0.0,
    );
    near(series(&mut channel, 1, 1)[0], 12.0, 1e-6);
}

#[test]
fn a_fault_leaves_the_stream_behind_it_as_it_is() {
    let fresh = || {
        channel(
            "source = { kind = \"cycle\", mean = 10.0 }\nnoise = 0.5\nwander = { size = 1.0, time_s = 9.0 }",
            0.0,
        )
    };
    let (mut plain, mut disturbed) = (fresh(), fresh());
    let burst = Disturbance {
        add: 3.0,
        noise: 10.0,
        wander: 0.0,
    };
    for at in 0..100 {
        plain.measure(START + at * 1000, Disturbance::default());
        disturbed.measure(START + at * 1000, burst);
    }
    let at = START + 100_000;
    assert_eq!(
        plain.measure(at, Disturbance::default()),
        disturbed.measure(at, Disturbance::default())
    );
}
