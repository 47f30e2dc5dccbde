//! From text to the words of an expression.

use super::ExpressionError;

/// A word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Number(f64),
    Name(&'t str),
    /// One of `+ - * / ( ) , < <= > >= == !=`
    Sign(&'t str),
    End,
}

/// The words of a text, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

const SIGNS: [&str; 13] = [
    "<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ",",
];

impl<'t> Tokens<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next word, and its column.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'t>), ExpressionError> {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        let column = self.column();
        let Some(first) = rest.chars().next() else {
            return Ok((column, Token::End));
        };
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok((column, Token::Sign(sign)));
        }
        if first.is_ascii_digit() || first == '.' {
            let len = number_len(rest);
            self.at += len;
            let number = rest[..len]
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            let number = number.ok_or(ExpressionError {
                column,
                what: "this is no number",
                hint: "write it like 12.5 or 3e-4",
            })?;
            return Ok((column, Token::Number(number)));
        }
        if first.is_alphabetic() || first == '_' {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
            let len = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            self.at += len;
            return Ok((column, Token::Name(&rest[..len])));
        }
        Err(ExpressionError {
            column,
            what: "this sign has no meaning",
            hint: "there are + - * / < <= > >= == != ( ) and the words and, or, not",
        })
    }

    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }
}

/// Digits, a point, and an exponent if digits follow it.
fn number_len(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = &text.as_bytes()[from..];
        rest.iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count()
    };
    let mantissa = digits(0);
    let bytes = &text.as_bytes()[mantissa..];
    let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
    let has_exponent = matches!(bytes.first(), Some(b'e' | b'E'))
        && bytes.get(1 + sign).is_some_and(u8::is_ascii_digit);
    if has_exponent {
        let from = mantissa + 1 + sign;
        from + digits(from)
    } else {
        mantissa
    }
}
