//! Which alerts must have been told: those that the values make, no other, and none twice.

use pipeline::config::{SensorConfig, Side, Threshold};
use wire::{Alert, AlertState, Quality, Row};

use super::marks::Marks;
use super::site::RULE;

/// The alerts of the limit are those that its good values make, in their order.
pub(super) fn check_thresholds(
    rows: &[Row],
    alerts: &[Alert<'_>],
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    if config.cleaning.is_some() {
        return Ok(());
    }
    let [threshold] = config.thresholds.as_slice() else {
        return Err("a site's sensors have one limit".to_owned());
    };
    let expected = crossings(rows, threshold);
    let told = alerts.iter().filter(|alert| alert.rule == RULE);
    let told: Vec<(AlertState, f64)> = told
        .map(|alert| (alert.state(), alert.value.unwrap_or(f64::NAN)))
        .collect();
    for (state, _) in &told {
        marks.hit(match state {
            AlertState::Raised => "alert-raised",
            AlertState::Cleared => "alert-cleared",
        });
    }
    if told == expected {
        Ok(())
    } else {
        Err(format!("alerts are {told:?}, and should be {expected:?}"))
    }
}

fn crossings(rows: &[Row], threshold: &Threshold) -> Vec<(AlertState, f64)> {
    let mut crossings = Vec::new();
    let mut is_raised = false;
    let good = rows
        .iter()
        .filter(|row| row.flags.quality() == Quality::Good);
    for value in good.filter_map(|row| row.content.value()) {
        let beyond = match threshold.side {
            Side::Above => value - threshold.limit,
            Side::Below => threshold.limit - value,
            Side::Beyond => value.abs() - threshold.limit,
        };
        if !is_raised && beyond > 0.0 {
            is_raised = true;
            crossings.push((AlertState::Raised, value));
        } else if is_raised && beyond <= -threshold.hysteresis {
            is_raised = false;
            crossings.push((AlertState::Cleared, value));
        }
    }
    crossings
}

/// Silence is told of, over, told of again; and at the end, when nobody sends, it is told of.
pub(super) fn check_silence(
    alerts: &[Alert<'_>],
    config: &SensorConfig,
    marks: &mut Marks,
) -> Result<(), String> {
    let told = alerts.iter().filter(|alert| alert.rule != RULE);
    let states: Vec<AlertState> = told.map(|alert| alert.state()).collect();
    marks.add("alert-silence", states.len() as u64);
    let alternates = states
        .iter()
        .enumerate()
        .all(|(place, state)| *state == [AlertState::Raised, AlertState::Cleared][place % 2]);
    let is_silent = states.last() == Some(&AlertState::Raised);
    if alternates && is_silent == config.silence.is_some() {
        Ok(())
    } else {
        Err(format!("silence is told as {states:?}"))
    }
}
