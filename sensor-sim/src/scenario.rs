//! A scenario: phases of what happens at a site, and what is expected of it; read from TOML.

use core::time::Duration;

use serde::Deserialize;
use toml::Spanned;

mod expect;

use expect::Refusal;
pub use expect::{Argument, Expectation, METRICS, Metric, Quantity};

use crate::limits::{EXPECTATIONS_MAX, PHASES_MAX};
use crate::profile::is_name;
use crate::truth::Kind;

/// A scenario, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is for, for people.
    pub about: String,
    /// The seed of all chance.
    pub seed: u64,
    /// Nothing more comes once it was quiet for so long.
    pub settle: Duration,
    /// How long after its end a fault may still be found.
    pub grace: Duration,
    /// Kinds of faults that count for precision and recall; all if empty.
    pub kinds: Vec<Kind>,
    /// What happens, in this order.
    pub phases: Vec<Phase>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default = "five_seconds")]
    settle: Span,
    #[serde(default = "ten_seconds")]
    grace: Span,
    #[serde(default)]
    kinds: Vec<Kind>,
    phase: Vec<Phase>,
    expect: Vec<Spanned<String>>,
}

/// What happens for a while.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name, for expectations and for people.
    pub name: String,
    /// What the simulator does.
    #[serde(default)]
    pub act: Act,
    /// How long.
    pub duration: Option<Span>,
    /// Messages of one device at most.
    pub messages: Option<u64>,
    /// How many devices.
    #[serde(default)]
    pub devices: Option<u32>,
    /// Kinds of devices, which take turns.
    #[serde(default)]
    pub profile: Vec<String>,
    /// Messages of one device each second; the profile's own rate if absent.
    pub rate: Option<f64>,
    /// Send as fast as messages are acknowledged.
    #[serde(default)]
    pub flat_out: bool,
    /// Kinds of faults that come by chance, or `all`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// Mean time between two faults of a sensor.
    pub fault_every: Option<Span>,
    /// Shortest and longest fault, `FROM..TO`.
    pub fault_lasts: Option<String>,
    /// Further options of the command.
    #[serde(default)]
    pub options: Vec<String>,
    /// Goes on beside the phases that follow, instead of before them.
    #[serde(default)]
    pub beside: bool,
    /// What is done to the site meanwhile.
    #[serde(default)]
    pub hook: Vec<Hook>,
}

/// What the simulator does in a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Devices publish.
    #[default]
    Publish,
    /// Nothing; only time passes, and hooks run.
    Pause,
    /// Another command of the program, all of whose arguments are `options`.
    #[serde(untagged)]
    Command(String),
}

/// A command of the shell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// When, after the beginning of its phase.
    #[serde(default)]
    pub after: Span,
    /// The command, for `sh -c`.
    pub run: String,
}

/// A time, written with its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let scale = expect::time_ms(unit).filter(|_| !unit.is_empty());
        let number = number.parse::<f64>().ok();
        let (Some(scale), Some(number)) = (scale, number) else {
            return Err(format!(
                "{text:?} is no time; write for example 500ms, 10s or 5m"
            ));
        };
        let seconds = Duration::try_from_secs_f64(number * scale / 1000.0);
        seconds.map(Self).map_err(|error| error.to_string())
    }
}

const fn one() -> u64 {
    1
}

const fn five_seconds() -> Span {
    Span(Duration::from_secs(5))
}

const fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is no TOML of that form.
    #[error("{file}: {reason}")]
    Form {
        /// Which file.
        file: String,
        /// What is wrong, and where.
        reason: Box<toml::de::Error>,
    },
    /// An expectation can't be read.
    #[error("{file}:{line}:{column}: {reason}")]
    Expectation {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// Which character of the line, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A phase is none.
    #[error("{file}: phase {phase:?} {reason}")]
    Phase {
        /// Which file.
        file: String,
        /// Which phase.
        phase: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Scenario {
    /// Reads a scenario; `file` is for the messages.
    ///
    /// # Errors
    /// [`ScenarioError`] with what is wrong and where.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let read: File = toml::from_str(text).map_err(|reason| ScenarioError::Form {
            file: file.to_owned(),
            reason: Box::new(reason),
        })?;
        check_phases(file, &read.phase)?;
        let names: Vec<&str> = read.phase.iter().map(|phase| phase.name.as_str()).collect();
        let mut expectations = Vec::new();
        for (count, line) in read.expect.iter().enumerate() {
            let expectation = if count < EXPECTATIONS_MAX {
                Expectation::parse(line.get_ref(), &names)
            } else {
                Err(Refusal {
                    at: 0,
                    reason: format!("one too many; {EXPECTATIONS_MAX} are possible"),
                })
            };
            expectations.push(expectation.map_err(|error| {
                // The span begins with the quotation mark.
                let place = line.span().start + 1 + error.at;
                let before = text.get(..place).unwrap_or(text);
                ScenarioError::Expectation {
                    file: file.to_owned(),
                    line: before.matches('\n').count() + 1,
                    column: before.chars().rev().take_while(|it| *it != '\n').count() + 1,
                    reason: error.reason,
                }
            })?);
        }
        Ok(Self {
            about: read.about,
            seed: read.seed,
            settle: read.settle.0,
            grace: read.grace.0,
            kinds: read.kinds,
            phases: read.phase,
            expectations,
        })
    }

    /// Whether it runs commands of the shell.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        self.phases.iter().any(|phase| !phase.hook.is_empty())
    }
}

impl Phase {
    /// Whether its messages are noted in a ledger.
    #[must_use]
    pub fn has_ledger(&self) -> bool {
        match &self.act {
            Act::Publish => true,
            Act::Pause => false,
            Act::Command(verb) => verb == "replay",
        }
    }
}

fn check_phases(file: &str, phases: &[Phase]) -> Result<(), ScenarioError> {
    for (at, phase) in phases.iter().enumerate() {
        let is_twice = phases[..at].iter().any(|it| it.name == phase.name);
        let is_alone =
            phase.profile.is_empty() && phase.faults.is_empty() && phase.devices.is_none();
        let wrong = if at >= PHASES_MAX {
            format!("is one too many; {PHASES_MAX} are possible")
        } else if !is_name(&phase.name) || is_twice {
            "has no name, or that of another".to_owned()
        } else if phase.act == Act::Pause && (phase.duration.is_none() || !is_alone) {
            "is a pause: it needs a duration, and has no devices".to_owned()
        } else if phase.act == Act::Publish && phase.duration.is_none() && phase.messages.is_none()
        {
            "needs a duration, or messages".to_owned()
        } else if matches!(phase.act, Act::Command(_)) && !is_alone {
            "is another command: all that it is told stands in options".to_owned()
        } else {
            continue;
        };
        return Err(ScenarioError::Phase {
            file: file.to_owned(),
            phase: phase.name.clone(),
            reason: wrong,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
