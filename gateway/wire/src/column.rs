//! Columns of a batch: times as differences to a period, numbers as differences of scaled integers where that loses nothing.

use crate::bytes::{Cursor, Full, Malformed, Writer};

/// The powers of ten by which a column may be scaled: up to nine decimals.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The scale byte of a column of plain floats.
const PLAIN: u8 = 0xFF;

/// Above it a double doesn't hold every whole number.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes times: the first as difference to `base`, then the period, then each step as difference to the period.
///
/// Differences wrap around, so that any two times have one.
pub(crate) fn write_times(
    writer: &mut Writer<'_>,
    base: i64,
    times: impl Iterator<Item = i64> + Clone,
) -> Result<(), Full> {
    let period = period(times.clone());
    let mut before = None;
    for time in times {
        match before {
            None => {
                writer.signed(time.wrapping_sub(base))?;
                writer.signed(period)?;
            }
            Some(before) => writer.signed(time.wrapping_sub(before).wrapping_sub(period))?,
        }
        before = Some(time);
    }
    Ok(())
}

/// The middle one of the first three steps: near the usual step, even if one of them is a gap.
fn period(times: impl Iterator<Item = i64> + Clone) -> i64 {
    let mut steps = [0; 3];
    let pairs = times.clone().zip(times.skip(1));
    let mut count = 0;
    for (step, (before, time)) in steps.iter_mut().zip(pairs) {
        *step = time.wrapping_sub(before);
        count += 1;
    }
    match count {
        0..=2 => steps[0],
        _ => {
            steps.sort_unstable();
            steps[1]
        }
    }
}

/// Reads the times of one sensor, one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    before: i64,
    period: i64,
    first: bool,
}

impl Times {
    pub(crate) fn new(cursor: &mut Cursor<'_>, base: i64) -> Result<Self, Malformed> {
        let before = base.wrapping_add(cursor.signed()?);
        Ok(Self {
            before,
            period: cursor.signed()?,
            first: true,
        })
    }

    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<i64, Malformed> {
        if self.first {
            self.first = false;
        } else {
            let step = cursor.signed()?.wrapping_add(self.period);
            self.before = self.before.wrapping_add(step);
        }
        Ok(self.before)
    }
}

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
    writer.byte(scale)?;
    let mut before = 0;
    for number in numbers {
        // `scale_of` has seen that every number fits.
        let whole = scaled(number, scale).unwrap_or_default();
        writer.signed(whole - before)?;
        before = whole;
    }
    Ok(())
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
    /// Differences of whole numbers.
    Scaled { before: i64, power: f64 },
}

impl Numbers {
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<f64, Malformed> {
        if let Self::Unread = self {
            *self = match cursor.byte()? {
                PLAIN => Self::Plain,
                scale => {
                    let power = *POWERS
                        .get(usize::from(scale))
                        .ok_or(Malformed::Part("scale"))?;
                    Self::Scaled { before: 0, power }
                }
            };
        }
        match self {
            Self::Unread | Self::Plain => cursor.float(),
            Self::Scaled { before, power } => {
                *before = before.wrapping_add(cursor.signed()?);
                Ok(unscaled(*before, *power))
            }
        }
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

    fn check_times(times: &[i64], base: i64) -> usize {
        let mut buffer = [0; 1024];
        let mut writer = Writer::new(&mut buffer);
        write_times(&mut writer, base, times.iter().copied()).unwrap();
        let len = writer.written().len();
        let mut cursor = Cursor::new(&buffer[..len]);
        let mut reader = Times::new(&mut cursor, base).unwrap();
        for time in times {
            assert_eq!(reader.read(&mut cursor), Ok(*time), "{times:?}");
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

    #[test]
    fn a_steady_beat_takes_one_byte_a_step() {
        let times: Vec<i64> = (0..60)
            .map(|n| 1_700_000_000_000 + n * 1000 + n % 7)
            .collect();
        assert_eq!(check_times(&times, 1_700_000_000_000), 1 + 2 + 59);
    }

    proptest! {
        #[test]
        fn any_numbers_come_back(bits in proptest::collection::vec(any::<u64>(), 0..32)) {
            check_numbers(&bits.into_iter().map(f64::from_bits).collect::<Vec<_>>());
        }

        #[test]
        fn any_decimals_come_back(whole in proptest::collection::vec(any::<i32>(), 0..32), scale in 0..12) {
            let numbers: Vec<f64> = whole.iter().map(|w| std::format!("{w}e-{scale}").parse().unwrap()).collect();
            check_numbers(&numbers);
        }

        #[test]
        fn any_times_come_back(times in proptest::collection::vec(any::<i64>(), 1..32), base: i64) {
            check_times(&times, base);
        }
    }
}
