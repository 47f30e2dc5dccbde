//! Why a document is not what runs: one code for each cause, the same in reports, events and papers.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::limits::FINDINGS_MAX;

/// What is watched while a change waits for its confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Kafka is connected.
    Uplink,
    /// Readings come at half the former rate at least.
    Intake,
    /// Commits reach the disk.
    Store,
    /// The gateway's own message comes back from its own broker in time.
    SelfTest,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 4] = [Self::Uplink, Self::Intake, Self::Store, Self::SelfTest];

    /// As it is written in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uplink => "uplink",
            Self::Intake => "intake",
            Self::Store => "store",
            Self::SelfTest => "self-test",
        }
    }
}

/// Why a document was refused, held back, or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No DSSE envelope, or its payload is no document.
    Envelope,
    /// Larger than allowed, or a string of it is.
    Size,
    /// Nested too deeply.
    Depth,
    /// Too many keys.
    Keys,
    /// No signature is by a key that is known.
    Key,
    /// A signature is wrong, or there are too few.
    Signature,
    /// Signed for another fleet, group or box than the topic it came on.
    Scope,
    /// Older than what was tried already.
    Stale,
    /// The same generation with other content: two controllers.
    Conflict,
    /// Out of date, by a clock that is trusted.
    Expired,
    /// For a newer gateway.
    Version,
    /// An unknown key, a wrong type, or a value out of range.
    Schema,
    /// The site's file has locked the key.
    Locked,
    /// The key is set on the box only.
    LocalOnly,
    /// It would open what the site has closed.
    Floor,
    /// The key holds from a restart on, and remote restarts nothing.
    Restart,
    /// The memory that it needs is not there.
    Budget,
    /// It failed on a copy of the box as it is.
    DryRun,
    /// A gate was shut at the deadline.
    Health(Gate),
    /// Nobody confirmed what had to be confirmed by a person.
    Unconfirmed,
    /// The process ended before it was confirmed.
    Crash,
    /// It failed too often.
    Bad,
    /// Too many changes: it waits.
    Flap,
    /// Not this box's turn.
    Deferred,
    /// The slots cannot be written.
    Store,
    /// The fleet forbids overrides on site.
    Policy,
    /// A command that is none, is out of date, or was done already.
    Command,
}

impl Reason {
    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Envelope => "E_ENVELOPE",
            Self::Size => "E_SIZE",
            Self::Depth => "E_DEPTH",
            Self::Keys => "E_KEYS",
            Self::Key => "E_KEY",
            Self::Signature => "E_SIG",
            Self::Scope => "E_SCOPE",
            Self::Stale => "E_STALE",
            Self::Conflict => "E_CONFLICT",
            Self::Expired => "E_EXPIRED",
            Self::Version => "E_VERSION",
            Self::Schema => "E_SCHEMA",
            Self::Locked => "E_LOCKED",
            Self::LocalOnly => "E_LOCAL",
            Self::Floor => "E_FLOOR",
            Self::Restart => "E_RESTART",
            Self::Budget => "E_BUDGET",
            Self::DryRun => "E_DRYRUN",
            Self::Health(Gate::Uplink) => "E_HEALTH:uplink",
            Self::Health(Gate::Intake) => "E_HEALTH:intake",
            Self::Health(Gate::Store) => "E_HEALTH:store",
            Self::Health(Gate::SelfTest) => "E_HEALTH:self-test",
            Self::Unconfirmed => "E_UNCONFIRMED",
            Self::Crash => "E_CRASH",
            Self::Bad => "E_BAD",
            Self::Flap => "E_FLAP",
            Self::Deferred => "W_DEFERRED",
            Self::Store => "E_STORE",
            Self::Policy => "E_POLICY",
            Self::Command => "E_COMMAND",
        }
    }

    /// Whether anyone who reaches the topic can cause it, as often as he likes.
    #[must_use]
    pub const fn is_noise(self) -> bool {
        matches!(
            self,
            Self::Envelope
                | Self::Size
                | Self::Depth
                | Self::Keys
                | Self::Key
                | Self::Signature
                | Self::Scope
                | Self::Command
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where, as a JSON pointer (RFC 6901) into its config; empty for the whole.
    pub pointer: String,
    /// What is wrong, and what to do.
    pub text: String,
}

/// A document that is not taken, and all that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// Where and what; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

impl Refusal {
    /// One finding of the whole document.
    #[must_use]
    pub fn whole(reason: Reason, text: impl Into<String>) -> Self {
        Self::at(reason, "", text)
    }

    /// One finding at a place.
    #[must_use]
    pub fn at(reason: Reason, pointer: impl Into<String>, text: impl Into<String>) -> Self {
        Self::all(
            reason,
            [Finding {
                pointer: pointer.into(),
                text: text.into(),
            }],
        )
    }

    /// Several findings, cut to their bound.
    #[must_use]
    pub fn all(reason: Reason, findings: impl IntoIterator<Item = Finding>) -> Self {
        Self {
            reason,
            findings: findings.into_iter().take(FINDINGS_MAX).collect(),
        }
    }

    /// All findings as one line.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| match finding.pointer.as_str() {
                "" => finding.text.clone(),
                pointer => format!("{pointer}: {}", finding.text),
            })
            .collect();
        lines.join("; ")
    }
}
