//! What MQTT 5 passes on and bounds: properties, aliases, expiry, packet size.

use super::script::{Row, check};

const PROPERTIES_ARE_PASSED_ON: &[Row<'_>] = &[
    (
        "5: [MQTT-3.3.2-17] user properties keep their order",
        "b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; a connects 5; a > 30 [ 't' [ 26 'b' '1' 26 'a' '2' 26 'b' '1' ] \"x\" ]; b < 30 [ 't' [ 26 'b' '1' 26 'a' '2' 26 'b' '1' ] \"x\" ]",
    ),
    (
        "5: request and response",
        "b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; a connects 5; a > 30 [ 't' [ 08 'reply/a' 09 0003 010203 ] \"x\" ]; b < 30 [ 't' [ 08 'reply/a' 09 0003 010203 ] \"x\" ]",
    ),
    (
        "5: payload format and content type",
        "b connects 5; b > 82 [ 0001 [ ] 't' 01 ]; b < 90 [ 0001 [ ] 01 ]; a connects 5; a > 32 [ 't' 0001 [ 01 01 03 'text/plain' ] \"x\" ]; b < 32 [ 't' 0001 [ 01 01 03 'text/plain' ] \"x\" ]; a < 40 [ 0001 ]",
    ),
    (
        "5: a 3.1.1 subscriber gets none of them",
        "b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]; a connects 5; a > 30 [ 't' [ 26 'b' '1' 02 00000010 ] \"x\" ]; b < 30 [ 't' \"x\" ]",
    ),
    (
        "5: a 3.1.1 publisher has none",
        "b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; a connects 4; a > 30 [ 't' \"x\" ]; b < 30 [ 't' [ ] \"x\" ]",
    ),
    (
        "5: alias and expiry are cut out of the middle",
        "b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; a connects 5; a > 30 [ 't' [ 01 01 23 0001 26 'k' 'v' 02 00000010 03 'c' ] \"x\" ]; b < 30 [ 't' [ 02 00000010 01 01 26 'k' 'v' 03 'c' ] \"x\" ]",
    ),
    (
        "5: retained messages keep their properties",
        "a connects 5; a > 31 [ 't' [ 26 'k' 'v' 03 'c' ] \"x\" ]; b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; b < 31 [ 't' [ 26 'k' 'v' 03 'c' ] \"x\" ]",
    ),
    (
        "5: queued messages keep their properties",
        "b connects 5 keep; b > 82 [ 0001 [ ] 't' 01 ]; b < 90 [ 0001 [ ] 01 ]; b lost; a connects 5; a > 32 [ 't' 0001 [ 26 'k' 'v' ] \"x\" ]; a < 40 [ 0001 ]; b connects 5 keep present; b < 32 [ 't' 0001 [ 26 'k' 'v' ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.2-6] a retained message's expiry counts down",
        "a connects 5; a > 31 [ 't' [ 02 00000010 ] \"x\" ]; wait 6000; b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]; b < 31 [ 't' [ 02 0000000a ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.2-5] a retained message expires",
        "a connects 5; a > 31 [ 't' [ 02 00000005 ] \"x\" ]; wait 5000; b connects 5; b > 82 [ 0001 [ ] 't' 00 ]; b < 90 [ 0001 [ ] 00 ]",
    ),
];

#[test]
fn properties_are_passed_on() {
    check(PROPERTIES_ARE_PASSED_ON);
}

