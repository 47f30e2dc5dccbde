use super::nab::{Labels, PROFILES};
use super::series::parse_time;
use super::skab::{Judged, Score};

#[test]
fn stamps_are_read_as_utc() {
    assert_eq!(parse_time("1970-01-01 00:00:00"), Some(0));
    assert_eq!(
        parse_time("2014-02-19 15:25:00.000000"),
        Some(1_392_823_500_000)
    );
    assert_eq!(parse_time("2000-02-29T12:00:00Z"), Some(951_825_600_000));
    assert_eq!(parse_time("12.5"), Some(12_500));
    assert_eq!(parse_time("yesterday"), None);
}

/// No alarm is worth nothing, one in the first row of each window everything.
#[test]
fn the_numenta_score_lies_between_nothing_and_everything() {
    let labels = Labels::new(1000, &[(300, 399), (700, 749)]);
    for profile in PROFILES {
        let score = |alarms: &[usize]| labels.score(profile, alarms.iter().copied()).normalised();
        assert_eq!(score(&[]), 0.0);
        assert!((score(&[300, 700]) - 100.0).abs() < 1e-9);
        assert!(score(&[390, 700]) < score(&[310, 700]));
        assert!(score(&[300, 700, 500]) < 100.0);
        // Rows of the learning part cost nothing.
        assert_eq!(score(&[10]), 0.0);
    }
}

#[test]
fn a_change_that_is_found_at_once_is_worth_everything() {
    let rows = 200usize;
    let judged = |alarm_from: usize| Judged {
        times: (0..rows as i64).map(|row| row * 1000).collect(),
        is_anomaly: (0..rows).map(|row| row >= 100).collect(),
        is_change: (0..rows).map(|row| row == 100).collect(),
        is_alarm: (0..rows).map(|row| row >= alarm_from).collect(),
    };
    let score = |alarm_from| {
        let mut score = Score::default();
        score.add(&judged(alarm_from));
        (score.f1(), score.changes()[0])
    };
    assert_eq!(score(100).0, 1.0);
    assert!((score(100).1 - 100.0).abs() < 1e-9);
    assert!(score(130).1 < 100.0 && score(130).1 > 0.0);
    assert!(score(50).1 < 0.0);
}

#[test]
fn a_folder_without_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = super::run(folder.path(), super::Outlets::default());
    assert!(matches!(refused, Err(super::AccuracyError::Read { .. })));
}

/// A program for a box says so before it reads anything, instead of leaving the folder empty.
#[cfg(not(feature = "plots"))]
#[test]
fn drawings_are_refused_by_a_program_that_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let outlets = super::Outlets {
        plots: Some(folder.path()),
        ..Default::default()
    };
    let refused = super::run(folder.path(), outlets);
    assert!(matches!(refused, Err(super::AccuracyError::NoPlots)));
}
