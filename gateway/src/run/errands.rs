//! What HTTP requests want: each post goes into the engine message by message, as far as there is room.

use super::Loop;
use crate::broker::TopicFilter;
use crate::engine::{Event, RequestId};
use crate::http::desk::Step;
use crate::http::{self, Answer, Errand, Task};

/// The client id of requests, in rules that ask for one.
const CLIENT_ID: &str = crate::engine::POST_CLIENT_ID;

impl Loop {
    /// Takes a request that came. Whether all is well may be asked by anyone.
    pub(super) fn take_errand(&mut self, errand: Errand) {
        match errand.task {
            Task::Health => {
                // Who asked may be gone.
                let _ = errand.reply.send(http::health(&self.engine.status()));
            }
            Task::Post(_) | Task::Metrics => self.shell.take_errand(errand),
        }
    }

    /// Goes on with requests whose senders are known.
    pub(super) fn serve_desk(&mut self) {
        for _ in 0..self.shell.desk().ready() {
            if let Some(request) = self.shell.desk().pop_ready() {
                self.serve_request(request);
            }
        }
    }

    fn serve_request(&mut self, request: RequestId) {
        loop {
            if !self.engine.accepts_post() {
                return self.shell.desk().hold(request);
            }
            match self.shell.desk().step(request) {
                Step::Message(message) => self.tell(Event::Posted {
                    request,
                    rights: &message.rights,
                    topic: message.topic(),
                    payload: message.payload(),
                    delivery: message.delivery,
                }),
                Step::Metrics(rights) => {
                    let topic = format!("tidegate/{}/status", self.engine.gateway());
                    let may = TopicFilter::parse(&topic)
                        .is_ok_and(|filter| rights.may_subscribe(CLIENT_ID, filter));
                    let answer = if may {
                        Answer::text(http::metrics(self.engine.gateway(), &self.engine.status()))
                    } else {
                        Answer::forbidden()
                    };
                    return self.shell.desk().reply(request, answer);
                }
                Step::Done => return,
            }
        }
    }
}
