//! One session with Kafka: a producer from its connect to its first failure.

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use wire::Malformed;

use core::time::Duration;

use super::context::{Context, FailedDelivery};
use super::deadline::{Deadline, Timer};
use super::failure::Failure;
use super::position::{Position, encode};
use super::producer::Session;
use super::settings::{Mode, Settings};
use super::{Class, FLUSH_STEP_MAX, Reply, properties, record};
use crate::form::{FormError, RecordForm};
use crate::outbox::{OutboxRow, Watermark};

/// Opens sessions, and sends through them.
pub(super) struct Connector {
    settings: Settings,
    /// Where a row's value is made, unless it is the row itself.
    value: Vec<u8>,
    timer: Timer,
    position: Position,
}

/// How the rows of a transfer are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Together,
    /// Each waits for the one before: for finding the one that is too large.
    OneByOne,
}

/// Why a transfer failed, as far as the producer tells.
enum Trouble {
    /// The record at this index is larger than the producer takes: it was not handed over.
    Refused(usize),
    /// The broker refused a request for its size, with the record at this index in it.
    TooLarge(usize),
    /// The row at this index is not sound, so that it has no value in the form that is asked for.
    Unsound(usize, Malformed),
    Other(Failure),
}

impl Connector {
    pub(super) fn new(settings: Settings, timer: Timer) -> Self {
        let bytes = match settings.form {
            RecordForm::Batch => 0,
            RecordForm::Json | RecordForm::Protobuf => settings.message_bytes_max as usize,
        };
        Self {
            settings,
            value: Vec::with_capacity(bytes),
            timer,
            position: Position::default(),
        }
    }

    /// Opens a session and reads the watermark. In transactional mode nothing that an older session of
    /// this gateway has under way can come after that.
    pub(super) fn connect(&mut self) -> Result<(Session, Option<Watermark>), Failure> {
        let deadline = self
            .timer
            .deadline(u64::from(self.settings.connect_timeout_ms));
        let session = self.open(&deadline)?;
        let watermark = self.position.read(&self.settings, &deadline)?;
        Ok((session, watermark))
    }

    /// Opens a session, and aborts what an older one left open.
    fn open(&self, deadline: &Deadline<'_>) -> Result<Session, Failure> {
        let producer: BaseProducer<Context> = properties::producer(&self.settings)
            .create_with_context(Context::default())
            .map_err(|error| Failure::of("make a producer", &error))?;
        let session = Session { producer };
        if self.settings.mode == Mode::Transactional {
            session.resume("begin a session", deadline, |slice| {
                session.producer.init_transactions(slice)
            })?;
        }
        Ok(session)
    }

    /// Sends a transfer, and drops the session if it cannot be used any more.
    pub(super) fn send(
        &mut self,
        session: &mut Option<Session>,
        rows: &[OutboxRow],
        watermark: &Watermark,
    ) -> Result<Reply, Failure> {
        let Some(open) = session.as_ref() else {
            let text = "cannot send: there is no session; connect first";
            return Err(Failure::new(Class::Retry, text));
        };
        let mut result = self.try_send(open, rows, watermark, Pace::Together);
        if let Err(trouble @ Trouble::TooLarge(_)) = &result {
            // A producer whose record was refused by the broker has a gap in its numbering.
            self.settle(session, trouble);
            let deadline = self
                .timer
                .deadline(u64::from(self.settings.connect_timeout_ms));
            let open = session.insert(self.open(&deadline)?);
            result = self.try_send(open, rows, watermark, Pace::OneByOne);
        }
        let Err(trouble) = result else {
            let bytes = rows.iter().map(|row| row.bytes.len() as u64).sum();
            let records = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            return Ok(Reply::Sent {
                watermark: *watermark,
                records,
                bytes,
            });
        };
        self.settle(session, &trouble);
        Err(self.failure(trouble, rows))
    }

