//! What bad citizens do, one connection at a time.

use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;
use std::rc::Rc;

use sensor_sim::chance::Chance;
use sensor_sim::limits::{HARASS_BURST, OVERSIZE_BYTES_MAX};
use tokio::time::{sleep, timeout_at};

use super::mutation;
use super::raw::{Answer, Answers, Raw, note};
use super::tls::Door;
use crate::cli::Misconduct;
use crate::client::packet::{self, Connect, Will};
use crate::clock::Clock;

/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long one waits to see whether something malformed is answered at all.
const SHORT_TIME: Duration = Duration::from_millis(200);
/// Time between two bytes of one who is slow on purpose.
const BYTE_TIME: Duration = Duration::from_secs(1);
/// Client ids that a storm shares.
const IDS: u64 = 8;
/// Size of one write of a packet that is too large.
const PIECE_BYTES: usize = 64 << 10;
/// Size of a message that the broker is to keep.
const RETAINED_BYTES: usize = 1024;

/// What all bad citizens of a run share.
pub(crate) struct Attack {
    pub(crate) kind: Misconduct,
    pub(crate) target: SocketAddr,
    /// For those who come by TLS.
    pub(crate) door: Option<Door>,
    pub(crate) topic: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) seed: u64,
    /// What is left to do.
    pub(crate) left: Cell<u64>,
    /// What was begun.
    pub(crate) done: Cell<u64>,
    /// The time.
    pub(crate) clock: Clock,
    /// When it ends, µs by the clock.
    pub(crate) until_us: u64,
    pub(crate) answers: Answers,
}

impl Attack {
    /// One bad citizen after the other, until all is done or time is up.
    pub(crate) async fn work(self: Rc<Self>) {
        while let Some((first, count)) = self.next() {
            let address = self.door.as_ref().map_or(self.target, |door| door.address);
            let Some(raw) = Raw::open(address, &self.answers).await else {
                sleep(SHORT_TIME).await;
                continue;
            };
            // What takes too long is given up in the middle.
            let until = self.clock.instant(self.until_us);
            if timeout_at(until, self.act(raw, first, count))
                .await
                .is_err()
            {
                return note(&self.answers, "still open at the end");
            }
        }
    }

    /// The next things to do: their first number, and how many one connection does.
    fn next(&self) -> Option<(u64, u64)> {
        let burst = match self.kind {
            Misconduct::NeverAcks | Misconduct::TopicExplosion | Misconduct::RetainedFlood => {
                HARASS_BURST
            }
            _ => 1,
        };
        let count = burst.min(self.left.get());
        let first = self.done.get();
        self.left.set(self.left.get() - count);
        self.done.set(first + count);
        (count > 0 && self.clock.now_us() < self.until_us).then_some((first, count))
    }

    async fn act(&self, mut raw: Raw, first: u64, count: u64) {
        match self.kind {
            Misconduct::ReconnectStorm => self.enter(&mut raw, first % IDS, None).await,
            Misconduct::WillStorm => self.enter(&mut raw, first, Some(first % IDS)).await,
            Misconduct::HalfOpen => raw.answer(Duration::MAX).await,
            Misconduct::Slowloris => self.send_slowly(&mut raw, first).await,
            Misconduct::NeverAcks => self.never_acknowledge(&mut raw, first, count).await,
            Misconduct::Oversize => self.send_too_much(&mut raw, first).await,
            Misconduct::Malformed => self.send_nonsense(&mut raw, first).await,
            Misconduct::TopicExplosion => self.flood(&mut raw, first, count, None).await,
            Misconduct::RetainedFlood => {
                self.flood(&mut raw, first, count, Some(RETAINED_BYTES))
                    .await
            }
            Misconduct::WrongPassword => self.guess(&mut raw, first).await,
            Misconduct::ExpiredCertificate => self.show_certificate(&mut raw, first).await,
        };
    }

    /// Takes back what the broker keeps.
    pub(crate) async fn clean_up(&self) {
        for first in (0..self.done.get()).step_by(HARASS_BURST as usize) {
            let count = HARASS_BURST.min(self.done.get() - first);
            if let Some(mut raw) = Raw::open(self.target, &Answers::default()).await {
                self.flood(&mut raw, first, count, Some(0)).await;
            }
        }
    }

    fn connect(&self, number: u64, will: Option<u64>, password: Option<&[u8]>) -> Vec<u8> {
        let will_topic = format!("{}/will/{}", self.topic, will.unwrap_or_default());
        let mut out = Vec::new();
        let connect = Connect {
            client_id: &format!("harass-{number}"),
            username: self.username.as_deref(),
            password: password.or(self.password.as_deref()),
            keep_alive_s: 60,
            clean_session: true,
            will: will.map(|_| Will {
                topic: &will_topic,
                payload: b"gone",
                qos: 1,
                retain: false,
            }),
        };
        packet::write_connect(&mut out, &connect);
        out
    }

