use proptest::prelude::*;

use super::*;

/// A metric: alias, datatype, and the field with its value.
fn metric(datatype: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, value.len() as u8 + 4, 0x10, 7, 0x20, datatype];
    bytes.extend_from_slice(value);
    bytes
}

fn check(datatype: u8, value: &[u8], expected: Option<f64>) {
    let bytes = metric(datatype, value);
    let payload = Payload::read(&bytes).unwrap();
    let found: Vec<_> = payload.metrics().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].alias, found[0].datatype),
        (Some(7), Some(u64::from(datatype)))
    );
    assert_eq!(
        found[0].number(u64::from(datatype)),
        expected,
        "{datatype} {value:x?}"
    );
    for len in 1..bytes.len() {
        let fault = Payload::read(&bytes[..len]).unwrap_err();
        assert!(fault.offset <= len, "{fault:?}");
    }
}

#[test]
fn each_datatype_that_is_a_number_is_read() {
    check(1, &[0x50, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], Some(-1.0));
    check(1, &[0x50, 0xFE, 0x01], Some(-2.0));
    check(2, &[0x50, 0xFE, 0xFF, 0x03], Some(-2.0));
    check(3, &[0x50, 0xFD, 0xFF, 0xFF, 0xFF, 0x0F], Some(-3.0));
    check(
        4,
        &[
            0x58, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        ],
        Some(-4.0),
    );
    check(5, &[0x50, 0xFF, 0x01], Some(255.0));
    check(6, &[0x50, 0xFF, 0xFF, 0x03], Some(65_535.0));
    check(
        7,
        &[0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        Some(4_294_967_295.0),
    );
    check(
        8,
        &[0x58, 0x80, 0x80, 0x80, 0x80, 0x10],
        Some(4_294_967_296.0),
    );
    check(9, &[0x65, 0, 0, 0x20, 0x40], Some(2.5));
    check(10, &[0x69, 0, 0, 0, 0, 0, 0, 0xF8, 0xBF], Some(-1.5));
    check(11, &[0x70, 1], Some(1.0));
    check(11, &[0x70, 0], Some(0.0));
    check(3, &[0x38, 1, 0x50, 5], None);
    check(12, &[0x7A, 1, b'x'], None);
    check(9, &[0x50, 1], None);
}

#[test]
fn what_is_not_needed_is_passed_over() {
    // Metadata, properties, a data set, a template, and the payload's uuid and body.
    let mut value = vec![0x42, 1, 0, 0x4A, 1, 0, 0x8A, 0x01, 1, 0, 0x92, 0x01, 1, 0];
    value.extend_from_slice(&[0x50, 9]);
    let mut bytes = metric(3, &value);
    bytes.extend_from_slice(&[0x22, 1, b'u', 0x2A, 1, 0, 0x08, 100, 0x18, 255, 1]);
    let payload = Payload::read(&bytes).unwrap();
    assert_eq!((payload.time, payload.sequence), (Some(100), Some(255)));
    assert_eq!(
        payload.metrics().next().and_then(|metric| metric.number(3)),
        Some(9.0)
    );
}

#[test]
fn what_is_no_payload_is_refused_where_it_fails() {
    for (bytes, reason, offset) in [
        (&[0x12, 0x80, 0x80, 0x80, 0x80, 0x08][..], "ends within", 6),
        (&[0x12, 200], "ends within", 2),
        (&[0x12, 2, 0x0A, 5], "ends within", 4),
        (&[0x12, 3, 0x0A, 1, 0xFF], "UTF-8", 4),
        (
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            "64 bits",
            11,
        ),
        (&[0x0B], "a kind", 0),
    ] {
        let fault = Payload::read(bytes).unwrap_err();
        assert!(
            fault.reason.contains(reason),
            "{fault:?} should say {reason:?}"
        );
        assert_eq!(fault.offset, offset, "{bytes:x?}");
    }
    let many = metric(11, &[0x70, 1]).repeat(METRICS_PER_MESSAGE_MAX + 1);
    assert!(
        Payload::read(&many)
            .unwrap_err()
            .reason
            .contains("more than 256")
    );
}

#[test]
fn a_rebirth_is_asked_for_as_the_specification_says() {
    let mut bytes = Vec::new();
    write_rebirth(1_764_000_000_000, &mut bytes);
    let payload = Payload::read(&bytes).unwrap();
    let metric = payload.metrics().next().unwrap();
    assert_eq!(payload.time, Some(1_764_000_000_000));
    assert_eq!((metric.name, metric.number(11)), (Some(REBIRTH), Some(1.0)));
}

#[test]
fn a_topic_says_who_and_what() {
    let parse = |topic| Address::parse(topic).map(|it| (it.group, it.kind, it.node, it.device));
    assert_eq!(
        parse("spBv1.0/g/NBIRTH/n"),
        Some(("g", Kind::Birth, "n", None))
    );
    assert_eq!(
        parse("spBv1.0/g/DDATA/n/d"),
        Some(("g", Kind::Data, "n", Some("d")))
    );
    assert_eq!(
        parse("spBv1.0/g/NDEATH/n"),
        Some(("g", Kind::Death, "n", None))
    );
    for topic in [
        "spBv1.0/g/NCMD/n",
        "spBv1.0/STATE/host",
        "spBv1.0/g/NDATA",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0//NDATA/n",
        "spBv1.0/g/DDATA/n/d/x",
        "spAv1.0/g/NDATA/n",
        "",
    ] {
        assert_eq!(parse(topic), None, "{topic}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        match Payload::read(&bytes) {
            Ok(payload) => prop_assert!(payload.metrics().count() <= METRICS_PER_MESSAGE_MAX),
            Err(fault) => prop_assert!(fault.offset <= bytes.len()),
        }
    }
}
