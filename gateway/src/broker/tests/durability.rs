//! What survives a crash: everything that the durable state was given.

use proptest::prelude::*;

use super::script::{Row, Stage, check, small_limits};
use crate::broker::{Broker, RestoreError, Subject};

const STATE_SURVIVES: &[Row<'_>] = &[
    (
        "retained messages",
        "a connects 5; a > 31 [ 't' [ 26 'k' 'v' 02 00000064 ] \"x\" ]; gateway u 1 1 y; gateway v 0 1 z; gateway v 0 1 z2
         gateway w 0 1 gone; a > 31 [ 'w' [ ] ]; crash; wait 10000
         b connects 5; b > 82 [ 0001 [ ] '#' 01 ]; b < 90 [ 0001 [ ] 01 ]; b < 31 [ 't' [ 02 0000005a 26 'k' 'v' ] \"x\" ]
         b < 33 [ 'u' 0001 [ ] \"y\" ]; b < 31 [ 'v' [ ] \"z2\" ]",
    ),
    (
        "a session with its subscriptions, 4",
        "a connects 4 keep; a > 82 [ 0001 't' 01 'u/+' 00 '$share/g/v' 00 ]; a < 90 [ 0001 01 00 00 ]
         a > a2 [ 0002 'u/+' ]; a < b0 [ 0002 ]; crash
         a connects 4 keep present; gateway t 0 0 x; a < 30 [ 't' \"x\" ]; gateway u/1 0 0 x; gateway v 0 0 y; a < 30 [ 'v' \"y\" ]",
    ),
    (
        "a session with its subscriptions, 5",
        "a connects 5 keep; a > 82 [ 0001 [ 0b 8101 ] 't' 0c ]; a < 90 [ 0001 [ ] 00 ]; crash
         a connects 5 keep present; a > 30 [ 't' [ ] \"own\" ]; gateway t 0 1 x; a < 31 [ 't' [ 0b 8101 ] \"x\" ]",
    ),
    (
        "a session that was connected expires from the restart on",
        "a connects 5 keep; wait 1000000; a > c0 00; a < d0 00; crash; wait 99999; a connects 5 keep present; crash; wait 100000; a connects 5 keep",
    ),
    (
        "a session whose client came back has its whole time again",
        "a connects 5 keep; a lost; wait 60000; a connects 5 keep present; crash; wait 60000; a connects 5 keep present",
    ),
    (
        "a session that was away goes on expiring",
        "a connects 5 keep; a lost; wait 60000; crash; wait 39999; a connects 5 keep present; a lost; wait 60000; crash; wait 40000; a connects 5 keep",
    ),
    (
        "clean sessions leave nothing",
        "a connects 4; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; gateway t 2 0 x; a < 34 [ 't' 0001 \"x\" ]; a > 34 [ 'u' 0001 ]; a < 50 [ 0001 ]; state 0",
    ),
    (
        "queued messages, in order",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; a lost; gateway t 1 0 1; gateway t 2 0 2; gateway t 0 0 0; gateway t 1 0 3
         crash; gateway t 1 0 4; a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 34 [ 't' 0002 \"2\" ]; a < 32 [ 't' 0003 \"3\" ]
         a < 32 [ 't' 0004 \"4\" ]",
    ),
    (
        "messages in flight, under their ids",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; gateway t 2 0 2; gateway t 1 0 1; a < 34 [ 't' 0001 \"2\" ]
         a < 32 [ 't' 0002 \"1\" ]; crash; a connects 4 keep present; a < 3c [ 't' 0001 \"2\" ]; a < 3a [ 't' 0002 \"1\" ]
         a > 50 [ 0001 ]; a < 62 [ 0001 ]; a > 40 [ 0002 ]; a > 70 [ 0001 ]; state 2",
    ),
    (
        "a QoS 2 message waiting for its release",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; gateway t 2 0 2; a < 34 [ 't' 0001 \"2\" ]; a > 50 [ 0001 ]
         a < 62 [ 0001 ]; crash; a connects 4 keep present; a < 62 [ 0001 ]; a > 70 [ 0001 ]; state 2",
    ),
    (
        "what was queued before it was sent",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost; gateway t 1 0 1; gateway t 1 0 2
         a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]; a > 40 [ 0001 ]; crash
         a connects 4 keep present; a < 3a [ 't' 0002 \"2\" ]",
    ),
    (
        // Queued messages once kept their first record when they were sent, and came behind younger ones.
        "messages that were queued keep their place before those that were not",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; gateway t 1 0 1; gateway t 1 0 2; gateway t 1 0 3; gateway t 1 0 4
         gateway t 1 0 5; a < 32 [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]; a < 32 [ 't' 0003 \"3\" ]; a < 32 [ 't' 0004 \"4\" ]
         a > 40 [ 0001 ]; a < 32 [ 't' 0005 \"5\" ]; a > 40 [ 0002 ]; gateway t 1 0 6; a < 32 [ 't' 0006 \"6\" ]; crash
         a connects 4 keep present; a < 3a [ 't' 0003 \"3\" ]; a < 3a [ 't' 0004 \"4\" ]; a < 3a [ 't' 0005 \"5\" ]; a < 3a [ 't' 0006 \"6\" ]",
    ),
    (
        "acknowledged messages leave nothing",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; gateway t 1 0 1; gateway t 1 0 2; a < 32 [ 't' 0001 \"1\" ]
         a < 32 [ 't' 0002 \"2\" ]; a > 40 [ 0001 ]; a > 40 [ 0002 ]; state 2",
    ),
    (
        "one message for two sessions is stored once, and gone with the second",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; b connects 4 keep; b > 82 [ 0001 't' 01 ]; b < 90 [ 0001 01 ]
         a lost; b lost; state 4; gateway t 1 0 x; state 7; crash; a connects 4 keep present; a < 32 [ 't' 0001 \"x\" ]; a > 40 [ 0001 ]; state 6
         b connects 4 keep present; b < 32 [ 't' 0001 \"x\" ]; b > 40 [ 0001 ]; state 4",
    ),
    (
        "a QoS 2 id received",
        "b connects 4 keep; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 4 keep; a > 34 [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]
         b < 30 [ 't' \"x\" ]; crash; b connects 4 keep present; a connects 4 keep present; a > 3c [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]
         a > 62 [ 0005 ]; a < 70 [ 0005 ]; a > 34 [ 't' 0005 \"y\" ]; a < 50 [ 0005 ]; b < 30 [ 't' \"y\" ]",
    ),
    (
        "a QoS 2 id released is forgotten",
        "a connects 4 keep; a > 34 [ 't' 0005 ]; a < 50 [ 0005 ]; state 2; a > 62 [ 0005 ]; a < 70 [ 0005 ]; state 1",
    ),
    (
        "a session that ends leaves nothing",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 02 '$share/g/u' 01 ]; a < 90 [ 0001 [ ] 02 01 ]; gateway t 2 0 1; a < 34 [ 't' 0001 [ ] \"1\" ]
         a > 34 [ 'x' 0001 [ ] ]; a < 50 [ 0001 ]; a lost; gateway t 1 0 2; gateway u 1 0 3; wait 100000; state 0",
    ),
    (
        "a clean start leaves nothing of the session before",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost; gateway t 1 0 1; a connects 4; state 0; crash; a connects 4 keep",
    ),
    (
        "DISCONNECT with expiry 0 leaves nothing",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a > e0 [ 00 [ 11 00000000 ] ]; a closed; state 0",
    ),
    (
        "a session taken over without expiry leaves nothing",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; gateway t 1 0 x
         a open; a > 10 [ 'MQTT' 05 00 0000 [ ] 'a' ]; a < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]
         a < 32 [ 't' 0001 [ ] \"x\" ]; a > 40 [ 0001 ]; state 0",
    ),
    (
        "the owner of a session",
        "a open; a > 10 [ 'MQTT' 04 80 0000 'a' 'anna' ]; a < 20 02 00 00; crash
         b open; b > 10 [ 'MQTT' 04 80 0000 'a' 'otto' ]; b < 20 02 00 05; b closed
         a open; a > 10 [ 'MQTT' 04 80 0000 'a' 'anna' ]; a < 20 02 01 00",
    ),
    (
        "two crashes in a row",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost; gateway t 1 0 1; crash; gateway t 1 0 2; crash; gateway t 1 0 3
         a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]; a < 32 [ 't' 0003 \"3\" ]",
    ),
];

#[test]
fn state_survives_a_crash() {
    check(STATE_SURVIVES);
}

#[test]
fn what_cannot_be_restored_is_named() {
    let mut broker = Broker::new(small_limits());
    let mut check = |key: &[u8], value: &[u8], expected: RestoreError| {
        assert_eq!(broker.restore(key, value), Err(expected), "{key:?}");
    };
    check(b"", b"", RestoreError::Kind(0));
    check(b"\x09x", b"", RestoreError::Kind(9));
    check(b"\x01id", b"\x01", RestoreError::Damaged(Subject::Session));
    check(
        b"\x02\0\0\0\x01t",
        b"\x01\0\0\0\0\0",
        RestoreError::Orphan(Subject::Subscription),
    );
    check(
        b"\x02\0\0\0\x01t",
        b"\x02\0\0\0\0\0",
        RestoreError::Damaged(Subject::Subscription),
    );
    check(b"\x03\0", b"", RestoreError::Damaged(Subject::Message));
    check(
        b"\x04\0\0\0\x01\0\0\0\0\0\0\0\x01",
        b"",
        RestoreError::Damaged(Subject::Delivery),
    );
    check(
        b"\x05\0\0\0\x01\0\x05",
        b"\x01",
        RestoreError::Orphan(Subject::PacketId),
    );
    check(b"\x06t", b"\x01", RestoreError::Damaged(Subject::Retained));
    let value = [
        1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, b'u', b'x',
    ];
    check(b"\x06t", &value, RestoreError::Damaged(Subject::Retained));
}

#[test]
fn messages_that_nobody_waits_for_are_deleted_at_start() {
    let mut stage = Stage::new(small_limits());
    for step in
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost; gateway t 1 0 x"
            .split(';')
    {
        stage.step(step.trim()).expect("as planned");
    }
    stage.tape.state.retain(|key, _| key[0] != 4);
    stage.step("crash").expect("it starts again");
    assert!(
        stage.tape.state.keys().all(|key| key[0] != 3),
        "{:?}",
        stage.tape.state
    );
}

proptest! {
    #[test]
    fn any_pair_is_restored_or_refused(
        pairs in proptest::collection::vec(
            (0_u8..8, proptest::collection::vec(any::<u8>(), 0..20), proptest::collection::vec(any::<u8>(), 0..60), any::<bool>()),
            0..30,
        )
    ) {
        let mut stage = Stage::new(small_limits());
        for (kind, mut key, mut value, versioned) in pairs {
            key.insert(0, kind);
            if versioned && !value.is_empty() {
                value[0] = 1;
            }
            let _refused_or_not = stage.broker.restore(&key, &value).is_ok();
        }
        stage.step("crash").expect("the state of the tape is empty");
    }
}
