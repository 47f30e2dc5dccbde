use proptest::prelude::*;

use super::*;
use crate::broker::topic::TopicError;

#[test]
fn a_frame_is_measured_from_its_header() {
    for (bytes, len) in [
        (&[][..], None),
        (&[0x30], None),
        (&[0x30, 0x80], None),
        (&[0xC0, 0x00], Some(2)),
        (&[0x30, 0x7F], Some(129)),
        (&[0x30, 0x80, 0x01], Some(131)),
        (&[0x30, 0xFF, 0xFF, 0x03], Some(65_535 + 4)),
    ] {
        assert_eq!(frame_len(bytes, 1 << 20), Ok(len), "{bytes:x?}");
    }
}

#[test]
fn a_frame_above_the_limit_is_refused_before_it_comes() {
    assert_eq!(frame_len(&[0x30, 0x08], 10), Ok(Some(10)));
    assert_eq!(
        frame_len(&[0x30, 0x09], 10),
        Err(FrameError::TooLarge {
            bytes: 11,
            bytes_max: 10
        })
    );
    let huge = frame_len(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F], 1 << 20);
    assert_eq!(
        huge,
        Err(FrameError::TooLarge {
            bytes: 268_435_460,
            bytes_max: 1 << 20
        })
    );
}

#[test]
fn an_answer_goes_where_the_request_says() {
    let check = |block: &[u8], expected: Option<(&str, &[u8])>| {
        let mut packet = vec![0x30, block.len() as u8 + 4, 0, 1, b't', block.len() as u8];
        packet.extend_from_slice(block);
        let publish = published(&packet, Version::V5);
        assert_eq!(
            answer_to(&publish.content.forwarded),
            expected,
            "{block:x?}"
        );
    };
    check(b"\x01\x01", None);
    check(b"\x09\x00\x01c", None);
    check(b"\x08\x00\x01r", Some(("r", b"")));
    // An alias and an expiry are cut out between them.
    check(
        b"\x09\x00\x01c\x23\x00\x01\x26\x00\x01k\x00\x01v\x02\x00\x00\x00\x09\x08\x00\x01r",
        Some(("r", b"\x09\x00\x01c")),
    );
}

#[test]
fn a_length_of_five_bytes_is_refused() {
    assert_eq!(
        frame_len(&[0x30, 0x80, 0x80, 0x80, 0x80], 1 << 20),
        Err(FrameError::Length)
    );
    assert_eq!(frame_len(&[0x30, 0x80, 0x80, 0x80], 1 << 20), Ok(None));
}

#[test]
fn a_connection_that_begins_with_no_connect_is_refused_by_its_first_byte() {
    assert_eq!(first_frame_len(&[], 1 << 20), Ok(None));
    assert_eq!(first_frame_len(&[0x10], 1 << 20), Ok(None));
    assert_eq!(first_frame_len(&[0x10, 0x0C], 1 << 20), Ok(Some(14)));
    for first in (0..=u8::MAX).filter(|first| *first != 0x10) {
        let refused = first_frame_len(&[first], 1 << 20);
        assert_eq!(refused, Err(FrameError::NotConnect), "{first:#x}");
    }
}

fn published(packet: &[u8], version: Version) -> PublishSent<'_> {
    match decode(packet, version) {
        Ok(Packet::Publish(publish)) => publish,
        other => panic!("no PUBLISH: {other:?}"),
    }
}

#[test]
fn properties_that_are_not_passed_on_are_cut_out() {
    // Payload format, alias, user property, expiry, content type.
    let packet = b"\x30\x1E\x00\x01t\x18\x01\x01\x23\x00\x02\x26\x00\x01k\x00\x01v\x02\x00\x00\x00\x09\x03\x00\x04textxy";
    let publish = published(packet, Version::V5);
    assert_eq!(
        (publish.alias, publish.content.expiry_s),
        (Some(2), Some(9))
    );
    assert_eq!(
        publish.content.forwarded,
        [
            &b"\x01\x01"[..],
            b"\x26\x00\x01k\x00\x01v",
            b"\x03\x00\x04text"
        ]
    );
    assert_eq!(publish.content.forwarded_len(), 16);
    assert_eq!(publish.content.payload, b"xy");
}

