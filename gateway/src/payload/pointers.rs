//! Any other JSON: the config says by pointers (RFC 6901) where the values stand.
//!
//! So Tasmota, Shelly, Zigbee2MQTT and whatever comes next need a line of config and no code. A pointer that leads nowhere,
//! or to `null`, is passed over: such devices send what has changed.

use core::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wire::Timestamp;

use super::json::{error_at, number};
use super::{Name, PayloadError, Readings};
use crate::limits::{POINTER_KEYS_MAX, POINTERS_MAX};

/// Times below this are seconds, others milliseconds: in ms it is March 1973, in s the year 5138.
const TIME_MS_MIN: f64 = 1e11;
/// Times up to here, in ms either way, are taken.
const TIME_MS_MAX: f64 = 9e15;

/// Where a payload has its values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pointers {
    values: Vec<(Option<String>, Pointer)>,
    time: Option<Pointer>,
}

/// A JSON pointer: the keys to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    keys: Vec<String>,
}

/// Why a text is no pointer, or why there are too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It does not begin with `/`, or has a `~` that is neither `~0` nor `~1`.
    #[error("`{0}` is no JSON pointer; write for example `/DHT22/Temperature` (RFC 6901)")]
    Syntax(String),
    /// Too many keys, or too many pointers.
    #[error("at most {POINTERS_MAX} pointers of {POINTER_KEYS_MAX} keys")]
    TooMany,
}

impl Pointer {
    /// Compiles a pointer.
    ///
    /// # Errors
    /// [`PointerError`] if it is none.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let fault = || PointerError::Syntax(text.to_owned());
        let rest = text.strip_prefix('/').ok_or_else(fault)?;
        let keys = rest
            .split('/')
            .map(|key| unescape(key).ok_or_else(fault))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.len() > POINTER_KEYS_MAX {
            return Err(PointerError::TooMany);
        }
        let text = text.to_owned();
        Ok(Self { text, keys })
    }

    fn find<'p>(&self, payload: &'p [u8]) -> Result<Option<&'p RawValue>, PayloadError> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        Seek(&self.keys)
            .deserialize(&mut deserializer)
            .and_then(|found| deserializer.end().map(|()| found))
            .map_err(|error| error_at(payload, &error))
    }
}

impl Pointers {
    /// Pointers to values, each with the name of its signal unless the topic has it, and to the time.
    ///
    /// # Errors
    /// [`PointerError::TooMany`].
    pub fn new(
        values: Vec<(Option<String>, Pointer)>,
        time: Option<Pointer>,
    ) -> Result<Self, PointerError> {
        if values.len() > POINTERS_MAX {
            return Err(PointerError::TooMany);
        }
        Ok(Self { values, time })
    }

    /// Whether they fit a topic that names the signal, or does not: exactly one names it.
    #[must_use]
    pub fn fit(&self, is_signal_known: bool) -> bool {
        let named = |(signal, _): &(Option<String>, _)| signal.is_some() != is_signal_known;
        !self.values.is_empty()
            && self.values.iter().all(named)
            && (!is_signal_known || self.values.len() == 1)
    }
}

/// Reads what the pointers lead to into `readings`.
pub(super) fn parse<'p>(
    payload: &'p [u8],
    pointers: &'p Pointers,
    readings: &mut Readings<'p>,
) -> Result<(), PayloadError> {
    let begin = payload.as_ptr() as usize;
    let offset = |raw: &RawValue| (raw.get().as_ptr() as usize).saturating_sub(begin);
    let time = match &pointers.time {
        None => None,
        Some(pointer) => match pointer.find(payload)?.filter(|raw| raw.get() != "null") {
            None => None,
            Some(raw) => Some(time(raw.get()).map_err(|reason| {
                PayloadError::new(format!("`{}`: {reason}", pointer.text), offset(raw))
            })?),
        },
    };
    for (signal, pointer) in &pointers.values {
        let Some(raw) = pointer.find(payload)?.filter(|raw| raw.get() != "null") else {
            continue;
        };
        let name = signal.as_deref().map_or(Name::Topic, Name::Plain);
        let pushed = number(raw.get())
            .map_err(str::to_owned)
            .and_then(|value| readings.push(name, time, value));
        if let Err(reason) = pushed {
            let reason = format!("`{}`: {reason}", pointer.text);
            readings.refuse(PayloadError::new(reason, offset(raw)));
        }
    }
    if readings.items.is_empty() && readings.refused == 0 {
        return Err(PayloadError::new(
            "no pointer of this topic's mapping leads to a value",
            0,
        ));
    }
    Ok(())
}

