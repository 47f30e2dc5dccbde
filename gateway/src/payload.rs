//! From a payload to readings: a bare number, `{"ts", "value"}`, or `{"ts", "values": {...}}`.
//!
//! `ts` is ms since the Unix epoch by the sensor's clock; other keys are passed over. A message is
//! taken whole or not at all.

use core::fmt;

use heapless::Vec;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use wire::Timestamp;

use crate::limits::READINGS_PER_MESSAGE_MAX;

/// The readings of one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings<'p> {
    /// Time by the sensor's clock, if the payload carried one; it holds for all.
    pub time: Option<Timestamp>,
    /// Signal, where the payload names it, and value.
    pub values: Vec<(Option<&'p str>, f64), READINGS_PER_MESSAGE_MAX>,
}

/// Why a payload holds no readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadError {
    /// What is wrong, and what was expected.
    pub reason: String,
    /// Where in the payload, bytes.
    pub offset: usize,
}

/// Reads `payload`. `signal_known` says that the topic names the signal already.
///
/// # Errors
/// [`PayloadError`] with reason and place; nothing of the message is used then.
pub fn parse(payload: &[u8], signal_known: bool) -> Result<Readings<'_>, PayloadError> {
    let readings = match payload.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {
            return Err(refuse(
                "the payload is empty; expected a number or a JSON object",
                0,
            ));
        }
        Some(b'{') => parse_object(payload)?,
        Some(_) => parse_number(payload)?,
    };
    let named = readings.values.iter().all(|(signal, _)| signal.is_some());
    match (signal_known, named, readings.values.is_empty()) {
        (_, _, true) => Err(refuse("the object has neither \"value\" nor \"values\"", 0)),
        (true, true, _) => Err(refuse(
            "the topic names the signal already; send {\"ts\", \"value\"} here",
            0,
        )),
        (false, false, _) => Err(refuse(
            "the topic names no signal; send {\"ts\", \"values\": {\"signal\": number}}",
            0,
        )),
        _ => Ok(readings),
    }
}

fn parse_number(payload: &[u8]) -> Result<Readings<'_>, PayloadError> {
    let text = core::str::from_utf8(payload)
        .map_err(|error| refuse("the payload is not UTF-8", error.valid_up_to()))?
        .trim_ascii();
    let value = match text {
        "true" => 1.0,
        "false" => 0.0,
        _ => text.parse().map_err(|_| {
            refuse(
                "not a number; expected one such as 21.5, or a JSON object",
                0,
            )
        })?,
    };
    let mut readings = Readings::default();
    // The vector is empty: there is room.
    let _ = readings.values.push((None, value));
    Ok(readings)
}

fn parse_object(payload: &[u8]) -> Result<Readings<'_>, PayloadError> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let readings = deserializer.deserialize_map(ObjectVisitor);
    readings
        .and_then(|readings| deserializer.end().map(|()| readings))
        .map_err(|error| PayloadError {
            offset: offset_of(payload, error.line(), error.column()),
            reason: error.to_string(),
        })
}

fn offset_of(payload: &[u8], line: usize, column: usize) -> usize {
    let lines = payload.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(payload.len())
}

fn refuse(reason: &str, offset: usize) -> PayloadError {
    PayloadError {
        reason: reason.to_owned(),
        offset,
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Readings<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"ts\" and \"value\" or \"values\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut readings = Readings::default();
        while let Some(key) = map.next_key_seed(Key)? {
            match key {
                Some("ts") => readings.time = Some(map.next_value_seed(Time)?),
                Some("value") if readings.values.is_empty() => {
                    let value = map.next_value_seed(Number)?;
                    // The vector is empty: there is room.
                    let _ = readings.values.push((None, value));
                }
                Some("values") if readings.values.is_empty() => {
                    map.next_value_seed(Values(&mut readings))?;
                }
                Some("value" | "values") => {
                    return Err(de::Error::custom("\"value\" or \"values\" stands twice"));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(readings)
    }
}

/// A key: borrowed where it has no escapes; another one is none that we look for.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Some(key))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

struct Values<'r, 'de>(&'r mut Readings<'de>);

impl<'de> DeserializeSeed<'de> for Values<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of signals and numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let Some(signal) = key else {
                return Err(de::Error::custom("a signal's name must not have escapes"));
            };
            if signal.is_empty() {
                return Err(de::Error::custom("a signal's name is empty"));
            }
            let value = map.next_value_seed(Number)?;
            self.0.values.push((Some(signal), value)).map_err(|_| {
                de::Error::custom(format_args!(
                    "more than {READINGS_PER_MESSAGE_MAX} values; send them in two messages"
                ))
            })?;
        }
        Ok(())
    }
}

/// A value. Its text is parsed by the standard library: that is right to the last bit, and allocates nothing.
struct Number;

