//! What an alarm looks at, what happened to it, and how it stands.

use super::AlertState;
use serde::{Deserialize, Serialize};

/// How an alarm stands, in the words of ISA-18.2 (IEC 62682).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// All is well, and nobody has anything left to acknowledge.
    #[default]
    Normal = 0,
    /// The condition holds, and nobody has acknowledged it.
    Unacknowledged = 1,
    /// The condition holds, and somebody knows.
    Acknowledged = 2,
    /// The condition is over, but nobody has acknowledged that it was.
    Returned = 3,
    /// A person has put it away for a time.
    Shelved = 4,
    /// It says nothing at present, by the plan.
    Suppressed = 5,
}

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// Its condition began.
    #[default]
    Raised = 0,
    /// Its condition ended.
    Cleared = 1,
    /// Somebody has seen it.
    Acknowledged = 2,
    /// A person put it away.
    Shelved = 3,
    /// It is back, by a person or because its time was over.
    Unshelved = 4,
    /// The plan makes it silent.
    Suppressed = 5,
    /// The plan makes it silent no more.
    Released = 6,
}

/// What an alarm looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// The value.
    #[default]
    Limit = 0,
    /// Whether readings come.
    Silence = 1,
    /// How fast the value changes.
    Rate = 2,
    /// How noisy it is.
    Noise = 3,
    /// How noisy it is against what it usually is.
    Burst = 4,
    /// Whether it moves at all.
    Stuck = 5,
    /// Whether it has slowly left where it was.
    Drift = 6,
    /// Whether it has a new level.
    Level = 7,
    /// When it will cross a limit.
    Forecast = 8,
    /// Whether it is as it always was.
    Unusual = 9,
    /// Whether the signals of a device are together as they always were.
    Together = 10,
}

pub(super) const STANDINGS: [Standing; 6] = [
    Standing::Normal,
    Standing::Unacknowledged,
    Standing::Acknowledged,
    Standing::Returned,
    Standing::Shelved,
    Standing::Suppressed,
];

pub(super) const TRANSITIONS: [Transition; 7] = [
    Transition::Raised,
    Transition::Cleared,
    Transition::Acknowledged,
    Transition::Shelved,
    Transition::Unshelved,
    Transition::Suppressed,
    Transition::Released,
];

pub(super) const KINDS: [AlertKind; 11] = [
    AlertKind::Limit,
    AlertKind::Silence,
    AlertKind::Rate,
    AlertKind::Noise,
    AlertKind::Burst,
    AlertKind::Stuck,
    AlertKind::Drift,
    AlertKind::Level,
    AlertKind::Forecast,
    AlertKind::Unusual,
    AlertKind::Together,
];

impl Standing {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::Returned => "returned",
            Self::Shelved => "shelved",
            Self::Suppressed => "suppressed",
        }
    }

    /// Whether it is to be looked at: only then it is told as raised.
    #[must_use]
    pub const fn state(self) -> AlertState {
        match self {
            Self::Unacknowledged | Self::Acknowledged => AlertState::Raised,
            Self::Normal | Self::Returned | Self::Shelved | Self::Suppressed => AlertState::Cleared,
        }
    }

    /// How an alarm stands of which only the state is told.
    pub(super) const fn of(state: AlertState) -> Self {
        match state {
            AlertState::Raised => Self::Unacknowledged,
            AlertState::Cleared => Self::Normal,
        }
    }
}

impl AlertKind {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Silence => "silence",
            Self::Rate => "rate",
            Self::Noise => "noise",
            Self::Burst => "burst",
            Self::Stuck => "stuck",
            Self::Drift => "drift",
            Self::Level => "level",
            Self::Forecast => "forecast",
            Self::Unusual => "unusual",
            Self::Together => "together",
        }
    }
}

impl Transition {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Acknowledged => "acknowledged",
            Self::Shelved => "shelved",
            Self::Unshelved => "unshelved",
            Self::Suppressed => "suppressed",
            Self::Released => "released",
        }
    }

    /// What happened to an alarm of which only the state is told.
    pub(super) const fn of(state: AlertState) -> Self {
        match state {
            AlertState::Raised => Self::Raised,
            AlertState::Cleared => Self::Cleared,
        }
    }
}
