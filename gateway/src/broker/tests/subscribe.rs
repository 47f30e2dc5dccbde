//! SUBSCRIBE, UNSUBSCRIBE, matching, shared subscriptions.

use super::script::{Row, check};

const SUBSCRIBE_FOLLOWS_3_1_1: &[Row<'_>] = &[
    (
        "4: [MQTT-3.8.4-1] SUBSCRIBE is answered",
        "a connects 4; a > 82 [ 000a 'a/b' 01 ]; a < 90 [ 000a 01 ]",
    ),
    (
        "4: [MQTT-3.8.4-5] each filter has its code",
        "a connects 4; a > 82 [ 000a 'a' 00 'b' 01 'c' 02 ]; a < 90 [ 000a 00 01 02 ]",
    ),
    (
        "4: [MQTT-3.8.3-3] no filter closes",
        "a connects 4; a > 82 [ 000a ]; a closed",
    ),
    (
        "4: [MQTT-3.8.3-4] QoS 3 closes",
        "a connects 4; a > 82 [ 000a 'a' 03 ]; a closed",
    ),
    (
        "4: [MQTT-3.8.3-4] reserved bits close",
        "a connects 4; a > 82 [ 000a 'a' 04 ]; a closed",
    ),
    (
        "4: [MQTT-3.8.1-1] wrong flags close",
        "a connects 4; a > 80 [ 000a 'a' 00 ]; a closed",
    ),
    (
        "4: packet id 0 closes",
        "a connects 4; a > 82 [ 0000 'a' 00 ]; a closed",
    ),
    (
        "4: a missing QoS closes",
        "a connects 4; a > 82 [ 0001 'a' ]; a closed",
    ),
    (
        "4: [MQTT-3.8.3-1] a filter that is not UTF-8 closes",
        "a connects 4; a > 82 [ 0001 0001 ff 00 ]; a closed",
    ),
    (
        "4: [MQTT-4.7.1-2] `#` before the end fails",
        "a connects 4; a > 82 [ 0001 'a/#/b' 00 ]; a < 90 [ 0001 80 ]",
    ),
    (
        "4: [MQTT-4.7.1-2] `#` beside others fails",
        "a connects 4; a > 82 [ 0001 'a/b#' 00 ]; a < 90 [ 0001 80 ]",
    ),
    (
        "4: [MQTT-4.7.1-3] `+` beside others fails",
        "a connects 4; a > 82 [ 0001 'a/b+/c' 00 ]; a < 90 [ 0001 80 ]",
    ),
    (
        "4: [MQTT-4.7.3-1] an empty filter fails, the others do not",
        "a connects 4; a > 82 [ 0001 '' 00 'b' 01 ]; a < 90 [ 0001 80 01 ]",
    ),
    (
        "4: a right that is missing fails",
        "a open; a > 10 [ 'MQTT' 04 82 0000 'c1' 'limited' ]; a < 20 02 00 00; a > 82 [ 0001 '#' 00 'alerts/c1/x' 01 'alerts/c1/+' 01 'alerts/c1/#' 00 'alerts/c2/x' 00 ]; a < 90 [ 0001 80 01 01 80 80 ]",
    ),
    (
        "4: [MQTT-3.10.4-4] UNSUBSCRIBE is answered",
        "a connects 4; a > 82 [ 0001 't' 00 ]; a < 90 [ 0001 00 ]; a > a2 [ 0002 't' ]; a < b0 [ 0002 ]; a > 30 [ 't' ]",
    ),
    (
        "4: [MQTT-3.10.4-5] UNSUBSCRIBE for nothing is answered",
        "a connects 4; a > a2 [ 0002 't' 'u' ]; a < b0 [ 0002 ]",
    ),
    (
        "4: [MQTT-3.10.3-2] UNSUBSCRIBE without a filter closes",
        "a connects 4; a > a2 [ 0002 ]; a closed",
    ),
    (
        "4: [MQTT-3.10.1-1] UNSUBSCRIBE with wrong flags closes",
        "a connects 4; a > a0 [ 0002 't' ]; a closed",
    ),
    (
        "4: [MQTT-3.10.4-1] filters are compared by character",
        "a connects 4; a > 82 [ 0001 'a/+' 00 ]; a < 90 [ 0001 00 ]; a > a2 [ 0002 'a/b' ]; a < b0 [ 0002 ]; a > 30 [ 'a/b' ]; a < 30 [ 'a/b' ]",
    ),
    (
        "4: [MQTT-3.3.5-1] overlapping filters give one copy with the highest QoS",
        "a connects 4; a > 82 [ 0001 'a/#' 00 'a/b' 02 '+/b' 01 ]; a < 90 [ 0001 00 02 01 ]; gateway a/b 2 0 x; a < 34 [ 'a/b' 0001 \"x\" ]",
    ),
    (
        "4: [MQTT-3.8.4-3] the same filter again replaces",
        "a connects 4; a > 82 [ 0001 't' 02 ]; a < 90 [ 0001 02 ]; a > 82 [ 0002 't' 00 ]; a < 90 [ 0002 00 ]; gateway t 2 0 x; a < 30 [ 't' \"x\" ]",
    ),
];

