use wire::{
    AlertKind, Content, Flags, Quality, Severity, Standing, Stats, Transition, Why, WindowKind,
};

use super::*;
use crate::outbox::Lane;

/// What the box's clock was behind when it came up in 1970, ms.
const BEHIND: i64 = 1_790_000_000_000;
const NAME: SensorName<'_> = SensorName {
    device: "pump-1",
    signal: "temp",
    unit: "°C",
};

/// An era from the start, whose clock was set behind the fourth row.
fn eras() -> Eras {
    let mut eras = Eras::default();
    eras.begin(Sequence(1), Timestamp(20_000));
    eras.end(Sequence(5), Timestamp(70_000), Some(BEHIND));
    eras
}

fn row(time: i64, arrival: i64, reasons: Reasons) -> Row {
    Row {
        sensor: SensorId(0),
        time: Timestamp(time),
        arrival: Timestamp(arrival),
        content: Content::AsSent(20.5),
        flags: Flags::new(Quality::Good, reasons),
    }
}

fn outbox_row(lane: Lane, sequence: u64, bytes: &[u8]) -> OutboxRow {
    OutboxRow {
        lane,
        sequence: Sequence(sequence),
        part: 0,
        key: "edge-1".into(),
        readings: 1,
        bytes: bytes.to_vec(),
    }
}

fn batch(sequence: u64, at: i64, rows: &[Row]) -> OutboxRow {
    let mut buffer = vec![0; BATCH_BYTES];
    let len = write_batch("edge-1", Timestamp(at), rows, |_| NAME, &mut buffer)
        .expect("room")
        .len();
    stamp(&mut buffer[..len], Clock::Unsynced);
    outbox_row(Lane::Telemetry, sequence, &buffer[..len])
}

fn mended(mut row: OutboxRow, eras: &Eras) -> OutboxRow {
    repair(&mut row, eras);
    row
}

fn rows_of(row: &OutboxRow) -> Vec<Row> {
    let reader = BatchReader::new(&row.bytes).expect("a batch");
    reader.map(|item| item.expect("a row").1).collect()
}

const UNSYNCED: Reasons = Reasons::CLOCK_UNSYNCED;
const REPAIRED: Reasons = Reasons::CLOCK_REPAIRED;

#[test]
fn what_the_gateway_gave_is_moved_and_what_the_sensor_gave_is_not() {
    let own = BEHIND + 29_000;
    let rows = [
        row(30_000, 30_000, UNSYNCED | Reasons::ARRIVAL_TIME),
        row(own, 31_000, UNSYNCED),
        row(32_000, 32_000, UNSYNCED | Reasons::TIME_REPAIRED),
    ];
    let moved = mended(batch(3, 60_000, &rows), &eras());
    let frame = Frame::read(&moved.bytes).expect("a message");
    assert_eq!(
        (frame.clock, frame.at.0),
        (Clock::Repaired, BEHIND + 60_000)
    );
    let expected = [
        row(
            BEHIND + 30_000,
            BEHIND + 30_000,
            REPAIRED | Reasons::ARRIVAL_TIME,
        ),
        row(own, BEHIND + 31_000, REPAIRED),
        row(
            BEHIND + 32_000,
            BEHIND + 32_000,
            REPAIRED | Reasons::TIME_REPAIRED,
        ),
    ];
    assert_eq!(rows_of(&moved), expected);
}

#[test]
fn a_batch_that_was_open_when_the_clock_was_set_holds_both_kinds() {
    let late = BEHIND + 90_000;
    let rows = [
        row(30_000, 30_000, UNSYNCED | Reasons::ARRIVAL_TIME),
        row(late, late, Reasons::ARRIVAL_TIME),
    ];
    let moved = mended(batch(5, late + 1, &rows), &eras());
    let frame = Frame::read(&moved.bytes).expect("a message");
    assert_eq!((frame.clock, frame.at.0), (Clock::Repaired, late + 1));
    let times: Vec<i64> = rows_of(&moved).iter().map(|row| row.time.0).collect();
    assert_eq!(times, [BEHIND + 30_000, late]);
}

