use super::tests_noise::Noise;
use super::*;
use proptest::prelude::*;

const FIVE_MINUTES_MS: i64 = 300_000;
const DAY: usize = 288;

fn daily(nth: usize, noise: &mut Noise) -> f64 {
    20.0 + 5.0 * (nth as f64 * core::f64::consts::TAU / DAY as f64).sin() + 0.2 * noise.next()
}

/// The readings at which the two kinds raise an alarm.
fn alarms(value: impl Fn(usize, f64) -> f64) -> [std::vec::Vec<usize>; 2] {
    let (mut noise, mut full, mut lite) = (
        Noise(7),
        Detector::<FULL_BLOCKS>::default(),
        Lite::default(),
    );
    let mut alarms = [std::vec::Vec::new(), std::vec::Vec::new()];
    for nth in 0..14 * DAY {
        let time = Timestamp(nth as i64 * FIVE_MINUTES_MS);
        let value = value(nth, daily(nth, &mut noise));
        let findings = [full.push(time, value, 1.0), lite.push(time, value, 1.0)];
        for (alarms, finding) in alarms.iter_mut().zip(findings) {
            if finding.is_alarm {
                alarms.push(nth);
            }
        }
    }
    alarms
}

#[test]
fn a_day_as_any_other_is_no_alarm() {
    let [full, _] = alarms(|_, value| value);
    assert!(full.len() <= 1, "{full:?}");
}

#[test]
fn a_level_that_moves_is_an_alarm_soon() {
    let moved = 10 * DAY;
    for alarms in alarms(|nth, value| if nth >= moved { value + 12.0 } else { value }) {
        assert!(
            alarms.iter().any(|nth| (moved..moved + 36).contains(nth)),
            "{alarms:?}"
        );
    }
}

/// Each value is one of every day, and so is their average, but no day goes up and down so often.
#[test]
fn a_shape_that_is_new_within_the_range_is_an_alarm() {
    let shaken = 10 * DAY..11 * DAY;
    let shake = |nth: usize| {
        if (nth / 6).is_multiple_of(2) {
            16.0
        } else {
            24.0
        }
    };
    let [full, _] = alarms(|nth, value| {
        if shaken.contains(&nth) {
            shake(nth)
        } else {
            value
        }
    });
    assert!(full.iter().any(|nth| shaken.contains(nth)), "{full:?}");
}

#[test]
fn a_constant_is_never_an_alarm() {
    assert_eq!(alarms(|_, _| 21.5), [const { std::vec::Vec::new() }; 2]);
}

/// A sensor does not get calmer or keener by its unit: binary scaling is exact, and so are the alarms.
#[test]
fn another_unit_makes_no_difference() {
    let in_one = alarms(|nth, value| if nth >= 3_000 { value + 9.0 } else { value });
    let in_other = alarms(|nth, value| {
        if nth >= 3_000 {
            (value + 9.0) * 1024.0
        } else {
            value * 1024.0
        }
    });
    assert_eq!(in_one, in_other);
}

proptest! {
    #[test]
    fn any_readings_are_taken_without_panic(readings in proptest::collection::vec((any::<i64>(), -1e140..1e140), 0..400)) {
        let (mut detector, mut lite) = (Detector::<16>::default(), Lite::default());
        for (time, value) in readings {
            let finding = detector.push(Timestamp(time), value, 1.0);
            prop_assert!(finding.score.is_finite() && finding.limit.is_finite());
            prop_assert!(lite.push(Timestamp(time), value, 1.0).score.is_finite());
        }
        prop_assert!(detector.is_sound() && lite.is_sound());
    }

    #[test]
    fn nobody_looks_ahead(values in proptest::collection::vec(-50.0..50.0, 1..300), more in -50.0..50.0) {
        let run = |values: &[f64]| -> std::vec::Vec<Finding> {
            let mut detector = Detector::<16>::default();
            values.iter().enumerate().map(|(nth, value)| detector.push(Timestamp(nth as i64 * 1000), *value, 1.0)).collect()
        };
        let mut longer = values.clone();
        longer.push(more);
        prop_assert_eq!(&run(&values)[..], &run(&longer)[..values.len()]);
    }
}

/// Two signals at rest; then both move by one deviation, which neither alone would tell.
#[test]
fn signals_that_move_together_depart() {
    let (mut noise, mut chart) = (Noise(3), Together::new(Course::STEADY));
    let mut scores = [0.0f64; 2];
    for nth in 0..900 {
        let moved = f64::from(u8::from(nth >= 800));
        let row = [
            noise.next() + moved * 2.0,
            50.0 + noise.next() - moved * 2.0,
            noise.next(),
            7.0,
        ];
        let most = &mut scores[usize::from(nth >= 800)];
        *most = most.max(chart.push(&row).score());
    }
    assert!(scores[0] < 1.0 && scores[1] > 1.5, "{scores:?}");
}

