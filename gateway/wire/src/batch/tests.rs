use super::*;
use crate::reading::{Quality, Reasons};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const NAMES: [SensorName<'_>; 3] = [
    SensorName {
        device: "pump-1",
        signal: "temperature",
        unit: "°C",
    },
    SensorName {
        device: "pump-1",
        signal: "pressure",
        unit: "bar",
    },
    SensorName {
        device: "pump-2",
        signal: "temperature",
        unit: "",
    },
];

fn name(sensor: SensorId) -> SensorName<'static> {
    NAMES[usize::from(sensor.0) % NAMES.len()]
}

fn write(rows: &[Row]) -> Vec<u8> {
    let mut buffer = vec![0; 400 + rows.len() * 80];
    write_batch(
        "edge-7",
        Timestamp(1_700_000_060_000),
        rows,
        name,
        &mut buffer,
    )
    .unwrap()
    .to_vec()
}

/// A row as bits, so that NaN equals itself and -0 differs from 0.
fn bits(row: &Row) -> (SensorId, i64, i64, Option<u64>, Option<u64>, Flags) {
    let raw = row.content.raw().map(f64::to_bits);
    let value = row.content.value().map(f64::to_bits);
    (row.sensor, row.time.0, row.arrival.0, raw, value, row.flags)
}

fn check(rows: &[Row]) -> usize {
    let bytes = write(rows);
    let reader = BatchReader::new(&bytes).unwrap();
    assert_eq!(reader.frame().gateway, "edge-7");
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(read.len(), rows.len());
    for ((read_name, read), row) in read.iter().zip(rows) {
        assert_eq!(bits(read), bits(row));
        assert_eq!(*read_name, name(row.sensor));
    }
    bytes.len()
}

fn steady(sensor: u16, count: i64) -> Vec<Row> {
    let row = |n: i64| Row {
        time: Timestamp(1_700_000_000_000 + n * 1000 + n * n % 11),
        arrival: Timestamp(1_700_000_000_003 + n * 1000 + n * n % 11),
        content: Content::AsSent((2000 + n * n % 23) as f64 / 100.0),
        flags: Flags::default(),
        sensor: SensorId(sensor),
    };
    (0..count).map(row).collect()
}

#[test]
fn an_empty_batch_is_a_batch() {
    check(&[]);
}

#[test]
fn a_steady_stream_takes_two_bytes_a_reading() {
    let rows: Vec<Row> = (0..3).flat_map(|sensor| steady(sensor, 60)).collect();
    let len = check(&rows);
    assert!(len < 150 + rows.len() * 2, "{len} bytes");
}

#[test]
fn every_kind_of_content_comes_back() {
    let contents = [
        Content::AsSent(20.5),
        Content::Refused(f64::NAN),
        Content::Repaired {
            raw: 85.0,
            value: 20.6,
        },
        Content::Filled(20.7),
        Content::Nothing,
        Content::AsSent(-0.0),
    ];
    let mut rows = steady(1, 6);
    for (row, content) in rows.iter_mut().zip(contents) {
        row.content = content;
        row.flags = Flags::new(Quality::Uncertain, Reasons::LATE | Reasons::SPIKE);
    }
    check(&rows);
}

#[test]
fn a_buffer_that_is_too_small_is_refused_at_every_length() {
    let rows = steady(0, 20);
    let len = write(&rows).len();
    let mut buffer = vec![0; len];
    for short in 0..len {
        let answer = write_batch(
            "edge-7",
            Timestamp(1_700_000_060_000),
            &rows,
            name,
            &mut buffer[..short],
        );
        assert_eq!(answer, Err(Full));
    }
}

/// Any bytes inside a frame whose checksum is right: what only the reader of the body can notice.
fn framed(body: &[u8]) -> Vec<u8> {
    let frame = Frame {
        kind: Kind::Telemetry,
        gateway: "x",
        at: Timestamp(0),
        clock: Clock::Synced,
    };
    let mut buffer = vec![0; body.len() + 32];
    frame
        .write(&mut buffer, |writer| writer.put(body))
        .unwrap()
        .to_vec()
}

fn read_all(bytes: &[u8]) -> usize {
    BatchReader::new(bytes).map_or(0, Iterator::count)
}

#[test]
fn columns_that_are_longer_than_the_rows_are_refused() {
    let frame = Frame {
        kind: Kind::Telemetry,
        gateway: "x",
        at: Timestamp(0),
        clock: Clock::Synced,
    };
    let mut buffer = [0; 64];
    let bytes = frame
        .write(&mut buffer, |writer| {
            (0..5).try_for_each(|_| writer.section(|_| Ok(())))?;
            writer.section(|writer| writer.byte(1))
        })
        .unwrap();
    let read: Vec<_> = BatchReader::new(bytes).unwrap().collect();
    assert_eq!(read, [Err(Malformed::Long)]);
}

fn any_content() -> impl Strategy<Value = Content> {
    let number = || {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-9999..9999).prop_map(|n| f64::from(n) / 100.0)
        ]
    };
    prop_oneof![
        4 => number().prop_map(Content::AsSent),
        1 => number().prop_map(Content::Refused),
        1 => (number(), number()).prop_map(|(raw, value)| Content::Repaired { raw, value }),
        1 => number().prop_map(Content::Filled),
        1 => Just(Content::Nothing),
    ]
}

prop_compose! {
    fn any_row()(time: i64, arrival: i64, content in any_content(), flags: u32, sensor in 0_u16..3) -> Row {
        Row {
            time: Timestamp(time),
            arrival: Timestamp(arrival),
            content,
            flags: Flags(flags),
            sensor: SensorId(sensor),
        }
    }
}

proptest! {
    #[test]
    fn any_rows_come_back_bit_for_bit(mut rows in proptest::collection::vec(any_row(), 0..50), sorted: bool) {
        if sorted {
            rows.sort_by_key(|row| row.sensor);
        }
        check(&rows);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
        prop_assert!(read_all(&framed(&bytes)) <= bytes.len() + 1);
    }

    #[test]
    fn a_changed_body_is_read_without_panic(
        rows in proptest::collection::vec(any_row(), 1..20),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let written = write(&rows);
        let head = Frame { kind: Kind::Telemetry, gateway: "edge-7", at: Timestamp(1_700_000_060_000), clock: Clock::Synced };
        let mut buffer = [0; 64];
        let head_len = head.write(&mut buffer, |_| Ok(())).unwrap().len() - 4;
        let mut body = written[head_len..written.len() - 4].to_vec();
        for (index, byte) in changes {
            let at = index.index(body.len());
            body[at] = byte;
        }
        read_all(&framed(&body));
    }
}
