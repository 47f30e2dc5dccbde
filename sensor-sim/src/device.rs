//! One device: asked at a time, it gives the messages that it would send then, faults included.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::chance::Chance;
use crate::fault::{Course, FaultPlan};
use crate::limits::BACKLOG_MESSAGES_MAX;
use crate::profile::Profile;
use crate::truth::{Kind, Label};

mod measured;
mod timing;

use measured::{Measured, is_in_last_third};
use timing::{DeviceClock, Schedule};

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
    radio: Chance,
    boot: u32,
    sequence: u32,
    turn: usize,
    clock: DeviceClock,
    held: VecDeque<Held>,
    values: Vec<f64>,
    fault: Option<(Kind, i64)>,
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
        let measured = profile
            .signal
            .iter()
            .map(|signal| Measured::new(signal, name, recipe));
        let has_clock_faults = plan.kinds.iter().any(|kind| kind.is_of_clock())
            || plan.orders.iter().any(|order| order.kind.is_of_clock());
        Self {
            name: name.to_owned(),
            measured: measured.collect(),
            course: Course::new(plan, profile, name, None, *seed, *start),
            schedule: Schedule::new(name, recipe),
            radio: Chance::new(*seed, name, "radio"),
            profile: Arc::clone(profile),
            boot: recipe.boots + 1,
            sequence: 0,
            turn: 0,
            clock: DeviceClock::new(
                profile.signal.len(),
                profile.payload.time_step_ms(),
                has_clock_faults,
            ),
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
        let is_lost = self.profile.loss > 0.0 && self.radio.unit() < self.profile.loss;
        match fault.as_ref().map(|fault| fault.kind) {
            _ if is_lost => {}
            Some(Kind::Gap) => {}
            Some(Kind::BatterySag) if is_in_last_third(fault.as_ref(), at) => {}
            Some(Kind::Backlog) => self.hold(stream, time, BACKLOG_MESSAGES_MAX, send),
            Some(Kind::OutOfOrder) => self.overtake(stream, time, send),
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

    /// Keeps the message back, or sends it before the one of its stream that was kept back.
    fn overtake(&mut self, stream: usize, time: i64, send: &mut dyn FnMut(&Message<'_>)) {
        let place = self.held.iter().position(|held| held.stream == stream);
        let Some(earlier) = place.and_then(|place| self.held.remove(place)) else {
            return self.hold(stream, time, BACKLOG_MESSAGES_MAX, send);
        };
        self.send(stream, time, false, send);
        self.held.push_front(earlier);
        self.release_one(send);
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

/// The first two streams have each other's name.
const fn swapped(stream: usize) -> usize {
    match stream {
        0 => 1,
        1 => 0,
        other => other,
    }
}

#[cfg(test)]
mod tests;
