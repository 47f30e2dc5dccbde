use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

fn name(_: SensorId) -> SensorName<'static> {
    SensorName {
        device: "pump",
        signal: "flow",
        unit: "l/s",
    }
}

fn any_float() -> impl Strategy<Value = f64> {
    any::<i64>().prop_map(|n| n as f64 / 7.0)
}

prop_compose! {
    fn any_stats()(n in 1_u32.., covered_ms: u32, times: (i64, i64), floats in [any_float(), any_float(), any_float(),
        any_float(), any_float(), any_float(), any_float()]) -> Stats {
        let [mean, m2, min, max, first, last, integral] = floats;
        Stats { n, covered_ms, mean, m2, min, max, first, last, first_at: times.0, last_at: times.1, integral }
    }
}

prop_compose! {
    fn any_summary()(sensor in 0_u16..4, start: i64, length_ms: u32, kind in 0..3, counts: (u32, u32, u32), partial: bool, clock in 0..3_u8,
        stats in proptest::option::of(any_stats()), ewma in proptest::option::of(any_float()), values in proptest::collection::vec(any_float(), 0..90)) -> Summary {
        let kind = [WindowKind::Tumbling, WindowKind::Sliding, WindowKind::Session][kind as usize];
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.push(*value));
        Summary {
            sensor: SensorId(sensor),
            window: Window { start: Timestamp(start), length_ms, kind },
            stats,
            uncertain: counts.0,
            bad: counts.1,
            ewma,
            sketch: (!values.is_empty()).then_some(sketch),
            revision: counts.2,
            partial,
            clock: Clock::read(clock).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn any_summaries_come_back(summaries in proptest::collection::vec(any_summary(), 0..20), at: i64) {
        let mut buffer = vec![0; 64 + (160 + crate::sketch::SKETCH_BYTES_MAX) * summaries.len()];
        let bytes = write_summaries("box", Timestamp(at), &summaries, name, &mut buffer).unwrap();
        let read: Vec<_> = SummaryReader::new(bytes).unwrap().map(|item| item.unwrap().1).collect();
        prop_assert_eq!(read, summaries);
    }

    #[test]
    fn any_body_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut buffer = vec![0; body.len() + 32];
        let frame = Frame { kind: Kind::Aggregates, gateway: "x", at: Timestamp(0), clock: Clock::Synced };
        let bytes = frame.write(&mut buffer, |writer| writer.put(&body)).unwrap();
        prop_assert!(SummaryReader::new(bytes).unwrap().count() <= body.len() + 1);
    }
}

#[test]
fn a_window_of_bad_readings_only_has_no_statistics() {
    let window = Window {
        start: Timestamp(60_000),
        length_ms: 60_000,
        kind: WindowKind::Tumbling,
    };
    let summary = Summary {
        sensor: SensorId(1),
        window,
        stats: None,
        uncertain: 0,
        bad: 3,
        ewma: None,
        sketch: None,
        revision: 0,
        partial: false,
        clock: Clock::Synced,
    };
    let mut buffer = [0; 64];
    let bytes = write_summaries("box", Timestamp(120_000), &[summary], name, &mut buffer).unwrap();
    let (read_name, read) = SummaryReader::new(bytes).unwrap().next().unwrap().unwrap();
    assert_eq!((read_name.unit, read.good(), read), ("l/s", 0, summary));
}
