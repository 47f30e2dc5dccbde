//! Open batches become bytes.

use super::clock::{clock_of, worst};
use super::{Pipeline, name_of};
use crate::batch::{OpenRow, write_front};
use crate::memory::Memory;
use crate::output::{BatchKind, Emit, Output};
use crate::time::Now;
use wire::{Clock, stamp, write_batch, write_summaries};

impl<M: Memory> Pipeline<M> {
    pub(super) fn batch_len_max(&self, room: usize) -> usize {
        room.min(self.plan.batch.readings_max as usize)
    }

    /// Seals both open batches, however many it takes.
    pub(super) fn seal_all(&mut self, now: Now, out: &mut impl Emit) {
        while self.aggregates.len > 0 {
            self.seal_summaries(now, out);
        }
        while self.telemetry.len > 0 {
            self.seal_rows(now, out);
        }
    }

    /// Seals one batch of as many rows as the buffer holds, which nearly always are all. The rest goes on waiting, and is due
    /// as it was.
    pub(super) fn seal_rows(&mut self, now: Now, out: &mut impl Emit) {
        let Self {
            plan,
            memory,
            counters,
            telemetry,
            clock,
            ..
        } = self;
        let rows = &mut memory.rows[..telemetry.len];
        rows.sort_unstable_by_key(OpenRow::key);
        let name = |sensor| name_of(&memory.sensors, plan, sensor);
        let write = |rows: &[_], buffer: &mut [u8]| {
            write_batch(&plan.gateway, now.wall, rows, name, buffer).map(<[u8]>::len)
        };
        let (len, items) = write_front(rows, &mut memory.bytes, write);
        let clocks = rows[..items].iter().map(|row| clock_of(row.row.flags));
        let bytes = stamped(&mut memory.bytes[..len], worst(*clock, clocks));
        counters.telemetry_batches += 1;
        out.emit(Output::Batch {
            kind: BatchKind::Telemetry,
            bytes,
            items: items as u32,
        });
        telemetry.leave(rows, items);
        for (order, row) in rows[..telemetry.len].iter_mut().enumerate() {
            row.order = order as u32;
        }
    }

    /// The same of summaries.
    pub(super) fn seal_summaries(&mut self, now: Now, out: &mut impl Emit) {
        let Self {
            plan,
            memory,
            counters,
            aggregates,
            clock,
            ..
        } = self;
        let summaries = &mut memory.summaries[..aggregates.len];
        summaries
            .sort_unstable_by_key(|summary| (summary.sensor, summary.window, summary.revision));
        let name = |sensor| name_of(&memory.sensors, plan, sensor);
        let write = |summaries: &[_], buffer: &mut [u8]| {
            write_summaries(&plan.gateway, now.wall, summaries, name, buffer).map(<[u8]>::len)
        };
        let (len, items) = write_front(summaries, &mut memory.bytes, write);
        let clocks = summaries[..items].iter().map(|summary| summary.clock);
        let bytes = stamped(&mut memory.bytes[..len], worst(*clock, clocks));
        counters.aggregate_batches += 1;
        out.emit(Output::Batch {
            kind: BatchKind::Aggregates,
            bytes,
            items: items as u32,
        });
        aggregates.leave(summaries, items);
    }
}

/// A message says so if a clock that was not set has to do with it; nearly always none has.
fn stamped(message: &mut [u8], clock: Clock) -> &[u8] {
    if clock != Clock::Synced {
        stamp(message, clock);
    }
    message
}
