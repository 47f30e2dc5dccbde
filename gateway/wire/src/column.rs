//! Columns of numbers: scaled to whole numbers where that loses nothing, as differences to the one before or to a level.

use crate::bytes::{Cursor, Full, Malformed, Writer, bits, mean};
use core::iter::once;

/// The powers of ten by which a column may be scaled: up to nine decimals.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The scale byte of a column of plain floats.
const PLAIN: u8 = 0xFF;

/// Added to the scale if the numbers stand around a level.
const LEVEL: u8 = 0x10;

/// Added to the scale if the numbers are multiples of a unit, which follows.
const UNIT: u8 = 0x20;

/// A unit that saves less than these is not worth a second look.
const UNIT_BITS_MIN: u64 = 16;

/// Above it a double doesn't hold every whole number.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes numbers: the smallest scale with which all of them come back bit for bit, or else plain floats.
pub(crate) fn write_numbers(
    writer: &mut Writer<'_>,
    numbers: impl Iterator<Item = f64> + Clone,
) -> Result<(), Full> {
    if numbers.clone().next().is_none() {
        return Ok(());
    }
    let Some(scale) = scale_of(numbers.clone()) else {
        writer.byte(PLAIN)?;
        return numbers
            .into_iter()
            .try_for_each(|number| writer.float(number));
    };
    // `scale_of` has seen that every number fits.
    let whole = numbers.map(|number| scaled(number, scale).unwrap_or_default());
    match unit_of(whole.clone()) {
        1 => write_whole(writer, scale, None, whole),
        unit => {
            let multiples = whole.map(|whole| whole / unit);
            write_whole(writer, scale | UNIT, Some(unit), multiples)
        }
    }
}

/// Writes whole numbers by their steps or around a level, whichever is the shorter.
fn write_whole(
    writer: &mut Writer<'_>,
    scale: u8,
    unit: Option<i64>,
    whole: impl Iterator<Item = i64> + Clone,
) -> Result<(), Full> {
    let (level, around, steps) = shapes(whole);
    let has_level = bits(once(level).chain(around.clone())) < bits(steps.clone());
    writer.byte(scale | if has_level { LEVEL } else { 0 })?;
    if let Some(unit) = unit {
        writer.unsigned(unit.unsigned_abs())?;
    }
    if has_level {
        writer.signed(level)?;
        around
            .into_iter()
            .try_for_each(|number| writer.signed(number))
    } else {
        steps
            .into_iter()
            .try_for_each(|number| writer.signed(number))
    }
}

/// The level of whole numbers, what they are around it, and their steps.
fn shapes(
    whole: impl Iterator<Item = i64> + Clone,
) -> (
    i64,
    impl Iterator<Item = i64> + Clone,
    impl Iterator<Item = i64> + Clone,
) {
    let level = mean(whole.clone());
    let around = whole.clone().map(move |whole| whole - level);
    let pairs = once(0).chain(whole.clone()).zip(whole);
    (level, around, pairs.map(|(before, whole)| whole - before))
}

/// The unit of which all numbers are multiples, as those of a converter are; 1 if none saves as much as it takes to look.
fn unit_of(whole: impl Iterator<Item = i64> + Clone) -> i64 {
    let mut unit = 0;
    for whole in whole.clone() {
        unit = greatest_divisor(unit, whole);
        if unit == 1 {
            return 1;
        }
    }
    let bits_of = |unit: i64| {
        let (level, around, steps) = shapes(whole.clone().map(|whole| whole / unit));
        bits(once(level).chain(around)).min(bits(steps))
    };
    if unit > 1 && bits_of(unit) + bits(once(unit)) + UNIT_BITS_MIN < bits_of(1) {
        unit
    } else {
        1
    }
}

/// Euclid's algorithm; 0 is divided by all.
const fn greatest_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

/// A larger scale fits wherever a smaller one does, as long as the whole number stays exact: so one pass finds it, and one
/// makes sure of it.
fn scale_of(numbers: impl Iterator<Item = f64> + Clone) -> Option<u8> {
    let mut scale = 0;
    for number in numbers.clone() {
        while scaled(number, scale).is_none() {
            scale += 1;
            if usize::from(scale) == POWERS.len() {
                return None;
            }
        }
    }
    let fits = numbers
        .into_iter()
        .all(|number| scaled(number, scale).is_some());
    fits.then_some(scale)
}

/// The whole number which, divided by the scale's power of ten, gives `number` bit for bit.
fn scaled(number: f64, scale: u8) -> Option<i64> {
    let power = POWERS[usize::from(scale)];
    let exact = number * power;
    if exact.is_nan() || exact.abs() > WHOLE_MAX {
        return None;
    }
    let whole = (exact + 0.5_f64.copysign(exact)) as i64;
    (unscaled(whole, power).to_bits() == number.to_bits()).then_some(whole)
}

/// Both are exact in a double, so the quotient is the double next to the decimal number, as a parser gives it.
fn unscaled(whole: i64, power: f64) -> f64 {
    whole as f64 / power
}

