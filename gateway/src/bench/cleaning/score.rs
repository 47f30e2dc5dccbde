//! How near to the truth it came, and what was flagged.

use wire::Quality;

use super::drive::Slot;
use super::faults::Injected;
use super::series::Series;
use crate::limits::BENCH_LEARNED;

/// The score of one run, or the mean of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// Root of the mean squared error over all slots, in standard deviations.
    pub(super) rmse: f64,
    /// The same of what was sent, the last value held where nothing was.
    pub(super) rmse_untreated: f64,
    /// Share of the faults that are flagged.
    pub(super) recall: Option<f64>,
    /// Share of the flags that are on faults.
    pub(super) precision: Option<f64>,
    /// Share of the slots without a fault whose value was changed.
    pub(super) healthy_changed: f64,
}

impl Score {
    pub(super) fn of(series: &Series, injected: &Injected, slots: &[Option<Slot>]) -> Self {
        let mut cleaned = Held::default();
        let mut untreated = Held::default();
        let (mut caught, mut faulty, mut flagged, mut changed) = (0_u32, 0_u32, 0_u32, 0_u32);
        let n = injected.truth.len();
        for (at, (&truth, slot)) in injected.truth.iter().zip(slots).enumerate() {
            let is_scored = at >= BENCH_LEARNED;
            let value = cleaned.push(slot.map(|slot| slot.value), truth, is_scored);
            untreated.push(injected.sent[at], truth, is_scored);
            if !is_scored {
                continue;
            }
            let is_flagged = slot.is_none_or(|slot| slot.flags.quality() != Quality::Good);
            let is_faulty = injected.is_faulty[at];
            caught += u32::from(is_flagged && is_faulty);
            faulty += u32::from(is_faulty);
            flagged += u32::from(is_flagged);
            let is_changed = (value - truth).abs() > 1e-6 * (1.0 + truth.abs());
            changed += u32::from(!is_faulty && is_changed);
        }
        let scored = (n - BENCH_LEARNED) as f64;
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        Self {
            rmse: (cleaned.squares / scored).sqrt() / series.deviation,
            rmse_untreated: (untreated.squares / scored).sqrt() / series.deviation,
            recall: share(caught, faulty),
            precision: share(caught, flagged).filter(|_| faulty > 0),
            healthy_changed: f64::from(changed) / (scored - f64::from(faulty)),
        }
    }

    pub(super) fn mean(scores: &[Self]) -> Self {
        let mean =
            |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / scores.len().max(1) as f64;
        let mean_known = |of: fn(&Self) -> Option<f64>| {
            let known: Vec<f64> = scores.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        Self {
            rmse: mean(|score| score.rmse),
            rmse_untreated: mean(|score| score.rmse_untreated),
            recall: mean_known(|score| score.recall),
            precision: mean_known(|score| score.precision),
            healthy_changed: mean(|score| score.healthy_changed),
        }
    }
}

/// Squared errors of values, the last one held where there is none.
#[derive(Default)]
struct Held {
    last: Option<f64>,
    squares: f64,
}

impl Held {
    fn push(&mut self, value: Option<f64>, truth: f64, is_scored: bool) -> f64 {
        let value = value.or(self.last).unwrap_or(truth);
        self.last = Some(value);
        if is_scored {
            self.squares += (value - truth).powi(2);
        }
        value
    }
}