    fn try_send(
        &mut self,
        session: &Session,
        rows: &[OutboxRow],
        watermark: &Watermark,
        pace: Pace,
    ) -> Result<(), Trouble> {
        let settings = &self.settings;
        let deadline = self
            .timer
            .deadline(u64::from(settings.transaction_timeout_ms));
        let transfer = Transfer {
            settings,
            session,
            deadline,
            rows,
            watermark,
            pace,
        };
        match settings.mode {
            Mode::Transactional => transfer.send_in_transaction(&mut self.value),
            Mode::Idempotent => transfer.send_in_order(&mut self.value),
        }
    }

    /// Ends what a failed transfer left open, and drops the session unless it is as good as new.
    fn settle(&self, session: &mut Option<Session>, trouble: &Trouble) {
        let Some(open) = session.as_ref() else { return };
        let stands = match (trouble, self.settings.mode) {
            (Trouble::Refused(_) | Trouble::Unsound(..), Mode::Idempotent) => true,
            (Trouble::Refused(_) | Trouble::Unsound(..), Mode::Transactional) => {
                open.abort(&self.timer)
            }
            (Trouble::TooLarge(_), Mode::Transactional) => {
                open.abort(&self.timer);
                false
            }
            (Trouble::Other(failure), Mode::Transactional) => {
                if failure.class == Class::Retry {
                    open.abort(&self.timer);
                }
                false
            }
            (Trouble::TooLarge(_) | Trouble::Other(_), Mode::Idempotent) => false,
        };
        if !stands {
            *session = None;
        }
    }

    fn failure(&self, trouble: Trouble, rows: &[OutboxRow]) -> Failure {
        let of_row = |row: &OutboxRow, text| {
            let (lane, sequence) = (row.lane, row.sequence);
            Failure::new(Class::TooLarge { lane, sequence }, text)
        };
        match trouble {
            Trouble::Other(failure) => failure,
            Trouble::Unsound(index, source) => {
                let number = rows[index].sequence.0;
                let text = format!("row {number} of the outbox: {source}; it is left out");
                of_row(&rows[index], text)
            }
            Trouble::Refused(index) | Trouble::TooLarge(index) if index < rows.len() => {
                let text = format!(
                    "row {} of {} bytes is larger than Kafka takes (here {} bytes, or max.message.bytes of \
                     its topic): split it",
                    rows[index].sequence.0,
                    rows[index].bytes.len(),
                    self.settings.message_bytes_max
                );
                of_row(&rows[index], text)
            }
            Trouble::Refused(_) | Trouble::TooLarge(_) => Failure::new(
                Class::Fatal,
                "the watermark record is larger than Kafka takes: raise max.message.bytes of its topic",
            ),
        }
    }
}

/// A transfer under way.
struct Transfer<'t> {
    settings: &'t Settings,
    session: &'t Session,
    deadline: Deadline<'t>,
    rows: &'t [OutboxRow],
    watermark: &'t Watermark,
    pace: Pace,
}

