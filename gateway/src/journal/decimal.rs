//! Values as people write them: a whole number and where its point stands, if that gives the double bit for bit.

use super::zigzag;

/// Digits behind the point, at most seven: three bits of the code.
const POWERS: [f64; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
const SCALE_BITS: u32 = 3;
/// Whole numbers up to this leave the code shorter than the double as a varint: 7 bytes.
const WHOLE_MAX: f64 = (1_u64 << 44) as f64;

/// The code of a value, or `None`: it is no short decimal number.
pub(super) fn encode(value: f64) -> Option<u64> {
    if value.is_nan() {
        return None;
    }
    (0..).zip(POWERS).find_map(|(scale, power)| {
        let exact = value * power;
        if exact.abs() > WHOLE_MAX {
            return None;
        }
        let whole = (exact + 0.5_f64.copysign(exact)) as i64;
        let is_same = (whole as f64 / power).to_bits() == value.to_bits();
        is_same.then(|| zigzag(whole) << SCALE_BITS | scale)
    })
}

/// The value of a code. Whole number and power are exact, so their quotient is the double next to the decimal number.
pub(super) fn decode(code: u64) -> f64 {
    let whole = super::reader::unzigzag(code >> SCALE_BITS);
    whole as f64 / POWERS[(code & (POWERS.len() as u64 - 1)) as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: f64, code: Option<u64>) {
        assert_eq!(encode(value), code, "{value}");
        if let Some(code) = code {
            assert_eq!(decode(code).to_bits(), value.to_bits());
        }
    }

    #[test]
    fn short_decimals_have_a_code_and_nothing_else_has() {
        check(0.0, Some(0));
        check(21.5, Some(430 << 3 | 1));
        check(-3.25, Some(649 << 3 | 2));
        check(1013.0, Some(2026 << 3));
        check(0.000_000_1, Some(2 << 3 | 7));
        check(1_764_000_000.125, Some(3_528_000_000_250 << 3 | 3));
        for value in [
            -0.0,
            1.0 / 3.0,
            1e14,
            0.000_000_01,
            f64::MIN_POSITIVE,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            check(value, None);
        }
    }

    proptest! {
        #[test]
        fn what_has_a_code_comes_back_bit_for_bit(bits in any::<u64>(), whole in -100_000_000..100_000_000_i64, scale in 0..8_usize) {
            for value in [f64::from_bits(bits), whole as f64 / POWERS[scale]] {
                if let Some(code) = encode(value) {
                    prop_assert_eq!(decode(code).to_bits(), value.to_bits());
                    prop_assert!(code < 1 << 49);
                }
            }
            prop_assert!(encode(whole as f64 / POWERS[scale]).is_some());
        }
    }
}
