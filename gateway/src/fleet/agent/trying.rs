//! The dry-run of a change: asked for by a document, a technician or a command, and held against the fleet's policy.

use serde_json::json;

use super::command::told;
use super::{Action, Agent, Change, Judge, Now, Perform, State, Trial, refuse};
use crate::fleet::classes;
use crate::fleet::reason::{Reason, Refusal};
use crate::fleet::slots::Override;

impl<J: Judge> Agent<J> {
    pub(super) fn try_override<P: Perform>(
        &mut self,
        over: Override,
        out: &mut P,
    ) -> Result<(), Refusal> {
        let change = Change::Override(over.clone());
        let stack = self.with_change(&change).stack(&self.settings.scopes);
        self.judge.form(&stack)?;
        // What the site has locked is locked for remote; the technician stands on the site.
        classes::admit(&over.config, &[])?;
        self.judge.judge(&stack)?;
        self.state = State::Trying {
            change,
            answer: None,
        };
        out.perform(Action::Try(&stack));
        Ok(())
    }

    /// The command's own dry-run.
    pub(super) fn try_for<P: Perform>(
        &mut self,
        id: &str,
        change: Change,
        out: &mut P,
    ) -> Result<(), Refusal> {
        if !self.is_steady() {
            return refuse(Reason::Flap, "a change is on its way; try again later");
        }
        let stack = self.with_change(&change).stack(&self.settings.scopes);
        self.judge.form(&stack)?;
        if let Change::Document(taken) = &change {
            classes::admit(&taken.document.config, &self.settings.locked)?;
        }
        self.judge.judge(&stack)?;
        self.state = State::Trying {
            change,
            answer: Some(id.to_owned()),
        };
        out.perform(Action::Try(&stack));
        Ok(())
    }

    pub(super) fn handle_tried<P: Perform>(
        &mut self,
        now: Now,
        result: Result<Trial, Refusal>,
        out: &mut P,
    ) {
        let (change, answer) = match core::mem::replace(&mut self.state, State::Steady) {
            State::Trying { change, answer } => (change, answer),
            other => {
                self.state = other;
                return;
            }
        };
        let trial = result.as_ref().ok().copied();
        let policies = self.with_change(&change).policies(&self.settings.scopes);
        let verdict = result.and_then(|trial| trial.check(&policies));
        if let Some(id) = answer {
            return self.answer_trial(&id, trial.as_ref(), verdict, out);
        }
        let (what, generation) = (change.what(), change.generation());
        if let Some(trial) = trial {
            self.news.trial = Some(trial);
            self.news.remark(now, &what, generation, &trial, out);
        }
        match verdict {
            Ok(()) => self.stage(change, out),
            Err(refusal) => self.news.refuse(now, &what, generation, &refusal, out),
        }
    }

    fn answer_trial<P: Perform>(
        &self,
        id: &str,
        trial: Option<&Trial>,
        verdict: Result<(), Refusal>,
        out: &mut P,
    ) {
        let mut body = match verdict {
            Ok(()) => json!({"code": "OK"}),
            Err(refusal) => told(&refusal),
        };
        if let Some(trial) = trial {
            body["trial"] = json!(trial);
            body["text"] = json!(trial.to_string());
        }
        out.perform(Action::Answer { id, body });
    }
}
