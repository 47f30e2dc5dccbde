//! Drawings of the kinds of faults.

use super::page::{self, Mark, Panel, Series};
use super::{Drawing, SEED, START};
use crate::fault::FaultPlan;
use crate::observed::{Observed, Watch};
use crate::profile::Profile;
use crate::truth::Kind;

pub(super) fn draw() -> Vec<Drawing> {
    Kind::ALL.into_iter().filter_map(drawing).collect()
}

/// On what a fault is shown.
struct Scene {
    profile: &'static str,
    /// How long it is watched, s.
    seconds: f64,
    from_s: f64,
    for_s: f64,
    /// A sentence about the kind.
    about: &'static str,
    /// What is drawn below the values.
    below: Below,
}

/// What is drawn below the values.
#[derive(Clone, Copy)]
enum Below {
    Nothing,
    /// The second signal, too.
    Second,
    /// Messages that left the device in each 10 s.
    Rate,
    /// How much later a message's time is than that of the one before it.
    Advance,
    /// How old a value was when it was sent.
    Age,
    /// How far the device's clock was off, in a unit of so many ms.
    Clock(&'static str, f64),
}

/// A sentence about each kind.
const ABOUT: [(Kind, &str); 21] = [
    (Kind::Stuck, "The value stands still, to the last digit."),
    (
        Kind::Rail,
        "The value stands at the upper or lower end of its range.",
    ),
    (
        Kind::Drift,
        "An error that grows evenly, and is gone when the sensor is mended.",
    ),
    (
        Kind::DriftExp,
        "An error that grows ever faster: e⁴ times as fast at its end as at its beginning.",
    ),
    (Kind::Step, "A constant error."),
    (Kind::Spike, "One wild reading."),
    (Kind::NoiseBurst, "Noise far above the usual."),
    (
        Kind::Quiet,
        "The noise is gone: a fiftieth of the usual. The slow walk of the world goes on.",
    ),
    (
        Kind::ProbeOff,
        "The probe is off: −127, and once 85 when it is back and has not measured yet. Others send no number.",
    ),
    (
        Kind::UnitFlip,
        "The value comes in another unit: °F for °C, thousandths for the rest.",
    ),
    (
        Kind::CounterReset,
        "A meter begins again at 0, and never gets back what it lost.",
    ),
    (
        Kind::CounterRollover,
        "A meter loses its leading digit, as one whose register has one less.",
    ),
    (
        Kind::BatterySag,
        "The battery gives way; in the last third the device is silent, then it boots.",
    ),
    (
        Kind::Swapped,
        "Two signals of a device have each other's name.",
    ),
    (Kind::Gap, "Nothing is sent, nor kept for later."),
    (
        Kind::Duplicate,
        "Everything is sent twice, with one time and two sequences.",
    ),
    (
        Kind::OutOfOrder,
        "Each second message is kept back until the next one has gone.",
    ),
    (Kind::ClockSkew, "The device's clock runs 5 % too fast."),
    (Kind::ClockStep, "The device's clock is an hour ahead."),
    (
        Kind::Clock1970,
        "The device's clock begins at 1970, as after a boot without a battery.",
    ),
    (
        Kind::Backlog,
        "Messages are kept back, and all come at once when the network is there again.",
    ),
];

fn scene(kind: Kind) -> Scene {
    use Kind::*;
    let profile = match kind {
        Quiet => "tank-level",
        ProbeOff => "ds18b20",
        CounterReset | CounterRollover => "energy-counter",
        BatterySag => "battery-lora",
        Stuck | Rail | Drift | DriftExp | Step | Spike | NoiseBurst => "pt100-4-20ma",
        _ => "dht22",
    };
    let [seconds, from_s, for_s] = match kind {
        Spike => [600.0, 240.0, 1.0],
        CounterReset | CounterRollover => [14_400.0, 7200.0, 1200.0],
        BatterySag => [172_800.0, 57_600.0, 57_600.0],
        _ => [600.0, 240.0, 150.0],
    };
    let below = match kind {
        Swapped => Below::Second,
        Duplicate => Below::Rate,
        OutOfOrder => Below::Advance,
        ClockSkew => Below::Clock("s", 1000.0),
        ClockStep => Below::Clock("min", 60_000.0),
        Clock1970 => Below::Clock("years", 365.25 * 86_400_000.0),
        Backlog => Below::Age,
        _ => Below::Nothing,
    };
    let about = ABOUT.iter().find(|it| it.0 == kind).map_or("", |it| it.1);
    Scene {
        profile,
        seconds,
        from_s,
        for_s,
        about,
        below,
    }
}

fn drawing(kind: Kind) -> Option<Drawing> {
    let scene = scene(kind);
    let watch = Watch {
        profile: Profile::shipped(scene.profile).ok()?,
        device: format!("{}-0", scene.profile),
        seed: SEED,
        start: START,
        seconds: scene.seconds,
        plan: FaultPlan::default(),
    };
    let plain = watch.run();
    let faulty = watch
        .clone()
        .with_fault(kind, scene.from_s, scene.for_s, None)
        .run();
    let signal = signal_of(kind);
    let mut panels = Vec::new();
    if !kind.is_of_clock() {
        panels.push(values(&watch, &scene, kind, signal, &plain, &faulty));
    }
    panels.extend(below(&watch, &scene, kind, &plain, &faulty));
    let title = format!("{kind} ({})", scene.profile);
    Some(Drawing {
        file: format!("fault-{kind}.svg"),
        svg: page::write(&title, scene.about, &panels),
        title: kind.to_string(),
        about: scene.about.to_owned(),
    })
}

/// The signal that shows a fault best.
const fn signal_of(kind: Kind) -> usize {
    match kind {
        Kind::BatterySag => 2,
        _ => 0,
    }
}

/// What was sent beside what would have been sent, over the times at which it was measured.
fn values(
    watch: &Watch,
    scene: &Scene,
    kind: Kind,
    signal: usize,
    plain: &Observed,
    faulty: &Observed,
) -> Panel {
    let profile = &watch.profile.signal[signal];
    let gap_ms = (watch.profile.period_ms * 2.5) as i64;
    let is_of_messages = kind.is_of_device() && !matches!(kind, Kind::Swapped | Kind::BatterySag);
    let series = |mark, observed: &Observed| Series {
        mark,
        points: sorted(observed.of(signal).map(|it| (it.time - START, it.value))),
        gap_ms,
    };
    let mark = if is_of_messages {
        Mark::Dots
    } else {
        Mark::Line
    };
    let mut all = vec![series(mark, faulty)];
    // Where only messages go astray, the truth is what was sent.
    if !is_of_messages || kind == Kind::Gap {
        all.insert(0, series(Mark::Truth, plain));
    }
    panel(scene, faulty, (&profile.name, &profile.unit), all)
}

fn below(
    watch: &Watch,
    scene: &Scene,
    kind: Kind,
    plain: &Observed,
    faulty: &Observed,
) -> Option<Panel> {
    let dots = |name: &str, unit: &str, points: Vec<(i64, f64)>| {
        let series = Series {
            mark: Mark::Dots,
            points,
            gap_ms: 0,
        };
        Some(panel(scene, faulty, (name, unit), vec![series]))
    };
    let of_first = || faulty.of(0);
    match scene.below {
        Below::Nothing => None,
        Below::Second => Some(values(watch, scene, kind, 1, plain, faulty)),
        Below::Rate => {
            const BIN_MS: i64 = 10_000;
            let bins = (scene.seconds * 1000.0) as i64 / BIN_MS;
            let count = |bin: i64| {
                faulty
                    .of(0)
                    .filter(|it| (it.at - START) / BIN_MS == bin)
                    .count()
            };
            let points = (0..bins).map(|bin| (bin * BIN_MS + BIN_MS / 2, count(bin) as f64));
            dots("messages", "in 10 s", points.collect())
        }
        Below::Advance => {
            let pairs = of_first().zip(of_first().skip(1));
            let points =
                pairs.map(|(one, next)| (next.at - START, (next.time - one.time) as f64 / 1000.0));
            dots("time since the message before", "s", points.collect())
        }
        Below::Age => {
            let points = of_first().map(|it| (it.at - START, (it.at - it.time) as f64 / 1000.0));
            dots("age when sent", "s", points.collect())
        }
        Below::Clock(unit, unit_ms) => {
            let points = of_first().map(|it| (it.at - START, (it.time - it.at) as f64 / unit_ms));
            dots("device's clock ahead by", unit, points.collect())
        }
    }
}

fn panel(
    scene: &Scene,
    faulty: &Observed,
    (name, unit): (&str, &str),
    series: Vec<Series>,
) -> Panel {
    let shade = faulty.labels.first();
    Panel {
        name: name.to_owned(),
        unit: unit.to_owned(),
        span: [0, (scene.seconds * 1000.0) as i64],
        shades: shade
            .map(|it| [it.from_ms - START, it.until_ms - START])
            .into_iter()
            .collect(),
        series,
    }
}

fn sorted(points: impl Iterator<Item = (i64, f64)>) -> Vec<(i64, f64)> {
    let mut points: Vec<_> = points.collect();
    points.sort_by_key(|it| it.0);
    points
}
