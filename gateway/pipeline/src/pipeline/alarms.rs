//! The alarms of the sensors: what a value, a silence, or time alone makes of them, and what is told of it.

use super::Pipeline;
use crate::alarm::{Cause, Event, Phase, Slot, alert};
use crate::config::{Measure, Plan, Rule, SensorConfig, Side};
use crate::gauge::{Gauge, Measured};
use crate::limits::{GROUPS_MAX, SLOTS_MAX, THRESHOLDS_MAX};
use crate::memory::Memory;
use crate::output::{Emit, Output};
use crate::time::Now;
use crate::window::Entry;
use serde::{Deserialize, Serialize};
use wire::{AlertState, SensorId, Transition};

/// The alarm of a group that came first, and its occurrence; 0: there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct First {
    id: u64,
    sensor: u16,
    alarm: u8,
}

pub(crate) type Firsts = [First; GROUPS_MAX];

impl<M: Memory> Pipeline<M> {
    /// Shows a good value to the alarms of its sensor, before it is mended: they don't wait.
    pub(super) fn alarm(&mut self, now: Now, place: usize, entry: Entry, out: &mut impl Emit) {
        self.suppress(now, place, out);
        let limits = self.config_at(place).thresholds.len();
        for nth in 0..limits {
            self.hold_against(now, (place, nth), entry, out);
        }
        self.scout(now, place, entry, out);
    }

    /// What a value means to one limit.
    fn hold_against(&mut self, now: Now, alarm: (usize, usize), entry: Entry, out: &mut impl Emit) {
        let (place, nth) = alarm;
        let config = self.plan.config(self.memory.sensors[place].rule);
        let threshold = &config.thresholds[nth];
        let measured = match threshold.of {
            Measure::Value | Measure::Together => Measured::Number(entry.value),
            _ => match self.memory.gauges.get_mut(place * self.each.gauges + nth) {
                Some(gauge) => gauge.push(threshold, entry.time, entry.value),
                None => Measured::Nothing,
            },
        };
        let (event, cause) = match measured {
            Measured::Nothing => return,
            Measured::Number(number) if threshold.of == Measure::Together => {
                let signal = self.departs(place);
                let event = Event::of(
                    threshold.side,
                    threshold.limit,
                    threshold.hysteresis,
                    number,
                    entry.time,
                );
                return self.step_alarm(now, alarm, event, Cause::Departs(&signal), out);
            }
            Measured::Number(number) => {
                let (limit, hysteresis) = (threshold.limit, threshold.hysteresis);
                let event = Event::of(threshold.side, limit, hysteresis, number, entry.time);
                (event, Cause::Condition)
            }
            Measured::Crosses(in_ms, give_ms) => {
                (Event::Beyond(in_ms, entry.time), Cause::Forecast(give_ms))
            }
            Measured::Later => (Event::Between(f64::NAN), Cause::Condition),
            Measured::Never => (Event::Back(f64::NAN), Cause::Condition),
        };
        self.step_alarm(now, alarm, event, cause, out);
    }

    /// One event of one alarm.
    pub(super) fn step_alarm(
        &mut self,
        now: Now,
        alarm: (usize, usize),
        event: Event,
        cause: Cause<'_>,
        out: &mut impl Emit,
    ) {
        let (place, nth) = alarm;
        let config = self.plan.config(self.memory.sensors[place].rule);
        let slot = self.memory.slots.get_mut(place * self.each.slots + nth);
        let Some((rule, slot)) = config.rule(nth).zip(slot) else {
            return;
        };
        let Some(transition) = slot.step(now, event, &rule.terms(), &mut self.last_alert) else {
            return;
        };
        if slot.is_told() {
            self.tell_alarm(now, alarm, transition, cause, out);
        } else {
            self.counters.alarms_untold += 1;
        }
    }

