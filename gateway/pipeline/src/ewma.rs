//! The exponentially weighted moving average of values at irregular times.

use serde::{Deserialize, Serialize};

/// The average, and the event time of its last value.
///
/// A value that comes dt behind the last one has the weight 1 - e^(-dt / tau) (Eckner, "Algorithms for unevenly spaced time
/// series: moving averages", 2012), so that the result doesn't depend on how often a steady signal is sent. A value that
/// isn't newer than the last one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ewma {
    at: i64,
    pub(crate) mean: f64,
}

impl Ewma {
    pub(crate) const fn new(at: i64, value: f64) -> Self {
        Self { at, mean: value }
    }

    pub(crate) fn push(&mut self, at: i64, value: f64, tau_ms: u32) {
        if at <= self.at {
            return;
        }
        let step_ms = at.saturating_sub(self.at) as f64;
        let weight = -libm::expm1(-step_ms / f64::from(tau_ms));
        self.mean += weight * (value - self.mean);
        self.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_followed_by_63_percent_after_tau() {
        let mut ewma = Ewma::new(0, 0.0);
        ewma.push(1000, 1.0, 1000);
        assert!((ewma.mean - 0.632_120_558_828_557_7).abs() < 1e-15);
    }

    #[test]
    fn how_often_a_steady_value_is_sent_makes_no_difference() {
        let mut often = Ewma::new(0, 0.0);
        for at in (10..=1000).step_by(10) {
            often.push(at, 1.0, 700);
        }
        let mut once = Ewma::new(0, 0.0);
        once.push(1000, 1.0, 700);
        assert!((often.mean - once.mean).abs() < 1e-12);
    }

    #[test]
    fn an_older_value_changes_nothing() {
        let mut ewma = Ewma::new(1000, 5.0);
        ewma.push(1000, 99.0, 10);
        ewma.push(0, 99.0, 10);
        assert_eq!(ewma, Ewma::new(1000, 5.0));
    }
}