const ALIASES_WORK_BOTH_WAYS: &[Row<'_>] = &[
    (
        "5: an alias stands for its topic",
        "b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; a connects 5; a > 30 [ 'long/topic' [ 23 0001 ] \"1\" ]; a > 30 [ '' [ 23 0001 ] \"2\" ]; b < 30 [ 'long/topic' \"1\" ]; b < 30 [ 'long/topic' \"2\" ]",
    ),
    (
        "5: an alias may be given another topic",
        "b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; a connects 5; a > 30 [ 'x' [ 23 0001 ] ]; a > 30 [ 'yy' [ 23 0001 ] ]; a > 30 [ '' [ 23 0001 ] ]; b < 30 [ 'x' ]; b < 30 [ 'yy' ]; b < 30 [ 'yy' ]",
    ),
    (
        "5: [MQTT-3.3.2-8] alias 0",
        "a connects 5; a > 30 [ 'x' [ 23 0000 ] ]; a < e0 [ 94 ]; a closed",
    ),
    (
        "5: [MQTT-3.3.2-9] an alias above the maximum",
        "a connects 5; a > 30 [ 'x' [ 23 0005 ] ]; a < e0 [ 94 ]; a closed",
    ),
    (
        "5: an alias that was never set",
        "a connects 5; a > 30 [ '' [ 23 0002 ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: the highest alias",
        "b connects 4; b > 82 [ 0001 '#' 00 ]; b < 90 [ 0001 00 ]; a connects 5; a > 30 [ 'x' [ 23 0004 ] ]; a > 30 [ '' [ 23 0004 ] ]; b < 30 [ 'x' ]; b < 30 [ 'x' ]",
    ),
    (
        "5: [MQTT-3.3.2-7] aliases end with the connection",
        "a connects 5; a > 30 [ 'x' [ 23 0001 ] ]; a lost; a connects 5; a > 30 [ '' [ 23 0001 ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: aliases are the connection's own",
        "a connects 5; a > 30 [ 'x' [ 23 0001 ] ]; b connects 5; b > 30 [ '' [ 23 0001 ] ]; b < e0 [ 82 ]; b closed",
    ),
    (
        "5: we use aliases if the client takes them",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ 22 0001 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] '#' 02 ]; a < 90 [ 0001 [ ] 02 ]; gateway t 0 0 1; gateway t 1 0 2; gateway u 0 0 3; gateway t 0 0 4; a < 30 [ 't' [ 23 0001 ] \"1\" ]; a < 32 [ '' 0001 [ 23 0001 ] \"2\" ]; a < 30 [ 'u' [ ] \"3\" ]; a < 30 [ '' [ 23 0001 ] \"4\" ]",
    ),
    (
        "5: [MQTT-3.1.2-27] no aliases to a client that takes none",
        "a connects 5; a > 82 [ 0001 [ ] '#' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 0 1; gateway t 0 0 2; a < 30 [ 't' [ ] \"1\" ]; a < 30 [ 't' [ ] \"2\" ]",
    ),
    (
        "5: our aliases end with the connection",
        "a open; a > 10 [ 'MQTT' 05 00 0000 [ 11 00000064 22 0001 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] '#' 01 ]; a < 90 [ 0001 [ ] 01 ]; gateway t 0 0 1; a < 30 [ 't' [ 23 0001 ] \"1\" ]; gateway t 1 0 2; a < 32 [ '' 0001 [ 23 0001 ] \"2\" ]; a lost; a open; a > 10 [ 'MQTT' 05 00 0000 [ 11 00000064 22 0001 ] 'a' ]; a < 20 [ 01 00 [ 21 0004 27 00001000 22 0004 ] ]; a < 3a [ 't' 0001 [ 23 0001 ] \"2\" ]",
    ),
];

#[test]
fn aliases_work_both_ways() {
    check(ALIASES_WORK_BOTH_WAYS);
}

#[test]
fn packet_sizes_are_kept_both_ways() {
    check(&[
        (
            "5: [MQTT-3.1.2-25] a packet above the client's maximum is dropped",
            "a open; a > 10 [ 'MQTT' 05 02 0000 [ 27 00000014 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; gateway t 0 0 0123456789abcdef; gateway t 1 0 0123456789abcdef; gateway t 1 0 small; a < 32 [ 't' 0002 [ ] \"small\" ]",
        ),
        (
            "5: a packet of exactly the client's maximum is sent",
            "a open; a > 10 [ 'MQTT' 05 02 0000 [ 27 00000014 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 0 0123456789abcd; a < 30 [ 't' [ ] \"0123456789abcd\" ]; gateway t 0 0 0123456789abcde",
        ),
        (
            "5: what was too large once is no more in the session",
            "a open; a > 10 [ 'MQTT' 05 00 0000 [ 11 00000064 27 00000014 ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 't' 01 ]; a < 90 [ 0001 [ ] 01 ]; gateway t 1 0 0123456789abcdef; a lost; a connects 5 keep present",
        ),
    ]);
}
