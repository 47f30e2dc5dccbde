use super::*;
use crate::config::Range;
use crate::time::Instant;

/// 2026-01-01.
const WALL: i64 = 1_767_225_600_000;

fn judged(wall: i64, time: Option<i64>) -> (i64, Reasons) {
    let now = Now {
        instant: Instant(5),
        wall: Timestamp(wall),
    };
    let (time, reasons) = judge_time(
        now,
        Clock::Synced,
        &SensorConfig::default(),
        time.map(Timestamp),
    );
    (time.0, reasons)
}

#[test]
fn an_absurd_time_is_replaced_by_the_arrival() {
    for (time, expected) in [
        (Some(WALL - 5000), (WALL - 5000, Reasons::NONE)),
        (Some(WALL + 300_000), (WALL + 300_000, Reasons::NONE)),
        (Some(WALL + 300_001), (WALL, Reasons::FUTURE)),
        (Some(i64::MAX), (WALL, Reasons::FUTURE)),
        (Some(0), (WALL, Reasons::TIME_REPAIRED)),
        (Some(i64::MIN), (WALL, Reasons::TIME_REPAIRED)),
        (None, (WALL, Reasons::ARRIVAL_TIME)),
    ] {
        assert_eq!(judged(WALL, time), expected, "{time:?}");
    }
}

#[test]
fn a_gateway_whose_clock_is_not_set_trusts_the_sensor() {
    assert_eq!(judged(60_000, Some(WALL)), (WALL, Reasons::CLOCK_UNSYNCED));
    assert_eq!(
        judged(60_000, Some(TIME_MS_MAX + 1)),
        (60_000, Reasons::CLOCK_UNSYNCED | Reasons::FUTURE)
    );
}

#[test]
fn a_clock_that_is_not_set_is_no_judge_though_what_it_says_could_be() {
    let now = Now {
        instant: Instant(5),
        wall: Timestamp(WALL),
    };
    let ahead = Some(Timestamp(WALL + 86_400_000));
    let judged = judge_time(now, Clock::Unsynced, &SensorConfig::default(), ahead);
    assert_eq!(
        judged,
        (Timestamp(WALL + 86_400_000), Reasons::CLOCK_UNSYNCED)
    );
}

#[test]
fn values_that_cannot_be_are_bad() {
    let config = SensorConfig {
        range: Some(Range {
            min: -40.0,
            max: 125.0,
        }),
        ..SensorConfig::default()
    };
    for (value, expected) in [
        (-40.0, (Quality::Good, Reasons::NONE)),
        (125.0, (Quality::Good, Reasons::NONE)),
        (125.1, (Quality::Bad, Reasons::OUT_OF_RANGE)),
        (f64::NAN, (Quality::Bad, Reasons::NOT_FINITE)),
        (f64::NEG_INFINITY, (Quality::Bad, Reasons::NOT_FINITE)),
    ] {
        assert_eq!(
            judge_value(&config, None, value, value),
            expected,
            "{value}"
        );
    }
    assert_eq!(
        judge_value(&SensorConfig::default(), None, 1e141, 1e141),
        (Quality::Bad, Reasons::OUT_OF_RANGE)
    );
}

#[test]
fn a_sentinel_is_bad_whatever_the_range() {
    let config = SensorConfig {
        sentinels: [85.0, -127.0, 0.0].into_iter().collect(),
        range: Some(Range {
            min: -55.0,
            max: 125.0,
        }),
        ..SensorConfig::default()
    };
    for (value, expected) in [
        (85.0, (Quality::Bad, Reasons::SENTINEL)),
        (-127.0, (Quality::Bad, Reasons::SENTINEL)),
        (-0.0, (Quality::Bad, Reasons::SENTINEL)),
        (85.000_001, (Quality::Good, Reasons::NONE)),
        (-128.0, (Quality::Bad, Reasons::OUT_OF_RANGE)),
    ] {
        assert_eq!(
            judge_value(&config, None, value, value),
            expected,
            "{value}"
        );
    }
}

#[test]
fn a_value_is_stuck_once_it_has_been_the_same_for_too_long() {
    let mut steady = Steady::default();
    for (time, value, is_stuck) in [
        (0, 0.0, false),
        (10, 0.0, false),
        (11, 0.0, true),
        (12, -0.0, false),
        (22, -0.0, false),
        (23, -0.0, true),
        (5, -0.0, false),
        (16, -0.0, true),
        (17, 1.0, false),
        (i64::MAX, 1.0, true),
    ] {
        let answer = steady.is_stuck(Timestamp(time), value, 10, 0.0);
        assert_eq!(answer, is_stuck, "{time} {value}");
    }
}

#[test]
fn only_an_equal_time_and_value_is_a_duplicate() {
    let mut recent = Recent::default();
    for (time, value, is_duplicate) in [
        (10, 1.0, false),
        (10, 1.0, true),
        (10, 2.0, false),
        (11, 1.0, false),
        (10, 2.0, true),
        (9, f64::NAN, false),
        (9, f64::NAN, true),
        (9, 0.0, false),
        (9, -0.0, false),
    ] {
        assert_eq!(
            recent.is_duplicate(Timestamp(time), value),
            is_duplicate,
            "{time} {value}"
        );
    }
}

#[test]
fn a_duplicate_is_known_among_the_last_six() {
    let mut recent = Recent::default();
    for time in 0..7 {
        assert!(!recent.is_duplicate(Timestamp(time), 1.0));
    }
    assert!(recent.is_duplicate(Timestamp(1), 1.0));
    assert!(!recent.is_duplicate(Timestamp(0), 1.0));
}

#[test]
fn a_sensor_whose_noise_is_gone_is_stuck_within_a_width() {
    let mut steady = Steady::default();
    for (time, value, stuck) in [
        (0, 1.00, false),
        (8, 1.02, false),
        (11, 0.98, true),
        (12, 1.06, false),
        (22, 1.10, false),
        (23, 1.10, true),
    ] {
        let answer = steady.is_stuck(Timestamp(time), value, 10, 0.05);
        assert_eq!(answer, stuck, "{value} at {time}");
    }
}