impl Transfer<'_> {
    fn send_in_transaction(&self, buffer: &mut Vec<u8>) -> Result<(), Trouble> {
        let producer = &self.session.producer;
        producer
            .begin_transaction()
            .map_err(|error| Trouble::Other(Failure::of("begin a transaction", &error)))?;
        self.produce_rows(buffer)?;
        self.produce_watermark()?;
        // Before the commit, which would wait for the records too, but look up every 100 ms only.
        self.session
            .flush(&self.deadline)
            .map_err(|failure| self.trouble(failure))?;
        let tried = "commit a transaction";
        let committed = self.session.resume(tried, &self.deadline, |slice| {
            producer.commit_transaction(slice)
        });
        committed.map_err(|failure| self.trouble(failure))
    }

    /// Without transactions the watermark goes last: what it covers has arrived.
    fn send_in_order(&self, buffer: &mut Vec<u8>) -> Result<(), Trouble> {
        self.produce_rows(buffer)?;
        self.flush()?;
        self.produce_watermark()?;
        self.flush()
    }

    fn produce_rows(&self, buffer: &mut Vec<u8>) -> Result<(), Trouble> {
        for (index, row) in self.rows.iter().enumerate() {
            let topic = record::topic(&self.settings.topics, row.lane);
            let headers = record::row_headers(self.settings, self.watermark.epoch, row);
            let value = self.settings.form.value(&row.bytes, buffer);
            let value = value.map_err(|error| match error {
                FormError::TooLarge => Trouble::Refused(index),
                FormError::Malformed(source) => Trouble::Unsound(index, source),
            })?;
            self.produce(index, topic, &row.key, value, headers)?;
            if self.pace == Pace::OneByOne {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Its index is that behind the last row.
    fn produce_watermark(&self) -> Result<(), Trouble> {
        let headers = record::watermark_headers(self.settings, self.watermark);
        let value = encode(self.watermark);
        let topic = &self.settings.topics.watermarks;
        let key = &self.settings.gateway;
        self.produce(self.rows.len(), topic, key, value.as_bytes(), headers)
    }

    /// Hands one record to librdkafka, and waits while its queue is full.
    fn produce(
        &self,
        index: usize,
        topic: &str,
        key: &str,
        value: &[u8],
        headers: OwnedHeaders,
    ) -> Result<(), Trouble> {
        let mut record = BaseRecord::with_opaque_to(topic, index)
            .key(key)
            .payload(value)
            .headers(headers);
        loop {
            let (error, refused) = match self.session.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            match (error.rdkafka_error_code(), self.deadline.slice()) {
                (Some(Code::MessageSizeTooLarge), _) => return Err(Trouble::Refused(index)),
                (Some(Code::QueueFull), Some(slice)) => {
                    self.session.producer.poll(slice.min(FLUSH_STEP_MAX));
                }
                _ => return Err(self.trouble(Failure::of("hand over a record", &error))),
            }
            record = refused;
        }
    }

    fn flush(&self) -> Result<(), Trouble> {
        self.session
            .flush(&self.deadline)
            .map_err(|failure| self.trouble(failure))?;
        match self.session.producer.context().take_failed_delivery() {
            None => Ok(()),
            Some(failed) => Err(trouble_of(failed)),
        }
    }

    /// The cause behind a failure: that of the records themselves, where there is one.
    fn trouble(&self, failure: Failure) -> Trouble {
        if failure.class == Class::Fenced && self.may_have_timed_out() {
            let text = format!(
                "{} (or the transaction took too long; it is tried again)",
                failure.text
            );
            return Trouble::Other(Failure::new(Class::Retry, text));
        }
        // Serves the callbacks, where the causes come from.
        self.session.producer.poll(Duration::ZERO);
        let cause = self.session.producer.context().take_failed_delivery();
        match cause.map(trouble_of) {
            Some(Trouble::Other(cause)) if failure.class == Class::Retry => Trouble::Other(cause),
            Some(cause @ (Trouble::Refused(_) | Trouble::TooLarge(_) | Trouble::Unsound(..))) => {
                cause
            }
            Some(Trouble::Other(_)) | None => Trouble::Other(failure),
        }
    }

    /// Kafka fences a producer also when its transaction times out: after a suspend, or on a dead line.
    /// That is no second gateway, and must not stop this one.
    fn may_have_timed_out(&self) -> bool {
        self.deadline.elapsed_ms() * 2 > u64::from(self.settings.transaction_timeout_ms)
    }
}

fn trouble_of(failed: FailedDelivery) -> Trouble {
    let FailedDelivery { index, code, count } = failed;
    if code == Code::MessageSizeTooLarge {
        return Trouble::TooLarge(index);
    }
    let detail = format!("{count} records failed");
    Trouble::Other(Failure::of_code("send records", code, false, &detail))
}
