//! Timelines of windows.

use super::*;
use crate::config::{Sliding, Threshold};
use wire::{Quality, Reasons};

#[test]
fn a_reading_at_the_border_belongs_to_the_later_window() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0)
        .read(999, 2.0)
        .read(1000, 5.0)
        .read(2000, 0.0);
    assert_eq!(rig.summaries(), ["0+1000: 1.5 of 2", "1000+1000: 5 of 1"]);
}

#[test]
fn a_window_waits_for_the_lateness() {
    let mut rig = Rig::new(|config| config.lateness_ms = 500);
    rig.read(900, 1.0).read(1100, 9.0);
    let _ = rig.read_of(1150, Some(800), 3.0);
    assert!(rig.summaries().is_empty());
    rig.read(1499, 9.0);
    assert!(rig.summaries().is_empty());
    rig.read(1500, 9.0);
    assert_eq!(rig.summaries(), ["0+1000: 2 of 2"]);
}

#[test]
fn an_empty_window_has_no_summary() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0).read(2500, 2.0).read(4000, 3.0);
    assert_eq!(rig.summaries(), ["0+1000: 1 of 1", "2000+1000: 2 of 1"]);
}

#[test]
fn sliding_windows_overlap() {
    let mut rig = Rig::new(|config| {
        config.tumbling_ms = None;
        config.sliding = Some(Sliding {
            window_ms: 3000,
            hop_ms: 1000,
        });
    });
    rig.read(0, 1.0)
        .read(1000, 2.0)
        .read(2000, 3.0)
        .read(4500, 0.0)
        .read(6000, 0.0);
    let expected = [
        "-2000+3000: 1 of 1",
        "-1000+3000: 1.5 of 2",
        "0+3000: 2 of 3",
        "1000+3000: 2.5 of 2",
        "2000+3000: 1.5 of 2",
        "3000+3000: 0 of 1",
    ];
    assert_eq!(rig.summaries(), expected);
}

#[test]
fn tumbling_and_sliding_windows_share_their_panes() {
    let mut rig = Rig::new(|config| {
        config.tumbling_ms = Some(2000);
        config.sliding = Some(Sliding {
            window_ms: 3000,
            hop_ms: 3000,
        });
    });
    for n in 0..7 {
        rig.read(n * 1000, n as f64);
    }
    let mut told = rig.summaries();
    told.sort();
    assert_eq!(
        told,
        [
            "0+2000: 0.5 of 2",
            "0+3000: 1 of 3",
            "2000+2000: 2.5 of 2",
            "3000+3000: 4 of 3",
            "4000+2000: 4.5 of 2"
        ]
    );
}

#[test]
fn an_idle_window_is_closed_by_the_gateways_time_as_partial() {
    let mut rig = Rig::new(|_| {});
    rig.read(600, 1.0);
    assert_eq!(rig.pipeline.deadline(), Some(Instant(3000)));
    rig.wait(2999);
    assert!(rig.summaries().is_empty());
    rig.wait(3000);
    assert_eq!(rig.summaries(), ["0+1000: 1 of 1 ~"]);
}

#[test]
fn a_value_for_a_closed_window_yields_a_revision() {
    let mut rig = Rig::new(|_| {});
    rig.read(100, 1.0).read(1100, 5.0);
    let verdict = rig.read_of(1200, Some(200), 3.0);
    assert_eq!(
        verdict,
        Verdict::Taken(Flags::new(Quality::Uncertain, Reasons::LATE))
    );
    let _ = rig.read_of(1300, Some(300), 5.0);
    rig.wait(6199);
    assert_eq!(rig.summaries()[..1], ["0+1000: 1 of 1"]);
    rig.wait(6200);
    assert!(
        rig.summaries().contains(&"0+1000: 3 of 3 r1".into()),
        "{:?}",
        rig.summaries()
    );
}

#[test]
fn a_revision_is_told_before_its_pane_makes_room() {
    let mut rig = Rig::new(|_| {});
    rig.read(100, 1.0).read(1100, 5.0);
    let _ = rig.read_of(1200, Some(200), 3.0);
    rig.read(2000, 7.0);
    assert_eq!(
        rig.summaries(),
        ["0+1000: 1 of 1", "0+1000: 2 of 2 r1", "1000+1000: 5 of 1"]
    );
}

#[test]
fn a_value_older_than_all_panes_is_in_no_window_but_in_the_batch() {
    let mut rig = Rig::new(|_| {});
    rig.read(9000, 1.0);
    let _ = rig.read_of(9100, Some(500), 3.0);
    rig.seal(9200);
    assert_eq!(rig.pipeline.counters().outside_windows, 1);
    assert_eq!(rig.rows().len(), 2);
}

#[test]
fn bad_readings_are_counted_beside_the_average() {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0)
        .read(100, f64::NAN)
        .read(200, 3.0)
        .read(1000, f64::INFINITY)
        .read(2000, 0.0);
    assert_eq!(rig.summaries(), ["0+1000: 2 of 2 b1", "1000+1000: b1"]);
}

