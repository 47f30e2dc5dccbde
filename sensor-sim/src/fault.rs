//! Which fault a sensor or a device has at a time: by order, or by seeded chance.

use crate::chance::Chance;
use crate::profile::{Profile, Signal, Source};
use crate::truth::{Kind, Label};

/// What shall go wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// Kinds that come by chance.
    pub kinds: Vec<Kind>,
    /// Mean time between two faults of a sensor, s.
    pub every_s: f64,
    /// Shortest and longest fault, s.
    pub lasts_s: [f64; 2],
    /// Faults by order.
    pub orders: Vec<Order>,
}

/// A fault by order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What.
    pub kind: Kind,
    /// Device, with `*` for any text.
    pub device: String,
    /// Signal, with `*` for any text; not looked at where the whole device has the fault.
    pub signal: String,
    /// When, s after the start.
    pub from_s: f64,
    /// For how long, s.
    pub for_s: f64,
    /// How large; the kind's usual size if absent.
    pub size: Option<f64>,
}

/// The faults of one signal, or of one device as a whole, one after the other.
#[derive(Clone, Debug)]
pub struct Course {
    /// In the order of their beginning; the first one is the next.
    ordered: std::collections::VecDeque<Label>,
    by_chance: Option<ByChance>,
    current: Option<Label>,
}

#[derive(Clone, Debug)]
struct ByChance {
    chance: Chance,
    sizes: Vec<(Kind, f64)>,
    every_ms: f64,
    lasts_ms: [f64; 2],
    period_ms: f64,
    next: Label,
}

impl Course {
    /// The faults of `signal` of `device`, or of the device as a whole, under `seed` from `start` (ms since the Unix epoch).
    #[must_use]
    pub fn new(
        plan: &FaultPlan,
        profile: &Profile,
        device: &str,
        signal: Option<&Signal>,
        seed: u64,
        start: i64,
    ) -> Self {
        let size = |kind| match signal {
            Some(signal) => size_of_signal(kind, signal),
            None => size_of_device(kind, profile),
        };
        let label = |kind, from_ms, until_ms, size| Label {
            device: device.to_owned(),
            signal: signal.map(|signal| signal.name.clone()),
            kind,
            from_ms,
            until_ms,
            size,
        };
        let mut ordered: Vec<Label> = plan
            .orders
            .iter()
            .filter(|order| order.kind.is_of_device() == signal.is_none())
            .filter(|order| is_like(&order.device, device))
            .filter(|order| signal.is_none_or(|signal| is_like(&order.signal, &signal.name)))
            .filter_map(|order| {
                let from_ms = start + (order.from_s * 1000.0) as i64;
                let until_ms = from_ms + (order.for_s * 1000.0) as i64;
                Some(label(
                    order.kind,
                    from_ms,
                    until_ms,
                    order.size.or_else(|| size(order.kind))?,
                ))
            })
            .collect();
        ordered.sort_by_key(|label| label.from_ms);
        let sizes: Vec<_> = plan
            .kinds
            .iter()
            .filter_map(|&kind| Some((kind, size(kind)?)))
            .collect();
        let by_chance = (!sizes.is_empty() && plan.every_s > 0.0).then(|| {
            let purpose = format!(
                "faults of {}",
                signal.map_or("the device", |signal| &signal.name)
            );
            let mut by_chance = ByChance {
                chance: Chance::new(seed, device, &purpose),
                sizes,
                every_ms: plan.every_s * 1000.0,
                lasts_ms: plan.lasts_s.map(|s| s * 1000.0),
                period_ms: profile.period_ms,
                next: label(Kind::Gap, start, start, 0.0),
            };
            by_chance.draw(start);
            by_chance
        });
        Self {
            ordered: ordered.into(),
            by_chance,
            current: None,
        }
    }

    /// The fault at `at`, which is not before the last time. A new one is also handed to `tell`.
    pub fn at(&mut self, at: i64, tell: &mut dyn FnMut(&Label)) -> Option<&Label> {
        if self
            .current
            .as_ref()
            .is_some_and(|label| label.until_ms <= at)
        {
            self.current = None;
        }
        if self.current.is_none() {
            self.current = self.next(at);
            if let Some(label) = &self.current {
                tell(label);
            }
        }
        self.current.as_ref()
    }

    fn next(&mut self, at: i64) -> Option<Label> {
        while let Some(label) = self.ordered.pop_front_if(|label| label.from_ms <= at) {
            if label.until_ms > at {
                return Some(label);
            }
        }
        let by_chance = self.by_chance.as_mut()?;
        // One that began and ended between two messages was seen by nobody.
        while by_chance.next.until_ms <= at {
            let over = by_chance.next.until_ms;
            by_chance.draw(over);
        }
        if by_chance.next.from_ms > at {
            return None;
        }
        let label = by_chance.next.clone();
        by_chance.draw(label.until_ms);
        Some(label)
    }
}

impl ByChance {
    /// Draws the next fault, which begins some time after `after`.
    fn draw(&mut self, after: i64) {
        let (kind, size) = self.sizes[self.chance.below(self.sizes.len())];
        let from_ms = after + self.chance.wait(self.every_ms).max(1.0) as i64;
        let [shortest, longest] = self.lasts_ms;
        let lasts = self.chance.between(shortest, longest);
        let lasts = if kind == Kind::Spike {
            self.period_ms
        } else {
            lasts.max(self.period_ms)
        };
        let (factor, is_negative) = (self.chance.between(0.7, 1.5), self.chance.unit() < 0.5);
        let sign = if is_negative && has_sign(kind) {
            -1.0
        } else {
            1.0
        };
        self.next.kind = kind;
        self.next.from_ms = from_ms;
        self.next.until_ms = from_ms + (lasts as i64).max(1);
        self.next.size = size * sign * factor;
    }
}