impl<'de> DeserializeSeed<'de> for Number {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        match <&RawValue>::deserialize(deserializer)?.get() {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            text => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                Ok(_) => Err(de::Error::custom("the number is out of range")),
                Err(_) => Err(de::Error::custom("expected a number, true or false")),
            },
        }
    }
}

struct Time;

impl<'de> DeserializeSeed<'de> for Time {
    type Value = Timestamp;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Time {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"ts\" as milliseconds since 1970 (an integer)")
    }

    fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Timestamp, E> {
        i64::try_from(ms)
            .map(Timestamp)
            .map_err(|_| E::custom("\"ts\" is beyond the year 292 million"))
    }

    fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Timestamp, E> {
        Ok(Timestamp(ms))
    }

    fn visit_f64<E: de::Error>(self, ms: f64) -> Result<Timestamp, E> {
        if ms.abs() < 9.0e15 {
            Ok(Timestamp(ms as i64))
        } else {
            Err(E::custom("\"ts\" is no time in milliseconds"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(payload: &str, signal_known: bool, expected: (Option<i64>, &[(Option<&str>, f64)])) {
        let readings = parse(payload.as_bytes(), signal_known).expect(payload);
        assert_eq!(readings.time, expected.0.map(Timestamp), "{payload}");
        assert_eq!(&readings.values[..], expected.1, "{payload}");
    }

    fn check_refused(payload: &[u8], signal_known: bool, reason: &str) {
        let error = parse(payload, signal_known).expect_err("refused");
        assert!(
            error.reason.contains(reason),
            "{:?} should say {reason:?}",
            error.reason
        );
        assert!(error.offset <= payload.len());
    }

    #[test]
    fn the_three_forms_are_read() {
        check("21.5", true, (None, &[(None, 21.5)]));
        check(" -1e3\n", true, (None, &[(None, -1000.0)]));
        check("true", true, (None, &[(None, 1.0)]));
        check(
            r#"{"ts":1764000000000,"value":3}"#,
            true,
            (Some(1_764_000_000_000), &[(None, 3.0)]),
        );
        check(
            r#"{"value":-0.25,"seq":7,"x":{"y":[1]}}"#,
            true,
            (None, &[(None, -0.25)]),
        );
        check(
            r#"{"values":{"t":20.5,"door":false},"ts":5}"#,
            false,
            (Some(5), &[(Some("t"), 20.5), (Some("door"), 0.0)]),
        );
    }

    /// JSON parsers that round twice are one bit off for about one in thirty numbers of 16 digits.
    #[test]
    fn a_value_is_read_to_its_last_bit() {
        for text in [
            "92.27798059999999",
            "90.14558029999999",
            "-1.7976931348623157e308",
            "5e-324",
        ] {
            let value: f64 = text.parse().expect("a number");
            let object = format!("{{\"value\": {text} }}");
            check(text, true, (None, &[(None, value)]));
            check(&object, true, (None, &[(None, value)]));
        }
    }

    #[test]
    fn a_number_that_is_none_is_still_a_reading() {
        let readings = parse(b"NaN", true).expect("a sensor's way to say it has no value");
        assert!(readings.values[0].1.is_nan());
    }

    #[test]
    fn what_is_no_reading_is_refused_with_its_reason() {
        check_refused(b"", true, "empty");
        check_refused(b"warm", true, "not a number");
        check_refused(b"\xff\xfe", true, "UTF-8");
        check_refused(br#"{"ts":1}"#, true, "neither");
        check_refused(br#"{"value":null}"#, true, "expected a number");
        check_refused(br#"{"value":"21"}"#, true, "expected a number");
        check_refused(br#"{"value":[1]}"#, true, "expected a number");
        check_refused(br#"{"value":1e999}"#, true, "out of range");
        check_refused(br#"{"value":01}"#, true, "number");
        check_refused(br#"{"value":1,"value":2}"#, true, "twice");
        check_refused(br#"{"value":1"#, true, "EOF");
        check_refused(br#"{"value":1} x"#, true, "trailing");
        check_refused(br#"{"ts":"now","value":1}"#, true, "milliseconds");
        check_refused(br#"{"values":{"a":1}}"#, true, "names the signal already");
        check_refused(b"21.5", false, "names no signal");
        check_refused(br#"{"values":{"a\u0041":1}}"#, false, "escapes");
        check_refused(br#"{"values":{"":1}}"#, false, "empty");
        let many: Vec<String, 80> = (0..80).map(|at| format!("\"s{at}\":1")).collect();
        check_refused(
            format!("{{\"values\":{{{}}}}}", many.join(",")).as_bytes(),
            false,
            "more than 64",
        );
    }

    #[test]
    fn the_offset_points_at_the_fault() {
        let error = parse(b"{\n  \"value\": oops }", true).expect_err("refused");
        assert_eq!(error.offset, 13);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200), known: bool) {
            if let Err(error) = parse(&payload, known) {
                prop_assert!(error.offset <= payload.len() && !error.reason.is_empty());
            }
        }
    }
}
