use pipeline::config::{Range, Side as Direction, Threshold};
use wire::{Clock, Severity};

use super::*;
use crate::journal::{ChunkWriter, wall_at};

/// Readings of the journal; their values are 0, 1, 2, … 99, one a second.
const READINGS: u64 = 100;
/// What arrives at this engine time was sent at the Unix epoch plus this, ms: any time after 2001.
const OFFSET_MS: i64 = 1_700_000_040_000;

fn plan() -> Box<Plan> {
    let mut plan = Box::new(Plan {
        gateway: "edge-1".try_into().expect("short"),
        ..Plan::default()
    });
    plan.defaults.tumbling_ms = Some(10_000);
    plan.defaults.range = Some(Range { min: 0.0, max: 1e6 });
    plan
}

fn with_range(max: f64) -> Box<Plan> {
    let mut plan = plan();
    plan.defaults.range = Some(Range { min: 0.0, max });
    plan
}

fn with_limit(limit: f64) -> Box<Plan> {
    let mut plan = plan();
    let threshold = Threshold {
        rule: "hot".try_into().expect("short"),
        side: Direction::Above,
        limit,
        severity: Severity::Warning,
        ..Threshold::default()
    };
    plan.defaults.thresholds.push(threshold).expect("room");
    plan
}

fn chunk() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(0), Instant(0));
    let mut push = |instant: Instant, entry: &Entry<'_>| {
        let wall = wall_at(instant, OFFSET_MS);
        writer.push(&mut bytes, instant, wall, entry).expect("room");
    };
    let offset_ms = OFFSET_MS;
    push(
        Instant(0),
        &Entry::Boot {
            offset_ms,
            clock: Clock::Synced,
        },
    );
    let (device, signal) = ("boiler", "t");
    push(Instant(0), &Entry::Sensor { device, signal });
    for nth in 0..READINGS {
        let reading = Entry::Reading {
            sensor: 0,
            time: None,
            value: nth as f64,
        };
        push(Instant(nth * 1_000), &reading);
        // Two readings of one instant are told apart by their order.
        push(Instant(nth * 1_000), &reading_again(nth));
    }
    writer.finish(&mut bytes);
    bytes
}

fn reading_again(nth: u64) -> Entry<'static> {
    Entry::Reading {
        sensor: 0,
        time: None,
        value: nth as f64 + 0.5,
    }
}

fn compare(now: &Plan, then: &Plan) -> Findings {
    let plans = [(now, &Sizes::SMALL), (then, &Sizes::SMALL)];
    let mut comparison = Comparison::new(None, plans).expect("fits");
    comparison.apply(&chunk()).expect("a chunk");
    comparison.finish()
}

#[test]
fn one_plan_beside_itself_shows_no_difference() {
    let findings = compare(&with_limit(50.0), &with_limit(50.0));
    assert!(findings.is_same(), "{findings:?}");
    assert_eq!(findings.readings, 2 * READINGS);
    assert_eq!(findings.ms, (READINGS - 1) * 1_000);
    assert_eq!(findings.values.same, 2 * READINGS);
    assert_eq!(findings.alerts.same, 1);
    assert!(findings.averages.same >= 9, "{findings:?}");
}

#[test]
fn a_narrower_range_shows_the_values_that_it_refuses() {
    let findings = compare(&plan(), &with_range(84.9));
    assert_eq!(findings.values.same, 2 * 85);
    assert_eq!(findings.values.differing, 2 * 15);
    assert_eq!(findings.values.alone, [0, 0]);
    let example = &findings.values.examples[0];
    assert!(
        example.starts_with("boiler/t 17")
            && example.ends_with(
                "85, good arrival_time -> none (sent 85), bad out_of_range arrival_time"
            ),
        "{example}"
    );
    // The window behind it is still open in the end.
    assert_eq!(findings.averages.differing, 1, "{findings:?}");
    assert!(!findings.is_same());
}

#[test]
fn a_new_limit_shows_the_alert_that_only_it_raises() {
    let findings = compare(&plan(), &with_limit(50.0));
    assert_eq!(findings.alerts.alone, [0, 1]);
    let example = &findings.alerts.examples[0];
    assert!(
        example.starts_with("boiler/t hot raised") && example.contains("nothing -> at"),
        "{example}"
    );
    assert!(findings.values.is_same() && findings.averages.is_same());
}

#[test]
fn other_windows_are_told_by_one_side_each() {
    let mut then = plan();
    then.defaults.tumbling_ms = Some(20_000);
    let findings = compare(&plan(), &then);
    let [now, only_then] = findings.averages.alone;
    assert_eq!(findings.averages.same, 0, "{findings:?}");
    assert!(now >= 9 && (4..=6).contains(&only_then), "{findings:?}");
    assert!(findings.values.is_same());
}

#[test]
fn a_journal_with_a_hole_is_refused() {
    let plan = plan();
    let mut comparison =
        Comparison::new(None, [(&plan, &Sizes::SMALL), (&plan, &Sizes::SMALL)]).expect("fits");
    let mut bytes = Vec::with_capacity(1024);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(7), Instant(0));
    let entry = Entry::Tick;
    writer
        .push(&mut bytes, Instant(0), wall_at(Instant(0), 0), &entry)
        .expect("room");
    writer.finish(&mut bytes);
    assert!(matches!(
        comparison.apply(&bytes),
        Err(Nonsense::Missing { .. })
    ));
}

#[test]
fn what_waits_and_what_is_shown_is_bounded() {
    let mut ledger = Ledger::default();
    let told = crate::limits::COMPARED_WAITING_MAX + 100;
    for nth in 0..told {
        ledger.tell(Side::Now, nth.to_string(), String::new());
    }
    assert_eq!(ledger.alone, [100, 0]);
    ledger.close();
    assert_eq!(ledger.alone, [told as u64, 0]);
    assert_eq!(ledger.examples.len(), crate::limits::COMPARED_EXAMPLES_MAX);
}
