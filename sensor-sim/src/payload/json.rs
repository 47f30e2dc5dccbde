//! The dialects that are JSON. Names have no quotes and no backslashes: `is_name` sees to that.

use std::io::Write;

use super::number::{write_json, write_seconds, write_signed, write_unsigned};
use super::{Proof, Signal};
use crate::date::Date;

/// `{"ts":…`, the beginning of a flat object.
pub(super) fn write_time(time: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts\":");
    write_signed(time, out);
}

/// `{"temperature":21.5,…}`
pub(super) fn write_members(signals: &[Signal], values: &[f64], out: &mut Vec<u8>) {
    out.push(b'{');
    write_values(signals, values, out, |name, out| {
        out.extend_from_slice(name.as_bytes());
    });
    out.push(b'}');
}

/// The end of a flat object, which shall end at `end_min` or later.
pub(super) fn end_flat(proof: Proof, end_min: usize, out: &mut Vec<u8>) {
    const PAD: &[u8] = b",\"pad\":\"\"";
    out.push(b',');
    write_proof(proof, out);
    let missing = end_min.saturating_sub(out.len() + PAD.len() + 1);
    if missing > 0 {
        out.extend_from_slice(&PAD[..PAD.len() - 1]);
        out.resize(out.len() + missing, b'.');
        out.push(b'"');
    }
    out.push(b'}');
}

/// Tasmota's telemetry, as on `tele/<topic>/SENSOR`: the kind of sensor, and its quantities with a capital.
/// Source: tasmota.github.io, "MQTT" and "Commands" (`Time` without a zone is the device's local time; ours is UTC).
pub(super) fn write_tasmota(
    kind: &str,
    signals: &[Signal],
    time: i64,
    values: &[f64],
    proof: Proof,
    out: &mut Vec<u8>,
) {
    // A vector takes all that is written.
    let _ = write!(out, "{{\"Time\":\"{}\",\"{kind}\":{{", Date(time));
    write_values(signals, values, out, |name, out| {
        let mut letters = name.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        let _ = write!(out, "{}{}", first.collect::<String>(), letters.as_str());
    });
    out.extend_from_slice(b"},\"TempUnit\":\"C\",\"sim\":{");
    write_proof(proof, out);
    out.extend_from_slice(b"}}");
}

/// Shelly's `NotifyStatus`, as on `<device>/events/rpc`: a component with its id for each quantity, `ts` in seconds.
/// Source: shelly-api-docs.shelly.cloud, Gen2, "RPC Protocol: Notifications", components Temperature, Humidity and Number.
pub(super) fn write_shelly(
    device: &str,
    signals: &[Signal],
    time: i64,
    values: &[f64],
    proof: Proof,
    out: &mut Vec<u8>,
) {
    // A vector takes all that is written.
    let _ = write!(
        out,
        "{{\"src\":\"{device}\",\"dst\":\"{device}/events\",\"method\":\"NotifyStatus\",\"params\":{{\"ts\":"
    );
    write_seconds(time, out);
    for (signal, value) in signals.iter().zip(values) {
        let (name, key) = (&signal.name, shelly_key(&signal.name));
        let _ = write!(out, ",\"{name}:0\":{{\"id\":0,\"{key}\":");
        write_json(*value, out);
        out.push(b'}');
    }
    out.extend_from_slice(b"},\"sim\":{");
    write_proof(proof, out);
    out.extend_from_slice(b"}}");
}

/// What a Shelly calls the value of a component.
pub(super) fn shelly_key(component: &str) -> &'static str {
    match component {
        "temperature" => "tC",
        "humidity" => "rh",
        _ => "value",
    }
}

/// Zigbee2MQTT's state of a device, with `advanced.last_seen: epoch`.
/// Source: zigbee2mqtt.io, "MQTT Topics and Messages".
pub(super) fn write_zigbee(
    signals: &[Signal],
    time: i64,
    values: &[f64],
    proof: Proof,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    write_values(signals, values, out, |name, out| {
        out.extend_from_slice(name.as_bytes());
    });
    out.extend_from_slice(b",\"linkquality\":120,\"last_seen\":");
    write_signed(time, out);
    out.extend_from_slice(b",\"sim\":{");
    write_proof(proof, out);
    out.extend_from_slice(b"}}");
}

/// A SenML pack (RFC 8428): base name and base time in the first record, and the ledger's fields, which a receiver passes over
/// since their labels don't end in `_` (section 4.4). A value that is no number is left out, as there is no word for it.
pub(super) fn write_senml(
    device: &str,
    signals: &[Signal],
    time: i64,
    values: &[f64],
    proof: Proof,
    out: &mut Vec<u8>,
) {
    // A vector takes all that is written.
    let _ = write!(out, "[{{\"bn\":\"{device}/\",\"bt\":");
    write_seconds(time, out);
    out.push(b',');
    write_proof(proof, out);
    let measured = signals.iter().zip(values).filter(|(_, it)| it.is_finite());
    for (at, (signal, value)) in measured.enumerate() {
        out.extend_from_slice(if at == 0 { b"," } else { b"},{" });
        let _ = write!(out, "\"n\":\"{}\"", signal.name);
        if let Some(unit) = senml_unit(signal) {
            let _ = write!(out, ",\"u\":\"{unit}\"");
        }
        out.extend_from_slice(b",\"v\":");
        write_json(*value, out);
    }
    out.extend_from_slice(b"}]");
}

/// The unit as the registry of RFC 8428 and RFC 8798 has it.
fn senml_unit(signal: &Signal) -> Option<&str> {
    Some(match signal.unit.as_str() {
        "°C" => "Cel",
        "%" if signal.name.starts_with("humidity") => "%RH",
        unit @ ("%" | "A" | "V" | "m" | "mA" | "mV" | "hPa" | "kWh") => unit,
        _ => return None,
    })
}

/// `"temperature":21.5,…`, names as `write_name` writes them.
fn write_values(
    signals: &[Signal],
    values: &[f64],
    out: &mut Vec<u8>,
    write_name: impl Fn(&str, &mut Vec<u8>),
) {
    for (at, (signal, value)) in signals.iter().zip(values).enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        write_name(&signal.name, out);
        out.extend_from_slice(b"\":");
        write_json(*value, out);
    }
}

/// `"boot":…,"seq":…,"crc":…`
fn write_proof(proof: Proof, out: &mut Vec<u8>) {
    for (name, number) in [
        (&b"\"boot\":"[..], proof.boot),
        (b",\"seq\":", proof.sequence),
        (b",\"crc\":", proof.checksum),
    ] {
        out.extend_from_slice(name);
        write_unsigned(u64::from(number), out);
    }
}
