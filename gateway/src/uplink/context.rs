//! What librdkafka tells on the side: failed deliveries, refused credentials, log lines.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};

use super::Class;
use super::failure::Failure;

/// Notes of one session.
///
/// librdkafka's types ask for a context that threads may share, although only ours calls it: hence the lock.
#[derive(Debug, Default)]
pub(super) struct Context {
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    failed: Option<FailedDelivery>,
    refused: Option<Failure>,
}

/// Records that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedDelivery {
    /// Index of the first in its transfer.
    pub(super) index: usize,
    /// Why.
    pub(super) code: Code,
    /// How many failed for this reason.
    pub(super) count: usize,
}

impl Context {
    /// The records that failed since the last call. Those that failed only because others did are left out.
    pub(super) fn take_failed_delivery(&self) -> Option<FailedDelivery> {
        self.notes().failed.take()
    }

    /// Why the brokers refused us, if they did so since the last call.
    pub(super) fn take_refusal(&self) -> Option<Failure> {
        self.notes().refused.take()
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What an operator can act on comes as a reply; this is for those who look closer.
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        let failure = Failure::of_code("reach Kafka", code, false, reason);
        if failure.class == Class::Auth {
            self.notes().refused = Some(failure);
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let Err((error, _)) = result else { return };
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        let failed = &mut self.notes().failed;
        match failed {
            None if matches!(code, Code::PurgeQueue | Code::PurgeInflight) => {}
            None => {
                *failed = Some(FailedDelivery {
                    index,
                    code,
                    count: 1,
                })
            }
            Some(failed) if failed.code == code => failed.count += 1,
            Some(_) => {}
        }
    }
}
