//! One packet of any bytes, to a broker that has not seen CONNECT, or has as 3.1.1 or 5.0.
#![no_main]

use fuzz::stage::Stage;
use libfuzzer_sys::fuzz_target;

const CONNECT_311: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const CONNECT_5: &[u8] = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a";

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let mut stage = Stage::default();
    stage.open(0);
    match first % 3 {
        0 => {}
        1 => _ = stage.receive(0, CONNECT_311),
        _ => _ = stage.receive(0, CONNECT_5),
    }
    stage.receive(0, bytes);
});
