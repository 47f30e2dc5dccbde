//! Bytes as a plan, as the journal and a checkpoint hold it: what the check lets pass works, and what it made is saved and
//! restored.
#![no_main]

use fuzz::line::{Line, SENSORS};
use libfuzzer_sys::fuzz_target;
use pipeline::Plan;

const NAMES: [(&str, &str); SENSORS] = [("d", "a"), ("d", "b"), ("e", "a")];
const VALUES: [f64; 8] = [1.0, 1.0, 1e9, f64::NAN, -127.0, 85.0, 1e200, 0.1];

fuzz_target!(|data: &[u8]| {
    let Ok((plan, rest)) = postcard::take_from_bytes::<Plan>(data) else {
        return;
    };
    let Some(mut line) = Line::new(plan.clone(), NAMES) else {
        return;
    };
    for (nth, byte) in rest.iter().chain(&[7; 40]).enumerate() {
        let value = VALUES[usize::from(byte % 8)] + nth as f64;
        let wait_ms = 1 << (byte / 16);
        line.read(wait_ms, u16::from(byte / 8 % 2), None, value);
        if nth % 16 == 15 {
            line.sleep();
        }
    }
    line.change(&plan);
    line.end();
});
