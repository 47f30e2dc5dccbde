//! The answer to a client for whom there is no place: it is told why before a connection is opened in the broker.

use super::{
    packet::{self, Malformed, Version},
    reason::ReasonCode,
};

/// Bytes of a CONNECT that must be read to know the version: header, four bytes of length, protocol name, level.
pub const VERSION_BYTES_MAX: usize = 1 + 4 + 2 + 4 + 1;

/// Gives the CONNACK by which a client is refused whose first bytes are `head`: `None` while there are too few of them
/// to know its version, empty where nothing can be said: it is no CONNECT of ours, or 3.1.1 has no code for `reason`.
#[must_use]
pub fn turn_away(head: &[u8], reason: ReasonCode, text: &str) -> Option<Box<[u8]>> {
    let version = match version_of(head) {
        Ok(Some(version)) => version,
        Ok(None) => return None,
        Err(_) => return Some(Box::default()),
    };
    let bytes = packet::connack_refused(version, reason, text);
    Some(bytes.map_or_else(Box::default, |bytes| bytes.as_slice().into()))
}

fn version_of(head: &[u8]) -> Result<Option<Version>, Malformed> {
    let Some((&first, rest)) = head.split_first() else {
        return Ok(None);
    };
    if first != packet::kind::CONNECT << 4 {
        return Err(Malformed::NotConnect);
    }
    let Some(len) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
        return if rest.len() < 4 {
            Ok(None)
        } else {
            Err(Malformed::NotConnect)
        };
    };
    match &rest[len + 1..] {
        [0, 4, b'M', b'Q', b'T', b'T', 4, ..] => Ok(Some(Version::V311)),
        [0, 4, b'M', b'Q', b'T', b'T', 5, ..] => Ok(Some(Version::V5)),
        [_, _, _, _, _, _, _, ..] => Err(Malformed::NotConnect),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], reason: ReasonCode, answer: Option<&[u8]>) {
        assert_eq!(turn_away(head, reason, "").as_deref(), answer);
    }

    #[test]
    fn each_version_hears_in_its_own_words() {
        let busy = ReasonCode::ServerBusy;
        check(
            b"\x10\x0c\0\x04MQTT\x05\x02",
            busy,
            Some(&[0x20, 6, 0, 0x89, 3, 0x1F, 0, 0]),
        );
        check(b"\x10\x8c\x01\0\x04MQTT\x04", busy, Some(&[0x20, 2, 0, 3]));
    }

    #[test]
    fn as_long_as_the_version_is_not_there_it_waits() {
        let whole = b"\x10\xff\xff\x7f\0\x04MQTT\x05";
        assert!(whole.len() <= VERSION_BYTES_MAX);
        for len in 0..whole.len() {
            check(&whole[..len], ReasonCode::ServerBusy, None);
        }
    }

    #[test]
    fn what_is_no_connect_gets_no_word() {
        for head in [
            &b"GET / HTTP/1.1"[..],
            b"\x10\x0c\0\x06MQIsdp\x03",
            b"\x10\xff\xff\xff\xff",
        ] {
            check(head, ReasonCode::ServerBusy, Some(&[]));
        }
    }
}
