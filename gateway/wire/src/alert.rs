//! An alert: a rule of a sensor that is broken, or holds again.

use crate::bytes::{Full, Malformed};
use crate::dictionary::SensorName;
use crate::frame::{Frame, Kind};
use crate::reading::{SensorId, Timestamp};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Longest explanation of an alert, in bytes: one line on a small screen.
pub const WHY_BYTES_MAX: usize = 96;

/// Whether the rule is broken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlertState {
    /// The rule is broken.
    Raised = 0,
    /// The rule holds again.
    Cleared = 1,
}

impl AlertState {
    /// What the state is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
        }
    }
}

/// How urgent an alert is, from the least.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info = 0,
    /// Look at it today.
    #[default]
    Warning = 1,
    /// Look at it now.
    Critical = 2,
}

impl Severity {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One alert. The raised and the cleared one of the same occurrence have the same id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert<'a> {
    /// Counts the occurrences on this gateway, from 1.
    pub id: u64,
    /// Whose rule it is.
    pub sensor: SensorId,
    /// What the sensor is called.
    pub name: SensorName<'a>,
    /// What the rule is called.
    pub rule: &'a str,
    /// Raised or cleared.
    pub state: AlertState,
    /// How urgent it is.
    pub severity: Severity,
    /// When the gateway decided, by its wall clock.
    pub at: Timestamp,
    /// Event time of the reading with which the occurrence began.
    pub since: Timestamp,
    /// The value on which it was decided, if it was one.
    pub value: Option<f64>,
    /// The limit of the rule, if it has one.
    pub limit: Option<f64>,
    /// Why, in words with the numbers.
    pub why: Why,
}

impl<'a> Alert<'a> {
    /// Writes the alert; gives the bytes of `buffer` that were filled.
    ///
    /// # Errors
    /// [`Full`] if it doesn't fit.
    pub fn write<'b>(&self, gateway: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], Full> {
        Frame {
            kind: Kind::Alert,
            gateway,
            at: self.at,
        }
        .write(buffer, |writer| {
            writer.unsigned(self.id)?;
            writer.unsigned(u64::from(self.sensor.0))?;
            for text in [
                self.name.device,
                self.name.signal,
                self.name.unit,
                self.rule,
            ] {
                writer.text(text)?;
            }
            writer.put(&[self.state as u8, self.severity as u8])?;
            writer.signed(self.since.0.wrapping_sub(self.at.0))?;
            writer.option(self.value)?;
            writer.option(self.limit)?;
            writer.text(self.why.as_str())
        })
    }

    /// Reads an alert and the id of its gateway.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of one.
    pub fn read(bytes: &'a [u8]) -> Result<(&'a str, Self), Malformed> {
        let (frame, mut body) = Frame::open_as(Kind::Alert, bytes)?;
        let alert = Self {
            id: body.unsigned()?,
            sensor: SensorId(body.small("sensor id")?),
            name: SensorName {
                device: body.text()?,
                signal: body.text()?,
                unit: body.text()?,
            },
            rule: body.text()?,
            state: match body.byte()? {
                0 => AlertState::Raised,
                1 => AlertState::Cleared,
                _ => return Err(Malformed::Part("state of an alert")),
            },
            severity: match body.byte()? {
                0 => Severity::Info,
                1 => Severity::Warning,
                2 => Severity::Critical,
                _ => return Err(Malformed::Part("severity")),
            },
            at: frame.at,
            since: Timestamp(frame.at.0.wrapping_add(body.signed()?)),
            value: body.option()?,
            limit: body.option()?,
            why: Why::read(body.text()?)?,
        };
        body.end()?;
        Ok((frame.gateway, alert))
    }
}

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

    fn read(text: &str) -> Result<Self, Malformed> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_alert_comes_back(id: u64, sensor: u16, at: i64, since: i64, texts: (std::string::String,
            std::string::String), value in proptest::option::of(-1e9..1e9), limit in proptest::option::of(-1e9..1e9)) {
            let alert = Alert {
                id,
                sensor: SensorId(sensor),
                name: SensorName { device: &texts.0, signal: "flow", unit: "" },
                rule: "high",
                state: AlertState::Cleared,
                severity: Severity::Critical,
                at: Timestamp(at),
                since: Timestamp(since),
                value,
                limit,
                why: Why::new(format_args!("{}", texts.1)),
            };
            let mut buffer = std::vec![0; 512 + texts.0.len()];
            let bytes = alert.write("box", &mut buffer).unwrap();
            prop_assert_eq!(Alert::read(bytes), Ok(("box", alert)));
        }

        #[test]
        fn any_body_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = std::vec![0; body.len() + 32];
            let frame = Frame { kind: Kind::Alert, gateway: "x", at: Timestamp(0) };
            let bytes = frame.write(&mut buffer, |writer| writer.put(&body)).unwrap();
            if let Ok((gateway, _)) = Alert::read(bytes) {
                prop_assert_eq!(gateway, "x");
            }
        }
    }

    #[test]
    fn a_long_explanation_is_cut_between_characters() {
        let long = "ä".repeat(60);
        assert_eq!(
            Why::new(format_args!("x{long}")).as_str(),
            std::format!("x{}", "ä".repeat(47))
        );
    }
}
