//! Patterns of names: `*` stands for any run of characters, `?` for one.

/// Whether all of `name` fits `pattern`. Takes at most as many steps as both lengths multiplied.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last star doesn't fit: the star takes one byte more.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                n = next_character(name, n);
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, taken)) = retry else {
                    return false;
                };
                let taken = next_character(name, taken);
                retry = Some((star, taken));
                p = star + 1;
                n = taken;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The first byte behind the character at `at`.
fn next_character(name: &[u8], at: usize) -> usize {
    let is_inside = |byte: &&u8| **byte & 0xC0 == 0x80;
    at + 1 + name[at + 1..].iter().take_while(is_inside).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("pump-*", "pump-1", true),
            ("pump-*", "pump", false),
            ("pump-?", "pump-12", false),
            ("*-temperature", "inlet-temperature", true),
            ("*-temperature", "inlet-temperature-2", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--b--b--", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*?", "é", true),
            ("aab", "aaab", false),
            ("*aab", "aaab", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
