//! One signal of a device: what its sensor says, and what a fault makes of that.

use super::Recipe;
use crate::chance::Chance;
use crate::fault::Course;
use crate::profile::{Signal, Source};
use crate::signal::{Channel, Disturbance, round_to};
use crate::truth::{Kind, Label};

/// A signal with its faults.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    channel: Channel,
    course: Course,
    chance: Chance,
    last: Option<f64>,
    /// What a counter has lost so far.
    lost: f64,
    fault_since: i64,
}

impl Measured {
    /// `signal` of `device`.
    pub(super) fn new(signal: &Signal, device: &str, recipe: &Recipe) -> Self {
        let Recipe {
            profile,
            plan,
            seed,
            start,
            ..
        } = recipe;
        Self {
            channel: Channel::new(signal, device, *seed, *start),
            course: Course::new(plan, profile, device, Some(signal), *seed, *start),
            chance: Chance::new(*seed, device, &format!("fault noise of {}", signal.name)),
            last: None,
            lost: 0.0,
            fault_since: i64::MIN,
        }
    }

    /// What it says at `at`, with its own faults and those of its device.
    pub(super) fn measure(
        &mut self,
        at: i64,
        period_ms: i64,
        of_device: Option<&Label>,
        tell: &mut dyn FnMut(&Label),
    ) -> f64 {
        let fault = self.course.at(at, tell);
        let disturbance = disturbance(
            fault.or(of_device),
            self.channel.signal(),
            &mut self.chance,
            at,
        );
        let mut plain = self.channel.measure(at, disturbance);
        if self.lost > 0.0 {
            plain = self.channel.convert(plain - self.lost);
        }
        let value = match fault {
            Some(fault) => {
                let is_new = self.fault_since != fault.from_ms;
                self.fault_since = fault.from_ms;
                faulty(
                    fault,
                    &self.channel,
                    plain,
                    self.last,
                    &mut self.lost,
                    is_new,
                )
            }
            None => plain,
        };
        let is_last = fault
            .is_some_and(|fault| fault.kind == Kind::ProbeOff && at + period_ms >= fault.until_ms);
        let value = self
            .channel
            .signal()
            .power_up
            .filter(|_| is_last)
            .unwrap_or(value);
        self.last = Some(value);
        value
    }
}

/// What `fault` does before the value is converted.
fn disturbance(
    fault: Option<&Label>,
    signal: &Signal,
    chance: &mut Chance,
    at: i64,
) -> Disturbance {
    let mut disturbance = Disturbance::default();
    let Some(fault) = fault else {
        return disturbance;
    };
    let share = (at - fault.from_ms) as f64 / (fault.until_ms - fault.from_ms).max(1) as f64;
    let growing = |steepness| libm::expm1(steepness * share) / libm::expm1(steepness);
    let is_battery = matches!(signal.source, Source::Battery(_));
    match fault.kind {
        Kind::Drift => disturbance.add = fault.size * share,
        Kind::DriftExp => disturbance.add = fault.size * growing(4.0),
        Kind::Step | Kind::Spike => disturbance.add = fault.size,
        Kind::NoiseBurst => disturbance.add = fault.size * chance.normal(),
        Kind::Quiet => disturbance.noise = 0.02,
        Kind::BatterySag if is_battery => disturbance.add = -fault.size * growing(2.0),
        _ => {}
    }
    disturbance
}

/// What `fault` makes of the value that the sensor would have sent.
fn faulty(
    fault: &Label,
    channel: &Channel,
    value: f64,
    last: Option<f64>,
    lost: &mut f64,
    is_new: bool,
) -> f64 {
    let signal = channel.signal();
    match fault.kind {
        Kind::Stuck => last.unwrap_or(value),
        Kind::Rail => signal.range[usize::from(fault.size >= 0.0)],
        Kind::ProbeOff => signal.disconnected.unwrap_or(f64::NAN),
        Kind::UnitFlip if signal.unit == "°C" => round_to(value * 1.8 + 32.0, signal.step),
        Kind::UnitFlip => round_to(value * 1000.0, signal.step * 1000.0),
        Kind::CounterReset | Kind::CounterRollover if is_new => {
            let register = libm::pow(10.0, libm::log10(value.max(1.0)).floor());
            let left = if fault.kind == Kind::CounterReset {
                0.0
            } else {
                value % register
            };
            *lost += value - left;
            channel.convert(left)
        }
        _ => value,
    }
}

/// Whether a fault is in its last third: a battery that gives way is empty then.
pub(super) fn is_in_last_third(fault: Option<&Label>, at: i64) -> bool {
    fault.is_some_and(|fault| 3 * (fault.until_ms - at) <= fault.until_ms - fault.from_ms)
}
