//! A client with a session that outlives its connections: it sends its messages in order, and sends again what was not
//! acknowledged, as MQTT asks for `[MQTT-4.4.0-1]`, `[MQTT-4.6.0-1]`.

use std::collections::VecDeque;

use gateway::broker::ConnectionId;

use super::marks::Marks;
use super::packets::{self, Heard, Version};

/// A message that waits to be sent, or to be acknowledged.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number in the oracle's ledger.
    pub number: usize,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug)]
struct InFlight {
    packet_id: u16,
    message: Message,
    /// QoS 2: PUBREC has come, so PUBREL goes, and goes again.
    released: bool,
}

/// What a client wants to be known of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The gateway has answered for this message, with this reason.
    Answered(usize, u8),
    /// A message came to a subscriber.
    Message(String, Vec<u8>),
    /// A subscriber's session was gone.
    SessionLost,
    /// A subscriber's subscription stands.
    Subscribed,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its id.
    pub name: String,
    /// Its connection, if it has one.
    pub link: Option<ConnectionId>,
    version: Version,
    qos: u8,
    /// What it subscribes to, if it does.
    filter: Option<String>,
    window_max: usize,
    /// It uses the lowest packet id that is free.
    is_thrifty: bool,
    window: usize,
    ready: bool,
    had_session: bool,
    is_subscribed: bool,
    waiting: VecDeque<Message>,
    in_flight: VecDeque<InFlight>,
    packet_id: u16,
    received: Vec<u8>,
}

impl Client {
    /// A client that publishes at this QoS, with at most so many messages in flight.
    #[must_use]
    pub fn publisher(name: &str, version: Version, qos: u8, window_max: usize) -> Self {
        Self {
            name: name.to_owned(),
            link: None,
            version,
            qos,
            filter: None,
            window_max,
            is_thrifty: false,
            window: window_max,
            ready: false,
            had_session: false,
            is_subscribed: false,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            packet_id: 0,
            received: Vec::new(),
        }
    }

    /// A client that subscribes to a filter at QoS 1.
    #[must_use]
    pub fn subscriber(name: &str, version: Version, filter: &str) -> Self {
        Self {
            filter: Some(filter.to_owned()),
            ..Self::publisher(name, version, 1, 1)
        }
    }

    /// At which QoS it publishes.
    #[must_use]
    pub fn qos(&self) -> u8 {
        self.qos
    }

    /// The same, which uses the lowest packet id that is free.
    #[must_use]
    pub fn thrifty(self) -> Self {
        Self {
            is_thrifty: true,
            ..self
        }
    }

    /// Whether all that it had to say was acknowledged to the end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// A new connection: CONNECT.
    pub fn open(&mut self, link: ConnectionId) -> Vec<u8> {
        self.link = Some(link);
        self.ready = false;
        self.received.clear();
        packets::connect(self.version, &self.name)
    }

    /// The connection is gone.
    pub fn close(&mut self) {
        self.link = None;
        self.ready = false;
    }

    /// Sends a message as soon as it may; what goes out now.
    pub fn send(&mut self, message: Message) -> Vec<Vec<u8>> {
        self.waiting.push_back(message);
        let mut out = Vec::new();
        self.send_waiting(&mut out);
        out
    }

    /// Bytes came: what goes out, and what is news.
    pub fn receive(&mut self, bytes: &[u8], marks: &mut Marks) -> (Vec<Vec<u8>>, Vec<News>) {
        self.received.extend(bytes);
        let (mut out, mut news) = (Vec::new(), Vec::new());
        while let Some(heard) = packets::take(self.version, &mut self.received) {
            self.hear(heard, &mut out, &mut news, marks);
        }
        self.send_waiting(&mut out);
        (out, news)
    }

