//! Finds a sensor by its names: a hash table with chains, whose order depends on nothing but the order of registration.

use crate::link::{Link, NONE};
use crate::sensor::Sensor;

/// FNV-1a (64 bits), over both names with a byte between them that stands in no text.
fn hash(device: &str, signal: &str) -> u64 {
    let bytes = device.bytes().chain([0xFF]).chain(signal.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn chain_of(links: &[Link], device: &str, signal: &str) -> usize {
    (hash(device, signal) % links.len() as u64) as usize
}

/// The place of the sensor with these names.
pub(crate) fn find(links: &[Link], sensors: &[Sensor], device: &str, signal: &str) -> Option<u16> {
    if links.is_empty() {
        return None;
    }
    let mut place = links[chain_of(links, device, signal)].chain;
    while place != NONE {
        let sensor = &sensors[usize::from(place)];
        if sensor.signal == signal && sensor.device == device {
            return Some(place);
        }
        place = links[usize::from(place)].next;
    }
    None
}

/// Puts the sensor at `place`, which is in no chain yet, into the chain of its names.
pub(crate) fn insert(links: &mut [Link], sensors: &[Sensor], place: u16) {
    let sensor = &sensors[usize::from(place)];
    let chain = chain_of(links, &sensor.device, &sensor.signal);
    links[usize::from(place)].next = links[chain].chain;
    links[chain].chain = place;
}
