//! A whole broker with four connections, fed with a script of packets, losses, acknowledgements, pauses and crashes.
#![no_main]

use fuzz::broker::{Qos, ReasonCode};
use fuzz::stage::{CLIENTS, Stage};
use libfuzzer_sys::fuzz_target;

/// Steps looked at in one script.
const STEPS_MAX: usize = 64;

fuzz_target!(|data: &[u8]| {
    let mut stage = Stage::default();
    let mut rest = data;
    for _ in 0..STEPS_MAX {
        let Some((step, behind)) = rest.split_first() else {
            break;
        };
        rest = behind;
        let client = step % CLIENTS;
        match step / CLIENTS % 16 {
            0 | 1 => stage.open(client),
            2 => stage.lose(client),
            3 => stage.drain(client),
            4 | 5 => stage.acknowledge(if client == 3 {
                ReasonCode::QuotaExceeded
            } else {
                ReasonCode::Success
            }),
            6 => {
                let qos =
                    [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(client) % 3];
                stage.publish("t/u/1", b"own", qos, client == 3);
            }
            7 => stage.wait([10, 1_500, 6_000, 120_000][usize::from(client)]),
            8 if client == 0 => stage.crash(),
            9 if client < 2 => stage.replace_rights(client, true),
            10 if client == 0 => stage.replace_rights(client, false),
            _ => {
                let used = stage.receive(client, rest);
                rest = &rest[used..];
            }
        }
    }
    stage.end();
});
