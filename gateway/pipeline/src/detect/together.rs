//! Several signals of one device, judged together: the size of their common departure from what they were at first.
//!
//! A multivariate EWMA chart (Lowry et al. 1992) with a diagonal covariance, which needs five numbers for each signal.

use super::chart::FAST;
use crate::limits::TOGETHER_MAX;
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// How a chart learns and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Rows from which the mean and the deviation of each signal are taken.
    pub base_rows: u32,
    /// Rows after that from which the spread of the averages is taken; none: as of independent values.
    pub spread_rows: u32,
    /// Rows after that from which the limit is taken; none: the limit is `limit`.
    pub limit_rows: u32,
    /// The limit itself, or how many deviations it is above the mean of the sizes' logarithms.
    pub limit: f64,
    /// Weight with which the centre follows, as long as all is well; 0 where slow wear is to be seen.
    pub follow: f64,
}

impl Course {
    /// For a machine that has a state to return to.
    pub const STEADY: Self = Self {
        base_rows: 160,
        spread_rows: 120,
        limit_rows: 120,
        limit: 3.0,
        follow: 0.02,
    };
    /// For a machine that wears out.
    pub const WEAR: Self = Self {
        base_rows: 30,
        spread_rows: 0,
        limit_rows: 0,
        limit: 8.0,
        follow: 0.0,
    };
}

/// A chart of up to `TOGETHER_MAX` signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Together {
    course: Course,
    rows: u32,
    signals: Vec<Signal, TOGETHER_MAX, u8>,
    /// Mean and mean square of the logarithms of the sizes, and of how many.
    log: Moments,
}

/// Mean and mean square of a distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    mean: f64,
    square: f64,
    count: u32,
}

impl Moments {
    fn push(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / f64::from(self.count);
        self.square += (before * (value - self.mean) - self.square) / f64::from(self.count);
    }

    fn deviation(&self) -> f64 {
        libm::sqrt(self.square)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Signal {
    base: Moments,
    average: f64,
    centre: f64,
    spread: Moments,
}

/// How a row stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Departure {
    /// Root mean square of the signals' departures; 0 while the chart learns.
    pub size: f64,
    /// Above it the row is unusual.
    pub limit: f64,
    /// The signal that departs most.
    pub signal: usize,
}

impl Departure {
    /// Size over limit.
    #[must_use]
    pub fn score(&self) -> f64 {
        if self.limit > 0.0 {
            self.size / self.limit
        } else {
            0.0
        }
    }
}

impl Together {
    /// A chart that has seen nothing.
    #[must_use]
    pub const fn new(course: Course) -> Self {
        Self {
            course,
            rows: 0,
            signals: Vec::new(),
            log: Moments {
                mean: 0.0,
                square: 0.0,
                count: 0,
            },
        }
    }

    /// Whether it has seen too few rows to judge.
    #[must_use]
    pub const fn is_learning(&self) -> bool {
        let course = &self.course;
        self.rows <= course.base_rows + course.spread_rows + course.limit_rows
    }

    /// One value of each signal, always in the same order; no number where there is none. Signals beyond `TOGETHER_MAX` do not
    /// count, and neither do those that never moved while the chart learned.
    pub fn push(&mut self, row: &[f64]) -> Departure {
        if self.signals.is_empty() {
            let len = row.len().min(TOGETHER_MAX);
            self.signals.resize_default(len).unwrap_or_default();
        }
        self.rows = self.rows.saturating_add(1);
        let Course {
            base_rows,
            spread_rows,
            limit_rows,
            ..
        } = self.course;
        if self.rows <= base_rows {
            let signals = self
                .signals
                .iter_mut()
                .zip(row)
                .filter(|(_, value)| value.is_finite());
            signals.for_each(|(signal, value)| signal.base.push(*value));
            return Departure::default();
        }
        for (signal, value) in self.signals.iter_mut().zip(row) {
            signal.follow(*value);
        }
        if self.rows <= base_rows + spread_rows {
            self.signals
                .iter_mut()
                .for_each(|signal| signal.spread.push(signal.average));
            return Departure::default();
        }
        if self.rows == base_rows + spread_rows + 1 {
            self.signals.iter_mut().for_each(Signal::settle);
        }
        let mut departure = self.departure();
        let learns = self.rows <= base_rows + spread_rows + limit_rows;
        if learns {
            self.log.push(libm::log(departure.size.max(1e-9)));
        } else {
            departure.limit = self.limit();
        }
        if self.course.follow > 0.0 && departure.score() < CALM {
            for signal in &mut self.signals {
                signal.centre += self.course.follow * (signal.average - signal.centre);
            }
        }
        if learns {
            Departure::default()
        } else {
            departure
        }
    }

    fn departure(&self) -> Departure {
        let (mut sum, mut count, mut most) = (0.0, 0u32, (0.0, 0));
        for (nth, signal) in self.signals.iter().enumerate() {
            let Some(departure) = signal.departure() else {
                continue;
            };
            sum += departure * departure;
            count += 1;
            if departure.abs() > most.0 {
                most = (departure.abs(), nth);
            }
        }
        Departure {
            size: libm::sqrt(sum / f64::from(count.max(1))),
            limit: 0.0,
            signal: most.1,
        }
    }

    fn limit(&self) -> f64 {
        match self.course.limit_rows {
            0 => self.course.limit,
            _ => libm::exp(self.log.mean + self.course.limit * self.log.deviation()),
        }
    }
}

/// Up to this score the centre follows.
const CALM: f64 = 1.3;

impl Signal {
    fn follow(&mut self, value: f64) {
        let deviation = self.base.deviation();
        if deviation > 0.0 && value.is_finite() {
            self.average += FAST * ((value - self.base.mean) / deviation - self.average);
        }
    }

    /// The centre and the spread are known from here on.
    fn settle(&mut self) {
        if self.spread.count == 0 {
            self.spread.square = FAST / (2.0 - FAST);
        }
        self.centre = self.spread.mean;
    }

    fn departure(&self) -> Option<f64> {
        let spread = self.spread.deviation();
        (self.base.square > 0.0 && spread > 0.0).then(|| (self.average - self.centre) / spread)
    }
}
