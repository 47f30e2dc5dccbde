//! MQTT 3.1.1 packets: those which a client writes, and those which it reads.

/// First byte of a PUBLISH that is sent again [MQTT-3.3.1-1].
pub(crate) const DUP: u8 = 0x08;

/// What a CONNECT says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect<'a> {
    /// Who it is.
    pub client_id: &'a str,
    /// User name, if one is needed.
    pub username: Option<&'a str>,
    /// Password, if one is needed; only with a user name [MQTT-3.1.2-22].
    pub password: Option<&'a [u8]>,
    /// Longest silence, s.
    pub keep_alive_s: u16,
    /// Whether the broker forgets the session.
    pub clean_session: bool,
    /// What the broker publishes if the connection breaks.
    pub will: Option<Will<'a>>,
}

/// What the broker publishes if the connection breaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Will<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its quality of service.
    pub qos: u8,
    /// Whether the broker keeps it.
    pub retain: bool,
}

/// A packet from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// Answer to CONNECT.
    ConnAck {
        /// Whether the broker remembers the session.
        session_present: bool,
        /// 0, or why not.
        code: u8,
    },
    /// A message for a subscriber.
    Publish {
        /// Its topic.
        topic: &'a str,
        /// Its payload.
        payload: &'a [u8],
        /// 0, 1 or 2.
        qos: u8,
        /// Whether it is sent again.
        dup: bool,
        /// Its packet id; 0 at QoS 0.
        id: u16,
    },
    /// QoS 1: the broker has it.
    PubAck(u16),
    /// QoS 2: the broker has it.
    PubRec(u16),
    /// QoS 2: the publisher forgets the packet id.
    PubRel(u16),
    /// QoS 2: the broker has forgotten the packet id.
    PubComp(u16),
    /// Answer to SUBSCRIBE: the granted QoS, or 0x80.
    SubAck(u16, u8),
    /// Answer to PINGREQ.
    PingResp,
}

/// Bytes that no broker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent a packet that is none of MQTT 3.1.1 (first byte {0:#04x})")]
pub(crate) struct Malformed(u8);

pub(crate) const PINGREQ: [u8; 2] = [0xC0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Appends a CONNECT.
pub(crate) fn write_connect(out: &mut Vec<u8>, connect: &Connect<'_>) {
    let password = connect.password.filter(|_| connect.username.is_some());
    let texts = [
        Some(connect.client_id.as_bytes()),
        connect.will.map(|will| will.topic.as_bytes()),
        connect.will.map(|will| will.payload),
        connect.username.map(str::as_bytes),
        password,
    ];
    let length = 10
        + texts
            .iter()
            .flatten()
            .map(|text| 2 + text.len())
            .sum::<usize>();
    out.push(0x10);
    write_length(out, length);
    out.extend_from_slice(b"\x00\x04MQTT\x04");
    let mut flags = u8::from(connect.clean_session) << 1;
    flags |= u8::from(connect.username.is_some()) << 7 | u8::from(password.is_some()) << 6;
    if let Some(will) = connect.will {
        flags |= 0x04 | will.qos << 3 | u8::from(will.retain) << 5;
    }
    out.push(flags);
    out.extend_from_slice(&connect.keep_alive_s.to_be_bytes());
    texts
        .iter()
        .flatten()
        .for_each(|text| write_text(out, text));
}

/// Appends a PUBLISH; `id` is not looked at where `qos` is 0.
pub(crate) fn write_publish(out: &mut Vec<u8>, topic: &str, payload: &[u8], qos: u8, id: u16) {
    out.push(0x30 | qos << 1);
    write_length(
        out,
        2 + topic.len() + if qos > 0 { 2 } else { 0 } + payload.len(),
    );
    write_text(out, topic.as_bytes());
    if qos > 0 {
        out.extend_from_slice(&id.to_be_bytes());
    }
    out.extend_from_slice(payload);
}

/// Appends a SUBSCRIBE to one filter.
pub(crate) fn write_subscribe(out: &mut Vec<u8>, id: u16, filter: &str, qos: u8) {
    out.push(0x82);
    write_length(out, 2 + 2 + filter.len() + 1);
    out.extend_from_slice(&id.to_be_bytes());
    write_text(out, filter.as_bytes());
    out.push(qos);
}

/// Appends a packet that is only a packet id.
pub(crate) fn write_answer(out: &mut Vec<u8>, answer: Answer, id: u16) {
    out.extend_from_slice(&[answer as u8, 2]);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Packets that are only a packet id, by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// PUBACK, QoS 1: got it.
    Ack = 0x40,
    /// PUBREC, QoS 2: got it.
    Received = 0x50,
    /// PUBREL, QoS 2: forget the packet id.
    Release = 0x62,
    /// PUBCOMP, QoS 2: forgotten.
    Complete = 0x70,
}

/// Reads the first packet of `bytes` and how long it is; `None` if it isn't whole yet.
///
/// # Errors
/// [`Malformed`] if these are not the bytes of one.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, rest)) = read_length(rest).map_err(|()| Malformed(first))? else {
        return Ok(None);
    };
    let Some(body) = rest.get(..length) else {
        return Ok(None);
    };
    let packet = read_body(first, body).ok_or(Malformed(first))?;
    Ok(Some((packet, bytes.len() - rest.len() + length)))
}

