//! From a message to the journal: whose it is, what it says, and what is owed for it.

use std::sync::Arc;

use pipeline::{Now, Refused};
use wire::Timestamp;

use super::acks::{Ack, Creditor};
use super::{Action, Engine, Perform, RequestId};
use crate::broker::{Publish, Qos, ReasonCode};
use crate::deliveries::fingerprint;
use crate::journal::Entry;
use crate::limits::ERROR_PAYLOAD_BYTES_MAX;
use crate::mapping::{Found, Mapped};
use crate::payload::{self, Item, Name, PayloadError, Readings};

/// The client id of those who have none, in rules that ask for one.
pub const POST_CLIENT_ID: &str = "http";

/// A message on its way in.
#[derive(Clone, Copy)]
pub(super) struct Message<'p> {
    pub(super) topic: &'p str,
    pub(super) payload: &'p [u8],
    /// By what it is known if it comes again.
    pub(super) delivery: Option<u64>,
    /// Who waits for what becomes of it.
    pub(super) owed: Option<Creditor>,
}

impl Engine {
    /// Name of the box.
    #[must_use]
    pub fn gateway(&self) -> &str {
        &self.settings.gateway
    }

    /// Whether a message that is posted can be taken now.
    #[must_use]
    pub fn accepts_post(&self) -> bool {
        self.commits.has_mutation_room() && self.commits.has_room() && !self.acks.is_full()
    }

    /// A client's message: subscribers first, then the journal, then the acknowledgement is owed.
    pub(super) fn take<P: Perform>(&mut self, now: Now, publish: &Publish<'_>, out: &mut P) {
        self.take_override(publish, out);
        self.take_operation(now, publish, out);
        let message = Message {
            topic: publish.topic,
            payload: publish.payload,
            delivery: self.fingerprint(publish),
            owed: publish.receipt.map(Creditor::Packet),
        };
        self.take_message(now, publish, message, publish.dup, out);
    }

    /// What a technician publishes for the agent goes there; it is routed like any other message too.
    fn take_override<P: Perform>(&self, publish: &Publish<'_>, out: &mut P) {
        let rest = publish.topic.strip_prefix("tidegate/");
        let verb = rest
            .and_then(|rest| rest.strip_prefix(self.settings.gateway.as_str()))
            .and_then(|rest| rest.strip_prefix("/override/"));
        // A retained one would be taken again by nobody; a redelivered one was taken.
        if let Some(verb) = verb
            && !publish.dup
        {
            let client = publish.connection.and_then(|it| self.broker.client_id(it));
            out.perform(Action::Override {
                verb,
                by: client.unwrap_or_default(),
                payload: publish.payload,
            });
        }
    }

    /// The same for a message that was posted. One that has a name may come again at any time.
    pub(super) fn take_post<P: Perform>(
        &mut self,
        now: Now,
        request: RequestId,
        message: Message<'_>,
        is_allowed: bool,
        out: &mut P,
    ) {
        if is_allowed {
            let Message { topic, payload, .. } = message;
            let publish = Publish::own(topic, payload, Qos::AtLeastOnce, false);
            self.take_message(now, &publish, message, true, out);
        } else {
            let reason = ReasonCode::NotAuthorized;
            out.perform(Action::Answer { request, reason });
        }
    }

    fn take_message<P: Perform>(
        &mut self,
        now: Now,
        publish: &Publish<'_>,
        message: Message<'_>,
        may_be_known: bool,
        out: &mut P,
    ) {
        let mapping = Arc::clone(&self.mapping);
        let is_known = |engine: &Self| match (message.delivery, message.owed) {
            (None, _) => false,
            // What is posted has a name of its own, and may come in any order.
            (Some(it), Some(Creditor::Post(_))) => engine.machine.deliveries().contains(it),
            (Some(it), Some(Creditor::Packet(_)) | None) => {
                engine.machine.deliveries().is_latest(it)
            }
        };
        let reason = match mapping.find(message.topic) {
            None => self.route(now, publish, out),
            Some(_) if may_be_known && is_known(self) => {
                self.counters.redeliveries += 1;
                ReasonCode::Success
            }
            Some(found) => {
                // Whether anybody subscribes is no matter: the readings themselves are what is wanted.
                let _ = self.route(now, publish, out);
                match found {
                    Found::Readings(mapped) => self.take_telemetry(now, message, &mapped, out),
                    Found::Sparkplug(address) => self.take_sparkplug(now, message, &address, out),
                }
            }
        };
        self.owe(now, message.owed, reason, out);
    }

    fn take_telemetry<P: Perform>(
        &mut self,
        now: Now,
        message: Message<'_>,
        mapped: &Mapped<'_, '_>,
        out: &mut P,
    ) -> ReasonCode {
        let mut readings = Readings::default();
        if let Err(error) = payload::parse(message.payload, mapped, now.wall, &mut readings) {
            return self.refuse(now, message, &error, out);
        }
        self.note_message(now, message, out);
        let mut reason = ReasonCode::Success;
        for item in &readings.items {
            let taken = self.take_item(now, mapped, item, out);
            reason = self.count(taken).unwrap_or(reason);
        }
        if readings.refused > 0 {
            self.counters.items_refused += readings.refused as u64;
            reason = ReasonCode::PayloadFormatInvalid;
        }
        for fault in &readings.faults {
            self.publish_error(now, message, fault, out);
        }
        reason
    }

