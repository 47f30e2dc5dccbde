//! A row of the outbox as a record of Kafka.

use rdkafka::message::{Header, OwnedHeaders};
use wire::{Clock, Kind};

use super::settings::{Settings, Topics};
use crate::outbox::{Lane, OutboxRow, Watermark};

/// Topic of a lane. Gaps stand between the readings that they are about.
pub(super) fn topic(topics: &Topics, lane: Lane) -> &str {
    match lane {
        Lane::Alert => &topics.alerts,
        Lane::Gap | Lane::Telemetry => &topics.telemetry,
        Lane::Aggregate => &topics.aggregates,
    }
}

/// Headers of a row's record. Its id is the same however often it is sent: all lanes count from one counter.
pub(super) fn row_headers(settings: &Settings, epoch: u64, row: &OutboxRow) -> OwnedHeaders {
    let part = Part(row.part);
    let id = format!("{}/{epoch}/{}{part}", settings.gateway, row.sequence.0);
    let (name, kind) = match row.lane {
        Lane::Alert => ("tidegate.alert.v1", Kind::Alert),
        Lane::Gap => ("tidegate.gap.v1", Kind::Gap),
        Lane::Aggregate => ("tidegate.aggregate.v1", Kind::Aggregates),
        Lane::Telemetry => ("tidegate.telemetry.v1", Kind::Telemetry),
    };
    let headers = headers(settings, &id, name, settings.form.content_type(kind));
    headers.insert(Header {
        key: "clock",
        value: Some(Clock::of(&row.bytes).name()),
    })
}

/// The end of a record's id, where a row went in parts.
struct Part(u16);

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.0 == 0 {
            Ok(())
        } else {
            write!(f, ".{}", self.0)
        }
    }
}

/// Headers of a watermark record.
pub(super) fn watermark_headers(settings: &Settings, watermark: &Watermark) -> OwnedHeaders {
    let [alert, gap, aggregate, telemetry] = watermark.sequences;
    let id = format!(
        "{}/{}/watermark/{alert}-{gap}-{aggregate}-{telemetry}",
        settings.gateway, watermark.epoch
    );
    headers(settings, &id, "tidegate.watermark.v1", "application/json")
}

fn headers(settings: &Settings, id: &str, kind: &str, content: &str) -> OwnedHeaders {
    let source = format!("tidegate/{}", settings.gateway);
    let header = |key, value| Header {
        key,
        value: Some(value),
    };
    let fixed = OwnedHeaders::new_with_capacity(6 + settings.labels.len())
        .insert(header("ce_specversion", "1.0"))
        .insert(header("ce_id", id))
        .insert(header("ce_source", &source))
        .insert(header("ce_type", kind))
        .insert(header("content-type", content));
    settings
        .labels
        .iter()
        .fold(fixed, |headers, (name, value)| {
            headers.insert(Header {
                key: &format!("ce_{name}"),
                value: Some(value),
            })
        })
}