fn read_body(first: u8, body: &[u8]) -> Option<Packet<'_>> {
    let id = || Some(u16::from_be_bytes(*body.first_chunk()?)).filter(|_| body.len() == 2);
    Some(match first {
        0x20 => match body {
            &[flags, code] => Packet::ConnAck {
                session_present: flags & 1 == 1,
                code,
            },
            _ => return None,
        },
        0x30..=0x3F => read_publish(first, body)?,
        0x40 => Packet::PubAck(id()?),
        0x50 => Packet::PubRec(id()?),
        0x62 => Packet::PubRel(id()?),
        0x70 => Packet::PubComp(id()?),
        0x90 => match body {
            &[high, low, code] => Packet::SubAck(u16::from_be_bytes([high, low]), code),
            _ => return None,
        },
        0xD0 if body.is_empty() => Packet::PingResp,
        _ => return None,
    })
}

fn read_publish(first: u8, body: &[u8]) -> Option<Packet<'_>> {
    let qos = first >> 1 & 3;
    let (length, body) = body.split_first_chunk()?;
    let (topic, mut payload) = body.split_at_checked(u16::from_be_bytes(*length).into())?;
    let mut id = 0;
    if qos > 0 {
        let (bytes, rest) = payload.split_first_chunk()?;
        id = u16::from_be_bytes(*bytes);
        payload = rest;
    }
    let topic = core::str::from_utf8(topic).ok()?;
    (qos < 3).then_some(Packet::Publish {
        topic,
        payload,
        qos,
        dup: first & DUP != 0,
        id,
    })
}

fn read_length(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, ()> {
    let mut length = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * at);
        if *byte < 0x80 {
            return Ok(Some((length, &bytes[at + 1..])));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(()) }
}

fn write_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    // A text of MQTT has at most 65 535 bytes; names are bounded far below that when they are parsed.
    let text = &text[..text.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn packets_are_written_byte_by_byte_as_the_standard_says() {
        let connect = Connect {
            client_id: "c",
            username: Some("u"),
            password: Some(b"pw"),
            keep_alive_s: 60,
            clean_session: false,
            will: None,
        };
        assert_eq!(
            written(|out| write_connect(out, &connect)),
            b"\x10\x14\x00\x04MQTT\x04\xC0\x00\x3C\x00\x01c\x00\x01u\x00\x02pw"
        );
        let nobody = Connect {
            username: None,
            clean_session: true,
            ..connect
        };
        assert_eq!(
            written(|out| write_connect(out, &nobody)),
            b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01c"
        );
        let mortal = Connect {
            will: Some(Will {
                topic: "w",
                payload: b"gone",
                qos: 1,
                retain: true,
            }),
            ..nobody
        };
        assert_eq!(
            written(|out| write_connect(out, &mortal)),
            b"\x10\x16\x00\x04MQTT\x04\x2E\x00\x3C\x00\x01c\x00\x01w\x00\x04gone"
        );
        assert_eq!(
            written(|out| write_publish(out, "t", b"x", 1, 258)),
            b"\x32\x06\x00\x01t\x01\x02x"
        );
        assert_eq!(
            written(|out| write_publish(out, "t", b"x", 0, 9)),
            b"\x30\x04\x00\x01tx"
        );
        assert_eq!(
            written(|out| write_subscribe(out, 1, "a/#", 2)),
            b"\x82\x08\x00\x01\x00\x03a/#\x02"
        );
        assert_eq!(
            written(|out| write_answer(out, Answer::Release, 3)),
            b"\x62\x02\x00\x03"
        );
        let long = written(|out| write_publish(out, "t", &[b'.'; 200], 0, 0));
        assert_eq!(long[..3], [0x30, 0xCB, 0x01]);
    }

    #[test]
    fn packets_are_read_once_they_are_whole() {
        let publish = Packet::Publish {
            topic: "t",
            payload: b"xy",
            qos: 2,
            dup: true,
            id: 7,
        };
        for (bytes, packet) in [
            (
                &b"\x20\x02\x01\x00"[..],
                Packet::ConnAck {
                    session_present: true,
                    code: 0,
                },
            ),
            (b"\x3C\x07\x00\x01t\x00\x07xy", publish),
            (b"\x40\x02\x00\x05", Packet::PubAck(5)),
            (b"\x50\x02\x00\x05", Packet::PubRec(5)),
            (b"\x62\x02\x00\x05", Packet::PubRel(5)),
            (b"\x70\x02\x00\x05", Packet::PubComp(5)),
            (b"\x90\x03\x00\x01\x80", Packet::SubAck(1, 0x80)),
            (b"\xD0\x00", Packet::PingResp),
        ] {
            let more = [bytes, b"\x40"].concat();
            assert_eq!(read(&more), Ok(Some((packet, bytes.len()))));
            for length in 0..bytes.len() {
                assert_eq!(
                    read(&bytes[..length]),
                    Ok(None),
                    "{packet:?} cut to {length}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bytes in [
            &b"\x40\x01\x00"[..],
            b"\x00\x00",
            b"\x36\x07\x00\x01t\x00\x07xy",
            b"\x30\x03\x00\x05t",
            b"\x30\x03\x00\x01\xFF",
            b"\x40\xFF\xFF\xFF\xFF\x01",
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
