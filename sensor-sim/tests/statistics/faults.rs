//! What a fault makes of that: inside its label exactly what the kind says, outside nothing.

use sensor_sim::fault::FaultPlan;
use sensor_sim::observed::{Observed, Sample};
use sensor_sim::truth::{Kind, Label};

use crate::{ERRORS, TUESDAY, deviation, mean, near, watch};

/// The label of a device that was watched with one fault, what it sent, and what it would have sent.
struct Case {
    label: Label,
    faulty: Observed,
    plain: Observed,
    period_ms: i64,
    step: f64,
    noise: f64,
}

/// Ten times 100 periods, of which the fourth to the sixth hundred are faulty.
fn case(profile: &str, kind: Kind, size: Option<f64>) -> Case {
    let mut watch = watch(profile, 0.0);
    let period_s = watch.profile.period_ms / 1000.0;
    watch.seconds = 1000.0 * period_s;
    let plain = watch.run();
    let signal = watch.profile.signal[0].clone();
    let period_ms = watch.profile.period_ms as i64;
    let faulty = watch
        .with_fault(kind, 400.0 * period_s, 200.0 * period_s, size)
        .run();
    let label = faulty.labels[0].clone();
    assert_eq!(
        (label.kind, label.from_ms, label.until_ms),
        (kind, TUESDAY + 400 * period_ms, TUESDAY + 600 * period_ms)
    );
    Case {
        label,
        faulty,
        plain,
        period_ms,
        step: signal.step,
        noise: signal.noise,
    }
}

impl Case {
    fn is_inside(&self, at: i64) -> bool {
        (self.label.from_ms..self.label.until_ms).contains(&at)
    }

    /// Samples of the first signal inside the label: as they were, and as they would have been.
    fn inside(&self) -> Vec<(Sample, Sample)> {
        let pairs = self.faulty.of(0).copied().zip(self.plain.of(0).copied());
        let inside: Vec<_> = pairs.filter(|(it, _)| self.is_inside(it.at)).collect();
        assert!((198..=202).contains(&inside.len()), "{}", inside.len());
        assert!(inside.iter().all(|(it, plain)| it.at == plain.at));
        inside
    }

    /// What the fault added to each value, with the share of the label that had passed.
    fn added(&self) -> Vec<(f64, f64)> {
        let span = (self.label.until_ms - self.label.from_ms) as f64;
        let added = self.inside().into_iter().map(|(it, plain)| {
            (
                (it.at - self.label.from_ms) as f64 / span,
                it.value - plain.value,
            )
        });
        added.collect()
    }

    /// Outside of the label nothing has changed: not the values, nor the times.
    fn check_outside(&self) {
        let outside = |observed: &Observed| -> Vec<(i64, i64, usize, f64)> {
            let samples = observed.samples.iter().filter(|it| !self.is_inside(it.at));
            samples
                .map(|it| (it.at, it.time, it.signal, it.value))
                .collect()
        };
        assert_eq!(
            outside(&self.faulty),
            outside(&self.plain),
            "{}",
            self.label.kind
        );
    }
}

#[test]
fn a_fault_of_a_value_ends_with_its_label() {
    use Kind::*;
    for kind in [
        Stuck, Rail, Drift, DriftExp, Step, Spike, NoiseBurst, Quiet, ProbeOff, UnitFlip, Gap,
        Swapped, Duplicate,
    ] {
        for profile in ["dht22", "pt100-4-20ma", "bme280", "tank-level"] {
            // A device with one signal has nothing to swap.
            if kind != Swapped || !["pt100-4-20ma", "tank-level"].contains(&profile) {
                case(profile, kind, None).check_outside();
            }
        }
    }
}

#[test]
fn a_stuck_value_has_no_variance_and_is_the_last_good_one() {
    let case = case("pt100-4-20ma", Kind::Stuck, None);
    let before = case
        .faulty
        .of(0)
        .take_while(|it| !case.is_inside(it.at))
        .last()
        .unwrap()
        .value;
    assert!(case.inside().iter().all(|(it, _)| it.value == before));
}

