//! What requests wait for: the check of a password, room for the next message, the disk.
//!
//! The desk belongs to the loop. It has a place for each post that is not answered yet; where all are taken, the disk is
//! behind, and who comes then is told to come again.

use core::ops::Range;
use std::collections::VecDeque;
use std::rc::Rc;

use hyper::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Answer, Errand, Login, Post, Task};
use crate::broker::{ConnectionId, ReasonCode, Refusal, Rights};
use crate::deliveries::fingerprint;
use crate::engine::RequestId;
use crate::limits::{HTTP_FAULTS_MAX, HTTP_LINES_MAX, HTTP_POSTS_MAX};
use crate::payload::PayloadError;

/// The places.
pub struct Desk {
    /// Connections of the broker have the indices below.
    first_index: u16,
    places: Vec<Place>,
    /// Those whose sender is known and whose messages wait for room.
    ready: VecDeque<RequestId>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    work: Option<Work>,
}

/// An errand that is not answered.
struct Work {
    task: Rc<Task>,
    reply: oneshot::Sender<Answer>,
    rights: Option<Rights>,
    /// Where in the body the next message begins; `None`: there is none.
    next: Option<usize>,
    /// Messages handed out so far, and how many of them have their answer.
    lines: usize,
    answered: usize,
    tally: Tally,
}

/// What became of the messages.
#[derive(Debug, Default)]
struct Tally {
    taken: usize,
    refused: usize,
    forbidden: usize,
    faults: Vec<Value>,
}

/// One message for the engine.
pub struct Piece {
    task: Rc<Task>,
    range: Range<usize>,
    /// What its sender may do.
    pub rights: Rights,
    /// By what it is known if it comes again.
    pub delivery: Option<u64>,
}

impl Piece {
    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.post().map_or("", |post| &post.topic)
    }

    /// The message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.post()
            .map_or(&[], |post| &post.body[self.range.clone()])
    }

    fn post(&self) -> Option<&Post> {
        match &*self.task {
            Task::Post(post) => Some(post),
            Task::Metrics | Task::Health => None,
        }
    }
}

/// What is to be done for a request whose sender is known.
pub enum Step {
    /// Hand this message to the engine.
    Message(Piece),
    /// Answer with the counters, if these rights give them.
    Metrics(Rights),
    /// Nothing is left to hand out.
    Done,
}

impl Desk {
    /// A desk beside a broker of so many connections.
    #[must_use]
    pub fn new(connections_max: u16) -> Self {
        Self {
            first_index: connections_max,
            places: (0..HTTP_POSTS_MAX).map(|_| Place::default()).collect(),
            ready: VecDeque::with_capacity(HTTP_POSTS_MAX),
        }
    }

