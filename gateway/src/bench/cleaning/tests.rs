use super::*;
use wire::Quality;

/// A day's course with a little noise, one reading a minute.
fn series() -> Series {
    let value = |at: usize| {
        let noise = ((at * 7919) % 13) as f64 / 13.0 - 0.5;
        20.0 + 5.0 * (at as f64 / 229.0).sin() + 0.2 * noise
    };
    Series::new(
        "quiet",
        (0..4000).map(value).collect(),
        60_000,
        [-40.0, 85.0],
    )
}

#[test]
fn every_fault_is_found_and_mended_on_a_quiet_series() {
    let series = series();
    for fault in Fault::ALL {
        let injected = Injected::new(&series, fault, 1);
        let slots = drive::clean(&series, &injected, Method::Gate).unwrap();
        let score = Score::of(&series, &injected, &slots);
        assert!(score.rmse < 0.03, "{}: {score:?}", fault.name());
        assert!(
            score.recall.is_none_or(|recall| recall > 0.9),
            "{}: {score:?}",
            fault.name()
        );
        assert!(
            score.precision.is_none_or(|precision| precision > 0.9),
            "{}: {score:?}",
            fault.name()
        );
        assert_eq!(score.healthy_changed, 0.0, "{}", fault.name());
    }
}

#[test]
fn the_score_of_the_truth_is_without_error_or_flag() {
    let series = series();
    let injected = Injected::new(&series, Fault::Healthy, 1);
    let slots = drive::clean(&series, &injected, Method::Gate).unwrap();
    assert!(
        slots
            .iter()
            .all(|slot| slot.is_some_and(|slot| slot.flags.quality() == Quality::Good))
    );
    let score = Score::of(&series, &injected, &slots);
    assert_eq!(
        (score.rmse, score.precision, score.recall),
        (0.0, None, None)
    );
}

#[test]
fn the_same_seed_makes_the_same_faults() {
    let series = series();
    let faults = |seed| Injected::new(&series, Fault::Spike, seed);
    assert_eq!(faults(1), faults(1));
    assert_ne!(faults(1), faults(2));
}

#[test]
fn without_data_the_folder_is_named() {
    let error = run(Path::new("/nowhere")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/clean cannot be read"),
        "{error}"
    );
}

/// They mend a spike, and the gate mends it better.
#[test]
fn the_filters_of_the_field_are_measured_beside_the_gate() {
    let series = series();
    let injected = Injected::new(&series, Fault::Spike, 1);
    let rmse = |method| {
        let slots = drive::clean(&series, &injected, method).unwrap();
        Score::of(&series, &injected, &slots).rmse
    };
    let untreated = Score::of(&series, &injected, &[const { None }; 4000]).rmse_untreated;
    for method in FILTERS {
        let error = rmse(method);
        assert!(
            error > rmse(Method::Gate) && error < untreated / 2.0,
            "{method:?}: {error} of {untreated}"
        );
    }
}
