//! Words of SVG.

use core::fmt::{Arguments, Write};

/// A text at a place, with its class or anchor.
pub(super) fn text(out: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    put(
        out,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{words}</text>\n"),
    );
}

/// A piece of SVG as it is.
pub(super) fn put(out: &mut String, text: Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = out.write_fmt(text);
}
