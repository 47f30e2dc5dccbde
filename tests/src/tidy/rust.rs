//! Rust text as the rules see it: without comments, without its tests, and cut into functions. It leans on rustfmt's layout.

use super::Source;

/// A function with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// Line of its signature, from 1.
    pub line: usize,
    /// Lines of its body which are neither blank nor comment, as clippy counts them.
    pub body_lines: usize,
}

/// The lines of a file before and after its inline test modules, with their numbers.
pub fn lines_without_tests(source: &Source) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut in_tests = false;
    let mut lines = source.lines().peekable();
    while let Some((number, line)) = lines.next() {
        if in_tests {
            in_tests = line != "}";
            continue;
        }
        let opens_module = |next: &str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|(_, next)| opens_module(next)) {
            in_tests = true;
            continue;
        }
        kept.push((number, line));
    }
    kept
}

/// The line up to its comment. Quotes are followed, so that an address in a string is no comment.
#[must_use]
pub fn without_comment(line: &str) -> &str {
    let bytes = line.as_bytes();
    let mut in_string = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let is_escaped = at > 0 && bytes[at - 1] == b'\\';
        let is_character = at > 0 && bytes[at - 1] == b'\'' && bytes.get(at + 1) == Some(&b'\'');
        match byte {
            b'"' if !is_escaped && !is_character => in_string = !in_string,
            b'/' if !in_string && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Whether `word` stands in the line by itself, and not as a part of a longer name.
#[must_use]
pub fn has_word(line: &str, word: &str) -> bool {
    let is_name =
        |character: Option<char>| character.is_some_and(|it| it.is_alphanumeric() || it == '_');
    line.match_indices(word).any(|(at, _)| {
        !is_name(line[..at].chars().next_back()) && !is_name(line[at + word.len()..].chars().next())
    })
}

/// All functions with a body of more than one line, tests left out.
#[must_use]
pub fn functions(source: &Source) -> Vec<Function<'_>> {
    let lines = lines_without_tests(source);
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        let rest = &lines[index..];
        let Some(opening) = rest
            .iter()
            .position(|(_, line)| line.ends_with(['{', ';', '}']))
        else {
            continue;
        };
        if !rest[opening].1.ends_with('{') {
            continue;
        }
        let body = rest[opening + 1..]
            .iter()
            .take_while(|(_, line)| *line != closing);
        let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let body_lines = body.filter(|(_, line)| is_code(line)).count();
        found.push(Function {
            name,
            line: *number,
            body_lines,
        });
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = without_comment(line).split_whitespace();
    let modifier = |word: &str| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(&word)
    };
    let first = words.by_ref().find(|word| !modifier(word))?;
    if first != "fn" {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn comments_are_cut_and_strings_are_not() {
        assert_eq!(without_comment("let a = 1; // tokio"), "let a = 1; ");
        assert_eq!(
            without_comment(r#"let a = "http://x"; // y"#),
            r#"let a = "http://x"; "#
        );
        assert_eq!(without_comment(r#"let a = '"'; // y"#), r#"let a = '"'; "#);
        assert_eq!(
            without_comment(r#"let a = "\"//"; b"#),
            r#"let a = "\"//"; b"#
        );
    }

    #[test]
    fn a_part_of_a_name_is_no_word() {
        assert!(has_word("use tokio::net;", "tokio"));
        assert!(!has_word("use tokio_stream;", "tokio"));
        assert!(!has_word("let stokio = 1;", "tokio"));
        assert!(has_word("stokio(tokio)", "tokio"));
    }

    #[test]
    fn inline_tests_are_left_out() {
        let source = sample(
            "a.rs",
            &[
                "fn a() {}",
                "#[cfg(test)]",
                "mod tests {",
                "    fn b() {}",
                "}",
                "fn c() {}",
            ],
        );
        let kept: Vec<_> = lines_without_tests(&source)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(kept, [1, 6]);
    }

    #[test]
    fn functions_are_measured_by_their_code() {
        let source = sample(
            "a.rs",
            &[
                "impl A {",
                "    pub(crate) const fn one(",
                "        self,",
                "    ) -> u8 {",
                "        // why",
                "",
                "        if self.x {",
                "            1",
                "        }",
                "    }",
                "    fn declared(&self);",
                "    fn two() { 2 }",
                "}",
            ],
        );
        assert_eq!(
            functions(&source),
            [Function {
                name: "one",
                line: 2,
                body_lines: 3
            }]
        );
    }
}
