//! What is expected: `metric`, `metric(argument)`, a comparison, a number with its unit.

use core::fmt;

use crate::truth::Kind;

/// What a metric counts, and so which units its limit may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// A count; no unit.
    Count,
    /// A time, kept in ms; the unit must be written.
    Time,
    /// A share; no unit, or %.
    Share,
    /// A number; no unit.
    Number,
}

/// What may stand in the parentheses behind a metric; without it, all are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A phase.
    Phase,
    /// A kind of fault.
    Kind,
    /// Who received: `mqtt` or `kafka`.
    Witness,
}

/// Something that is measured in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What may stand in parentheses.
    pub argument: Argument,
    /// What it counts.
    pub quantity: Quantity,
}

const fn metric(name: &'static str, argument: Argument, quantity: Quantity) -> Metric {
    Metric {
        name,
        argument,
        quantity,
    }
}

/// All metrics.
pub const METRICS: [Metric; 27] = {
    use Argument as A;
    use Quantity::{Count, Number, Share, Time};
    [
        metric("sent", A::Phase, Count),
        metric("acknowledged", A::Phase, Count),
        metric("unacknowledged", A::Phase, Count),
        metric("resent", A::Phase, Count),
        metric("connects", A::Phase, Count),
        metric("disconnects", A::Phase, Count),
        metric("faults", A::Phase, Count),
        metric("rate", A::Phase, Number),
        metric("cpu", A::Phase, Number),
        metric("p50", A::Phase, Time),
        metric("p90", A::Phase, Time),
        metric("p99", A::Phase, Time),
        metric("p99.9", A::Phase, Time),
        metric("p99.99", A::Phase, Time),
        metric("max", A::Phase, Time),
        metric("present", A::Witness, Count),
        metric("lost", A::Witness, Count),
        metric("doubled", A::Witness, Count),
        metric("reordered", A::Witness, Count),
        metric("changed", A::Witness, Count),
        metric("unexplained", A::Witness, Count),
        metric("alerts", A::None, Count),
        metric("precision", A::None, Share),
        metric("recall", A::Kind, Share),
        metric("delay-p50", A::Kind, Time),
        metric("delay-p95", A::Kind, Time),
        metric("false-alarms", A::None, Number),
    ]
};

/// How a value is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Longer ones first, or `<=` would be read as `<`.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

/// One expectation, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is measured.
    pub metric: Metric,
    /// Of which phase, kind or witness; of all together if absent.
    pub argument: Option<String>,
    comparison: Comparison,
    limit: f64,
    /// As it was written.
    text: String,
}

/// Why a line is no expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where, in bytes from the beginning.
    pub at: usize,
    pub reason: String,
}

impl Expectation {
    /// Reads an expectation of a scenario with these phases.
    pub(super) fn parse(text: &str, phases: &[&str]) -> Result<Self, Refusal> {
        let mut rest = Rest { text, at: 0 };
        let (at, name) = rest.take(|it| it.is_ascii_alphanumeric() || ".-_".contains(it));
        let metric = METRICS.into_iter().find(|metric| metric.name == name);
        let metric = metric.ok_or_else(|| {
            let names = METRICS.map(|metric| metric.name).join(", ");
            let reason = format!("no metric is called {name:?}; known are {names}");
            Refusal { at, reason }
        })?;
        let argument = match rest.skip("(") {
            true => Some(argument(metric, &mut rest, phases)?),
            false => None,
        };
        let found = COMPARISONS.into_iter().find(|(sign, _)| rest.skip(sign));
        let (_, comparison) = found
            .ok_or_else(|| rest.refuse("a comparison must stand here: =, !=, <, <=, > or >="))?;
        let limit = limit(metric, &mut rest)?;
        if !rest.is_over() {
            return Err(rest.refuse("nothing more may stand here"));
        }
        Ok(Self {
            metric,
            argument,
            comparison,
            limit,
            text: text.to_owned(),
        })
    }

