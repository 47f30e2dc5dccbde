use proptest::prelude::*;

use super::pointers::{Pointer, Pointers};
use super::*;

/// The wall clock of these tests, ms.
const NOW: Timestamp = Timestamp(1_764_000_000_000);

fn mapped(form: &Form, signal_known: bool) -> Mapped<'static, '_> {
    Mapped {
        device: Some("d"),
        signal: signal_known.then_some("t"),
        form,
    }
}

fn parse_plain(payload: &[u8], signal_known: bool) -> Result<Readings<'_>, PayloadError> {
    let mut readings = Readings::default();
    parse(
        payload,
        &mapped(&Form::Plain, signal_known),
        NOW,
        &mut readings,
    )
    .map(|()| readings)
}

fn check(payload: &str, signal_known: bool, expected: (Option<i64>, &[(Option<&str>, f64)])) {
    let readings = parse_plain(payload.as_bytes(), signal_known).expect(payload);
    let (time, values) = expected;
    let expected = values.iter().map(|(signal, value)| Item {
        name: signal.map_or(Name::Topic, Name::Plain),
        time: time.map(Timestamp),
        value: *value,
    });
    assert!(expected.eq(readings.items.iter().copied()), "{payload}");
}

fn check_refused(payload: &[u8], signal_known: bool, reason: &str) {
    let error = parse_plain(payload, signal_known).expect_err("refused");
    assert!(
        error.reason.contains(reason),
        "{:?} should say {reason:?}",
        error.reason
    );
    assert!(error.offset <= payload.len());
}

#[test]
fn the_three_forms_are_read() {
    check("21.5", true, (None, &[(None, 21.5)]));
    check(" -1e3\n", true, (None, &[(None, -1000.0)]));
    check("true", true, (None, &[(None, 1.0)]));
    check(
        r#"{"ts":1764000000000,"value":3}"#,
        true,
        (Some(1_764_000_000_000), &[(None, 3.0)]),
    );
    check(
        r#"{"value":-0.25,"seq":7,"x":{"y":[1]}}"#,
        true,
        (None, &[(None, -0.25)]),
    );
    check(
        r#"{"values":{"t":20.5,"door":false},"ts":5}"#,
        false,
        (Some(5), &[(Some("t"), 20.5), (Some("door"), 0.0)]),
    );
}

/// JSON parsers that round twice are one bit off for about one in thirty numbers of 16 digits.
#[test]
fn a_value_is_read_to_its_last_bit() {
    for text in [
        "92.27798059999999",
        "90.14558029999999",
        "-1.7976931348623157e308",
        "5e-324",
    ] {
        let value: f64 = text.parse().expect("a number");
        let object = format!("{{\"value\": {text} }}");
        check(text, true, (None, &[(None, value)]));
        check(&object, true, (None, &[(None, value)]));
    }
}

#[test]
fn a_number_that_is_none_is_still_a_reading() {
    let readings = parse_plain(b"NaN", true).expect("a sensor's way to say it has no value");
    assert!(readings.items[0].value.is_nan());
}