#[test]
fn subscribe_follows_3_1_1() {
    check(SUBSCRIBE_FOLLOWS_3_1_1);
}

#[test]
fn filters_match_as_the_standard_says() {
    // The first column is the filter, the second the topics it matches, the third those it does not.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("a", &["a"], &["b", "A", "a/", "/a", "a/b"]),
        ("a/b", &["a/b"], &["a", "a/b/c", "a/bc"]),
        ("#", &["a", "a/b", "/", "/a", "a//b"], &["$SYS/a", "$a"]),
        ("a/#", &["a", "a/b", "a/b/c", "a/"], &["ab", "b/a"]),
        ("+", &["a", "b"], &["a/b", "/a", "$a"]),
        ("+/+", &["a/b", "/a", "a/", "/"], &["a", "a/b/c", "$a/b"]),
        ("/+", &["/a", "/"], &["a", "a/b"]),
        ("a/+", &["a/b", "a/"], &["a", "a/b/c"]),
        ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/d", "a/b/b/c"]),
        ("+/b/#", &["a/b", "a/b/c", "/b/c/d"], &["b", "a/c/b"]),
        ("$SYS/#", &["$SYS", "$SYS/a"], &["a"]),
        ("$SYS/+", &["$SYS/a"], &["$SYS", "SYS/a"]),
        ("a//b", &["a//b"], &["a/b", "a///b"]),
        ("温度/+/値", &["温度/1/値"], &["温度/1", "温/1/値"]),
    ];
    for (filter, matching, others) in table {
        for (topics, expected) in [(matching, true), (others, false)] {
            for topic in *topics {
                let copy = if expected {
                    format!("b < 30 [ '{topic}' \"x\" ]")
                } else {
                    String::new()
                };
                let script = format!(
                    "b connects 4; b > 82 [ 0001 '{filter}' 00 ]; b < 90 [ 0001 00 ]; gateway {topic} 0 0 x; {copy}"
                );
                check(&[(&format!("{filter} and {topic}"), &script)]);
            }
        }
    }
}