/// Walks along the keys; the value they lead to, if there is one.
struct Seek<'k>(&'k [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            <&RawValue>::deserialize(deserializer).map(Some)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_key) = map.next_key_seed(KeyIs(&self.0[0]))? {
            if is_key {
                found = map.next_value_seed(Seek(&self.0[1..]))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0[0].parse::<usize>().ok();
        let mut found = None;
        for at in 0.. {
            if wanted == Some(at) {
                match items.next_element_seed(Seek(&self.0[1..]))? {
                    Some(item) => found = item,
                    None => break,
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

struct KeyIs<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

fn unescape(key: &str) -> Option<String> {
    let mut pieces = key.split('~');
    let mut plain = pieces.next()?.to_owned();
    for piece in pieces {
        let (escaped, rest) = match piece.as_bytes().first()? {
            b'0' => ('~', &piece[1..]),
            b'1' => ('/', &piece[1..]),
            _ => return None,
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Some(plain)
}

/// A time as JSON has it: seconds or milliseconds since 1970, or a text of RFC 3339.
fn time(text: &str) -> Result<Timestamp, &'static str> {
    if let Some(text) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        return date_time(text).map(Timestamp).ok_or(
            "a time is written 2026-01-31T12:00:00Z; leave `time` out for one without a zone",
        );
    }
    let number: f64 = text.parse().map_err(|_| "expected a time")?;
    let ms = if number.abs() < TIME_MS_MIN {
        number * 1_000.0
    } else {
        number
    };
    if ms.abs() < TIME_MS_MAX {
        Ok(Timestamp(ms.round() as i64))
    } else {
        Err("the time is out of range")
    }
}

/// Milliseconds since 1970 of a date and time with its zone (RFC 3339 section 5.6).
fn date_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let (fraction_ms, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let digits = rest[..end].bytes().chain(core::iter::repeat(b'0')).take(3);
            let ms = digits.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
            (ms, &rest[end..])
        }
    };
    let offset_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let [hours, minutes] = fields(zone.get(1..)?, ':', [2, 2])?;
            let minutes = hours * 60 + minutes;
            match zone.as_bytes()[0] {
                b'+' => minutes,
                b'-' => -minutes,
                _ => return None,
            }
        }
    };
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    in_range.then_some((minutes * 60 + second) * 1_000 + fraction_ms)
}

fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let is_plain = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_plain)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01 in the Gregorian calendar. The year is counted from March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_many_forms() {
        for (text, ms) in [
            ("1764000000123", 1_764_000_000_123),
            ("1764000000.123", 1_764_000_000_123),
            ("\"1970-01-01T00:00:00Z\"", 0),
            ("\"2024-02-29T12:00:00.5+01:00\"", 1_709_204_400_500),
            ("\"2000-03-01 00:00:00z\"", 951_868_800_000),
            ("\"1969-12-31T23:59:59.999Z\"", -1),
        ] {
            assert_eq!(time(text), Ok(Timestamp(ms)), "{text}");
        }
        for text in [
            "true",
            "1e300",
            "\"\"",
            "\"2024-02-29T12:00:00\"",
            "\"2024-13-01T00:00:00Z\"",
            "\"2024-1-01T00:00:00Z\"",
            "\"2024-01-01T00:00:00.Z5\"",
            "\"2024-01-01T00:00:00+é1\"",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pointer_is_written_as_in_the_rfc() {
        assert_eq!(
            Pointer::parse("/a~1b/m~0n").map(|it| it.keys),
            Ok(vec!["a/b".into(), "m~n".into()])
        );
        for text in ["", "a", "/a~", "/a~2"] {
            assert_eq!(
                Pointer::parse(text),
                Err(PointerError::Syntax(text.to_owned()))
            );
        }
        assert_eq!(
            Pointer::parse(&"/x".repeat(POINTER_KEYS_MAX + 1)),
            Err(PointerError::TooMany)
        );
    }
}
