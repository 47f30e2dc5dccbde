//! One device: asked at a time, it gives the messages that it would send then, faults included.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::chance::Chance;
use crate::fault::{Course, FaultPlan};
use crate::limits::BACKLOG_MESSAGES_MAX;
use crate::profile::{Profile, Source};
use crate::signal::{Channel, Disturbance};
use crate::truth::{Kind, Label};

/// A message, before it is written as bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// Index of the signal; 0 if the message carries all signals.
    pub stream: usize,
    /// Counts the device's starts, from 1.
    pub boot: u32,
    /// Counts the device's messages, from 1.
    pub sequence: u32,
    /// Time by the device's clock, ms since the Unix epoch.
    pub time: i64,
    /// The values of the signals, in their order.
    pub values: &'a [f64],
    /// Whether it is the one before once more.
    pub is_repeat: bool,
}

/// A simulated device.
#[derive(Clone, Debug)]
pub struct Device {
    name: String,
    profile: Arc<Profile>,
    measured: Vec<Measured>,
    course: Course,
    schedule: Schedule,
    boot: u32,
    sequence: u32,
    turn: usize,
    clock: DeviceClock,
    held: VecDeque<Held>,
    values: Vec<f64>,
    fault: Option<(Kind, i64)>,
}

/// A signal with its faults.
#[derive(Clone, Debug)]
struct Measured {
    channel: Channel,
    course: Course,
    chance: Chance,
    last: Option<f64>,
    /// What a counter has lost so far.
    lost: f64,
    fault_since: i64,
}

/// A message that waits in the device.
#[derive(Clone, Debug)]
struct Held {
    stream: usize,
    time: i64,
    values: Box<[f64]>,
}

/// What a device is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its kind.
    pub profile: Arc<Profile>,
    /// What goes wrong.
    pub plan: Arc<FaultPlan>,
    /// The seed of all chance.
    pub seed: u64,
    /// When it starts, ms since the Unix epoch.
    pub start: i64,
    /// Messages each second; the profile's own rate if absent.
    pub rate_hz: Option<f64>,
    /// How often it has started before.
    pub boots: u32,
}

