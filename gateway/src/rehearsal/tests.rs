use pipeline::Plan;
use pipeline::config::{Range, Side, Threshold};
use wire::Severity;

use super::*;
use crate::journal::{ChunkWriter, wall_at};

/// Readings of the journal; their values are 0, 1, 2, … 99, one a second.
const READINGS: u16 = 100;

fn empty_plan() -> Plan {
    Plan {
        gateway: "edge-1".try_into().expect("short"),
        ..Plan::default()
    }
}

fn plan(range_max: f64, limit: Option<f64>) -> Box<Plan> {
    let mut plan = Box::new(empty_plan());
    plan.defaults.range = Some(Range {
        min: 0.0,
        max: range_max,
    });
    if let Some(limit) = limit {
        let threshold = Threshold {
            rule: "hot".try_into().expect("short"),
            side: Side::Above,
            limit,
            severity: Severity::Warning,
            ..Threshold::default()
        };
        plan.defaults.thresholds.push(threshold).expect("room");
    }
    plan
}

fn chunk(first: u64, begin: u16, end: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let instant = Instant(u64::from(begin) * 1_000);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(first), instant);
    if begin == 0 {
        let (device, signal) = ("boiler", "t");
        let entry = Entry::Sensor { device, signal };
        let wall = wall_at(instant, 0);
        writer
            .push(&mut bytes, instant, wall, &entry)
            .expect("room");
    }
    for nth in begin..end {
        let instant = Instant(u64::from(nth) * 1_000);
        let entry = Entry::Reading {
            sensor: 0,
            time: None,
            value: f64::from(nth),
        };
        let wall = wall_at(instant, 0);
        writer
            .push(&mut bytes, instant, wall, &entry)
            .expect("room");
    }
    writer.finish(&mut bytes);
    bytes
}

fn rehearse(now: &Plan, then: &Plan, chunks: &[Vec<u8>]) -> Rehearsal {
    let machine = Machine::new(&empty_plan(), &Sizes::SMALL).expect("fits");
    let mut state = Vec::new();
    machine.save(&mut |part| state.extend_from_slice(part));
    let plans = [Box::new(now.clone()), Box::new(then.clone())];
    let mut rehearsal = Rehearsal::new(Some(&(0, state)), &Sizes::SMALL, &plans).expect("a state");
    for chunk in chunks {
        if rehearsal.apply(chunk).expect("a chunk").is_break() {
            break;
        }
    }
    rehearsal
}

fn both(now: u64, then: u64) -> Both {
    Both { now, then }
}

#[test]
fn both_plans_are_held_against_the_same_readings() {
    let chunks = [chunk(0, 0, 40), chunk(41, 40, READINGS)];
    let found = rehearse(&plan(89.0, None), &plan(49.0, Some(44.5)), &chunks).findings();
    let expected = Findings {
        seconds: 99,
        readings: u64::from(READINGS),
        dropped: both(10, 50),
        alerts: both(0, 1),
    };
    assert_eq!(found, expected);
}

#[test]
fn the_same_plan_comes_to_the_same() {
    let plan = plan(49.0, Some(10.0));
    let found = rehearse(&plan, &plan, &[chunk(0, 0, READINGS)]).findings();
    assert_eq!((found.dropped, found.alerts), (both(50, 50), both(1, 1)));
}

#[test]
fn a_journal_without_a_checkpoint_is_gone_through_from_its_begin() {
    let plans = [plan(89.0, None), plan(79.0, None)];
    let mut rehearsal = Rehearsal::new(None, &Sizes::SMALL, &plans).expect("fits");
    assert_eq!(
        rehearsal.apply(&chunk(0, 0, READINGS)),
        Ok(ControlFlow::Continue(()))
    );
    assert_eq!(rehearsal.findings().dropped, both(10, 20));
}

#[test]
fn a_chunk_that_comes_again_is_taken_once_and_a_gap_ends_it() {
    let plan = plan(89.0, None);
    let again = [chunk(0, 0, 10), chunk(0, 0, 10), chunk(5, 4, 20)];
    assert_eq!(rehearse(&plan, &plan, &again).findings().readings, 20);
    let gap = [chunk(0, 0, 10), chunk(12, 11, 20), chunk(11, 10, 20)];
    let rehearsal = rehearse(&plan, &plan, &gap);
    assert_eq!(rehearsal.findings().readings, 10);
    assert_eq!(rehearsal.next(), Position(11));
}

#[test]
fn a_plan_of_the_journal_changes_neither() {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(101), Instant(100_000));
    let wide = postcard::to_allocvec(&plan(1_000.0, None)).expect("a plan");
    let (instant, wall) = (Instant(100_000), wall_at(Instant(100_000), 0));
    let entries = [
        Entry::Plan { bytes: &wide },
        Entry::Reading {
            sensor: 0,
            time: None,
            value: 500.0,
        },
    ];
    for entry in &entries {
        writer.push(&mut bytes, instant, wall, entry).expect("room");
    }
    writer.finish(&mut bytes);
    let narrow = plan(89.0, None);
    let found = rehearse(&narrow, &narrow, &[chunk(0, 0, READINGS), bytes]).findings();
    assert_eq!(found.dropped, both(11, 11));
}

#[test]
fn what_is_no_chunk_is_an_error() {
    let plan = plan(89.0, None);
    let mut torn = chunk(0, 0, 10);
    torn.truncate(40);
    let mut rehearsal = rehearse(&plan, &plan, &[]);
    assert!(rehearsal.apply(&torn).is_err());
    assert_eq!(rehearsal.findings().readings, 0);
}