#[test]
fn what_nobody_can_move_stays_and_goes_on_saying_so() {
    let rows = [
        row(10_000, 10_000, UNSYNCED | Reasons::ARRIVAL_TIME),
        row(30_000, 30_000, UNSYNCED | Reasons::ARRIVAL_TIME),
    ];
    let before = batch(3, 60_000, &rows);
    let moved = mended(before.clone(), &eras());
    assert_eq!(Clock::of(&moved.bytes), Clock::Unsynced);
    assert_eq!(
        rows_of(&moved)[0],
        rows[0],
        "of a life before that knew no time"
    );
    assert_eq!(rows_of(&moved)[1].time.0, BEHIND + 30_000);
    let untouched = mended(before.clone(), &Eras::default());
    assert_eq!(rows_of(&untouched), rows);
    assert_eq!(Clock::of(&untouched.bytes), Clock::Unsynced);
}

#[test]
fn windows_by_that_clock_are_moved_with_their_values() {
    let mut stats = Stats::of(21_000, 20.0);
    stats.push(59_000, 22.0, 60_000);
    let summary = |start, stats: Option<Stats>, clock| Summary {
        window: Window {
            start: Timestamp(start),
            length_ms: 60_000,
            kind: WindowKind::Tumbling,
        },
        stats,
        clock,
        ..Summary::default()
    };
    let own = summary(BEHIND, None, Clock::Synced);
    let mut early = stats;
    early.first_at = 19_999;
    let summaries = [
        summary(0, Some(stats), Clock::Unsynced),
        own,
        summary(0, Some(early), Clock::Unsynced),
    ];
    let mut buffer = vec![0; BATCH_BYTES];
    let len = write_summaries(
        "edge-1",
        Timestamp(61_000),
        &summaries,
        |_| NAME,
        &mut buffer,
    )
    .expect("room")
    .len();
    stamp(&mut buffer[..len], Clock::Unsynced);
    let moved = mended(outbox_row(Lane::Aggregate, 2, &buffer[..len]), &eras());
    assert_eq!(
        Clock::of(&moved.bytes),
        Clock::Unsynced,
        "for the last one is"
    );
    let reader = SummaryReader::new(&moved.bytes).expect("a batch");
    let read: Vec<Summary> = reader.map(|item| item.expect("a summary").1).collect();
    let mut later = stats;
    later.first_at += BEHIND;
    later.last_at += BEHIND;
    assert_eq!(read[0], summary(BEHIND, Some(later), Clock::Repaired));
    assert_eq!(read[1..], summaries[1..]);
}

#[test]
fn an_alert_keeps_the_time_of_a_sensor_that_has_one() {
    let alert = |at, since, clock| Alert {
        id: 7,
        sensor: SensorId(0),
        name: NAME,
        rule: "high",
        kind: AlertKind::Limit,
        transition: Transition::Raised,
        standing: Standing::Unacknowledged,
        first_out: None,
        severity: Severity::Warning,
        at: Timestamp(at),
        clock,
        since: Timestamp(since),
        value: Some(92.0),
        limit: Some(90.0),
        why: Why::new(format_args!("92 °C is above 90 °C")),
    };
    for (sequence, since, expected) in [
        (4, 35_000, (BEHIND + 40_000, BEHIND + 35_000)),
        (4, BEHIND + 30_000, (BEHIND + 40_000, BEHIND + 30_000)),
    ] {
        let mut buffer = [0; 512];
        let bytes = alert(40_000, since, Clock::Unsynced)
            .write("edge-1", &mut buffer)
            .expect("room");
        let moved = mended(outbox_row(Lane::Alert, sequence, bytes), &eras());
        let (at, since) = expected;
        let read = Alert::read(&moved.bytes);
        assert_eq!(read, Ok(("edge-1", alert(at, since, Clock::Repaired))));
    }
}

#[test]
fn bytes_that_are_no_message_stay_as_they_are() {
    for bytes in [&b""[..], &b"\x01\x11"[..], &b"\x01\x11garbage"[..]] {
        let row = outbox_row(Lane::Telemetry, 3, bytes);
        assert_eq!(mended(row.clone(), &eras()), row);
    }
}
