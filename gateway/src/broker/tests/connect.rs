//! CONNECT, CONNACK, DISCONNECT, PINGREQ, take-over.

use super::script::{Row, check};

const CONNECT_FOLLOWS_3_1_1: &[Row<'_>] = &[
    (
        "4: an ordinary CONNECT is accepted",
        "a open; a > 10 [ 'MQTT' 04 02 003c 'id' ]; a < 20 02 00 00",
    ),
    (
        "4: user and password",
        "a open; a > 10 [ 'MQTT' 04 c2 003c 'id' 'anna' 'secret' ]; a < 20 02 00 00",
    ),
    (
        "4: [MQTT-3.1.3-6] an empty id with a clean session is given one",
        "a open; a > 10 [ 'MQTT' 04 02 0000 '' ]; a < 20 02 00 00",
    ),
    (
        "4: [MQTT-3.1.3-8] an empty id without a clean session is refused",
        "a open; a > 10 [ 'MQTT' 04 00 0000 '' ]; a < 20 02 00 02; a closed",
    ),
    (
        "4: an id above the limit is refused",
        "a open; a > 10 [ 'MQTT' 04 02 0000 '0123456789012345678901234567890123' ]; a < 20 02 00 02; a closed",
    ),
    (
        "4: an id of any characters is accepted",
        "a open; a > 10 [ 'MQTT' 04 02 0000 '温度/#+' ]; a < 20 02 00 00",
    ),
    (
        "4: [MQTT-3.1.2-2] level 3 is answered with 1",
        "a open; a > 10 [ 'MQIsdp' 03 02 003c 'id' ]; a < 20 02 00 01; a closed",
    ),
    (
        "4: [MQTT-3.1.2-2] level 0 is answered with 1",
        "a open; a > 10 [ 'MQTT' 00 02 003c 'id' ]; a < 20 02 00 01; a closed",
    ),
    (
        "4: [MQTT-3.1.2-1] another protocol name closes",
        "a open; a > 10 [ 'HTTP' 04 02 003c 'id' ]; a closed",
    ),
    (
        "4: [MQTT-3.1.2-3] the reserved flag closes",
        "a open; a > 10 [ 'MQTT' 04 03 003c 'id' ]; a closed",
    ),
    (
        "4: [MQTT-3.1.2-22] a password without a user closes",
        "a open; a > 10 [ 'MQTT' 04 42 003c 'id' 'secret' ]; a closed",
    ),
    (
        "4: [MQTT-3.1.2-11] will QoS without a will closes",
        "a open; a > 10 [ 'MQTT' 04 0a 003c 'id' ]; a closed",
    ),
    (
        "4: [MQTT-3.1.2-15] will retain without a will closes",
        "a open; a > 10 [ 'MQTT' 04 22 003c 'id' ]; a closed",
    ),
    (
        "4: [MQTT-3.1.2-14] will QoS 3 closes",
        "a open; a > 10 [ 'MQTT' 04 1e 003c 'id' 'w' 'x' ]; a closed",
    ),
    (
        "4: a will topic with a wildcard closes",
        "a open; a > 10 [ 'MQTT' 04 06 003c 'id' 'w/#' 'x' ]; a closed",
    ),
    (
        "4: an empty will topic closes",
        "a open; a > 10 [ 'MQTT' 04 06 003c 'id' '' 'x' ]; a closed",
    ),
    (
        "4: bytes behind the last field close",
        "a open; a > 10 [ 'MQTT' 04 02 003c 'id' 00 ]; a closed",
    ),
    (
        "4: a field over the end closes",
        "a open; a > 10 [ 'MQTT' 04 02 003c 0009 \"id\" ]; a closed",
    ),
    (
        "4: flags in the fixed header close",
        "a open; a > 11 [ 'MQTT' 04 02 003c 'id' ]; a closed",
    ),
    (
        "4: [MQTT-1.5.3-1] an id that is not UTF-8 closes",
        "a open; a > 10 [ 'MQTT' 04 02 003c 0002 c328 ]; a closed",
    ),
    (
        "4: [MQTT-1.5.3-1] a surrogate closes",
        "a open; a > 10 [ 'MQTT' 04 02 003c 0003 eda080 ]; a closed",
    ),
    (
        "4: [MQTT-1.5.3-2] an id with U+0000 closes",
        "a open; a > 10 [ 'MQTT' 04 02 003c 0003 610062 ]; a closed",
    ),
    (
        "4: [MQTT-3.1.0-1] PUBLISH before CONNECT closes",
        "a open; a > 30 [ 't' \"x\" ]; a closed",
    ),
    (
        "4: [MQTT-3.1.0-1] PINGREQ before CONNECT closes",
        "a open; a > c0 00; a closed",
    ),
    (
        "4: [MQTT-3.1.0-2] a second CONNECT closes",
        "a connects 4; a > 10 [ 'MQTT' 04 02 003c 'a' ]; a closed",
    ),
    (
        "4: bad credentials are answered with 4",
        "a open; a > 10 [ 'MQTT' 04 82 003c 'id' 'bad' ]; a < 20 02 00 04; a closed",
    ),
    (
        "4: a stranger is answered with 5",
        "a open; a > 10 [ 'MQTT' 04 82 003c 'id' 'stranger' ]; a < 20 02 00 05; a closed",
    ),
    (
        "4: a crowd is answered with 3",
        "a open; a > 10 [ 'MQTT' 04 82 003c 'id' 'crowd' ]; a < 20 02 00 03; a closed",
    ),
    (
        "4: no CONNECT in time closes",
        "a open; wait 5000; a closed",
    ),
    (
        "4: an undecided CONNECT in time closes",
        "undecided; a open; a > 10 [ 'MQTT' 04 02 003c 'id' ]; wait 5000; a closed",
    ),
    (
        "4: packets behind an undecided CONNECT wait",
        "undecided; a open; a > 10 [ 'MQTT' 04 02 003c 'id' ]; a > c0 00; busy; decide; a < 20 02 00 00; a > c0 00; a < d0 00",
    ),
    ("4: DISCONNECT closes", "a connects 4; a > e0 00; a closed"),
    (
        "4: DISCONNECT with a body closes",
        "a connects 4; a > e0 01 00; a closed",
    ),
    (
        "4: DISCONNECT with flags closes",
        "a connects 4; a > e1 00; a closed",
    ),
    (
        "4: [MQTT-3.12.4-1] PINGREQ is answered",
        "a connects 4; a > c0 00; a < d0 00",
    ),
    (
        "4: PINGREQ with flags closes",
        "a connects 4; a > c1 00; a closed",
    ),
    (
        "4: PINGREQ with a body closes",
        "a connects 4; a > c0 01 00; a closed",
    ),
    (
        "4: [MQTT-3.1.2-24] one and a half keep-alives of silence close",
        "a connects 4 alive 10; wait 14999; a > c0 00; a < d0 00; wait 14999; a > c0 00; a < d0 00; wait 15000; a closed",
    ),
    (
        "4: keep-alive 0 never closes",
        "a connects 4; wait 100000000; a > c0 00; a < d0 00",
    ),
    (
        "4: [MQTT-3.1.4-2] a second connection takes over",
        "a open; a > 10 [ 'MQTT' 04 02 0000 'same' ]; a < 20 02 00 00; b open; b > 10 [ 'MQTT' 04 02 0000 'same' ]; a closed; b < 20 02 00 00",
    ),
    (
        "4: another user does not take over",
        "a open; a > 10 [ 'MQTT' 04 82 0000 'same' 'anna' ]; a < 20 02 00 00; b open; b > 10 [ 'MQTT' 04 82 0000 'same' 'otto' ]; b < 20 02 00 05; b closed; a > c0 00; a < d0 00",
    ),
    ("4: kind 0 closes", "a connects 4; a > 00 00; a closed"),
    ("4: kind 15 closes", "a connects 4; a > f0 00; a closed"),
    (
        "4: CONNACK from a client closes",
        "a connects 4; a > 20 02 00 00; a closed",
    ),
    (
        "4: SUBACK from a client closes",
        "a connects 4; a > 90 03 00 01 00; a closed",
    ),
    (
        "4: UNSUBACK from a client closes",
        "a connects 4; a > b0 02 00 01; a closed",
    ),
    (
        "4: PINGRESP from a client closes",
        "a connects 4; a > d0 00; a closed",
    ),
    ("4: no byte at all closes", "a connects 4; a > ; a closed"),
    (
        "4: packets after the end are ignored",
        "a connects 4; a > e0 00; a closed; a > c0 00; a > 30 [ 't' ]",
    ),
];

