//! The producer of a session, and its calls that wait: in slices, until a deadline.

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};

use core::time::Duration;

use super::context::Context;
use super::deadline::{Deadline, Timer};
use super::failure::Failure;
use super::{ABORT_MS_MAX, Class, FLUSH_STEP_MAX, FLUSH_STEP_MIN};

/// An open session.
pub(super) struct Session {
    pub(super) producer: BaseProducer<Context>,
}

impl Session {
    /// Makes a call of librdkafka that goes on where it was when it is made again, until the deadline.
    pub(super) fn resume(
        &self,
        tried: &str,
        deadline: &Deadline<'_>,
        mut call: impl FnMut(Duration) -> KafkaResult<()>,
    ) -> Result<(), Failure> {
        let context = self.producer.context();
        let mut last = None;
        while let Some(slice) = deadline.slice() {
            let Err(error) = call(slice) else {
                return Ok(());
            };
            if !goes_on(&error) {
                let failure = Failure::of(tried, &error);
                return Err(context.take_refusal().unwrap_or(failure));
            }
            last = Some(error);
            // Serves the callbacks, where the brokers' refusals come from.
            self.producer.poll(Duration::ZERO);
            if let Some(refusal) = context.take_refusal() {
                return Err(refusal);
            }
        }
        Err(match last {
            Some(error) => Failure::of(tried, &error),
            None => Failure::new(Class::Retry, format!("cannot {tried}: no time left")),
        })
    }

    /// Waits until the brokers have answered for all records. The steps grow with the wait, so that a quick broker is not
    /// waited for, and a slow one does not wake the box more than some hundred times.
    pub(super) fn flush(&self, deadline: &Deadline<'_>) -> Result<(), Failure> {
        let mut step = FLUSH_STEP_MIN;
        self.resume("send records", deadline, |slice| {
            // The library's own wait is over after 100 ms at the earliest.
            let flushed = self.producer.flush(Duration::ZERO);
            if flushed == Err(KafkaError::Flush(Code::OperationTimedOut)) {
                self.producer.poll(step.min(slice));
                step = (step + step / 8).min(FLUSH_STEP_MAX);
            }
            flushed
        })
    }

    /// Aborts the transaction; whether it is certain that it is.
    pub(super) fn abort(&self, timer: &Timer) -> bool {
        let deadline = timer.deadline(ABORT_MS_MAX);
        self.producer.purge(PurgeConfig::default().queue());
        let aborted = self.flush(&deadline).and_then(|()| {
            self.resume("abort a transaction", &deadline, |slice| {
                self.producer.abort_transaction(slice)
            })
        });
        // What failed with the transaction is no news for the next one.
        self.producer.context().take_failed_delivery();
        aborted.is_ok()
    }
}

/// Whether the call only ran out of its slice.
fn goes_on(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        KafkaError::Flush(code) => *code == Code::OperationTimedOut,
        _ => false,
    }
}
