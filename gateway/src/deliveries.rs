//! Which QoS 1 and 2 messages were taken lately, so that a redelivery after a reconnect is not a second reading.
//!
//! A client that loses its connection before the acknowledgement arrives sends the message again with
//! DUP set and the same packet id [MQTT-4.4.0-1]. The ring keeps a fingerprint of each message taken:
//! client, packet id and payload. It is part of the machine's state, so it survives a power cut together
//! with the readings themselves.
//!
//! A client uses a packet id again only once the message before is acknowledged. So a redelivery can only be that of the
//! latest message under its id, and of that only among the client's last [`DELIVERIES_PER_CLIENT`] messages: a sensor may
//! well send the same number under the same id an hour later. What cannot be told apart is a redelivery whose
//! acknowledgement was lost from the very same text, sent anew under the same id and lost on its way: a payload with a time
//! or a counter in it never meets that, nor does QoS 2, where the session knows.

use crate::limits::{DELIVERIES_MAX, DELIVERIES_PER_CLIENT};

/// Bits of a fingerprint that tell the client; then come those of the packet id, and the rest tells topic and payload.
const CLIENT_BITS: u32 = 24;
/// Bits of client and packet id.
const NAME_BITS: u32 = CLIENT_BITS + 16;

/// Fingerprint of a message: the client in the upper 24 bits, the packet id in the next 16, topic and payload in the lower 24.
#[must_use]
pub fn fingerprint(client_id: &str, packet_id: u16, topic: &str, payload: &[u8]) -> u64 {
    let client = fnv(FNV_BASIS, client_id.as_bytes());
    let message = fnv(fnv(FNV_BASIS, topic.as_bytes()), payload);
    (fold(client) & !(u64::MAX >> CLIENT_BITS))
        | u64::from(packet_id) << (64 - NAME_BITS)
        | (fold(message) >> NAME_BITS)
}

/// A ring of fingerprints in order of arrival.
#[derive(Clone, Debug)]
pub struct Deliveries {
    ring: Box<[u64]>,
    /// Messages ever taken; the newest stands at `(taken - 1) % DELIVERIES_MAX`.
    taken: u64,
}

impl Deliveries {
    /// An empty ring; the only allocation.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ring: vec![0; DELIVERIES_MAX].into_boxed_slice(),
            taken: 0,
        }
    }

    /// Remembers a message; the oldest is forgotten.
    pub fn insert(&mut self, fingerprint: u64) {
        let slot = self.slot(self.taken);
        self.ring[slot] = fingerprint;
        self.taken += 1;
    }

    /// Whether the message is the client's latest under its packet id. Called for DUP messages only: it walks the ring.
    #[must_use]
    pub fn is_latest(&self, fingerprint: u64) -> bool {
        let name = fingerprint >> (64 - NAME_BITS);
        let mut under_its_id = self
            .latest_of_client(fingerprint)
            .filter(|kept| kept >> (64 - NAME_BITS) == name);
        under_its_id.next() == Some(fingerprint)
    }

    /// Whether the message is among the client's latest ones, under whatever id.
    #[must_use]
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.latest_of_client(fingerprint)
            .any(|kept| kept == fingerprint)
    }

    /// The latest messages of the client of this one, the newest first.
    fn latest_of_client(&self, fingerprint: u64) -> impl Iterator<Item = u64> {
        let oldest = self.taken.saturating_sub(DELIVERIES_MAX as u64);
        let client = fingerprint >> (64 - CLIENT_BITS);
        (oldest..self.taken)
            .rev()
            .map(|taken| self.ring[self.slot(taken)])
            .filter(move |kept| kept >> (64 - CLIENT_BITS) == client)
            .take(DELIVERIES_PER_CLIENT)
    }

    /// The state as bytes, oldest first, for the checkpoint.
    pub fn save(&self, sink: &mut impl FnMut(&[u8])) {
        sink(&self.taken.to_le_bytes());
        let oldest = self.taken.saturating_sub(DELIVERIES_MAX as u64);
        for taken in oldest..self.taken {
            sink(&self.ring[self.slot(taken)].to_le_bytes());
        }
    }

    /// The ring that [`save`](Self::save) wrote, and the bytes behind it; `None` if there are too few.
    #[must_use]
    pub fn restore(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (taken, mut rest) = split_u64(bytes)?;
        let mut deliveries = Self::new();
        deliveries.taken = taken.saturating_sub(DELIVERIES_MAX as u64);
        while deliveries.taken < taken {
            let (fingerprint, behind) = split_u64(rest)?;
            deliveries.insert(fingerprint);
            rest = behind;
        }
        Some((deliveries, rest))
    }

    fn slot(&self, taken: u64) -> usize {
        (taken % DELIVERIES_MAX as u64) as usize
    }
}

