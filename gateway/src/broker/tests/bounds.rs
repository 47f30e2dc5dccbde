//! Every bound: who meets it is told so where the protocol can, it is counted, and the others are not touched.

use super::script::{Row, Stage, check, small_limits};
use crate::broker::{Broker, Counter, Instant, Limits, Qos, Routed};

const TABLES_REFUSE_WHEN_FULL: &[Row<'_>] = &[
    (
        "subscriptions_per_session_max, 5",
        "a connects 5; a > 82 [ 0001 [ ] '1' 00 '2' 00 '3' 00 '4' 00 '5' 00 '6' 00 '7' 00 '8' 00 '9' 00 ]
         a < 90 [ 0001 [ ] 00 00 00 00 00 00 00 00 97 ]; count subscriptions_full 1
         a > 82 [ 0002 [ ] '8' 01 ]; a < 90 [ 0002 [ ] 01 ]
         a > a2 [ 0003 [ ] '1' ]; a < b0 [ 0003 [ ] 00 ]; a > 82 [ 0004 [ ] '9' 00 ]; a < 90 [ 0004 [ ] 00 ]",
    ),
    (
        "subscriptions_per_session_max, 4",
        "a connects 4; a > 82 [ 0001 '1' 00 '2' 00 '3' 00 '4' 00 '5' 00 '6' 00 '7' 00 '8' 00 '9' 00 ]
         a < 90 [ 0001 00 00 00 00 00 00 00 00 80 ]",
    ),
    (
        "subscriptions_max",
        "a connects 4; a > 82 [ 0001 '1' 00 '2' 00 '3' 00 '4' 00 '5' 00 '6' 00 '7' 00 '8' 00 ]; a < 90 [ 0001 0000000000000000 ]
         b connects 4; b > 82 [ 0001 '1' 00 '2' 00 '3' 00 '4' 00 '5' 00 '6' 00 '7' 00 '8' 00 ]; b < 90 [ 0001 0000000000000000 ]
         c connects 4; c > 82 [ 0001 '1' 00 '2' 00 '3' 00 '4' 00 '5' 00 '6' 00 '7' 00 '8' 00 ]; c < 90 [ 0001 0000000000000000 ]
         d connects 5; d > 82 [ 0001 [ ] '1' 00 ]; d < 90 [ 0001 [ ] 97 ]
         a lost; d > 82 [ 0002 [ ] '1' 00 ]; d < 90 [ 0002 [ ] 00 ]",
    ),
    (
        "filter_nodes_max",
        "a connects 5
         a > 82 [ 0001 [ ] '1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0' 00 ]; a < 90 [ 0001 [ ] 00 ]
         a > 82 [ 0002 [ ] 'x/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0' 00 'y' 00 ]; a < 90 [ 0002 [ ] 97 00 ]",
    ),
    (
        "share_groups_max",
        "a connects 5; a > 82 [ 0001 [ ] '$share/1/t' 00 '$share/2/t' 00 '$share/3/t' 00 '$share/4/t' 00 '$share/5/t' 00 't' 00 ]
         a < 90 [ 0001 [ ] 00 00 00 00 97 00 ]",
    ),
    (
        "sessions_max",
        "a connects 4 keep; b connects 4 keep; c connects 4 keep; d connects 4 keep; e connects 4 keep; f connects 4 keep
         g connects 4 keep; h connects 4 keep; a lost
         i open; i > 10 [ 'MQTT' 04 02 0000 'i' ]; i < 20 02 00 03; i closed
         j open; j > 10 [ 'MQTT' 05 02 0000 [ ] 'j' ]; j < 20 [ 00 97 ]; j closed; count sessions_full 2
         a connects 4 keep present; a lost; a connects 4; a lost; i connects 4",
    ),
    (
        "connections_max",
        "z opens 16; z closed",
    ),
    (
        "client_id_bytes_max",
        "a open; a > 10 [ 'MQTT' 05 02 0000 [ ] '012345678901234567890123456789012' ]; a < 20 [ 00 85 ]; a closed",
    ),
    (
        "retained_max",
        "gateway 1 0 1 x; gateway 2 0 1 x; gateway 3 0 1 x; gateway 4 0 1 x; gateway 5 0 1 x; gateway 6 0 1 x; gateway 7 0 1 x
         gateway 8 0 1 x; gateway 9 0 1 x; count retained_full 1; gateway 8 0 1 y
         a connects 4; a > 82 [ 0001 '9' 00 '8' 00 ]; a < 90 [ 0001 00 00 ]; a < 31 [ '8' \"y\" ]",
    ),
    (
        "retained_max: what has expired makes room",
        "gateway 1 0 1 x; gateway 2 0 1 x; gateway 3 0 1 x; gateway 4 0 1 x; gateway 5 0 1 x; gateway 6 0 1 x; gateway 7 0 1 x
         a connects 5; a > 31 [ '8' [ 02 00000001 ] \"x\" ]; wait 1000; gateway 9 0 1 x; count retained_full 0
         count retained_expired 1; a > 82 [ 0001 [ ] '8' 00 '9' 00 ]; a < 90 [ 0001 [ ] 00 00 ]; a < 31 [ '9' [ ] \"x\" ]",
    ),
    (
        "queued_per_session_max",
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost
         gateway t 1 0 1; gateway t 1 0 2; gateway t 1 0 3; gateway t 1 0 4; gateway t 1 0 5; gateway t 1 0 6; gateway t 1 0 7
         gateway t 1 0 8; gateway t 1 0 9; count dropped_queue_full 1
         a connects 4 keep present; a < 32 [ 't' 0001 \"1\" ]; a < 32 [ 't' 0002 \"2\" ]; a < 32 [ 't' 0003 \"3\" ]
         a < 32 [ 't' 0004 \"4\" ]; gateway t 1 0 a; a > 40 [ 0001 ]; a < 32 [ 't' 0005 \"5\" ]; a > 40 [ 0002 ]
         a < 32 [ 't' 0006 \"6\" ]; a > 40 [ 0003 ]; a < 32 [ 't' 0007 \"7\" ]; a > 40 [ 0004 ]; a < 32 [ 't' 0008 \"8\" ]
         a > 40 [ 0005 ]; a < 32 [ 't' 0009 \"a\" ]",
    ),
    (
        "inbound_inflight_max: 3.1.1 waits, and QoS 0 and answers do not",
        "a connects 4; hold; a > 32 [ 't' 0001 ]; a > 32 [ 't' 0002 ]; a > 32 [ 't' 0003 ]; a > 32 [ 't' 0004 ]
         a > 34 [ 't' 0005 ]; busy; a > 30 [ 't' ]; a > c0 00; a < d0 00; count packets_held_back 1",
    ),
    (
        "receipts_max holds everyone back",
        "hold; a connects 4; a > 32 [ 't' 0001 ]; a > 32 [ 't' 0002 ]; a > 32 [ 't' 0003 ]; a > 32 [ 't' 0004 ]
         b connects 5; b > 32 [ 't' 0001 [ ] ]; b > 32 [ 't' 0002 [ ] ]; b > 32 [ 't' 0003 [ ] ]; b > 32 [ 't' 0004 [ ] ]
         c connects 4; c > 32 [ 't' 0001 ]; c > 32 [ 't' 0002 ]; c > 32 [ 't' 0003 ]; c > 32 [ 't' 0004 ]
         d connects 5; d > 32 [ 't' 0001 [ ] ]; busy; ack; a < 40 [ 0001 ]; d > 32 [ 't' 0001 [ ] ]; ack; a < 40 [ 0002 ]",
    ),
    (
        "alias_tables_max: the next client is granted none",
        "a connects 5; b connects 5; c connects 5; d connects 5; e connects 5; f connects 5; g connects 5
         i open; i > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'i' ]; i < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         a lost; b lost; c lost; d lost; e lost; f lost; g lost; i lost
         a open; a > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'a' ]; a < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         b open; b > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'b' ]; b < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         c open; c > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'c' ]; c < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         d open; d > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'd' ]; d < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         e open; e > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'e' ]; e < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         f open; f > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'f' ]; f < 20 [ 00 00 [ 21 0004 27 00001000 22 0004 ] ]
         g open; g > 10 [ 'MQTT' 05 02 0000 [ 22 000a ] 'g' ]; g < 20 [ 00 00 [ 21 0004 27 00001000 ] ]
         g > 30 [ 't' [ 23 0001 ] ]; g < e0 [ 94 ]; g closed",
    ),
    (
        "packet_bytes_max, 5",
        "a connects 5; a oversize; a < e0 [ 95 ]; a closed; count packets_oversize 1",
    ),
    ("packet_bytes_max, 4", "a connects 4; a oversize; a closed"),
    ("packet_bytes_max before CONNECT", "a open; a oversize; a closed"),
    (
        "the gateway stops",
        "a connects 5; b connects 4; c open; stop; a < e0 [ 8b ]; a closed; b closed; c closed",
    ),
];