    /// Gives an errand a place: its number for the check of the password, and name and password. `None`: it was answered.
    pub fn admit(&mut self, errand: Errand) -> Option<(ConnectionId, Login)> {
        let Errand {
            task, login, reply, ..
        } = errand;
        let is_long = matches!(&task, Task::Post(post) if lines(post) > HTTP_LINES_MAX);
        let free = self.places.iter().position(|place| place.work.is_none());
        let Some(at) = free.filter(|_| !is_long) else {
            let answer = if is_long {
                let reason =
                    format!("the body has more than {HTTP_LINES_MAX} lines; send it in parts");
                Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason)
            } else {
                Answer::too_many()
            };
            // Who asked may be gone; so it is below.
            let _ = reply.send(answer);
            return None;
        };
        let place = &mut self.places[at];
        place.generation = place.generation.wrapping_add(1);
        place.work = Some(Work {
            task: Rc::new(task),
            reply,
            rights: None,
            next: Some(0),
            lines: 0,
            answered: 0,
            tally: Tally::default(),
        });
        let connection = ConnectionId {
            index: self.first_index + at as u16,
            generation: place.generation,
        };
        Some((connection, login))
    }

    /// Whether the number is one of the desk's.
    #[must_use]
    pub fn owns(&self, connection: ConnectionId) -> bool {
        connection.index >= self.first_index
    }

    /// The sender was checked.
    pub fn handle_verdict(&mut self, connection: ConnectionId, verdict: Result<Rights, Refusal>) {
        let request = RequestId {
            index: connection.index - self.first_index,
            generation: connection.generation,
        };
        match (verdict, self.find(request)) {
            (Ok(rights), Some(work)) => {
                work.rights = Some(rights);
                self.ready.push_back(request);
            }
            (Err(refusal), Some(_)) => self.reply(request, Answer::refused(refusal)),
            (_, None) => {}
        }
    }

    /// How many requests have something to hand out.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The one that has waited longest.
    pub fn pop_ready(&mut self) -> Option<RequestId> {
        self.ready.pop_front()
    }

    /// What is to be done next for the request.
    pub fn step(&mut self, request: RequestId) -> Step {
        let Some(work) = self.find(request) else {
            return Step::Done;
        };
        let Some(rights) = work.rights.clone() else {
            return Step::Done;
        };
        let task = Rc::clone(&work.task);
        let Task::Post(post) = &*task else {
            return Step::Metrics(rights);
        };
        let Some(range) = work.next.and_then(|from| message(post, from)) else {
            work.next = None;
            if work.lines == 0 {
                let reason = "the body has no message";
                self.reply(request, Answer::refusal(StatusCode::BAD_REQUEST, reason));
            } else {
                self.settle(request);
            }
            return Step::Done;
        };
        work.lines += 1;
        work.next = (post.has_lines && range.end < post.body.len()).then_some(range.end + 1);
        let delivery = post.key.as_ref().map(|key| {
            let user = format!("http/{}", rights.user());
            // There are fewer lines than numbers.
            fingerprint(&user, work.lines as u16, &post.topic, key.as_bytes())
        });
        Step::Message(Piece {
            task,
            range,
            rights,
            delivery,
        })
    }

    /// The engine has no room. A request of which nothing was taken is told to come again, the others wait.
    pub fn hold(&mut self, request: RequestId) {
        match self.find(request) {
            Some(work) if work.lines == 0 => self.reply(request, Answer::too_many()),
            Some(_) => self.ready.push_front(request),
            None => {}
        }
    }

    /// An item of the message that is being handed out holds no reading.
    pub fn note_fault(&mut self, request: RequestId, error: &PayloadError) {
        if let Some(work) = self.find(request) {
            let line = work.lines;
            work.tally.note(json!({
                "line": line, "offset": error.offset, "reason": error.reason,
            }));
        }
    }

    /// A message has its answer.
    pub fn handle_answer(&mut self, request: RequestId, reason: ReasonCode) {
        let Some(work) = self.find(request) else {
            return;
        };
        work.answered += 1;
        let tally = &mut work.tally;
        match reason {
            ReasonCode::NotAuthorized => tally.forbidden += 1,
            reason if !reason.is_failure() => tally.taken += 1,
            reason => {
                tally.refused += 1;
                if let Some(text) = explain(reason) {
                    tally.note(json!({ "line": work.answered, "reason": text }));
                }
            }
        }
        self.settle(request);
    }

    /// Answers a request, and frees its place.
    pub fn reply(&mut self, request: RequestId, answer: Answer) {
        if self.find(request).is_some()
            && let Some(work) = self.places[usize::from(request.index)].work.take()
        {
            let _ = work.reply.send(answer);
        }
    }

    /// Answers a request of which all is known.
    fn settle(&mut self, request: RequestId) {
        let Some(work) = self.find(request) else {
            return;
        };
        if work.next.is_none() && work.answered == work.lines {
            let answer = work.tally.answer();
            self.reply(request, answer);
        }
    }

    fn find(&mut self, request: RequestId) -> Option<&mut Work> {
        let place = self.places.get_mut(usize::from(request.index))?;
        let is_same = place.generation == request.generation;
        place.work.as_mut().filter(|_| is_same)
    }
}

impl Tally {
    fn note(&mut self, fault: Value) {
        if self.faults.len() < HTTP_FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    fn answer(&self) -> Answer {
        if self.forbidden > 0 {
            return Answer::forbidden();
        }
        let Self { taken, refused, .. } = self;
        if *refused == 0 {
            let body = json!({ "taken": taken });
            return Answer::json(StatusCode::ACCEPTED, &body);
        }
        let body = json!({ "taken": taken, "refused": refused, "errors": self.faults });
        Answer::json(StatusCode::BAD_REQUEST, &body)
    }
}

/// Where the message stands that begins at `from` or behind: lines that are empty are none.
fn message(post: &Post, from: usize) -> Option<Range<usize>> {
    if !post.has_lines {
        return (from == 0).then_some(0..post.body.len());
    }
    let mut from = from;
    while from < post.body.len() {
        let rest = &post.body[from..];
        let len = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        if !rest[..len].trim_ascii().is_empty() {
            return Some(from..from + len);
        }
        from += len + 1;
    }
    None
}

fn lines(post: &Post) -> usize {
    if post.has_lines {
        post.body.iter().filter(|byte| **byte == b'\n').count() + 1
    } else {
        1
    }
}

/// What a reason means for which there is no [`PayloadError`].
fn explain(reason: ReasonCode) -> Option<&'static str> {
    match reason {
        ReasonCode::QuotaExceeded => Some("the table of sensors is full (pipeline.sensors_max)"),
        ReasonCode::TopicNameInvalid => {
            Some("the name of a device or a signal is too long, or has a wildcard")
        }
        ReasonCode::PayloadFormatInvalid => None,
        _ => Some("refused"),
    }
}

#[cfg(test)]
mod tests;