impl Default for Deliveries {
    fn default() -> Self {
        Self::new()
    }
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*word), rest))
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, a word at a time where there is one: a fingerprint needs spread, not secrecy.
fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        hash = (hash ^ u64::from_le_bytes(eight))
            .wrapping_mul(FNV_PRIME)
            .rotate_left(23);
    }
    for &byte in words.remainder() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    }
    (hash ^ bytes.len() as u64).wrapping_mul(FNV_PRIME)
}

/// Mixes all bits into all bits (the finaliser of MurmurHash3).
fn fold(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redelivery_is_known_and_another_message_is_not() {
        let mut deliveries = Deliveries::new();
        let taken = fingerprint("boiler", 7, "sensors/boiler/t", b"21.5");
        deliveries.insert(taken);
        assert!(deliveries.contains(taken));
        for other in [
            fingerprint("boiler", 8, "sensors/boiler/t", b"21.5"),
            fingerprint("boiler", 7, "sensors/boiler/p", b"21.5"),
            fingerprint("boiler", 7, "sensors/boiler/t", b"21.6"),
            fingerprint("pump", 7, "sensors/boiler/t", b"21.5"),
        ] {
            assert!(!deliveries.contains(other));
        }
    }

    #[test]
    fn a_packet_id_used_again_much_later_is_a_new_message() {
        let mut deliveries = Deliveries::new();
        let early = fingerprint("boiler", 1, "t", b"20");
        deliveries.insert(early);
        for packet_id in 0..DELIVERIES_PER_CLIENT {
            deliveries.insert(fingerprint("boiler", packet_id as u16, "t", b"21"));
        }
        assert!(!deliveries.contains(early));
    }

    /// A new message that was lost on its way and came again was once taken for an older one with the same text.
    #[test]
    fn only_the_latest_message_under_a_packet_id_can_come_again() {
        let mut deliveries = Deliveries::new();
        let text = |payload: &[u8]| fingerprint("boiler", 1, "t", payload);
        deliveries.insert(text(b"20"));
        deliveries.insert(text(b"21"));
        assert!(deliveries.is_latest(text(b"21")));
        assert!(!deliveries.is_latest(text(b"20")));
        deliveries.insert(fingerprint("boiler", 2, "t", b"22"));
        assert!(deliveries.is_latest(text(b"21")));
    }

    #[test]
    fn other_clients_do_not_push_a_message_out_before_the_ring_is_full() {
        let mut deliveries = Deliveries::new();
        let early = fingerprint("boiler", 1, "t", b"20");
        deliveries.insert(early);
        for packet_id in 0..DELIVERIES_MAX - 1 {
            deliveries.insert(fingerprint("pump", packet_id as u16, "t", b"21"));
        }
        assert!(deliveries.contains(early));
        deliveries.insert(fingerprint("pump", 1, "t", b"22"));
        assert!(!deliveries.contains(early));
    }

    #[test]
    fn a_restored_ring_is_the_ring_that_was_saved() {
        for count in [0, 3, DELIVERIES_MAX + 5] {
            let mut deliveries = Deliveries::new();
            for at in 0..count {
                deliveries.insert(fingerprint("boiler", at as u16, "t", &at.to_le_bytes()));
            }
            let mut bytes = Vec::new();
            deliveries.save(&mut |part| bytes.extend_from_slice(part));
            bytes.push(0xaa);
            let (restored, rest) = Deliveries::restore(&bytes).unwrap();
            assert_eq!(
                (&restored.ring, restored.taken),
                (&deliveries.ring, deliveries.taken)
            );
            assert_eq!(rest, [0xaa]);
        }
        assert!(Deliveries::restore(&[1, 0, 0]).is_none());
    }
}
