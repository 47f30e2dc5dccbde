//! PUBLISH in and out, all QoS, retained messages.

use super::script::{Row, check};

const PUBLISH_FOLLOWS_3_1_1: &[Row<'_>] = &[
    (
        "4: QoS 0 is not answered",
        "a connects 4; a > 30 [ 't' \"x\" ]",
    ),
    (
        "4: [MQTT-4.3.2-2] QoS 1 is answered with PUBACK",
        "a connects 4; a > 32 [ 't' 0007 \"x\" ]; a < 40 [ 0007 ]",
    ),
    (
        "4: [MQTT-4.3.3-2] QoS 2 takes four packets",
        "a connects 4; a > 34 [ 't' 0007 \"x\" ]; a < 50 [ 0007 ]; a > 62 [ 0007 ]; a < 70 [ 0007 ]",
    ),
    (
        "4: an empty payload is a message",
        "a connects 4; a > 32 [ 't' 0001 ]; a < 40 [ 0001 ]",
    ),
    (
        "4: nothing is acknowledged before it is durable",
        "a connects 4; hold; a > 32 [ 't' 0001 ]; a > 34 [ 't' 0002 ]; ack; a < 40 [ 0001 ]; ack; a < 50 [ 0002 ]",
    ),
    (
        "4: [MQTT-4.6.0-2] acknowledgements go out in the order of receipt",
        "a connects 4; hold; a > 32 [ 't' 0001 ]; a > 34 [ 't' 0002 ]; a > 32 [ 't' 0003 ]; ack last; ack last; ack; a < 40 [ 0001 ]; a < 50 [ 0002 ]; a < 40 [ 0003 ]",
    ),
    (
        "4: an acknowledgement for a lost connection is ignored",
        "a connects 4; hold; a > 32 [ 't' 0001 ]; a lost; a connects 4; ack",
    ),
    (
        "4: [MQTT-3.3.1-4] QoS 3 closes",
        "a connects 4; a > 36 [ 't' 0001 ]; a closed",
    ),
    (
        "4: [MQTT-3.3.1-2] DUP at QoS 0 closes",
        "a connects 4; a > 38 [ 't' ]; a closed",
    ),
    (
        "4: [MQTT-2.3.1-1] packet id 0 closes at QoS 1",
        "a connects 4; a > 32 [ 't' 0000 ]; a closed",
    ),
    (
        "4: [MQTT-2.3.1-1] packet id 0 closes at QoS 2",
        "a connects 4; a > 34 [ 't' 0000 ]; a closed",
    ),
    (
        "4: [MQTT-3.3.2-2] `#` in a name closes",
        "a connects 4; a > 30 [ 'a/#' ]; a closed",
    ),
    (
        "4: [MQTT-3.3.2-2] `+` in a name closes",
        "a connects 4; a > 30 [ 'a/+/b' ]; a closed",
    ),
    (
        "4: [MQTT-4.7.3-1] an empty name closes",
        "a connects 4; a > 30 [ '' ]; a closed",
    ),
    (
        "4: [MQTT-4.7.3-2] U+0000 in a name closes",
        "a connects 4; a > 30 [ 0003 610062 ]; a closed",
    ),
    (
        "4: [MQTT-3.3.2-1] a name that is not UTF-8 closes",
        "a connects 4; a > 30 [ 0002 ff61 ]; a closed",
    ),
    (
        "4: a name over the end closes",
        "a connects 4; a > 30 [ 0010 61 ]; a closed",
    ),
    (
        "4: a missing packet id closes",
        "a connects 4; a > 32 [ 't' ]; a closed",
    ),
    (
        "4: PUBACK for an unknown id is ignored",
        "a connects 4; a > 40 [ 0001 ]; a > c0 00; a < d0 00",
    ),
    (
        "4: PUBACK with id 0 closes",
        "a connects 4; a > 40 [ 0000 ]; a closed",
    ),
    (
        "4: PUBACK with a tail closes",
        "a connects 4; a > 40 [ 0001 00 ]; a closed",
    ),
    (
        "4: PUBACK with flags closes",
        "a connects 4; a > 42 [ 0001 ]; a closed",
    ),
    (
        "4: PUBREC for an unknown id is answered",
        "a connects 4; a > 50 [ 0001 ]; a < 62 [ 0001 ]",
    ),
    (
        "4: PUBREL for an unknown id is answered",
        "a connects 4; a > 62 [ 0001 ]; a < 70 [ 0001 ]",
    ),
    (
        "4: [MQTT-3.6.1-1] PUBREL without its flags closes",
        "a connects 4; a > 60 [ 0001 ]; a closed",
    ),
    (
        "4: PUBCOMP for an unknown id is ignored",
        "a connects 4; a > 70 [ 0001 ]",
    ),
    (
        "4: [MQTT-4.3.3-2] a QoS 2 message sent again is delivered once",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 4; a > 34 [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]; a > 3c [ 't' 0005 \"x\" ]; a < 50 [ 0005 ]; b < 30 [ 't' \"x\" ]; a > 62 [ 0005 ]; a < 70 [ 0005 ]; a > 34 [ 't' 0005 \"y\" ]; a < 50 [ 0005 ]; b < 30 [ 't' \"y\" ]",
    ),
    (
        "4: a QoS 2 message sent again before it is durable is answered once",
        "a connects 4; hold; a > 34 [ 't' 0005 ]; a > 3c [ 't' 0005 ]; ack; a < 50 [ 0005 ]",
    ),
    (
        "4: a QoS 1 message sent again is delivered again",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 4; a > 32 [ 't' 0005 ]; a < 40 [ 0005 ]; a > 3a [ 't' 0005 ]; a < 40 [ 0005 ]; b < 30 [ 't' ]; b < 30 [ 't' ]",
    ),
    (
        "4: non-ASCII topics are topics",
        "b connects 4; b > 82 [ 0001 '温度/+' 00 ]; b < 90 [ 0001 00 ]; a connects 4; a > 30 [ '温度/1' \"21.5\" ]; b < 30 [ '温度/1' \"21.5\" ]",
    ),
    (
        "4: QoS 1 out",
        "b connects 4; b > 82 [ 0001 't' 01 ]; b < 90 [ 0001 01 ]; a connects 4; a > 32 [ 't' 0009 \"x\" ]; b < 32 [ 't' 0001 \"x\" ]; a < 40 [ 0009 ]; b > 40 [ 0001 ]",
    ),
    (
        "4: QoS 2 out",
        "b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; a connects 4; a > 34 [ 't' 0009 \"x\" ]; b < 34 [ 't' 0001 \"x\" ]; a < 50 [ 0009 ]; b > 50 [ 0001 ]; b < 62 [ 0001 ]; b > 70 [ 0001 ]",
    ),
    (
        "4: PUBREC twice is answered twice",
        "b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; gateway t 2 0 x; b < 34 [ 't' 0001 \"x\" ]; b > 50 [ 0001 ]; b < 62 [ 0001 ]; b > 50 [ 0001 ]; b < 62 [ 0001 ]; b > 70 [ 0001 ]",
    ),
    (
        "4: PUBACK does not end a QoS 2 message",
        "b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; gateway t 2 0 x; b < 34 [ 't' 0001 \"x\" ]; b > 40 [ 0001 ]; b > 50 [ 0001 ]; b < 62 [ 0001 ]; b > 70 [ 0001 ]",
    ),
    (
        "4: PUBCOMP before PUBREC does not end a QoS 2 message",
        "b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; gateway t 2 0 x; b < 34 [ 't' 0001 \"x\" ]; b > 70 [ 0001 ]; b > 50 [ 0001 ]; b < 62 [ 0001 ]; b > 70 [ 0001 ]",
    ),
    (
        "4: [MQTT-3.8.4-6] QoS is the lower of both: 2 to 1",
        "b connects 4; b > 82 [ 0001 't' 01 ]; b < 90 [ 0001 01 ]; gateway t 2 0 x; b < 32 [ 't' 0001 \"x\" ]; b > 40 [ 0001 ]",
    ),
    (
        "4: [MQTT-3.8.4-6] QoS is the lower of both: 1 to 2",
        "b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; gateway t 1 0 x; b < 32 [ 't' 0001 \"x\" ]; b > 40 [ 0001 ]",
    ),
    (
        "4: the publisher gets its own message",
        "a connects 4; a > 82 [ 0001 't' 00 ]; a < 90 [ 0001 00 ]; a > 30 [ 't' \"x\" ]; a < 30 [ 't' \"x\" ]",
    ),
    (
        "4: a window of four, the rest waits in order",
        "b connects 4; b > 82 [ 0001 't' 01 ]; b < 90 [ 0001 01 ]; gateway t 1 0 1; gateway t 1 0 2; gateway t 1 0 3; gateway t 1 0 4; gateway t 1 0 5; gateway t 1 0 6; b < 32 [ 't' 0001 \"1\" ]; b < 32 [ 't' 0002 \"2\" ]; b < 32 [ 't' 0003 \"3\" ]; b < 32 [ 't' 0004 \"4\" ]; b > 40 [ 0002 ]; b < 32 [ 't' 0005 \"5\" ]; b > 40 [ 0001 ]; b < 32 [ 't' 0006 \"6\" ]",
    ),
    (
        "4: a right that is missing closes at QoS 1",
        "a open; a > 10 [ 'MQTT' 04 82 0000 'c1' 'limited' ]; a < 20 02 00 00; a > 32 [ 'other' 0001 ]; a closed",
    ),
    (
        "4: a right that is missing drops at QoS 0",
        "b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; a open; a > 10 [ 'MQTT' 04 82 0000 'c1' 'limited' ]; a < 20 02 00 00; a > 30 [ 'other' ]; a > 30 [ 'sensors/limited/t' \"1\" ]; b < 30 [ 'sensors/limited/t' \"1\" ]",
    ),
];

#[test]
fn publish_follows_3_1_1() {
    check(PUBLISH_FOLLOWS_3_1_1);
}

const RETAINED_MESSAGES_FOLLOW_3_1_1: &[Row<'_>] = &[
    (
        "4: [MQTT-3.3.1-6] a retained message is sent to a new subscriber",
        "a connects 4; a > 31 [ 't' \"x\" ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 't' \"x\" ]",
    ),
    (
        "4: [MQTT-3.3.1-9] to a present subscriber it goes without the flag",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 4; a > 31 [ 't' \"x\" ]; b < 30 [ 't' \"x\" ]",
    ),
    (
        "4: [MQTT-3.3.1-5] the last one counts",
        "a connects 4; a > 31 [ 't' \"x\" ]; a > 31 [ 't' \"y\" ]; b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 't' \"y\" ]",
    ),
    (
        "4: [MQTT-3.3.1-10] an empty one deletes",
        "a connects 4; a > 31 [ 't' \"x\" ]; a > 31 [ 't' ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]",
    ),
    (
        "4: [MQTT-3.3.1-11] an empty one is not kept itself",
        "a connects 4; a > 31 [ 't' ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]",
    ),
    (
        "4: [MQTT-3.3.1-12] an empty one that is not retained deletes nothing",
        "a connects 4; a > 31 [ 't' \"x\" ]; a > 30 [ 't' ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 't' \"x\" ]",
    ),
    (
        "4: [MQTT-3.8.4-3] subscribing again sends it again",
        "a connects 4; a > 31 [ 't' \"x\" ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 't' \"x\" ]; b > 82 [ 0002 't' 00 ]; b < 90 [ 0002 00 ]; b < 31 [ 't' \"x\" ]",
    ),
    (
        "4: QoS of a retained message is the lower of both",
        "a connects 4; a > 33 [ 't' 0001 \"x\" ]; a < 40 [ 0001 ]; b connects 4; b > 82 [ 0001 't' 02 ]; b < 90 [ 0001 02 ]; b < 33 [ 't' 0001 \"x\" ]; b > 40 [ 0001 ]",
    ),
    (
        "4: a wildcard finds all that match",
        "gateway a/1 0 1 x; gateway a/2 0 1 y; gateway b/1 0 1 z; b connects 4; b > 82 [ 0001 'a/+' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 'a/1' \"x\" ]; b < 31 [ 'a/2' \"y\" ]",
    ),
    (
        "4: [MQTT-4.7.2-1] a wildcard does not find $ topics",
        "gateway $SYS/x 0 1 x; b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; b > 82 [ 0002 '+/x' 00 ]; b < 90 [ 0002 00 ]; b > 82 [ 0003 '$SYS/#' 00 ]; b < 90 [ 0003 00 ]; b < 31 [ '$SYS/x' \"x\" ]",
    ),
    (
        "4: more retained messages than the window arrive one after the other",
        "gateway 1 1 1 x; gateway 2 1 1 x; gateway 3 1 1 x; gateway 4 1 1 x; gateway 5 1 1 x; gateway 6 1 1 x; b connects 4; b > 82 [ 0001 '#' 01 ]; b < 90 [ 0001 01 ]; b < 33 [ '1' 0001 \"x\" ]; b < 33 [ '2' 0002 \"x\" ]; b < 33 [ '3' 0003 \"x\" ]; b < 33 [ '4' 0004 \"x\" ]; b > 40 [ 0001 ]; b < 33 [ '5' 0005 \"x\" ]; b > 40 [ 0002 ]; b < 33 [ '6' 0006 \"x\" ]",
    ),
    (
        "4: retained messages outlive their publisher",
        "a connects 4; a > 31 [ 't' \"x\" ]; a > e0 00; a closed; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; b < 31 [ 't' \"x\" ]",
    ),
];

#[test]
fn retained_messages_follow_3_1_1() {
    check(RETAINED_MESSAGES_FOLLOW_3_1_1);
}

const PUBLISH_FOLLOWS_5: &[Row<'_>] = &[
    (
        "5: QoS 1 is answered",
        "a connects 5; a > 32 [ 't' 0007 [ ] \"x\" ]; a < 40 [ 0007 ]",
    ),
    (
        "5: QoS 2 takes four packets",
        "a connects 5; a > 34 [ 't' 0007 [ ] \"x\" ]; a < 50 [ 0007 ]; a > 62 [ 0007 00 ]; a < 70 [ 0007 ]",
    ),
    (
        "5: the engine's refusal is told at QoS 1",
        "a connects 5; hold; a > 32 [ 't' 0001 [ ] ]; ack 99; a < 40 [ 0001 99 ]",
    ),
    (
        "5: the engine's refusal is told at QoS 2, and the id is free",
        "a connects 5; hold; a > 34 [ 't' 0001 [ ] ]; ack 99; a < 50 [ 0001 99 ]; a > 62 [ 0001 ]; a < 70 [ 0001 92 ]",
    ),
    (
        "5: PUBREL for an unknown id",
        "a connects 5; a > 62 [ 0001 ]; a < 70 [ 0001 92 ]",
    ),
    (
        "5: PUBREC for an unknown id",
        "a connects 5; a > 50 [ 0001 ]; a < 62 [ 0001 92 ]",
    ),
    (
        "5: PUBREC with a refusal ends the message",
        "b connects 5; b > 82 [ 0001 [ ] 't' 02 ]; b < 90 [ 0001 [ ] 02 ]; gateway t 2 0 x; b < 34 [ 't' 0001 [ ] \"x\" ]; b > 50 [ 0001 80 ]; b > 50 [ 0001 ]; b < 62 [ 0001 92 ]",
    ),
    (
        "5: PUBACK with a reason and properties",
        "b connects 5; b > 82 [ 0001 [ ] 't' 01 ]; b < 90 [ 0001 [ ] 01 ]; gateway t 1 0 x; b < 32 [ 't' 0001 [ ] \"x\" ]; b > 40 [ 0001 10 [ 1f 'ok' ] ]",
    ),
    (
        "5: PUBACK with a reason that is none",
        "b connects 5; b > 40 [ 0001 04 ]; b < e0 [ 81 ]; b closed",
    ),
    (
        "5: PUBACK with a strange property",
        "b connects 5; b > 40 [ 0001 00 [ 01 00 ] ]; b < e0 [ 81 ]; b closed",
    ),
    (
        "5: [MQTT-3.3.1-4] QoS 3",
        "a connects 5; a > 36 [ 't' 0001 [ ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.1-2] DUP at QoS 0",
        "a connects 5; a > 38 [ 't' [ ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: [MQTT-2.2.1-3] packet id 0",
        "a connects 5; a > 32 [ 't' 0000 [ ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.2-2] a wildcard in a name",
        "a connects 5; a > 30 [ 'a/#' [ ] ]; a < e0 [ 90 ]; a closed",
    ),
    (
        "5: an empty name without an alias",
        "a connects 5; a > 30 [ '' [ ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-1.5.4-1] a name that is not UTF-8",
        "a connects 5; a > 30 [ 0001 ff [ ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: [MQTT-1.5.4-2] U+0000",
        "a connects 5; a > 30 [ 0001 00 [ ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: a property of CONNECT",
        "a connects 5; a > 30 [ 't' [ 21 0001 ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.4-6] a subscription identifier from a client",
        "a connects 5; a > 30 [ 't' [ 0b 01 ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: payload format 2",
        "a connects 5; a > 30 [ 't' [ 01 02 ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.2-14] a response topic with a wildcard",
        "a connects 5; a > 30 [ 't' [ 08 'r/#' ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.4-9] more than the Receive Maximum",
        "a connects 5; hold; a > 32 [ 't' 0001 [ ] ]; a > 32 [ 't' 0002 [ ] ]; a > 34 [ 't' 0003 [ ] ]; a > 34 [ 't' 0004 [ ] ]; a > 32 [ 't' 0005 [ ] ]; a < e0 [ 93 ]; a closed",
    ),
    (
        "5: QoS 2 counts until PUBCOMP",
        "a connects 5; a > 34 [ 't' 0001 [ ] ]; a < 50 [ 0001 ]; a > 34 [ 't' 0002 [ ] ]; a < 50 [ 0002 ]; a > 34 [ 't' 0003 [ ] ]; a < 50 [ 0003 ]; a > 34 [ 't' 0004 [ ] ]; a < 50 [ 0004 ]; a > 62 [ 0001 ]; a < 70 [ 0001 ]; a > 34 [ 't' 0005 [ ] ]; a < 50 [ 0005 ]; a > 34 [ 't' 0006 [ ] ]; a < e0 [ 93 ]; a closed",
    ),
    (
        "5: QoS 0 goes on above the Receive Maximum",
        "a connects 5; hold; a > 32 [ 't' 0001 [ ] ]; a > 32 [ 't' 0002 [ ] ]; a > 32 [ 't' 0003 [ ] ]; a > 32 [ 't' 0004 [ ] ]; a > 30 [ 't' [ ] ]; ack; a < 40 [ 0001 ]",
    ),
    (
        "4: a 3.1.1 client above the maximum is held back",
        "a connects 4; hold; a > 32 [ 't' 0001 ]; a > 32 [ 't' 0002 ]; a > 32 [ 't' 0003 ]; a > 32 [ 't' 0004 ]; a > 32 [ 't' 0005 ]; busy; a > c0 00; a < d0 00; ack; a < 40 [ 0001 ]; a > 32 [ 't' 0005 ]",
    ),
    (
        "4: too many QoS 2 ids without release close",
        "a connects 4; a > 34 [ 't' 0001 ]; a < 50 [ 0001 ]; a > 34 [ 't' 0002 ]; a < 50 [ 0002 ]; a > 34 [ 't' 0003 ]; a < 50 [ 0003 ]; a > 34 [ 't' 0004 ]; a < 50 [ 0004 ]; a > 34 [ 't' 0005 ]; a < 50 [ 0005 ]; a > 34 [ 't' 0006 ]; a < 50 [ 0006 ]; a > 34 [ 't' 0007 ]; a closed",
    ),
    (
        "5: a right that is missing is told at QoS 1",
        "a open; a > 10 [ 'MQTT' 05 82 0000 [ ] 'c1' 'limited' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 32 [ 'other' 0001 [ ] ]; a < 40 [ 0001 87 ]; a > 32 [ 'sensors/limited/t' 0001 [ ] ]; a < 40 [ 0001 ]",
    ),
    (
        "5: a right that is missing is told at QoS 2",
        "a open; a > 10 [ 'MQTT' 05 82 0000 [ ] 'c1' 'limited' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 34 [ 'other' 0001 [ ] ]; a < 50 [ 0001 87 ]; a > 62 [ 0001 ]; a < 70 [ 0001 92 ]",
    ),
];

#[test]
fn publish_follows_5() {
    check(PUBLISH_FOLLOWS_5);
}
