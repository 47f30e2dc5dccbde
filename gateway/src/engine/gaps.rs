//! The record that goes to Kafka in the place of a row that will never come.

use wire::{Clock, Gap, GapReason, Timestamp, stamp};

use crate::limits::GAP_BYTES_MAX;
use crate::outbox::{Lane, OutboxRow};

/// Stands for `row`: its sequence, and how much was in it.
pub(super) fn in_place_of(
    row: &OutboxRow,
    reason: GapReason,
    gateway: &str,
    (at, clock): (Timestamp, Clock),
) -> OutboxRow {
    let gap = Gap {
        lane: match row.lane {
            Lane::Alert => wire::Lane::Alerts,
            Lane::Aggregate => wire::Lane::Aggregates,
            Lane::Telemetry | Lane::Gap => wire::Lane::Telemetry,
        },
        from: row.sequence.0,
        to: row.sequence.0,
        count: u64::from(row.readings),
        reason,
        at,
    };
    let mut buffer = [0; GAP_BYTES_MAX];
    let len = gap.write(gateway, &mut buffer).map_or(0, <[u8]>::len);
    debug_assert!(len > 0, "GAP_BYTES_MAX holds the longest id");
    let bytes = &mut buffer[..len];
    stamp(bytes, clock);
    OutboxRow {
        lane: Lane::Gap,
        sequence: row.sequence,
        part: 0,
        key: gateway.to_owned(),
        readings: row.readings,
        bytes: bytes.to_vec(),
    }
}

/// Why a row was thinned: of readings the summaries are kept.
pub(super) const fn reason_of_thinning(lane: Lane) -> GapReason {
    match lane {
        Lane::Telemetry => GapReason::Thinned,
        Lane::Alert | Lane::Gap | Lane::Aggregate => GapReason::Dropped,
    }
}
