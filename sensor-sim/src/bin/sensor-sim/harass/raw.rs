//! A connection that keeps to no rules, and counts what the broker says to it.

use core::cell::RefCell;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::packet::{self, Packet};

/// How long a broker may take to accept, or to take what is sent.
const IO_TIME: Duration = Duration::from_secs(10);
/// Bytes that one read takes.
const READ_BYTES: usize = 4096;

/// What brokers answered, by kind.
pub(crate) type Answers = Rc<RefCell<BTreeMap<&'static str, u64>>>;

/// What became of a wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A CONNACK that lets it in.
    Accepted,
    /// A CONNACK that does not.
    Refused,
    /// PUBACK, SUBACK or another answer.
    Acknowledged,
    /// A message came.
    Message,
    /// The connection is gone.
    Closed,
    /// Nothing came.
    Silence,
}

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
    answers: Answers,
}

impl Raw {
    /// Connects by TCP; `None` and a count if that fails.
    pub(crate) async fn open(target: SocketAddr, answers: &Answers) -> Option<Self> {
        let opened = timeout(IO_TIME, TcpStream::connect(target)).await;
        let stream = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                note(answers, name_of(&error));
                return None;
            }
            Err(_) => {
                note(answers, "no TCP connection within 10 s");
                return None;
            }
        };
        // It is only slower without.
        let _ = stream.set_nodelay(true);
        note(answers, "TCP connection accepted");
        Some(Self {
            stream,
            unread: Vec::new(),
            answers: Rc::clone(answers),
        })
    }

    /// Sends `bytes`; whether the broker took them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = timeout(IO_TIME, self.stream.write_all(bytes)).await;
        match sent {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                note(&self.answers, name_of(&error));
                false
            }
            Err(_) => {
                note(&self.answers, "took no bytes for 10 s");
                false
            }
        }
    }

    /// Waits for the next packet, at most for `wait`, and counts it.
    pub(crate) async fn answer(&mut self, wait: Duration) -> Answer {
        let answer = self.listen(wait).await;
        if answer == Answer::Silence {
            note(&self.answers, "silence");
        }
        answer
    }

    /// Waits like [`answer`](Self::answer), where silence is what one expects and does not count.
    pub(crate) async fn listen(&mut self, wait: Duration) -> Answer {
        let Ok((answer, name)) = timeout(wait, self.read()).await else {
            return Answer::Silence;
        };
        note(&self.answers, name);
        answer
    }

    /// Bytes as they come, at most for `wait`; `None` and a count if none do.
    pub(crate) async fn receive(&mut self, wait: Duration) -> Option<Vec<u8>> {
        let mut buffer = vec![0; READ_BYTES];
        let name = match timeout(wait, self.stream.read(&mut buffer)).await {
            Ok(Ok(0)) => "connection closed",
            Ok(Ok(len)) => {
                buffer.truncate(len);
                return Some(buffer);
            }
            Ok(Err(error)) => name_of(&error),
            Err(_) => "silence",
        };
        note(&self.answers, name);
        None
    }

    async fn read(&mut self) -> (Answer, &'static str) {
        loop {
            match packet::read(&self.unread) {
                Ok(Some((packet, len))) => {
                    let told = told(packet);
                    self.unread.drain(..len);
                    return told;
                }
                Ok(None) => {}
                Err(_) => return (Answer::Closed, "bytes that are no packet"),
            }
            let mut buffer = [0; READ_BYTES];
            match self.stream.read(&mut buffer).await {
                Ok(0) => return (Answer::Closed, "connection closed"),
                Ok(len) => self.unread.extend_from_slice(&buffer[..len]),
                Err(error) => return (Answer::Closed, name_of(&error)),
            }
        }
    }
}

/// Counts an answer.
pub(crate) fn note(answers: &Answers, name: &'static str) {
    *answers.borrow_mut().entry(name).or_default() += 1;
}

const fn told(packet: Packet<'_>) -> (Answer, &'static str) {
    match packet {
        Packet::ConnAck { code: 0, .. } => (Answer::Accepted, "CONNACK: accepted"),
        Packet::ConnAck { code, .. } => (
            Answer::Refused,
            match code {
                1 => "CONNACK: not this version",
                2 => "CONNACK: not this client id",
                3 => "CONNACK: not available",
                4 => "CONNACK: bad user name or password",
                5 => "CONNACK: not authorized",
                _ => "CONNACK: a code that is none",
            },
        ),
        Packet::Publish { .. } => (Answer::Message, "PUBLISH"),
        Packet::PubAck(_) => (Answer::Acknowledged, "PUBACK"),
        Packet::PubRec(_) => (Answer::Acknowledged, "PUBREC"),
        Packet::PubRel(_) => (Answer::Acknowledged, "PUBREL"),
        Packet::PubComp(_) => (Answer::Acknowledged, "PUBCOMP"),
        Packet::SubAck(..) => (Answer::Acknowledged, "SUBACK"),
        Packet::PingResp => (Answer::Acknowledged, "PINGRESP"),
    }
}

fn name_of(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "TCP connection refused",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "connection reset",
        ErrorKind::AddrNotAvailable => "no port left on this machine",
        _ => "another error of the connection",
    }
}
