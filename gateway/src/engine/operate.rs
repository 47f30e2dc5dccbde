//! What people do about alarms: a JSON request on `tidegate/<gateway>/alarm/<verb>`, and an answer on `.../alarm/answer`,
//! or on the topic that an MQTT 5 client asks for.
//!
//! Who may is for the credentials to say: it takes the right to publish to the topic, which nobody has without a rule.

use core::fmt::Write;
use std::borrow::Cow;

use pipeline::limits::{DELAY_MS_MAX, NOTE_BYTES_MAX, PERSON_BYTES_MAX};
use pipeline::{Command, Now, Verb};
use serde::{Deserialize, Serialize};
use wire::{SensorId, Standing};

use super::{Engine, Perform};
use crate::broker::{Publish, TopicFilter};
use crate::journal::Entry;
use crate::limits::OPERATED_PER_MESSAGE_MAX;

/// What is asked for: one alarm by the id of its occurrence or by its name, or all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request<'a> {
    /// The occurrence.
    id: Option<u64>,
    #[serde(borrow)]
    device: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rule: Option<Cow<'a, str>>,
    /// All that nobody has acknowledged, or all that are shelved.
    all: bool,
    /// How long it is shelved.
    minutes: Option<u32>,
    /// What the person says.
    #[serde(borrow)]
    note: Cow<'a, str>,
    /// Comes back in the answer.
    #[serde(borrow)]
    request: Option<Cow<'a, str>>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer<'a> {
    verb: &'a str,
    by: &'a str,
    /// How many alarms were operated.
    done: usize,
    /// How many are left: ask again.
    left: usize,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Cow<'a, str>>,
}

/// For how long an alarm is shelved if nothing is said, in minutes.
const SHELVED_MINUTES: u32 = 60;
const MINUTES_MAX: u32 = DELAY_MS_MAX / 60_000;

/// An alarm: whose, and which of the sensor's.
type Target = (SensorId, u8);
type Targets = heapless::Vec<Target, OPERATED_PER_MESSAGE_MAX>;

