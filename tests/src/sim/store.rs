//! A model of the store: maps in memory, where a commit is there as a whole or not at all, and what came of it may be told
//! late, wrongly, or never.

use core::convert::Infallible;
use core::ops::ControlFlow;
use std::collections::BTreeMap;

use gateway::commit::{Commit, Mutation};
use gateway::limits::TRANSFER_ROWS_MAX;
use gateway::outbox::{LANES, Lane, OutboxRow, Sequence};
use gateway::replay::{Extent, Kept};

/// Checkpoints that the real store keeps.
const CHECKPOINTS_KEPT: usize = 2;

/// What is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Chunks by the position of their first entry.
    pub journal: BTreeMap<u64, Vec<u8>>,
    /// States of the machine by position.
    pub checkpoints: BTreeMap<u64, Vec<u8>>,
    /// Rows by lane and sequence.
    pub outbox: BTreeMap<(usize, u64), OutboxRow>,
    /// The broker's pairs.
    pub state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Which life of the store.
    pub epoch: Option<u64>,
}

impl Disk {
    /// Makes all of it durable.
    pub fn apply(&mut self, commit: &Commit) {
        for lane in Lane::ALL {
            if let Some(Sequence(sent)) = commit.trim_outbox[lane.index()] {
                self.outbox
                    .retain(|(of, sequence), _| *of != lane.index() || *sequence > sent);
            }
        }
        self.epoch = commit.epoch.or(self.epoch);
        if let Some((position, state)) = &commit.checkpoint {
            self.checkpoints.insert(*position, state.clone());
            while self.checkpoints.len() > CHECKPOINTS_KEPT {
                self.checkpoints.pop_first();
            }
            self.trim_journal();
        }
        if !commit.journal.is_empty() {
            self.journal.insert(commit.position, commit.journal.clone());
        }
        for row in commit.rows() {
            let place = (row.lane.index(), row.sequence.0);
            self.outbox.entry(place).or_insert_with(|| OutboxRow {
                lane: row.lane,
                sequence: row.sequence,
                part: 0,
                key: row.key.to_owned(),
                readings: row.readings,
                bytes: row.bytes.to_vec(),
            });
        }
        for mutation in commit.mutations() {
            match mutation {
                Mutation::Put { key, value } => {
                    self.state.insert(key.to_vec(), value.to_vec());
                }
                Mutation::Delete { key } => {
                    self.state.remove(key);
                }
            }
        }
    }

    /// The rows that one transfer takes: at least one where there is one.
    #[must_use]
    pub fn load(&self, lane: Lane, after: Sequence, bytes_max: usize) -> Vec<OutboxRow> {
        let behind = (lane.index(), after.0 + 1)..(lane.index() + 1, 0);
        let mut bytes = 0;
        let mut rows: Vec<OutboxRow> = Vec::new();
        for row in self.outbox.range(behind).map(|(_, row)| row) {
            bytes += row.key.len() + row.bytes.len();
            if rows.len() == TRANSFER_ROWS_MAX || (bytes > bytes_max && !rows.is_empty()) {
                break;
            }
            rows.push(row.clone());
        }
        rows
    }

    /// What there is to be read at the start.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let mut last = [Sequence(0); LANES];
        for (lane, sequence) in self.outbox.keys() {
            last[*lane] = Sequence(*sequence);
        }
        Extent {
            epoch: self.epoch,
            checkpoints: self.checkpoints.keys().rev().copied().collect(),
            last,
        }
    }

    /// The chunk that holds the oldest checkpoint's position stays, with all behind it.
    fn trim_journal(&mut self) {
        if let Some((oldest, _)) = self.checkpoints.first_key_value()
            && let Some((first, _)) = self.journal.range(..=*oldest).next_back()
        {
            self.journal = self.journal.split_off(&first.clone());
        }
    }
}

impl Kept for Disk {
    type Error = Infallible;

    fn checkpoint(&self, position: u64) -> Result<Vec<u8>, Infallible> {
        Ok(self.checkpoints[&position].clone())
    }

    fn for_each_chunk(
        &self,
        position: u64,
        mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let first = self.journal.range(..=position).next_back();
        let first = first.map_or(0, |(first, _)| *first);
        for (first, chunk) in self.journal.range(first..) {
            if visit(*first, chunk).is_break() {
                break;
            }
        }
        Ok(())
    }
}
