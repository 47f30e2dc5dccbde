//! HTTP beside MQTT: `POST /v1/telemetry/{device}`, `GET /metrics`, `GET /healthz`.
//!
//! A post is a message as any other: it has a topic, the rights of its sender are held against that, and it enters the
//! engine as an event. What is here only waits for the answer, which comes once the readings are durable. Sockets and
//! HTTP/1.1 itself are in [`server`], what requests ask for in `request`, what waits for the engine in [`desk`].

pub mod server;
mod request;
mod body;
mod answer;
pub mod desk;
mod metrics;

pub use answer::Answer;
pub use desk::{Desk, Piece};
pub use metrics::{health, metrics};

use tokio::sync::oneshot;

use crate::transport::Guest;

/// What a request wants of the loop.
#[derive(Debug)]
pub struct Errand {
    /// What it wants.
    pub task: Task,
    /// Who asks.
    pub login: Login,
    /// From where, so that guesses are slowed, and who it is by certificate.
    pub guest: Guest,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// What it wants.
#[derive(Debug)]
pub enum Task {
    /// Take these messages.
    Post(Post),
    /// Tell the counters.
    Metrics,
    /// Tell whether all is well.
    Health,
}

/// Messages that were posted.
#[derive(Debug)]
pub struct Post {
    /// The topic under which MQTT would have brought them.
    pub topic: String,
    /// The body.
    pub body: Vec<u8>,
    /// Each line of the body is a message; otherwise the body is one.
    pub has_lines: bool,
    /// The name that its sender gave it.
    pub key: Option<String>,
}

/// Name and password, as they came.
#[derive(Default)]
pub struct Login {
    /// The name, if there is one.
    pub username: Option<String>,
    /// The password or token. Never to be logged.
    pub password: Vec<u8>,
}

impl core::fmt::Debug for Login {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Login({:?})", self.username)
    }
}
