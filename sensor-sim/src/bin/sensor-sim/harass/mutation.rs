//! Valid packets that are no longer valid, by seed.

use sensor_sim::chance::Chance;

use crate::client::packet::{self, Answer};

/// Longest text that is put in, bytes.
const INSERTED_MAX: usize = 16;

/// Appends a packet that a client may send, with up to four changes.
pub(crate) fn write(chance: &mut Chance, out: &mut Vec<u8>) {
    let mut valid = Vec::new();
    match chance.below(5) {
        0 => packet::write_publish(&mut valid, "harass/malformed", b"21.5", 1, 7),
        1 => packet::write_publish(&mut valid, "harass/malformed", b"{\"ts\":1}", 2, 8),
        2 => packet::write_subscribe(&mut valid, 9, "harass/+/#", 1),
        3 => packet::write_answer(&mut valid, Answer::Release, 10),
        _ => valid.extend_from_slice(&packet::PINGREQ),
    }
    for _ in 0..=chance.below(4) {
        change(chance, &mut valid);
    }
    out.extend_from_slice(&valid);
}

fn change(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(5) {
        0 => bytes.truncate(at),
        1 => {
            let inserted = (0..chance.below(INSERTED_MAX)).map(|_| chance.bits() as u8);
            let inserted: Vec<u8> = inserted.collect();
            bytes.splice(at..at, inserted);
        }
        // The length, which stands behind the first byte.
        2 if bytes.len() > 1 => bytes[1] = chance.bits() as u8,
        3 if !bytes.is_empty() => bytes[0] = chance.bits() as u8,
        _ if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_packets_and_another_one_others() {
        let written = |seed| {
            let mut chance = Chance::new(seed, "harass", "mutation");
            let mut all = Vec::new();
            (0..100).for_each(|_| write(&mut chance, &mut all));
            all
        };
        assert_eq!(written(1), written(1));
        assert_ne!(written(1), written(2));
    }
}
