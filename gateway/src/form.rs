//! What a row of the outbox becomes as the value of a Kafka record: the batch as it is, or a standard form of the same.
//!
//! The outbox keeps batches, whatever the form: they are the smallest. A value is made when its row is sent, into a buffer
//! of fixed size, and the same row always gives the same bytes.

use serde::{Deserialize, Serialize};
use wire::{Alert, BatchReader, Frame, Gap, Kind, Malformed, SummaryReader};

pub mod json;
mod protobuf;

/// In which form values leave the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordForm {
    /// Columns, as gateway/wire/FORMAT.md has them: lossless, and the fewest bytes.
    #[default]
    Batch,
    /// JSON, with the names of the protobuf form.
    Json,
    /// Protocol buffers, as gateway/wire/tidegate.proto has them.
    Protobuf,
}

/// Why a row has no value in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The row is not what the format says.
    #[error("it is not sound: {0}")]
    Malformed(Malformed),
    /// The value would be larger than a record may be.
    #[error("it is larger than a record may be")]
    TooLarge,
}

impl From<Malformed> for FormError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl RecordForm {
    /// The value of a row, as it is or in `buffer`, which does not grow beyond its capacity.
    ///
    /// # Errors
    /// [`FormError`] if the row is not sound, or its value does not fit into the buffer.
    pub fn value<'v>(self, row: &'v [u8], buffer: &'v mut Vec<u8>) -> Result<&'v [u8], FormError> {
        buffer.clear();
        match self {
            Self::Batch => return Ok(row),
            Self::Json => json::write(row, buffer)?,
            Self::Protobuf => protobuf::write(row, buffer)?,
        }
        Ok(buffer)
    }

    /// What a record's header `content-type` says of a message of this kind.
    #[must_use]
    pub const fn content_type(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Json, _) => "application/json",
            (Self::Protobuf, _) => "application/protobuf",
            (Self::Batch, Kind::Alert) => "application/vnd.tidegate.alert",
            (Self::Batch, Kind::Gap) => "application/vnd.tidegate.gap",
            (Self::Batch, Kind::Aggregates | Kind::Telemetry) => "application/vnd.tidegate.batch",
        }
    }
}

/// A message whose every item has been read once.
enum Sound<'a> {
    Telemetry(Frame<'a>, BatchReader<'a>),
    Aggregates(Frame<'a>, SummaryReader<'a>),
    Alert(&'a str, Alert<'a>),
    Gap(&'a str, Gap),
}

/// Reads a message, and how many items it holds.
fn open(row: &[u8]) -> Result<(Sound<'_>, u64), Malformed> {
    let frame = Frame::read(row)?;
    Ok(match frame.kind {
        Kind::Telemetry => {
            let reader = BatchReader::new(row)?;
            (Sound::Telemetry(frame, reader), count(reader)?)
        }
        Kind::Aggregates => {
            let reader = SummaryReader::new(row)?;
            (Sound::Aggregates(frame, reader), count(reader)?)
        }
        Kind::Alert => {
            let (gateway, alert) = Alert::read(row)?;
            (Sound::Alert(gateway, alert), 1)
        }
        Kind::Gap => {
            let (gateway, gap) = Gap::read(row)?;
            (Sound::Gap(gateway, gap), 1)
        }
    })
}

fn count<T>(items: impl Iterator<Item = Result<T, Malformed>>) -> Result<u64, Malformed> {
    let mut count = 0;
    for item in items {
        item?;
        count += 1;
    }
    Ok(count)
}

/// Decodes a message to its end; gives how many readings, summaries, alerts or gaps it holds.
///
/// # Errors
/// [`Malformed`] at the first item that is not sound.
pub fn count_items(row: &[u8]) -> Result<u64, Malformed> {
    open(row).map(|(_, items)| items)
}

#[cfg(test)]
mod tests;
