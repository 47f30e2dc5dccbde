use proptest::prelude::*;

use super::*;

const WALL: i64 = 1_764_000_000_000;

fn chunk(entries: &[(u64, Entry<'_>)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CHUNK_BYTES_MAX);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(10), Instant(1_000));
    let mut offset_ms = WALL;
    for (instant, entry) in entries {
        if let Entry::Boot { offset_ms: set, .. } | Entry::Clock { offset_ms: set, .. } = entry {
            offset_ms = *set;
        }
        let wall = wall_at(Instant(*instant), offset_ms);
        writer
            .push(&mut bytes, Instant(*instant), wall, entry)
            .expect("fits");
    }
    writer.finish(&mut bytes);
    bytes
}

fn check(entries: &[(u64, Entry<'_>)]) {
    let bytes = chunk(entries);
    let reader = ChunkReader::new(&bytes, WALL).expect("whole");
    assert_eq!(reader.first(), Position(10));
    assert_eq!(reader.end(), Position(10 + entries.len() as u64));
    let read: Vec<_> = reader.map(|item| item.expect("valid")).collect();
    let written: Vec<_> = entries
        .iter()
        .map(|(at, entry)| (Instant(*at), *entry))
        .collect();
    assert_eq!(read, written);
}

#[test]
fn every_kind_of_entry_comes_back() {
    check(&[
        (
            1_000,
            Entry::Boot {
                offset_ms: WALL,
                clock: Clock::Unsynced,
            },
        ),
        (
            1_000,
            Entry::Sensor {
                device: "boiler-温",
                signal: "t",
            },
        ),
        (
            1_003,
            Entry::Delivery {
                fingerprint: u64::MAX - 1,
            },
        ),
        (
            1_003,
            Entry::Reading {
                sensor: 0,
                time: Some(Timestamp(WALL + 998)),
                value: 21.5,
            },
        ),
        (
            1_004,
            Entry::Reading {
                sensor: 513,
                time: None,
                value: 0.1,
            },
        ),
        (
            2_000,
            Entry::Clock {
                offset_ms: -5,
                clock: Clock::Synced,
            },
        ),
        (
            2_000,
            Entry::Reading {
                sensor: 1,
                time: Some(Timestamp(i64::MIN)),
                value: -0.0,
            },
        ),
        (90_000, Entry::Tick),
        (90_000, Entry::Plan { bytes: &[1, 2, 3] }),
        (90_001, operate(Verb::Acknowledge, "anna", "on my way")),
        (90_001, operate(Verb::Shelve(u32::MAX), "", "")),
        (90_002, operate(Verb::Unshelve, "ü", "")),
    ]);
}

fn operate<'a>(verb: Verb, by: &'a str, note: &'a str) -> Entry<'a> {
    Entry::Operate(Command {
        verb,
        sensor: wire::SensorId(300),
        alarm: 7,
        by,
        note,
    })
}

#[test]
fn a_plain_reading_with_its_time_costs_five_bytes() {
    let reading = Entry::Reading {
        sensor: 3,
        time: Some(Timestamp(WALL + 1_000)),
        value: 21.5,
    };
    let one = chunk(&[(1_000, reading)]).len();
    assert_eq!(chunk(&[(1_000, reading), (1_000, reading)]).len() - one, 5);
    assert_eq!(chunk(&[(1_000, reading), (1_005, reading)]).len() - one, 6);
}

#[test]
fn a_full_chunk_refuses_and_stays_whole() {
    let mut bytes = Vec::with_capacity(1_024);
    let mut writer = ChunkWriter::begin(&mut bytes, Position(0), Instant(0));
    let tick = Entry::Tick;
    let mut pushed = 0;
    while writer
        .push(&mut bytes, Instant(pushed), Timestamp(0), &tick)
        .is_ok()
    {
        pushed += 1;
    }
    writer.finish(&mut bytes);
    assert!(bytes.len() <= 1_024, "the buffer never grows");
    assert_eq!(
        ChunkReader::new(&bytes, 0).expect("whole").count() as u64,
        pushed
    );
}

#[test]
fn a_flipped_bit_anywhere_is_seen() {
    let bytes = chunk(&[
        (
            1_000,
            Entry::Boot {
                offset_ms: 1,
                clock: Clock::Synced,
            },
        ),
        (1_001, Entry::Tick),
    ]);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(ChunkReader::new(&flipped, 0).is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn any_reading_comes_back_bit_for_bit(
        sensor: u16, time: Option<i64>, bits: u64, advance in 0u64..1 << 40,
    ) {
        let value = f64::from_bits(bits);
        let entry = Entry::Reading { sensor, time: time.map(Timestamp), value };
        let bytes = chunk(&[(1_000 + advance, entry)]);
        let read = ChunkReader::new(&bytes, WALL).unwrap().next().unwrap().unwrap();
        let Entry::Reading { value: read_value, time: read_time, .. } = read.1 else { panic!() };
        prop_assert_eq!(read_value.to_bits(), bits);
        prop_assert_eq!(read_time, time.map(Timestamp));
        prop_assert_eq!(read.0, Instant(1_000 + advance));
    }

    #[test]
    fn arbitrary_bytes_with_a_good_frame_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200), count in 0u32..300,
    ) {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES_MAX);
        let mut writer = ChunkWriter::begin(&mut bytes, Position(0), Instant(0));
        writer.count = count;
        bytes.extend_from_slice(&body);
        writer.finish(&mut bytes);
        let entries = ChunkReader::new(&bytes, 0).unwrap();
        prop_assert!(entries.count() <= count as usize);
    }
}
