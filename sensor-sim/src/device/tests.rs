use super::*;
use crate::fault::Order;

const START: i64 = 1_772_409_600_000;

/// A message, kept.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    at: i64,
    stream: usize,
    boot: u32,
    sequence: u32,
    time: i64,
    values: Vec<f64>,
    is_repeat: bool,
}

impl Kept {
    fn as_message(&self) -> Message<'_> {
        let &Self {
            stream,
            boot,
            sequence,
            time,
            is_repeat,
            ..
        } = self;
        Message {
            stream,
            boot,
            sequence,
            time,
            values: &self.values,
            is_repeat,
        }
    }
}

fn recipe(profile: &str, orders: Vec<Order>) -> Recipe {
    Recipe {
        profile: Arc::new(Profile::shipped(profile).unwrap()),
        plan: Arc::new(FaultPlan {
            orders,
            ..FaultPlan::default()
        }),
        seed: 9,
        start: START,
        rate_hz: None,
        boots: 0,
    }
}

fn order(kind: Kind, from_s: f64, for_s: f64) -> Order {
    Order {
        kind,
        device: "*".into(),
        signal: "*".into(),
        from_s,
        for_s,
        size: None,
    }
}

fn run(name: &str, recipe: &Recipe, seconds: u64) -> (Vec<Kept>, Vec<Label>) {
    let mut device = Device::new(name, recipe);
    let (mut messages, mut labels) = (Vec::new(), Vec::new());
    while device.due_us() < seconds * 1_000_000 {
        let at = START + (device.due_us() / 1000) as i64;
        let mut keep = |message: &Message<'_>| {
            messages.push(Kept {
                at,
                stream: message.stream,
                boot: message.boot,
                sequence: message.sequence,
                time: message.time,
                values: message.values.to_vec(),
                is_repeat: message.is_repeat,
            });
        };
        device.tick(at, &mut |label| labels.push(label.clone()), &mut keep);
    }
    (messages, labels)
}

fn faulty(profile: &str, kind: Kind) -> (Vec<Kept>, Vec<Kept>, Label) {
    let (plain, _) = run("d", &recipe(profile, vec![]), 120);
    let (messages, labels) = run("d", &recipe(profile, vec![order(kind, 40.0, 30.0)]), 120);
    assert!(!labels.is_empty(), "{kind} was never begun");
    (plain, messages, labels[0].clone())
}

fn is_within(label: &Label, time: i64) -> bool {
    (label.from_ms..label.until_ms).contains(&time)
}

/// Values of the first stream during the fault: without it, and with it.
fn during(profile: &str, kind: Kind) -> (Vec<f64>, Vec<f64>, Label) {
    let (plain, messages, label) = faulty(profile, kind);
    let values = |all: &[Kept]| -> Vec<f64> {
        let of_signal = all
            .iter()
            .filter(|message| message.stream == 0 && is_within(&label, message.at));
        of_signal.map(|message| message.values[0]).collect()
    };
    let outside = |all: &[Kept]| -> Vec<Kept> {
        let mut all = all.to_vec();
        all.retain(|message| message.at < label.from_ms);
        all
    };
    assert_eq!(
        outside(&plain),
        outside(&messages),
        "{kind} must not act before it begins"
    );
    (values(&plain), values(&messages), label)
}

#[test]
fn a_device_is_the_same_whoever_else_is_there() {
    let recipe = recipe("bme280", vec![]);
    assert_eq!(run("d17", &recipe, 600), run("d17", &recipe, 600));
    assert_ne!(
        run("d17", &recipe, 600).0[5].values,
        run("d18", &recipe, 600).0[5].values
    );
}

