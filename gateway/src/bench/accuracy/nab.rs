//! The score of the Numenta Anomaly Benchmark, version 1.1 (Lavin and Ahmad 2015, arXiv:1510.03336).
//!
//! A labelled window counts once, by its earliest alarm; an alarm outside of all windows costs, the more the longer the last
//! window is past. The sum is told between 0, no alarm at all, and 100, an alarm in the first row of each window.

/// What a hit, a false alarm and a miss are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Profile {
    /// What the benchmark calls it.
    pub(super) name: &'static str,
    hit: f64,
    false_alarm: f64,
    miss: f64,
}

/// The three profiles of the benchmark.
pub(super) const PROFILES: [Profile; 3] = [
    Profile {
        name: "standard",
        hit: 1.0,
        false_alarm: 0.11,
        miss: 1.0,
    },
    Profile {
        name: "low FP",
        hit: 1.0,
        false_alarm: 0.22,
        miss: 1.0,
    },
    Profile {
        name: "low FN",
        hit: 1.0,
        false_alarm: 0.11,
        miss: 2.0,
    },
];

/// The rows of a file that are not scored, so that a detector may learn: this share, and no more than this many.
const LEARNING_SHARE: f64 = 0.15;
const LEARNING_ROWS_MAX: usize = 750;

/// What an alarm in a row is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Worth {
    /// Nothing: the detector learns.
    Learning,
    /// In the window of this number.
    Hit(usize, f64),
    /// In none.
    False(f64),
}

/// The labels of one file.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    rows: Vec<Worth>,
    windows: usize,
    windows_scored: usize,
}

/// What the alarms of some files came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    raw: f64,
    perfect: f64,
    null: f64,
    /// Windows with an alarm.
    pub(super) hits: usize,
    /// Windows.
    pub(super) windows: usize,
    /// Rows outside of all windows with an alarm.
    pub(super) false_alarms: usize,
}

impl Labels {
    /// Labels of a file with so many rows; a window is its first and last row, in order.
    #[must_use]
    pub(super) fn new(rows: usize, windows: &[(usize, usize)]) -> Self {
        let learning = ((LEARNING_SHARE * rows as f64) as usize).min(LEARNING_ROWS_MAX);
        let mut worths = Vec::with_capacity(rows);
        for row in 0..rows {
            let inside = windows
                .iter()
                .position(|(first, last)| (*first..=*last).contains(&row));
            let before = windows.iter().rfind(|(_, last)| *last < row);
            worths.push(match (inside, before) {
                _ if row < learning => Worth::Learning,
                (Some(window), _) => {
                    let (first, last) = windows[window];
                    let place = (last - row + 1) as f64 / (last - first + 1) as f64;
                    Worth::Hit(window, sigmoid(-place) / sigmoid(-1.0))
                }
                (None, Some((first, last))) => {
                    Worth::False(sigmoid((row - last) as f64 / (last - first) as f64))
                }
                (None, None) => Worth::False(-1.0),
            });
        }
        let scored = (0..windows.len()).filter(|window| {
            worths
                .iter()
                .any(|worth| matches!(worth, Worth::Hit(of, _) if of == window))
        });
        Self {
            windows_scored: scored.count(),
            rows: worths,
            windows: windows.len(),
        }
    }

    /// Whether an alarm in this row counts: the first ones are for learning.
    #[must_use]
    pub(super) fn is_scored(&self, row: usize) -> bool {
        self.rows
            .get(row)
            .is_some_and(|worth| *worth != Worth::Learning)
    }

    /// The score of the rows with an alarm.
    #[must_use]
    pub(super) fn score(&self, profile: Profile, alarms: impl IntoIterator<Item = usize>) -> Score {
        let mut best: Vec<Option<f64>> = vec![None; self.windows];
        let mut score = Score {
            raw: 0.0,
            perfect: profile.hit * self.windows as f64,
            null: -profile.miss * self.windows_scored as f64,
            windows: self.windows,
            ..Score::default()
        };
        for row in alarms {
            match self.rows[row] {
                Worth::Learning => {}
                Worth::Hit(window, worth) => {
                    best[window] = Some(best[window].unwrap_or(f64::MIN).max(worth))
                }
                Worth::False(worth) => {
                    score.raw += profile.false_alarm * worth;
                    score.false_alarms += 1;
                }
            }
        }
        score.hits = best.iter().flatten().count();
        let hits: f64 = best.iter().flatten().map(|worth| profile.hit * worth).sum();
        score.raw += hits - profile.miss * (self.windows_scored - score.hits) as f64;
        score
    }
}

impl Score {
    /// Between 0 for no alarm at all and 100 for an alarm in the first row of each window, and none else.
    #[must_use]
    pub(super) fn normalised(&self) -> f64 {
        100.0 * (self.raw - self.null) / (self.perfect - self.null)
    }
}

impl core::iter::Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |sum, score| Self {
            raw: sum.raw + score.raw,
            perfect: sum.perfect + score.perfect,
            null: sum.null + score.null,
            hits: sum.hits + score.hits,
            windows: sum.windows + score.windows,
            false_alarms: sum.false_alarms + score.false_alarms,
        })
    }
}

fn sigmoid(place: f64) -> f64 {
    if place > 3.0 {
        -1.0
    } else {
        2.0 / (1.0 + (5.0 * place).exp()) - 1.0
    }
}
