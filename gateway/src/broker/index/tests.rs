use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[test]
fn hashes_depend_on_seed_length_and_every_byte() {
    let base = hash(1, b"sensors/pump-7/temperature");
    assert_ne!(base, hash(2, b"sensors/pump-7/temperature"));
    assert_ne!(base, hash(1, b"sensors/pump-8/temperature"));
    assert_ne!(base, hash(1, b"sensors/pump-7/temperaturf"));
    assert_ne!(hash(1, b""), hash(1, b"\0"));
    assert_ne!(hash(1, b"\0"), hash(1, b"\0\0"));
}

#[test]
fn hashes_spread_over_the_low_bits() {
    let mut buckets = [0_u32; 64];
    for number in 0..6_400_u32 {
        buckets[hash(7, format!("sensors/device-{number}/t").as_bytes()) as usize % 64] += 1;
    }
    assert!(
        buckets.iter().all(|&count| (50..200).contains(&count)),
        "{buckets:?}"
    );
}

proptest! {
    /// Few distinct hashes make long probes, so that gaps are closed over each other's ways.
    #[test]
    fn an_index_finds_what_a_map_finds(steps in proptest::collection::vec((any::<bool>(), 0_u32..16), 0..200)) {
        let mut index = HashIndex::new(16);
        let mut map = HashMap::new();
        let hash_of = |number: u32| u64::from(number % 5) << 30 | u64::from(number % 3 + 14);
        for (insert, number) in steps {
            match (insert, map.contains_key(&number)) {
                (true, false) => {
                    index.insert(hash_of(number), number);
                    map.insert(number, ());
                }
                (false, _) => {
                    index.remove(hash_of(number), number);
                    map.remove(&number);
                }
                (true, true) => {}
            }
            for number in 0..16 {
                let found = index.find(hash_of(number), |candidate| candidate == number);
                prop_assert_eq!(found.is_some(), map.contains_key(&number));
            }
        }
    }
}
