//! Commands: signed like documents, for one box, for a short time, and done once.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Action, Agent, Change, Judge, Now, Perform, refuse};
use crate::fleet::document::{Document, payload_digest};
use crate::fleet::envelope::Envelope;
use crate::fleet::limits::{COMMAND_S_MAX, COMMANDS_MAX, WALL_MS_MIN};
use crate::fleet::reason::{Reason, Refusal};
use crate::fleet::slots::Taken;

/// Type of a command in its envelope.
pub const COMMAND_TYPE: &str = "application/vnd.tidegate.command.v1+json";

/// What a box can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// How a document would fare; nothing changes.
    DryRun,
    /// A person says that the change under watch is right.
    Confirm,
    /// The change under watch is taken back.
    Rollback,
    /// The layers that hold.
    Effective,
    /// The report, and what the slots hold.
    Diag,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 5] = [
        Self::DryRun,
        Self::Confirm,
        Self::Rollback,
        Self::Effective,
        Self::Diag,
    ];

    /// As it stands in the topic.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Confirm => "confirm",
            Self::Rollback => "rollback",
            Self::Effective => "effective",
            Self::Diag => "diag",
        }
    }
}

/// The payload of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The box's fleet.
    pub fleet: String,
    /// The box.
    pub gateway: String,
    /// What to do.
    pub verb: Verb,
    /// As in the topic; never used again.
    pub id: String,
    /// After this it is not done any more, ms since the epoch; at most ten minutes ahead.
    pub expires: i64,
    /// For a dry-run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

/// Ids of commands that were done.
#[derive(Debug, Default)]
pub(super) struct Answered(VecDeque<(String, i64)>);

impl Answered {
    /// Takes an id, unless it was taken before, or all places are held by commands that could still be replayed.
    fn insert(&mut self, id: &str, expires: i64, wall_ms: i64) -> bool {
        self.0.retain(|(_, until)| *until > wall_ms);
        if self.0.len() == COMMANDS_MAX || self.0.iter().any(|(it, _)| it == id) {
            return false;
        }
        self.0.push_back((id.to_owned(), expires));
        true
    }
}

impl<J: Judge> Agent<J> {
    pub(super) fn take_command<P: Perform>(
        &mut self,
        now: Now,
        verb: Verb,
        id: &str,
        bytes: &[u8],
        out: &mut P,
    ) {
        match self.open_command(now, verb, id, bytes) {
            Ok(command) => self.do_command(now, command, out),
            Err(refusal) => self.news.refuse(now, "command", 0, &refusal, out),
        }
    }

    fn open_command(
        &mut self,
        now: Now,
        verb: Verb,
        id: &str,
        bytes: &[u8],
    ) -> Result<Command, Refusal> {
        let envelope = Envelope::parse(bytes)?;
        let payload = envelope.open(COMMAND_TYPE, &self.slots.keys.config, 1)?;
        let command: Command = serde_json::from_slice(payload)
            .map_err(|error| Refusal::whole(Reason::Command, format!("no command: {error}")))?;
        let fleet = &self.slots.keys.fleet;
        if command.gateway != self.gateway() || command.fleet != *fleet {
            return refuse(Reason::Scope, "a command for another box");
        }
        if command.verb != verb || command.id != id {
            return refuse(Reason::Command, "not the command that its topic says");
        }
        // Without a clock nobody can say that it is not an old one.
        let ahead = command.expires - now.wall_ms;
        if now.wall_ms < WALL_MS_MIN || !(1..=COMMAND_S_MAX * 1_000).contains(&ahead) {
            return refuse(Reason::Command, "out of date, or dated too far ahead");
        }
        if !self.commands.insert(id, command.expires, now.wall_ms) {
            return refuse(Reason::Command, "done already");
        }
        Ok(command)
    }

    fn do_command<P: Perform>(&mut self, now: Now, command: Command, out: &mut P) {
        let id = command.id;
        let body = match command.verb {
            Verb::Confirm => {
                self.confirm_by_hand(false);
                json!({"code": "OK", "state": self.report(now).state})
            }
            Verb::Rollback => {
                let text = "taken back by command";
                let is_done = self.roll_back(now, Reason::Unconfirmed, text, out);
                json!({"code": if is_done { "OK" } else { Reason::Command.code() }})
            }
            Verb::Effective => {
                let running = self.running();
                let layers = running.over(&Value::Object(serde_json::Map::new()));
                json!({"code": "OK", "digest": running.digest(), "layers": layers})
            }
            Verb::Diag => {
                json!({"code": "OK", "report": self.report(now), "floors": self.slots.floors})
            }
            Verb::DryRun => match self.dry_run(&id, command.document, out) {
                Ok(()) => return,
                Err(refusal) => told(&refusal),
            },
        };
        out.perform(Action::Answer { id: &id, body });
    }

    fn dry_run<P: Perform>(
        &mut self,
        id: &str,
        document: Option<Document>,
        out: &mut P,
    ) -> Result<(), Refusal> {
        let Some(document) = document else {
            return refuse(Reason::Command, "a dry-run needs a document");
        };
        if !self.settings.scopes.contains(&document.scope) {
            return refuse(Reason::Scope, "a document for other boxes");
        }
        let payload = serde_json::to_vec(&document).unwrap_or_default();
        let taken = Taken {
            digest: payload_digest(&payload),
            document,
        };
        self.try_for(id, Change::Document(taken), out)
    }
}

/// A refusal as the body of an answer.
pub(super) fn told(refusal: &Refusal) -> Value {
    json!({"code": refusal.reason.code(), "findings": refusal.findings})
}