#[test]
fn what_is_stuck_is_averaged_as_uncertain_and_still_moves_thresholds() {
    let mut rig = Rig::new(|config| {
        config.stuck_ms = Some(500);
        let threshold = Threshold {
            rule: "high".try_into().unwrap(),
            limit: 4.0,
            on_delay_ms: 600,
            ..Threshold::default()
        };
        config.thresholds.push(threshold).unwrap();
    });
    for ms in (0..900).step_by(200) {
        rig.read(ms, 5.0);
    }
    rig.read(900, 3.0).read(1000, 3.0).seal(1000);
    assert_eq!(rig.alerts(), ["+high 1", "-high 1"]);
    let flags: Vec<_> = rig.rows().iter().map(|row| row.flags).collect();
    let stuck = Flags::new(Quality::Uncertain, Reasons::STUCK);
    let good = Flags::default();
    assert_eq!(flags, [good, good, good, stuck, stuck, good, good]);
    let Some(Event::Summary(summary)) = rig
        .events
        .iter()
        .find(|event| matches!(event, Event::Summary(_)))
    else {
        panic!("{:?}", rig.events)
    };
    assert_eq!((summary.uncertain, summary.good()), (2, 4));
    assert_eq!(rig.pipeline.counters().stuck, 2);
}

#[test]
fn a_sentinel_is_kept_as_it_was_sent() {
    let mut rig = Rig::new(|config| config.sentinels.push(-127.0).unwrap());
    rig.read(0, 20.0).read(100, -127.0).seal(200);
    let row = rig.rows()[1];
    assert_eq!(
        (row.content, row.flags),
        (
            wire::Content::Refused(-127.0),
            Flags::new(Quality::Bad, Reasons::SENTINEL)
        )
    );
}

#[test]
fn a_clock_that_is_set_back_begins_the_windows_anew() {
    let mut rig = Rig::new(|config| config.future_ms_max = 1000);
    rig.read(900_000, 1.0);
    let back = Now {
        instant: Instant(900_100),
        wall: Timestamp(WALL + 50),
    };
    let events = &mut rig.events;
    let reading = Reading {
        time: None,
        value: 2.0,
    };
    let verdict =
        rig.pipeline
            .handle_reading(back, SensorId(0), &reading, &mut |output: Output<'_>| {
                events.push(keep(output))
            });
    assert_eq!(
        verdict,
        Verdict::Taken(Flags::new(Quality::Good, Reasons::ARRIVAL_TIME))
    );
    assert_eq!(rig.summaries(), ["900000+1000: 1 of 1 ~"]);
    assert_eq!(rig.pipeline.counters().clock_resets, 1);
}

#[test]
fn the_moving_average_stands_in_the_summary() {
    let mut rig = Rig::new(|config| config.ewma_tau_ms = Some(1000));
    rig.read(0, 0.0).read(500, 1.0).read(1000, 1.0);
    let Some(Event::Summary(summary)) = rig.events.first() else {
        panic!("{:?}", rig.events)
    };
    assert!((summary.ewma.unwrap() - 0.393_469_340_287_366_6).abs() < 1e-15);
}

/// The window in which the clock was set once went on, and its summary had the number of the one that told of its first half.
#[test]
fn windows_begin_anew_when_the_clock_is_set() {
    let mut rig = Rig::new(|_| {});
    rig.pipeline.set_clock(at(200), Clock::Unsynced);
    let _ = rig.read_of(100, None, 1.0);
    rig.pipeline.set_clock(at(200), Clock::Synced);
    for (ms, value) in [(300, 3.0), (1_300, 5.0)] {
        let _ = rig.read_of(ms, None, value);
    }
    let summaries = rig.events.iter().filter_map(|event| match event {
        Event::Summary(it) => Some((it.window.start.0 - WALL, it.clock, it.revision, it.partial)),
        _ => None,
    });
    let told: Vec<_> = summaries.collect();
    let expected = [(0, Clock::Unsynced, 0, true), (0, Clock::Synced, 1, true)];
    assert_eq!(told, expected);
}

fn told(rig: &Rig) -> Vec<(i64, Clock, u32, bool)> {
    let summaries = rig.events.iter().filter_map(|event| match event {
        Event::Summary(it) => Some((it.window.start.0 - WALL, it.clock, it.revision, it.partial)),
        _ => None,
    });
    summaries.collect()
}

/// What was read by another clock that was not set once was told as of one that was.
#[test]
fn a_window_has_times_of_one_clock_only() {
    let mut rig = Rig::new(|_| {});
    let _ = rig.read_of(100, None, 1.0);
    rig.pipeline.set_clock(at(200), Clock::Unsynced);
    let _ = rig.read_of(200, None, 1.0);
    rig.pipeline.set_clock(at(200), Clock::Synced);
    rig.pipeline.set_clock(at(200), Clock::Unsynced);
    for ms in [300, 1_300] {
        let _ = rig.read_of(ms, None, 1.0);
    }
    let expected = [
        (0, Clock::Synced, 0, true),
        (0, Clock::Unsynced, 1, true),
        (0, Clock::Unsynced, 2, true),
    ];
    assert_eq!(told(&rig), expected);
}

/// A sensor's times went on behind those that the gateway's clock gave while it was wound back: the window in which that happened
/// was told once more under the same number, as if it were whole.
#[test]
fn a_window_in_which_the_clock_was_wound_back_and_forth_is_told_of_in_parts() {
    let mut rig = Rig::new(|config| config.future_ms_max = 10_000);
    rig.read(100_100, 1.0);
    let wound = Now {
        instant: at(100_200).instant,
        wall: Timestamp(WALL + 50_000),
    };
    let reading = Reading {
        time: Some(Timestamp(WALL + 100_200)),
        value: 2.0,
    };
    let _ = rig
        .pipeline
        .handle_reading(wound, SensorId(0), &reading, &mut |output: Output<'_>| {
            rig.events.push(keep(output))
        });
    rig.read(100_300, 3.0).read(101_300, 4.0);
    let first_two = (100_000, Clock::Synced, 0, true);
    let told: Vec<_> = told(&rig)
        .into_iter()
        .filter(|it| it.0 == first_two.0)
        .collect();
    assert_eq!(told, [first_two, (100_000, Clock::Synced, 1, true)]);
}