const SUBSCRIBE_FOLLOWS_5: &[Row<'_>] = &[
    (
        "5: SUBSCRIBE is answered",
        "a connects 5; a > 82 [ 000a [ ] 'a/b' 01 'c' 02 ]; a < 90 [ 000a [ ] 01 02 ]",
    ),
    (
        "5: [MQTT-3.8.3-2] no filter",
        "a connects 5; a > 82 [ 000a [ ] ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-3.9.3-2] what a rule refuses is refused without a reason, once or in a group",
        "a open; a > 10 [ 'MQTT' 05 82 0000 [ ] 'c1' 'limited' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] 'alerts/c1/hidden' 00 '$share/g/alerts/c1/hidden' 00 'alerts/c1/+' 00 ]; a < 90 [ 0001 [ ] 80 80 00 ]",
    ),
    (
        "5: [MQTT-3.8.3-5] reserved option bits",
        "a connects 5; a > 82 [ 000a [ ] 'a' 40 ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: retain handling 3",
        "a connects 5; a > 82 [ 000a [ ] 'a' 30 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: QoS 3",
        "a connects 5; a > 82 [ 000a [ ] 'a' 03 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: a filter that is none",
        "a connects 5; a > 82 [ 000a [ ] 'a/#/b' 00 'b+' 00 '' 00 'c' 00 ]; a < 90 [ 000a [ ] 8f 8f 8f 00 ]",
    ),
    (
        "5: subscription identifier 0",
        "a connects 5; a > 82 [ 000a [ 0b 00 ] 'a' 00 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: two subscription identifiers",
        "a connects 5; a > 82 [ 000a [ 0b 01 0b 02 ] 'a' 00 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: a strange property",
        "a connects 5; a > 82 [ 000a [ 01 00 ] 'a' 00 ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: a right that is missing",
        "a open; a > 10 [ 'MQTT' 05 82 0000 [ ] 'c1' 'limited' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]; a > 82 [ 0001 [ ] '#' 00 'alerts/c1/x' 01 ]; a < 90 [ 0001 [ ] 87 01 ]",
    ),
    (
        "5: [MQTT-3.11.3-1] UNSUBSCRIBE says what was there",
        "a connects 5; a > 82 [ 0001 [ ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; a > a2 [ 0002 [ ] 't' 'u' 'v/#/w' ]; a < b0 [ 0002 [ ] 00 11 8f ]",
    ),
    (
        "5: UNSUBSCRIBE with user properties",
        "a connects 5; a > a2 [ 0002 [ 26 'k' 'v' ] 't' ]; a < b0 [ 0002 [ ] 11 ]",
    ),
    (
        "5: UNSUBSCRIBE with a strange property",
        "a connects 5; a > a2 [ 0002 [ 0b 01 ] 't' ]; a < e0 [ 81 ]; a closed",
    ),
    (
        "5: [MQTT-3.8.3-3] no local",
        "a connects 5; a > 82 [ 0001 [ ] 't' 04 ]; a < 90 [ 0001 [ ] 00 ]; a > 30 [ 't' [ ] \"x\" ]; gateway t 0 0 y; a < 30 [ 't' [ ] \"y\" ]",
    ),
    (
        "5: without no local the message comes back",
        "a connects 5; a > 82 [ 0001 [ ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; a > 30 [ 't' [ ] \"x\" ]; a < 30 [ 't' [ ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.1-12] retain is cleared without retain as published",
        "a connects 5; a > 82 [ 0001 [ ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 1 x; a < 30 [ 't' [ ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.1-13] retain as published",
        "a connects 5; a > 82 [ 0001 [ ] 't' 08 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 1 x; a < 31 [ 't' [ ] \"x\" ]; gateway t 0 0 y; a < 30 [ 't' [ ] \"y\" ]",
    ),
    (
        "5: [MQTT-3.3.1-9] retain handling 0 always sends",
        "gateway t 0 1 x; a connects 5; a > 82 [ 0001 [ ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; a < 31 [ 't' [ ] \"x\" ]; a > 82 [ 0002 [ ] 't' 00 ]; a < 90 [ 0002 [ ] 00 ]; a < 31 [ 't' [ ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.1-10] retain handling 1 sends if new",
        "gateway t 0 1 x; a connects 5; a > 82 [ 0001 [ ] 't' 10 ]; a < 90 [ 0001 [ ] 00 ]; a < 31 [ 't' [ ] \"x\" ]; a > 82 [ 0002 [ ] 't' 10 ]; a < 90 [ 0002 [ ] 00 ]",
    ),
    (
        "5: [MQTT-3.3.1-11] retain handling 2 never sends",
        "gateway t 0 1 x; a connects 5; a > 82 [ 0001 [ ] 't' 20 ]; a < 90 [ 0001 [ ] 00 ]",
    ),
    (
        "5: [MQTT-3.3.4-3] the subscription identifier comes with the message",
        "a connects 5; a > 82 [ 0001 [ 0b 07 ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 0 x; a < 30 [ 't' [ 0b 07 ] \"x\" ]",
    ),
    (
        "5: a large subscription identifier",
        "a connects 5; a > 82 [ 0001 [ 0b ffffff7f ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 0 x; a < 30 [ 't' [ 0b ffffff7f ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.4-4] all identifiers come with one copy",
        "a connects 5; a > 82 [ 0001 [ 0b 01 ] 'a/b' 01 ]; a < 90 [ 0001 [ ] 01 ]; a > 82 [ 0002 [ 0b 02 ] 'a/+' 00 ]; a < 90 [ 0002 [ ] 00 ]; gateway a/b 1 0 x; a < 32 [ 'a/b' 0001 [ 0b 01 0b 02 ] \"x\" ]",
    ),
    (
        "5: [MQTT-3.3.4-5] more than four identifiers come with two copies",
        "a connects 5; a > 82 [ 0001 [ 0b 01 ] 'a/b' 00 ]; a < 90 [ 0001 [ ] 00 ]; a > 82 [ 0002 [ 0b 02 ] 'a/+' 00 ]; a < 90 [ 0002 [ ] 00 ]; a > 82 [ 0003 [ 0b 03 ] '+/b' 00 ]; a < 90 [ 0003 [ ] 00 ]; a > 82 [ 0004 [ 0b 04 ] '+/+' 00 ]; a < 90 [ 0004 [ ] 00 ]; a > 82 [ 0005 [ 0b 05 ] '#' 00 ]; a < 90 [ 0005 [ ] 00 ]; gateway a/b 0 0 x; a < 30 [ 'a/b' [ 0b 01 0b 02 0b 03 0b 04 ] \"x\" ]; a < 30 [ 'a/b' [ 0b 05 ] \"x\" ]",
    ),
    (
        "5: a retained message carries the identifier",
        "gateway t 0 1 x; a connects 5; a > 82 [ 0001 [ 0b 07 ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; a < 31 [ 't' [ 0b 07 ] \"x\" ]",
    ),
    (
        "5: subscribing again replaces the identifier",
        "a connects 5; a > 82 [ 0001 [ 0b 07 ] 't' 00 ]; a < 90 [ 0001 [ ] 00 ]; a > 82 [ 0002 [ ] 't' 00 ]; a < 90 [ 0002 [ ] 00 ]; gateway t 0 0 x; a < 30 [ 't' [ ] \"x\" ]",
    ),
];