const fn has_sign(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Rail | Drift | DriftExp | Step | Spike | ClockSkew | ClockStep
    )
}

/// The usual size of a fault of `signal`; `None` if it can't have it.
fn size_of_signal(kind: Kind, signal: &Signal) -> Option<f64> {
    let usual = signal.usual();
    let is_counter = matches!(signal.source, Source::Counter(_));
    match kind {
        _ if kind.is_of_device() => None,
        Kind::CounterReset | Kind::CounterRollover => is_counter.then_some(1.0),
        Kind::Rail | Kind::UnitFlip | Kind::Stuck | Kind::Quiet | Kind::ProbeOff => Some(1.0),
        Kind::NoiseBurst => Some((signal.noise * 8.0).max(usual * 0.3)),
        Kind::Spike => Some(usual * 8.0),
        _ => Some(usual * 3.0),
    }
}

/// The usual size of a fault of a device; `None` if it can't have it.
fn size_of_device(kind: Kind, profile: &Profile) -> Option<f64> {
    match kind {
        _ if !kind.is_of_device() => None,
        Kind::Swapped => (profile.signal.len() >= 2).then_some(1.0),
        Kind::BatterySag => {
            let battery = profile
                .signal
                .iter()
                .find(|it| matches!(it.source, Source::Battery(_)));
            battery.map(|signal| signal.usual() * 4.0)
        }
        Kind::ClockSkew => Some(0.05),
        Kind::ClockStep => Some(3_600_000.0),
        _ => Some(1.0),
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dht22() -> Profile {
        Profile::shipped("dht22").unwrap()
    }

    fn labels(plan: &FaultPlan, signal: usize, seed: u64) -> Vec<Label> {
        let profile = dht22();
        let mut course = Course::new(plan, &profile, "d", Some(&profile.signal[signal]), seed, 0);
        let mut labels = Vec::new();
        for at in (0..10_000_000).step_by(2000) {
            course.at(at, &mut |label| labels.push(label.clone()));
        }
        labels
    }

    #[test]
    fn faults_by_chance_come_as_often_and_last_as_long_as_planned() {
        let kinds = vec![Kind::Stuck, Kind::Drift];
        let plan = FaultPlan {
            kinds,
            every_s: 100.0,
            lasts_s: [20.0, 40.0],
            orders: vec![],
        };
        let count: usize = (0..20).map(|seed| labels(&plan, 0, seed).len()).sum();
        assert!(
            (1450..=1630).contains(&count),
            "20 * 10000 s / (100 + 30) s is 1538, not {count}"
        );
        let count: usize = (0..20).map(|seed| labels(&plan, 0, seed).len()).sum();
        assert!(
            (1450..=1630).contains(&count),
            "20 * 10000 s / (100 + 30) s is 1538, not {count}"
        );
        let labels = labels(&plan, 0, 1);
        assert!(
            labels
                .windows(2)
                .all(|pair| pair[0].until_ms <= pair[1].from_ms)
        );
        for label in &labels {
            let lasts = label.until_ms - label.from_ms;
            assert!(
                (20_000..=40_000).contains(&lasts)
                    && label.signal.as_deref() == Some("temperature")
            );
        }
        let stuck = labels
            .iter()
            .filter(|label| label.kind == Kind::Stuck)
            .count();
        assert!((25..=55).contains(&stuck), "{stuck}");
    }

    #[test]
    fn a_signal_has_its_own_stream_of_faults() {
        let plan = FaultPlan {
            kinds: vec![Kind::Step],
            every_s: 100.0,
            lasts_s: [9.0; 2],
            orders: vec![],
        };
        assert_eq!(labels(&plan, 0, 1), labels(&plan, 0, 1));
        assert_ne!(
            labels(&plan, 0, 1)[0].from_ms,
            labels(&plan, 1, 1)[0].from_ms
        );
        assert_ne!(
            labels(&plan, 0, 1)[0].from_ms,
            labels(&plan, 0, 2)[0].from_ms
        );
    }

    #[test]
    fn a_fault_by_order_comes_when_it_was_ordered_and_where() {
        let order = Order {
            kind: Kind::Step,
            device: "d*".into(),
            signal: "humid*".into(),
            from_s: 60.0,
            for_s: 30.0,
            size: Some(7.0),
        };
        let plan = FaultPlan {
            orders: vec![order],
            ..FaultPlan::default()
        };
        assert_eq!(labels(&plan, 0, 1), []);
        let found = labels(&plan, 1, 1);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].from_ms, found[0].until_ms, found[0].size),
            (60_000, 90_000, 7.0)
        );
    }

    #[test]
    fn nobody_gets_a_fault_that_he_cannot_have() {
        let profile = dht22();
        let temperature = &profile.signal[0];
        assert_eq!(size_of_signal(Kind::CounterReset, temperature), None);
        assert_eq!(size_of_signal(Kind::Gap, temperature), None);
        assert_eq!(size_of_device(Kind::Stuck, &profile), None);
        assert_eq!(size_of_device(Kind::BatterySag, &profile), None);
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::BatterySag)
        {
            let counter = &Profile::shipped("energy-counter").unwrap().signal[0];
            let size = size_of_signal(kind, counter).or_else(|| size_of_device(kind, &profile));
            assert!(size.is_some_and(|size| size > 0.0), "{kind}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "x"),
            ("a*", "a"),
            ("a*c", "abc"),
            ("*b*", "abc"),
            ("a*b*d", "aXbYd"),
        ] {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "x"),
            ("a*", "ba"),
            ("a*c", "ab"),
            ("*b*", "ac"),
            ("a*b*d", "aXd"),
            ("ab", "abc"),
        ] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }
}
