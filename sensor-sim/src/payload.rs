//! The bytes of a message, in the dialect of its device.

use std::io::Write;

use crate::device::Message;
use crate::profile::Dialect;

/// What the bytes of a device's messages are made with.
#[derive(Clone, Debug)]
pub struct Writer {
    dialect: Dialect,
    device_checksum: u32,
    signals: Vec<String>,
    bytes_min: usize,
}

impl Writer {
    /// A writer for the messages of `device`. Messages shorter than `bytes_min` are filled up, where the dialect has
    /// room for that.
    #[must_use]
    pub fn new(dialect: Dialect, device: &str, signals: Vec<String>, bytes_min: usize) -> Self {
        let device_checksum = wire::crc32c(0, device.as_bytes());
        Self {
            dialect,
            device_checksum,
            signals,
            bytes_min,
        }
    }

    /// How it writes.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Appends the payload of `message` to `out`.
    pub fn write(&self, message: &Message<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        match self.dialect {
            Dialect::Bare => write_bare(message.values.first().copied().unwrap_or(f64::NAN), out),
            Dialect::Json => {
                write_time(message.time, out);
                out.extend_from_slice(b",\"value\":");
                write_number(message.values.first().copied().unwrap_or(f64::NAN), out);
                self.write_proof(message, out, begin);
            }
            Dialect::JsonValues => {
                write_time(message.time, out);
                out.extend_from_slice(b",\"values\":");
                for (at, (signal, value)) in self.signals.iter().zip(message.values).enumerate() {
                    out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
                    out.extend_from_slice(signal.as_bytes());
                    out.extend_from_slice(b"\":");
                    write_number(*value, out);
                }
                out.push(b'}');
                self.write_proof(message, out, begin);
            }
        }
    }

    fn write_proof(&self, message: &Message<'_>, out: &mut Vec<u8>, begin: usize) {
        for (name, number) in [
            (&b",\"boot\":"[..], message.boot),
            (b",\"seq\":", message.sequence),
            (b",\"crc\":", self.checksum(message)),
        ] {
            out.extend_from_slice(name);
            write_unsigned(u64::from(number), out);
        }
        const PAD: &[u8] = b",\"pad\":\"\"";
        let missing = self
            .bytes_min
            .saturating_sub(out.len() - begin + PAD.len() + 1);
        if missing > 0 {
            out.extend_from_slice(&PAD[..PAD.len() - 1]);
            out.resize(out.len() + missing, b'.');
            out.push(b'"');
        }
        out.push(b'}');
    }

    /// CRC-32C of device, boot, sequence, time and values.
    fn checksum(&self, message: &Message<'_>) -> u32 {
        let mut checksum = wire::crc32c(self.device_checksum, &message.boot.to_le_bytes());
        checksum = wire::crc32c(checksum, &message.sequence.to_le_bytes());
        checksum = wire::crc32c(checksum, &message.time.to_le_bytes());
        for value in message.values {
            checksum = wire::crc32c(checksum, &value.to_bits().to_le_bytes());
        }
        checksum
    }
}

/// Whether a receiver must refuse the message: JSON has no word for a number that is none.
#[must_use]
pub fn is_refusable(dialect: Dialect, values: &[f64]) -> bool {
    dialect != Dialect::Bare && values.iter().any(|value| !value.is_finite())
}

fn write_time(time: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts\":");
    if time < 0 {
        out.push(b'-');
    }
    write_unsigned(time.unsigned_abs(), out);
}

fn write_unsigned(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_number(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        write_bare(value, out);
    } else {
        out.extend_from_slice(b"null");
    }
}

/// The shortest text that is read as this very number.
fn write_bare(value: f64, out: &mut Vec<u8>) {
    // A vector takes all that is written.
    let _ = write!(out, "{value}");
}

/// A reading as a receiver of the payload finds it: signal (if the payload names it), time, value.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The signal, if the payload names it.
    pub signal: Option<String>,
    /// Time by the device's clock, if the payload carries it.
    pub time: Option<i64>,
    /// The value; `None` if it is no number.
    pub value: Option<f64>,
}