#[test]
fn a_rail_is_one_end_of_the_range() {
    for (size, expected) in [(1.0, 21.5), (-1.0, 3.6)] {
        let case = case("pt100-4-20ma", Kind::Rail, Some(size));
        assert!(case.inside().iter().all(|(it, _)| it.value == expected));
    }
}

/// Two values, each rounded to a multiple of the step, differ by the exact difference give or take one step.
#[test]
fn what_is_added_is_exact_to_a_step() {
    type Growth = fn(f64) -> f64;
    let checks: [(Kind, Growth); 3] = [
        (Kind::Step, |_| 1.0),
        (Kind::Drift, |share| share),
        (Kind::DriftExp, |share| {
            (4.0 * share).exp_m1() / 4.0_f64.exp_m1()
        }),
    ];
    for (kind, growth) in checks {
        for size in [2.0, -1.5] {
            let case = case("pt100-4-20ma", kind, Some(size));
            for (share, added) in case.added() {
                near(
                    &format!("{kind} at {share}"),
                    added,
                    size * growth(share),
                    case.step * 1.0001,
                );
            }
        }
    }
}

/// The slope of a line through n points with errors e over a span of 1 is known to e √(12 / n).
#[test]
fn a_drift_has_the_slope_of_its_size() {
    let case = case("tank-level", Kind::Drift, Some(0.3));
    let added = case.added();
    let (shares, values): (Vec<f64>, Vec<f64>) = added.into_iter().unzip();
    let (centre, level) = (mean(&shares), mean(&values));
    let both: f64 = shares
        .iter()
        .zip(&values)
        .map(|(x, y)| (x - centre) * (y - level))
        .sum();
    let square: f64 = shares.iter().map(|x| (x - centre).powi(2)).sum();
    let error = case.step / 6.0_f64.sqrt() * (12.0 / shares.len() as f64).sqrt();
    near("slope", both / square, 0.3, ERRORS * error);
}

#[test]
fn a_spike_by_chance_is_one_reading_as_high_as_its_label_says() {
    let mut watch = watch("pt100-4-20ma", 40_000.0);
    let plain = watch.run();
    watch.plan = FaultPlan {
        kinds: vec![Kind::Spike],
        every_s: 100.0,
        lasts_s: [5.0, 10.0],
        orders: vec![],
    };
    let faulty = watch.run();
    let (usual, step) = (
        watch.profile.signal[0].usual(),
        watch.profile.signal[0].step,
    );
    let [low, high] = watch.profile.signal[0].range;
    let wild: Vec<_> = faulty
        .samples
        .iter()
        .zip(&plain.samples)
        .filter(|(it, plain)| it.value != plain.value)
        .collect();
    // One that began in the last period was not seen.
    assert!(faulty.labels.len() - wild.len() <= 1 && wild.len() > 300);
    for (label, (it, plain)) in faulty.labels.iter().zip(&wild) {
        assert!((label.from_ms..label.until_ms).contains(&it.at));
        assert_eq!(label.until_ms - label.from_ms, 1000);
        let height = label.size.abs() / (8.0 * usual);
        assert!((0.7..=1.5).contains(&height), "{height}");
        near(
            "spike",
            it.value,
            (plain.value + label.size).clamp(low, high),
            step * 1.0001,
        );
    }
    let up = faulty.labels.iter().filter(|it| it.size > 0.0).count() as f64;
    let count = faulty.labels.len() as f64;
    near(
        "half of them go up",
        up / count,
        0.5,
        ERRORS * 0.5 / count.sqrt(),
    );
    let waits: Vec<f64> = faulty
        .labels
        .windows(2)
        .map(|it| (it[1].from_ms - it[0].until_ms) as f64 / 1000.0)
        .collect();
    // Waiting times of a memoryless process have their mean as deviation. One that nobody saw makes two waits one.
    near(
        "wait",
        mean(&waits),
        100.0,
        ERRORS * 100.0 / waits.len().isqrt() as f64,
    );
}

