//! An alert: what became of an alarm of a sensor, and how it stands.

mod standing;
mod why;

pub use self::standing::{AlertKind, Standing, Transition};
use self::standing::{KINDS, STANDINGS, TRANSITIONS};
pub use self::why::Why;
use crate::bytes::{Cursor, Full, Malformed};
use crate::dictionary::SensorName;
use crate::frame::{Clock, Frame, Kind};
use crate::reading::{SensorId, Timestamp};
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

/// One alert. All of the same occurrence, from its raise to its acknowledgement, have the same id.
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
    /// What the alarm looks at.
    pub kind: AlertKind,
    /// What happened to it.
    pub transition: Transition,
    /// How it stands now.
    pub standing: Standing,
    /// Which occurrence of its group came first, if it belongs to one.
    pub first_out: Option<u64>,
    /// How urgent it is.
    pub severity: Severity,
    /// When the gateway decided, by its wall clock.
    pub at: Timestamp,
    /// How far that clock can be trusted.
    pub clock: Clock,
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
            clock: self.clock,
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
            writer.put(&[self.state() as u8, self.severity as u8])?;
            writer.signed(self.since.0.wrapping_sub(self.at.0))?;
            writer.option(self.value)?;
            writer.option(self.limit)?;
            writer.text(self.why.as_str())?;
            if self.has_plain_end() {
                return Ok(());
            }
            writer.put(&[self.kind as u8, self.transition as u8, self.standing as u8])?;
            writer.unsigned(self.first_out.unwrap_or(0))
        })
    }

    /// Whether it is to be looked at.
    #[must_use]
    pub const fn state(&self) -> AlertState {
        self.standing.state()
    }

    /// Whether its end says nothing that the state doesn't.
    fn has_plain_end(&self) -> bool {
        let state = self.state();
        self.kind == AlertKind::Limit
            && self.transition == Transition::of(state)
            && self.standing == Standing::of(state)
            && self.first_out.is_none()
    }

    /// Reads an alert and the id of its gateway.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of one.
    pub fn read(bytes: &'a [u8]) -> Result<(&'a str, Self), Malformed> {
        let (frame, mut body) = Frame::open_as(Kind::Alert, bytes)?;
        let id = body.unsigned()?;
        let mut alert = Self {
            id,
            sensor: SensorId(body.small("sensor id")?),
            name: SensorName {
                device: body.text()?,
                signal: body.text()?,
                unit: body.text()?,
            },
            rule: body.text()?,
            kind: AlertKind::Limit,
            transition: Transition::Raised,
            standing: match body.byte()? {
                0 => Standing::of(AlertState::Raised),
                1 => Standing::of(AlertState::Cleared),
                _ => return Err(Malformed::Part("state of an alert")),
            },
            first_out: None,
            severity: match body.byte()? {
                0 => Severity::Info,
                1 => Severity::Warning,
                2 => Severity::Critical,
                _ => return Err(Malformed::Part("severity")),
            },
            at: frame.at,
            clock: frame.clock,
            since: Timestamp(frame.at.0.wrapping_add(body.signed()?)),
            value: body.option()?,
            limit: body.option()?,
            why: Why::read(body.text()?)?,
        };
        alert.transition = Transition::of(alert.state());
        if body.left() > 0 {
            alert.read_end(&mut body)?;
        }
        body.end()?;
        Ok((frame.gateway, alert))
    }

    fn read_end(&mut self, body: &mut Cursor<'_>) -> Result<(), Malformed> {
        let state = self.state();
        self.kind = nth(&KINDS, body.byte()?, "kind of an alarm")?;
        self.transition = nth(&TRANSITIONS, body.byte()?, "transition")?;
        self.standing = nth(&STANDINGS, body.byte()?, "standing")?;
        self.first_out = Some(body.unsigned()?).filter(|id| *id > 0);
        if state == self.state() && !self.has_plain_end() {
            Ok(())
        } else {
            Err(Malformed::Part("standing of an alarm"))
        }
    }
}

fn nth<T: Copy>(of: &[T], byte: u8, what: &'static str) -> Result<T, Malformed> {
    of.get(usize::from(byte))
        .copied()
        .ok_or(Malformed::Part(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_alert_comes_back(id: u64, sensor: u16, at: i64, since: i64, texts: (std::string::String,
            std::string::String), numbers: (u8, u8, u8, u64), value in proptest::option::of(-1e9..1e9), limit in proptest::option::of(-1e9..1e9)) {
            let alert = Alert {
                id,
                sensor: SensorId(sensor),
                name: SensorName { device: &texts.0, signal: "flow", unit: "" },
                rule: "high",
                kind: KINDS[usize::from(numbers.0) % KINDS.len()],
                transition: TRANSITIONS[usize::from(numbers.1) % TRANSITIONS.len()],
                standing: STANDINGS[usize::from(numbers.2) % STANDINGS.len()],
                first_out: (numbers.3 > 0).then_some(numbers.3),
                severity: Severity::Critical,
                at: Timestamp(at),
                clock: Clock::read(numbers.0 % 3).unwrap(),
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
            let frame = Frame { kind: Kind::Alert, gateway: "x", at: Timestamp(0), clock: Clock::Synced };
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
