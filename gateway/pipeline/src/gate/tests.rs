use super::*;
use crate::config::Unit;
use proptest::prelude::*;
use std::format;
use std::string::String;
use wire::{Content, Flags};

const DAY: i64 = 1_767_225_600_000;

/// A gate that knows a sensor: it sends once a second and moves around 20 by up to 0.5, with a spread of 1 / 3 or so.
fn learned(config: &Cleaning) -> (Gate, i64) {
    let mut gate = Gate::default();
    let mut out = Released::new();
    for n in 0..300 {
        let value = 20.0 + [0.0, 0.5, 0.2, -0.3, 0.1, -0.5][n % 6];
        offer(
            &mut gate,
            n as i64,
            value,
            Flags::default(),
            config,
            &mut out,
        );
        assert_eq!(
            out.len(),
            1,
            "all pass while it learns, and a sensor at its ease passes after"
        );
        out.clear();
    }
    (gate, 300)
}

fn offer(
    gate: &mut Gate,
    second: i64,
    raw: f64,
    flags: Flags,
    config: &Cleaning,
    out: &mut Released,
) {
    let time = Timestamp(DAY + 1000 * second);
    let now = Now {
        instant: Instant(1000 * second as u64),
        wall: time,
    };
    gate.offer(
        now,
        Item {
            time,
            arrival: time,
            raw,
            value: raw,
            flags,
        },
        config,
        out,
    );
}

/// What one reading releases: seconds since the gate was learned, the value, and a letter for each reason.
fn tell(cleaned: &Cleaned, from: i64) -> String {
    let second = (cleaned.time.0 - DAY) as f64 / 1000.0 - from as f64;
    let value = cleaned
        .content
        .value()
        .map_or("-".into(), |value| format!("{:.2}", value));
    let reasons = cleaned.flags.reasons();
    let letters: String = [
        (Reasons::SPIKE, 's'),
        (Reasons::STEP, 't'),
        (Reasons::FILLED, 'f'),
        (Reasons::UNIT, 'u'),
        (Reasons::OUT_OF_RANGE, 'r'),
    ]
    .into_iter()
    .filter_map(|(reason, letter)| reasons.contains(reason).then_some(letter))
    .collect();
    format!("{second}:{value}{letters}")
}

/// Gives a learned gate readings, `None` for a second in which nothing comes, no number for one that is out of range. Checks
/// what each reading releases.
fn check(config: &Cleaning, readings: &[Option<f64>], expected: &[&str]) {
    let (mut gate, from) = learned(config);
    let mut told = std::vec::Vec::new();
    for (second, raw) in readings.iter().enumerate() {
        let Some(raw) = raw else { continue };
        let mut out = Released::new();
        let flags = match raw.is_nan() {
            true => Flags::new(Quality::Bad, Reasons::OUT_OF_RANGE),
            false => Flags::default(),
        };
        offer(
            &mut gate,
            from + second as i64,
            *raw,
            flags,
            config,
            &mut out,
        );
        let line: std::vec::Vec<_> = out.iter().map(|cleaned| tell(cleaned, from)).collect();
        told.push(line.join(" "));
    }
    assert_eq!(told, expected);
}

fn fahrenheit_too() -> Vec<Unit, { crate::limits::FLIPS_MAX }, u8> {
    [Unit::Fahrenheit].into_iter().collect()
}

const BAD: Option<f64> = Some(f64::NAN);

#[test]
fn a_spike_is_put_on_the_line_between_its_neighbours() {
    check(
        &Cleaning::default(),
        &[Some(20.0), Some(60.0), Some(20.4)],
        &["0:20.00", "", "1:20.20s 2:20.40"],
    );
}

#[test]
fn a_step_passes_unchanged_once_it_is_confirmed() {
    check(
        &Cleaning::default(),
        &[Some(20.0), Some(60.0), Some(60.3), Some(60.1)],
        &["0:20.00", "", "1:60.00t 2:60.30", "3:60.10"],
    );
}

#[test]
fn the_slope_of_a_fast_event_is_no_spike() {
    check(
        &Cleaning::default(),
        &[Some(20.0), Some(30.0), Some(45.0), Some(44.5)],
        &["0:20.00", "", "1:30.00t 2:45.00", "3:44.50"],
    );
}

#[test]
fn a_code_that_comes_three_times_is_taken_back() {
    check(
        &Cleaning::default(),
        &[Some(20.0), Some(85.0), Some(85.0), Some(85.0), Some(20.4)],
        &["0:20.00", "", "", "", "1:20.10s 2:20.20s 3:20.30s 4:20.40"],
    );
}

#[test]
fn a_level_that_stays_for_four_readings_is_a_step() {
    check(
        &Cleaning::default(),
        &[Some(20.0), Some(85.0), Some(85.0), Some(85.0), Some(85.0)],
        &["0:20.00", "", "", "", "1:85.00t 2:85.00 3:85.00 4:85.00"],
    );
}

