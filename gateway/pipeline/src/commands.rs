//! What people do about alarms: acknowledge, shelve, unshelve.

use crate::alarm::{Cause, Slot};
use crate::memory::Memory;
use crate::output::Emit;
use crate::pipeline::Pipeline;
use crate::time::Now;
use core::error::Error;
use core::fmt;
use wire::{SensorId, Standing, Transition};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It has been seen.
    Acknowledge,
    /// It is put away for so many ms of the gateway's time.
    Shelve(u32),
    /// It is taken back.
    Unshelve,
}

/// What a person wants of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// What is to be done.
    pub verb: Verb,
    /// Whose alarm it is.
    pub sensor: SensorId,
    /// Which of the sensor's alarms, as [`Pipeline::find_alarm`] tells.
    pub alarm: u8,
    /// Who wants it.
    pub by: &'a str,
    /// What he or she says.
    pub note: &'a str,
}

/// Why a command came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Futile {
    /// There is no such alarm.
    NoAlarm,
    /// There is nothing that could be acknowledged.
    NothingNew,
    /// It is not on the shelf.
    NotShelved,
}

impl fmt::Display for Futile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAlarm => "no sensor has an alarm of this name",
            Self::NothingNew => "there is nothing to acknowledge",
            Self::NotShelved => "the alarm is not shelved",
        })
    }
}

impl Error for Futile {}

impl<M: Memory> Pipeline<M> {
    /// Does what a person wants of an alarm, after what is due by now for its sensor.
    ///
    /// # Errors
    /// [`Futile`] if it comes to nothing.
    pub fn handle_command(
        &mut self,
        now: Now,
        command: &Command<'_>,
        out: &mut impl Emit,
    ) -> Result<(), Futile> {
        let now = self.not_before(now);
        let (place, nth) = (usize::from(command.sensor.0), usize::from(command.alarm));
        if command.sensor.0 >= self.sensors {
            return Err(Futile::NoAlarm);
        }
        self.expire_if_due(now, place, out);
        let slot = self.slot_mut(place, nth).ok_or(Futile::NoAlarm)?;
        let transition = match command.verb {
            Verb::Acknowledge => slot.acknowledge().ok_or(Futile::NothingNew)?,
            Verb::Shelve(for_ms) => slot.shelve(now.instant.after_ms(for_ms.max(1))),
            Verb::Unshelve => slot.unshelve().ok_or(Futile::NotShelved)?,
        };
        let cause = Cause::Person(command.by, command.note);
        self.tell_alarm(now, (place, nth), transition, cause, out);
        self.reset_timer(place);
        Ok(())
    }

    /// The place of an alarm by the name of its rule.
    #[must_use]
    pub fn find_alarm(&self, sensor: SensorId, rule: &str) -> Option<u8> {
        let state = self.memory.sensors[..usize::from(self.sensors)].get(usize::from(sensor.0))?;
        let place = self.plan.config(state.rule).place_of(rule)?;
        Some(place as u8)
    }

    /// How an alarm stands, and the id of its last occurrence.
    #[must_use]
    pub fn standing(&self, sensor: SensorId, alarm: u8) -> Option<(Standing, u64)> {
        let (place, nth) = (usize::from(sensor.0), usize::from(alarm));
        let slot = self.slots(place).get(nth)?;
        Some((slot.standing(), slot.id))
    }

    /// All alarms that are not as if there had never been anything: whose, which, how they stand, and the id.
    pub fn standings(&self) -> impl Iterator<Item = (SensorId, u8, Standing, u64)> {
        (0..self.sensors).flat_map(|sensor| {
            let slots = self.slots(usize::from(sensor)).iter().enumerate();
            let told = move |(nth, slot): (usize, &Slot)| {
                (SensorId(sensor), nth as u8, slot.standing(), slot.id)
            };
            slots
                .map(told)
                .filter(|(_, _, standing, _)| *standing != Standing::Normal)
        })
    }
}

impl Verb {
    /// What happens to the alarm.
    #[must_use]
    pub const fn transition(self) -> Transition {
        match self {
            Self::Acknowledge => Transition::Acknowledged,
            Self::Shelve(_) => Transition::Shelved,
            Self::Unshelve => Transition::Unshelved,
        }
    }
}