    /// Counts a transition and hands it out.
    pub(crate) fn tell_alarm(
        &mut self,
        now: Now,
        alarm: (usize, usize),
        transition: Transition,
        cause: Cause<'_>,
        out: &mut impl Emit,
    ) {
        let (place, nth) = alarm;
        let first_out = self.note_first(alarm, transition);
        let sensor = &self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let Some(rule) = config.rule(nth) else { return };
        let slot = self.slots(place)[nth];
        let whose = (SensorId(place as u16), sensor.name(config));
        let mut alert = alert(now, whose, rule, &slot, transition, cause);
        alert.clock = self.clock;
        alert.first_out = first_out;
        *self.counters.of_transition(transition) += 1;
        out.emit(Output::Alert(&alert));
    }

    /// The occurrence of the alarm's group that came first. The first one stays so until it is over and acknowledged.
    fn note_first(&mut self, alarm: (usize, usize), transition: Transition) -> Option<u64> {
        let (place, nth) = alarm;
        let group = usize::from(self.config_at(place).group?);
        let first = *self.firsts.get(group)?;
        let stands = self.standing(SensorId(first.sensor), first.alarm);
        let is_over = stands
            .is_none_or(|(standing, id)| id != first.id || standing == wire::Standing::Normal);
        if transition == Transition::Raised && is_over {
            self.firsts[group] = First {
                id: self.slots(place)[nth].id,
                sensor: place as u16,
                alarm: nth as u8,
            };
        }
        Some(self.firsts[group].id).filter(|id| *id > 0)
    }

    /// Alarms are silent while another signal says so.
    fn suppress(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let Some(suppression) = self.config_at(place).suppress else {
            return;
        };
        let Some(suppression) = self.plan.suppressions.get(usize::from(suppression)) else {
            return;
        };
        let other = self.find(&sensor.device, &suppression.signal);
        let good = other.map_or(f64::NAN, |id| self.memory.sensors[usize::from(id.0)].good);
        // Where nothing is known of the signal, alarms speak.
        let is_so = match suppression.side {
            Side::Above => good > suppression.limit,
            Side::Below => good < suppression.limit,
            Side::Beyond => good.abs() > suppression.limit,
        };
        let signal = suppression.signal.clone();
        for nth in 0..self.config_at(place).slots() {
            let slot = self.slot_mut(place, nth);
            if let Some(transition) = slot.and_then(|slot| slot.suppress(is_so)) {
                let cause = Cause::Suppression(&signal);
                self.tell_alarm(now, (place, nth), transition, cause, out);
            }
        }
    }

    /// The sensor is heard.
    pub(super) fn hear(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        self.memory.sensors[place].heard = now;
        if let Some(nth) = self.config_at(place).silence_place()
            && self.slots(place)[nth].phase != Phase::Normal
        {
            self.step_alarm(now, (place, nth), Event::Back(0.0), Cause::Condition, out);
        }
    }

    /// Time went on.
    pub(super) fn expire_alarms(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        for nth in 0..self.config_at(place).slots() {
            let slot = self.slot_mut(place, nth);
            if let Some(transition) = slot.and_then(|slot| slot.unshelve_if_due(now)) {
                self.tell_alarm(now, (place, nth), transition, Cause::ShelfTime, out);
            }
            self.step_alarm(now, (place, nth), Event::Elapsed, Cause::Condition, out);
        }
        self.notice_silence(now, place, out);
    }

    fn notice_silence(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        let heard = self.memory.sensors[place].heard;
        let config = self.config_at(place);
        let Some((rule, nth)) = config.silence.zip(config.silence_place()) else {
            return;
        };
        if now.instant >= heard.instant.after_ms(rule.after_ms) {
            let event = Event::Beyond(f64::from(rule.after_ms), heard.wall);
            self.step_alarm(now, (place, nth), event, Cause::Condition, out);
        }
    }

