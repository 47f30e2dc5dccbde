//! The plain forms: a bare number, `{"ts", "value"}`, or `{"ts", "values": {...}}`.
//!
//! `ts` is ms since the Unix epoch by the sensor's clock; other keys are passed over. A message is
//! taken whole or not at all.

use core::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use wire::Timestamp;

use super::{Name, PayloadError, Readings};
use crate::mapping::Mapped;

/// Reads a number or an object into `readings`.
pub(super) fn parse<'p>(
    payload: &'p [u8],
    mapped: &Mapped<'_, '_>,
    readings: &mut Readings<'p>,
) -> Result<(), PayloadError> {
    if payload.trim_ascii_start().starts_with(b"{") {
        parse_object(payload, readings)?;
    } else {
        let value = parse_number(payload)?;
        // The vector is empty: there is room.
        let _ = readings.push(Name::Topic, None, value);
    }
    let named = readings.items.iter().all(|item| item.name != Name::Topic);
    match (mapped.signal.is_some(), named, readings.items.is_empty()) {
        (_, _, true) => Err(PayloadError::new(
            "the object has neither \"value\" nor \"values\"",
            0,
        )),
        (true, true, _) => Err(PayloadError::new(
            "the topic names the signal already; send {\"ts\", \"value\"} here",
            0,
        )),
        (false, false, _) => Err(PayloadError::new(
            "the topic names no signal; send {\"ts\", \"values\": {\"signal\": number}}",
            0,
        )),
        _ => Ok(()),
    }
}

/// The error of serde_json, with its place as an offset.
pub(super) fn error_at(payload: &[u8], error: &serde_json::Error) -> PayloadError {
    PayloadError::new(
        error.to_string(),
        offset_of(payload, error.line(), error.column()),
    )
}

/// A value as its text is in JSON. It is parsed by the standard library: that is right to the last bit, and allocates nothing.
pub(super) fn number(text: &str) -> Result<f64, &'static str> {
    match text {
        "true" => Ok(1.0),
        "false" => Ok(0.0),
        text => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err("the number is out of range"),
            Err(_) => Err("expected a number, true or false"),
        },
    }
}

fn parse_number(payload: &[u8]) -> Result<f64, PayloadError> {
    let text = core::str::from_utf8(payload)
        .map_err(|error| PayloadError::new("the payload is not UTF-8", error.valid_up_to()))?
        .trim_ascii();
    match text {
        "true" => Ok(1.0),
        "false" => Ok(0.0),
        _ => text.parse().map_err(|_| {
            PayloadError::new(
                "not a number; expected one such as 21.5, or a JSON object",
                0,
            )
        }),
    }
}

fn parse_object<'p>(payload: &'p [u8], readings: &mut Readings<'p>) -> Result<(), PayloadError> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let time = deserializer.deserialize_map(ObjectVisitor(readings));
    let time = time
        .and_then(|time| deserializer.end().map(|()| time))
        .map_err(|error| error_at(payload, &error))?;
    for item in &mut readings.items {
        item.time = time;
    }
    Ok(())
}

fn offset_of(payload: &[u8], line: usize, column: usize) -> usize {
    let lines = payload.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(payload.len())
}

/// Pushes the values, and gives the time that holds for all.
struct ObjectVisitor<'r, 'de>(&'r mut Readings<'de>);

impl<'de> Visitor<'de> for ObjectVisitor<'_, 'de> {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"ts\" and \"value\" or \"values\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(readings) = self;
        let mut time = None;
        while let Some(key) = map.next_key_seed(Key)? {
            match key {
                Some("ts") => time = Some(map.next_value_seed(Time)?),
                Some("value") if readings.items.is_empty() => {
                    let value = map.next_value_seed(Number)?;
                    // The vector is empty: there is room.
                    let _ = readings.push(Name::Topic, None, value);
                }
                Some("values") if readings.items.is_empty() => {
                    map.next_value_seed(Values(readings))?;
                }
                Some("value" | "values") => {
                    return Err(de::Error::custom("\"value\" or \"values\" stands twice"));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(time)
    }
}

/// A key: borrowed where it has no escapes; another one is none that we look for.
pub(super) struct Key;

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
            self.0
                .push(Name::Plain(signal), None, value)
                .map_err(de::Error::custom)?;
        }
        Ok(())
    }
}

struct Number;

impl<'de> DeserializeSeed<'de> for Number {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        number(<&RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
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
