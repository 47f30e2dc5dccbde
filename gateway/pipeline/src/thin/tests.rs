use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec as List;
use wire::{Content, Timestamp};

const WIDTH: f64 = 0.5;
const SILENCE_MS: i64 = 60_000;

fn rule(method: ThinningMethod) -> Thinning {
    Thinning {
        method,
        width: WIDTH,
        silence_ms_max: SILENCE_MS as u32,
    }
}

fn row(at: i64, value: f64) -> Cleaned {
    Cleaned {
        time: Timestamp(at),
        arrival: Timestamp(at),
        content: Content::AsSent(value),
        flags: Flags::default(),
    }
}

/// What is forwarded of rows, the last one held among them; and how many were said to be left out.
fn thin(method: ThinningMethod, rows: &[Cleaned]) -> (List<Cleaned>, u32) {
    let mut thinner = Thinner::default();
    let (mut forwarded, mut left_out) = (List::new(), 0);
    for row in rows {
        let mut out = Forwarded::new();
        left_out += thinner.offer(Now::default(), *row, &rule(method), &mut out);
        forwarded.extend(out);
        assert!(thinner.is_sound());
    }
    forwarded.extend(thinner.let_go());
    (forwarded, left_out)
}

/// Time, value, and how many were left out before.
fn check(method: ThinningMethod, rows: &[(i64, f64)], told: &[(i64, f64, u32)]) {
    let rows: List<_> = rows.iter().map(|(at, value)| row(*at, *value)).collect();
    let (forwarded, _) = thin(method, &rows);
    let forwarded = forwarded.iter().map(|row| {
        let value = row.content.value().unwrap();
        (row.time.0, value, row.flags.left_out())
    });
    assert_eq!(forwarded.collect::<List<_>>(), told);
}

#[test]
fn a_deadband_leaves_out_what_is_near_the_last_forwarded_value() {
    check(
        ThinningMethod::Deadband,
        &[(0, 1.0), (1, 1.5), (2, 0.5), (3, 1.6), (4, 1.2), (5, 2.2)],
        &[(0, 1.0, 0), (3, 1.6, 2), (5, 2.2, 1)],
    );
}

#[test]
fn a_door_leaves_out_what_lies_along_a_line() {
    let ramp = |n: i64| (n, n as f64 + 0.3 * (n % 2) as f64);
    let mut rows: List<_> = (0..=10).map(ramp).collect();
    rows.extend((11..=20).map(|n| (n, 10.0)));
    check(
        ThinningMethod::SwingingDoor,
        &rows,
        &[(0, 0.0, 0), (10, 10.0, 9), (20, 10.0, 9)],
    );
}

/// Bristol's own door would end the line at (3, 0.9), which is 0.6 from (1, -0.3).
#[test]
fn a_line_never_misses_by_more_than_the_width() {
    check(
        ThinningMethod::SwingingDoor,
        &[(0, 0.0), (1, -0.4), (2, 0.0), (3, 0.9)],
        &[(0, 0.0, 0), (2, 0.0, 1), (3, 0.9, 0)],
    );
}

#[test]
fn something_is_forwarded_within_the_longest_silence() {
    let rows: List<_> = (0..10).map(|n| (n * 25_000, 1.0)).collect();
    let told = [(0, 0), (75_000, 2), (150_000, 2), (225_000, 2)];
    let told = told.map(|(at, left_out)| (at, 1.0, left_out));
    check(ThinningMethod::Deadband, &rows, &told);
    let told = [
        (0, 0),
        (50_000, 1),
        (100_000, 1),
        (150_000, 1),
        (200_000, 1),
        (225_000, 0),
    ];
    let told = told.map(|(at, left_out)| (at, 1.0, left_out));
    check(ThinningMethod::SwingingDoor, &rows, &told);
}

#[test]
fn what_was_held_is_forwarded_when_nothing_more_comes() {
    let mut thinner = Thinner::default();
    let rule = rule(ThinningMethod::SwingingDoor);
    let mut out = Forwarded::new();
    for second in 0..3 {
        let now = Now {
            instant: Instant(second * 1000),
            ..Now::default()
        };
        let row = row(second as i64 * 1000, 1.0);
        thinner.offer(now, row, &rule, &mut out);
    }
    assert_eq!(out.len(), 1);
    assert_eq!(thinner.due(), Some(Instant(61_000)));
    let held = thinner.let_go().unwrap();
    assert_eq!((held.time.0, held.flags.left_out()), (2000, 1));
    assert_eq!(thinner.due(), None);
}