    /// An alarm whose rule stands in the new plan as it was goes on; one that was raised by another is cleared.
    pub(super) fn withdraw_alarms(
        &mut self,
        now: Now,
        place: usize,
        plan: &Plan,
        out: &mut impl Emit,
    ) {
        let sensor = &self.memory.sensors[place];
        let after = plan.config(plan.rule_of(&sensor.device, &sensor.signal));
        let mut slots = [Slot::default(); SLOTS_MAX];
        let mut gauges = [Gauge::default(); THRESHOLDS_MAX];
        for nth in 0..self.config_at(place).slots() {
            let slot = self.slots(place)[nth];
            let before = self.config_at(place);
            let kept = before.rule(nth).and_then(|rule| after.place_like(rule));
            if let Some(kept) = kept {
                slots[kept] = slot;
                if let Some(gauge) = self.gauges(place).get(nth).filter(|_| kept < gauges.len()) {
                    gauges[kept] = *gauge;
                }
            } else if let Some((withdrawn, transition)) = slot.withdrawn() {
                *self
                    .slots_mut(place)
                    .get_mut(nth)
                    .unwrap_or(&mut Slot::default()) = withdrawn;
                self.tell_alarm(now, (place, nth), transition, Cause::Withdrawn, out);
            }
        }
        let len = self.each.slots;
        self.slots_mut(place).copy_from_slice(&slots[..len]);
        let (each, len) = (self.each.gauges, self.each.gauges.min(THRESHOLDS_MAX));
        self.memory.gauges[place * each..][..len].copy_from_slice(&gauges[..len]);
        if self.config_at(place).silence != after.silence {
            self.memory.sensors[place].heard = now;
        }
    }

    pub(crate) fn slots(&self, place: usize) -> &[Slot] {
        self.memory.slots_of(place, self.each)
    }

    pub(crate) fn gauges(&self, place: usize) -> &[Gauge] {
        self.memory.gauges_of(place, self.each)
    }

    pub(crate) fn slot_mut(&mut self, place: usize, nth: usize) -> Option<&mut Slot> {
        let alarms = self.config_at(place).slots();
        self.slots_mut(place)[..alarms].get_mut(nth)
    }

    fn slots_mut(&mut self, place: usize) -> &mut [Slot] {
        let each = self.each.slots;
        &mut self.memory.slots[place * each..][..each]
    }

    pub(super) fn config_at(&self, place: usize) -> &SensorConfig {
        self.plan.config(self.memory.sensors[place].rule)
    }

    /// The alerts that are to be looked at now, as they stand.
    pub fn alerts(&self) -> impl Iterator<Item = wire::Alert<'_>> {
        (0..self.sensors).flat_map(|sensor| {
            let place = usize::from(sensor);
            let state = &self.memory.sensors[place];
            let config = self.plan.config(state.rule);
            let raised = |slot: &&Slot| slot.standing().state() == AlertState::Raised;
            let slots = self.slots(place).iter().enumerate();
            slots
                .filter(move |(_, slot)| raised(slot))
                .filter_map(move |(nth, slot)| {
                    let whose = (SensorId(sensor), state.name(config));
                    let rule = config.rule(nth)?;
                    let (raised, cause) = (Transition::Raised, Cause::Condition);
                    let since = Now {
                        wall: slot.since(),
                        ..Now::default()
                    };
                    Some(alert(since, whose, rule, slot, raised, cause))
                })
        })
    }
}

impl SensorConfig {
    /// Where the same rule stands in this one.
    fn place_like(&self, rule: Rule<'_>) -> Option<usize> {
        match rule {
            Rule::Threshold(threshold, _) => self.thresholds.iter().position(|it| it == threshold),
            Rule::Silence(rule, _) => self.silence_place().filter(|_| self.silence == Some(*rule)),
            Rule::Unusual(detect, _) => {
                let is_like = |other: crate::config::Detect| other.depth == detect.depth;
                self.unusual_place()
                    .filter(|_| self.detect.is_some_and(is_like))
            }
        }
    }
}
