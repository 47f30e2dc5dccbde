//! Rows that are left out, and who sees them all the same.

use super::*;
use crate::config::{Thinning, ThinningMethod};

fn thinned(method: ThinningMethod) -> Plan {
    plan(|config| {
        config.thinning = Some(Thinning {
            method,
            width: 0.5,
            silence_ms_max: 60_000,
        });
    })
}

/// Seconds and values of the rows, with how many were left out before.
fn told(rig: &Rig) -> Vec<(i64, f64, u32)> {
    let told = |row: &Row| {
        let value = row.content.value().unwrap();
        ((row.time.0 - WALL) / 1000, value, row.flags.left_out())
    };
    rig.rows().iter().map(told).collect()
}

#[test]
fn averages_see_what_is_not_forwarded() {
    let mut rig = Rig::of(&thinned(ThinningMethod::Deadband));
    rig.read(0, 1.0)
        .read(400, 1.4)
        .read(800, 0.6)
        .read(1000, 5.0)
        .seal(1000);
    assert_eq!(rig.summaries()[0], "0+1000: 1 of 3");
    assert_eq!(told(&rig), [(0, 1.0, 0), (1, 5.0, 2)]);
    assert_eq!(rig.pipeline.counters().thinned, 2);
}

#[test]
fn the_end_of_a_line_is_forwarded_by_time() {
    let mut rig = Rig::of(&thinned(ThinningMethod::SwingingDoor));
    for second in 0..10 {
        rig.read(second * 1000, 1.0);
    }
    rig.wait(60_999).seal(60_999);
    assert_eq!(told(&rig), [(0, 1.0, 0)]);
    rig.wait(61_000).seal(61_000);
    assert_eq!(told(&rig), [(0, 1.0, 0), (9, 1.0, 8)]);
}

#[test]
fn a_plan_that_forwards_all_lets_go_of_what_was_held() {
    let mut rig = Rig::of(&thinned(ThinningMethod::SwingingDoor));
    rig.read(0, 1.0).read(1000, 1.0).read(2000, 1.0);
    rig.change(2500, &plan(|_| {})).unwrap();
    rig.read(3000, 1.0).seal(3000);
    assert_eq!(told(&rig), [(0, 1.0, 0), (2, 1.0, 1), (3, 1.0, 0)]);
}

#[test]
fn a_checkpoint_keeps_what_is_held() {
    let mut rig = Rig::of(&thinned(ThinningMethod::SwingingDoor));
    rig.read(0, 1.0).read(1000, 1.0).read(2000, 1.0);
    let mut bytes = Vec::new();
    rig.pipeline.save(|part| bytes.extend_from_slice(part));
    *rig.pipeline = Pipeline::restore(memory(), &bytes).unwrap();
    rig.read(3000, 9.0).read(4000, 1.0).seal(4000);
    assert_eq!(told(&rig), [(0, 1.0, 0), (2, 1.0, 1), (3, 9.0, 0)]);
}
