use prost::Message as _;
use serde_json::Value;

use super::*;

const TIME: i64 = 1_764_000_000_123;
const TOPIC_SPARKPLUG: &str = "spBv1.0/sim/DDATA/pump-1/pump-1";

fn message(values: &[f64]) -> Message<'_> {
    Message {
        stream: 0,
        boot: 2,
        sequence: 17,
        time: TIME,
        values,
        is_repeat: false,
    }
}

/// A profile of two signals in `dialect`.
fn profile(dialect: Dialect) -> Profile {
    let text = format!(
        r#"
        about = ""
        period_ms = 1000
        payload = "{}"
        [[signal]]
        name = "temperature"
        unit = "°C"
        source = {{ kind = "cycle", mean = 20.0 }}
        [[signal]]
        name = "humidity"
        unit = "%"
        source = {{ kind = "cycle", mean = 40.0 }}
        "#,
        dialect.name()
    );
    Profile::parse("test", &text).unwrap()
}

fn bytes(dialect: Dialect, values: &[f64], bytes_min: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&profile(dialect), "pump-1", bytes_min).write(&message(values), &mut out);
    out
}

fn text(dialect: Dialect, values: &[f64]) -> String {
    String::from_utf8(bytes(dialect, values, 0)).unwrap()
}

#[test]
fn every_dialect_of_text_is_written_as_documented() {
    assert_eq!(text(Dialect::Bare, &[21.5]), "21.5");
    for (dialect, values, expected) in [
        (
            Dialect::Json,
            &[21.5][..],
            r#"{"ts":1764000000123,"value":21.5,"boot":2,"seq":17,"crc":603190194}"#,
        ),
        (
            Dialect::JsonValues,
            &[21.5, -0.25],
            r#"{"ts":1764000000123,"values":{"temperature":21.5,"humidity":-0.25},"boot":2,"seq":17,"crc":3527356454}"#,
        ),
        (
            Dialect::Tasmota,
            &[21.5, -0.25],
            r#"{"Time":"2025-11-24T16:00:00","PUMP":{"Temperature":21.5,"Humidity":-0.25},"TempUnit":"C","sim":{"boot":2,"seq":17,"crc":3527356454}}"#,
        ),
        (
            Dialect::Shelly,
            &[21.5, -0.25],
            r#"{"src":"pump-1","dst":"pump-1/events","method":"NotifyStatus","params":{"ts":1764000000.123,"temperature:0":{"id":0,"tC":21.5},"humidity:0":{"id":0,"rh":-0.25}},"sim":{"boot":2,"seq":17,"crc":3527356454}}"#,
        ),
        (
            Dialect::Zigbee2mqtt,
            &[21.5, -0.25],
            r#"{"temperature":21.5,"humidity":-0.25,"linkquality":120,"last_seen":1764000000123,"sim":{"boot":2,"seq":17,"crc":3527356454}}"#,
        ),
        (
            Dialect::Senml,
            &[21.5, -0.25],
            r#"[{"bn":"pump-1/","bt":1764000000.123,"boot":2,"seq":17,"crc":3527356454,"n":"temperature","u":"Cel","v":21.5},{"n":"humidity","u":"%RH","v":-0.25}]"#,
        ),
    ] {
        assert_eq!(text(dialect, values), expected);
        serde_json::from_str::<Value>(expected).unwrap();
    }
}

#[test]
fn dialects_of_bytes_are_written_as_documented() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|it| format!("{it:02x}")).collect() };
    assert_eq!(
        hex(&bytes(Dialect::Postcard, &[21.5, -0.25], 0)),
        concat!(
            "01",
            "11",
            "01",
            "f6a1bfe9d666",
            "02",
            "0b74656d7065726174757265",
            "0000000000803540",
            "0868756d6964697479",
            "000000000000d0bf"
        )
    );
    assert_eq!(
        hex(&bytes(Dialect::SparkplugB, &[21.5, f64::NAN], 0)),
        concat!(
            "08fbd0dfb4ab33",
            "1214100118fbd0dfb4ab33200a690000000000803540",
            "120d100218fbd0dfb4ab33200a3801",
            "2a0c020000001100000058362df3",
            "188000"
        )
    );
}

