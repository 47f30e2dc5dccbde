use proptest::prelude::*;
use wire::{AlertState, Content, Flags, Quality, Reasons, Row, SensorId, SensorName, Timestamp};

use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wire/golden");
const MESSAGES: [&str; 10] = [
    "telemetry",
    "telemetry-noisy",
    "telemetry-unit",
    "telemetry-repaired",
    "aggregates",
    "aggregates-sketch",
    "alert",
    "alert-unsynced",
    "alarm",
    "gap",
];

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{GOLDEN}/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn made(form: RecordForm, row: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(1 << 20);
    form.value(row, &mut buffer).expect("a value").to_vec()
}

/// `TIDEGATE_GOLDEN=write` writes files that are not there yet.
#[track_caller]
fn check_golden(form: RecordForm, ending: &str) {
    for message in MESSAGES {
        let value = made(form, &golden(&format!("{message}-v1.bin")));
        let file = format!("{message}-v1.{ending}");
        let path = format!("{GOLDEN}/{file}");
        let may_write = std::env::var("TIDEGATE_GOLDEN").is_ok_and(|wish| wish == "write");
        if may_write && !std::path::Path::new(&path).exists() {
            std::fs::write(&path, &value).expect("written");
        }
        assert!(value == golden(&file), "{file} has other bytes");
    }
}

#[test]
fn the_json_form_is_that_of_the_golden_files() {
    check_golden(RecordForm::Json, "json");
}

#[test]
fn the_protobuf_form_is_that_of_the_golden_files() {
    check_golden(RecordForm::Protobuf, "pb");
}

#[test]
fn a_batch_goes_as_it_is() {
    let row = golden("telemetry-v1.bin");
    assert_eq!(made(RecordForm::Batch, &row), row);
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_the_buffer_stays() {
    for message in MESSAGES {
        let row = golden(&format!("{message}-v1.bin"));
        for form in [RecordForm::Json, RecordForm::Protobuf] {
            let needed = made(form, &row).len();
            for room in 0..needed {
                let mut buffer = Vec::with_capacity(room);
                let capacity = buffer.capacity();
                assert_eq!(form.value(&row, &mut buffer), Err(FormError::TooLarge));
                assert_eq!(buffer.capacity(), capacity);
            }
            let mut buffer = Vec::with_capacity(needed);
            assert!(form.value(&row, &mut buffer).is_ok());
        }
    }
}

#[test]
fn a_row_that_is_not_sound_has_no_value() {
    let mut row = golden("telemetry-v1.bin");
    row[9] ^= 1;
    for form in [RecordForm::Json, RecordForm::Protobuf] {
        let refused = form
            .value(&row, &mut Vec::with_capacity(4096))
            .map(<[u8]>::len);
        assert_eq!(refused, Err(FormError::Malformed(Malformed::Checksum)));
    }
}

#[test]
fn a_number_without_a_sign_in_json_is_a_word() {
    for (number, text) in [
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
        (f64::NAN, "\"NaN\""),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
    ] {
        let json = serde_json::to_string(&json::Number(number)).expect("JSON");
        assert_eq!(json, text);
    }
}

#[test]
fn states_are_counted_as_the_proto_file_has_them() {
    let proto =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/wire/tidegate.proto"))
            .expect("the proto file");
    let mut names = vec![];
    for quality in [Quality::Good, Quality::Uncertain, Quality::Bad] {
        names.push((quality.name(), quality as u8));
    }
    for state in [AlertState::Raised, AlertState::Cleared] {
        names.push((state.name(), state as u8));
    }
    for severity in [
        wire::Severity::Info,
        wire::Severity::Warning,
        wire::Severity::Critical,
    ] {
        names.push((severity.name(), severity as u8));
    }
    for lane in [
        wire::Lane::Telemetry,
        wire::Lane::Aggregates,
        wire::Lane::Alerts,
    ] {
        names.push((lane.name(), lane as u8));
    }
    for reason in [
        wire::GapReason::Thinned,
        wire::GapReason::Dropped,
        wire::GapReason::Corrupt,
        wire::GapReason::Refused,
        wire::GapReason::Purged,
    ] {
        names.push((reason.name(), reason as u8));
    }
    for kind in [
        wire::WindowKind::Tumbling,
        wire::WindowKind::Sliding,
        wire::WindowKind::Session,
    ] {
        names.push((kind.name(), kind as u8));
    }
    for (name, number) in names {
        assert!(
            proto.contains(&format!("    {name} = {number};\n")),
            "{name}"
        );
    }
}

fn content() -> impl Strategy<Value = Content> {
    let number = || any::<u64>().prop_map(f64::from_bits);
    prop_oneof![
        number().prop_map(Content::AsSent),
        number().prop_map(Content::Refused),
        (number(), number()).prop_map(|(raw, value)| Content::Repaired { raw, value }),
        number().prop_map(Content::Filled),
        Just(Content::Nothing),
    ]
}

fn number_of(json: &serde_json::Value) -> Option<f64> {
    match json {
        serde_json::Value::Null => None,
        serde_json::Value::String(word) => {
            Some(word.replace("Infinity", "inf").parse().expect("a number"))
        }
        number => number.as_f64(),
    }
}

/// Equal bits, but that JSON has one NaN.
fn is_same(found: Option<f64>, sent: Option<f64>) -> bool {
    match (found, sent) {
        (Some(found), Some(sent)) if sent.is_nan() => found.is_nan(),
        _ => found.map(f64::to_bits) == sent.map(f64::to_bits),
    }
}

proptest! {
    #[test]
    fn json_gives_every_reading_back(items in proptest::collection::vec((content(), 0_i64..1 << 52, 0_u16..15), 1..20)) {
        let rows: Vec<Row> = items.iter().map(|(content, time, reason)| Row {
            sensor: SensorId(1),
            time: Timestamp(*time),
            arrival: Timestamp(*time + 5),
            content: *content,
            flags: Flags::new(Quality::Uncertain, Reasons(1 << reason)),
        }).collect();
        let name = |_| SensorName { device: "pump \"7\"", signal: "t", unit: "°C" };
        let mut buffer = vec![0; 8192];
        let batch = wire::write_batch("box", Timestamp(9), &rows, name, &mut buffer).expect("fits");
        let json: serde_json::Value = serde_json::from_slice(&made(RecordForm::Json, batch)).expect("JSON");
        prop_assert_eq!((&json["gateway"], &json["at"]), (&"box".into(), &9.into()));
        let readings = json["readings"].as_array().expect("readings");
        prop_assert_eq!(readings.len(), rows.len());
        for (found, row) in readings.iter().zip(&rows) {
            prop_assert_eq!(&found["device"], "pump \"7\"");
            prop_assert_eq!((found["time"].as_i64(), found["arrival"].as_i64()), (Some(row.time.0), Some(row.arrival.0)));
            prop_assert!(is_same(number_of(&found["value"]), row.content.value()));
            prop_assert!(is_same(number_of(&found["raw"]), row.content.raw()));
            prop_assert_eq!(found["reasons"].as_array().map(Vec::len), Some(1));
        }
    }
}
