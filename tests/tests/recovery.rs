//! After a crash the gateway stands where it stood: every acknowledged reading is sealed once, sequences go on without
//! a hole, and a replay of the journal arrives at the state that was saved.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

use std::path::Path;

use gateway::config::Config;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use tests::harness::config;
use tests::lives::{Client, open, sealed};

const SEEDS: u64 = 12;
const LIVES: u64 = 8;
const MESSAGES_PER_LIFE: u64 = 400;

/// The config changes from life to life: windows, alerts, places.
fn config_in(dir: &Path, life: u64) -> Config {
    let change = match life % 3 {
        0 => "[[sensor]]\n[[sensor.alerts]]\nname = \"hot\"\nabove = 90.0\n",
        1 => "rolling = { window = \"4s\", every = \"1s\" }\n",
        _ => "silence = \"1s\"\n",
    };
    let places = if life.is_multiple_of(2) { 1024 } else { 5 };
    config(&format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\ncheckpoint_interval = \"700ms\"\n\
         [pipeline]\nbatch_interval = \"300ms\"\nsensors_max = {places}\n\
         [defaults]\naverage = \"1s\"\nlateness = \"0ms\"\n{change}",
        dir.display()
    ))
}

fn check(seed: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = Pcg64::new(u128::from(seed), 1);
    let mut client = Client::default();
    let mut now_ms = 0;
    for life in 0..LIVES {
        let config = config_in(dir.path(), life);
        let (mut gateway, mut sink) = open(&config, now_ms);
        client.resend(&mut gateway, now_ms, &mut sink);
        for _ in 0..random.next_u64() % MESSAGES_PER_LIFE {
            now_ms += random.next_u64() % 12;
            client.send(&mut gateway, now_ms, &mut sink);
        }
        // The crash: what gathers is gone, and acknowledgements that went out may not have arrived.
        now_ms += 1;
        if random.next_u64().is_multiple_of(2) {
            let lost: Vec<u64> = client.acknowledged.iter().rev().take(3).copied().collect();
            client.waiting.extend(
                lost.into_iter()
                    .map(|number| (Client::packet(number, true).0, number)),
            );
        }
    }
    let config = config_in(dir.path(), LIVES);
    let (mut gateway, mut sink) = open(&config, now_ms);
    client.resend(&mut gateway, now_ms, &mut sink);
    for _ in 0..100 {
        gateway.wait(100, &mut sink);
        client.note(&mut sink);
    }
    assert!(
        client.waiting.is_empty(),
        "seed {seed}: all is acknowledged at last"
    );
    drop((gateway, sink));
    let readings = sealed(&config);
    let wrong: Vec<_> = (0..client.next)
        .filter(|number| readings.get(number) != Some(&1))
        .collect();
    assert!(wrong.is_empty(), "seed {seed}: lost or doubled: {wrong:?}");
    assert_eq!(
        readings.len() as u64,
        client.next,
        "seed {seed}: nothing else is there"
    );
}

#[test]
fn every_acknowledged_reading_is_sealed_once_over_crashes() {
    for seed in 0..SEEDS {
        check(seed);
    }
}

/// `./test sim` says with which seeds; without them there is nothing fresh to try.
#[test]
fn it_holds_for_fresh_seeds() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let first = number("TIDEGATE_SIM_SEED").unwrap_or(SEEDS);
    for seed in first..first + number("TIDEGATE_SIM_SEEDS").unwrap_or(1) {
        check(seed);
    }
}
