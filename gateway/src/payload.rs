//! From a payload to readings. Each form of payload has a file of its own; here it is told which one it is.
//!
//! | form | where |
//! |---|---|
//! | a bare number, `{"ts", "value"}`, `{"ts", "values": {...}}` | `json` |
//! | SenML packs (RFC 8428) | `senml` |
//! | reports of our own devices (`FORMAT.md` of `wire`) | `report` |
//! | any other JSON, by pointers of the config | `pointers` |
//! | Sparkplug B | `sparkplug` |
//!
//! What is no payload at all is refused whole. Where a payload has items which can be told apart, a wrong one is refused
//! alone, and the others are kept.

mod json;
pub mod senml;
mod report;
pub mod pointers;
pub mod sparkplug;

use heapless::Vec;
use wire::Timestamp;

use crate::limits::{ITEM_FAULTS_MAX, READINGS_PER_MESSAGE_MAX};
use crate::mapping::{Form, Mapped};

/// The readings of one message, and what was refused of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings<'p> {
    /// What is kept.
    pub items: Vec<Item<'p>, READINGS_PER_MESSAGE_MAX>,
    /// What is not, as far as there is room.
    pub faults: Vec<PayloadError, ITEM_FAULTS_MAX>,
    /// How many were refused, those without room in `faults` too.
    pub refused: usize,
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'p> {
    /// Whose it is.
    pub name: Name<'p>,
    /// Time by the sensor's clock, if the payload carried one.
    pub time: Option<Timestamp>,
    /// The raw value.
    pub value: f64,
}

/// How a payload names a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'p> {
    /// Not at all: the topic does.
    Topic,
    /// By this text.
    Plain(&'p str),
    /// By a name of SenML, which may name the device too.
    Senml(senml::Name<'p>),
}

/// Why a payload, or an item of it, is no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadError {
    /// What is wrong, and what was expected.
    pub reason: String,
    /// Where in the payload, bytes.
    pub offset: usize,
}

impl PayloadError {
    pub(crate) fn new(reason: impl Into<String>, offset: usize) -> Self {
        let reason = reason.into();
        Self { reason, offset }
    }
}

impl<'p> Readings<'p> {
    /// Keeps an item.
    fn push(&mut self, name: Name<'p>, time: Option<Timestamp>, value: f64) -> Result<(), String> {
        self.items.push(Item { name, time, value }).map_err(|_| {
            format!("more than {READINGS_PER_MESSAGE_MAX} values; send them in two messages")
        })
    }

    /// Refuses an item.
    fn refuse(&mut self, fault: PayloadError) {
        self.refused += 1;
        // The first ones are told in full, the others are counted.
        let _ = self.faults.push(fault);
    }
}

/// Reads `payload`, which came under a topic that says `mapped`, at `now` by the wall clock, into `readings`, which are empty.
///
/// # Errors
/// [`PayloadError`] with reason and place: nothing of the message is to be used then.
pub fn parse<'p>(
    payload: &'p [u8],
    mapped: &Mapped<'_, 'p>,
    now: Timestamp,
    readings: &mut Readings<'p>,
) -> Result<(), PayloadError> {
    let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    match (mapped.form, first) {
        (_, None) => Err(PayloadError::new(
            "the payload is empty; expected a number, a JSON object or a SenML pack",
            0,
        )),
        (Form::Senml, _) | (Form::Plain, Some(b'[')) => {
            senml::parse(payload, mapped, now, readings)
        }
        (Form::Plain, Some(_)) if payload[0] == wire::report::REPORT_VERSION => {
            report::parse(payload, mapped, readings)
        }
        (Form::Plain, Some(_)) => json::parse(payload, mapped, readings),
        (Form::Pointers(pointers), _) => pointers::parse(payload, pointers, readings),
    }
}

#[cfg(test)]
mod tests;