#[test]
fn a_malformed_packet_names_what_it_breaks() {
    let check = |packet: &[u8], version, expected: Malformed| {
        assert_eq!(decode(packet, version).err(), Some(expected), "{packet:x?}");
    };
    check(b"\x30\x02\x00\x01", Version::V311, Malformed::Truncated);
    check(b"\x30\x03\x00\x01\x00", Version::V311, Malformed::Nul);
    check(b"\x30\x03\x00\x01\xC0", Version::V311, Malformed::BadUtf8);
    check(b"\x36\x03\x00\x01t", Version::V311, Malformed::QosThree);
    check(b"\x38\x03\x00\x01t", Version::V311, Malformed::DupAtQosZero);
    check(
        b"\x32\x05\x00\x01t\x00\x00",
        Version::V311,
        Malformed::PacketIdZero,
    );
    check(
        b"\x30\x03\x00\x01#",
        Version::V311,
        Malformed::Topic(TopicError::Wildcard),
    );
    check(
        b"\x30\x02\x00\x00",
        Version::V311,
        Malformed::Topic(TopicError::Empty),
    );
    check(
        b"\x30\x07\x00\x01t\x03\x23\x00\x00",
        Version::V5,
        Malformed::AliasZero,
    );
    check(
        b"\x30\x06\x00\x01t\x02\x19\x00",
        Version::V5,
        Malformed::PropertyPlace(0x19),
    );
    check(
        b"\x30\x08\x00\x01t\x04\x01\x00\x01\x00",
        Version::V5,
        Malformed::PropertyTwice(1),
    );
    check(
        b"\x30\x06\x00\x01t\x02\x01\x02",
        Version::V5,
        Malformed::PropertyValue(1),
    );
    check(b"\xC0\x01\x00", Version::V311, Malformed::Trailing);
    check(b"\xC0\x01", Version::V311, Malformed::Truncated);
    check(b"\xC1\x00", Version::V311, Malformed::Flags);
    check(b"\xF0\x00", Version::V311, Malformed::ReservedKind(15));
    check(b"\xF0\x00", Version::V5, Malformed::Auth);
    check(b"\x20\x02\x00\x00", Version::V5, Malformed::ServerKind(2));
}

#[test]
fn every_refusal_has_words_that_fit() {
    for malformed in [
        Malformed::Truncated,
        Malformed::SharedNoLocal,
        Malformed::Options,
        Malformed::OptionThree,
        Malformed::WillFlags,
    ] {
        let text = malformed.to_string();
        assert!((1..=120).contains(&text.len()), "{text}");
    }
}

fn qos() -> impl Strategy<Value = Qos> {
    prop_oneof![
        Just(Qos::AtMostOnce),
        Just(Qos::AtLeastOnce),
        Just(Qos::ExactlyOnce)
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(
        topic in "[a-z/]{1,300}",
        payload in proptest::collection::vec(any::<u8>(), 0..400),
        qos in qos(), retain: bool, v5: bool, packet_id in 1_u16..,
        expiry_s in proptest::option::of(any::<u32>()), alias in proptest::option::of(1_u16..),
    ) {
        let version = if v5 { Version::V5 } else { Version::V311 };
        let (expiry_s, alias) = if v5 { (expiry_s, alias) } else { (None, None) };
        if topic.split('/').count() > 64 { return Ok(()) }
        let content = Content { expiry_s, ..Content::plain(&topic, &payload) };
        let alias_out = alias.map(|alias| (alias, false));
        let head = PublishHead {
            version, dup: qos > Qos::AtMostOnce, qos, retain, packet_id, alias: alias_out, expiry_s, subscription_ids: &[],
        };
        let (first, tail, len) = head.encode(&content);
        let packet = [first.as_slice(), head.topic(&content).as_bytes(), tail.as_slice(), &payload].concat();
        prop_assert_eq!(packet.len(), len);
        prop_assert_eq!(frame_len(&packet, 1 << 20), Ok(Some(len)));
        let publish = published(&packet, version);
        prop_assert_eq!(publish.content.topic, &topic);
        prop_assert_eq!(publish.content.payload, &payload);
        prop_assert_eq!((publish.qos, publish.retain, publish.alias), (qos, retain, alias));
        prop_assert_eq!(publish.content.expiry_s, expiry_s);
        prop_assert_eq!(publish.packet_id, if qos == Qos::AtMostOnce { 0 } else { packet_id });
    }

    #[test]
    fn any_bytes_decode_or_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 2..80), whole: bool) {
        if whole {
            bytes[1] = bytes.len() as u8 - 2; // lets the body be looked at
        }
        for version in [Version::V311, Version::V5] {
            if let Ok(Packet::Subscribe(subscribe)) = decode(&bytes, version) {
                prop_assert!(subscribe.filters().count() > 0);
            }
        }
        let _decoded_or_not = decode_connect(&bytes).is_ok();
    }
}
