//! Right times for what was read before the wall clock was set: a row is written anew when its turn to be sent comes.
//!
//! The row in the outbox stays as it is, and so do its sequence and what is in it. Only what the gateway's clock gave is moved: when a
//! reading arrived, its time if it brought none, the window that was made of such times, when a batch was sealed or an alert decided.

use wire::{
    Alert, BatchReader, Clock, Frame, Kind, Reasons, Row, SensorId, SensorName, Summary,
    SummaryReader, Timestamp, Window, stamp, write_batch, write_summaries,
};

use crate::eras::Eras;
use crate::limits::BATCH_BYTES;
use crate::outbox::{OutboxRow, Sequence};

/// Moves the times of a row that a clock gave which was not set then and is now. What cannot be moved goes on saying that it is not to be
/// trusted.
pub fn repair(row: &mut OutboxRow, eras: &Eras) {
    if Clock::of(&row.bytes) != Clock::Unsynced {
        return;
    }
    if let Some(bytes) = repaired(row, eras) {
        row.bytes = bytes;
    }
}

/// The row with times that hold; none if there is nothing to move, or it is not sound.
fn repaired(row: &OutboxRow, eras: &Eras) -> Option<Vec<u8>> {
    let frame = Frame::read(&row.bytes).ok()?;
    let mut buffer = vec![0; BATCH_BYTES];
    let mover = Mover::new(eras, row.sequence, frame.at);
    let (len, clock) = match frame.kind {
        Kind::Telemetry => mover.telemetry(&row.bytes, &mut buffer)?,
        Kind::Aggregates => mover.aggregates(&row.bytes, &mut buffer)?,
        Kind::Alert => mover.alert(&row.bytes, &mut buffer)?,
        Kind::Gap => return None,
    };
    buffer.truncate(len);
    stamp(&mut buffer, clock);
    Some(buffer)
}

/// Moves what is in one row.
struct Mover<'e> {
    eras: &'e Eras,
    sequence: Sequence,
    at: Timestamp,
    /// How far the time of sealing can be trusted.
    seal: Clock,
}

impl<'e> Mover<'e> {
    fn new(eras: &'e Eras, sequence: Sequence, at: Timestamp) -> Self {
        let shift_ms = eras.shift_of_seal_ms(sequence);
        Self {
            eras,
            sequence,
            at: moved(at, shift_ms.unwrap_or_default()),
            seal: match (shift_ms, eras.is_sealed_in(sequence)) {
                (Some(_), _) => Clock::Repaired,
                (None, true) => Clock::Unsynced,
                (None, false) => Clock::Synced,
            },
        }
    }

    fn telemetry(&self, bytes: &[u8], buffer: &mut [u8]) -> Option<(usize, Clock)> {
        let reader = BatchReader::new(bytes).ok()?;
        let gateway = reader.frame().gateway;
        let (mut names, mut rows, mut clock) = (Names::default(), Vec::new(), self.seal);
        for item in reader {
            let (name, mut row) = item.ok()?;
            names.note(row.sensor, name);
            clock = clock.with(self.mend_row(&mut row));
            rows.push(row);
        }
        let name = |sensor| names.of(sensor);
        let written = write_batch(gateway, self.at, &rows, name, buffer).ok()?;
        Some((written.len(), clock))
    }

    /// The clock of the row as it is then.
    fn mend_row(&self, row: &mut Row) -> Clock {
        let reasons = row.flags.reasons();
        if !reasons.contains(Reasons::CLOCK_UNSYNCED) {
            return Clock::Synced;
        }
        let Some(shift_ms) = self.eras.shift_ms(self.sequence, row.arrival) else {
            return Clock::Unsynced;
        };
        row.arrival = moved(row.arrival, shift_ms);
        if reasons.meets(Reasons::TIME_OF_GATEWAY) {
            row.time = moved(row.time, shift_ms);
        }
        let reasons = reasons.without(Reasons::CLOCK_UNSYNCED) | Reasons::CLOCK_REPAIRED;
        row.flags = row.flags.with_reasons(reasons);
        Clock::Repaired
    }

    fn aggregates(&self, bytes: &[u8], buffer: &mut [u8]) -> Option<(usize, Clock)> {
        let reader = SummaryReader::new(bytes).ok()?;
        let gateway = reader.frame().gateway;
        let (mut names, mut summaries, mut clock) = (Names::default(), Vec::new(), self.seal);
        for item in reader {
            let (name, mut summary) = item.ok()?;
            names.note(summary.sensor, name);
            if summary.clock == Clock::Unsynced {
                self.mend_summary(&mut summary);
            }
            clock = clock.with(summary.clock);
            summaries.push(summary);
        }
        let name = |sensor| names.of(sensor);
        let written = write_summaries(gateway, self.at, &summaries, name, buffer).ok()?;
        Some((written.len(), clock))
    }

    /// A window that has anything in it which cannot be moved stays as it is.
    fn mend_summary(&self, summary: &mut Summary) {
        let Window {
            start, length_ms, ..
        } = summary.window;
        let last = start.0.saturating_add(i64::from(length_ms) - 1);
        let (from, to) = summary
            .stats
            .map_or((start.0, last), |stats| (stats.first_at, stats.first_at));
        let (from, to) = (Timestamp(from), Timestamp(to));
        let Some(shift_ms) = self.eras.shift_of_span_ms(self.sequence, from, to) else {
            return;
        };
        summary.window.start = moved(start, shift_ms);
        if let Some(stats) = &mut summary.stats {
            stats.first_at = stats.first_at.saturating_add(shift_ms);
            stats.last_at = stats.last_at.saturating_add(shift_ms);
        }
        summary.clock = Clock::Repaired;
    }

    fn alert(&self, bytes: &[u8], buffer: &mut [u8]) -> Option<(usize, Clock)> {
        let (gateway, mut alert) = Alert::read(bytes).ok()?;
        // A time behind that of the decision is the sensor's own.
        if alert.since <= alert.at {
            let shift_ms = self.eras.shift_ms(self.sequence, alert.since);
            alert.since = moved(alert.since, shift_ms.unwrap_or_default());
        }
        alert.at = self.at;
        let written = alert.write(gateway, buffer).ok()?;
        Some((written.len(), self.seal))
    }
}

/// What the sensors of a row are called, in its order.
#[derive(Default)]
struct Names<'a>(Vec<(SensorId, SensorName<'a>)>);

impl<'a> Names<'a> {
    fn note(&mut self, sensor: SensorId, name: SensorName<'a>) {
        if self.0.last().is_none_or(|(last, _)| *last != sensor) {
            self.0.push((sensor, name));
        }
    }

    fn of(&self, wanted: SensorId) -> SensorName<'a> {
        let mut names = self.0.iter();
        let found = names.find(|(sensor, _)| *sensor == wanted);
        found.map(|(_, name)| *name).unwrap_or_default()
    }
}

fn moved(time: Timestamp, shift_ms: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(shift_ms))
}

#[cfg(test)]
mod tests;
