//! The format is as `FORMAT.md` and the golden files say. Golden files are never edited: a change of the bytes is a new version.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't read its files fails"
)]

use std::fs;
use std::path::PathBuf;
use wire::{
    Alert, AlertKind, BatchReader, Clock, Content, Flags, Gap, GapReason, Lane, Quality, Reasons,
    Report, Row, SensorId, SensorName, Severity, Sketch, Standing, Stats, Summary, SummaryReader,
    Timestamp, Transition, Why, Window, WindowKind, stamp, write_batch, write_report,
    write_summaries,
};

/// 2026-01-01T00:01:00Z.
const AT: i64 = 1_767_225_660_000;

const NAMES: [SensorName<'_>; 2] = [
    SensorName {
        device: "pump-1",
        signal: "temp",
        unit: "°C",
    },
    SensorName {
        device: "pump-1",
        signal: "rpm",
        unit: "",
    },
];

fn name(sensor: SensorId) -> SensorName<'static> {
    NAMES[usize::from(sensor.0)]
}

fn row(
    sensor: u16,
    time: i64,
    lag_ms: i64,
    content: Content,
    quality: Quality,
    reasons: Reasons,
) -> Row {
    Row {
        time: Timestamp(AT + time),
        arrival: Timestamp(AT + time + lag_ms),
        content,
        flags: Flags::new(quality, reasons),
        sensor: SensorId(sensor),
    }
}

fn rows() -> Vec<Row> {
    use Content::{AsSent, Filled, Nothing, Refused, Repaired};
    vec![
        row(0, -3000, 5, AsSent(20.25), Quality::Good, Reasons::NONE),
        row(0, -2001, 5, AsSent(20.5), Quality::Good, Reasons::NONE),
        row(
            0,
            -1000,
            5,
            Refused(f64::INFINITY),
            Quality::Bad,
            Reasons::NOT_FINITE,
        ),
        row(
            0,
            0,
            5,
            Repaired {
                raw: 85.0,
                value: 20.75,
            },
            Quality::Uncertain,
            Reasons::SPIKE,
        ),
        row(
            1,
            -500,
            0,
            Filled(-0.0),
            Quality::Uncertain,
            Reasons::FILLED,
        ),
        row(
            1,
            -60_500,
            60_499,
            Nothing,
            Quality::Bad,
            Reasons::LATE | Reasons::OUT_OF_RANGE,
        ),
    ]
}

/// A signal that is noisy, read by a clock that jitters: each column stands around something.
fn noisy_rows() -> Vec<Row> {
    let jitters = [
        31, 9, -28, -2, 37, -39, 1, 28, -36, -9, 35, -3, 19, -37, 22, -28,
    ];
    let lags = [9, 4, 7, 90, 5, 8, 4, 6, 9, 5, 7, 4, 8, 9, 5, 6];
    let hundredths = [
        0, 31, -31, 30, -30, 32, -32, 5, 31, -30, 30, -31, 32, -5, -32, 0,
    ];
    (0..16)
        .map(|n| {
            let time = n as i64 * 1000 - 16_000 + jitters[n];
            let value = f64::from(2000 + hundredths[n]) / 100.0;
            let content = Content::AsSent(value);
            row(0, time, lags[n], content, Quality::Good, Reasons::NONE)
        })
        .collect()
}

/// A thermometer that measures in sixteenths of a degree: a unit of 625, around a level and by steps.
fn sixteenths_rows() -> Vec<Row> {
    let around = [0, 31, -31, 30, -30, 32, -32, 5];
    let drifting = [0, 2, 3, 5, 8, 9, 11, 14];
    let rows = |sensor: u16, sixteenths: [i32; 8]| {
        (0..8).map(move |n| {
            let value = f64::from(336 + sixteenths[n]) / 16.0;
            let content = Content::AsSent(value);
            row(
                sensor,
                n as i64 * 1000 - 8_000,
                4,
                content,
                Quality::Good,
                Reasons::NONE,
            )
        })
    };
    rows(0, around).chain(rows(1, drifting)).collect()
}

