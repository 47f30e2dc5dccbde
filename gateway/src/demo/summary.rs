//! What is left of the demo: the numbers, the verdict, and where to go next.

use super::ledger::Tally;
use super::picture::Picture;
use super::view::thousands;

/// The upstream's outages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outages {
    /// How many.
    pub(super) count: u64,
    /// How long in all, ms.
    pub(super) away_ms: u64,
    /// Most readings that waited on the disk.
    pub(super) waiting_max: u64,
}

/// What the run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// For how long the sensors sent, ms.
    pub(super) elapsed_ms: u64,
    /// What the upstream did.
    pub(super) outages: Outages,
    /// Memory of the whole process, bytes; absent where the system does not say.
    pub(super) memory_bytes: Option<u64>,
}

/// Whether the demo has kept its promise.
pub(super) fn is_kept(picture: &Picture) -> bool {
    let tally = picture.tally();
    tally.is_exactly_once()
        && tally.acknowledged > 0
        && picture.unreadable.is_none()
        && picture.gateway_ended.is_none()
}

/// The numbers and the verdict, as text for a person.
pub(super) fn summary(picture: &Picture, run: &Run) -> String {
    let mut lines = vec![
        String::new(),
        format!(" Tidegate demo: {}", verdict(picture)),
        String::new(),
    ];
    for (name, text) in facts(picture, run) {
        lines.push(format!("   {name:<14}{text}"));
    }
    lines.push(String::new());
    lines.push(NEXT.to_owned());
    lines.join("\n")
}

const NEXT: &str = "\
\x20Next: gateway/gateway.toml has every setting with its reason. Copy it, name
 your Kafka in it, and
   tidegate check --config gateway.toml
   tidegate run --config gateway.toml";

fn verdict(picture: &Picture) -> String {
    let tally = picture.tally();
    match (&picture.gateway_ended, &picture.unreadable) {
        (Some(why), _) => format!("FAILED, the gateway ended: {why}"),
        (None, Some(why)) => format!("FAILED, Kafka holds what nobody can read: {why}"),
        (None, None) if is_kept(picture) => {
            "every acknowledged reading is in Kafka, exactly once".into()
        }
        (None, None) if tally.acknowledged == 0 => "FAILED, nothing was acknowledged".into(),
        (None, None) => "FAILED, see below".into(),
    }
}

fn facts(picture: &Picture, run: &Run) -> Vec<(&'static str, String)> {
    let Tally {
        sent,
        acknowledged,
        delivered,
        missing,
        doubled,
        changed,
        unknown,
    } = picture.tally();
    let mut facts = vec![("sent", sent_fact(picture, sent, run.elapsed_ms))];
    let late = sent - acknowledged;
    let late = if late == 0 {
        String::new()
    } else {
        format!("; {late} were not: they may be in Kafka or not")
    };
    facts.push((
        "acknowledged",
        format!(
            "{}, each safe on disk before{late}",
            thousands(acknowledged)
        ),
    ));
    facts.push((
        "in Kafka",
        format!("{} ({})", thousands(delivered), qualities(picture)),
    ));
    facts.push(("missing", thousands(missing)));
    facts.push(("doubled", thousands(doubled)));
    facts.push(("changed", thousands(changed)));
    if unknown > 0 {
        facts.push(("never sent", thousands(unknown)));
    }
    facts.push(("alerts", alerts_fact(picture)));
    facts.push(("outage", outage_fact(run.outages)));
    if let Some(bytes) = run.memory_bytes {
        let mebibytes = bytes.div_ceil(1 << 20);
        facts.push((
            "memory",
            format!("{mebibytes} MiB: gateway, sensors, Kafka and view in one process"),
        ));
    }
    facts
}

fn sent_fact(picture: &Picture, sent: u64, elapsed_ms: u64) -> String {
    format!(
        "{} readings in {} messages by {} devices in {} s, QoS 1",
        thousands(sent),
        thousands(picture.messages),
        picture.devices.len(),
        elapsed_ms / 1000,
    )
}

fn qualities(picture: &Picture) -> String {
    let [_, uncertain, bad] = picture.qualities.map(thousands);
    format!("{uncertain} of uncertain quality; {bad} bad, in no average")
}

fn alerts_fact(picture: &Picture) -> String {
    let counts = picture.alert_counts;
    format!(
        "{} raised, {} cleared on MQTT; {} of {} in Kafka",
        counts.raised,
        counts.cleared,
        counts.delivered,
        counts.raised + counts.cleared
    )
}

fn outage_fact(outages: Outages) -> String {
    let Outages {
        count,
        away_ms,
        waiting_max,
    } = outages;
    let seconds = away_ms as f64 / 1000.0;
    match count {
        0 => "none: it ended too early for one".into(),
        1 => format!(
            "Kafka was away for {seconds:.1} s, up to {} readings waited on disk",
            thousands(waiting_max)
        ),
        _ => format!(
            "Kafka was away {count} times, {seconds:.1} s; up to {} readings waited on disk",
            thousands(waiting_max)
        ),
    }
}

#[cfg(test)]
mod tests {
    use wire::{Flags, Timestamp};

    use super::super::news::{Delivery, News, Sent};
    use super::super::site::devices;
    use super::super::view::COLUMNS;
    use super::*;

    const RUN: Run = Run {
        elapsed_ms: 60_000,
        outages: Outages {
            count: 1,
            away_ms: 15_000,
            waiting_max: 1_500,
        },
        memory_bytes: Some(40 << 20),
    };

    fn delivery(signal: &str, raw: f64) -> Delivery {
        let (device, signal) = ("furnace-1".into(), signal.into());
        Delivery {
            device,
            signal,
            time: Timestamp(1),
            raw: Some(raw),
            flags: Flags::default(),
        }
    }

    fn check(deliveries: Vec<Delivery>, kept: bool, expected: &[&str]) {
        let mut picture = Picture::new(&devices().expect("profiles"));
        let values = [818.0, 124.0].into();
        picture.apply(
            News::Sent(Sent {
                device: 0,
                time: Timestamp(1),
                values,
                is_repeat: false,
            }),
            0,
        );
        picture.apply(
            News::Acknowledged {
                device: 0,
                time: Timestamp(1),
            },
            0,
        );
        picture.apply(News::Delivered(deliveries), 0);
        let text = summary(&picture, &RUN);
        assert_eq!(is_kept(&picture), kept, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= COLUMNS),
            "{text}"
        );
        for part in expected {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn a_kept_promise_is_told_with_its_numbers() {
        let deliveries = vec![delivery("temperature", 818.0), delivery("current", 124.0)];
        let expected = [
            "exactly once",
            "missing       0",
            "doubled       0",
            "15.0 s",
            "1,500 readings",
            "40 MiB",
        ];
        check(deliveries, true, &expected);
    }

    #[test]
    fn a_broken_promise_is_told_too() {
        check(
            vec![delivery("temperature", 818.0)],
            false,
            &["FAILED", "missing       1"],
        );
        let doubled = || {
            vec![
                delivery("temperature", 818.0),
                delivery("current", 124.0),
                delivery("current", 124.0),
            ]
        };
        check(doubled(), false, &["FAILED", "doubled       1"]);
        let changed = vec![delivery("temperature", 818.5), delivery("current", 124.0)];
        check(changed, false, &["FAILED", "changed       1"]);
    }
}
