//! A drawing of each series with each kind of fault, beside the truth.

use std::path::Path;

use pipeline::config::Method;

use super::drive::{self, Slot};
use super::faults::{Fault, Injected};
use super::score::Score;
use super::series::Series;
use crate::bench::accuracy::{AccuracyError, Outlets};
use crate::bench::plots::{self, Alarms, Axis, Below, Curve, Known, Look, Span, Subject};
use crate::bench::runs::runs;
use crate::limits::BENCH_LEARNED;

/// Where the times of a drawing begin: 2024.
const START_MS: i64 = 1_704_067_200_000;

/// Draws each series of `data`/clean with the faults of the first seed, if drawings are wanted.
pub(crate) fn draw(data: &Path, outlets: Outlets<'_>) -> Result<(), AccuracyError> {
    if outlets.plots.is_none() {
        return Ok(());
    }
    for (nth, series) in Series::read_all(&data.join("clean"))?.iter().enumerate() {
        for fault in Fault::ALL {
            let injected = Injected::new(series, fault, nth as u64);
            let slots = drive::clean(series, &injected, Method::Gate)?;
            let score = Score::of(series, &injected, &slots);
            let name = fault.name().replace(' ', "-");
            outlets.write_plot(&format!("clean/{}-{name}.csv", series.name), || {
                draw_one(series, &injected, &slots, score)
            })?;
        }
    }
    Ok(())
}

fn draw_one(
    series: &Series,
    injected: &Injected,
    slots: &[Option<Slot>],
    score: Score,
) -> Result<String, pipeline::Unusable> {
    let fault = injected.fault;
    let rows = (0..injected.sent.len()).filter(|row| injected.sent[*row].is_some());
    let rows: Vec<usize> = rows.collect();
    let time_of = |row: &usize| START_MS + *row as i64 * series.period_ms;
    let times: Vec<i64> = rows.iter().map(time_of).collect();
    let values: Vec<f64> = rows.iter().filter_map(|row| injected.sent[*row]).collect();
    let truth: Vec<f64> = rows.iter().map(|row| injected.truth[*row]).collect();
    let place = |row: usize| rows.partition_point(|sent| *sent < row).min(rows.len() - 1);
    // What is missing lies between two rows that came.
    let begin = |row: usize| place(row).saturating_sub(usize::from(injected.sent[row].is_none()));
    let labels: Vec<(usize, usize)> = runs(injected.is_faulty.iter().copied())
        .into_iter()
        .map(|(first, last)| (begin(first), place(last)))
        .collect();
    let share = |share: Option<f64>| share.map_or("-".into(), |share| format!("{share:.3}"));
    let published = fault.published();
    let published = published.map_or(String::new(), |best| format!(" (best published {best:.3})"));
    plots::draw(&Subject {
        title: format!("clean/{}, {}", series.name, fault.name()),
        scores: vec![format!(
            "error in standard deviations: {:.4}{published}, untreated {:.3}; faults flagged {}, flags right {}, healthy readings changed {:.3} %; the first {BENCH_LEARNED} rows are healthy",
            score.rmse,
            score.rmse_untreated,
            share(score.recall),
            share(score.precision),
            100.0 * score.healthy_changed
        )],
        axis: Axis::Time,
        times: &times,
        signals: vec![(series.name.clone(), values)],
        known: Known {
            range: Some(series.range),
            flips: true,
        },
        truth: Some(&truth),
        labels: ("injected", &labels),
        alarms: Vec::<Alarms>::new(),
        below: Some(error(series, injected, slots, &times)),
    })
}

/// How far from the truth each slot came out.
fn error(series: &Series, injected: &Injected, slots: &[Option<Slot>], times: &[i64]) -> Below {
    let span = Span::of(times);
    let off = |(row, slot): (usize, &Option<Slot>)| {
        let off = (slot.as_ref()?.value - injected.truth[row]) / series.deviation;
        Some((START_MS + row as i64 * series.period_ms, off))
    };
    Below {
        name: "cleaned less the truth",
        curves: vec![(
            Look::Score,
            Curve::of(span, slots.iter().enumerate().filter_map(off)),
            "in standard deviations",
        )],
        from_zero: false,
    }
}
