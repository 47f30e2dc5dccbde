use super::*;
use crate::config::SensorRule;
use crate::config::{
    Chatter, Detect, Measure, SessionRule, Side, SilenceRule, Sliding, Thinning, ThinningMethod,
    Threshold,
};
use crate::detect::{Detector, FULL_BLOCKS};
use crate::gate::Gate;
use crate::limits::{DEVICE_BYTES_MAX, RULE_BYTES_MAX, SIGNAL_BYTES_MAX, UNIT_BYTES_MAX};
use crate::output::Output;
use crate::pipeline::Reading;
use crate::pipeline::tests::{Rig, at as at_ms, memory, plan};
use crate::window::Pane;
use std::vec;
use std::vec::Vec;
use wire::crc32c;
use wire::{SensorId, Severity};

fn saved(rig: &Rig) -> Vec<u8> {
    let mut bytes = Vec::new();
    rig.pipeline.save(|part| bytes.extend_from_slice(part));
    bytes
}

fn rig() -> Rig {
    let mut rig = Rig::new(|_| {});
    rig.read(0, 1.0).read(1500, 2.0);
    rig
}

fn error(bytes: &[u8]) -> RestoreError {
    Pipeline::restore(memory(), bytes).err().unwrap()
}

/// The same bytes with a checksum that is right again.
fn resummed(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes.len() - 4;
    let checksum = crc32c(0, &bytes[..len]);
    bytes[len..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn a_checkpoint_that_was_changed_is_refused() {
    let bytes = saved(&rig());
    for at in 1..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert_eq!(error(&changed), RestoreError::Checksum, "byte {at}");
    }
    for len in 0..bytes.len() {
        assert!(Pipeline::restore(memory(), &bytes[..len]).is_err());
    }
}

#[test]
fn a_checkpoint_of_another_release_is_named() {
    let mut bytes = saved(&rig());
    bytes[0] = 99;
    assert_eq!(error(&bytes), RestoreError::Version(99));
}

/// Whatever stands in it, restoring and going on must neither panic nor take for ever.
#[test]
fn changed_bytes_behind_a_right_checksum_are_taken_or_refused() {
    let bytes = saved(&rig());
    let mut refused = 0;
    for at in 1..bytes.len() - 4 {
        for byte in [0, 1, 0x7F, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            match Pipeline::restore(memory(), &resummed(changed)) {
                Ok(mut pipeline) => {
                    let mut out = |_: Output<'_>| {};
                    let reading = Reading {
                        time: None,
                        value: 1.0,
                    };
                    let _ = pipeline.handle_reading(at_ms(2500), SensorId(0), &reading, &mut out);
                    pipeline.handle_timeout(at_ms(90_000), &mut out);
                    pipeline.seal(at_ms(90_001), &mut out);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn memory_that_is_too_small_is_refused() {
    let mut rig = rig();
    rig.pipeline
        .register(at_ms(1600), "pump", "pressure")
        .unwrap();
    let bytes = saved(&rig);
    let mut small = memory();
    small.sensors = vec![Sensor::default(); 1].into();
    small.links = vec![crate::Link::default(); 1].into();
    small.panes = vec![Pane::default(); 8].into();
    small.sketches = vec![].into();
    small.slots = [].into();
    small.gauges = [].into();
    let answer = Pipeline::restore(small, &bytes).err();
    assert!(
        matches!(
            answer,
            Some(RestoreError::Memory(Misfit {
                part: "sensors",
                ..
            }))
        ),
        "{answer:?}"
    );
}

#[test]
fn more_memory_than_before_changes_nothing() {
    let mut rig = rig();
    let mut large = memory();
    large.panes = vec![Pane::default(); 5 * 13].into();
    large.sketches = vec![crate::PaneSketch::default(); 13].into();
    let mut other = Rig {
        pipeline: std::boxed::Box::new(Pipeline::restore(large, &saved(&rig)).unwrap()),
        events: Vec::new(),
    };
    let told = rig.events.len();
    rig.read(2600, 5.0).read(3700, 6.0).wait(60_000);
    other.read(2600, 5.0).read(3700, 6.0).wait(60_000);
    assert_eq!(rig.events[told..], other.events[..]);
}

const CHATTER: Chatter = Chatter {
    raises_max: u8::MAX,
    within_ms: u32::MAX,
};

fn fullest_config() -> SensorConfig {
    let thresholds = (0..6).map(|n| Threshold {
        rule: String::try_from(&*std::format!("{n}{}", "r".repeat(RULE_BYTES_MAX - 1))).unwrap(),
        of: Measure::Forecast {
            over_ms: u32::MAX,
            ahead_ms: u32::MAX,
        },
        latch: true,
        side: Side::Below,
        limit: 1.0,
        hysteresis: 1.0,
        on_delay_ms: u32::MAX,
        off_delay_ms: u32::MAX,
        severity: Severity::Critical,
    });
    SensorConfig {
        unit: (&*"u".repeat(UNIT_BYTES_MAX)).try_into().unwrap(),
        range: Some(crate::config::Range { min: 0.0, max: 1.0 }),
        sentinels: [f64::MAX; crate::limits::SENTINELS_MAX].into(),
        scale: 1.0,
        offset: 0.0,
        drop_if: Some(u8::MAX),
        stuck_ms: Some(u32::MAX),
        stuck_width: 1.0,
        cleaning: Some(crate::config::Cleaning {
            wait_ms_max: u32::MAX,
            fill_ms_max: u32::MAX,
            ..crate::config::Cleaning::default()
        }),
        thinning: Some(Thinning {
            method: ThinningMethod::SwingingDoor,
            width: 1.0,
            silence_ms_max: u32::MAX,
        }),
        lateness_ms: u32::MAX,
        future_ms_max: u32::MAX,
        gap_ms_max: u32::MAX,
        tumbling_ms: Some(u32::MAX),
        sliding: Some(Sliding {
            window_ms: u32::MAX,
            hop_ms: u32::MAX,
        }),
        session: Some(SessionRule {
            gap_ms: u32::MAX,
            length_ms_max: u32::MAX,
        }),
        quantiles: [0.5; 4].into(),
        ewma_tau_ms: Some(u32::MAX),
        profile_ms: Some(u32::MAX),
        thresholds: thresholds.collect(),
        silence: Some(SilenceRule {
            after_ms: u32::MAX,
            severity: Severity::Critical,
        }),
        detect: Some(Detect::default()),
        chatter: Some(CHATTER),
        group: Some(u8::MAX),
        suppress: Some(u8::MAX),
    }
}

fn len_of(part: &impl Serialize) -> usize {
    let mut buffer = [0; 8192];
    postcard::to_slice(part, &mut buffer).unwrap().len()
}

/// A number takes at most one byte for every seven bits of its size in memory; text and floats take what they have, and a
/// byte for the length. So no value takes more than 10/8 of its size in memory, plus a byte a field.
#[test]
fn the_largest_parts_fit() {
    let device = (&*"d".repeat(DEVICE_BYTES_MAX)).try_into().unwrap();
    let signal = (&*"s".repeat(SIGNAL_BYTES_MAX)).try_into().unwrap();
    assert!(
        len_of(&SensorRule {
            device,
            signal,
            config: fullest_config()
        }) <= CHECKPOINT_PART_BYTES_MAX
    );
    let counters = size_of::<Counters>() * 10 / 8;
    assert!(
        size_of::<Gate>() * 10 / 8 + 32 <= CHECKPOINT_PART_BYTES_MAX,
        "a gate, too"
    );
    let firsts = size_of::<Firsts>() * 10 / 8;
    assert!(size_of::<crate::Gauge>() * 10 / 8 <= CHECKPOINT_PART_BYTES_MAX);
    // What has most numbers of 32 bits, each of four bytes, and 16 bits, each of up to three.
    let detector = Detector::<FULL_BLOCKS>::default();
    let counts = 5 * 48 * 2;
    assert!(len_of(&detector.front) + counts + 200 <= CHECKPOINT_PART_BYTES_MAX);
    const { assert!(4 * FULL_BLOCKS + 2 + 3 + 4 + 3 <= CHECKPOINT_PART_BYTES_MAX) };
    assert!(
        len_of(&fullest_config()) + counters + firsts + GATEWAY_BYTES_MAX + 128
            <= CHECKPOINT_PART_BYTES_MAX
    );
    assert!(size_of::<Sensor>() * 10 / 8 + 128 <= CHECKPOINT_PART_BYTES_MAX);
    assert!(size_of::<crate::Miner>() * 10 / 8 + 64 <= CHECKPOINT_PART_BYTES_MAX);
    assert!(size_of::<wire::Sketch>() * 10 / 8 <= SKETCH_BYTES_MAX);
    assert!(size_of::<Pane>() * 10 / 8 + 16 <= PANE_BYTES_MAX);
    assert!(size_of::<Row>() * 10 / 8 <= ROW_BYTES_MAX);
    assert!(size_of::<Summary>() * 10 / 8 <= SUMMARY_BYTES_MAX);
}

#[test]
fn a_plan_is_kept_as_it_is() {
    let plan = plan(|config| config.ewma_tau_ms = Some(7));
    let rig = Rig::of(&plan);
    let restored = Pipeline::restore(memory(), &saved(&rig)).unwrap();
    assert_eq!(*restored.plan(), plan);
}
