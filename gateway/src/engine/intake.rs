//! From a PUBLISH to the journal: whose it is, what it says, and what is owed for it.

use pipeline::{Now, Refused};
use wire::Timestamp;

use super::acks::Ack;
use super::{Engine, Perform};
use crate::broker::{Publish, ReasonCode};
use crate::deliveries::fingerprint;
use crate::journal::Entry;
use crate::limits::ERROR_PAYLOAD_BYTES_MAX;
use crate::mapping::Mapped;
use crate::payload::{self, PayloadError, Readings};

impl Engine {
    /// A client's message: subscribers first, then the journal, then the acknowledgement is owed.
    pub(super) fn take<P: Perform>(&mut self, now: Now, publish: &Publish<'_>, out: &mut P) {
        let reason = match self.mapping.find(publish.topic) {
            None => self.route(now, publish, out),
            Some(mapped) => {
                let fingerprint = self.fingerprint(publish);
                if fingerprint.is_some_and(|it| publish.dup && self.machine.has_delivery(it)) {
                    self.counters.redeliveries += 1;
                    ReasonCode::Success
                } else {
                    // Whether anybody subscribes is no matter: the readings themselves are what is wanted.
                    let _ = self.route(now, publish, out);
                    self.take_telemetry(now, publish, mapped, fingerprint, out)
                }
            }
        };
        self.owe(now, publish, reason, out);
    }

    fn take_telemetry<P: Perform>(
        &mut self,
        now: Now,
        publish: &Publish<'_>,
        mapped: Mapped<'_>,
        fingerprint: Option<u64>,
        out: &mut P,
    ) -> ReasonCode {
        match payload::parse(publish.payload, mapped.signal.is_some()) {
            Ok(readings) => self.take_readings(now, mapped, &readings, fingerprint, out),
            Err(error) => {
                self.counters.payloads_refused += 1;
                self.publish_error(now, publish, &error, out);
                ReasonCode::PayloadFormatInvalid
            }
        }
    }

    fn take_readings<P: Perform>(
        &mut self,
        now: Now,
        mapped: Mapped<'_>,
        readings: &Readings<'_>,
        fingerprint: Option<u64>,
        out: &mut P,
    ) -> ReasonCode {
        self.counters.messages += 1;
        if let Some(fingerprint) = fingerprint {
            self.apply(now, &Entry::Delivery { fingerprint }, out);
        }
        let mut reason = ReasonCode::Success;
        for (signal, value) in &readings.values {
            let signal = signal.or(mapped.signal).unwrap_or_default();
            match self.take_reading(now, mapped.device, signal, readings.time, *value, out) {
                Ok(()) => self.counters.readings += 1,
                Err(Refused::TableFull) => {
                    self.counters.sensors_refused += 1;
                    reason = ReasonCode::QuotaExceeded;
                }
                Err(Refused::BadName) => {
                    self.counters.names_refused += 1;
                    reason = ReasonCode::TopicNameInvalid;
                }
            }
        }
        reason
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
        let sensor = match self.machine.find(device, signal) {
            Some(sensor) => sensor,
            None => {
                self.machine.may_register(device, signal)?;
                self.apply(now, &Entry::Sensor { device, signal }, out);
                self.machine
                    .find(device, signal)
                    .ok_or(Refused::TableFull)?
            }
        };
        self.apply(
            now,
            &Entry::Reading {
                sensor: sensor.0,
                time,
                value,
            },
            out,
        );
        Ok(())
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
        publish: &Publish<'_>,
        reason: ReasonCode,
        out: &mut P,
    ) {
        if let Some(receipt) = publish.receipt {
            self.acks.push(Ack { receipt, reason });
            self.release_settled(now, out);
        }
    }

    fn publish_error<P: Perform>(
        &mut self,
        now: Now,
        publish: &Publish<'_>,
        error: &PayloadError,
        out: &mut P,
    ) {
        let sample = &publish.payload[..publish.payload.len().min(ERROR_PAYLOAD_BYTES_MAX)];
        self.message.write_error(
            &self.settings.gateway,
            publish.topic,
            &error.reason,
            error.offset,
            sample,
            now.wall.0,
        );
        self.publish_message(now, out);
    }
}
