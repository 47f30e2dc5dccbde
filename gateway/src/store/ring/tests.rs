//! The ring after all that a power cut, a full turn and a foreign hand can do to it.

use core::ops::Range;
use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const ID: u64 = 0x1122_3344_5566_7788;
const SECTOR: usize = SECTOR_BYTES as usize;

/// A ring of some pages in a file of its own, which can be damaged behind its back.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(pages: u64) -> Self {
        let bench = Self {
            dir: TempDir::new().expect("a folder"),
        };
        make(&bench.path(), pages * PAGE_BYTES).expect("made");
        bench
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("ring")
    }

    fn open_as(&self, id: u64) -> Ring {
        let file = OpenOptions::new().read(true).write(true).open(self.path());
        Ring::open(file.expect("a file"), id).expect("readable")
    }

    fn open(&self) -> Ring {
        self.open_as(ID)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("readable")
    }

    fn set_bytes(&self, bytes: &[u8]) {
        fs::write(self.path(), bytes).expect("writable");
    }
}

/// Some bytes that tell which chunk they are of; never zeros, so that a tear shows.
fn chunk(position: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (position as usize + at) as u8 | 1)
        .collect()
}

fn append(ring: &mut Ring, position: u64, len: usize) -> bool {
    let written = ring
        .append(position, &chunk(position, len))
        .expect("writable");
    written.is_some()
}

fn positions(ring: &Ring) -> Vec<u64> {
    ring.frames_from(0).map(|frame| frame.position).collect()
}

/// Positions of what is there, each read and compared.
fn contents(ring: &Ring) -> Vec<(u64, Vec<u8>)> {
    let read = |frame: Frame| {
        let mut chunk = Vec::new();
        ring.read(frame, &mut chunk).expect("it is there");
        (frame.position, chunk)
    };
    ring.frames_from(0).map(read).collect()
}

/// Three chunks at 0, 10 and 20, of one, two and two sectors; then `damage`.
#[track_caller]
fn check(damage: impl FnOnce(&mut Vec<u8>), expected: &[u64]) {
    let bench = Bench::new(4);
    let mut ring = bench.open();
    for (position, len) in [(0, 100), (10, 700), (20, 900)] {
        assert!(append(&mut ring, position, len));
    }
    let mut bytes = bench.bytes();
    damage(&mut bytes);
    bench.set_bytes(&bytes);
    assert_eq!(positions(&bench.open()), expected);
}

const LAST: Range<usize> = 3 * SECTOR..5 * SECTOR;

#[test]
fn what_is_whole_is_found_and_what_is_not_is_none() {
    check(|_| {}, &[0, 10, 20]);
    check(|bytes| bytes[LAST].fill(0), &[0, 10]);
    check(|bytes| bytes[LAST][..SECTOR].fill(0), &[0, 10]);
    check(|bytes| bytes[LAST][SECTOR..].fill(0), &[0, 10]);
    check(|bytes| bytes[LAST][8] ^= 1, &[0, 10]);
    check(|bytes| bytes[LAST][16] ^= 1, &[0, 10]);
    check(|bytes| bytes[LAST][4..8].fill(0xff), &[0, 10]);
    check(|bytes| bytes[LAST][0] = 2, &[0, 10]);
    check(|bytes| bytes[3 * SECTOR..].fill(0), &[0, 10]);
    check(|bytes| bytes[3 * SECTOR..].fill(0xff), &[0, 10]);
    check(|bytes| bytes.truncate(4 * SECTOR + 3), &[0, 10]);
    check(|bytes| bytes[SECTOR] ^= 1, &[0, 20]);
    check(|bytes| bytes.fill(0), &[]);
    check(Vec::clear, &[]);
}

