use super::*;
use proptest::prelude::*;
use wire::{Content, Flags, Timestamp};

const START: i64 = 1_767_225_600_000;

fn row(at: i64, value: f64) -> Cleaned {
    Cleaned {
        time: Timestamp(START + at),
        arrival: Timestamp(START + at),
        content: Content::AsSent(value),
        flags: Flags::default(),
    }
}

/// Noise that is the same each time, from -1 to 1.
fn noise(n: i64) -> f64 {
    let mut stirred = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for shift in [30, 27, 31] {
        stirred = (stirred ^ stirred >> shift).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    (stirred >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A signal over some days, one value every `step_ms`.
fn mine(days: i64, step_ms: i64, value: impl Fn(i64) -> f64) -> Miner {
    let mut miner = Miner::default();
    for at in (0..days * 86_400_000).step_by(step_ms as usize) {
        miner.push(&row(at, value(at)));
    }
    miner
}

fn counts(readings: u32) -> Counts {
    Counts {
        readings,
        ..Counts::default()
    }
}

fn daily(at: i64) -> f64 {
    (at as f64 / 86_400_000.0 * core::f64::consts::TAU).sin()
}

#[test]
fn a_daily_course_is_found_with_its_noise_and_range() {
    let miner = mine(6, 60_000, |at| 20.0 + 5.0 * daily(at) + 0.3 * noise(at));
    let profile = miner.profile(counts(8640)).unwrap();
    let (season_ms, r) = profile.season.unwrap();
    assert!((season_ms / 86_400_000.0 - 1.0).abs() < 0.06, "{season_ms}");
    assert!(r > 0.8);
    // Even noise from -0.3 to 0.3 has a deviation of 0.173.
    assert!((0.13..0.22).contains(&profile.noise), "{}", profile.noise);
    assert!((profile.range[0] - 15.0).abs() < 0.5 && (profile.range[2] - 25.0).abs() < 0.5);
    // A median that follows is off by a step or two.
    let sampling_ms = profile.sampling_ms.unwrap();
    assert!((sampling_ms / 60_000.0 - 1.0).abs() < 0.05);
    assert_eq!(profile.regularity, Some(1.0));
    assert_eq!(profile.health, 100);
}

#[test]
fn noise_and_trends_have_no_period() {
    for value in [|at| noise(at), |at: i64| at as f64 / 1e9] {
        let profile = mine(2, 60_000, value).profile(counts(2880)).unwrap();
        assert_eq!(profile.season, None);
    }
}

#[test]
fn what_goes_along_is_found_on_grids_of_both() {
    let one = mine(3, 60_000, |at| daily(at) + 0.1 * noise(at));
    let slow = mine(3, 900_000, |at| 3.0 - 2.0 * daily(at) + 0.1 * noise(at + 7));
    let other = mine(3, 60_000, |at| noise(at / 3_600_000 + 99));
    let r = one.correlation(&slow).unwrap();
    assert!(r < -0.95, "{r}");
    assert_eq!(one.correlation(&other), None);
}

#[test]
fn losses_say_why_health_is_low() {
    let mut miner = Miner::default();
    for n in 0..1000 {
        let step = if n % 50 == 0 { 30_000 } else { 0 };
        miner.push(&row(n * 60_000 + n / 50 * 300_000 + step, 1.0));
    }
    let counts = Counts {
        readings: 1000,
        bad: 50,
        late: 0,
        duplicates: 0,
    };
    let profile = miner.profile(counts).unwrap();
    let points = |cause| {
        let loss = profile.losses.iter().find(|loss| loss.cause == cause);
        loss.unwrap().points
    };
    assert_eq!((points("bad"), points("late")), (20, 0));
    assert!(points("gaps") > 0, "{profile:?}");
    let lost: u8 = profile.losses.iter().map(|loss| loss.points).sum();
    assert_eq!(profile.health, 100 - lost);
}

#[test]
fn the_strongest_partners_come_first() {
    let mut profile = mine(1, 60_000, noise).profile(counts(1)).unwrap();
    for (id, r) in [(1, 0.7), (2, -0.9), (3, 0.8), (4, 0.75), (5, 0.95)] {
        profile.take_partner(SensorId(id), r);
    }
    let told = profile.partners.map(|partner| partner.unwrap().0.0);
    assert_eq!(told, [5, 2, 3]);
}

proptest! {
    #[test]
    fn any_rows_are_taken(rows in proptest::collection::vec((any::<i64>(), any::<f64>()), 1..200)) {
        let mut miner = Miner::default();
        for (at, value) in rows {
            let time = Timestamp(at.clamp(-(1 << 53), 1 << 53));
            let value = if value.is_finite() { value.clamp(-1e140, 1e140) } else { 0.0 };
            miner.push(&Cleaned { time, content: Content::AsSent(value), ..row(0, 0.0) });
            prop_assert!(miner.is_sound());
        }
        let profile = miner.profile(counts(200)).unwrap();
        prop_assert!(profile.range[0] <= profile.range[1] && profile.range[1] <= profile.range[2]);
        prop_assert!(profile.health <= 100);
        let _ = miner.correlation(&miner);
    }
}