#[test]
fn connect_follows_3_1_1() {
    check(CONNECT_FOLLOWS_3_1_1);
}

const CONNECT_FOLLOWS_5: &[Row<'_>] = &[
    (
        "5: an ordinary CONNECT is accepted",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ ] 'id' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: a password without a user is allowed",
        "a open; a > 10 [ 'MQTT' 05 42 003c [ ] 'id' 'secret' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: [MQTT-3.2.2-21] a long keep-alive is cut",
        "a open; a > 10 [ 'MQTT' 05 02 0078 [ ] 'id' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 13 003c ] ]; wait 89999; a > c0 00; a < d0 00; wait 90000; a < e0 [ 8d ]; a closed",
    ),
    (
        "5: [MQTT-3.2.2-16] an empty id is given one",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ ] '' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 12 'assigned-fbdc63634d484bef' 22 0004 ] ]",
    ),
    (
        "5: session expiry is cut to the limit and told",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ 11 ffffffff ] 'id' ]; a < 20 [ 00 00 [ 11 000003e8 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: [MQTT-3.1.2-2] level 6 is answered with 0x84",
        "a open; a > 10 [ 'MQTT' 06 02 003c [ ] 'id' ]; a < 20 [ 00 84 ]; a closed",
    ),
    (
        "5: [MQTT-3.1.2-3] the reserved flag is refused",
        "a open; a > 10 [ 'MQTT' 05 03 003c [ ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: [MQTT-3.1.2-11] will QoS without a will is refused",
        "a open; a > 10 [ 'MQTT' 05 0a 003c [ ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: [MQTT-3.1.2-12] will QoS 3 is refused",
        "a open; a > 10 [ 'MQTT' 05 1e 003c [ ] 'id' [ ] 'w' 'x' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: a will topic with a wildcard is refused",
        "a open; a > 10 [ 'MQTT' 05 06 003c [ ] 'id' [ ] 'w/+' 'x' ]; a < 20 [ 00 90 ]; a closed",
    ),
    (
        "5: Receive Maximum 0 is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 21 0000 ] 'id' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: Maximum Packet Size 0 is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 27 00000000 ] 'id' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: Request Problem Information 2 is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 17 02 ] 'id' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: Request Response Information 1 is accepted",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 19 01 ] 'id' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: a property twice is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 21 0001 21 0001 ] 'id' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: user properties may stand twice",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 26 'k' 'v' 26 'k' 'v' ] 'id' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: a property of PUBLISH is malformed here",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 23 0001 ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: a property that does not exist is malformed",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 7f 01 ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: a property of servers is malformed",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 24 01 ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: properties over the end are malformed",
        "a open; a > 10 [ 'MQTT' 05 02 003c 7f 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: a property over the block's end is malformed",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 21 00 ] 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: a property length of five bytes is malformed",
        "a open; a > 10 [ 'MQTT' 05 02 003c 8080808001 'id' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: [MQTT-4.12.0-1] an authentication method is refused",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 15 'SCRAM' ] 'id' ]; a < 20 [ 00 8c ]; a closed",
    ),
    (
        "5: authentication data without a method is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 02 003c [ 16 'data' ] 'id' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: AUTH is a protocol error",
        "a connects 5; a > f0 00; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-3.1.0-2] a second CONNECT is a protocol error",
        "a connects 5; a > 10 [ 'MQTT' 05 02 003c [ ] 'a' ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: bad credentials",
        "a open; a > 10 [ 'MQTT' 05 82 003c [ ] 'id' 'bad' ]; a < 20 [ 00 86 ]; a closed",
    ),
    (
        "5: a stranger",
        "a open; a > 10 [ 'MQTT' 05 82 003c [ ] 'id' 'stranger' ]; a < 20 [ 00 87 ]; a closed",
    ),
    (
        "5: someone from an address that is slowed",
        "a open; a > 10 [ 'MQTT' 05 82 003c [ ] 'id' 'slowed' ]; a < 20 [ 00 9f ]; a closed",
    ),
    (
        "5: a crowd",
        "a open; a > 10 [ 'MQTT' 05 82 003c [ ] 'id' 'crowd' ]; a < 20 [ 00 89 ]; a closed",
    ),
    (
        "5: [MQTT-3.1.4-3] a second connection takes over",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ ] 'same' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; b open; b > 10 [ 'MQTT' 05 02 0000 [ ] 'same' ]; a < e0 [ 8e ]; a closed; b < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]",
    ),
    (
        "5: another user does not take over",
        "a open; a > 10 [ 'MQTT' 05 82 0000 [ ] 'same' 'anna' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; b open; b > 10 [ 'MQTT' 05 82 0000 [ ] 'same' 'otto' ]; b < 20 [ 00 87 ]; b closed",
    ),
    ("5: DISCONNECT closes", "a connects 5; a > e0 00; a closed"),
    (
        "5: DISCONNECT with a reason closes",
        "a connects 5; a > e0 [ 00 ]; a closed",
    ),
    (
        "5: DISCONNECT with properties closes",
        "a connects 5; a > e0 [ 04 [ 1f 'bye' 26 'k' 'v' ] ]; a closed",
    ),
    (
        "5: DISCONNECT with a server's reason is malformed",
        "a connects 5; a > e0 [ 8d ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: DISCONNECT with a strange property is malformed",
        "a connects 5; a > e0 [ 00 [ 01 00 ] ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: DISCONNECT raising the expiry from 0 is a protocol error",
        "a connects 5; a > e0 [ 00 [ 11 0000000a ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: CONNACK from a client is a protocol error",
        "a connects 5; a > 20 [ 00 00 00 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: kind 0 is malformed",
        "a connects 5; a > 00 00; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: reserved flags are malformed",
        "a connects 5; a > c4 00; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: a remaining length that lies is malformed",
        "a connects 5; a > c0 05; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: a will property twice is a protocol error",
        "a open; a > 10 [ 'MQTT' 05 06 003c [ ] 'id' [ 18 00000001 18 00000001 ] 'w' 'x' ]; a < 20 [ 00 82 ]; a closed",
    ),
    (
        "5: a will with a property of CONNECT is malformed",
        "a open; a > 10 [ 'MQTT' 05 06 003c [ ] 'id' [ 21 0001 ] 'w' 'x' ]; a < 20 [ 00 81 ]; a closed",
    ),
    (
        "5: both versions at once",
        "a connects 4; b connects 5; a > c0 00; a < d0 00; b > c0 00; b < d0 00",
    ),
];

#[test]
fn connect_follows_5() {
    check(CONNECT_FOLLOWS_5);
}
