//! Any text as a condition and as a formula: it is refused with a place in it, or runs on any numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::expression::{Expression, ExpressionError};
use pipeline::limits::{EXPRESSION_BYTES_MAX, INPUTS_MAX};

const NUMBERS: [f64; 7] = [
    0.0,
    -0.0,
    1.5,
    -1e300,
    f64::INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
];

fn check_place(error: ExpressionError, text: &str) {
    let columns = text.chars().count().min(EXPRESSION_BYTES_MAX) + 1;
    assert!(
        (1..=columns).contains(&error.column),
        "{error:?} in {text:?}"
    );
    assert!(!error.what.is_empty() && !error.hint.is_empty());
}

fuzz_target!(|text: &str| {
    match Expression::condition(text) {
        Ok(condition) => {
            for number in NUMBERS {
                let value = condition.eval(&[number]);
                assert!(value == 0.0 || value == 1.0, "a condition is true or false");
                assert_eq!(condition.holds(number), value == 1.0);
            }
        }
        Err(error) => check_place(error, text),
    }
    match Expression::formula(text) {
        Ok((formula, inputs)) => {
            assert!(inputs.len() <= INPUTS_MAX);
            for turn in 0..NUMBERS.len() {
                let mut numbers = NUMBERS;
                numbers.rotate_left(turn);
                let values = &numbers[..inputs.len()];
                let (one, again) = (formula.eval(values), formula.eval(values));
                assert_eq!(one.to_bits(), again.to_bits());
            }
        }
        Err(error) => check_place(error, text),
    }
});
