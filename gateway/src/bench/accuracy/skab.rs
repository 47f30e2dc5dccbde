//! The score of the Skoltech Anomaly Benchmark (waico/SKAB): rows and change points.

/// The first rows of a file are for learning and not scored.
pub(super) const LEARNING_ROWS: usize = 400;
/// A change point is found within this many ms.
const WINDOW_MS: i64 = 60_000;
/// What a hit at once, a false detection and a miss are worth.
const CHANGE_PROFILES: [[f64; 3]; 3] = [[1.0, -0.11, -1.0], [1.0, -0.22, -1.0], [1.0, -0.11, -2.0]];
/// Steps of the curve by which a hit is worth less the later it comes.
const CURVE_STEPS: f64 = 1000.0;

/// The truth and the verdict about the rows of a file behind the learning part.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    pub(super) times: Vec<i64>,
    pub(super) is_anomaly: Vec<bool>,
    pub(super) is_change: Vec<bool>,
    pub(super) is_alarm: Vec<bool>,
}

/// What the verdicts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    hits: f64,
    misses: f64,
    false_alarms: f64,
    rejections: f64,
    raw: [f64; 3],
    changes: f64,
}

impl Score {
    pub(super) fn add(&mut self, file: &Judged) {
        for (anomaly, alarm) in file.is_anomaly.iter().zip(&file.is_alarm) {
            *match (anomaly, alarm) {
                (true, true) => &mut self.hits,
                (true, false) => &mut self.misses,
                (false, true) => &mut self.false_alarms,
                (false, false) => &mut self.rejections,
            } += 1.0;
        }
        self.add_changes(file);
    }

    /// Each switch of the verdict is a detection of a change.
    fn add_changes(&mut self, file: &Judged) {
        let switched = |row: usize| file.is_alarm[row] != (row > 0 && file.is_alarm[row - 1]);
        let detections: Vec<i64> = (0..file.times.len())
            .filter(|row| switched(*row))
            .map(|row| file.times[row])
            .collect();
        let starts = file
            .times
            .iter()
            .zip(&file.is_change)
            .filter(|(_, change)| **change);
        let mut windows: Vec<(i64, i64)> =
            starts.map(|(time, _)| (*time, time + WINDOW_MS)).collect();
        for nth in 1..windows.len() {
            windows[nth].0 = windows[nth].0.max(windows[nth - 1].1);
        }
        let outside = detections.iter().filter(|time| {
            !windows
                .iter()
                .any(|(first, last)| (first..=last).contains(time))
        });
        let outside = outside.count() as f64;
        self.changes += windows.len() as f64;
        for (raw, [hit, wrong, miss]) in self.raw.iter_mut().zip(CHANGE_PROFILES) {
            *raw += wrong * outside;
            for (first, last) in &windows {
                let found = detections.iter().find(|time| (first..=last).contains(time));
                let worth = |time: &i64| {
                    worth(
                        (time - first) as f64 / (last - first).max(1) as f64,
                        hit,
                        wrong,
                    )
                };
                *raw += found.map_or(miss, worth);
            }
        }
    }

    /// Harmonic mean of precision and recall over rows.
    pub(super) fn f1(&self) -> f64 {
        self.hits / (self.hits + (self.misses + self.false_alarms) / 2.0)
    }

    /// Share of healthy rows with an alarm, %.
    pub(super) fn false_alarm_rate(&self) -> f64 {
        100.0 * self.false_alarms / (self.false_alarms + self.rejections)
    }

    /// Share of anomalous rows without an alarm, %.
    pub(super) fn missed_alarm_rate(&self) -> f64 {
        100.0 * self.misses / (self.misses + self.hits)
    }

    /// Change points between 0 for no detection and 100 for each at once: standard, low FP, low FN.
    pub(super) fn changes(&self) -> [f64; 3] {
        let mut told = self.raw;
        for (told, [hit, _, miss]) in told.iter_mut().zip(CHANGE_PROFILES) {
            *told = 100.0 * (*told - miss * self.changes) / ((hit - miss) * self.changes);
        }
        told
    }
}

fn worth(share: f64, hit: f64, wrong: f64) -> f64 {
    use core::f64::consts::{FRAC_PI_2, PI};
    let step = (share * CURVE_STEPS).floor().min(CURVE_STEPS - 1.0);
    let place = -FRAC_PI_2 + PI * step / (CURVE_STEPS - 1.0);
    (hit - wrong) / 2.0 * (1.0 - place.tanh() / FRAC_PI_2.tanh()) + wrong
}