#[test]
fn what_a_stage_before_refused_gets_a_value_from_its_neighbours() {
    check(
        &Cleaning::default(),
        &[Some(20.0), BAD, Some(20.4)],
        &["0:20.00", "", "1:20.20r 2:20.40"],
    );
    let hold = Cleaning {
        fill: Fill::Hold,
        ..Cleaning::default()
    };
    check(
        &hold,
        &[Some(20.0), BAD, Some(20.4)],
        &["0:20.00", "", "1:20.00r 2:20.40"],
    );
    let none = Cleaning {
        fill: Fill::None,
        ..Cleaning::default()
    };
    check(
        &none,
        &[Some(20.0), BAD, Some(20.4)],
        &["0:20.00", "1:-r", "2:20.40"],
    );
}

#[test]
fn more_refused_ones_than_may_wait_hold_the_last_value() {
    check(
        &Cleaning::default(),
        &[Some(20.0), BAD, BAD, BAD, BAD, Some(20.5)],
        &[
            "0:20.00",
            "",
            "",
            "",
            "1:20.00r",
            "2:20.12r 3:20.25r 4:20.38r 5:20.50",
        ],
    );
}

#[test]
fn seconds_without_a_reading_are_filled() {
    check(
        &Cleaning::default(),
        &[Some(20.0), None, None, Some(20.3)],
        &["0:20.00", "1:20.10f 2:20.20f 3:20.30"],
    );
    let short = Cleaning {
        fill_ms_max: 2_000,
        ..Cleaning::default()
    };
    check(
        &short,
        &[Some(20.0), None, None, Some(20.3)],
        &["0:20.00", "3:20.30"],
    );
}

#[test]
fn a_run_in_another_unit_is_brought_back() {
    let fahrenheit = |celsius: f64| Some(celsius * 1.8 + 32.0);
    let config = Cleaning {
        flips: fahrenheit_too(),
        ..Cleaning::default()
    };
    check(
        &config,
        &[
            Some(20.0),
            fahrenheit(20.2),
            fahrenheit(20.3),
            fahrenheit(20.1),
            Some(20.4),
        ],
        &["0:20.00", "", "1:20.20u 2:20.30u", "3:20.10u", "4:20.40"],
    );
}

#[test]
fn what_nobody_confirms_is_let_go_as_it_was() {
    let config = Cleaning::default();
    let (mut gate, from) = learned(&config);
    let mut out = Released::new();
    offer(&mut gate, from, 60.0, Flags::default(), &config, &mut out);
    assert_eq!(gate.due(), Some(Instant(1000 * from as u64 + 30_000)));
    gate.let_go(&mut out);
    assert_eq!(tell(&out[0], from), "0:60.00s");
    assert_eq!(out[0].flags.quality(), Quality::Uncertain);
    assert_eq!(gate.due(), None);
}

#[test]
fn a_level_without_movement_is_no_scale() {
    let config = Cleaning::default();
    let mut gate = Gate::default();
    let mut out = Released::new();
    for second in 0..500 {
        offer(&mut gate, second, 0.0, Flags::default(), &config, &mut out);
        out.clear();
    }
    offer(&mut gate, 500, 7.0, Flags::default(), &config, &mut out);
    assert_eq!(
        out.len(),
        1,
        "it has never moved, so nobody knows how far it goes"
    );
}

proptest! {
    #[test]
    fn every_reading_leaves_once_and_none_changes_silently(
        readings in proptest::collection::vec((prop_oneof![-50.0..50.0_f64, Just(85.0_f64), any::<f64>()], 0_i64..5), 1..400),
        flips in prop_oneof![Just([].into_iter().collect()), Just(fahrenheit_too())],
    ) {
        let config = Cleaning { flips, ..Cleaning::default() };
        let mut gate = Gate::default();
        let (mut second, mut sent, mut left) = (0, 0, 0);
        let mut out = Released::new();
        for (raw, step) in readings as std::vec::Vec<(f64, i64)> {
            second += step;
            let is_possible = raw.is_finite() && raw.abs() <= 1e140;
            let flags = if is_possible { Flags::default() } else { Flags::new(Quality::Bad, Reasons::NOT_FINITE) };
            offer(&mut gate, second, raw, flags, &config, &mut out);
            sent += 1;
            for cleaned in &out {
                let is_filled = matches!(cleaned.content, Content::Filled(_));
                left += usize::from(!is_filled);
                let is_changed = matches!(cleaned.content, Content::Repaired { .. } | Content::Filled(_));
                prop_assert!(!is_changed || cleaned.flags.quality() == Quality::Uncertain);
                prop_assert!(!is_changed || cleaned.flags.reasons() != Reasons::NONE);
                prop_assert!(cleaned.content.value().is_none_or(f64::is_finite));
            }
            prop_assert!(gate.held.len() <= GATE_HELD_MAX && gate.is_sound());
            out.clear();
        }
        gate.let_go(&mut out);
        prop_assert_eq!(sent, left + out.len());
    }
}

/// Messages without a time of their own get that of their arrival, and several may come in one ms.
#[test]
fn readings_of_the_same_ms_are_weighed_like_any() {
    let config = Cleaning::default();
    let (mut gate, from) = learned(&config);
    let mut out = Released::new();
    for raw in [20.0, 60.0, 20.4] {
        offer(&mut gate, from, raw, Flags::default(), &config, &mut out);
    }
    let told: std::vec::Vec<_> = out.iter().map(|cleaned| tell(cleaned, from)).collect();
    assert_eq!(told, ["0:20.00", "0:20.00s", "0:20.40"]);
}