#[test]
fn sequences_count_and_times_rise_at_the_rate_of_the_profile() {
    let (messages, _) = run("d", &recipe("dht22", vec![]), 1000);
    assert_eq!(messages.len(), 1000);
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(at, message)| message.sequence == at as u32 + 1)
    );
    assert!(
        messages
            .windows(3)
            .all(|three| three[0].stream == three[2].stream && three[0].time < three[2].time)
    );
    let gaps: Vec<f64> = messages
        .windows(2)
        .map(|pair| (pair[1].time - pair[0].time) as f64)
        .collect();
    let deviation =
        (gaps.iter().map(|gap| (gap - 1000.0).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
    assert!(
        (45.0..65.0).contains(&deviation),
        "jitter of 40 ms on both sides, less its cut, not {deviation}"
    );
}

#[test]
fn a_rate_can_be_set() {
    let (messages, _) = run(
        "d",
        &Recipe {
            rate_hz: Some(50.0),
            ..recipe("dht22", vec![])
        },
        10,
    );
    assert!((499..=501).contains(&messages.len()), "{}", messages.len());
}

#[test]
fn faster_than_the_clock_can_tell_times_still_differ() {
    let mut device = Device::new("d", &recipe("ds18b20", vec![]));
    let mut times = Vec::new();
    for _ in 0..100 {
        device.tick(START, &mut |_| {}, &mut |message| times.push(message.time));
    }
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_stuck_value_stands_still() {
    let (plain, values, _) = during("pt100-4-20ma", Kind::Stuck);
    assert!(values.windows(2).all(|pair| pair[0] == pair[1]) && values.len() > 25);
    assert!(plain.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn a_rail_is_the_end_of_the_range() {
    let (_, values, _) = during("pt100-4-20ma", Kind::Rail);
    assert!(values.iter().all(|value| *value == 21.5));
}

#[test]
fn a_step_a_drift_and_a_spike_add_what_they_say() {
    let (plain, values, label) = during("tank-level", Kind::Step);
    assert!(
        plain
            .iter()
            .zip(&values)
            .all(|(plain, value)| (value - plain - label.size).abs() < 0.0011 || *value == 3.0)
    );
    for (kind, at_half) in [(Kind::Drift, 0.5), (Kind::DriftExp, 0.1192)] {
        let (plain, values, label) = during("pt100-4-20ma", kind);
        let errors: Vec<f64> = values
            .iter()
            .zip(&plain)
            .map(|(value, plain)| (value - plain) / label.size)
            .collect();
        assert!(errors[0].abs() < 0.05, "{errors:?}");
        assert!(
            (errors[15] - at_half).abs() < 0.05 && errors[29] > 0.9 * (0.5 + at_half),
            "{kind} {errors:?}"
        );
    }
}

#[test]
fn noise_can_burst_and_die() {
    let spread = |values: &[f64]| {
        let steps: Vec<f64> = values
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .collect();
        steps.iter().sum::<f64>() / steps.len() as f64
    };
    let (plain, values, _) = during("vibration-rms", Kind::NoiseBurst);
    assert!(spread(&values) > 4.0 * spread(&plain));
    let (plain, values, _) = during("vibration-rms", Kind::Quiet);
    assert!(spread(&values) < 0.6 * spread(&plain));
}

#[test]
fn a_probe_that_is_off_says_so_and_boots_when_it_is_back() {
    let (_, values, _) = during("ds18b20", Kind::ProbeOff);
    let (last, before) = values.split_last().unwrap();
    assert!(before.iter().all(|value| *value == -127.0) && *last == 85.0);
    let (_, values, _) = during("pt100-4-20ma", Kind::ProbeOff);
    assert!(values.iter().all(|value| *value == 3.6));
}

#[test]
fn a_unit_flips_to_fahrenheit() {
    let (plain, values, _) = during("ds18b20", Kind::UnitFlip);
    assert!(
        plain
            .iter()
            .zip(&values)
            .all(|(plain, value)| (value - (plain * 1.8 + 32.0)).abs() < 0.04)
    );
}

#[test]
fn a_counter_begins_again_and_counts_on() {
    for kind in [Kind::CounterReset, Kind::CounterRollover] {
        let (plain, messages, label) = faulty("energy-counter", kind);
        let after: Vec<(f64, f64)> = plain
            .iter()
            .zip(&messages)
            .filter(|(_, message)| message.at >= label.from_ms)
            .map(|(plain, message)| (plain.values[0], message.values[0]))
            .collect();
        let lost = after[0].0 - after[0].1;
        assert!(
            lost >= 40_000.0 && (kind == Kind::CounterRollover || after[0].1 == 0.0),
            "{after:?}"
        );
        assert!(
            after
                .iter()
                .all(|(plain, value)| (plain - value - lost).abs() < 0.0021),
            "{after:?}"
        );
    }
}

#[test]
fn a_gap_is_silent_and_its_sequence_goes_on() {
    let (_, messages, label) = faulty("ds18b20", Kind::Gap);
    assert!(
        messages
            .iter()
            .all(|message| !is_within(&label, message.at))
    );
    assert!(
        messages
            .windows(2)
            .all(|pair| pair[1].sequence == pair[0].sequence + 1)
    );
}

#[test]
fn duplicates_are_marked() {
    let (_, messages, label) = faulty("ds18b20", Kind::Duplicate);
    let repeats: Vec<_> = messages
        .windows(2)
        .filter(|pair| pair[1].is_repeat)
        .collect();
    assert!((29..=31).contains(&repeats.len()));
    for pair in repeats {
        assert!(is_within(&label, pair[0].at));
        assert_eq!(
            (pair[0].time, &pair[0].values),
            (pair[1].time, &pair[1].values)
        );
    }
}

#[test]
fn messages_overtake_each_other_in_pairs() {
    let (plain, messages, _) = faulty("ds18b20", Kind::OutOfOrder);
    let late = messages
        .windows(2)
        .filter(|pair| pair[1].time < pair[0].time)
        .count();
    assert!((14..=16).contains(&late), "{late}");
    let mut times: Vec<_> = messages.iter().map(|message| message.time).collect();
    times.sort_unstable();
    assert_eq!(
        times,
        plain.iter().map(|message| message.time).collect::<Vec<_>>()
    );
}

/// A device whose signals take turns once only exchanged messages of different signals, and no sensor's were out of order.
#[test]
fn each_sensor_of_a_device_is_out_of_order() {
    let (plain, messages, _) = faulty("dht22", Kind::OutOfOrder);
    let mut times: Vec<_> = messages.iter().map(|message| message.time).collect();
    for stream in [0, 1] {
        let of_stream: Vec<_> = messages.iter().filter(|it| it.stream == stream).collect();
        let late = of_stream
            .windows(2)
            .filter(|pair| pair[1].time < pair[0].time);
        // 15 messages of each in 30 s: seven or eight pairs.
        assert!((6..=8).contains(&late.count()));
    }
    times.sort_unstable();
    assert!(
        times
            .into_iter()
            .eq(plain.iter().map(|message| message.time))
    );
}

#[test]
fn a_backlog_comes_at_once_and_whole() {
    let (plain, messages, label) = faulty("ds18b20", Kind::Backlog);
    assert!(
        messages
            .iter()
            .all(|message| !is_within(&label, message.at))
    );
    let flushed = messages
        .iter()
        .filter(|message| is_within(&label, message.time))
        .count();
    assert!((29..=31).contains(&flushed));
    let sent = |all: &[Kept]| {
        all.iter()
            .map(|message| (message.time, message.values.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(&plain), sent(&messages));
}

#[test]
fn a_wrong_clock_never_says_one_time_twice() {
    for (kind, error_ms) in [
        (Kind::ClockSkew, 1500),
        (Kind::ClockStep, 3_600_000),
        (Kind::Clock1970, 1_772_000_000_000),
    ] {
        let orders = vec![order(kind, 20.0, 30.0), order(kind, 60.0, 30.0)];
        let (messages, labels) = run("d", &recipe("dht22", orders), 120);
        assert_eq!(labels.len(), 2);
        let mut times: Vec<_> = messages
            .iter()
            .map(|message| (message.stream, message.time))
            .collect();
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| pair[0] != pair[1]), "{kind}");
        let wrong = messages
            .iter()
            .map(|message| (message.time - message.at).abs())
            .max()
            .unwrap();
        assert!(
            wrong > error_ms * 9 / 10,
            "{kind} was off by {wrong} ms at most"
        );
    }
}

#[test]
fn swapped_signals_have_each_others_name() {
    for profile in ["dht22", "bme280"] {
        let (_, messages, label) = faulty(profile, Kind::Swapped);
        for message in messages
            .iter()
            .filter(|message| is_within(&label, message.at))
        {
            let temperature = if profile == "bme280" {
                message.values[1]
            } else {
                message.values[0]
            };
            let is_temperature = profile == "bme280" || message.stream == 1;
            assert_eq!(is_temperature, temperature < 33.0, "{message:?}");
        }
    }
}

#[test]
fn a_battery_gives_way_and_the_device_boots() {
    let recipe = Recipe {
        rate_hz: Some(1.0),
        ..recipe("battery-lora", vec![order(Kind::BatterySag, 40.0, 30.0)])
    };
    let (messages, _) = run("d", &recipe, 120);
    let volts = |from: i64, until: i64| -> Vec<f64> {
        let within = messages
            .iter()
            .filter(|message| (from..until).contains(&(message.at - START)));
        within.map(|message| message.values[2]).collect()
    };
    assert!(volts(38_000, 40_000)[0] - volts(57_000, 60_000)[0] > 0.1);
    assert!(volts(60_100, 69_000).is_empty(), "the device is off");
    assert_eq!((messages[0].boot, messages.last().unwrap().boot), (1, 2));
}

/// Every profile with every fault, an hour long, as one number. It was written down once: the same seed must give the same
/// bytes in every build and on every machine.
#[test]
fn the_same_seed_gives_the_same_bytes_everywhere() {
    let mut text = Vec::new();
    for name in Profile::shipped_names() {
        let plan = FaultPlan {
            kinds: Kind::ALL.to_vec(),
            every_s: 60.0,
            lasts_s: [10.0, 40.0],
            orders: vec![],
        };
        let recipe = Recipe {
            plan: Arc::new(plan),
            rate_hz: Some(1.0),
            ..recipe(name, vec![])
        };
        let (messages, labels) = run("d", &recipe, 3600);
        let profile = &recipe.profile;
        let writer = crate::payload::Writer::new(profile, "d", 0);
        for message in &messages {
            writer.write(&message.as_message(), &mut text);
        }
        for label in &labels {
            crate::truth::write_label(&mut text, label).unwrap();
        }
    }
    assert_eq!(
        (text.len(), wire::crc32c(0, &text)),
        (2_829_545, 0xFBB2_63C7)
    );
}
