//! The physics of one signal: what happens in the world, and what a sensor makes of it.

use core::f64::consts::TAU;

use crate::chance::Chance;
use crate::profile::{Band, Battery, Counter, Cycle, Signal, Source, Switch};

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: i64 = 86_400_000;

/// Turns of a switch that are followed one by one; who sleeps longer begins anew.
const TURNS_MAX: u32 = 10_000;

/// What a fault does to the sensor itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    /// Added to what is sent, before it is rounded.
    pub add: f64,
    /// Factor on the noise.
    pub noise: f64,
    /// Factor on the slow random walk.
    pub wander: f64,
}

impl Default for Disturbance {
    fn default() -> Self {
        Self {
            add: 0.0,
            noise: 1.0,
            wander: 1.0,
        }
    }
}

/// A signal of one device, with the state of its physics.
#[derive(Clone, Debug)]
pub struct Channel {
    signal: Signal,
    chance: Chance,
    world: World,
    wander: f64,
    lagged: Option<f64>,
    measured_at: i64,
}

/// The source with its state.
#[derive(Clone, Debug)]
enum World {
    /// A shift of this device against the others.
    Cycle { cycle: Cycle, shift: f64 },
    /// Where in its cycle it began, 0 to 1, and when.
    Band { band: Band, phase: f64, since: i64 },
    Switch {
        switch: Switch,
        is_on: bool,
        until: i64,
    },
    Counter {
        counter: Counter,
        start: f64,
        since: i64,
    },
    Battery {
        battery: Battery,
        used: f64,
        since: i64,
    },
}

impl Channel {
    /// The signal of `device` under `seed`, which is first measured at `at` (ms since the Unix epoch).
    #[must_use]
    pub fn new(signal: &Signal, device: &str, seed: u64, at: i64) -> Self {
        let mut chance = Chance::new(seed, device, &signal.name);
        let world = World::new(signal, &mut chance, at);
        let wander = signal
            .wander
            .map_or(0.0, |wander| wander.size * chance.normal());
        Self {
            signal: signal.clone(),
            chance,
            world,
            wander,
            lagged: None,
            measured_at: at,
        }
    }

    /// What this is a signal of.
    #[must_use]
    pub const fn signal(&self) -> &Signal {
        &self.signal
    }

    /// What the sensor says at `at`, which is not before the last time.
    pub fn measure(&mut self, at: i64, disturbance: Disturbance) -> f64 {
        let passed_s = (at - self.measured_at).max(0) as f64 / 1000.0;
        self.measured_at = at;
        self.drift_about(passed_s);
        let world = self.world.at(&mut self.chance, at);
        let wander = self.wander * disturbance.wander * self.world.wander_share();
        let world = world + wander;
        let followed = self.follow(world, passed_s);
        let scaled = self.signal.scale.map_or(followed, |scale| {
            let [low, high] = scale.to;
            low + (high - low) * (followed - scale.from[0]) / (scale.from[1] - scale.from[0])
        });
        // Noise is drawn even where there is none, so that a fault leaves the rest of the stream as it is.
        let noise = self.chance.normal() * self.signal.noise * disturbance.noise;
        self.convert(scaled + noise + disturbance.add)
    }

    /// What the converter makes of an exact value: a multiple of its step, between the rails.
    #[must_use]
    pub fn convert(&self, exact: f64) -> f64 {
        let [low, high] = self.signal.range;
        round_to(exact, self.signal.step).clamp(low, high)
    }

    fn drift_about(&mut self, passed_s: f64) {
        let Some(wander) = self.signal.wander else {
            return;
        };
        let kept = libm::exp(-passed_s / wander.time_s);
        let fresh = (1.0 - kept * kept).max(0.0).sqrt();
        self.wander = self.wander * kept + wander.size * fresh * self.chance.normal();
    }

    fn follow(&mut self, world: f64, passed_s: f64) -> f64 {
        let followed = match self.lagged {
            Some(before) if self.signal.lag_s > 0.0 => {
                world + (before - world) * libm::exp(-passed_s / self.signal.lag_s)
            }
            _ => world,
        };
        self.lagged = Some(followed);
        followed
    }
}

impl World {
    fn new(signal: &Signal, chance: &mut Chance, at: i64) -> Self {
        let since = at;
        match signal.source {
            Source::Cycle(cycle) => Self::Cycle {
                cycle,
                shift: 0.3 * signal.usual() * chance.normal(),
            },
            Source::Band(band) => Self::Band {
                band,
                phase: chance.unit(),
                since,
            },
            Source::Switch(switch) => {
                let is_on = chance.unit() < switch.on_s / (switch.on_s + switch.off_s);
                let mean_s = if is_on { switch.on_s } else { switch.off_s };
                Self::Switch {
                    switch,
                    is_on,
                    until: at + wait_ms(chance, mean_s),
                }
            }
            Source::Counter(counter) => {
                let start = counter.start + counter.per_h * chance.between(0.0, 1000.0);
                Self::Counter {
                    counter,
                    start,
                    since,
                }
            }
            Source::Battery(battery) => Self::Battery {
                battery,
                used: chance.between(0.0, 0.9),
                since,
            },
        }
    }