#[test]
fn a_message_can_be_made_longer() {
    let long = bytes(Dialect::Json, &[1.0], 200);
    assert_eq!(long.len(), 200);
    assert_eq!(serde_json::from_slice::<Value>(&long).unwrap()["seq"], 17);
    assert!(bytes(Dialect::Json, &[1.0], 10).len() < 100);
}

/// Readings of `values` as a receiver finds them: with their time in the dialect's step.
fn found(dialect: Dialect, values: &[Option<f64>]) -> Vec<Found> {
    let names = ["temperature", "humidity"];
    let step_ms = dialect.time_step_ms();
    let time = (dialect != Dialect::Bare).then_some(TIME / step_ms * step_ms);
    let all = values.iter().zip(names).map(|(value, name)| Found {
        signal: dialect.joins_signals().then(|| name.to_owned()),
        time,
        value: *value,
    });
    all.collect()
}

fn check_read(dialect: Dialect, values: &[f64], expected: &[Option<f64>]) {
    let mut reader = Reader::default();
    if dialect == Dialect::SparkplugB {
        let mut birth = Vec::new();
        let writer = Writer::new(&profile(dialect), "pump-1", 0);
        sparkplug::write_device_birth(TIME, writer.signals(), &mut birth);
        assert_eq!(
            reader.read("spBv1.0/sim/DBIRTH/pump-1/pump-1", &birth),
            None
        );
    }
    let topic = if dialect == Dialect::SparkplugB {
        TOPIC_SPARKPLUG
    } else {
        "t"
    };
    let read = reader.read(topic, &bytes(dialect, values, 0)).unwrap();
    assert_eq!(
        sorted(read),
        sorted(found(dialect, expected)),
        "{dialect:?} {values:?}"
    );
}

/// JSON has no order of members.
fn sorted(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| b.signal.cmp(&a.signal));
    found
}

#[test]
fn what_is_written_is_read_again() {
    for dialect in Dialect::ALL {
        let values = [0.1 + 0.2, -5e-324];
        let len = if dialect.joins_signals() { 2 } else { 1 };
        check_read(dialect, &values[..len], &values.map(Some)[..len]);
    }
}

#[test]
fn what_is_no_number_is_found_as_none() {
    for dialect in Dialect::ALL {
        match dialect {
            // `NaN` is how the number is written, as far as a number goes.
            Dialect::Bare => assert_eq!(bytes(dialect, &[f64::NAN], 0), b"NaN"),
            Dialect::Json => check_read(dialect, &[f64::NAN], &[None]),
            // It is not there at all.
            Dialect::Senml => check_read(dialect, &[21.5, f64::NAN], &[Some(21.5)]),
            _ => check_read(dialect, &[21.5, f64::NAN], &[Some(21.5), None]),
        }
    }
}

#[test]
fn what_is_no_message_holds_nothing() {
    let mut reader = Reader::default();
    for payload in [
        &b"{broken"[..],
        b"",
        b"[1]",
        b"[{\"n\":1}]",
        b"\x01\x80",
        b"{}",
    ] {
        assert_eq!(reader.read("t", payload), Some(vec![]), "{payload:?}");
    }
    assert_eq!(reader.read(TOPIC_SPARKPLUG, b"\x12\x7f"), Some(vec![]));
    for topic in [
        "spBv1.0/sim/NBIRTH/pump-1",
        "spBv1.0/sim/DDATA",
        "spBv1.0/x",
    ] {
        assert_eq!(reader.read(topic, b""), None, "{topic}");
    }
}

#[test]
fn only_a_bare_number_has_a_word_for_one_that_is_none() {
    for dialect in Dialect::ALL {
        let is_bare = dialect == Dialect::Bare;
        assert_eq!(is_refusable(dialect, &[1.0, f64::NAN]), !is_bare);
        assert!(!is_refusable(dialect, &[1.0]));
    }
}

#[test]
fn what_a_dialect_cannot_say_is_refused_with_its_reason() {
    let named = |dialect, name: &str| {
        let mut profile = profile(dialect);
        profile.signal[1].name = name.to_owned();
        check(&profile)
    };
    assert!(
        named(Dialect::Senml, "flow rate")
            .unwrap_err()
            .contains("flow rate")
    );
    assert!(named(Dialect::Tasmota, "Flow").is_err());
    assert_eq!(named(Dialect::Zigbee2mqtt, "Flow rate"), Ok(()));
    let many = profile(Dialect::Postcard).with_signals(65);
    assert!(check(&many).unwrap_err().contains("at most 64"));
}

