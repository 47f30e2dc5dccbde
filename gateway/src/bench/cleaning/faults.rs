//! Faults as sensors have them, put into a healthy series with a fixed seed.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

use super::series::Series;
use crate::limits::BENCH_LEARNED;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Single values far off.
    Spike,
    /// A code for "no value", up to three times in a row.
    Sentinel,
    /// Single readings that do not come.
    Missing,
    /// Up to 60 readings in a row that do not come.
    Gap,
    /// Up to ten readings in a row in °F.
    Unit,
    /// The signal moves for good: no fault, and must pass unchanged.
    Shift,
    /// Nothing: what harm does the cleaning do?
    Healthy,
}

impl Fault {
    pub(super) const ALL: [Self; 7] = [
        Self::Spike,
        Self::Sentinel,
        Self::Missing,
        Self::Gap,
        Self::Unit,
        Self::Shift,
        Self::Healthy,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Sentinel => "sentinel",
            Self::Missing => "missing",
            Self::Gap => "gap",
            Self::Unit => "unit flip",
            Self::Shift => "shift",
            Self::Healthy => "healthy",
        }
    }

    /// The least error that is known of other cleaners.
    pub(super) const fn published(self) -> Option<f64> {
        match self {
            Self::Spike => Some(0.059),
            Self::Sentinel => Some(0.036),
            Self::Missing => Some(0.050),
            Self::Gap => Some(0.055),
            Self::Unit => Some(0.028),
            Self::Shift | Self::Healthy => None,
        }
    }
}

/// A series with faults.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Injected {
    pub(super) fault: Fault,
    /// What should come out.
    pub(super) truth: Vec<f64>,
    /// What is sent; none: nothing.
    pub(super) sent: Vec<Option<f64>>,
    /// Whether a slot has a fault.
    pub(super) is_faulty: Vec<bool>,
}

/// Codes by which sensors and their drivers say that they have no value.
const CODES: [f64; 6] = [-999.0, -127.0, 85.0, 65_535.0, 0.0, -200.0];

impl Injected {
    pub(super) fn new(series: &Series, fault: Fault, seed: u64) -> Self {
        let n = series.truth.len();
        let mut injected = Self {
            fault,
            truth: series.truth.clone(),
            sent: series.truth.iter().copied().map(Some).collect(),
            is_faulty: vec![false; n],
        };
        let mut chance = Chance(Pcg64::new(seed.into(), fault as u128));
        match fault {
            Fault::Spike => injected.spikes(series, &mut chance, (n / 150).max(4)),
            Fault::Sentinel => {
                let code = CODES[chance.below(CODES.len())];
                injected.runs(&mut chance, (n / 300).max(4), [1, 3], |_| Some(code));
            }
            Fault::Missing => injected.runs(&mut chance, n / 40, [1, 1], |_| None),
            Fault::Gap => injected.runs(&mut chance, (n / 1500).max(2), [5, 60], |_| None),
            Fault::Unit => {
                let fahrenheit = |value: f64| Some(value * 1.8 + 32.0);
                injected.runs(&mut chance, (n / 1500).max(3), [1, 10], fahrenheit);
            }
            Fault::Shift => injected.shift(series, &mut chance),
            Fault::Healthy => {}
        }
        injected
    }

    /// Places of `count` runs, behind what is learned.
    fn runs(
        &mut self,
        chance: &mut Chance,
        count: usize,
        [len_min, len_max]: [usize; 2],
        change: impl Fn(f64) -> Option<f64>,
    ) {
        for _ in 0..count {
            let from = BENCH_LEARNED + chance.below(self.truth.len() - BENCH_LEARNED - len_max - 5);
            for at in from..from + len_min + chance.below(len_max - len_min + 1) {
                self.sent[at] = change(self.truth[at]);
                self.is_faulty[at] = self.sent[at] != Some(self.truth[at]);
            }
        }
    }

    fn spikes(&mut self, series: &Series, chance: &mut Chance, count: usize) {
        for _ in 0..count {
            let at = BENCH_LEARNED + chance.below(self.truth.len() - BENCH_LEARNED - 6);
            let size = f64::max(
                chance.between(6.0, 30.0) * series.step,
                chance.between(0.5, 3.0) * series.deviation,
            );
            self.sent[at] = Some(self.truth[at] + chance.sign() * size);
            self.is_faulty[at] = true;
        }
    }

    /// A move to another level that is possible for this sensor.
    fn shift(&mut self, series: &Series, chance: &mut Chance) {
        let at = BENCH_LEARNED + chance.below(self.truth.len() - BENCH_LEARNED - 6);
        let behind = &mut self.truth[at..];
        let min = behind.iter().copied().fold(f64::INFINITY, f64::min);
        let max = behind.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = [series.range[0] - min, series.range[1] - max];
        let wanted = chance.sign() * chance.between(1.0, 3.0) * series.deviation;
        let fits = |by: f64| (room[0]..=room[1]).contains(&by);
        let widest = if room[1] > -room[0] { room[1] } else { room[0] };
        let by = [wanted, -wanted]
            .into_iter()
            .find(|by| fits(*by))
            .unwrap_or(0.9 * widest);
        behind.iter_mut().for_each(|value| *value += by);
        self.sent = self.truth.iter().copied().map(Some).collect();
    }
}

/// Chance by a seed.
struct Chance(Pcg64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    fn between(&mut self, min: f64, max: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        min + (max - min) * unit
    }

    fn sign(&mut self) -> f64 {
        if self.0.next_u64() & 1 == 0 {
            1.0
        } else {
            -1.0
        }
    }
}