    /// Refuses a message as a whole.
    pub(super) fn refuse<P: Perform>(
        &mut self,
        now: Now,
        message: Message<'_>,
        error: &PayloadError,
        out: &mut P,
    ) -> ReasonCode {
        self.counters.payloads_refused += 1;
        self.publish_error(now, message, error, out);
        ReasonCode::PayloadFormatInvalid
    }

    /// Notes that readings of this message follow.
    pub(super) fn note_message<P: Perform>(&mut self, now: Now, message: Message<'_>, out: &mut P) {
        self.counters.messages += 1;
        if let Some(fingerprint) = message.delivery {
            self.apply(now, &Entry::Delivery { fingerprint }, out);
        }
    }

    /// Counts what became of a reading; a reason where it was refused.
    pub(super) fn count(&mut self, taken: Result<(), Refused>) -> Option<ReasonCode> {
        match taken {
            Ok(()) => {
                self.counters.readings += 1;
                None
            }
            Err(Refused::TableFull) => {
                self.counters.sensors_refused += 1;
                Some(ReasonCode::QuotaExceeded)
            }
            Err(Refused::BadName) => {
                self.counters.names_refused += 1;
                Some(ReasonCode::TopicNameInvalid)
            }
        }
    }

    fn take_item<P: Perform>(
        &mut self,
        now: Now,
        mapped: &Mapped<'_, '_>,
        item: &Item<'_>,
        out: &mut P,
    ) -> Result<(), Refused> {
        let Item { name, time, value } = *item;
        let device = mapped.device.unwrap_or_default();
        match name {
            Name::Topic => {
                let signal = mapped.signal.unwrap_or_default();
                self.take_reading(now, device, signal, time, value, out)
            }
            Name::Plain(signal) => self.take_reading(now, device, signal, time, value, out),
            Name::Senml(name) => {
                let signal = name.signal().ok_or(Refused::BadName)?;
                match mapped.device {
                    Some(device) => self.take_reading(now, device, &signal, time, value, out),
                    None => {
                        let device = name.device().ok_or(Refused::BadName)?;
                        self.take_reading(now, &device, &signal, time, value, out)
                    }
                }
            }
        }
    }

    fn take_reading<P: Perform>(
        &mut self,
        now: Now,
        device: &str,
        signal: &str,
        time: Option<Timestamp>,
        value: f64,
        out: &mut P,
    ) -> Result<(), Refused> {
        let sensor = self.find_or_register(now, device, signal, out)?.0;
        let reading = Entry::Reading {
            sensor,
            time,
            value,
        };
        self.apply(now, &reading, out);
        Ok(())
    }

    /// The sensor's place in the table, by the name that the site gives the signal; a new one if it has none.
    pub(super) fn find_or_register<P: Perform>(
        &mut self,
        now: Now,
        device: &str,
        signal: &str,
        out: &mut P,
    ) -> Result<wire::SensorId, Refused> {
        if let Some(sensor) = self.find_renamed(device, signal) {
            return Ok(sensor);
        }
        let mapping = Arc::clone(&self.mapping);
        let signal = mapping.signal(device, signal);
        if !is_name(device) || !is_name(signal) {
            return Err(Refused::BadName);
        }
        self.machine.may_register(device, signal)?;
        self.apply(now, &Entry::Sensor { device, signal }, out);
        self.machine.find(device, signal).ok_or(Refused::TableFull)
    }

    /// The sensor by what its device calls it.
    pub(super) fn find_renamed(&self, device: &str, signal: &str) -> Option<wire::SensorId> {
        let signal = self.mapping.signal(device, signal);
        self.machine.find(device, signal)
    }

    /// Only what is acknowledged can be redelivered.
    fn fingerprint(&self, publish: &Publish<'_>) -> Option<u64> {
        let packet_id = publish.packet_id?;
        let client_id = self.broker.client_id(publish.connection?)?;
        Some(fingerprint(
            client_id,
            packet_id,
            publish.topic,
            publish.payload,
        ))
    }

    /// The acknowledgement waits until the commit that gathers now is on disk; if there is nothing
    /// to wait for, it goes out at once.
    fn owe<P: Perform>(
        &mut self,
        now: Now,
        owed: Option<Creditor>,
        reason: ReasonCode,
        out: &mut P,
    ) {
        if let Some(to) = owed {
            self.acks.push(Ack { to, reason });
            self.release_settled(now, out);
        }
    }

    /// To the errors topic, and to whoever posted it.
    pub(super) fn publish_error<P: Perform>(
        &mut self,
        now: Now,
        message: Message<'_>,
        error: &PayloadError,
        out: &mut P,
    ) {
        if let Some(Creditor::Post(request)) = message.owed {
            out.perform(Action::Fault { request, error });
        }
        let begin = if error.offset < ERROR_PAYLOAD_BYTES_MAX {
            0
        } else {
            error.offset.min(message.payload.len()) - ERROR_PAYLOAD_BYTES_MAX / 2
        };
        let rest = &message.payload[begin..];
        let sample = &rest[..rest.len().min(ERROR_PAYLOAD_BYTES_MAX)];
        self.message.write_error(
            &self.settings.gateway,
            message.topic,
            &error.reason,
            error.offset,
            sample,
            now.wall.0,
        );
        self.publish_message(now, out);
    }
}

/// Names stand in topics of alerts and averages, where wildcards and control characters must not be `[MQTT-3.3.2-2]`.
fn is_name(text: &str) -> bool {
    !text.contains(|c: char| matches!(c, '+' | '#') || c.is_control())
}
