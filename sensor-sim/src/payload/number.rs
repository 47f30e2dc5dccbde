//! Numbers as text.

use std::io::Write;

pub(super) fn write_unsigned(mut number: u64, out: &mut Vec<u8>) {
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

pub(super) fn write_signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    write_unsigned(number.unsigned_abs(), out);
}

/// A time in ms as seconds with three decimals.
pub(super) fn write_seconds(time: i64, out: &mut Vec<u8>) {
    if time < 0 {
        out.push(b'-');
    }
    let ms = time.unsigned_abs();
    write_unsigned(ms / 1000, out);
    // A vector takes all that is written.
    let _ = write!(out, ".{:03}", ms % 1000);
}

/// The number, or `null` if it is none.
pub(super) fn write_json(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        write_float(value, out);
    } else {
        out.extend_from_slice(b"null");
    }
}

/// The shortest text that is read as this very number.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    // A vector takes all that is written.
    let _ = write!(out, "{value}");
}
