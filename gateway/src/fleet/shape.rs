//! How large a JSON text is, before it is parsed: what is too deep or too wide never becomes a tree.

use super::limits::{DEPTH_MAX, KEYS_MAX};
use super::reason::{Reason, Refusal};

/// Counts nesting, keys and items of arrays, and string lengths in one pass over the bytes.
///
/// # Errors
/// [`Refusal`] with what is too much: [`Reason::Depth`], [`Reason::Keys`], [`Reason::Size`].
pub fn measure(text: &[u8], string_bytes_max: usize) -> Result<(), Refusal> {
    let (mut depth, mut keys, mut string) = (0_usize, 0_usize, None);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match (string, byte) {
            (None, b'"') => string = Some(0),
            // The first key or item of each, and each further one.
            (None, b'{' | b'[') => (depth, keys) = (depth + 1, keys + 1),
            (None, b',') => keys += 1,
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            (None, _) => {}
            (Some(_), b'"') => string = None,
            (Some(len), other) => {
                if *other == b'\\' {
                    bytes.next();
                }
                string = Some(len + 1);
            }
        }
        if depth > DEPTH_MAX {
            let text = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(Refusal::whole(Reason::Depth, text));
        }
        if keys > KEYS_MAX {
            let text = format!("more than {KEYS_MAX} keys and items");
            return Err(Refusal::whole(Reason::Keys, text));
        }
        if string.is_some_and(|len| len > string_bytes_max) {
            let text = format!("a string is longer than {string_bytes_max} bytes");
            return Err(Refusal::whole(Reason::Size, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Reason>) {
        let found = measure(text.as_bytes(), 16).err().map(|it| it.reason);
        assert_eq!(found, expected, "{}", &text[..text.len().min(60)]);
    }

    #[test]
    fn what_is_within_the_bounds_passes() {
        check(r#"{"a":[1,2,{"b":"\"{[[[[[[[[[["}]}"#, None);
        check(&format!("{}1{}", "[".repeat(8), "]".repeat(8)), None);
        check(&format!("[{}]", vec!["0"; 2_000].join(",")), None);
        check("}}}]]]", None);
    }

    #[test]
    fn what_is_too_much_is_named() {
        check(&"[".repeat(9), Some(Reason::Depth));
        check(&r#"{"a":1}"#.repeat(2_001), Some(Reason::Keys));
        check(
            &format!("[{}]", vec!["0"; 2_001].join(",")),
            Some(Reason::Keys),
        );
        check(&format!("\"{}\"", "x".repeat(17)), Some(Reason::Size));
    }
}
