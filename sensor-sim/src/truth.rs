//! The truth about faults: what was wrong with which sensor, from when until when; one JSON object a line.

use core::fmt;
use core::str::FromStr;
use std::io;

use serde::{Deserialize, Serialize};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value stands still.
    Stuck,
    /// The value stands at the end of its range.
    Rail,
    /// An error that grows evenly.
    Drift,
    /// An error that grows ever faster.
    DriftExp,
    /// A constant error.
    Step,
    /// One wild reading.
    Spike,
    /// Noise far above the usual.
    NoiseBurst,
    /// Noise far below the usual, as of a sensor that repeats itself.
    Quiet,
    /// The probe is off: the value that says so, or no number.
    ProbeOff,
    /// The value comes in another unit.
    UnitFlip,
    /// A counter begins again at 0.
    CounterReset,
    /// A counter loses its leading digits.
    CounterRollover,
    /// The battery gives way, the device falls silent and boots.
    BatterySag,
    /// Two signals of a device have each other's name.
    Swapped,
    /// Nothing is sent.
    Gap,
    /// Everything is sent twice.
    Duplicate,
    /// Messages overtake each other.
    OutOfOrder,
    /// The device's clock runs too fast or too slow.
    ClockSkew,
    /// The device's clock is off by a constant.
    ClockStep,
    /// The device's clock begins at 1970.
    Clock1970,
    /// Messages are kept back and sent all at once.
    Backlog,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 21] = [
        Self::Stuck,
        Self::Rail,
        Self::Drift,
        Self::DriftExp,
        Self::Step,
        Self::Spike,
        Self::NoiseBurst,
        Self::Quiet,
        Self::ProbeOff,
        Self::UnitFlip,
        Self::CounterReset,
        Self::CounterRollover,
        Self::BatterySag,
        Self::Swapped,
        Self::Gap,
        Self::Duplicate,
        Self::OutOfOrder,
        Self::ClockSkew,
        Self::ClockStep,
        Self::Clock1970,
        Self::Backlog,
    ];

    /// Whether the whole device has it, and not one of its signals.
    #[must_use]
    pub const fn is_of_device(self) -> bool {
        use Kind::*;
        matches!(
            self,
            BatterySag
                | Swapped
                | Gap
                | Duplicate
                | OutOfOrder
                | ClockSkew
                | ClockStep
                | Clock1970
                | Backlog
        )
    }

    /// Whether the device's clock is wrong meanwhile.
    #[must_use]
    pub const fn is_of_clock(self) -> bool {
        matches!(self, Self::ClockSkew | Self::ClockStep | Self::Clock1970)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A word that is no kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of fault; the kinds are {all}", all = Kind::ALL.map(|kind| kind.to_string()).join(", "))]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        known.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// One fault, as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Whose fault it is.
    pub device: String,
    /// Which signal has it; `None` if the whole device has it.
    pub signal: Option<String>,
    /// What is wrong.
    pub kind: Kind,
    /// When it begins, ms since the Unix epoch.
    pub from_ms: i64,
    /// When it is over, ms since the Unix epoch.
    pub until_ms: i64,
    /// How large it is; in what, depends on the kind.
    pub size: f64,
}

/// Writes `label` as a line.
///
/// # Errors
/// What `out` answers.
pub fn write_label(mut out: impl io::Write, label: &Label) -> io::Result<()> {
    serde_json::to_writer(&mut out, label)?;
    out.write_all(b"\n")
}

/// A line that is no label.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no label of a fault: {reason}")]
pub struct LabelError {
    /// Which line, from 1.
    pub line: usize,
    /// Why.
    pub reason: serde_json::Error,
}

/// Reads the labels of a file.
///
/// # Errors
/// [`LabelError`] at the first line that is none. Empty lines are passed over.
pub fn read_labels(text: &str) -> Result<Vec<Label>, LabelError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|reason| LabelError {
                line: at + 1,
                reason,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_as_they_were_written() {
        let label = Label {
            device: "pump".into(),
            signal: None,
            kind: Kind::Clock1970,
            from_ms: 5,
            until_ms: 9,
            size: 0.5,
        };
        let mut text = Vec::new();
        write_label(&mut text, &label).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(r#""kind":"clock1970""#), "{text}");
        assert_eq!(
            read_labels(&format!("{text}\n{text}")).unwrap(),
            [label.clone(), label]
        );
    }

    #[test]
    fn a_line_that_is_no_label_is_named() {
        let error = read_labels("\n\n{\"device\":\"x\"}").unwrap_err();
        assert!(
            error.to_string().starts_with("line 3 is no label"),
            "{error}"
        );
    }

    #[test]
    fn every_kind_is_read_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!(
            "stuk"
                .parse::<Kind>()
                .unwrap_err()
                .to_string()
                .contains("stuck, rail")
        );
    }
}
