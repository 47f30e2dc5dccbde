//! The self-test: the gateway is a client of its own broker, publishes, and looks whether the message comes back in time. So
//! connection, rights, session, router and subscription are tried together, and not one of them by itself.

use core::cell::Cell;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use crate::broker::frame_len;
use crate::limits::{SELF_TEST_BYTES_MAX, SELF_TEST_INTERVAL_MS, SELF_TEST_MS_MAX};
use crate::transport::OwnDoor;

const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
/// A message's number, big-endian.
const NUMBER_BYTES: usize = size_of::<u64>();

/// The client, as the loop sees it.
pub(super) struct SelfTest {
    door: OwnDoor,
    topic: String,
    client_id: String,
    /// To the client's task; none: it has to enter again.
    numbers: Option<mpsc::Sender<u64>>,
    /// The newest that came back.
    seen: Rc<Cell<u64>>,
    sent: u64,
    sent_ms: u64,
    well_ms: u64,
}

impl SelfTest {
    /// A client that enters by this door. The id is drawn, so that nobody takes the session over.
    pub(super) fn new(door: OwnDoor, gateway: &str, now_ms: u64) -> Self {
        let drawn = getrandom::u64().unwrap_or_default();
        Self {
            door,
            topic: format!("tidegate/{gateway}/self-test"),
            client_id: format!("self-test-{drawn:016x}"),
            numbers: None,
            seen: Rc::default(),
            sent: 0,
            sent_ms: 0,
            well_ms: now_ms,
        }
    }

    /// Whether messages come back in time; it sends the next one.
    pub(super) fn look(&mut self, now_ms: u64) -> bool {
        if self.seen.get() == self.sent {
            self.well_ms = now_ms;
        }
        if self.sent == 0 || now_ms >= self.sent_ms + SELF_TEST_INTERVAL_MS {
            self.send(now_ms);
        }
        now_ms < self.well_ms + SELF_TEST_MS_MAX
    }

    fn send(&mut self, now_ms: u64) {
        self.sent_ms = now_ms;
        self.sent += 1;
        if self.numbers.as_ref().is_none_or(mpsc::Sender::is_closed) {
            self.numbers = self.enter();
        }
        if let Some(numbers) = &self.numbers
            && numbers.try_send(self.sent).is_err()
        {
            tracing::debug!("the self-test's client is not done with the last message");
        }
    }

    fn enter(&self) -> Option<mpsc::Sender<u64>> {
        let stream = match self.door.enter() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "the self-test cannot enter the broker");
                return None;
            }
        };
        let (numbers, received) = mpsc::channel(1);
        let client = Client {
            stream,
            topic: self.topic.clone(),
            bytes: Vec::with_capacity(SELF_TEST_BYTES_MAX),
            newest: 0,
            seen: Rc::clone(&self.seen),
        };
        let client_id = self.client_id.clone();
        spawn_local(async move {
            if let Err(error) = client.serve(&client_id, received).await {
                tracing::debug!(%error, "the self-test's connection ended");
            }
        });
        Some(numbers)
    }
}

/// The client's task.
struct Client {
    stream: UnixStream,
    topic: String,
    bytes: Vec<u8>,
    newest: u64,
    seen: Rc<Cell<u64>>,
}

impl Client {
    async fn serve(mut self, client_id: &str, mut numbers: mpsc::Receiver<u64>) -> io::Result<()> {
        self.stream.write_all(&connect(client_id)).await?;
        self.stream.write_all(&subscribe(&self.topic)).await?;
        while self.packet().await? != SUBACK {}
        loop {
            tokio::select! {
                number = numbers.recv() => match number {
                    None => return Ok(()),
                    Some(number) => {
                        self.newest = number;
                        self.stream.write_all(&publish(&self.topic, number)).await?;
                    }
                },
                packet = self.packet() => drop(packet?),
            }
        }
    }

    /// The kind of the next packet; a message that comes back is noted. Nothing is lost if it is not waited for to the end.
    async fn packet(&mut self) -> io::Result<u8> {
        loop {
            let found = frame_len(&self.bytes, SELF_TEST_BYTES_MAX)
                .map_err(|error| io::Error::other(error.to_string()))?;
            if let Some(len) = found.filter(|len| *len <= self.bytes.len()) {
                let kind = self.bytes[0] & 0xF0;
                if kind == PUBLISH && number(&self.bytes[..len]) == Some(self.newest) {
                    self.seen.set(self.newest);
                }
                self.bytes.drain(..len);
                return Ok(kind);
            }
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// `[MQTT-3.1]`, of version 3.1.1: a clean session without a keep-alive.
fn connect(client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b10, 0, 0];
    text(&mut body, client_id);
    packet(CONNECT, &body)
}

/// `[MQTT-3.8]`: one filter, of QoS 0.
fn subscribe(topic: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, topic);
    body.push(0);
    packet(SUBSCRIBE, &body)
}

/// `[MQTT-3.3]`, of QoS 0.
fn publish(topic: &str, number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    body.extend_from_slice(&number.to_be_bytes());
    packet(PUBLISH, &body)
}

/// The number in a PUBLISH, which ends with it.
fn number(packet: &[u8]) -> Option<u64> {
    let bytes: &[u8; NUMBER_BYTES] = packet.last_chunk()?;
    Some(u64::from_be_bytes(*bytes))
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(&(text.len() as u16).to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

/// The length as the standard has it: no byte more than it needs `[MQTT-2.2.3]`, and names of boxes are short.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    if body.len() < 128 {
        packet.push(body.len() as u8);
    } else {
        packet.extend_from_slice(&[0x80 | (body.len() % 128) as u8, (body.len() / 128) as u8]);
    }
    packet.extend_from_slice(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_the_standard_has_them() {
        let expected = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x";
        assert_eq!(connect("x"), expected);
        assert_eq!(subscribe("t"), b"\x82\x06\0\x01\0\x01t\0");
        let published = publish(&"t".repeat(200), 7);
        assert_eq!(published[..5], [0x30, 0x80 | 82, 1, 0, 200]);
        assert_eq!(number(&published), Some(7));
        assert_eq!(frame_len(&published, 1_024), Ok(Some(published.len())));
    }
}
