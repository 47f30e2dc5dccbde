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
use tests::harness::{Gateway, Sink, config, fresh};
use tests::lives::{Client, open, sealed};

const SEEDS: u64 = 12;
const LIVES: u64 = 8;
const MESSAGES_PER_LIFE: u64 = 400;

/// The config changes from life to life: windows, alerts, places.
fn config_in(dir: &Path, life: u64) -> Config {
    let change = match life % 3 {
        0 => {
            "detect = \"full\"\n[[sensor]]\n[[sensor.alerts]]\nname = \"hot\"\nabove = 90.0\n\
             [[sensor.alerts]]\nname = \"fast\"\nof = \"rate\"\nover = \"2s\"\nbeyond = 1.0\n\
             [[sensor.alerts]]\nname = \"soon\"\nof = \"forecast\"\nover = \"5s\"\nabove = 1000.0\n"
        }
        1 => "detect = \"auto\"\nrolling = { window = \"4s\", every = \"1s\" }\n",
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

const CONNACK: u8 = 0x20;
const PUBREC: u8 = 0x50;
const SUBACK: u8 = 0x90;
const UNSUBACK: u8 = 0xb0;
const PUBCOMP: u8 = 0x70;
const QOS_2: u8 = 0x34;

/// A client with a lasting session that has subscribed to all at QoS 2.
struct Lasting {
    gateway: Gateway,
    sink: Sink,
    _dir: tempfile::TempDir,
}

impl Lasting {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = config_in(dir.path(), 0);
        let mut sink = Sink::default();
        (sink.packets, sink.heard) = (Some(Vec::new()), Some(Vec::new()));
        let gateway = Gateway::with(&config, fresh(&config), 0, &mut sink);
        let mut client = Self {
            gateway,
            sink,
            _dir: dir,
        };
        client.wait(&[CONNACK]);
        client.connect(0, &[CONNACK]);
        client.receive(b"\x82\x06\x00\x01\x00\x01#\x02", &[]);
        client.wait(&[SUBACK]);
        client
    }

    /// Connects anew with these flags.
    fn connect(&mut self, flags: u8, expected: &[u8]) {
        let mut packet = *b"\x10\x0f\x00\x04MQTT\x04\x00\x00\x00\x00\x03abc";
        packet[9] = flags;
        self.gateway.reconnect(&packet, &mut self.sink);
        self.check(expected);
    }

    /// Sends a packet; no time passes. What comes at once are packets that begin with these bytes.
    #[track_caller]
    fn receive(&mut self, packet: &[u8], expected: &[u8]) {
        self.gateway.receive(packet, 0, &mut self.sink);
        self.check(expected);
    }

    /// The commit that gathers is done.
    #[track_caller]
    fn wait(&mut self, expected: &[u8]) {
        self.gateway.wait(20, &mut self.sink);
        self.check(expected);
    }

    #[track_caller]
    fn check(&mut self, expected: &[u8]) {
        let came = self.sink.packets.replace(Vec::new()).unwrap_or_default();
        assert_eq!(came, expected);
    }
}

#[test]
fn what_a_client_builds_on_waits_for_the_disk() {
    let mut client = Lasting::new();
    client.receive(b"\x34\x06\x00\x01x\x00\x07.", &[]);
    client.wait(&[QOS_2, PUBREC]);
    client.receive(b"\x62\x02\x00\x07", &[]);
    client.wait(&[PUBCOMP]);
    client.receive(b"\xa2\x05\x00\x02\x00\x01#", &[]);
    client.wait(&[UNSUBACK]);
    client.receive(b"\xa2\x05\x00\x03\x00\x01#", &[UNSUBACK]);
}

#[test]
fn a_session_that_is_given_up_is_gone_from_the_disk_before_its_client_hears_of_it() {
    let mut client = Lasting::new();
    client.connect(0, &[CONNACK]);
    client.connect(0x02, &[]);
    client.receive(b"\xc0\x00", &[]);
    client.wait(&[CONNACK, 0xd0]);
    client.connect(0x02, &[CONNACK]);
}

#[test]
fn an_alert_goes_past_messages_of_qos_2_that_wait_for_the_disk() {
    let mut client = Lasting::new();
    client.receive(b"\x34\x06\x00\x01x\x00\x07.", &[]);
    client.sink.heard = Some(Vec::new());
    client
        .gateway
        .publish("sensors/d/t", b"95", &mut client.sink);
    client.check(&[0x30, 0x32]);
    let heard = client.sink.heard.as_mut().map(core::mem::take);
    let topics: Vec<_> = heard
        .into_iter()
        .flatten()
        .map(|(topic, _)| topic)
        .collect();
    assert_eq!(topics, ["sensors/d/t", "tidegate/edge-1/alert/d/t/hot"]);
    client.wait(&[QOS_2, PUBREC]);
}