    /// Whether a value is as expected. What was not measured is not.
    #[must_use]
    pub fn is_met(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| match self.comparison {
            Comparison::Equal => value == self.limit,
            Comparison::Unequal => value != self.limit,
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
            Comparison::Above => value > self.limit,
            Comparison::AtLeast => value >= self.limit,
        })
    }

    /// Whether alerts must be heard to tell.
    #[must_use]
    pub fn is_about_alerts(&self) -> bool {
        matches!(
            self.metric.name,
            "alerts" | "precision" | "recall" | "delay-p50" | "delay-p95" | "false-alarms"
        )
    }

    /// A value with its unit, for people.
    #[must_use]
    pub fn told(&self, value: Option<f64>) -> String {
        match (value, self.metric.quantity) {
            (None, _) => "not measured".to_owned(),
            (Some(value), Quantity::Count) => format!("{value:.0}"),
            (Some(value), Quantity::Number) => format!("{value:.2}"),
            (Some(value), Quantity::Share) => format!("{:.1} %", value * 100.0),
            (Some(value), Quantity::Time) if value >= 1000.0 => format!("{:.2} s", value / 1000.0),
            (Some(value), Quantity::Time) => format!("{value:.2} ms"),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn argument(metric: Metric, rest: &mut Rest<'_>, phases: &[&str]) -> Result<String, Refusal> {
    let (at, word) = rest.take(|it| it != ')');
    let word = word.trim_end();
    let refuse = |reason: String| Err(Refusal { at, reason });
    match metric.argument {
        Argument::None => return refuse(format!("{} takes no argument", metric.name)),
        Argument::Phase if !phases.contains(&word) => {
            return refuse(format!(
                "no phase is called {word:?}; there are {}",
                phases.join(", ")
            ));
        }
        Argument::Kind => {
            if let Err(error) = word.parse::<Kind>() {
                return refuse(error.to_string());
            }
        }
        Argument::Witness if !["mqtt", "kafka"].contains(&word) => {
            return refuse(format!("{word:?} receives nothing; write mqtt or kafka"));
        }
        Argument::Phase | Argument::Witness => {}
    }
    if rest.skip(")") {
        Ok(word.to_owned())
    } else {
        Err(rest.refuse("the parenthesis is not closed"))
    }
}

fn limit(metric: Metric, rest: &mut Rest<'_>) -> Result<f64, Refusal> {
    let (at, number) = rest.take(|it| it.is_ascii_digit() || it == '.');
    let number: f64 = number.parse().map_err(|_| Refusal {
        at,
        reason: "a number must stand here".to_owned(),
    })?;
    let (at, unit) = rest.take(|it| it.is_alphabetic() || it == '%' || it == 'µ');
    let scale = match metric.quantity {
        Quantity::Time => time_ms(unit).filter(|_| !unit.is_empty() || number == 0.0),
        Quantity::Share if unit == "%" => Some(0.01),
        _ => unit.is_empty().then_some(1.0),
    };
    let allowed = match metric.quantity {
        Quantity::Time => "a time: us, ms, s, m or h",
        Quantity::Share => "a share: no unit, or %",
        Quantity::Count | Quantity::Number => "a number without a unit",
    };
    let scale = scale.ok_or_else(|| Refusal {
        at,
        reason: format!("{} is {allowed}", metric.name),
    })?;
    // 99 % are 0.99, but 99 times 0.01 is not.
    Ok(if unit == "%" {
        number / 100.0
    } else {
        number * scale
    })
}

/// A unit of time in ms; ms themselves if there is none.
pub(super) fn time_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "µs" => 0.001,
        "ms" | "" => 1.0,
        "s" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    })
}

/// What is not yet read.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn blank(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Reads as long as `fits`; gives where it began, too.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> (usize, &'a str) {
        self.blank();
        let from = self.at;
        let rest = &self.text[from..];
        self.at += rest.find(|it| !fits(it)).unwrap_or(rest.len());
        (from, &self.text[from..self.at])
    }

    fn skip(&mut self, word: &str) -> bool {
        self.blank();
        let is_there = self.text[self.at..].starts_with(word);
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    fn is_over(&mut self) -> bool {
        self.blank();
        self.at == self.text.len()
    }

    fn refuse(&self, reason: &str) -> Refusal {
        Refusal {
            at: self.at,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, met: &[f64], unmet: &[f64]) {
        let expectation = Expectation::parse(text, &["steady"]).unwrap();
        for (values, expected) in [(met, true), (unmet, false)] {
            for value in values {
                assert_eq!(
                    expectation.is_met(Some(*value)),
                    expected,
                    "{text}: {value}"
                );
            }
        }
        assert!(!expectation.is_met(None), "{text}");
    }

    #[test]
    fn values_are_compared_in_their_units() {
        check("lost = 0", &[0.0], &[1.0]);
        check("lost==0", &[0.0], &[1.0]);
        check("sent(steady) != 3", &[2.0], &[3.0]);
        check("p99 < 50ms", &[49.9], &[50.0]);
        check("p99 < 1.5 s", &[1499.0], &[1500.0]);
        check("p99.99( steady ) <= 500us", &[0.5], &[0.51]);
        check("max <= 0", &[0.0], &[0.1]);
        check("recall(stuck) > 0.99", &[1.0], &[0.99]);
        check("recall >= 99 %", &[0.99], &[0.989]);
        check("delay-p95(drift-exp) < 2m", &[119_999.0], &[120_000.0]);
        check("  false-alarms<=0.5  ", &[0.5], &[0.51]);
        check("lost(kafka) = 0", &[0.0], &[1.0]);
    }

    #[track_caller]
    fn check_refused(text: &str, at: usize, reason: &str) {
        let refusal = Expectation::parse(text, &["steady", "burst"]).unwrap_err();
        assert!(
            refusal.reason.contains(reason),
            "{text}: {}",
            refusal.reason
        );
        assert_eq!(refusal.at, at, "{text}: {}", refusal.reason);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        check_refused("lots = 0", 0, "known are sent, acknowledged");
        check_refused("", 0, "no metric is called \"\"");
        check_refused("sent(storm) > 1", 5, "there are steady, burst");
        check_refused("recall(stuk) > 1", 7, "\"stuk\" is no kind of fault");
        check_refused("lost(redis) = 0", 5, "mqtt or kafka");
        check_refused("alerts(x) = 0", 7, "takes no argument");
        check_refused("sent(steady > 1", 5, "no phase is called \"steady > 1\"");
        check_refused("lost 0", 5, "a comparison");
        check_refused("lost = none", 7, "a number");
        check_refused("p99 < 50", 8, "p99 is a time");
        check_refused("p99 < 50 kg", 9, "p99 is a time");
        check_refused("lost < 5 %", 9, "lost is a number");
        check_refused("lost = 0 ms", 9, "lost is a number");
        check_refused("lost = 0 0", 9, "nothing more");
        check_refused("µ = 0", 0, "no metric");
    }

    #[test]
    fn values_are_told_with_their_units() {
        let told = |text: &str, value| Expectation::parse(text, &[]).unwrap().told(value);
        assert_eq!(told("lost = 0", Some(3.0)), "3");
        assert_eq!(told("p99 < 1s", Some(12.345)), "12.35 ms");
        assert_eq!(told("p99 < 1s", Some(1234.5)), "1.23 s");
        assert_eq!(told("recall > 0.5", Some(0.75)), "75.0 %");
        assert_eq!(told("recall > 0.5", None), "not measured");
    }
}