#[test]
fn subscribe_follows_5() {
    check(SUBSCRIBE_FOLLOWS_5);
}

const SHARED_SUBSCRIPTIONS_TAKE_TURNS: &[Row<'_>] = &[
    (
        "5: members of a group take turns",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 00 ]; a < 90 [ 0001 [ ] 00 ]; b connects 5; b > 82 [ 0001 [ ] '$share/g/t' 00 ]; b < 90 [ 0001 [ ] 00 ]; gateway t 0 0 1; gateway t 0 0 2; gateway t 0 0 3; b < 30 [ 't' [ ] \"1\" ]; a < 30 [ 't' [ ] \"2\" ]; b < 30 [ 't' [ ] \"3\" ]",
    ),
    (
        "5: each group gets a copy",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 00 ]; a < 90 [ 0001 [ ] 00 ]; b connects 5; b > 82 [ 0001 [ ] '$share/h/t' 00 ]; b < 90 [ 0001 [ ] 00 ]; c connects 5; c > 82 [ 0001 [ ] 't' 00 ]; c < 90 [ 0001 [ ] 00 ]; gateway t 0 0 1; a < 30 [ 't' [ ] \"1\" ]; b < 30 [ 't' [ ] \"1\" ]; c < 30 [ 't' [ ] \"1\" ]",
    ),
    (
        "4: shared subscriptions work for 3.1.1",
        "a connects 4; a > 82 [ 0001 '$share/g/a/+' 01 ]; a < 90 [ 0001 01 ]; gateway a/b 1 0 x; a < 32 [ 'a/b' 0001 \"x\" ]",
    ),
    (
        "5: one who has left gets none",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 00 ]; a < 90 [ 0001 [ ] 00 ]; b connects 5; b > 82 [ 0001 [ ] '$share/g/t' 00 ]; b < 90 [ 0001 [ ] 00 ]; b > a2 [ 0002 [ ] '$share/g/t' ]; b < b0 [ 0002 [ ] 00 ]; gateway t 0 0 1; gateway t 0 0 2; a < 30 [ 't' [ ] \"1\" ]; a < 30 [ 't' [ ] \"2\" ]",
    ),
    (
        "5: one who is away is passed over",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 01 ]; a < 90 [ 0001 [ ] 01 ]; b connects 5 keep; b > 82 [ 0001 [ ] '$share/g/t' 01 ]; b < 90 [ 0001 [ ] 01 ]; b lost; gateway t 1 0 1; gateway t 1 0 2; a < 32 [ 't' 0001 [ ] \"1\" ]; a < 32 [ 't' 0002 [ ] \"2\" ]",
    ),
    (
        "5: if all are away one of them gets it later",
        "b connects 5 keep; b > 82 [ 0001 [ ] '$share/g/t' 01 ]; b < 90 [ 0001 [ ] 01 ]; b lost; gateway t 1 0 1; b connects 5 keep present; b < 32 [ 't' 0001 [ ] \"1\" ]",
    ),
    (
        "5: no retained messages for shared subscriptions",
        "gateway t 0 1 x; a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 00 ]; a < 90 [ 0001 [ ] 00 ]",
    ),
    (
        "5: [MQTT-3.8.3-4] no local on a shared subscription",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 04 ]; a < e0 [ 82 ]; a closed",
    ),
    (
        "5: [MQTT-4.8.2-1] a share without a name",
        "a connects 5; a > 82 [ 0001 [ ] '$share//t' 00 '$share/g' 00 '$share/g/' 00 '$share' 00 ]; a < 90 [ 0001 [ ] 8f 8f 8f 8f ]",
    ),
    (
        "5: [MQTT-4.8.2-2] a share name with a wildcard",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g+/t' 00 '$share/#/t' 00 ]; a < 90 [ 0001 [ ] 8f 8f ]",
    ),
    (
        "5: a share of a filter that is none",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t#' 00 ]; a < 90 [ 0001 [ ] 8f ]",
    ),
    (
        "5: the identifier of a shared subscription",
        "a connects 5; a > 82 [ 0001 [ 0b 05 ] '$share/g/#' 00 ]; a < 90 [ 0001 [ ] 00 ]; gateway t 0 0 x; a < 30 [ 't' [ 0b 05 ] \"x\" ]",
    ),
    (
        "5: a share ends with its last member",
        "a connects 5; a > 82 [ 0001 [ ] '$share/g/t' 00 ]; a < 90 [ 0001 [ ] 00 ]; a > e0 00; a closed; gateway t 0 0 x; b connects 5; b > 82 [ 0001 [ ] '$share/g/t' 00 ]; b < 90 [ 0001 [ ] 00 ]; gateway t 0 0 y; b < 30 [ 't' [ ] \"y\" ]",
    ),
];

#[test]
fn shared_subscriptions_take_turns() {
    check(SHARED_SUBSCRIPTIONS_TAKE_TURNS);
}
