//! Wills: when they are published, when they are forgotten, when they wait.

use super::script::{Row, check};

const WATCH: &str = "b connects 4; b > 82 [ 0001 'w' 01 ]; b < 90 [ 0001 01 ]; ";

fn check_watched(rows: &[Row<'_>]) {
    let rows: Vec<(String, String)> = rows
        .iter()
        .map(|(clause, script)| ((*clause).to_owned(), format!("{WATCH}{script}")))
        .collect();
    let rows: Vec<(&str, &str)> = rows
        .iter()
        .map(|(clause, script)| (clause.as_str(), script.as_str()))
        .collect();
    check(&rows);
}

const WILLS_FOLLOW_BOTH_VERSIONS: &[Row<'_>] = &[
    (
        "4: [MQTT-3.1.2-8] a lost connection publishes the will",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a lost; b < 30 [ 'w' \"gone\" ]; will w",
    ),
    (
        "4: [MQTT-3.1.2-10] DISCONNECT forgets it",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a > e0 00; a closed",
    ),
    (
        "4: a malformed packet publishes it",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a > 00 00; a closed; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "4: silence publishes it",
        "a open; a > 10 [ 'MQTT' 04 06 000a 'a' 'w' 'gone' ]; a < 20 02 00 00; wait 15000; a closed; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "4: take-over publishes it",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'x' 'w' 'gone' ]; a < 20 02 00 00; c open; c > 10 [ 'MQTT' 04 02 0000 'x' ]; a closed; b < 30 [ 'w' \"gone\" ]; c < 20 02 00 00",
    ),
    (
        "4: will QoS 1",
        "a open; a > 10 [ 'MQTT' 04 0e 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a lost; b < 32 [ 'w' 0001 \"gone\" ]",
    ),
    (
        "4: [MQTT-3.1.2-17] will retain",
        "a open; a > 10 [ 'MQTT' 04 26 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a lost; b < 30 [ 'w' \"gone\" ]; c connects 4; c > 82 [ 0001 'w' 00 ]; c < 90 [ 0001 00 ]; c < 31 [ 'w' \"gone\" ]",
    ),
    (
        "4: [MQTT-3.1.2-16] without will retain it is not kept",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a lost; b < 30 [ 'w' \"gone\" ]; c connects 4; c > 82 [ 0001 'w' 00 ]; c < 90 [ 0001 00 ]",
    ),
    (
        "4: an empty will is a message",
        "a open; a > 10 [ 'MQTT' 04 06 0000 'a' 'w' '' ]; a < 20 02 00 00; a lost; b < 30 [ 'w' ]",
    ),
    (
        "4: a refused CONNECT leaves no will",
        "a open; a > 10 [ 'MQTT' 04 86 0000 'a' 'w' 'gone' 'bad' ]; a < 20 02 00 04; a closed",
    ),
    (
        "4: a will without the right to its topic is refused",
        "a open; a > 10 [ 'MQTT' 04 86 0000 'a' 'w' 'gone' 'limited' ]; a < 20 02 00 05; a closed",
    ),
    (
        "4: a will is published once",
        "a open; a > 10 [ 'MQTT' 04 04 0000 'a' 'w' 'gone' ]; a < 20 02 00 00; a lost; b < 30 [ 'w' \"gone\" ]; wait 1000000; a connects 4 keep",
    ),
    (
        "5: a lost connection publishes the will",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ ] 'a' [ ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; b < 30 [ 'w' \"gone\" ]; will w",
    ),
    (
        "5: [MQTT-3.14.4-3] DISCONNECT 0x00 forgets it",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ ] 'a' [ ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > e0 [ 00 ]; a closed",
    ),
    (
        "5: DISCONNECT 0x04 publishes it",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ ] 'a' [ ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > e0 [ 04 ]; a closed; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "5: the delay is waited for",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ 11 00000064 ] 'a' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; wait 9999; b > c0 00; b < d0 00; wait 1; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "5: [MQTT-3.1.3-9] coming back in time forgets it",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ 11 00000064 ] 'a' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; wait 9999; a connects 5 keep present; wait 100000",
    ),
    (
        "5: the session's end publishes it before the delay",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ 11 00000005 ] 'a' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; wait 5000; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "5: a session without expiry publishes it at once",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ ] 'a' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "5: a clean start publishes a waiting will",
        "a open; a > 10 [ 'MQTT' 05 06 0000 [ 11 00000064 ] 'a' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; a connects 5; b < 30 [ 'w' \"gone\" ]",
    ),
    (
        "5: take-over of a session with a waiting will forgets it",
        "a open; a > 10 [ 'MQTT' 05 04 0000 [ 11 00000064 ] 'x' [ 18 0000000a ] 'w' 'gone' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; c open; c > 10 [ 'MQTT' 05 00 0000 [ 11 00000064 ] 'x' ]; a < e0 [ 8e ]; a closed; c < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]; wait 20000",
    ),
    (
        "5: the new connection's will replaces the old one's",
        "a open; a > 10 [ 'MQTT' 05 04 0000 [ 11 00000064 ] 'x' [ 18 0000000a ] 'w' 'old' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; a open; a > 10 [ 'MQTT' 05 04 0000 [ 11 00000064 ] 'x' [ 18 00000001 ] 'w' 'new' ]; a < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost; wait 1000; b < 30 [ 'w' \"new\" ]",
    ),
];

#[test]
fn wills_follow_both_versions() {
    check_watched(WILLS_FOLLOW_BOTH_VERSIONS);
}

#[test]
fn a_will_keeps_its_properties() {
    check(&[(
        "5: properties of the will are forwarded, its delay is not",
        "b connects 5; b > 82 [ 0001 [ ] 'w' 00 ]; b < 90 [ 0001 [ ] 00 ]
         a open; a > 10 [ 'MQTT' 05 06 0000 [ ] 'a' [ 01 01 18 0000000a 26 'k' 'v' 02 0000000f 03 'text' ] 'w' 'gone' ]
         a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a lost
         b < 30 [ 'w' [ 02 0000000f 01 01 26 'k' 'v' 03 'text' ] \"gone\" ]",
    )]);
}