/// Reads the numbers of one sensor, one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Numbers {
    /// No number was read yet: the scale comes first.
    #[default]
    Unread,
    /// Floats as they are.
    Plain,
    /// Differences of whole numbers to the one before.
    Steps { before: i64, unit: i64, power: f64 },
    /// Differences of whole numbers to a level.
    Around { level: i64, unit: i64, power: f64 },
}

impl Numbers {
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<f64, Malformed> {
        if let Self::Unread = self {
            *self = Self::open(cursor)?;
        }
        match self {
            Self::Unread | Self::Plain => cursor.float(),
            Self::Steps {
                before,
                unit,
                power,
            } => {
                *before = before.wrapping_add(cursor.signed()?);
                Ok(unscaled(before.wrapping_mul(*unit), *power))
            }
            Self::Around { level, unit, power } => {
                let whole = level.wrapping_add(cursor.signed()?);
                Ok(unscaled(whole.wrapping_mul(*unit), *power))
            }
        }
    }

    fn open(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let scale = cursor.byte()?;
        if scale == PLAIN {
            return Ok(Self::Plain);
        }
        let power = *POWERS
            .get(usize::from(scale & !(LEVEL | UNIT)))
            .ok_or(Malformed::Part("scale"))?;
        let unit = match scale & UNIT {
            0 => 1,
            _ => cursor.unsigned()?.cast_signed(),
        };
        Ok(if scale & LEVEL == 0 {
            Self::Steps {
                before: 0,
                unit,
                power,
            }
        } else {
            Self::Around {
                level: cursor.signed()?,
                unit,
                power,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn check_numbers(numbers: &[f64]) -> usize {
        let mut buffer = [0; 1024];
        let mut writer = Writer::new(&mut buffer);
        write_numbers(&mut writer, numbers.iter().copied()).unwrap();
        let len = writer.written().len();
        let mut cursor = Cursor::new(&buffer[..len]);
        let mut reader = Numbers::default();
        for number in numbers {
            assert_eq!(
                reader.read(&mut cursor).unwrap().to_bits(),
                number.to_bits(),
                "{numbers:?}"
            );
        }
        assert_eq!(cursor.end(), Ok(()));
        len
    }

    #[test]
    fn decimals_take_a_byte_or_two_each() {
        assert_eq!(check_numbers(&[20.25, 20.26, 20.24, 20.0]), 1 + 2 + 3);
        assert_eq!(check_numbers(&[0.1, 0.2, 0.3]), 1 + 3);
        assert_eq!(check_numbers(&[]), 0);
    }

    #[test]
    fn noise_around_a_level_takes_a_byte_each() {
        let noise = |n: i64| (2000 + n * n * 7919 % 100) as f64 / 100.0;
        let numbers: Vec<f64> = (0..60).map(noise).collect();
        assert_eq!(check_numbers(&numbers), 1 + 2 + 60);
    }

    #[test]
    fn multiples_of_a_unit_take_a_byte_each() {
        let sixteenths: Vec<f64> = (0..60)
            .map(|n: i64| (320 + n * n * 7919 % 100) as f64 / 16.0)
            .collect();
        assert_eq!(check_numbers(&sixteenths), 1 + 2 + 2 + 60);
        assert_eq!(
            check_numbers(&[500.0; 60]),
            1 + 2 + 59,
            "a constant has no need of it"
        );
    }

    #[test]
    fn numbers_that_are_no_decimals_come_back_as_they_are() {
        for odd in [
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1.0 / 3.0,
            1e300,
            f64::MIN_POSITIVE,
            5e-324,
        ] {
            assert_eq!(check_numbers(&[1.5, odd]), 1 + 16);
        }
        check_numbers(&[
            f64::from_bits(0x7FF8_0000_DEAD_BEEF),
            f64::from_bits(0xFFF0_0000_0000_0001),
        ]);
    }

    #[test]
    fn a_large_number_beside_a_small_step_is_kept_exactly() {
        check_numbers(&[9_007_199_254_740_992.0, 0.001]);
        check_numbers(&[9_007_199_254_740_991.0, -9_007_199_254_740_992.0]);
    }

    proptest! {
        #[test]
        fn any_numbers_come_back(bits in proptest::collection::vec(any::<u64>(), 0..32)) {
            check_numbers(&bits.into_iter().map(f64::from_bits).collect::<Vec<_>>());
        }

        #[test]
        fn any_multiples_come_back(whole in proptest::collection::vec(-999_999_i64..999_999, 0..32), unit in 1_i64..99_999, scale in 0..6) {
            let numbers: Vec<f64> = whole.iter().map(|w| std::format!("{}e-{scale}", w * unit).parse().unwrap()).collect();
            check_numbers(&numbers);
        }

        #[test]
        fn any_decimals_come_back(whole in proptest::collection::vec(any::<i32>(), 0..32), scale in 0..12) {
            let numbers: Vec<f64> = whole.iter().map(|w| std::format!("{w}e-{scale}").parse().unwrap()).collect();
            check_numbers(&numbers);
        }
    }
}