impl Device {
    /// The device `name`.
    #[must_use]
    pub fn new(name: &str, recipe: &Recipe) -> Self {
        let Recipe {
            profile,
            plan,
            seed,
            start,
            ..
        } = recipe;
        let measured = profile.signal.iter().map(|signal| Measured {
            channel: Channel::new(signal, name, *seed, *start),
            course: Course::new(plan, profile, name, Some(signal), *seed, *start),
            chance: Chance::new(*seed, name, &format!("fault noise of {}", signal.name)),
            last: None,
            lost: 0.0,
            fault_since: i64::MIN,
        });
        let has_clock_faults = plan.kinds.iter().any(|kind| kind.is_of_clock())
            || plan.orders.iter().any(|order| order.kind.is_of_clock());
        Self {
            name: name.to_owned(),
            measured: measured.collect(),
            course: Course::new(plan, profile, name, None, *seed, *start),
            schedule: Schedule::new(name, recipe),
            profile: Arc::clone(profile),
            boot: recipe.boots + 1,
            sequence: 0,
            turn: 0,
            clock: DeviceClock {
                last: vec![i64::MIN; profile.signal.len()],
                wrong: has_clock_faults.then(HashSet::new),
            },
            held: VecDeque::new(),
            values: Vec::new(),
            fault: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// When it next has something to send, µs after its start.
    #[must_use]
    pub fn due_us(&self) -> u64 {
        self.schedule.due_us
    }

    /// Lets the device do what is due, at `at` (ms since the Unix epoch, not before the last time). Its messages go to
    /// `send`, faults that begin to `tell`.
    pub fn tick(
        &mut self,
        at: i64,
        tell: &mut dyn FnMut(&Label),
        send: &mut dyn FnMut(&Message<'_>),
    ) {
        self.schedule.advance();
        let fault = self.course.at(at, tell).cloned();
        self.end_fault(fault.as_ref(), send);
        let mut stream = self.measure(at, fault.as_ref(), tell);
        if fault
            .as_ref()
            .is_some_and(|fault| fault.kind == Kind::Swapped)
            && !self.profile.payload.joins_signals()
        {
            stream = swapped(stream);
        }
        let time = self.clock.read(at, stream, fault.as_ref());
        match fault.as_ref().map(|fault| fault.kind) {
            Some(Kind::Gap) => {}
            Some(Kind::BatterySag) if is_in_last_third(fault.as_ref(), at) => {}
            Some(Kind::Backlog) => self.hold(stream, time, BACKLOG_MESSAGES_MAX, send),
            Some(Kind::OutOfOrder) if self.held.is_empty() => self.hold(stream, time, 1, send),
            Some(Kind::Duplicate) => {
                self.send(stream, time, false, send);
                self.send(stream, time, true, send);
            }
            _ => {
                self.send(stream, time, false, send);
                self.release(send);
            }
        }
    }

    /// Sends what the device has kept back, at the end of a run.
    pub fn flush(&mut self, send: &mut dyn FnMut(&Message<'_>)) {
        self.release(send);
    }

    fn end_fault(&mut self, now: Option<&Label>, send: &mut dyn FnMut(&Message<'_>)) {
        let now = now.map(|label| (label.kind, label.from_ms));
        if self.fault == now {
            return;
        }
        if let Some((Kind::BatterySag, _)) = self.fault {
            self.boot += 1;
        }
        self.fault = now;
        self.release(send);
    }

    /// Measures what the next message carries, and gives its stream.
    fn measure(&mut self, at: i64, fault: Option<&Label>, tell: &mut dyn FnMut(&Label)) -> usize {
        self.values.clear();
        let period_ms = self.profile.period_ms as i64;
        if !self.profile.payload.joins_signals() {
            let stream = self.turn;
            self.turn = (self.turn + 1) % self.measured.len();
            self.values
                .push(self.measured[stream].measure(at, period_ms, fault, tell));
            return stream;
        }
        for measured in &mut self.measured {
            self.values
                .push(measured.measure(at, period_ms, fault, tell));
        }
        if fault.is_some_and(|fault| fault.kind == Kind::Swapped) {
            self.values.swap(0, 1);
        }
        0
    }

    fn hold(
        &mut self,
        stream: usize,
        time: i64,
        count_max: usize,
        send: &mut dyn FnMut(&Message<'_>),
    ) {
        if self.held.len() == count_max {
            // The device's memory is full: the oldest goes out now.
            self.release_one(send);
        }
        self.held.push_back(Held {
            stream,
            time,
            values: self.values.as_slice().into(),
        });
    }

    fn release(&mut self, send: &mut dyn FnMut(&Message<'_>)) {
        while self.release_one(send) {}
    }

    fn release_one(&mut self, send: &mut dyn FnMut(&Message<'_>)) -> bool {
        let Some(held) = self.held.pop_front() else {
            return false;
        };
        self.sequence += 1;
        send(&Message {
            stream: held.stream,
            boot: self.boot,
            sequence: self.sequence,
            time: held.time,
            values: &held.values,
            is_repeat: false,
        });
        true
    }

    fn send(
        &mut self,
        stream: usize,
        time: i64,
        is_repeat: bool,
        send: &mut dyn FnMut(&Message<'_>),
    ) {
        self.sequence += 1;
        send(&Message {
            stream,
            boot: self.boot,
            sequence: self.sequence,
            time,
            values: &self.values,
            is_repeat,
        });
    }
}

impl Measured {
    fn measure(
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
    signal: &crate::profile::Signal,
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
        Kind::UnitFlip if signal.unit == "°C" => {
            crate::signal::round_to(value * 1.8 + 32.0, signal.step)
        }
        Kind::UnitFlip => crate::signal::round_to(value * 1000.0, signal.step * 1000.0),
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

fn is_in_last_third(fault: Option<&Label>, at: i64) -> bool {
    fault.is_some_and(|fault| 3 * (fault.until_ms - at) <= fault.until_ms - fault.from_ms)
}

/// The first two streams have each other's name.
const fn swapped(stream: usize) -> usize {
    match stream {
        0 => 1,
        1 => 0,
        other => other,
    }
}

/// When a device is due. Jitter moves a message, never the schedule.
#[derive(Clone, Debug)]
struct Schedule {
    chance: Chance,
    interval_us: f64,
    jitter_us: f64,
    phase_us: f64,
    count: u64,
    due_us: u64,
}

impl Schedule {
    fn new(name: &str, recipe: &Recipe) -> Self {
        let profile = &recipe.profile;
        let messages = if profile.payload.joins_signals() {
            1
        } else {
            profile.signal.len()
        };
        let own_us = profile.period_ms * 1000.0 / messages as f64;
        let interval_us = recipe.rate_hz.map_or(own_us, |rate| 1e6 / rate);
        let mut chance = Chance::new(recipe.seed, name, "schedule");
        let phase_us = chance.unit() * interval_us;
        // Above half of the interval two messages would change places.
        let jitter_us = (profile.jitter_ms * 1000.0).min(interval_us * 0.2);
        let mut schedule = Self {
            chance,
            interval_us,
            jitter_us,
            phase_us,
            count: 0,
            due_us: 0,
        };
        schedule.plan();
        schedule
    }

    fn advance(&mut self) {
        self.count += 1;
        self.plan();
    }

    fn plan(&mut self) {
        let even = self.phase_us + self.interval_us * self.count as f64;
        let jitter = if self.jitter_us > 0.0 {
            self.jitter_us * self.chance.normal().clamp(-2.0, 2.0)
        } else {
            0.0
        };
        self.due_us = self.due_us.max((even + jitter).max(0.0) as u64);
    }
}

/// The clock of the device, right or wrong. A sensor never sends one time twice, so that a reading is known by it.
#[derive(Clone, Debug)]
struct DeviceClock {
    /// Last right time of each stream.
    last: Vec<i64>,
    /// Wrong times that were sent, if there are faults of the clock: all odd, while right times are even.
    wrong: Option<HashSet<(usize, i64)>>,
}

impl DeviceClock {
    fn read(&mut self, at: i64, stream: usize, fault: Option<&Label>) -> i64 {
        let Some(wrong) = &mut self.wrong else {
            self.last[stream] = at.max(self.last[stream].saturating_add(1));
            return self.last[stream];
        };
        let Some(fault) = fault.filter(|fault| fault.kind.is_of_clock()) else {
            self.last[stream] = (at & !1).max(self.last[stream].saturating_add(2));
            return self.last[stream];
        };
        let since = at - fault.from_ms;
        let mut time = 1 | match fault.kind {
            Kind::ClockSkew => at + (since as f64 * fault.size) as i64,
            Kind::ClockStep => at + fault.size as i64,
            _ => since,
        };
        while !wrong.insert((stream, time)) {
            time += 2;
        }
        time
    }
}

#[cfg(test)]
mod tests;
