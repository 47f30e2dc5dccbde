//! Rows that Kafka finds too large: in halves, in quarters, and so on; for what is still too large something else goes.

use wire::{
    BatchReader, Frame, Full, Kind, Row, SensorId, SensorName, Summary, SummaryReader, stamp,
};

use crate::limits::{BATCH_BYTES, OVERSIZE_PARTS_MAX, TRANSFER_ROWS_MAX};
use crate::outbox::{OutboxRow, Sequence};

/// The rows of the transfer at hand that were refused, with the number of parts to try next.
#[derive(Debug, Default)]
pub(super) struct Oversize {
    refused: heapless::Vec<(Sequence, usize), TRANSFER_ROWS_MAX>,
}

impl Oversize {
    /// Kafka found the row too large, or a part of it.
    pub(super) fn refuse(&mut self, sequence: Sequence) {
        match self
            .refused
            .iter_mut()
            .find(|(refused, _)| *refused == sequence)
        {
            Some((_, parts)) => *parts *= 2,
            // A transfer has no more rows than there are places.
            None => drop(self.refused.push((sequence, 2))),
        }
    }

    /// Puts the parts in the place of rows that were refused; `instead` makes what goes for a row that cannot be made smaller.
    pub(super) fn apply(
        &self,
        rows: Vec<OutboxRow>,
        instead: impl Fn(&OutboxRow) -> OutboxRow,
    ) -> Vec<OutboxRow> {
        if self.refused.is_empty() {
            return rows;
        }
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            match self
                .refused
                .iter()
                .find(|(refused, _)| *refused == row.sequence)
            {
                None => kept.push(row),
                Some((_, parts)) => match split(&row, *parts) {
                    Some(parts) => kept.extend(parts),
                    None => kept.push(instead(&row)),
                },
            }
        }
        kept
    }
}

/// The row in `parts` parts; `None` if it holds fewer items, or is no batch.
fn split(row: &OutboxRow, parts: usize) -> Option<Vec<OutboxRow>> {
    if parts > OVERSIZE_PARTS_MAX {
        return None;
    }
    let Frame {
        kind,
        gateway,
        at,
        clock,
    } = Frame::read(&row.bytes).ok()?;
    let mut parts = match kind {
        Kind::Telemetry => Items {
            named: BatchReader::new(&row.bytes)
                .ok()?
                .collect::<Result<_, _>>()
                .ok()?,
            sensor: |item: &Row| item.sensor,
        }
        .write(row, parts, |part, name, buffer| {
            wire::write_batch(gateway, at, part, name, buffer).map(<[u8]>::len)
        }),
        Kind::Aggregates => Items {
            named: SummaryReader::new(&row.bytes)
                .ok()?
                .collect::<Result<_, _>>()
                .ok()?,
            sensor: |item: &Summary| item.sensor,
        }
        .write(row, parts, |part, name, buffer| {
            wire::write_summaries(gateway, at, part, name, buffer).map(<[u8]>::len)
        }),
        Kind::Alert | Kind::Gap => None,
    }?;
    for part in &mut parts {
        stamp(&mut part.bytes, clock);
    }
    Some(parts)
}

/// What a row holds, each item with the name of its sensor.
struct Items<'a, T> {
    named: Vec<(SensorName<'a>, T)>,
    sensor: fn(&T) -> SensorId,
}

impl<'a, T: Copy> Items<'a, T> {
    fn write(
        &self,
        row: &OutboxRow,
        parts: usize,
        write: impl Fn(&[T], &dyn Fn(SensorId) -> SensorName<'a>, &mut [u8]) -> Result<usize, Full>,
    ) -> Option<Vec<OutboxRow>> {
        if self.named.len() < parts {
            return None;
        }
        let items: Vec<T> = self.named.iter().map(|(_, item)| *item).collect();
        let mut buffer = vec![0; BATCH_BYTES];
        items
            .chunks(items.len().div_ceil(parts))
            .zip(1..)
            .map(|(part, number)| {
                let len = write(part, &|sensor| self.name_of(sensor), &mut buffer).ok()?;
                Some(OutboxRow {
                    lane: row.lane,
                    sequence: row.sequence,
                    part: number,
                    key: row.key.clone(),
                    readings: part.len() as u32,
                    bytes: buffer[..len].to_vec(),
                })
            })
            .collect()
    }

    fn name_of(&self, wanted: SensorId) -> SensorName<'a> {
        self.named
            .iter()
            .find(|(_, item)| (self.sensor)(item) == wanted)
            .map(|(name, _)| *name)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use wire::{Content, Flags, Timestamp};

    use super::*;
    use crate::outbox::Lane;

    fn batch(count: i64) -> (OutboxRow, Vec<Row>) {
        let rows: Vec<Row> = (0..count)
            .map(|at| Row {
                sensor: SensorId((at / 10) as u16),
                time: Timestamp(at * 1_000),
                arrival: Timestamp(at * 1_000),
                content: Content::AsSent(at as f64 / 10.0),
                flags: Flags::default(),
            })
            .collect();
        let name = |_| SensorName {
            device: "boiler",
            signal: "t",
            unit: "",
        };
        let mut buffer = vec![0; BATCH_BYTES];
        let bytes = wire::write_batch("edge-1", Timestamp(7), &rows, name, &mut buffer)
            .expect("fits")
            .to_vec();
        let row = OutboxRow {
            lane: Lane::Telemetry,
            sequence: Sequence(5),
            part: 0,
            key: "edge-1".into(),
            readings: count as u32,
            bytes,
        };
        (row, rows)
    }

    fn items(rows: &[OutboxRow]) -> Vec<Row> {
        rows.iter()
            .flat_map(|row| {
                BatchReader::new(&row.bytes)
                    .expect("a batch")
                    .map(|item| item.expect("a row").1)
            })
            .collect()
    }

    #[test]
    fn a_refused_batch_goes_in_parts_that_hold_every_reading_once() {
        let (row, rows) = batch(95);
        let mut oversize = Oversize::default();
        for parts in [2, 4, 8] {
            oversize.refuse(Sequence(5));
            let kept = oversize.apply(vec![row.clone()], |_| panic!("it can be made smaller"));
            assert_eq!(kept.len(), parts);
            assert!(
                kept.iter()
                    .zip(1..)
                    .all(|(part, number)| part.part == number)
            );
            assert_eq!(items(&kept), rows);
        }
    }

    #[test]
    fn something_else_goes_for_a_row_that_cannot_be_made_smaller() {
        let (row, _) = batch(1);
        let mut oversize = Oversize::default();
        oversize.refuse(Sequence(5));
        let gap = OutboxRow {
            lane: Lane::Gap,
            ..row.clone()
        };
        assert_eq!(oversize.apply(vec![row], |_| gap.clone()), [gap]);
    }
}
