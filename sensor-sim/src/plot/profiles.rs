//! Drawings of the kinds of devices.

use super::page::{self, Mark, Panel, Series};
use super::{Drawing, SEED, START};
use crate::fault::FaultPlan;
use crate::observed::Watch;
use crate::profile::{Profile, Signal, Source};

const HOUR_S: f64 = 3600.0;

pub(super) fn draw() -> Vec<Drawing> {
    Profile::shipped_names()
        .filter_map(|name| Some(drawing(name, &Profile::shipped(name).ok()?)))
        .collect()
}

fn drawing(name: &str, profile: &Profile) -> Drawing {
    let panels: Vec<_> = (0..profile.signal.len())
        .map(|at| panel(name, profile, at))
        .collect();
    Drawing {
        file: format!("profile-{name}.svg"),
        title: name.to_owned(),
        about: profile.about.clone(),
        svg: page::write(name, &profile.about, &panels),
    }
}

fn panel(name: &str, profile: &Profile, at: usize) -> Panel {
    let signal = &profile.signal[at];
    let seconds = cycle_s(signal);
    let watch = Watch {
        profile: profile.clone(),
        device: format!("{name}-0"),
        seed: SEED,
        start: START,
        seconds,
        plan: FaultPlan::default(),
    };
    let observed = watch.run();
    Panel {
        name: signal.name.clone(),
        unit: signal.unit.clone(),
        span: [0, (seconds * 1000.0) as i64],
        shades: Vec::new(),
        series: vec![Series {
            mark: Mark::Line,
            points: observed
                .of(at)
                .map(|it| (it.at - START, it.value))
                .collect(),
            gap_ms: i64::MAX,
        }],
    }
}

/// The span that shows what a signal does, s.
fn cycle_s(signal: &Signal) -> f64 {
    match signal.source {
        Source::Cycle(cycle) if cycle.weekend != 0.0 => 7.0 * 24.0 * HOUR_S,
        Source::Cycle(_) => 2.0 * 24.0 * HOUR_S,
        Source::Band(band) => {
            let height = band.high - band.low;
            4.0 * HOUR_S * (height / band.rise_per_h + height / band.fall_per_h)
        }
        Source::Switch(switch) => 8.0 * (switch.off_s + switch.on_s),
        Source::Counter(_) => 2.0 * 24.0 * HOUR_S,
        // Two lives, so that the change of the battery is seen.
        Source::Battery(battery) => 2.0 * HOUR_S * battery.hours,
    }
}
