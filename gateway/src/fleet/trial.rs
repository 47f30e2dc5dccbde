//! What a dry-run found, and how much of it a signed policy allows.

use core::fmt;

use serde::Serialize;

use super::document::Policy;
use super::reason::{Reason, Refusal};

/// What a dry-run found: the new plan on copies of the box as it is and as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Sensors that were looked at.
    pub sensors: u64,
    /// Alerts that are cleared at once, because their rule goes.
    pub alerts: u64,
    /// The last minutes under both plans; none: nothing changes for readings, or the journal could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Findings>,
}

/// The last minutes of the journal under the plan that holds and under the one that is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// How long it took when it happened, s.
    pub seconds: u64,
    /// Readings that were looked at.
    pub readings: u64,
    /// Of these, those that count in no average: bad, late, spikes and duplicates.
    pub dropped: Both,
    /// Alerts that were raised.
    pub alerts: Both,
}

/// A number under both plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Both {
    /// Under the plan that holds.
    pub now: u64,
    /// Under the plan that is to come.
    pub then: u64,
}

impl Both {
    const fn more(self) -> u64 {
        self.then.saturating_sub(self.now)
    }
}

impl Trial {
    /// Holds the trial against the policies, the strongest first: the first that says something of a number decides on it.
    ///
    /// # Errors
    /// [`Reason::DryRun`] with each number that is too high.
    pub fn check(&self, policies: &[Policy]) -> Result<(), Refusal> {
        let Some(journal) = self.journal else {
            return Ok(());
        };
        let dropped_max = policies.iter().find_map(|it| it.drop_percent_max);
        let alerts_max = policies.iter().find_map(|it| it.alerts_max);
        let mut objections = Vec::new();
        if let Some(max) = dropped_max
            && journal.dropped.more() * 100 > u64::from(max) * journal.readings
        {
            objections.push(format!("{max} % more dropped readings"));
        }
        if let Some(max) = alerts_max
            && journal.alerts.more() > u64::from(max)
        {
            objections.push(format!("{max} more alerts"));
        }
        if objections.is_empty() {
            return Ok(());
        }
        let text = format!("{self}; the policy allows {}", objections.join(" and "));
        Err(Refusal::whole(Reason::DryRun, text))
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.journal {
            None => write!(f, "nothing to compare in the journal"),
            Some(it) => write!(
                f,
                "of {} readings in {} s it would drop {} (now {}), and raise {} alerts (now {})",
                it.readings,
                it.seconds,
                Percent(it.dropped.then, it.readings),
                Percent(it.dropped.now, it.readings),
                it.alerts.then,
                it.alerts.now
            ),
        }
    }
}

/// A part of a whole.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 * 1_000 / self.1.max(1);
        write!(f, "{}.{} %", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(dropped: Both, alerts: Both) -> Trial {
        let journal = Findings {
            seconds: 60,
            readings: 1_000,
            dropped,
            alerts,
        };
        Trial {
            journal: Some(journal),
            ..Trial::default()
        }
    }

    fn check(trial: &Trial, policies: &[Policy], expected: Option<Reason>) {
        let found = trial.check(policies).err().map(|it| it.reason);
        assert_eq!(found, expected, "{trial} under {policies:?}");
    }

    #[test]
    fn what_is_dropped_or_raised_beyond_what_holds_is_held_against_the_policy() {
        let both = |now, then| Both { now, then };
        let five = Policy {
            drop_percent_max: Some(5),
            ..Policy::default()
        };
        check(&trial(both(0, 50), both(0, 9)), &[five], None);
        check(
            &trial(both(0, 51), both(0, 9)),
            &[five],
            Some(Reason::DryRun),
        );
        check(&trial(both(500, 550), both(0, 9)), &[five], None);
        check(&trial(both(500, 0), both(9, 0)), &[five], None);
        let calm = Policy {
            alerts_max: Some(2),
            ..Policy::default()
        };
        check(&trial(both(0, 999), both(3, 5)), &[calm], None);
        check(
            &trial(both(0, 0), both(3, 6)),
            &[calm],
            Some(Reason::DryRun),
        );
        check(&trial(both(0, 0), both(3, 6)), &[], None);
        check(&Trial::default(), &[five, calm], None);
    }

    #[test]
    fn the_strongest_layer_that_says_something_of_a_number_decides_on_it() {
        let strict = Policy {
            drop_percent_max: Some(0),
            alerts_max: Some(0),
            ..Policy::default()
        };
        let lax = Policy {
            drop_percent_max: Some(100),
            ..Policy::default()
        };
        let bad = trial(
            Both {
                now: 0,
                then: 1_000,
            },
            Both::default(),
        );
        check(&bad, &[lax, strict], None);
        check(&bad, &[strict, lax], Some(Reason::DryRun));
        let noisy = trial(Both::default(), Both { now: 0, then: 1 });
        check(&noisy, &[lax, strict], Some(Reason::DryRun));
    }

    #[test]
    fn the_text_says_how_much() {
        let text = trial(Both { now: 1, then: 32 }, Both { now: 0, then: 4 }).to_string();
        let expected =
            "of 1000 readings in 60 s it would drop 3.2 % (now 0.1 %), and raise 4 alerts (now 0)";
        assert_eq!(text, expected);
    }
}
