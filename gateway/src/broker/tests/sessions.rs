//! Sessions that outlast their connection: queues, redelivery, expiry.

use super::script::{Row, check};

const SESSIONS_FOLLOW_3_1_1: &[Row<'_>] = &[
    (
        "4: [MQTT-3.2.2-2] a kept session is announced",
        "a connects 4 keep; a lost; a connects 4 keep present",
    ),
    (
        "4: [MQTT-3.1.2-6] a clean session is not kept",
        "a connects 4; a > 82 [ 0001 't' 00 ]; a < 90 [ 0001 00 ]; a lost; a connects 4; gateway t 0 0 x",
    ),
    (
        "4: [MQTT-3.1.2-6] a clean session ends the kept one",
        "a connects 4 keep; a > 82 [ 0001 't' 00 ]; a < 90 [ 0001 00 ]; a lost; a connects 4; gateway t 0 0 x; a lost; a connects 4 keep",
    ),
    (
        "4: [MQTT-3.1.2-4] subscriptions are kept",
        "a connects 4 keep; a > 82 [ 0001 't' 00 ]; a < 90 [ 0001 00 ]; a > e0 00; a closed; a connects 4 keep present; gateway t 0 0 x; a < 30 [ 't' \"x\" ]",
    ),
    (
        "4: [MQTT-3.1.2-5] QoS 1 and 2 are queued while away, QoS 0 is not",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; a lost; gateway t 0 0 0; gateway t 1 0 1; gateway t 2 0 2; a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 34 [ 't' 0002 \"2\" ]",
    ),
    (
        "4: [MQTT-4.4.0-1] what was in flight is sent again with DUP",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; gateway t 1 0 1; gateway t 2 0 2; a < 32 [ 't' 0001 \"1\" ]; a < 34 [ 't' 0002 \"2\" ]; a lost; a connects 4 keep present; a < 3a [ 't' 0001 \"1\" ]; a < 3c [ 't' 0002 \"2\" ]; a > 40 [ 0001 ]; a > 50 [ 0002 ]; a < 62 [ 0002 ]; a > 70 [ 0002 ]",
    ),
    (
        "4: [MQTT-4.4.0-1] PUBREL is sent again",
        "a connects 4 keep; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; gateway t 2 0 2; a < 34 [ 't' 0001 \"2\" ]; a > 50 [ 0001 ]; a < 62 [ 0001 ]; a lost; a connects 4 keep present; a < 62 [ 0001 ]; a > 70 [ 0001 ]; a lost; a connects 4 keep present",
    ),
    (
        "4: queued messages come behind those in flight",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; gateway t 1 0 1; a < 32 [ 't' 0001 \"1\" ]; a lost; gateway t 1 0 2; a connects 4 keep present; a < 3a [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]",
    ),
    (
        "4: a QoS 2 id outlives the connection",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 4 keep; a > 34 [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]; b < 30 [ 't' \"x\" ]; a lost; a connects 4 keep present; a > 3c [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]; a > 62 [ 0005 ]; a < 70 [ 0005 ]",
    ),
    (
        "4: a QoS 2 message not durable yet is not delivered again",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; hold; a connects 4 keep; a > 34 [ 't' 0005 \"x\" ]; b < 30 [ 't' \"x\" ]; a lost; a connects 4 keep present; a > 3c [ 't' 0005 \"x\" ]; ack; a < 50 [ 0005 ]; a > 62 [ 0005 ]; a < 70 [ 0005 ]",
    ),
    (
        "4: a QoS 2 message that becomes durable while away",
        "hold; a connects 4 keep; a > 34 [ 't' 0005 \"x\" ]; a lost; ack; a connects 4 keep present; a > 3c [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]; a > 62 [ 0005 ]; a < 70 [ 0005 ]",
    ),
    (
        "4: a QoS 2 message refused while away is new when it comes again",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; hold; a connects 4 keep; a > 34 [ 't' 0005 \"x\" ]; b < 30 [ 't' \"x\" ]; a lost; ack 99; a connects 4 keep present; a > 3c [ 't' 0005 \"x\" ]; b < 30 [ 't' \"x\" ]; ack; a < 50 [ 0005 ]",
    ),
    (
        "4: take-over keeps the session",
        "a open; a > 10 [ 'MQTT' 04 00 0000 'same' ]; a < 20 02 00 00; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; gateway t 1 0 1; a < 32 [ 't' 0001 \"1\" ]; b open; b > 10 [ 'MQTT' 04 00 0000 'same' ]; a closed; b < 20 02 01 00; b < 3a [ 't' 0001 \"1\" ]",
    ),
    (
        "4: UNSUBSCRIBE while something is queued keeps that",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; gateway t 1 0 1; a < 32 [ 't' 0001 \"1\" ]; a > a2 [ 0002 't' ]; a < b0 [ 0002 ]; gateway t 1 0 2; a > 40 [ 0001 ]",
    ),
    (
        "4: a kept session ends after the limit",
        "a connects 4 keep; a lost; wait 999999; a connects 4 keep present; a lost; wait 1000000; a connects 4 keep",
    ),
    (
        "4: all queued messages of a session come, in order",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost; gateway t 1 0 1; gateway t 1 0 2; gateway t 1 0 3; gateway t 1 0 4; gateway t 1 0 5; a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]; a < 32 [ 't' 0003 \"3\" ]; a < 32 [ 't' 0004 \"4\" ]; a > 40 [ 0001 ]; a < 32 [ 't' 0005 \"5\" ]",
    ),
];

#[test]
fn sessions_follow_3_1_1() {
    check(SESSIONS_FOLLOW_3_1_1);
}

const SESSIONS_FOLLOW_5: &[Row<'_>] = &[
    (
        "5: a session lasts as long as its expiry",
        "a connects 5 keep; a lost; wait 99999; a connects 5 keep present; a lost; wait 100000; a connects 5 keep",
    ),
    (
        "5: without an expiry it ends with the connection",
        "a open; a > 10 [ 'MQTT' 05 00 0000 [ ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; a connects 5 keep",
    ),
    (
        "5: DISCONNECT shortens the expiry",
        "a connects 5 keep; a > e0 [ 00 [ 11 00000001 ] ]; a closed; wait 1000; a connects 5 keep",
    ),
    (
        "5: DISCONNECT ends the session at once",
        "a connects 5 keep; a > e0 [ 00 [ 11 00000000 ] ]; a closed; a connects 5 keep",
    ),
    (
        "5: DISCONNECT lengthens the expiry",
        "a connects 5 keep; a > e0 [ 00 [ 11 00000200 ] ]; a closed; wait 500000; a connects 5 keep present",
    ),
    (
        "5: [MQTT-3.1.2-4] clean start ends the session",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; gateway t 1 0 x; a connects 5; gateway t 1 0 y",
    ),
    (
        "5: a session may go on under the other version",
        "a connects 5 keep; a > 82 [ 0001 [ 0b 01 ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; gateway t 1 0 x; a connects 4 keep present; a < 32 [ 't' 0001 \"x\" ]",
    ),
    (
        "5: a queued message keeps its identifier",
        "a connects 5 keep; a > 82 [ 0001 [ 0b 09 ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; gateway t 1 0 x; a connects 5 keep present; a < 32 [ 't' 0001 [ 0b 09 ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.2-5] a message that expired while queued is not sent",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; b connects 5; b > 32 [ 't' 0001 [ 02 00000005 ] \"x\" ]; b < 40 [ 0001 ]; b > 32 [ 't' 0002 [ 02 00000010 ] \"y\" ]; b < 40 [ 0002 ]; wait 6000; a connects 5 keep present; count dropped_expired 1; a < 32 [ 't' 0001 [ 02 0000000a ] \"y\" ]",
    ),
    (
        "5: the client's Receive Maximum holds",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ 21 0001 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 't' 02 ]; a < 90 [ 0001 [ ] 02 ]; gateway t 1 0 1; gateway t 2 0 2; gateway t 0 0 0; gateway t 1 0 3; a < 32 [ 't' 0001 [ ] \"1\" ]; a < 30 [ 't' [ ] \"0\" ]; a > 40 [ 0001 ]; a < 34 [ 't' 0002 [ ] \"2\" ]; a > 50 [ 0002 ]; a < 62 [ 0002 ]; a > 70 [ 0002 ]; a < 32 [ 't' 0003 [ ] \"3\" ]",
    ),
    (
        "5: the client's Receive Maximum holds for what is sent again",
        "a connects 5 keep; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; gateway t 1 0 1; gateway t 1 0 2; a < 32 [ 't' 0001 [ ] \"1\" ]; a < 32 [ 't' 0002 [ ] \"2\" ]; a lost; a open; a > 10 [ 'MQTT' 05 00 0000 [ 11 00000064 21 0001 ] 'a' ]; a < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]; a < 3a [ 't' 0001 [ ] \"1\" ]; a > 40 [ 0001 ]; a < 3a [ 't' 0002 [ ] \"2\" ]",
    ),
    (
        "5: new rights end the subscriptions they do not cover",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ ] 'c1' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         a > 82 [ 0001 [ ] '#' 00 'alerts/c1/x' 00 ]; a < 90 [ 0001 [ ] 00 00 ]; a rights limited; count subscribes_denied 1
         gateway other 0 0 1; gateway alerts/c1/x 0 0 2; a < 30 [ 'alerts/c1/x' [ ] \"2\" ]
         a > 32 [ 'other' 0001 [ ] ]; a < 40 [ 0001 87 ]; a rights nobody; a < e0 [ 87 ]; a closed",
    ),
    (
        "5: rights that are gone take their subscriptions along",
        "a open; a > 10 [ 'MQTT' 05 80 0000 [ 11 00000064 ] 'c1' 'limited' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 'alerts/c1/+' 01 ]; a < 90 [ 0001 [ ] 01 ]; a lost; gateway alerts/c1/x 1 0 y; a open; a > 10 [ 'MQTT' 05 80 0000 [ 11 00000064 ] 'c1' 'limited' ]; a < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]; a < 32 [ 'alerts/c1/x' 0001 [ ] \"y\" ]",
    ),
];

#[test]
fn sessions_follow_5() {
    check(SESSIONS_FOLLOW_5);
}