/// Reads a payload of any dialect; empty if it is none.
#[must_use]
pub fn read(payload: &[u8]) -> Vec<Found> {
    if payload.first() != Some(&b'{') {
        let text = core::str::from_utf8(payload).unwrap_or_default().trim();
        let value = text.parse().ok();
        return if text.is_empty() {
            vec![]
        } else {
            vec![Found {
                signal: None,
                time: None,
                value,
            }]
        };
    }
    let Ok(object) = serde_json::from_slice::<serde_json::Value>(payload) else {
        return vec![];
    };
    let time = object["ts"].as_i64();
    if let Some(value) = object.get("value") {
        return vec![Found {
            signal: None,
            time,
            value: value.as_f64(),
        }];
    }
    let values = object["values"].as_object().into_iter().flatten();
    values
        .map(|(signal, value)| Found {
            signal: Some(signal.clone()),
            time,
            value: value.as_f64(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(values: &[f64]) -> Message<'_> {
        Message {
            stream: 0,
            boot: 2,
            sequence: 17,
            time: 1_764_000_000_123,
            values,
            is_repeat: false,
        }
    }

    fn written(dialect: Dialect, values: &[f64], bytes_min: usize) -> String {
        let mut out = Vec::new();
        let signals = vec!["a".into(), "b".into()];
        Writer::new(dialect, "pump", signals, bytes_min).write(&message(values), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_dialect_is_written_as_documented() {
        assert_eq!(written(Dialect::Bare, &[21.5], 0), "21.5");
        assert_eq!(
            written(Dialect::Json, &[21.53], 0),
            r#"{"ts":1764000000123,"value":21.53,"boot":2,"seq":17,"crc":1650553158}"#
        );
        assert_eq!(
            written(Dialect::JsonValues, &[1.0, -0.25], 0),
            r#"{"ts":1764000000123,"values":{"a":1,"b":-0.25},"boot":2,"seq":17,"crc":2197545974}"#
        );
    }

    #[test]
    fn a_message_can_be_made_longer() {
        let text = written(Dialect::Json, &[1.0], 200);
        assert_eq!(text.len(), 200);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["seq"],
            17
        );
        assert!(written(Dialect::Json, &[1.0], 10).len() < 100);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let found = |signal: Option<&str>, value| Found {
            signal: signal.map(str::to_owned),
            time: Some(1_764_000_000_123),
            value,
        };
        assert_eq!(
            read(written(Dialect::Json, &[0.1 + 0.2], 0).as_bytes()),
            [found(None, Some(0.1 + 0.2))]
        );
        assert_eq!(
            read(written(Dialect::Json, &[f64::NAN], 0).as_bytes()),
            [found(None, None)]
        );
        assert_eq!(
            read(written(Dialect::JsonValues, &[1e300, -5e-324], 0).as_bytes()),
            [
                found(Some("a"), Some(1e300)),
                found(Some("b"), Some(-5e-324))
            ]
        );
        assert_eq!(
            read(b"-3.5\n"),
            [Found {
                signal: None,
                time: None,
                value: Some(-3.5)
            }]
        );
        assert_eq!(read(b"{broken"), []);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn json_has_no_word_for_what_is_no_number() {
        assert!(is_refusable(Dialect::Json, &[f64::NAN]));
        assert!(is_refusable(Dialect::JsonValues, &[1.0, f64::INFINITY]));
        assert!(!is_refusable(Dialect::Bare, &[f64::NAN]));
        assert!(!is_refusable(Dialect::Json, &[1.0]));
    }

    #[test]
    fn the_checksum_moves_with_every_part() {
        let writer = Writer::new(Dialect::Json, "pump", vec![], 0);
        let base = message(&[1.0]);
        let checksums = [
            writer.checksum(&base),
            writer.checksum(&Message { boot: 3, ..base }),
            writer.checksum(&Message {
                sequence: 18,
                ..base
            }),
            writer.checksum(&Message { time: 0, ..base }),
            writer.checksum(&message(&[1.5])),
            Writer::new(Dialect::Json, "pumq", vec![], 0).checksum(&base),
        ];
        let different: std::collections::HashSet<_> = checksums.into_iter().collect();
        assert_eq!(different.len(), checksums.len());
    }
}
