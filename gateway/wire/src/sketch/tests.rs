use super::*;
use proptest::prelude::*;
use std::vec::Vec;

fn sketch(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|value| sketch.push(*value));
    sketch
}

fn quantile(sketch: &Sketch, values: &[f64], part: f64) -> f64 {
    sketch
        .quantile(part, exact(values, 0.0), exact(values, 1.0))
        .unwrap()
}

/// The least value with at least `part` of all at or below it.
fn exact(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        -100.0..100.0_f64,
        19.5..20.5_f64,
        Just(0.0),
        Just(-0.0),
        1e-9..1e9_f64,
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ];
    proptest::collection::vec(value, 1..400)
}

proptest! {
    #[test]
    fn a_quantile_is_as_near_as_the_sketch_says(values in values(), part in 0.0..1.0_f64) {
        let sketch = sketch(&values);
        let (told, exact) = (quantile(&sketch, &values, part), exact(&values, part));
        prop_assume!(sketch.error_max().is_finite());
        let error_max = sketch.error_max() * exact.abs() + f64::MIN_POSITIVE;
        prop_assert!((told - exact).abs() <= error_max, "{told} is not {exact}, at {sketch:?}");
    }

    #[test]
    fn merged_parts_are_the_whole_bit_for_bit(parts in proptest::collection::vec(values(), 1..6), seed: u64) {
        let mut all: Vec<f64> = parts.concat();
        let mut merged = Sketch::default();
        for part in &parts {
            merged.merge(&sketch(part));
        }
        prop_assert_eq!(merged, sketch(&all));
        let turn = seed as usize % all.len();
        all.rotate_left(turn);
        prop_assert_eq!(merged, sketch(&all), "nor does the order make a difference");
        let mut backwards = Sketch::default();
        for part in parts.iter().rev() {
            backwards.merge(&sketch(part));
        }
        prop_assert_eq!(merged, backwards);
    }

    #[test]
    fn the_unit_makes_no_difference_but_for_its_factor(values in proptest::collection::vec(-1e6..1e6_f64, 1..300), part in 0.0..1.0_f64) {
        let scaled: Vec<f64> = values.iter().map(|value| value * 1024.0).collect();
        let told = quantile(&sketch(&values), &values, part);
        let of_scaled = quantile(&sketch(&scaled), &scaled, part);
        // A power of two moves exponents and leaves the bins as they are; what was as good as 0 is not in play.
        prop_assume!(values.iter().all(|value| value.abs() > 1e-100));
        prop_assert_eq!(told * 1024.0, of_scaled);
    }

    #[test]
    fn it_comes_back_from_its_bytes_and_from_a_checkpoint(values in values()) {
        let sketch = sketch(&values);
        let mut buffer = [0; SKETCH_BYTES_MAX];
        let mut writer = Writer::new(&mut buffer);
        sketch.write(&mut writer).unwrap();
        let mut cursor = Cursor::new(writer.written());
        prop_assert_eq!(Sketch::read(&mut cursor), Ok(sketch));
        prop_assert_eq!(cursor.end(), Ok(()));
        let mut buffer = [0; 1024];
        let bytes = postcard::to_slice(&sketch, &mut buffer).unwrap();
        prop_assert_eq!(postcard::from_bytes(bytes), Ok(sketch));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(sketch) = Sketch::read(&mut Cursor::new(&bytes)) {
            let _ = sketch.quantile(0.5, -1.0, 1.0);
            let mut twice = sketch;
            twice.merge(&sketch);
            prop_assert_eq!(twice.count(), 2 * sketch.count());
        }
    }
}

#[test]
fn a_minute_of_a_steady_signal_is_told_to_a_four_thousandth() {
    let minute: Vec<f64> = (0..60)
        .map(|n| 20.0 + f64::from(n * 37 % 60) / 60.0)
        .collect();
    let sketch = sketch(&minute);
    assert_eq!(sketch.error_max(), 1.0 / 4096.0);
    assert!((quantile(&sketch, &minute, 0.5) - exact(&minute, 0.5)).abs() < 0.005);
}

/// What the bound allows at the worst, and what is usual.
#[test]
fn wide_signals_are_told_well_below_the_bound() {
    let wide: Vec<f64> = (0..10_000)
        .map(|n| f64::from(n * 7919 % 10_000) / 100.0)
        .collect();
    let sketch = sketch(&wide);
    assert!(sketch.error_max() <= 0.5);
    for part in [0.05, 0.5, 0.95, 0.99] {
        let (told, exact) = (quantile(&sketch, &wide, part), exact(&wide, part));
        assert!((told - exact).abs() < 0.02 * exact, "{told} is not {exact}");
    }
}

#[test]
fn a_sketch_of_nothing_tells_nothing() {
    assert_eq!(Sketch::default().quantile(0.5, 0.0, 0.0), None);
}

#[test]
fn no_sketch_is_longer_than_it_may_be() {
    // Keys as far apart as they come, and counts as large.
    let mut sketch = Sketch::default();
    let step = (1 << LEVEL_MAX) / (BINS_MAX as i32 / 2);
    for nth in 0..BINS_MAX as i32 {
        let key = (nth - BINS_MAX as i32 / 2) * step + 1;
        sketch.append(key, u32::MAX / BINS_MAX as u32).unwrap();
    }
    let mut buffer = [0; 1024];
    let mut writer = Writer::new(&mut buffer);
    sketch.write(&mut writer).unwrap();
    assert!(writer.written().len() <= SKETCH_BYTES_MAX);
}
