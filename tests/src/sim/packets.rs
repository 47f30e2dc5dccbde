//! MQTT from the client's side, written from the standards alone: what the simulated clients send and understand.

/// Version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V3,
    /// 5.0.
    V5,
}

/// What a gateway says to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It may come in; with what is known of its session and how many messages may be in flight.
    Connack {
        /// Whether the session was kept.
        session_present: bool,
        /// 0: it may.
        code: u8,
        /// Messages in flight at most; none is said: 65 535.
        receive_max: u16,
    },
    /// A message came.
    Publish {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Its packet id; there is one at QoS 1 and 2.
        packet_id: Option<u16>,
        /// Quality of service.
        qos: u8,
    },
    /// QoS 1: it has the message. The reason is 0 in 3.1.1.
    Puback(u16, u8),
    /// QoS 2: it has the message.
    Pubrec(u16, u8),
    /// QoS 2: the id may be used again.
    Pubcomp(u16),
    /// The subscription stands.
    Suback(u16),
    /// It closes.
    Disconnect(u8),
    /// Something else.
    Other(u8),
}

/// CONNECT with a session that outlives the connection, without keep-alive.
#[must_use]
pub fn connect(version: Version, client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T'];
    match version {
        Version::V3 => body.extend([4, 0, 0, 0]),
        // Session expiry of a day [MQTT-5, 3.1.2.11.2].
        Version::V5 => body.extend([5, 0, 0, 0, 5, 0x11, 0, 1, 0x51, 0x80]),
    }
    push_text(&mut body, client_id);
    framed(0x10, &body)
}

/// PUBLISH.
#[must_use]
pub fn publish(
    version: Version,
    topic: &str,
    payload: &[u8],
    qos: u8,
    packet_id: u16,
    dup: bool,
) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, topic);
    body.extend(packet_id.to_be_bytes());
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(payload);
    framed(0x30 | u8::from(dup) << 3 | qos << 1, &body)
}

/// SUBSCRIBE to one filter at QoS 1.
#[must_use]
pub fn subscribe(version: Version, packet_id: u16, filter: &str) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    push_text(&mut body, filter);
    body.push(1);
    framed(0x82, &body)
}

/// PUBACK.
#[must_use]
pub fn puback(packet_id: u16) -> Vec<u8> {
    framed(0x40, &packet_id.to_be_bytes())
}

/// PUBREL.
#[must_use]
pub fn pubrel(packet_id: u16) -> Vec<u8> {
    framed(0x62, &packet_id.to_be_bytes())
}

/// Cuts the first whole packet from `bytes`, and reads it.
///
/// # Panics
/// If it is not one that a gateway may send.
#[must_use]
pub fn take(version: Version, bytes: &mut Vec<u8>) -> Option<Heard> {
    let (len, begin) = remaining(bytes)?;
    if bytes.len() < begin + len {
        return None;
    }
    let packet: Vec<u8> = bytes.drain(..begin + len).collect();
    Some(read(version, packet[0], &packet[begin..]))
}

fn read(version: Version, first: u8, body: &[u8]) -> Heard {
    let packet_id = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let reason = |at: usize| body.get(at).copied().unwrap_or(0);
    match first >> 4 {
        2 => Heard::Connack {
            session_present: body[0] == 1,
            code: body[1],
            receive_max: match version {
                Version::V3 => u16::MAX,
                Version::V5 => receive_max(&body[2..]),
            },
        },
        3 => read_publish(version, first, body),
        4 => Heard::Puback(packet_id(0), reason(2)),
        5 => Heard::Pubrec(packet_id(0), reason(2)),
        7 => Heard::Pubcomp(packet_id(0)),
        9 => Heard::Suback(packet_id(0)),
        14 => Heard::Disconnect(reason(0)),
        kind => Heard::Other(kind),
    }
}

fn read_publish(version: Version, first: u8, body: &[u8]) -> Heard {
    let qos = first >> 1 & 3;
    let topic_len = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8_lossy(&body[2..2 + topic_len]).into_owned();
    let mut rest = &body[2 + topic_len..];
    let mut packet_id = None;
    if qos > 0 {
        packet_id = Some(u16::from_be_bytes([rest[0], rest[1]]));
        rest = &rest[2..];
    }
    if version == Version::V5 {
        let (len, begin) = varint(rest);
        rest = &rest[begin + len..];
    }
    Heard::Publish {
        topic,
        payload: rest.to_vec(),
        packet_id,
        qos,
    }
}

/// Receive Maximum among the properties of CONNACK `[MQTT-5, 3.2.2.3]`.
fn receive_max(properties: &[u8]) -> u16 {
    let (len, begin) = varint(properties);
    let mut rest = &properties[begin..begin + len];
    while let [id, value @ ..] = rest {
        let size = match id {
            0x11 | 0x27 => 4,
            0x21 => return u16::from_be_bytes([value[0], value[1]]),
            0x13 | 0x22 => 2,
            0x24 | 0x25 | 0x28..=0x2a => 1,
            0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => {
                2 + usize::from(u16::from_be_bytes([value[0], value[1]]))
            }
            _ => panic!("property {id:#x} in a CONNACK"),
        };
        rest = &value[size..];
    }
    u16::MAX
}

/// Remaining length, and where the body begins; none while its bytes are not all there.
fn remaining(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0)?;
    let (len, begin) = varint(&bytes[1..end + 2]);
    Some((len, begin + 1))
}

/// A variable byte integer, and how many bytes it takes.
fn varint(bytes: &[u8]) -> (usize, usize) {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return (number, place + 1);
        }
    }
    (number, bytes.len())
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut len = body.len();
    loop {
        let byte = (len & 0x7f) as u8;
        len >>= 7;
        packet.push(if len > 0 { byte | 0x80 } else { byte });
        if len == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}