impl Engine {
    /// Does what a client asks for about alarms, if that is what the message is about.
    pub(super) fn take_operation<P: Perform>(
        &mut self,
        now: Now,
        publish: &Publish<'_>,
        out: &mut P,
    ) {
        let rest = publish.topic.strip_prefix("tidegate/");
        let verb = rest
            .and_then(|rest| rest.strip_prefix(self.settings.gateway.as_str()))
            .and_then(|rest| rest.strip_prefix("/alarm/"))
            .filter(|verb| *verb != "answer");
        let Some(verb) = verb else { return };
        let by = self.person(publish);
        let mut answer = Answer {
            verb,
            by: &by,
            done: 0,
            left: 0,
            refused: None,
            request: None,
        };
        match serde_json::from_slice::<Request<'_>>(publish.payload) {
            Ok(mut request) => {
                answer.request = request.request.take();
                match self.operate(now, verb, &by, &request, out) {
                    Ok((done, left)) => (answer.done, answer.left) = (done, left),
                    Err(refused) => answer.refused = Some(refused),
                }
            }
            Err(_) => answer.refused = Some(NO_REQUEST),
        }
        self.message.write_operated(&self.settings.gateway, &answer);
        self.publish_answer(now, publish, out);
    }

    /// Where a 5.0 client asks for it, if it may; else where everybody finds it.
    fn publish_answer<P: Perform>(&mut self, now: Now, request: &Publish<'_>, out: &mut P) {
        let payload = core::mem::take(&mut self.message.payload);
        let answer = request.answer(&payload);
        match answer.filter(|answer| self.may_be_answered(request, answer.topic)) {
            Some(answer) => {
                // Nobody has to listen.
                let _ = self.route(now, &answer, out);
                self.message.payload = payload;
            }
            None => {
                self.message.payload = payload;
                self.publish_message(now, out);
            }
        }
    }

    /// Whether a client may have its answer on this topic: one that it may subscribe to and receive, so that it cannot make
    /// the gateway say what it may not hear, and outside of `tidegate/`, where the gateway's own word stands.
    fn may_be_answered(&self, request: &Publish<'_>, topic: &str) -> bool {
        let asked = request.connection.and_then(|connection| {
            let rights = self.broker.rights(connection)?;
            Some((rights, self.broker.client_id(connection)?))
        });
        let filter = TopicFilter::parse(topic);
        asked
            .zip(filter.ok())
            .is_some_and(|((rights, client), filter)| {
                rights.may_subscribe(client, filter) && rights.may_receive(client, topic)
            })
            && !topic.starts_with("tidegate/")
    }

    fn operate<P: Perform>(
        &mut self,
        now: Now,
        verb: &str,
        by: &str,
        request: &Request<'_>,
        out: &mut P,
    ) -> Result<(usize, usize), &'static str> {
        let minutes = request.minutes.unwrap_or(SHELVED_MINUTES);
        let verb = match verb {
            "acknowledge" => Verb::Acknowledge,
            "shelve" if (1..=MINUTES_MAX).contains(&minutes) => Verb::Shelve(minutes * 60_000),
            "shelve" => return Err("minutes must be 1 to 1440"),
            "unshelve" => Verb::Unshelve,
            _ => return Err("the topic ends in acknowledge, shelve or unshelve"),
        };
        let (targets, all) = self.targets(verb, request)?;
        let mut done = 0;
        for (sensor, alarm) in targets {
            // What follows from one may fill the commit; the rest is for another message.
            if !self.accepts_post() {
                break;
            }
            let command = Command {
                verb,
                sensor,
                alarm,
                by,
                note: front(&request.note, NOTE_BYTES_MAX),
            };
            self.apply(now, &Entry::Operate(command), out);
            done += 1;
        }
        Ok((done, all - done))
    }

    /// Which alarms are meant, as many as one message may operate; and how many there are.
    fn targets(&self, verb: Verb, request: &Request<'_>) -> Result<(Targets, usize), &'static str> {
        let may = |standing: Standing| match verb {
            Verb::Acknowledge => {
                matches!(standing, Standing::Unacknowledged | Standing::Returned)
            }
            Verb::Shelve(_) => standing != Standing::Suppressed,
            Verb::Unshelve => standing == Standing::Shelved,
        };
        let mut targets = Targets::new();
        if request.all {
            if matches!(verb, Verb::Shelve(_)) {
                return Err("shelve alarms one by one");
            }
            let mut all = 0;
            for (sensor, alarm, standing, _) in self.machine.standings() {
                if may(standing) {
                    all += 1;
                    // More than one message may operate stay for the next.
                    let _ = targets.push((sensor, alarm));
                }
            }
            return Ok((targets, all));
        }
        let (target, standing, id) = self.target(request)?;
        if request.id.is_some_and(|asked| asked != id) {
            return Err("another occurrence has come since");
        }
        if !may(standing) {
            return Err(match verb {
                Verb::Acknowledge => "there is nothing to acknowledge",
                Verb::Shelve(_) => "the alarm is suppressed",
                Verb::Unshelve => "the alarm is not shelved",
            });
        }
        // There is room for one.
        let _ = targets.push(target);
        Ok((targets, 1))
    }

    /// The alarm that is named, or that has this occurrence.
    fn target(&self, request: &Request<'_>) -> Result<(Target, Standing, u64), &'static str> {
        let unknown = "there is no such alarm";
        let names = (&request.device, &request.signal, &request.rule);
        match (names, request.id) {
            ((Some(device), Some(signal), Some(rule)), _) => {
                let sensor = self.machine.find(device, signal).ok_or(unknown)?;
                let alarm = self.machine.find_alarm(sensor, rule).ok_or(unknown)?;
                let (standing, id) = self.machine.standing(sensor, alarm).ok_or(unknown)?;
                Ok(((sensor, alarm), standing, id))
            }
            ((None, None, None), Some(id)) => self
                .machine
                .standings()
                .find(|it| it.3 == id)
                .map(|(sensor, alarm, standing, id)| ((sensor, alarm), standing, id))
                .ok_or("no alarm that stands has this id"),
            _ => Err("name the alarm by id, or by device, signal and rule, or say all"),
        }
    }

    /// Who asks: the name of the user, or of the client where nobody has to give one.
    fn person(&self, publish: &Publish<'_>) -> heapless::String<PERSON_BYTES_MAX> {
        let connection = publish.connection;
        let user = connection.and_then(|it| self.broker.rights(it));
        let user = user.map_or("", |rights| rights.user());
        let client = connection.and_then(|it| self.broker.client_id(it));
        let name = if user.is_empty() {
            client.unwrap_or_default()
        } else {
            user
        };
        let mut person = heapless::String::new();
        // Only its front is written, which fits.
        let _ = person.write_str(front(name, PERSON_BYTES_MAX));
        person
    }
}

const NO_REQUEST: &str =
    "the payload is no JSON object of id, device, signal, rule, all, minutes, note, request";

/// As much of a text as fits.
fn front(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