    fn hear(
        &mut self,
        heard: Heard,
        out: &mut Vec<Vec<u8>>,
        news: &mut Vec<News>,
        marks: &mut Marks,
    ) {
        match heard {
            Heard::Connack {
                session_present,
                code,
                receive_max,
            } => {
                assert_eq!(code, 0, "{} may come in", self.name);
                self.window = self.window_max.min(usize::from(receive_max));
                self.ready = true;
                self.resume(session_present, out, news, marks);
            }
            Heard::Puback(packet_id, reason) => {
                let of = |it: &InFlight| it.packet_id == packet_id && !it.released;
                if let Some(place) = self.in_flight.iter().position(of)
                    && let Some(done) = self.in_flight.remove(place)
                {
                    marks.hit("qos-1");
                    news.push(News::Answered(done.message.number, reason));
                }
            }
            Heard::Pubrec(packet_id, reason) => self.hear_pubrec(packet_id, reason, out, news),
            Heard::Pubcomp(packet_id) => {
                let before = self.in_flight.len();
                self.in_flight
                    .retain(|it| it.packet_id != packet_id || !it.released);
                marks.add("qos-2", (before - self.in_flight.len()) as u64);
            }
            Heard::Publish {
                topic,
                payload,
                packet_id,
                ..
            } => {
                out.extend(packet_id.map(packets::puback));
                news.push(News::Message(topic, payload));
            }
            Heard::Suback(_) => {
                self.is_subscribed = true;
                news.push(News::Subscribed);
            }
            Heard::Disconnect(_) | Heard::Other(_) => {}
        }
    }

    /// After CONNACK: what was in flight goes again, in its order.
    fn resume(
        &mut self,
        session_present: bool,
        out: &mut Vec<Vec<u8>>,
        news: &mut Vec<News>,
        marks: &mut Marks,
    ) {
        marks.hit(match self.version {
            Version::V3 => "version-3",
            Version::V5 => "version-5",
        });
        if session_present {
            marks.hit("client-session-kept");
        } else if core::mem::take(&mut self.is_subscribed) || self.had_session {
            marks.hit("client-session-lost");
            news.push(News::SessionLost);
        }
        self.had_session = true;
        for it in &self.in_flight {
            out.push(if it.released {
                marks.hit("released-again");
                packets::pubrel(it.packet_id)
            } else {
                marks.hit("redelivered");
                self.publish(it, true)
            });
        }
        if let Some(filter) = &self.filter
            && !self.is_subscribed
        {
            out.push(packets::subscribe(self.version, 1, filter));
        }
    }

    fn hear_pubrec(
        &mut self,
        packet_id: u16,
        reason: u8,
        out: &mut Vec<Vec<u8>>,
        news: &mut Vec<News>,
    ) {
        let Some(place) = self
            .in_flight
            .iter()
            .position(|it| it.packet_id == packet_id)
        else {
            return;
        };
        let it = &mut self.in_flight[place];
        if !it.released {
            news.push(News::Answered(it.message.number, reason));
        }
        if reason >= 0x80 {
            // The exchange ends here [MQTT-5, 4.3.3].
            self.in_flight.remove(place);
        } else {
            it.released = true;
            out.push(packets::pubrel(packet_id));
        }
    }

    fn send_waiting(&mut self, out: &mut Vec<Vec<u8>>) {
        while self.ready
            && self.in_flight.len() < self.window
            && let Some(message) = self.waiting.pop_front()
        {
            let it = InFlight {
                packet_id: self.free_packet_id(),
                message,
                released: false,
            };
            out.push(self.publish(&it, false));
            self.in_flight.push_back(it);
        }
    }

    /// One after the other, or the lowest that is free: clients do either.
    fn free_packet_id(&mut self) -> u16 {
        let is_free = |id: &u16| self.in_flight.iter().all(|it| it.packet_id != *id);
        let first = if self.is_thrifty {
            1
        } else {
            self.packet_id + 1
        };
        self.packet_id = (first..u16::MAX).find(is_free).unwrap_or(1);
        self.packet_id
    }

    fn publish(&self, it: &InFlight, dup: bool) -> Vec<u8> {
        let Message { topic, payload, .. } = &it.message;
        packets::publish(self.version, topic, payload, self.qos, it.packet_id, dup)
    }
}