#[test]
fn the_checksum_moves_with_every_part() {
    let writer = |device: &str| Writer::new(&profile(Dialect::Json), device, 0);
    let base = message(&[1.0]);
    let checksum = |message: &Message<'_>| writer("pump").checksum(message);
    let checksums = [
        checksum(&base),
        checksum(&Message { boot: 3, ..base }),
        checksum(&Message {
            sequence: 18,
            ..base
        }),
        checksum(&Message { time: 0, ..base }),
        checksum(&message(&[1.5])),
        writer("pumq").checksum(&base),
    ];
    let different: std::collections::HashSet<_> = checksums.into_iter().collect();
    assert_eq!(different.len(), checksums.len());
}

/// Sparkplug's payload as its schema has it, for a decoder that is not ours.
#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(uint64, optional, tag = "1")]
    timestamp: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
    #[prost(uint64, optional, tag = "3")]
    seq: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "5")]
    body: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metric {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    alias: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    datatype: Option<u32>,
    #[prost(bool, optional, tag = "7")]
    is_null: Option<bool>,
    #[prost(uint64, optional, tag = "11")]
    long_value: Option<u64>,
    #[prost(double, optional, tag = "13")]
    double_value: Option<f64>,
    #[prost(bool, optional, tag = "14")]
    boolean_value: Option<bool>,
}

fn decoded(write: impl FnOnce(&mut Vec<u8>), sequence: Option<u8>) -> Payload {
    let mut out = Vec::new();
    write(&mut out);
    if let Some(sequence) = sequence {
        sparkplug::stamp(&mut out, sequence);
    }
    Payload::decode(&out[..]).unwrap()
}

#[test]
fn sparkplug_data_is_read_by_another_decoder() {
    for sequence in [0, 127, 128, 255] {
        let data = bytes(Dialect::SparkplugB, &[21.5, f64::INFINITY], 0);
        let payload = decoded(|out| *out = data, Some(sequence));
        assert_eq!(payload.timestamp, Some(TIME as u64));
        assert_eq!(payload.seq, Some(sequence.into()));
        assert_eq!(payload.body.unwrap()[..8], [2, 0, 0, 0, 17, 0, 0, 0]);
        let metric = |alias, double_value: Option<f64>| Metric {
            alias: Some(alias),
            timestamp: Some(TIME as u64),
            datatype: Some(10),
            is_null: double_value.is_none().then_some(true),
            double_value,
            ..Metric::default()
        };
        assert_eq!(payload.metrics, [metric(1, Some(21.5)), metric(2, None)]);
    }
}

#[test]
fn sparkplug_births_and_deaths_are_read_by_another_decoder() {
    let death = decoded(|out| sparkplug::write_death(7, out), None);
    let number = Metric {
        name: Some("bdSeq".into()),
        datatype: Some(4),
        long_value: Some(7),
        ..Metric::default()
    };
    assert_eq!((death.timestamp, death.seq), (None, None));
    assert_eq!(death.metrics, core::slice::from_ref(&number));

    let birth = decoded(|out| sparkplug::write_node_birth(TIME, 7, out), Some(0));
    assert_eq!((birth.timestamp, birth.seq), (Some(TIME as u64), Some(0)));
    assert_eq!(birth.metrics[0], number);
    assert_eq!(
        birth.metrics[1].name.as_deref(),
        Some("Node Control/Rebirth")
    );
    assert_eq!(birth.metrics[1].boolean_value, Some(false));

    let writer = Writer::new(&profile(Dialect::SparkplugB), "pump-1", 0);
    let birth = decoded(
        |out| sparkplug::write_device_birth(TIME, writer.signals(), out),
        Some(1),
    );
    assert_eq!(birth.seq, Some(1));
    let told: Vec<_> = birth
        .metrics
        .iter()
        .map(|it| (it.name.as_deref(), it.alias, it.datatype, it.is_null))
        .collect();
    assert_eq!(
        told,
        [
            (Some("temperature"), Some(1), Some(10), Some(true)),
            (Some("humidity"), Some(2), Some(10), Some(true))
        ]
    );
}