/// A tank that fills by one in ten minutes and has noise: 90 is 20 above, so it is reached in 200 minutes.
#[test]
fn a_trend_tells_when_it_crosses() {
    let (mut noise, mut trend) = (Noise(5), Trend::new(7_200_000.0));
    let mut push = |trend: &mut Trend, minute: i64, value: f64| {
        trend.push(Timestamp(minute * 60_000), value + 0.3 * noise.next());
    };
    for minute in 0..500 {
        push(&mut trend, minute, 20.0 + minute as f64 / 10.0);
    }
    let crossing = trend.crossing(90.0, 86_400_000.0).unwrap();
    let (in_min, give_min) = (crossing.in_ms / 60_000.0, crossing.give_ms / 60_000.0);
    assert!((170.0..300.0).contains(&in_min), "{crossing:?}");
    assert!(give_min > 0.0 && give_min < 120.0, "{crossing:?}");
    assert_eq!(
        trend.crossing(90.0, 3_600_000.0),
        None,
        "not within an hour"
    );
    assert_eq!(
        trend.crossing(10.0, 86_400_000.0),
        None,
        "it goes away from there"
    );
}

/// A value lies within what its forecast gives or takes about two times in three.
#[test]
fn a_forecast_is_right_as_often_as_it_says() {
    const AHEAD: usize = 60;
    let (mut noise, mut trend) = (Noise(5), Trend::new(7_200_000.0));
    let values: std::vec::Vec<f64> = (0..6_000)
        .map(|minute| 0.01 * f64::from(minute) + noise.next())
        .collect();
    let (mut asked, mut within) = (0, 0);
    for (minute, value) in values.iter().enumerate().take(values.len() - AHEAD) {
        trend.push(Timestamp(minute as i64 * 60_000), *value);
        let Some(forecast) = trend.ahead(AHEAD as f64 * 60_000.0) else {
            continue;
        };
        asked += 1;
        let wrong = (values[minute + AHEAD] - forecast.value).abs();
        within += usize::from(wrong <= forecast.give);
    }
    let share = within as f64 / asked as f64;
    assert!(
        asked > 5_900 && (0.55..0.85).contains(&share),
        "{within} of {asked}"
    );
}

#[test]
fn what_stands_still_crosses_nothing() {
    let (mut noise, mut trend) = (Noise(9), Trend::new(7_200_000.0));
    for minute in 0..2_000 {
        trend.push(Timestamp(minute * 60_000), 20.0 + noise.next());
        if minute > 300 {
            assert_eq!(trend.crossing(60.0, 14_400_000.0), None, "at {minute}");
        }
    }
}

/// FNV-1a (64 bits) of the state, as it goes into a checkpoint.
fn digest(parts: &[std::vec::Vec<u8>]) -> u64 {
    parts
        .iter()
        .flatten()
        .fold(0xCBF2_9CE4_8422_2325, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
}

fn bytes(part: &impl Serialize) -> std::vec::Vec<u8> {
    let mut buffer = [0; 4096];
    postcard::to_slice(part, &mut buffer).unwrap().to_vec()
}

/// All mathematics is libm's and Rust's own, so what detectors know is the same to the bit on every processor. The numbers are
/// those of x86-64; an ARM that has others fails here.
#[test]
fn detectors_are_the_same_on_every_machine() {
    let (mut noise, mut lite) = (Noise(11), Lite::default());
    let (mut full, mut trend) = (Detector::<FULL_BLOCKS>::default(), Trend::new(7_200_000.0));
    let mut together = Together::new(Course::STEADY);
    for nth in 0..10 * DAY {
        let time = Timestamp(nth as i64 * FIVE_MINUTES_MS);
        let value = 20.0 + (nth % DAY) as f64 / 50.0 + 0.2 * noise.next();
        lite.push(time, value, 1.0);
        full.push(time, value, 1.0);
        trend.push(time, value);
        together.push(&[value, noise.next(), 3.0]);
    }
    let mut parts: std::vec::Vec<_> = full.shapes.iter().map(bytes).collect();
    parts.push(bytes(&full.front));
    let digests = [
        digest(&[bytes(&lite)]),
        digest(&parts),
        digest(&[bytes(&trend)]),
        digest(&[bytes(&together)]),
    ];
    assert_eq!(digests.map(|digest| std::format!("{digest:016x}")), GOLDEN);
}

const GOLDEN: [&str; 4] = [
    "9ad64c3587caf029",
    "276bbf52122c11a9",
    "d36f985419594a39",
    "a6c2770def73bf86",
];
