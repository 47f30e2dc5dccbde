//! Detectors on duty.

use super::*;
use crate::config::{Depth, Detect};
use crate::detect::tests_noise::Noise;
use crate::scout::Watched;

/// Five minutes: a day has 288 readings.
const STEP_MS: u64 = 300_000;
const DAY: u64 = 288;

fn detecting(depth: Depth) -> Plan {
    plan(|config| {
        config.tumbling_ms = None;
        config.lateness_ms = 0;
        config.detect = Some(Detect {
            depth,
            ..Detect::default()
        });
    })
}

/// Readings of a day that goes up and down, with noise; `change` makes others of them.
fn read(rig: &mut Rig, from: u64, to: u64, change: impl Fn(u64, f64) -> f64) {
    let mut noise = Noise(from + 1);
    for nth in from..to {
        let hour = nth as f64 * core::f64::consts::TAU / DAY as f64;
        let value = 20.0 + 5.0 * libm::sin(hour) + 0.2 * noise.next();
        rig.read(nth * STEP_MS, change(nth, value));
    }
}

fn whys(rig: &Rig) -> Vec<String> {
    let why = |event: &Event| match event {
        Event::Alert { why, .. } => Some(why.clone()),
        _ => None,
    };
    rig.events.iter().filter_map(why).collect()
}

#[test]
fn a_level_that_moves_is_told_with_the_numbers_and_clears() {
    for depth in [Depth::Lite, Depth::Standard, Depth::Full, Depth::Auto] {
        let mut rig = Rig::of(&detecting(depth));
        read(&mut rig, 0, 10 * DAY, |_, value| value);
        assert!(rig.alerts().len() <= 4, "{depth:?}: {:?}", rig.alerts());
        let before = rig.alerts().len();
        read(&mut rig, 10 * DAY, 10 * DAY + 36, |_, value| value + 15.0);
        assert_eq!(
            rig.alerts().len(),
            before + 1,
            "{depth:?}: {:?}",
            whys(&rig)
        );
        let why = whys(&rig).pop().unwrap();
        let has_numbers = why.contains("deviations, one in ") && why.contains(" of ");
        assert!(has_numbers && why.len() <= 96, "{depth:?}: {why}");
        read(&mut rig, 10 * DAY + 36, 14 * DAY, |_, value| value);
        let last = rig.alerts().pop().unwrap();
        assert!(last.starts_with("-unusual"), "{depth:?}: {last}");
    }
}

#[test]
fn a_detector_that_learns_says_so_and_raises_nothing() {
    let mut rig = Rig::of(&detecting(Depth::Lite));
    read(&mut rig, 0, 100, |nth, value| value * (1.0 + nth as f64));
    let watched = rig.pipeline.watched();
    assert_eq!((watched.lite, watched.learning), (1, 1));
    assert!(rig.alerts().is_empty());
    read(&mut rig, 100, 400, |_, value| value);
    assert_eq!(rig.pipeline.watched().learning, 0);
}

/// What is bad, late or no number says nothing of what is usual.
#[test]
fn a_detector_sees_good_values_only() {
    let mut plan = detecting(Depth::Full);
    plan.defaults.range = Some(crate::config::Range {
        min: -100.0,
        max: 100.0,
    });
    let (mut plain, mut dirty) = (Rig::of(&plan), Rig::of(&plan));
    read(&mut plain, 0, 400, |_, value| value);
    for nth in 0..400 {
        read(&mut dirty, nth, nth + 1, |_, _| 1e9);
    }
    let untouched = Rig::of(&plan);
    let front = |rig: &Rig| std::format!("{:?}", rig.pipeline.memory.fulls[0].detector.front);
    assert_eq!(front(&dirty), front(&untouched));
    assert_ne!(front(&plain), front(&untouched));
}

#[test]
fn auto_takes_the_deepest_that_is_left() {
    let mut plan = detecting(Depth::Auto);
    plan.defaults.tumbling_ms = None;
    let mut rig = Rig::of(&plan);
    for device in ["b", "c", "d"] {
        rig.pipeline.register(at(0), device, "x").unwrap();
    }
    let watched = Watched {
        lite: 1,
        standard: 2,
        full: 1,
        together: 0,
        learning: 4,
        refused: 0,
    };
    assert_eq!(rig.pipeline.watched(), watched);
}

#[test]
fn a_kind_of_which_none_is_left_is_counted() {
    let mut rig = Rig::of(&detecting(Depth::Full));
    rig.pipeline.register(at(0), "b", "x").unwrap();
    let watched = rig.pipeline.watched();
    assert_eq!((watched.full, watched.refused), (1, 1));
}

#[test]
fn a_plan_without_detection_frees_it_and_a_calmer_one_keeps_what_was_learned() {
    let mut rig = Rig::of(&detecting(Depth::Standard));
    read(&mut rig, 0, 400, |_, value| value);
    let mut calmer = detecting(Depth::Standard);
    calmer.defaults.detect.as_mut().unwrap().calm = 2.0;
    rig.change(400 * STEP_MS, &calmer).unwrap();
    assert_eq!(rig.pipeline.watched().learning, 0);
    rig.change(401 * STEP_MS, &plan(|config| config.tumbling_ms = None))
        .unwrap();
    assert_eq!(rig.pipeline.watched(), Watched::default());
    rig.change(402 * STEP_MS, &calmer).unwrap();
    let watched = rig.pipeline.watched();
    assert_eq!(
        (watched.standard, watched.learning),
        (1, 1),
        "a new one learns anew"
    );
}