#[test]
fn a_frame_is_as_its_paper_says() {
    let bench = Bench::new(1);
    let mut ring = bench.open();
    assert_eq!(
        ring.append(3, b"chunk").expect("writable"),
        Some(PAGE_BYTES)
    );
    let expected = [
        1, b'r', b'n', b'g', 5, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 3, 0, 0,
        0, 0, 0, 0, 0,
    ];
    let bytes = bench.bytes();
    assert_eq!(bytes[..24], expected);
    let checksum = wire::crc32c(0, &[&expected[..], b"chunk"].concat());
    assert_eq!(bytes[24..28], checksum.to_le_bytes());
    assert_eq!(&bytes[28..33], b"chunk");
    assert!(bytes[33..].iter().all(|byte| *byte == 0) && bytes.len() == PAGE_BYTES as usize);
}

#[test]
fn the_ring_of_another_store_is_empty() {
    let bench = Bench::new(2);
    assert!(append(&mut bench.open(), 7, 100));
    assert!(positions(&bench.open_as(ID + 1)).is_empty());
    // Nor does it stand in the way.
    let mut ring = bench.open_as(ID + 1);
    assert!(append(&mut ring, 0, 5_000));
    assert_eq!(positions(&bench.open_as(ID + 1)), [0]);
}

#[test]
fn a_full_ring_refuses_and_takes_again_once_the_oldest_may_go() {
    let bench = Bench::new(4);
    let mut ring = bench.open();
    let page = PAGE_BYTES as usize - HEADER_BYTES;
    assert!((0..4).all(|position| append(&mut ring, position, page)));
    assert!(!append(&mut ring, 4, 1));
    ring.keep_from(1);
    assert!(append(&mut ring, 4, page) && !append(&mut ring, 5, 1));
    ring.keep_from(4);
    assert!(
        !append(&mut ring, 5, 3 * page + 200),
        "longer than three pages"
    );
    assert!(append(&mut ring, 5, 2 * page) && append(&mut ring, 6, 10));
    assert!(ring.is_in_order());
    let kept = contents(&ring);
    drop(ring);
    // What was let go is found again, unless it was overwritten, until the store says that it is not needed.
    let mut ring = bench.open();
    ring.keep_from(4);
    assert_eq!(contents(&ring), kept);
    assert!(ring.is_in_order());
}

#[test]
fn a_chunk_touches_no_more_pages_than_it_must() {
    let bench = Bench::new(16);
    let mut ring = bench.open();
    let mut written = |len| {
        ring.append(0, &chunk(0, len))
            .expect("writable")
            .expect("room")
    };
    assert_eq!(written(3_000), PAGE_BYTES);
    assert_eq!(written(500), PAGE_BYTES, "in the page that is begun");
    assert_eq!(written(1_000), PAGE_BYTES, "in a new one");
    assert_eq!(written(4_000), PAGE_BYTES, "and again");
    assert_eq!(written(5_000), 2 * PAGE_BYTES);
    assert_eq!(written(40_000), 10 * PAGE_BYTES);
}

/// A frame that was found was passed over as a whole, and with it a newer one that begins in its last sector, where the only
/// byte of the old one was the first of the new one's.
#[test]
fn a_frame_is_found_in_the_last_sector_of_an_old_one() {
    let bench = Bench::new(1);
    let mut ring = bench.open();
    let mut old = chunk(0, SECTOR - HEADER_BYTES + 1);
    *old.last_mut().expect("a byte") = MARK[0];
    ring.append(0, &old).expect("writable").expect("room");
    let mut bytes = bench.bytes();
    let other = Bench::new(1);
    assert!(append(&mut other.open(), 9, 100));
    bytes[SECTOR..2 * SECTOR].copy_from_slice(&other.bytes()[..SECTOR]);
    bench.set_bytes(&bytes);
    assert_eq!(positions(&bench.open()), [0, 9]);
}

