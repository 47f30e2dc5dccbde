//! Sparkplug B 3.0: births, data and deaths as protobuf, and back.
//!
//! Fields are those of the `Payload` of `sparkplug_b.proto` (Eclipse Tahu): timestamp 1, metrics 2, seq 3, body 5; of a metric name
//! 1, alias 2, timestamp 3, datatype 4, `is_null` 7, long 11, double 13, boolean 14. The sequence stands last and always takes two
//! bytes, so that a message which goes out again in another session gets that session's number by [`stamp`].

use super::Signal;

const INT64: u64 = 4;
const DOUBLE: u64 = 10;
const BOOLEAN: u64 = 11;

/// Bytes of the sequence at the end of a payload, behind its tag.
const SEQUENCE_BYTES: usize = 2;

/// A death certificate: it names the birth that it ends. It is a will, so it has no time and no sequence.
pub fn write_death(birth: u8, out: &mut Vec<u8>) {
    write_bytes(2, &birth_number(birth), out);
}

/// The birth certificate of an edge node, at `time` (ms since the Unix epoch), which [`stamp`] numbers 0.
pub fn write_node_birth(time: i64, birth: u8, out: &mut Vec<u8>) {
    write_number(1, time as u64, out);
    write_bytes(2, &birth_number(birth), out);
    let mut rebirth = Vec::new();
    write_bytes(1, b"Node Control/Rebirth", &mut rebirth);
    write_number(4, BOOLEAN, &mut rebirth);
    write_number(14, 0, &mut rebirth);
    write_bytes(2, &rebirth, out);
    write_sequence(out);
}

/// The birth certificate of a device: its signals with their aliases. They are null, for nothing was measured yet.
pub fn write_device_birth(time: i64, signals: &[Signal], out: &mut Vec<u8>) {
    write_number(1, time as u64, out);
    for (at, signal) in signals.iter().enumerate() {
        let mut metric = Vec::new();
        write_bytes(1, signal.name.as_bytes(), &mut metric);
        write_number(2, alias(at), &mut metric);
        write_number(3, time as u64, &mut metric);
        write_number(4, DOUBLE, &mut metric);
        write_number(7, 1, &mut metric);
        write_bytes(2, &metric, out);
    }
    write_sequence(out);
}

/// Data of a device at `time`: its values by alias, null where one is no number, and `body` beside them.
pub(super) fn write_data(time: i64, values: &[f64], body: [u8; 12], out: &mut Vec<u8>) {
    write_number(1, time as u64, out);
    let mut metric = Vec::new();
    for (at, value) in values.iter().enumerate() {
        metric.clear();
        write_number(2, alias(at), &mut metric);
        write_number(3, time as u64, &mut metric);
        write_number(4, DOUBLE, &mut metric);
        if value.is_finite() {
            metric.push(13 << 3 | 1);
            metric.extend_from_slice(&value.to_le_bytes());
        } else {
            write_number(7, 1, &mut metric);
        }
        write_bytes(2, &metric, out);
    }
    write_bytes(5, &body, out);
    write_sequence(out);
}

/// Numbers a payload that this module wrote, or a packet that ends with one: each edge node counts its messages, from 0 with
/// its birth on, and after 255 from 0 again.
pub fn stamp(payload: &mut [u8], sequence: u8) {
    if let Some(place) = payload.last_chunk_mut::<SEQUENCE_BYTES>() {
        *place = [sequence | 0x80, sequence >> 7];
    }
}

fn write_sequence(out: &mut Vec<u8>) {
    out.extend_from_slice(&[3 << 3, 0x80, 0]);
}

/// The metric that ties a death to its birth.
fn birth_number(birth: u8) -> Vec<u8> {
    let mut metric = Vec::new();
    write_bytes(1, b"bdSeq", &mut metric);
    write_number(4, INT64, &mut metric);
    write_number(11, birth.into(), &mut metric);
    metric
}

const fn alias(signal: usize) -> u64 {
    signal as u64 + 1
}

fn write_number(field: u8, number: u64, out: &mut Vec<u8>) {
    out.push(field << 3);
    write_varint(number, out);
}

fn write_bytes(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A metric as a receiver finds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metric<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) alias: Option<u64>,
    pub(super) time: Option<i64>,
    pub(super) value: Option<f64>,
}

/// The metrics of a payload; `None` if it is none.
pub(super) fn read(payload: &[u8]) -> Option<Vec<Metric<'_>>> {
    let mut time = None;
    let mut metrics = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        match read_field(&mut rest)? {
            (1, Value::Number(number)) => time = Some(number as i64),
            (2, Value::Bytes(bytes)) => metrics.push(read_metric(bytes)?),
            _ => {}
        }
    }
    for metric in &mut metrics {
        metric.time = metric.time.or(time);
    }
    Some(metrics)
}

fn read_metric(mut rest: &[u8]) -> Option<Metric<'_>> {
    let mut metric = Metric::default();
    while !rest.is_empty() {
        match read_field(&mut rest)? {
            (1, Value::Bytes(bytes)) => metric.name = Some(core::str::from_utf8(bytes).ok()?),
            (2, Value::Number(number)) => metric.alias = Some(number),
            (3, Value::Number(number)) => metric.time = Some(number as i64),
            (13, Value::Double(value)) => metric.value = Some(value),
            _ => {}
        }
    }
    Some(metric)
}

enum Value<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
    Other,
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = read_varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(read_varint(rest)?),
        1 => Value::Double(f64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?)),
        2 => {
            let len = usize::try_from(read_varint(rest)?).ok()?;
            Value::Bytes(rest.split_off(..len)?)
        }
        5 => {
            rest.split_off(..4)?;
            Value::Other
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = *rest.split_off_first()?;
        // Bits above the 64th fall off, as protobuf says.
        number |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