#[test]
fn tables_refuse_when_full() {
    check(TABLES_REFUSE_WHEN_FULL);
}

fn play(stage: &mut Stage, steps: &str) {
    for step in steps.split(['\n', ';']).map(str::trim) {
        if let Err(failure) = stage.step(step) {
            panic!("`{step}`: {failure}");
        }
    }
}

#[test]
fn topics_that_are_too_long_or_deep_are_refused() {
    for topic in ["x".repeat(1_025), "/".repeat(64)] {
        let filter =
            format!("a connects 5; a > 82 [ 0001 [ ] '{topic}' 00 ]; a < 90 [ 0001 [ ] 8f ]");
        let name = format!("a connects 5; a > 30 [ '{topic}' [ ] ]; a < e0 [ 90 ]; a closed");
        let old = format!("a connects 4; a > 30 [ '{topic}' ]; a closed");
        check(&[
            ("a filter", &filter),
            ("a name, 5", &name),
            ("a name, 4", &old),
        ]);
    }
    for topic in ["x".repeat(1_024), "/".repeat(63)] {
        check(&[(
            "at the limit",
            &format!("a connects 4; a > 32 [ '{topic}' 0001 ]; a < 40 [ 0001 ]"),
        )]);
    }
}

#[test]
fn a_reader_that_is_behind_loses_qos_0_and_keeps_qos_1_for_later() {
    let mut stage = Stage::new(small_limits());
    let payload = "x".repeat(3_000);
    play(
        &mut stage,
        "a connects 4; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; b connects 4; b > 82 [ 0001 't' 00 ]; b < 90 [ 0001 00 ]",
    );
    for _ in 0..5 {
        play(
            &mut stage,
            &format!(
                "gateway t 0 0 {payload}; a < 30 [ 't' \"{payload}\" ]; b < 30 [ 't' \"{payload}\" ]; b drained 4000"
            ),
        );
    }
    // Five times 3 000 bytes wait for `a`; a sixth does not fit into 16 384.
    play(
        &mut stage,
        &format!(
            "gateway t 0 0 {payload}; b < 30 [ 't' \"{payload}\" ]; b drained 4000; count dropped_send_buffer_full 1"
        ),
    );
    play(
        &mut stage,
        &format!("gateway t 1 0 {payload}; b < 30 [ 't' \"{payload}\" ]; b drained 4000"),
    );
    // Once it has read, what was kept comes.
    play(
        &mut stage,
        &format!("a drained 9000; a < 32 [ 't' 0001 \"{payload}\" ]"),
    );
    stage.finish().expect("nothing else was sent");
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_listened_to() {
    let mut stage = Stage::new(small_limits());
    play(&mut stage, "a connects 4");
    let mut pings = 0;
    while stage.step("a > c0 00").is_ok() && stage.step("busy").is_err() {
        play(&mut stage, "a < d0 00");
        pings += 1;
    }
    assert!(
        (16_000..17_000).contains(&pings),
        "two bytes each, above 32 KiB: {pings}"
    );
    play(&mut stage, "a drained 20000; a > c0 00; a < d0 00");
}

#[test]
fn who_does_not_read_leaves_the_last_quarter_to_others() {
    let limits = Limits {
        queued_per_session_max: 1_000,
        queued_bytes_per_session_max: 1 << 20,
        ..small_limits()
    };
    let mut stage = Stage::new(limits);
    play(
        &mut stage,
        "a connects 4 keep; a > 82 [ 0001 '#' 01 ]; a < 90 [ 0001 01 ]; a lost; b connects 4; b > 82 [ 0001 'alert' 01 ]; b < 90 [ 0001 01 ]",
    );
    for _ in 0..100 {
        play(&mut stage, "gateway flood 1 0 x");
    }
    assert!(
        stage.broker.usage().messages < 32,
        "{:?}",
        stage.broker.usage()
    );
    play(
        &mut stage,
        "gateway alert 1 0 fire; b < 32 [ 'alert' 0001 \"fire\" ]",
    );
    assert!(stage.broker.counters().count(Counter::DroppedQueue) > 60);
}

#[test]
fn a_store_that_is_full_is_counted() {
    let limits = Limits {
        messages_max: 2,
        ..small_limits()
    };
    let mut stage = Stage::new(limits);
    play(
        &mut stage,
        "a connects 4 keep; a > 82 [ 0001 't' 01 ]; a < 90 [ 0001 01 ]; a lost",
    );
    play(
        &mut stage,
        "gateway t 1 0 1; gateway t 1 0 2; gateway t 1 0 3; count dropped_store_full 1",
    );
    play(
        &mut stage,
        "b open; b > 10 [ 'MQTT' 05 06 0000 [ ] 'b' [ ] 'w' 'x' ]; b < 20 [ 00 97 ]; b closed; count wills_dropped 1",
    );
}

#[test]
fn retained_messages_beyond_one_step_follow_in_the_next() {
    let limits = Limits {
        retained_max: 1_200,
        retained_bytes_max: 1_200 * 256,
        ..small_limits()
    };
    let mut stage = Stage::new(limits);
    for number in 0..1_100 {
        play(&mut stage, &format!("gateway r/{number} 0 1 x"));
    }
    play(
        &mut stage,
        "gateway last 0 1 x; a connects 4; a > 82 [ 0001 'last' 00 '+' 00 ]; a < 90 [ 0001 00 00 ]",
    );
    stage.finish().expect("the rest comes later");
    play(
        &mut stage,
        "wait 2; a < 31 [ 'last' \"x\" ]; a < 31 [ 'last' \"x\" ]",
    );
}

#[test]
fn the_caller_is_told_how_many_copies_there_are_and_what_was_not_retained() {
    let mut stage = Stage::new(Limits {
        retained_max: 1,
        ..small_limits()
    });
    play(
        &mut stage,
        "a connects 4; a > 82 [ 0001 't' 00 '#' 00 '$share/g/t' 00 ]; a < 90 [ 0001 000000 ]",
    );
    let mut check =
        |topic: &str, payload: &[u8], retain: bool, copies: u32, retained_refused: bool| {
            let routed = stage.broker.publish(
                Instant(1_000_000),
                topic,
                payload,
                Qos::AtMostOnce,
                retain,
                &mut stage.tape,
            );
            assert_eq!(
                routed,
                Routed {
                    copies,
                    retained_refused
                },
                "{topic}"
            );
        };
    check("t", b"x", false, 2, false);
    check("u", b"x", true, 1, false);
    check("v", b"x", true, 1, true);
    check("v", b"", true, 1, false);
    check("$t", b"x", false, 0, false);
}

#[test]
fn the_bill_is_a_sum_of_its_tables() {
    let limits = Limits::default();
    let bytes = Broker::memory_bytes(&limits);
    assert!(((16 << 20)..(32 << 20)).contains(&bytes), "{bytes}");
    let twice = Limits {
        connections_max: 2 * limits.connections_max,
        sessions_max: 2 * limits.sessions_max,
        ..limits.clone()
    };
    let per_client = (Broker::memory_bytes(&twice) - bytes) / usize::from(limits.connections_max);
    assert!(
        per_client < 2_048,
        "an idle client costs {per_client} bytes here"
    );
    let more = Limits {
        message_bytes_max: limits.message_bytes_max + (1 << 20),
        ..limits.clone()
    };
    assert!(Broker::memory_bytes(&more) >= bytes + (1 << 20));
}
