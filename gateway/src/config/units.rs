//! Durations and sizes as people write them: `"10ms"`, `"5s"`, `"2h"`, `"64MiB"`.

use core::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A span of time, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A size, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const DURATIONS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Number and unit of `text`, multiplied; `None` if it is neither.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let unit = text[digits..].trim();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    text[..digits].parse::<u64>().ok()?.checked_mul(*factor)
}

/// The largest unit that divides the number, and the number in it.
fn write(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number.is_multiple_of(*factor) && number >= *factor;
    let largest = units.iter().filter(fits).max_by_key(|(_, factor)| *factor);
    match largest {
        Some((name, factor)) => format!("{}{name}", number / factor),
        None => format!(
            "{number}{}",
            units.iter().min_by_key(|it| it.1).map_or("", |it| it.0)
        ),
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self.0, DURATIONS))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self.0, SIZES))
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a duration such as \"10ms\", \"5s\", \"2m\", \"1h\" or \"7d\"";
        deserializer
            .deserialize_str(UnitVisitor {
                units: DURATIONS,
                expected,
            })
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a size such as \"64KiB\", \"8MiB\" or \"2GiB\"";
        deserializer
            .deserialize_str(UnitVisitor {
                units: SIZES,
                expected,
            })
            .map(Self)
    }
}

struct UnitVisitor {
    units: &'static [(&'static str, u64)],
    expected: &'static str,
}

impl Visitor<'_> for UnitVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        parse(text, self.units).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit_are_read() {
        for (text, ms) in [
            ("10ms", 10),
            ("5s", 5_000),
            ("2 m", 120_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(parse(text, DURATIONS), Some(ms), "{text}");
        }
        assert_eq!(parse("8MiB", SIZES), Some(8 << 20));
        for text in [
            "10",
            "ms",
            "",
            "1.5s",
            "-1s",
            "5 parsecs",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(parse(text, DURATIONS), None, "{text}");
        }
    }
}
