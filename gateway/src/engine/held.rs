//! Packets on their way to clients that wait for the disk, because their clients build on them.
//!
//! A client that has a PUBLISH of QoS 2 counts on its packet id until it is released, and one that has PUBCOMP or PUBREL uses
//! the id for another message. If the process died before that is durable, a later message would be taken for an earlier
//! one and lost. A client that has SUBACK does not subscribe again. So these go out with the commit that knows of them.
//!
//! What comes behind them goes past them: the order of messages is one for each topic and QoS `[MQTT-4.6.0-5]`, and so no
//! alert waits for the disk because its subscriber has messages of QoS 2. Four kinds are passed by nothing: CONNACK is
//! the first packet `[MQTT-3.2.0-1]`, clients expect SUBACK before the messages, what is sent again keeps its order over
//! all QoS `[MQTT-4.6.0-1]`, and PUBREC has one too `[MQTT-4.6.0-3]`: one that refuses frees its packet id, and so waits.

use std::collections::{BTreeMap, VecDeque};

use crate::broker::ConnectionId;

/// Kinds of packets, and the bits of PUBLISH that count here.
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBREC: u8 = 5;
const SUBACK: u8 = 9;
const DISCONNECT: u8 = 14;
const DUP: u8 = 0x08;

/// Whole packets by their connection. The broker counts them against `send_buffer_bytes_max` until they are written, which
/// bounds them.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// In an order of their own, so that equal runs are equal.
    lines: BTreeMap<ConnectionId, Line>,
}

#[derive(Debug, Default)]
struct Line {
    packets: VecDeque<Packet>,
    /// How many of these the commit at the disk covers.
    covered: usize,
}

#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    /// For the disk; otherwise only for what stands before it.
    waits: bool,
}

impl Held {
    /// Keeps the packet until a commit covers it.
    pub(super) fn keep(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        let line = self.lines.entry(to).or_default();
        line.push(parts, true);
    }

    /// Keeps the packet if it may not go past what is kept already; otherwise it may go out.
    #[must_use]
    pub(super) fn keep_behind(&mut self, to: ConnectionId, parts: &[&[u8]]) -> bool {
        let Some(line) = self.lines.get_mut(&to) else {
            return false;
        };
        let is_barred = line.packets.iter().any(Packet::bars);
        if is_barred {
            line.push(parts, false);
        }
        is_barred
    }

    /// The connection closes: what waits comes again when its client does. Returns the broker's last word, if that is kept
    /// and the client may hear it.
    pub(super) fn close(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        let mut line = self.lines.remove(&connection)?;
        let is_greeted = line.packets.front()?.kind() != CONNACK; // [MQTT-3.14.0-1]
        let last = line.packets.pop_back()?;
        (is_greeted && last.kind() == DISCONNECT).then_some(last.bytes)
    }

    /// A commit goes to the disk: all that is kept now waits for it.
    pub(super) fn cover(&mut self) {
        for line in self.lines.values_mut() {
            line.covered = line.packets.len();
        }
    }

    /// Sends what the finished commit covers, and what waited only for that.
    pub(super) fn release_covered(&mut self, mut send: impl FnMut(ConnectionId, &[u8])) {
        self.lines.retain(|to, line| {
            let covered = line.packets.drain(..line.covered);
            covered.for_each(|packet| send(*to, &packet.bytes));
            line.covered = 0;
            let mut is_barred = false;
            line.packets.retain(|packet| {
                is_barred |= packet.bars();
                let stays = is_barred || packet.waits;
                if !stays {
                    send(*to, &packet.bytes);
                }
                stays
            });
            !line.packets.is_empty()
        });
    }
}

impl Line {
    fn push(&mut self, parts: &[&[u8]], waits: bool) {
        let bytes = parts.concat();
        self.packets.push_back(Packet { bytes, waits });
    }
}

impl Packet {
    fn kind(&self) -> u8 {
        self.bytes.first().map_or(0, |first| first >> 4)
    }

    /// Whether nothing goes past it.
    fn bars(&self) -> bool {
        let is_again = self.bytes.first().is_some_and(|first| first & DUP != 0);
        let kind = self.kind();
        self.waits && (matches!(kind, CONNACK | PUBREC | SUBACK) || (kind == PUBLISH && is_again))
    }
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
    const AGAIN: &[u8] = b"\x3c\x05\x00\x01t\x00\x01";
    const QOS_1: &[u8] = b"\x32\x05\x00\x01t\x00\x02";
    const RELEASE: &[u8] = b"\x62\x02\x00\x01";
    const REFUSED: &[u8] = b"\x50\x03\x00\x01\x99";
    const HELLO: &[u8] = b"\x20\x02\x00\x00";
    const GRANTED: &[u8] = b"\x90\x03\x00\x01\x01";
    const GOODBYE: &[u8] = b"\xe0\x01\x8b";

    fn released(held: &mut Held) -> Vec<(ConnectionId, Vec<u8>)> {
        let mut sent = Vec::new();
        held.release_covered(|to, packet| sent.push((to, packet.to_vec())));
        sent.sort_by_key(|(to, _)| to.index);
        sent
    }

    #[track_caller]
    fn check(held: &mut Held, expected: &[(ConnectionId, &[u8])]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(to, packet)| (*to, packet.to_vec()))
            .collect();
        assert_eq!(released(held), expected);
    }

    #[test]
    fn what_is_kept_waits_in_its_order_and_the_rest_goes_past_it() {
        let mut held = Held::default();
        assert!(!held.keep_behind(ONE, &[QOS_1]));
        held.keep(ONE, &[&QOS_2[..3], &QOS_2[3..]]);
        held.keep(ONE, &[RELEASE]);
        held.keep(TWO, &[RELEASE]);
        assert!(!held.keep_behind(ONE, &[QOS_1]));
        check(&mut held, &[]);
        held.cover();
        held.keep(TWO, &[QOS_2]);
        check(&mut held, &[(ONE, QOS_2), (ONE, RELEASE), (TWO, RELEASE)]);
        held.cover();
        check(&mut held, &[(TWO, QOS_2)]);
    }

    #[test]
    fn nothing_goes_past_a_greeting_a_grant_a_refusal_and_what_is_sent_again() {
        for bar in [HELLO, GRANTED, REFUSED, AGAIN] {
            let mut held = Held::default();
            held.keep(ONE, &[bar]);
            held.cover();
            assert!(held.keep_behind(ONE, &[QOS_1]) && !held.keep_behind(TWO, &[QOS_1]));
            held.keep(ONE, &[RELEASE]);
            check(&mut held, &[(ONE, bar), (ONE, QOS_1)]);
            assert!(!held.keep_behind(ONE, &[QOS_1]), "the bar is gone");
            held.cover();
            check(&mut held, &[(ONE, RELEASE)]);
        }
    }

    #[test]
    fn a_connection_that_closes_hears_the_last_word_only_and_none_before_the_first() {
        let mut held = Held::default();
        assert_eq!(held.close(ONE), None);
        held.keep(ONE, &[AGAIN]);
        assert!(held.keep_behind(ONE, &[GOODBYE]));
        assert_eq!(held.close(ONE).as_deref(), Some(GOODBYE));
        held.keep(ONE, &[QOS_2]);
        assert_eq!(held.close(ONE), None);
        held.keep(ONE, &[HELLO]);
        assert!(held.keep_behind(ONE, &[GOODBYE]));
        assert_eq!(held.close(ONE), None);
        held.cover();
        check(&mut held, &[]);
    }
}