#[test]
fn what_is_no_reading_is_refused_with_its_reason() {
    check_refused(b"", true, "empty");
    check_refused(b"warm", true, "not a number");
    check_refused(b"\xff\xfe", true, "UTF-8");
    check_refused(br#"{"ts":1}"#, true, "neither");
    check_refused(br#"{"value":null}"#, true, "expected a number");
    check_refused(br#"{"value":"21"}"#, true, "expected a number");
    check_refused(br#"{"value":[1]}"#, true, "expected a number");
    check_refused(br#"{"value":1e999}"#, true, "out of range");
    check_refused(br#"{"value":01}"#, true, "number");
    check_refused(br#"{"value":1,"value":2}"#, true, "twice");
    check_refused(br#"{"value":1"#, true, "EOF");
    check_refused(br#"{"value":1} x"#, true, "trailing");
    check_refused(br#"{"ts":"now","value":1}"#, true, "milliseconds");
    check_refused(br#"{"values":{"a":1}}"#, true, "names the signal already");
    check_refused(b"21.5", false, "names no signal");
    check_refused(br#"{"values":{"a\u0041":1}}"#, false, "escapes");
    check_refused(br#"{"values":{"":1}}"#, false, "empty");
    let many: std::vec::Vec<String> = (0..80).map(|at| format!("\"s{at}\":1")).collect();
    check_refused(
        format!("{{\"values\":{{{}}}}}", many.join(",")).as_bytes(),
        false,
        "more than 64",
    );
}

#[test]
fn the_offset_points_at_the_fault() {
    let error = parse_plain(b"{\n  \"value\": oops }", true).expect_err("refused");
    assert_eq!(error.offset, 13);
}

/// Of a record: what its name says, its time relative to now, its value.
type Expected<'a> = (&'a str, Option<i64>, f64);

fn check_senml(pack: &str, device: Option<&str>, expected: &[Expected<'_>], faults: &[&str]) {
    let form = Form::Senml;
    let mapped = Mapped {
        device,
        signal: None,
        form: &form,
    };
    let mut readings = Readings::default();
    parse(pack.as_bytes(), &mapped, NOW, &mut readings).expect(pack);
    let found = readings.items.iter().map(|item| {
        let Name::Senml(name) = item.name else {
            panic!("{pack}: the name is the topic's")
        };
        let prefix = match device {
            Some(_) => String::new(),
            None => format!("{} ", name.device().expect("short")),
        };
        let name = prefix + &name.signal().expect("short");
        (name, item.time.map(|time| time.0), item.value)
    });
    let found: std::vec::Vec<_> = found.collect();
    let expected: std::vec::Vec<_> = expected
        .iter()
        .map(|(name, time, value)| ((*name).to_owned(), *time, *value))
        .collect();
    assert_eq!(found, expected, "{pack}");
    assert_eq!(
        readings.refused,
        faults.len(),
        "{pack}: {:?}",
        readings.faults
    );
    for (fault, reason) in readings.faults.iter().zip(faults) {
        assert!(fault.reason.contains(reason), "{pack}: {fault:?}");
        assert_eq!(
            pack.as_bytes()[fault.offset],
            b'{',
            "the offset is that of the record"
        );
    }
}

fn check_senml_refused(pack: &str, reason: &str) {
    let mut readings = Readings::default();
    let error = parse(
        pack.as_bytes(),
        &mapped(&Form::Senml, false),
        NOW,
        &mut readings,
    );
    let error = error.expect_err(pack);
    assert!(error.reason.contains(reason), "{pack}: {error:?}");
}

/// The examples of RFC 8428, sections 5.1.1 to 5.1.5.
#[test]
fn the_packs_of_the_rfc_are_read() {
    check_senml(
        r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#,
        None,
        &[("urn:dev:ow 10e2073a01080063", None, 23.1)],
        &[],
    );
    check_senml(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]"#,
        None,
        &[
            ("urn:dev:ow:10e2073a01080063 voltage", None, 120.1),
            ("urn:dev:ow:10e2073a01080063 current", None, 1.2),
        ],
        &[],
    );
    check_senml(
        r#"[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
            {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3}]"#,
        Some("meter"),
        &[
            ("voltage", Some(1_276_020_076_001), 120.1),
            ("current", Some(1_276_020_071_001), 1.2),
            ("current", Some(1_276_020_072_001), 1.3),
        ],
        &[],
    );
    check_senml(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
            {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]"#,
        None,
        &[
            ("urn:dev:ow 10e2073a01080063", Some(1_320_067_464_000), 20.0),
            (
                "urn:dev:ow 10e2073a01080063",
                Some(1_320_067_464_000),
                24.30621,
            ),
            (
                "urn:dev:ow 10e2073a01080063",
                Some(1_320_067_464_000),
                60.07965,
            ),
            ("urn:dev:ow 10e2073a01080063", Some(1_320_067_524_000), 20.3),
        ],
        &[],
    );
    check_senml(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
            {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]"#,
        None,
        &[("urn:dev:ow:10e2073a01080063 temp", None, 23.1)],
        &["text", "boolean", "data"],
    );
}

#[test]
fn base_fields_hold_from_their_record_on_and_are_added() {
    check_senml(
        r#"[{"bn":"a/","bt":-10,"bv":20,"n":"t","v":1.5},{"n":"u"},{"bn":"b/","bt":0,"bv":0,"n":"t","v":3}]"#,
        None,
        &[
            ("a t", Some(NOW.0 - 10_000), 21.5),
            ("a u", Some(NOW.0 - 10_000), 20.0),
            ("b t", None, 3.0),
        ],
        &[],
    );
    check_senml(
        r#"[{"bn":"m/","bs":100},{"n":"e","s":5,"v":2},{"n":"e","s":7}]"#,
        None,
        &[
            ("m e", None, 2.0),
            ("m e.sum", None, 105.0),
            ("m e.sum", None, 107.0),
        ],
        &[],
    );
    check_senml(
        r#"[{"bn":"x","n":"/t","t":1.5,"v":1},{"n":":t","t":268435455,"v":2},{"n":":t","t":268435456,"v":3}]"#,
        None,
        &[
            ("x t", Some(NOW.0 + 1_500), 1.0),
            ("x t", Some(NOW.0 + 268_435_455_000), 2.0),
            ("x t", Some(268_435_456_000), 3.0),
        ],
        &[],
    );
}

#[test]
fn base_fields_alone_measure_nothing_and_any_regular_field_does() {
    let expected = [("a t", None, 20.0), ("a t", None, 21.0)];
    let pack = r#"[{"bn":"a/t","bv":20},{"u":"Cel"},{"v":1}]"#;
    check_senml(pack, None, &expected, &[]);
    let pack = r#"[{"bn":"a/t","bv":20},{"ut":60},{"bn":"a/t","bv":21},{"t":0}]"#;
    check_senml(pack, None, &expected, &[]);
    let sums = [("a e", None, 3.0), ("a e.sum", None, 100.0)];
    check_senml(r#"[{"bn":"a/e","bs":100},{"v":3}]"#, None, &sums, &[]);
    let pack = r#"[{"bn":"a/t"},{"u":"Cel"},{"v":1}]"#;
    check_senml(pack, None, &[("a t", None, 1.0)], &["no value"]);
    check_senml_refused(r#"[{"bn":"a/t","bv":20}]"#, "alone measure nothing");
    check_senml_refused(r#"[{"bn":"a/t","bs":20}]"#, "alone measure nothing");
}

#[test]
fn a_record_that_is_none_is_refused_alone() {
    check_senml(
        r#"[{"bn":"d/","n":"a","v":"1"},{"n":"b","v":1e999},{"n":"-ok","v":4},{"n":"c d","v":1},{"n":"e"},
            {"n":"f\u0041","v":1},{"n":"g","t":1e15,"v":1},{"bn":"","n":"h","v":1},{"v":1},{"bn":"-","n":"i","v":1}]"#,
        None,
        &[("d -ok", None, 4.0)],
        &[
            "no number",
            "out of range",
            "only letters",
            "no value",
            "escapes",
            "year",
            "device",
            "no name",
            "begins with",
        ],
    );
    check_senml(
        r#"[{"n":"pump/t","v":1},{"n":"pump/p","v":2},{"n":"fan/t","v":3}]"#,
        Some("d"),
        &[("t", None, 1.0), ("p", None, 2.0)],
        &["second device"],
    );
    let many: std::vec::Vec<String> = (0..80)
        .map(|at| format!(r#"{{"n":"s{at}","v":1}}"#))
        .collect();
    let pack = format!("[{}]", many.join(","));
    let mut readings = Readings::default();
    parse(
        pack.as_bytes(),
        &mapped(&Form::Plain, false),
        NOW,
        &mut readings,
    )
    .expect("read");
    assert_eq!(
        (readings.items.len(), readings.refused),
        (READINGS_PER_MESSAGE_MAX, 16)
    );
    assert_eq!(readings.faults.len(), ITEM_FAULTS_MAX);
}

#[test]
fn a_pack_that_is_none_is_refused_whole() {
    check_senml_refused(r#"{"n":"a","v":1}"#, "pack");
    check_senml_refused("[]", "no record");
    check_senml_refused(r#"[{"bn":"a"}]"#, "no record");
    check_senml_refused(r#"[{"n":"a","v":1},3]"#, "record");
    check_senml_refused(r#"[{"n":"a","v":1}"#, "EOF");
    check_senml_refused(r#"[{"n":"a","v":1}]]"#, "trailing");
    check_senml_refused(r#"[{"bver":11,"n":"a","v":1}]"#, "version 11");
    check_senml_refused(r#"[{"n":"a","v":1,"secret_":1}]"#, "must be understood");
    check_senml_refused(r#"[{"bn":7,"n":"a","v":1}]"#, "bn");
    check_senml_refused(r#"[{"bt":"now","n":"a","v":1}]"#, "bt");
}

#[test]
fn a_topic_that_names_the_signal_is_believed() {
    let form = Form::Senml;
    let mapped = mapped(&form, true);
    let pack = br#"[{"bn":"urn:x:t","v":1},{"t":-1,"v":2},{"bn":"urn:x:u","v":3}]"#;
    let mut readings = Readings::default();
    parse(pack, &mapped, NOW, &mut readings).expect("read");
    assert!(readings.items.iter().all(|item| item.name == Name::Topic));
    assert_eq!((readings.items.len(), readings.refused), (2, 1));
}

fn report(values: &[(&str, f64)]) -> std::vec::Vec<u8> {
    let mut buffer = [0; 256];
    let bytes = wire::write_report(7, Some(Timestamp(5)), values, &mut buffer);
    bytes.expect("fits").to_vec()
}

#[test]
fn reports_of_our_own_devices_are_read() {
    let bytes = report(&[("t", 1.0), ("u", f64::NAN)]);
    let readings = parse_plain(&bytes, false).expect("read");
    let names: std::vec::Vec<Name<'_>> = readings.items.iter().map(|item| item.name).collect();
    assert_eq!(names, [Name::Plain("t"), Name::Plain("u")]);
    assert!(readings.items[1].value.is_nan() && readings.items[1].time == Some(Timestamp(5)));
    let bytes = report(&[("", 1.0), ("t", 2.0)]);
    assert!(
        parse_plain(&bytes, true)
            .expect("read")
            .items
            .iter()
            .all(|item| item.name == Name::Topic)
    );
    check_refused(&report(&[("u", 1.0)]), true, "the report another");
    check_refused(&report(&[("", 1.0)]), false, "no signal's name");
    check_refused(&report(&[]), false, "no values");
    for len in 1..bytes.len() {
        check_refused(&bytes[..len], true, "cut short");
    }
}

fn pointers(values: &[(&str, &str)], time: Option<&str>) -> Form {
    let pointer = |text: &str| Pointer::parse(text).expect("a pointer");
    let values = values
        .iter()
        .map(|(signal, text)| (Some((*signal).to_owned()), pointer(text)));
    Form::Pointers(Pointers::new(values.collect(), time.map(pointer)).expect("few"))
}

#[test]
fn any_json_is_read_by_pointers() {
    let tasmota = br#"{"Time":"2024-05-01T12:00:00+02:00","DHT22":{"Temperature":21.5,"Humidity":null,"a/b":[1,true]},"TempUnit":"C"}"#;
    let form = pointers(
        &[
            ("t", "/DHT22/Temperature"),
            ("h", "/DHT22/Humidity"),
            ("x", "/DHT22/a~1b/1"),
            ("y", "/no/such"),
            ("u", "/TempUnit"),
        ],
        Some("/Time"),
    );
    let mut readings = Readings::default();
    parse(tasmota, &mapped(&form, false), NOW, &mut readings).expect("read");
    let time = Some(Timestamp(1_714_557_600_000));
    let item = |signal, value| Item {
        name: Name::Plain(signal),
        time,
        value,
    };
    assert_eq!(readings.items[..], [item("t", 21.5), item("x", 1.0)]);
    assert_eq!(
        readings.faults[0].reason,
        "`/TempUnit`: expected a number, true or false"
    );
    assert_eq!(&tasmota[readings.faults[0].offset..][..3], b"\"C\"");
    for (payload, reason) in [
        (&b"{}"[..], "no pointer"),
        (b"7", "no pointer"),
        (br#"{"DHT22":{"Temperature":1}"#, "EOF"),
        (
            br#"{"Time":"noon","DHT22":{"Temperature":1}}"#,
            "a time is written",
        ),
    ] {
        let error = parse(
            payload,
            &mapped(&form, false),
            NOW,
            &mut Readings::default(),
        )
        .expect_err("refused");
        assert!(error.reason.contains(reason), "{error:?}");
    }
}

/// Each payload once as it is, and cut at each byte: an error or readings, and no panic.
#[test]
fn a_payload_cut_anywhere_is_no_harm() {
    let forms = [
        Form::Plain,
        Form::Senml,
        pointers(&[("t", "/a/b/0")], Some("/ts")),
    ];
    for payload in [
        &br#"[{"bn":"urn:dev:1:","bt":1764000000,"n":"t","v":1.5e0,"s":2},{"n":"u","vb":true}]"#[..],
        br#"{"ts":1,"values":{"a":1,"b":true},"a":{"b":[1,2]}}"#,
        &report(&[("temp", 1.0), ("rpm", 2.0)]),
        "\"é\u{1f600}\"".as_bytes(),
    ] {
        for len in 0..=payload.len() {
            for (form, known) in forms.iter().zip([true, false, true]) {
                let mut readings = Readings::default();
                if let Err(error) = parse(&payload[..len], &mapped(form, known), NOW, &mut readings)
                {
                    assert!(error.offset <= len && !error.reason.is_empty());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200), known: bool) {
        if let Err(error) = parse_plain(&payload, known) {
            prop_assert!(error.offset <= payload.len() && !error.reason.is_empty());
        }
    }

    #[test]
    fn arbitrary_json_never_panics(payload in "[\\[{]([\\[{\\]},:\\-0-9.eE \\\\]|\"(n|v|t|bn|bt|bv|vs|a|_|)\"){0,60}", known: bool) {
        for form in [Form::Plain, Form::Senml, pointers(&[("t", "/a/v/0")], Some("/t"))] {
            let mut readings = Readings::default();
            if let Err(error) = parse(payload.as_bytes(), &mapped(&form, known), NOW, &mut readings) {
                prop_assert!(error.offset <= payload.len() && !error.reason.is_empty());
            }
        }
    }
}
