//! From an accepted socket to a CONNECT that is worth a decision.

use core::fmt::Write as _;

use super::{
    Broker, ConnectionId, Credentials, Instant, Outbound, Peer,
    client::{Client, Pending, State},
    counters::Counter,
    deadlines::later,
    index::hash,
    leave::Farewell,
    messages::Keep,
    packet::{self, Connect, Version},
    reason::ReasonCode,
    session::Will,
};

/// Why a CONNECT is refused: the code, and the words for v5.
pub(super) type Refused = (ReasonCode, &'static str);

impl Broker {
    /// A socket was accepted; CONNECT has to come within `connect_timeout_ms`.
    pub fn handle_opened(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        peer: Peer,
        out: &mut impl Outbound,
    ) {
        let connect_by = later(now, self.limits.connect_timeout_ms);
        let index = connection.index;
        if usize::from(index) >= self.clients.len() {
            out.close(connection);
            return;
        }
        if !matches!(self.client(index).state, State::Closed) {
            let before = self.client(index).id;
            self.handle_closed(now, before, out);
        }
        self.counters.add(Counter::Opened);
        *self.client_mut(index) = Client {
            id: connection,
            peer,
            state: State::Opened,
            connect_by,
            heard: now,
            ..Client::closed()
        };
        self.deadlines.set(usize::from(index), Some(connect_by));
    }

    pub(super) fn handle_connect(
        &mut self,
        now: Instant,
        index: u16,
        packet: &[u8],
        out: &mut impl Outbound,
    ) {
        let connect = match packet::decode_connect(packet) {
            Ok(connect) => connect,
            Err(error) => {
                self.counters.add(Counter::Malformed);
                let text = words(error.malformed);
                match error.version {
                    Some(version) => {
                        self.client_mut(index).version = version;
                        self.refuse_connect(now, index, error.malformed.reason(), &text, out);
                    }
                    None => self.drop_client(now, index, Farewell::Lost, out),
                }
                return;
            }
        };
        let client = self.client_mut(index);
        client.version = connect.version;
        client.packet_bytes_max = connect.packet_bytes_max;
        client.receive_max = connect.receive_max;
        client.aliases_max = connect.aliases_max;
        match self.check_connect(&connect) {
            Ok(pending) => {
                let id = self.client(index).id;
                out.authenticate(
                    id,
                    Credentials {
                        client_id: &pending.client_id,
                        username: connect.username,
                        password: connect.password,
                    },
                );
                self.client_mut(index).state = State::Deciding(Box::new(pending));
            }
            Err((reason, text)) => self.refuse_connect(now, index, reason, text, out),
        }
    }

    fn check_connect(&mut self, connect: &Connect<'_>) -> Result<Pending, Refused> {
        if connect.names_auth_method {
            return Err((
                ReasonCode::BadAuthenticationMethod,
                "no method of enhanced authentication is offered",
            ));
        }
        if connect.client_id.len() > self.limits.client_id_bytes_max {
            return Err((
                ReasonCode::ClientIdInvalid,
                "the client id is longer than client_id_bytes_max",
            ));
        }
        let assigned = connect.client_id.is_empty();
        if assigned && connect.version == Version::V311 && !connect.clean_start {
            return Err((ReasonCode::ClientIdInvalid, "")); // [MQTT-3.1.3-8] of 3.1.1
        }
        let client_id = if assigned {
            self.assign_client_id()
        } else {
            Box::from(connect.client_id)
        };
        let will = match &connect.will {
            None => None,
            Some(will) => {
                // Its expiry runs from when it is published (3.1.3.2.4).
                let keep = Keep {
                    qos: will.qos,
                    retain: will.retain,
                    expires: None,
                };
                let Some(message) = self.messages.store(&will.content, keep) else {
                    self.counters.add(Counter::WillDropped);
                    return Err((ReasonCode::QuotaExceeded, "no room for the will; try later"));
                };
                Some(Will {
                    message,
                    delay_s: will.delay_s,
                    expiry_s: will.content.expiry_s,
                })
            }
        };
        Ok(Pending {
            client_id,
            assigned,
            clean_start: connect.clean_start,
            keep_alive_s: connect.keep_alive_s,
            session_expiry_s: connect.session_expiry_s,
            will,
        })
    }

    /// A client id which no one else can guess.
    fn assign_client_id(&mut self) -> Box<str> {
        loop {
            self.assigned += 1;
            let mark = hash(self.limits.seed, &self.assigned.to_le_bytes());
            let id = format!("assigned-{mark:016x}").into_boxed_str();
            if self.sessions.find(&id).is_none() {
                return id;
            }
        }
    }

    pub(super) fn refuse_connect(
        &mut self,
        now: Instant,
        index: u16,
        reason: ReasonCode,
        text: &str,
        out: &mut impl Outbound,
    ) {
        self.counters.add(Counter::ConnectRefused);
        let client = self.client(index);
        // No words that make it larger than the client takes [MQTT-3.2.2-19].
        let text = if client.packet_bytes_max < 160 {
            ""
        } else {
            text
        };
        if let Some(bytes) = packet::connack_refused(client.version, reason, text) {
            self.send(index, &[bytes.as_slice()], out);
        }
        self.drop_client(now, index, Farewell::Lost, out);
    }
}

/// A refusal in words, cut to what fits into a small packet.
pub(super) fn words(error: impl core::fmt::Display) -> heapless::String<120> {
    struct Cut(heapless::String<120>);
    impl core::fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            for character in text.chars() {
                self.0.push(character).map_err(|_| core::fmt::Error)?;
            }
            Ok(())
        }
    }
    let mut cut = Cut(heapless::String::new());
    let _cut_short = write!(cut, "{error}").is_err();
    cut.0
}