#[test]
fn a_burst_adds_noise_of_its_size() {
    let case = case("tank-level", Kind::NoiseBurst, Some(0.1));
    let added: Vec<f64> = case.added().into_iter().map(|it| it.1).collect();
    let count = added.len() as f64;
    near(
        "deviation",
        deviation(&added),
        0.1,
        ERRORS * 0.1 / (2.0 * count).sqrt(),
    );
    near("mean", mean(&added), 0.0, ERRORS * 0.1 / count.sqrt());
}

/// A fiftieth of the noise is less than rounding; what else bends a second difference is the walk.
#[test]
fn a_quiet_sensor_has_a_fiftieth_of_its_noise() {
    let case = case("tank-level", Kind::Quiet, None);
    let values: Vec<f64> = case.inside().iter().map(|(it, _)| it.value).collect();
    let bends: Vec<f64> = values
        .windows(3)
        .map(|it| it[0] - 2.0 * it[1] + it[2])
        .collect();
    let white = (case.noise / 50.0).powi(2) + case.step.powi(2) / 12.0;
    let walk = 4.0 * 0.015_f64.powi(2) * 2.0 / 60.0;
    let most = (6.0 * white + walk).sqrt();
    let error = ERRORS / (2.0 * bends.len() as f64 / 3.0).sqrt();
    near("bend", deviation(&bends), most, most * error);
    assert!(deviation(&bends) < 0.5 * case.noise * 6.0_f64.sqrt());
}

#[test]
fn a_probe_that_is_off_says_so_to_the_last_reading_but_one() {
    let case = case("ds18b20", Kind::ProbeOff, None);
    let values: Vec<f64> = case.inside().iter().map(|(it, _)| it.value).collect();
    let (last, rest) = values.split_last().unwrap();
    assert!(rest.iter().all(|it| *it == -127.0) && *last == 85.0);
    let case = self::case("dht22", Kind::ProbeOff, None);
    assert!(case.inside().iter().all(|(it, _)| it.value.is_nan()));
}

#[test]
fn a_unit_flips_exactly() {
    let case = case("dht22", Kind::UnitFlip, None);
    for (it, plain) in case.inside() {
        near(
            "°F",
            it.value,
            plain.value * 1.8 + 32.0,
            case.step / 2.0 + 1e-9,
        );
    }
    let case = self::case("tank-level", Kind::UnitFlip, None);
    for (it, plain) in case.inside() {
        near("mm", it.value, plain.value * 1000.0, 1e-6);
    }
}

/// A meter that was reset counts from 0; one whose register has a digit less shows the rest by a power of ten. Both go on so.
#[test]
fn a_meter_loses_all_or_its_leading_digit_and_counts_on() {
    for kind in [Kind::CounterReset, Kind::CounterRollover] {
        let case = case("energy-counter", kind, None);
        let after: Vec<_> = case
            .faulty
            .of(0)
            .zip(case.plain.of(0))
            .filter(|it| it.0.at >= case.label.from_ms)
            .collect();
        let (first, plain) = after[0];
        let register = 10_f64.powf(plain.value.log10().floor());
        let left = if kind == Kind::CounterReset {
            0.0
        } else {
            plain.value % register
        };
        near("left", first.value, left, case.step);
        for (it, plain_now) in &after {
            near(
                "count",
                it.value - first.value,
                plain_now.value - plain.value,
                2.0 * case.step,
            );
        }
    }
}

#[test]
fn a_battery_sags_and_the_last_third_is_silent() {
    let case = case("battery-lora", Kind::BatterySag, Some(0.4));
    let third = (case.label.until_ms - case.label.from_ms) / 3;
    let is_silent = |at: i64| (case.label.until_ms - third..case.label.until_ms).contains(&at);
    assert!(!case.faulty.samples.iter().any(|it| is_silent(it.at)));
    let volts: Vec<_> = case
        .faulty
        .of(2)
        .filter(|it| case.is_inside(it.at))
        .collect();
    let full = case.plain.of(2).map(|it| it.value).fold(0.0, f64::max);
    // Two thirds of the way of (e^2x - 1) / (e^2 - 1); noise and rounding of both are 0.03 at most.
    let expected = 0.4 * (4.0_f64 / 3.0).exp_m1() / 2.0_f64.exp_m1();
    near("sag", full - volts[volts.len() - 1].value, expected, 0.04);
    let boots = |is_after: bool| {
        case.faulty
            .of(2)
            .filter(move |it| (it.at >= case.label.until_ms) == is_after)
    };
    assert!(boots(false).all(|it| it.boot == 1) && boots(true).all(|it| it.boot == 2));
}