#[test]
fn frames_that_lie_across_are_told() {
    let bench = Bench::new(4);
    let mut ring = bench.open();
    for position in [5, 6, 7] {
        assert!(append(&mut ring, position, 100));
    }
    assert!(bench.open().is_in_order());
    let mut bytes = bench.bytes();
    let (first, rest) = bytes.split_at_mut(SECTOR);
    first.swap_with_slice(&mut rest[..SECTOR]);
    bench.set_bytes(&bytes);
    assert!(!bench.open().is_in_order());
    bytes.copy_within(..SECTOR, SECTOR);
    bench.set_bytes(&bytes);
    assert!(!bench.open().is_in_order(), "one position twice");
}

#[test]
fn the_newest_is_written_once_more_and_nothing_else() {
    let bench = Bench::new(4);
    let mut ring = bench.open();
    assert!(append(&mut ring, 1, 600) && append(&mut ring, 2, 700));
    let before = bench.bytes();
    ring.settle().expect("writable");
    assert_eq!(bench.bytes(), before);
    assert_eq!(positions(&bench.open()), [1, 2]);
    Bench::new(1).open().settle().expect("nothing to do");
}

#[test]
fn chunks_are_found_by_position() {
    let bench = Bench::new(4);
    let mut ring = bench.open();
    for position in [10, 20, 30] {
        assert!(append(&mut ring, position, 10));
    }
    let until = [0, 9, 10, 15, 30, 99].map(|position| ring.newest_until(position));
    assert_eq!(until, [None, None, Some(10), Some(10), Some(30), Some(30)]);
    let from = |position| {
        ring.frames_from(position)
            .map(|frame| frame.position)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        [from(0), from(11), from(31)],
        [vec![10, 20, 30], vec![20, 30], vec![]]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    /// An append that the power is cut in: each sector of it is there by one bit.
    Cut(usize, u64),
    /// So many of the oldest may go.
    LetGo(usize),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_000_usize).prop_map(Step::Append),
        2 => (0..6_000_usize, any::<u64>()).prop_map(|(len, bits)| Step::Cut(len, bits)),
        2 => (0..4_usize).prop_map(Step::LetGo),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_ring_is_a_list_whatever_is_cut(steps in steps()) {
        let bench = Bench::new(6);
        let mut ring = bench.open();
        let mut list: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut next = 1;
        let (mut tried, mut tried_for) = (Vec::new(), next);
        for step in steps {
            // What is left of one that was cut may be made whole by the next of the same position: nobody was told of either.
            if tried_for != next {
                tried.clear();
                tried_for = next;
            }
            let floor = list.first().map_or(next, |(position, _)| *position);
            match step {
                Step::Append(len) => {
                    if append(&mut ring, next, len) {
                        list.push((next, chunk(next, len)));
                        next += 1;
                    }
                }
                Step::Cut(len, bits) => {
                    tried.push(chunk(next, len));
                    let before = bench.bytes();
                    if append(&mut ring, next, len) {
                        let after = bench.bytes();
                        bench.set_bytes(&torn(&before, &after, bits));
                        ring = bench.open();
                        ring.keep_from(floor);
                        if let Some(frame) = ring.frames_from(next).next() {
                            let mut found = Vec::new();
                            ring.read(frame, &mut found).expect("it is there");
                            prop_assert!(tried.contains(&found));
                            list.push((next, found));
                            next += 1;
                        }
                    }
                }
                Step::LetGo(count) => {
                    list.drain(..count.min(list.len()));
                    ring.keep_from(list.first().map_or(next, |(position, _)| *position));
                }
                Step::Reopen => {
                    ring = bench.open();
                    ring.keep_from(floor);
                }
            }
            prop_assert!(ring.is_in_order());
            prop_assert_eq!(contents(&ring), list.as_slice());
        }
    }
}

/// Of the sectors that differ, those that a bit says are as they were.
fn torn(before: &[u8], after: &[u8], bits: u64) -> Vec<u8> {
    let mut image = after.to_vec();
    let mut differing = 0;
    for (sector, old) in image.chunks_mut(SECTOR).zip(before.chunks(SECTOR)) {
        if sector != old {
            if bits >> (differing % 64) & 1 == 1 {
                sector.copy_from_slice(old);
            }
            differing += 1;
        }
    }
    image
}
