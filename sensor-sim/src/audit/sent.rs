//! What the ledgers say of each sensor, and which sequences were acknowledged.

use core::cmp::Reverse;
use std::collections::HashMap;

use super::Case;
use crate::ledger::{LedgerError, Record, Records};

/// The highest rank of a reading in [`Sensor::find`].
pub(super) const RANK_MAX: u8 = 3;

#[derive(Debug)]
pub(super) struct Sensor {
    pub(super) device: String,
    pub(super) signal: String,
    /// In the order in which they were sent.
    pub(super) readings: Vec<Reading>,
    /// Their indices by time, where the times don't rise by themselves.
    pub(super) by_time: Option<Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) time: i64,
    pub(super) value: f64,
    pub(super) sequence: u32,
    pub(super) is_acknowledged: bool,
    pub(super) is_refusable: bool,
    pub(super) repeats: u8,
}

impl Sensor {
    pub(super) fn sort(&mut self) {
        if self.readings.is_sorted_by(|a, b| a.time < b.time) {
            return;
        }
        let mut by_time: Vec<u32> = (0..self.readings.len() as u32).collect();
        by_time.sort_by_key(|&at| self.readings[at as usize].time);
        self.by_time = Some(by_time);
    }

    /// Index of the reading with `time`: of several the one that `rank` puts highest, the first of equals. It is mostly
    /// `guess`, which is taken if it is ranked above all that can be.
    pub(super) fn find(
        &self,
        time: i64,
        guess: usize,
        rank: impl Fn(usize) -> u8,
    ) -> Option<usize> {
        if self
            .readings
            .get(guess)
            .is_some_and(|reading| reading.time == time)
            && rank(guess) == RANK_MAX
        {
            return Some(guess);
        }
        let at = |place: usize| {
            self.by_time
                .as_ref()
                .map_or(place, |all| all[place] as usize)
        };
        let time_of = |place: usize| self.readings[at(place)].time;
        let first = match &self.by_time {
            None => self.readings.partition_point(|reading| reading.time < time),
            Some(all) => all.partition_point(|at| self.readings[*at as usize].time < time),
        };
        (first..self.readings.len())
            .take_while(|place| time_of(*place) == time)
            .map(at)
            .max_by_key(|at| (rank(*at), Reverse(*at)))
    }

    pub(super) fn case(&self, reading: &Reading) -> Case {
        Case {
            device: self.device.clone(),
            signal: self.signal.clone(),
            sequence: Some(reading.sequence),
            time: Some(reading.time),
            value: Some(reading.value),
        }
    }
}

/// Which sequences were acknowledged, by run and device: first and end of each range, rising.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(HashMap<(u32, u32), Vec<(u32, u32)>>);

impl Acknowledged {
    pub(super) fn read(ledger: &[u8]) -> Result<Self, LedgerError> {
        let mut all = Self::default();
        let mut run = 0;
        for record in Records::new(ledger)? {
            match record? {
                Record::Run(_) => run += 1,
                Record::Acknowledged {
                    device,
                    first,
                    count,
                } => {
                    all.0
                        .entry((run, device))
                        .or_default()
                        .push((first, first + count));
                }
                Record::Device(_) | Record::Stream { .. } | Record::Sent(_) => {}
            }
        }
        all.0.values_mut().for_each(|ranges| ranges.sort_unstable());
        Ok(all)
    }

    pub(super) fn has(&self, run: u32, device: u32, sequence: u32) -> bool {
        self.0.get(&(run, device)).is_some_and(|ranges| {
            let after = ranges.partition_point(|(first, _)| *first <= sequence);
            after > 0 && sequence < ranges[after - 1].1
        })
    }
}
