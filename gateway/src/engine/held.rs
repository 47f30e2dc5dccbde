//! Packets of QoS 2 on their way to clients, which wait for the disk.
//!
//! A client that has a PUBLISH of QoS 2 counts on its packet id until it is released. If the process died before the id is
//! durable, the message would come again under another id, and a later message under this one would be taken for it and
//! lost. So PUBLISH of QoS 2 and PUBREL go out with the commit that knows them, and what the same connection gets behind
//! them stays behind them. Connections without QoS 2 never wait.

use std::collections::HashMap;

use crate::broker::{ConnectionId, frame_len};

/// First byte of PUBREL.
const PUBREL: u8 = 0x62;
/// Kind of PUBLISH and DISCONNECT, and the QoS bits of PUBLISH.
const PUBLISH: u8 = 3;
const DISCONNECT: u8 = 14;
const QOS: u8 = 0x06;
const EXACTLY_ONCE: u8 = 0x04;

/// Whole packets by their connection. The broker counts them against `send_buffer_bytes_max` until they are written, which
/// bounds them.
#[derive(Debug, Default)]
pub(super) struct Held {
    lines: HashMap<ConnectionId, Line>,
}

#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// How many of these the commit at the disk covers.
    covered: usize,
}

impl Held {
    /// Keeps the packet if it has to wait; otherwise it may go out.
    #[must_use]
    pub(super) fn keep(&mut self, to: ConnectionId, parts: &[&[u8]]) -> bool {
        let first = parts.iter().find_map(|part| part.first());
        if !first.is_some_and(|first| must_wait(*first)) && !self.lines.contains_key(&to) {
            return false;
        }
        let line = self.lines.entry(to).or_default();
        parts
            .iter()
            .for_each(|part| line.bytes.extend_from_slice(part));
        true
    }

    /// The connection closes: what waits comes again when its client does. Returns the broker's last word.
    pub(super) fn close(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        let line = self.lines.remove(&connection)?;
        let last = packets(&line.bytes).last()?;
        (last[0] >> 4 == DISCONNECT).then(|| last.to_vec())
    }

    /// A commit goes to the disk: all that is kept now waits for it.
    pub(super) fn cover(&mut self) {
        for line in self.lines.values_mut() {
            line.covered = line.bytes.len();
        }
    }

    /// Sends what the finished commit covers.
    pub(super) fn release_covered(&mut self, mut send: impl FnMut(ConnectionId, &[u8])) {
        self.lines.retain(|to, line| {
            packets(&line.bytes[..line.covered]).for_each(|packet| send(*to, packet));
            line.bytes.drain(..line.covered);
            line.covered = 0;
            !line.bytes.is_empty()
        });
    }
}

const fn must_wait(first: u8) -> bool {
    first == PUBREL || (first >> 4 == PUBLISH && first & QOS == EXACTLY_ONCE)
}

fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let len = frame_len(bytes, usize::MAX).ok().flatten()?;
        let (packet, rest) = bytes.split_at_checked(len)?;
        bytes = rest;
        Some(packet)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId {
        index: 1,
        generation: 1,
    };
    const TWO: ConnectionId = ConnectionId {
        index: 2,
        generation: 1,
    };
    const QOS_2: &[u8] = b"\x34\x05\x00\x01t\x00\x01";
    const QOS_1: &[u8] = b"\x32\x05\x00\x01t\x00\x02";
    const RELEASE: &[u8] = b"\x62\x02\x00\x01";
    const GOODBYE: &[u8] = b"\xe0\x01\x8b";

    fn released(held: &mut Held) -> Vec<(ConnectionId, Vec<u8>)> {
        let mut sent = Vec::new();
        held.release_covered(|to, packet| sent.push((to, packet.to_vec())));
        sent
    }

    #[test]
    fn only_qos_2_waits_and_what_is_behind_it() {
        let mut held = Held::default();
        assert!(!held.keep(ONE, &[QOS_1]));
        assert!(held.keep(ONE, &[&QOS_2[..3], &QOS_2[3..]]));
        assert!(held.keep(ONE, &[QOS_1]));
        assert!(held.keep(TWO, &[RELEASE]));
        assert_eq!(released(&mut held), [], "no commit has begun");
        held.cover();
        assert!(held.keep(TWO, &[QOS_1]));
        let mut sent = released(&mut held);
        sent.sort_by_key(|(to, _)| to.index);
        let expected = [(ONE, QOS_2), (ONE, QOS_1), (TWO, RELEASE)];
        assert_eq!(sent, expected.map(|(to, packet)| (to, packet.to_vec())));
        assert!(!held.keep(ONE, &[QOS_1]), "nothing is before it any more");
        assert!(held.keep(TWO, &[QOS_1]), "one packet still is");
    }

    #[test]
    fn a_connection_that_closes_hears_the_last_word_only() {
        let mut held = Held::default();
        assert_eq!(held.close(ONE), None);
        assert!(held.keep(ONE, &[QOS_2]) && held.keep(ONE, &[GOODBYE]));
        assert_eq!(held.close(ONE).as_deref(), Some(GOODBYE));
        assert!(held.keep(ONE, &[QOS_2]));
        assert_eq!(held.close(ONE), None);
        held.cover();
        assert_eq!(released(&mut held), []);
    }
}
