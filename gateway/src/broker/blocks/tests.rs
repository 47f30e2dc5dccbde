use proptest::prelude::*;

use super::*;

fn read(blocks: &Blocks, first: u32, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    blocks.read(first, len, &mut out);
    out
}

#[test]
fn pieces_come_back_as_one() {
    let mut blocks = Blocks::new(4 * BLOCK_BYTES);
    let long = [7; 300];
    let first = blocks
        .store(&[b"ab", b"", &long, b"z"])
        .expect("there is room");
    assert_eq!(blocks.free_count(), 2);
    let bytes = read(&blocks, first, 303);
    assert_eq!(
        (&bytes[..2], &bytes[2..302], &bytes[302..]),
        (&b"ab"[..], &long[..], &b"z"[..])
    );
    assert!(blocks.starts_with(first, &bytes));
    assert!(!blocks.starts_with(first, b"ac"));
}

#[test]
fn a_full_pool_refuses_and_keeps_what_it_has() {
    let mut blocks = Blocks::new(2 * BLOCK_BYTES);
    let first = blocks.store(&[b"kept"]).expect("there is room");
    assert_eq!(blocks.store(&[&[0; BLOCK_BYTES + 1]]), None);
    let second = blocks.store(&[&[1; BLOCK_BYTES]]).expect("there is room");
    assert_eq!(
        blocks.store(&[b""]),
        None,
        "an empty string needs a place too"
    );
    assert_eq!(read(&blocks, first, 4), b"kept");
    blocks.release(second);
    assert!(blocks.store(&[b""]).is_some());
}

#[test]
fn a_pool_of_nothing_refuses_everything() {
    assert_eq!(Blocks::new(BLOCK_BYTES - 1).store(&[b"x"]), None);
}

proptest! {
    #[test]
    fn strings_never_disturb_each_other(
        steps in proptest::collection::vec((any::<bool>(), 0_usize..1_500, any::<u8>()), 1..60)
    ) {
        let mut blocks = Blocks::new(16 * BLOCK_BYTES);
        let mut kept: Vec<(u32, Vec<u8>)> = Vec::new();
        for (store, len, fill) in steps {
            if store {
                let bytes: Vec<u8> = (0..len).map(|nth| fill.wrapping_add(nth as u8)).collect();
                let (left, right) = bytes.split_at(len / 3);
                if let Some(first) = blocks.store(&[left, right]) {
                    kept.push((first, bytes));
                }
            } else if !kept.is_empty() {
                let (first, _) = kept.swap_remove(len % kept.len());
                blocks.release(first);
            }
            let used: usize = kept.iter().map(|(_, bytes)| Blocks::count(bytes.len())).sum();
            prop_assert_eq!(blocks.free_count(), 16 - used);
            for (first, bytes) in &kept {
                prop_assert_eq!(&read(&blocks, *first, bytes.len()), bytes);
            }
        }
    }
}
