//! The explanation of an alert.

use super::WHY_BYTES_MAX;
use crate::bytes::Malformed;
use core::fmt;

/// The explanation of an alert: up to [`WHY_BYTES_MAX`] bytes of text, kept in place. What is longer is cut.
///
/// The bytes up to `len` are always whole characters.
#[derive(Clone, Copy)]
pub struct Why {
    text: [u8; WHY_BYTES_MAX],
    len: u8,
}

impl Why {
    /// The explanation that is written by `write!(why, …)`.
    #[must_use]
    pub fn new(text: fmt::Arguments<'_>) -> Self {
        let mut why = Self {
            text: [0; WHY_BYTES_MAX],
            len: 0,
        };
        // Only a text that is cut ends in an error, and the front of it is what is wanted then.
        let _ = fmt::write(&mut why, text);
        why
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    pub(super) fn read(text: &str) -> Result<Self, Malformed> {
        if text.len() > WHY_BYTES_MAX {
            return Err(Malformed::Part("explanation above 96 bytes"));
        }
        Ok(Self::new(format_args!("{text}")))
    }
}

impl fmt::Write for Why {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let len = usize::from(self.len);
        let part = &text[..text.floor_char_boundary(WHY_BYTES_MAX - len)];
        self.text[len..len + part.len()].copy_from_slice(part.as_bytes());
        self.len += part.len() as u8;
        if part.len() == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

impl PartialEq for Why {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