fn stats() -> Stats {
    let mut stats = Stats::of(AT - 60_000, 20.0);
    stats.push(AT - 30_000, 21.0, 60_000);
    stats.push(AT - 1, 25.0, 60_000);
    stats
}

fn summaries() -> Vec<Summary> {
    let window = |kind, length_ms| Window {
        start: Timestamp(AT - i64::from(length_ms)),
        length_ms,
        kind,
    };
    vec![
        Summary {
            sensor: SensorId(0),
            window: window(WindowKind::Tumbling, 60_000),
            stats: Some(stats()),
            uncertain: 1,
            bad: 0,
            ewma: Some(22.5),
            sketch: None,
            revision: 2,
            partial: false,
            clock: Clock::Synced,
        },
        Summary {
            sensor: SensorId(1),
            window: window(WindowKind::Sliding, 300_000),
            stats: None,
            uncertain: 0,
            bad: 3,
            ewma: None,
            sketch: None,
            revision: 0,
            partial: true,
            clock: Clock::Synced,
        },
    ]
}

/// Of a pump that ran for half a minute.
fn session() -> Summary {
    let values = [20.0, 21.0, 25.0, -0.5, 0.0, 21.0];
    let mut stats = Stats::of(AT - 40_000, values[0]);
    let mut sketch = Sketch::default();
    sketch.push(values[0]);
    for (nth, value) in (1..).zip(&values[1..]) {
        stats.push(AT - 40_000 + 6_000 * nth, *value, 60_000);
        sketch.push(*value);
    }
    Summary {
        sensor: SensorId(0),
        window: Window {
            start: Timestamp(AT - 40_000),
            length_ms: 30_001,
            kind: WindowKind::Session,
        },
        stats: Some(stats),
        sketch: Some(sketch),
        ..Summary::default()
    }
}

fn alert() -> Alert<'static> {
    Alert {
        id: 300,
        sensor: SensorId(0),
        name: NAMES[0],
        rule: "high",
        kind: AlertKind::Limit,
        transition: Transition::Raised,
        standing: Standing::Unacknowledged,
        first_out: None,
        severity: Severity::Critical,
        at: Timestamp(AT),
        clock: Clock::Synced,
        since: Timestamp(AT - 5000),
        value: Some(92.5),
        limit: Some(90.0),
        why: Why::new(format_args!("92.5 °C is above 90 °C for 5 s")),
    }
}

fn alarm() -> Alert<'static> {
    Alert {
        rule: "wear",
        kind: AlertKind::Drift,
        transition: Transition::Acknowledged,
        standing: Standing::Acknowledged,
        first_out: Some(299),
        severity: Severity::Warning,
        value: Some(9.5),
        limit: Some(8.0),
        why: Why::new(format_args!("acknowledged by anna")),
        ..alert()
    }
}

/// Of a box whose clock was set later: the first reading has no time of its own.
fn repaired_rows() -> Vec<Row> {
    let both = Reasons::ARRIVAL_TIME | Reasons::CLOCK_REPAIRED;
    let (quality, own) = (Quality::Good, Reasons::CLOCK_REPAIRED);
    vec![
        row(0, -3000, 0, Content::AsSent(20.25), quality, both),
        row(1, -2500, 500, Content::AsSent(50.0), quality, own),
    ]
}

/// Of a box whose clock is not set.
fn early() -> Alert<'static> {
    Alert {
        at: Timestamp(60_000),
        clock: Clock::Unsynced,
        since: Timestamp(55_000),
        ..alert()
    }
}

fn gap() -> Gap {
    Gap {
        lane: Lane::Telemetry,
        from: 1000,
        to: 1099,
        count: 500_000,
        reason: GapReason::Thinned,
        at: Timestamp(AT),
    }
}

const REPORT: [(&str, f64); 2] = [("temp", 20.25), ("rpm", f64::NAN)];