#[test]
fn no_more_are_left_out_than_a_row_can_tell() {
    let mut thinner = Thinner::default();
    let rule = Thinning {
        silence_ms_max: u32::MAX,
        ..rule(ThinningMethod::Deadband)
    };
    let mut told = vec![];
    for at in 0..2 * i64::from(LEFT_OUT_MAX) + 10 {
        let mut out = Forwarded::new();
        thinner.offer(Now::default(), row(at, 1.0), &rule, &mut out);
        told.extend(out.iter().map(|row| row.flags.left_out()));
    }
    assert_eq!(told, [0, LEFT_OUT_MAX, LEFT_OUT_MAX]);
}

/// Rows whose values wander, jump, and stand still; some are bad, late, or of another kind.
fn rows() -> impl Strategy<Value = List<Cleaned>> {
    let step = prop_oneof![Just(0.0), -0.2..0.2_f64, -3.0..3.0_f64];
    let kind = prop_oneof![20 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    let steps = proptest::collection::vec((1_i64..20_000, step, kind), 1..200);
    steps.prop_map(|steps| {
        let (mut at, mut value) = (0, 0.0);
        let rows = steps.into_iter().map(|(ms, step, kind)| {
            (at, value) = (at + ms, value + step);
            let row = row(at, value);
            let uncertain = Flags::new(Quality::Uncertain, wire::Reasons::FILLED);
            let bad = Flags::new(Quality::Bad, wire::Reasons::OUT_OF_RANGE);
            match kind {
                1 => Cleaned {
                    flags: bad,
                    content: Content::Refused(value),
                    ..row
                },
                2 => Cleaned {
                    flags: uncertain,
                    ..row
                },
                3 => Cleaned {
                    time: Timestamp(at - 30_000),
                    ..row
                },
                _ => row,
            }
        });
        rows.collect()
    })
}

/// What a reader puts in at a time, between two forwarded rows one behind the other.
fn put_in(method: ThinningMethod, before: &Cleaned, after: Option<&Cleaned>, at: i64) -> f64 {
    let from = before.content.value().unwrap();
    match (method, after) {
        (ThinningMethod::SwingingDoor, Some(after)) => {
            let part = (at - before.time.0) as f64 / (after.time.0 - before.time.0) as f64;
            from + (after.content.value().unwrap() - from) * part
        }
        _ => from,
    }
}

fn check_all(method: ThinningMethod, rows: &[Cleaned]) {
    let (forwarded, left_out) = thin(method, rows);
    let told: u32 = forwarded.iter().map(|row| row.flags.left_out()).sum();
    assert_eq!(
        forwarded.len() + left_out as usize,
        rows.len(),
        "each row is forwarded or counted"
    );
    // A deadband has no next row to tell of the last ones.
    assert!(told == left_out || method == ThinningMethod::Deadband && told < left_out);
    let as_sent = |row: &Cleaned| Cleaned {
        flags: row.flags.with_left_out(0),
        ..*row
    };
    let plain: List<_> = forwarded.iter().map(as_sent).collect();
    for row in rows.iter().filter(|row| !plain.contains(row)) {
        assert_ne!(row.flags.quality(), Quality::Bad);
        // Late rows stand for themselves, and the line goes on behind them.
        let is_part =
            |other: &&Cleaned| other.flags == row.flags && other.content.value().is_some();
        let line = || plain.iter().filter(is_part);
        let newest = |at: i64| {
            line()
                .filter(move |other| other.time.0 <= at)
                .max_by_key(|other| other.time)
        };
        let before = newest(row.time.0).unwrap();
        let after = line()
            .filter(|other| other.time > row.time)
            .min_by_key(|other| other.time);
        let told = put_in(method, before, after, row.time.0);
        let value = row.content.value().unwrap();
        assert!(
            (told - value).abs() <= WIDTH + 1e-9,
            "{told} is not {value}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_put_in_again_is_within_the_width(rows in rows()) {
        let in_order: List<_> = rows
            .iter()
            .filter(|row| row.time == row.arrival && row.flags == Flags::default())
            .copied()
            .collect();
        for method in [ThinningMethod::Deadband, ThinningMethod::SwingingDoor] {
            check_all(method, &in_order);
        }
    }

    #[test]
    fn each_row_is_forwarded_or_counted(rows in rows()) {
        for method in [ThinningMethod::Deadband, ThinningMethod::SwingingDoor] {
            let (forwarded, left_out) = thin(method, &rows);
            prop_assert_eq!(forwarded.len() + left_out as usize, rows.len());
            let bad = |rows: &[Cleaned]| rows.iter().filter(|row| row.flags.quality() == Quality::Bad).count();
            prop_assert_eq!(bad(&forwarded), bad(&rows), "what is bad is forwarded");
        }
    }
}