#[test]
fn swapped_signals_exchange_their_values() {
    let case = case("bme280", Kind::Swapped, None);
    let inside = |observed: &Observed, signal: usize| -> Vec<f64> {
        observed
            .of(signal)
            .filter(|it| case.is_inside(it.at))
            .map(|it| it.value)
            .collect()
    };
    for (here, there) in [(0, 1), (1, 0), (2, 2)] {
        assert_eq!(inside(&case.faulty, here), inside(&case.plain, there));
    }
}

#[test]
fn a_gap_holds_nothing_and_a_duplicate_everything_twice() {
    let gap = case("dht22", Kind::Gap, None);
    assert!(!gap.faulty.samples.iter().any(|it| gap.is_inside(it.at)));
    let twice = case("dht22", Kind::Duplicate, None);
    let inside = |observed: &Observed| -> Vec<_> {
        let samples = observed.samples.iter().filter(|it| twice.is_inside(it.at));
        samples.map(|it| (it.time, it.signal, it.value)).collect()
    };
    let expected: Vec<_> = inside(&twice.plain)
        .into_iter()
        .flat_map(|it| [it, it])
        .collect();
    assert_eq!(inside(&twice.faulty), expected);
}

#[test]
fn every_second_message_of_a_sensor_is_late_by_its_successor() {
    let case = case("dht22", Kind::OutOfOrder, None);
    let times: Vec<i64> = case.faulty.of(0).map(|it| it.time).collect();
    let late = times.windows(2).filter(|it| it[1] < it[0]).count();
    assert!((99..=101).contains(&late), "{late} of 200 in pairs");
    let back = times.windows(2).map(|it| it[0] - it[1]).max().unwrap();
    assert!(
        back < 2 * case.period_ms,
        "{back} ms are more than one message"
    );
}

/// Wrong times are odd and right ones even, so that one is never taken for the other.
#[test]
fn a_wrong_clock_is_off_as_its_kind_says() {
    let check = |kind: Kind, size: Option<f64>, expected: &dyn Fn(&Case, i64) -> f64| {
        let case = case("dht22", kind, size);
        for it in case.faulty.samples.iter() {
            let off = if case.is_inside(it.at) {
                expected(&case, it.at)
            } else {
                0.0
            };
            near(&format!("{kind}"), (it.time - it.at) as f64, off, 3.0);
        }
    };
    check(Kind::ClockSkew, Some(0.05), &|case, at| {
        0.05 * (at - case.label.from_ms) as f64
    });
    check(Kind::ClockSkew, Some(-0.02), &|case, at| {
        -0.02 * (at - case.label.from_ms) as f64
    });
    check(Kind::ClockStep, Some(-60_000.0), &|_, _| -60_000.0);
    check(Kind::Clock1970, None, &|case, _| -case.label.from_ms as f64);
}

#[test]
fn a_backlog_comes_whole_and_at_once_behind_its_label() {
    let case = case("dht22", Kind::Backlog, None);
    assert!(!case.faulty.samples.iter().any(|it| case.is_inside(it.at)));
    let late: Vec<_> = case
        .faulty
        .samples
        .iter()
        .filter(|it| case.is_inside(it.time))
        .collect();
    let first = late[0].at;
    assert!(late.iter().all(|it| it.at == first) && first - case.label.until_ms <= case.period_ms);
    let sorted = |observed: &Observed| -> Vec<(i64, usize)> {
        let mut all: Vec<_> = observed
            .samples
            .iter()
            .map(|it| (it.time, it.signal))
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(sorted(&case.faulty), sorted(&case.plain));
}