    /// Is let in; whoever drops the connection then goes without a word.
    async fn enter(&self, raw: &mut Raw, number: u64, will: Option<u64>) -> Answer {
        if !raw.send(&self.connect(number, will, None)).await {
            return Answer::Closed;
        }
        raw.answer(ANSWER_TIME).await
    }

    async fn send_slowly(&self, raw: &mut Raw, number: u64) -> Answer {
        for byte in self.connect(number, None, None) {
            if !raw.send(&[byte]).await {
                return Answer::Closed;
            }
            if raw.listen(BYTE_TIME).await == Answer::Closed {
                return Answer::Closed;
            }
        }
        raw.answer(ANSWER_TIME).await
    }

    async fn never_acknowledge(&self, raw: &mut Raw, first: u64, count: u64) -> Answer {
        if self.enter(raw, first, None).await != Answer::Accepted {
            return Answer::Refused;
        }
        let topic = format!("{}/unacknowledged/{first}", self.topic);
        let mut out = Vec::new();
        packet::write_subscribe(&mut out, 1, &topic, 1);
        for number in 0..count {
            packet::write_publish(&mut out, &topic, b"21.5", 1, 2 + number as u16);
        }
        if !raw.send(&out).await {
            return Answer::Closed;
        }
        loop {
            match raw.answer(ANSWER_TIME).await {
                Answer::Message | Answer::Acknowledged => {}
                last => return last,
            }
        }
    }

    async fn send_too_much(&self, raw: &mut Raw, number: u64) -> Answer {
        if self.enter(raw, number, None).await != Answer::Accepted {
            return Answer::Refused;
        }
        // A PUBLISH of 256 MiB, the longest that there is [MQTT-2.2.3].
        if !raw.send(b"\x30\xFF\xFF\xFF\x7F\x00\x06harass").await {
            return Answer::Closed;
        }
        for _ in 0..OVERSIZE_BYTES_MAX / PIECE_BYTES {
            if !raw.send(&[b'x'; PIECE_BYTES]).await {
                return Answer::Closed;
            }
        }
        note(&self.answers, "took 64 MiB of one packet");
        raw.answer(SHORT_TIME).await
    }

    async fn send_nonsense(&self, raw: &mut Raw, number: u64) -> Answer {
        let mut chance = Chance::new(self.seed.wrapping_add(number), "harass", "mutation");
        let is_let_in = chance.below(4) > 0;
        if is_let_in && self.enter(raw, number, None).await != Answer::Accepted {
            return Answer::Refused;
        }
        let mut out = Vec::new();
        mutation::write(&mut chance, &mut out);
        if !raw.send(&out).await {
            return Answer::Closed;
        }
        raw.answer(SHORT_TIME).await
    }

    /// A message on each of `count` topics; with `retained` bytes, which the broker is to keep.
    async fn flood(
        &self,
        raw: &mut Raw,
        first: u64,
        count: u64,
        retained: Option<usize>,
    ) -> Answer {
        if self.enter(raw, first, None).await != Answer::Accepted {
            return Answer::Refused;
        }
        let mut out = Vec::new();
        for number in first..first + count {
            let (topic, at) = (format!("{}/{number}/value", self.topic), out.len());
            let payload = retained.map_or_else(|| b"21.5".to_vec(), |bytes| vec![b'x'; bytes]);
            let id = (number - first) as u16 + 1;
            packet::write_publish(&mut out, &topic, &payload, 1, id);
            if retained.is_some() {
                out[at] |= 0x01;
            }
        }
        if !raw.send(&out).await {
            return Answer::Closed;
        }
        let mut last = Answer::Acknowledged;
        for _ in 0..count {
            last = raw.answer(ANSWER_TIME).await;
            if last != Answer::Acknowledged {
                break;
            }
        }
        last
    }

    async fn show_certificate(&self, raw: &mut Raw, number: u64) -> Answer {
        let Some(door) = &self.door else {
            return Answer::Closed;
        };
        let connect = self.connect(number, None, None);
        door.knock(raw, &connect, ANSWER_TIME, &self.answers).await
    }

    async fn guess(&self, raw: &mut Raw, number: u64) -> Answer {
        let mut chance = Chance::new(self.seed.wrapping_add(number), "harass", "password");
        let password = format!("{:016x}", chance.bits());
        let mut out = Vec::new();
        let connect = Connect {
            client_id: &format!("harass-{number}"),
            username: Some(self.username.as_deref().unwrap_or("admin")),
            password: Some(password.as_bytes()),
            keep_alive_s: 60,
            clean_session: true,
            will: None,
        };
        packet::write_connect(&mut out, &connect);
        if !raw.send(&out).await {
            return Answer::Closed;
        }
        raw.answer(ANSWER_TIME).await
    }
}
