use super::*;
use proptest::prelude::*;
use std::string::ToString;

fn check(text: &str, inputs: &[f64], expected: f64) {
    let (expression, _) =
        Expression::formula(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let result = expression.eval(inputs);
    assert!(
        result == expected || (result.is_nan() && expected.is_nan()),
        "{text} is {result}"
    );
}

#[test]
fn formulas_follow_the_rules_of_arithmetic() {
    check("1 + 2 * a", &[3.0], 7.0);
    check("(1 + 2) * a", &[3.0], 9.0);
    check("a - 1 - 1", &[3.0], 1.0);
    check("a / 2 / 2", &[8.0], 2.0);
    check("-a * -2", &[3.0], 6.0);
    check("a - -1", &[3.0], 4.0);
    check("volts * amps", &[230.0, 2.0], 460.0);
    check("1.5e3 * a", &[2.0], 3000.0);
    check("2*a + a/b - 1e-1", &[4.0, 2.0], 9.9);
    check("clamp(a, 0, 10)", &[12.0], 10.0);
    check("min(a, max(b, 2))", &[5.0, 1.0], 2.0);
    // Which zero it is shows in what is divided by it.
    check("1 / min(a, b)", &[0.0, -0.0], f64::NEG_INFINITY);
    check("1 / max(a, b)", &[-0.0, 0.0], f64::INFINITY);
    check("sqrt(pow(a, 2) + pow(b, 2))", &[3.0, 4.0], 5.0);
    check("round(a) + floor(a) + ceil(a) + abs(-a)", &[1.5], 6.5);
    check("exp(ln(a))", &[1.0], 1.0);
    check("a / a", &[0.0], f64::NAN);
    check("sqrt(a)", &[-1.0], f64::NAN);
}

#[test]
fn conditions_hold_for_the_values_they_say() {
    for (text, held, free) in [
        ("value < -40 or value > 85", [-41.0, 85.1], [-40.0, 85.0]),
        ("not (value >= 0 and value <= 1)", [-0.1, 1.1], [0.0, 1.0]),
        (
            "value == 85 or value == -127",
            [85.0, -127.0],
            [84.0, 127.0],
        ),
        ("not not value != 0", [1.0, -1.0], [0.0, -0.0]),
        (
            "abs(value - 20) > 5 and value < 100",
            [26.0, 14.9],
            [25.0, 100.0],
        ),
        (
            "value*2 > 1 and value < 9 or value < -5",
            [1.0, -6.0],
            [0.5, 9.0],
        ),
    ] {
        let condition = Expression::condition(text).unwrap();
        assert!(held.iter().all(|value| condition.holds(*value)), "{text}");
        assert!(free.iter().all(|value| !condition.holds(*value)), "{text}");
        assert!(condition.is_sound(1));
    }
    assert!(
        !Expression::condition("value < 0 or value >= 0")
            .unwrap()
            .holds(f64::NAN)
    );
}

#[test]
fn the_inputs_of_a_formula_stand_in_the_order_of_their_names() {
    let (expression, inputs) = Expression::formula("volts * amps + volts").unwrap();
    assert_eq!(
        inputs
            .iter()
            .map(ToString::to_string)
            .collect::<std::vec::Vec<_>>(),
        ["volts", "amps"]
    );
    assert_eq!(expression.eval(&[10.0, 2.0]), 30.0);
}

#[test]
fn mistakes_are_told_with_their_column() {
    for (text, column, what) in [
        ("value <", 8, "something is missing here"),
        ("value < 3 )", 11, "this does not belong here"),
        ("(value < 3", 11, "a parenthesis is open"),
        ("value + 3", 1, "this is no condition"),
        ("temp < 3", 1, "this name is unknown"),
        ("1 < value < 3", 11, "comparisons do not chain"),
        ("value and value > 1", 1, "a comparison must stand here"),
        ("value > 1 and value", 15, "a comparison must stand here"),
        ("not value", 5, "a comparison must stand here"),
        ("(value < 1) + 2 > 0", 1, "a number must stand here"),
        ("value > §", 9, "this sign has no meaning"),
        ("value > 1.2.3", 9, "this is no number"),
        ("min(value) > 1", 10, "an argument is missing"),
        ("abs > 1", 5, "a function needs its arguments"),
        ("value > 1e999", 9, "this is no number"),
        ("value 3", 7, "this does not belong here"),
        ("value = 3", 7, "this sign has no meaning"),
        ("", 1, "something is missing here"),
        ("or", 1, "something is missing here"),
    ] {
        let error = Expression::condition(text).expect_err(text);
        assert_eq!((error.column, error.what), (column, what), "{text}");
    }
    for (text, what) in [
        ("a < b", "this is no number"),
        ("1 + 2", "this names no signal"),
        (
            "a + b + c + d + e",
            "this is one name too many, or too long a one",
        ),
    ] {
        assert_eq!(Expression::formula(text).expect_err(text).what, what);
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let deep = "(".repeat(100) + "value" + &")".repeat(100) + "> 1";
    assert_eq!(
        Expression::condition(&deep).unwrap_err().what,
        "this is nested too deeply"
    );
    let many = "value+".repeat(30) + "1 > 0";
    assert_eq!(
        Expression::condition(&many).unwrap_err().what,
        "this has too many parts"
    );
    let right = "1-(".repeat(10) + "value" + &")".repeat(10) + "> 1";
    assert!(Expression::condition(&right).is_ok(), "as deep as may be");
    // The column counts characters, the limit bytes.
    let long = "°".repeat(200);
    assert_eq!(Expression::condition(&long).unwrap_err().column, 129);
    let long = " ".repeat(300);
    assert_eq!(
        Expression::condition(&long).unwrap_err().what,
        "this is too long"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in "[-a-z0-9 .,+*/()<>=!é]{0,60}") {
        let _ = Expression::condition(&text);
        if let Ok((expression, inputs)) = Expression::formula(&text) {
            prop_assert!(expression.is_sound(inputs.len()));
        }
    }

    #[test]
    fn no_number_makes_a_run_panic(inputs in proptest::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..4)) {
        for text in ["clamp(a, b, c) / pow(a, b)", "ln(a) + exp(b) - sqrt(c)", "round(a) * floor(b) - ceil(c)"] {
            let (expression, _) = Expression::formula(text).unwrap();
            let _ = expression.eval(&inputs);
        }
    }

    #[test]
    fn filtered_is_data_without_what_fits_the_condition(data in proptest::collection::vec(-100.0..150.0_f64, 0..100)) {
        let condition = Expression::condition("value < -40 or value > 85").unwrap();
        let filtered: std::vec::Vec<f64> = data.iter().copied().filter(|x| !condition.holds(*x)).collect();
        let expected: std::vec::Vec<f64> = data.into_iter().filter(|x| !(*x < -40.0 || *x > 85.0)).collect();
        prop_assert_eq!(filtered, expected);
    }
}