    fn at(&mut self, chance: &mut Chance, at: i64) -> f64 {
        let hours_since = |since: i64| (at - since) as f64 / HOUR_MS;
        match self {
            Self::Cycle { cycle, shift } => cycle.at(at) + *shift,
            Self::Band { band, phase, since } => band.after(*phase, hours_since(*since)),
            Self::Switch {
                switch,
                is_on,
                until,
            } => {
                let mut turns = 0;
                while *until <= at {
                    *is_on = !*is_on;
                    let from = if turns < TURNS_MAX { *until } else { at };
                    *until =
                        from + wait_ms(chance, if *is_on { switch.on_s } else { switch.off_s });
                    turns += 1;
                }
                if *is_on { switch.on } else { switch.off }
            }
            Self::Counter {
                counter,
                start,
                since,
            } => counter.between(*start, *since, at),
            Self::Battery {
                battery,
                used,
                since,
            } => battery.volts(*used + hours_since(*since) / battery.hours),
        }
    }
}

impl World {
    /// How much of the wander there is now.
    const fn wander_share(&self) -> f64 {
        match self {
            Self::Switch {
                switch,
                is_on: false,
                ..
            } => switch.off_wander,
            _ => 1.0,
        }
    }
}

impl Cycle {
    fn at(&self, at: i64) -> f64 {
        let swing = self.daily * libm::cos(TAU * (hour_of_day(at) - self.peak_hour) / 24.0);
        self.mean + swing + self.weekend * weekend_share(at)
    }
}

impl Band {
    /// Where it is some hours after it was at `phase` (0 to 1) of its cycle, which begins at the lower end.
    fn after(&self, phase: f64, hours: f64) -> f64 {
        let height = self.high - self.low;
        let (rise_h, fall_h) = (height / self.rise_per_h, height / self.fall_per_h);
        let passed = hours / (rise_h + fall_h) + phase;
        let in_cycle = (passed - passed.floor()) * (rise_h + fall_h);
        if in_cycle < rise_h {
            self.low + self.rise_per_h * in_cycle
        } else {
            self.high - self.fall_per_h * (in_cycle - rise_h)
        }
    }
}

impl Counter {
    fn between(&self, start: f64, since: i64, at: i64) -> f64 {
        let hours = (at - since) as f64 / HOUR_MS;
        // The integral of 1 + daily * cos(hour of day - 12).
        let swing = |at| libm::sin(TAU * (hour_of_day(at) - 12.0) / 24.0) * 24.0 / TAU;
        let count = start + self.per_h * (hours + self.daily * (swing(at) - swing(since)));
        self.rollover
            .map_or(count, |end| count - (count / end).floor() * end)
    }
}

impl Battery {
    /// The voltage after `used` lives, each of which begins with a full one.
    fn volts(&self, used: f64) -> f64 {
        let used = used - used.floor();
        let square = used * used;
        let steep = square * square * square * square;
        self.full - (self.full - self.empty) * (0.3 * used + 0.7 * steep)
    }
}

fn wait_ms(chance: &mut Chance, mean_s: f64) -> i64 {
    // A switch never turns twice within a ms, or following it would not end.
    ((chance.wait(mean_s) * 1000.0) as i64).max(1)
}

fn hour_of_day(at: i64) -> f64 {
    at.rem_euclid(DAY_MS) as f64 / HOUR_MS
}

/// How much of a weekend it is, 0 to 1: a house takes hours to cool down on Saturday, and to warm up on Monday.
fn weekend_share(at: i64) -> f64 {
    /// Hours from one to the other.
    const TURN_H: f64 = 8.0;
    // The epoch began on a Thursday.
    let day = (at.div_euclid(DAY_MS) + 3).rem_euclid(7);
    let turned = (hour_of_day(at) / TURN_H).min(1.0);
    match day {
        0 => 1.0 - turned,
        5 => turned,
        6 => 1.0,
        _ => 0.0,
    }
}

/// `value` as a multiple of `step`, as near to the decimal number as a float can be; 0 leaves it as it is.
#[must_use]
pub fn round_to(value: f64, step: f64) -> f64 {
    if step <= 0.0 {
        return value;
    }
    let parts = (1.0 / step).round();
    // 0.1 is no binary number, but 10 is: dividing by it gives the float nearest to the decimal.
    if (parts * step - 1.0).abs() < 1e-9 {
        (value * parts).round() / parts
    } else {
        (value / step).round() * step
    }
}

#[cfg(test)]
mod tests;