fn written(name_of_message: &str) -> Vec<u8> {
    let mut buffer = [0; 512];
    if name_of_message == "telemetry-repaired" {
        let len = write_batch("edge-7", Timestamp(AT), &repaired_rows(), name, &mut buffer);
        let len = len.unwrap().len();
        let message = &mut buffer[..len];
        stamp(message, Clock::Repaired);
        return message.to_vec();
    }
    let bytes = match name_of_message {
        "telemetry" => write_batch("edge-7", Timestamp(AT), &rows(), name, &mut buffer),
        "telemetry-noisy" => write_batch("edge-7", Timestamp(AT), &noisy_rows(), name, &mut buffer),
        "telemetry-unit" => write_batch(
            "edge-7",
            Timestamp(AT),
            &sixteenths_rows(),
            name,
            &mut buffer,
        ),
        "aggregates" => write_summaries("edge-7", Timestamp(AT), &summaries(), name, &mut buffer),
        "aggregates-sketch" => {
            write_summaries("edge-7", Timestamp(AT), &[session()], name, &mut buffer)
        }
        "alert" => alert().write("edge-7", &mut buffer),
        "alert-unsynced" => early().write("edge-7", &mut buffer),
        "alarm" => alarm().write("edge-7", &mut buffer),
        "report" => write_report(300, Some(Timestamp(AT)), &REPORT, &mut buffer),
        _ => gap().write("edge-7", &mut buffer),
    };
    bytes.unwrap().to_vec()
}

const MESSAGES: [&str; 11] = [
    "telemetry",
    "telemetry-noisy",
    "telemetry-unit",
    "telemetry-repaired",
    "aggregates",
    "aggregates-sketch",
    "alert",
    "alert-unsynced",
    "alarm",
    "gap",
    "report",
];

fn golden(message: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{message}-v1.bin"));
    fs::read(path).unwrap()
}

/// The bytes of an example in `FORMAT.md`: in each line, what stands before the bar.
fn example(message: &str) -> Vec<u8> {
    let paper = include_str!("../FORMAT.md");
    let start = format!("```hex {message}\n");
    let (_, block) = paper
        .split_once(&start)
        .expect("the paper has an example of each message");
    let (block, _) = block.split_once("```").expect("the example ends");
    let digits = block.lines().flat_map(|line| {
        line.split('|')
            .next()
            .unwrap_or_default()
            .split_whitespace()
    });
    digits
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

#[test]
fn the_paper_shows_each_byte() {
    for message in MESSAGES {
        assert_eq!(hex(&example(message)), hex(&written(message)), "{message}");
    }
}

#[test]
fn version_1_is_written_as_ever() {
    for message in MESSAGES {
        assert_eq!(hex(&golden(message)), hex(&written(message)), "{message}");
    }
}

#[test]
fn version_1_is_read_as_ever() {
    for (message, rows) in [
        ("telemetry", rows()),
        ("telemetry-noisy", noisy_rows()),
        ("telemetry-unit", sixteenths_rows()),
        ("telemetry-repaired", repaired_rows()),
    ] {
        let read: Vec<Row> = BatchReader::new(&golden(message))
            .unwrap()
            .map(|item| item.unwrap().1)
            .collect();
        assert_eq!(read, rows);
    }
    let read: Vec<Summary> = SummaryReader::new(&golden("aggregates"))
        .unwrap()
        .map(|item| item.unwrap().1)
        .collect();
    assert_eq!(read, summaries());
    let session_bytes = golden("aggregates-sketch");
    let mut read = SummaryReader::new(&session_bytes).unwrap();
    assert_eq!(read.next().unwrap().unwrap().1, session());
    assert_eq!(Alert::read(&golden("alert")), Ok(("edge-7", alert())));
    let early_bytes = golden("alert-unsynced");
    assert_eq!(Alert::read(&early_bytes), Ok(("edge-7", early())));
    assert_eq!(Alert::read(&golden("alarm")), Ok(("edge-7", alarm())));
    assert_eq!(Gap::read(&golden("gap")), Ok(("edge-7", gap())));

    let bytes = golden("report");
    let report = Report::read(&bytes).unwrap();
    assert_eq!((report.sequence, report.time), (300, Some(Timestamp(AT))));
    let bits = |(signal, value): (&'static str, f64)| (signal, value.to_bits());
    assert!(
        report
            .values()
            .map(|(signal, value)| (signal, value.to_bits()))
            .eq(REPORT.map(bits))
    );
}
