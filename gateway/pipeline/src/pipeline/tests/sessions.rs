//! Sessions: timelines, and an exact computation over all readings.

use super::*;
use crate::config::SessionRule;
use proptest::prelude::*;
use wire::WindowKind;

const GAP_MS: i64 = 3000;
const LENGTH_MS: i64 = 20_000;

fn with_sessions(lateness_ms: u32) -> Plan {
    plan(|config| {
        config.tumbling_ms = None;
        config.lateness_ms = lateness_ms;
        config.session = Some(SessionRule {
            gap_ms: GAP_MS as u32,
            length_ms_max: LENGTH_MS as u32,
        });
    })
}

#[test]
fn a_pause_ends_a_session() {
    let mut rig = Rig::of(&with_sessions(0));
    rig.read(500, 1.0).read(2500, 3.0).read(5499, 5.0);
    assert_eq!(rig.summaries(), [] as [&str; 0]);
    rig.read(8499, 9.0);
    assert_eq!(rig.summaries(), ["500+5000: 3 of 3"]);
}

#[test]
fn a_session_ends_by_the_gateways_time_too() {
    let mut rig = Rig::of(&with_sessions(0));
    rig.read(500, 1.0).seal(600);
    assert_eq!(rig.pipeline.deadline().map(|due| due.0), Some(5500));
    rig.wait(5499);
    assert_eq!(rig.summaries(), [] as [&str; 0]);
    rig.wait(5500);
    assert_eq!(rig.summaries(), ["500+1: 1 of 1 ~"]);
}

#[test]
fn a_session_without_a_pause_ends_at_the_border_of_the_longest_length() {
    let mut rig = Rig::of(&with_sessions(0));
    for second in 16..=24 {
        rig.read(second * 1000, 1.0);
    }
    assert_eq!(rig.summaries(), ["16000+3001: 1 of 4"]);
}

#[test]
fn a_late_value_corrects_the_session_that_it_lies_in() {
    let mut rig = Rig::of(&with_sessions(0));
    rig.read(0, 1.0).read(2000, 3.0).read(6000, 8.0);
    let _ = rig.read_of(6100, Some(1000), 5.0);
    rig.wait(12_000);
    assert_eq!(
        rig.summaries(),
        ["0+2001: 2 of 2", "0+2001: 3 of 3 r1", "6000+1: 8 of 1 ~"]
    );
    let before = rig.pipeline.counters().outside_windows;
    let _ = rig.read_of(12_100, Some(-100), 5.0);
    assert_eq!(rig.pipeline.counters().outside_windows, before + 1);
}

#[test]
fn a_value_that_closes_the_gap_makes_one_session_of_two() {
    let mut rig = Rig::of(&with_sessions(3000));
    rig.read(100, 1.0).read(3100, 3.0);
    let _ = rig.read_of(3200, Some(1500), 8.0);
    rig.read(9_200, 0.0);
    assert_eq!(rig.summaries(), ["100+3001: 4 of 3"]);
}

#[test]
fn bad_readings_count_where_they_fall_and_begin_nothing() {
    let mut rig = Rig::of(&with_sessions(0));
    rig.read(0, f64::NAN).read(1000, 1.0).read(2000, f64::NAN);
    rig.read(4500, f64::NAN);
    assert_eq!(rig.summaries(), ["1000+1: 1 of 1 b1"]);
}

/// Values that come in order, each with its time, and in an order of arrival that is within the lateness.
fn arrivals() -> impl Strategy<Value = [Vec<(i64, f64)>; 2]> {
    let step = prop_oneof![0_i64..1500, 2500_i64..3500, Just(8000)];
    let steps = proptest::collection::vec((step, -100.0..100.0_f64, 0_i64..1400), 1..80);
    steps.prop_map(|steps| {
        let mut time = 0;
        let timed = steps.into_iter().map(|(step, value, delay)| {
            time += step + 1;
            (time, value, time + delay)
        });
        let mut timed: Vec<_> = timed.collect();
        let sorted = timed.iter().map(|(time, value, _)| (*time, *value));
        let sorted = sorted.collect();
        timed.sort_by_key(|(_, _, arrival)| *arrival);
        let shuffled = timed.iter().map(|(time, value, _)| (*time, *value));
        [sorted, shuffled.collect()]
    })
}

/// Start, length, count, sum, first and last of each session, by the definition.
fn exact(sorted: &[(i64, f64)]) -> Vec<(i64, u32, u32, i64, f64, f64)> {
    let belong =
        |a: &(i64, f64), b: &(i64, f64)| b.0 - a.0 < GAP_MS && a.0 / LENGTH_MS == b.0 / LENGTH_MS;
    let sessions = sorted.chunk_by(belong);
    let told = sessions.map(|session| {
        let (first, last) = (session[0], session[session.len() - 1]);
        let sum: f64 = session.iter().map(|(_, value)| value).sum();
        let length = (last.0 - first.0 + 1) as u32;
        (
            first.0,
            length,
            session.len() as u32,
            (sum * 1e6).round() as i64,
            first.1,
            last.1,
        )
    });
    told.collect()
}

proptest! {
    #[test]
    fn each_session_is_told_exactly_in_any_order([sorted, shuffled] in arrivals()) {
        let mut rig = Rig::of(&with_sessions(GAP_MS as u32 - 500));
        let mut newest = 0;
        for (time, value) in &shuffled {
            newest = newest.max(*time);
            let _ = rig.read_of(newest as u64, Some(*time), *value);
        }
        rig.wait(newest as u64 + 100_000);
        let told = rig.events.iter().filter_map(|event| match event {
            Event::Summary(summary) => {
                let stats = summary.stats.unwrap();
                assert_eq!((summary.window.kind, summary.revision), (WindowKind::Session, 0));
                let sum = (stats.mean * f64::from(stats.n) * 1e6).round() as i64;
                Some((summary.window.start.0 - WALL, summary.window.length_ms, stats.n, sum, stats.first, stats.last))
            }
            _ => None,
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|told| told.0);
        prop_assert_eq!(told, exact(&sorted));
    }

    #[test]
    fn a_checkpoint_keeps_what_is_open([_, shuffled] in arrivals()) {
        let mut plan = with_sessions(2500);
        plan.defaults.quantiles.push(0.5).unwrap();
        let mut rig = Rig::of(&plan);
        let half = shuffled.len() / 2;
        let play = |rig: &mut Rig, readings: &[(i64, f64)]| {
            for (time, value) in readings {
                let _ = rig.read_of(*time as u64, Some(*time), *value);
            }
        };
        play(&mut rig, &shuffled[..half]);
        let mut bytes = Vec::new();
        rig.pipeline.save(|part| bytes.extend_from_slice(part));
        let mut other = Rig {
            pipeline: Box::new(Pipeline::restore(memory(), &bytes).unwrap()),
            events: rig.events.clone(),
        };
        prop_assert_eq!(rig.pipeline.digest(), other.pipeline.digest());
        play(&mut rig, &shuffled[half..]);
        play(&mut other, &shuffled[half..]);
        prop_assert_eq!(&rig.events, &other.events);
        prop_assert_eq!(rig.pipeline.digest(), other.pipeline.digest());
    }
}
