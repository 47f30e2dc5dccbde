//! Giving up what waits: batches leave the outbox, and a gap for each lane tells Kafka what will never come.

use core::fmt;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use pipeline::Plan;
use wire::{Gap, GapReason, Timestamp};

use super::{QueueError, name_of};
use crate::commit::{Commit, MutationRoom, SealedRow};
use crate::machine::Sizes;
use crate::outbox::{Lane, Sequence};
use crate::recover;
use crate::store::{Inspected, Opened, Reply, Request, Settings};

/// Lanes that can be given up. An alert is never too much, and a gap is what tells of the others.
const LANES_GIVEN_UP: [Lane; 2] = [Lane::Aggregate, Lane::Telemetry];
/// Room for a gap with the longest id of a gateway.
const GAP_BYTES: usize = 256;

/// What waits in a lane, and is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The lane.
    pub lane: Lane,
    /// First sequence.
    pub from: u64,
    /// Last sequence.
    pub to: u64,
    /// How many rows.
    pub rows: u64,
    /// How many readings or summaries.
    pub items: u64,
}

/// What `purge` would take away.
///
/// # Errors
/// [`QueueError`] if the store cannot be read.
pub fn losses(dir: &Path) -> Result<Vec<Loss>, QueueError> {
    let mut losses: Vec<Loss> = Vec::new();
    Inspected::open(dir)?.for_each_row(|row| {
        let (sequence, items) = (row.sequence.0, u64::from(row.readings));
        if !LANES_GIVEN_UP.contains(&row.lane) {
            return Ok(());
        }
        match losses.iter_mut().find(|loss| loss.lane == row.lane) {
            Some(loss) => {
                loss.to = sequence;
                loss.rows += 1;
                loss.items += items;
            }
            None => losses.push(Loss {
                lane: row.lane,
                from: sequence,
                to: sequence,
                rows: 1,
                items,
            }),
        }
        Ok::<_, QueueError>(())
    })?;
    Ok(losses)
}

/// Takes batches of readings and summaries out of the outbox, and puts a gap in the place of each lane's last one. What the
/// journal would make again is made first, and goes with them. Gives what was lost.
///
/// # Errors
/// [`QueueError`] if the store cannot be opened or written; then nothing is lost.
pub fn purge(
    dir: &Path,
    gateway: &str,
    plan: &Plan,
    sizes: &Sizes,
    settings: Settings,
    at: Timestamp,
) -> Result<Vec<Loss>, QueueError> {
    settle(dir, plan, sizes, settings)?;
    let losses = losses(dir)?;
    let mut commit = Commit::new(MutationRoom::default());
    for loss in &losses {
        let mut buffer = [0; GAP_BYTES];
        let bytes = loss.gap(at).write(gateway, &mut buffer);
        let row = SealedRow {
            lane: Lane::Gap,
            sequence: Sequence(loss.to),
            key: gateway,
            readings: 1,
            bytes: bytes.map_err(|_| QueueError::Ended)?,
        };
        commit.push_row(&row).map_err(|_| QueueError::Ended)?;
        commit.trim_outbox[loss.lane.index()] = Some(Sequence(loss.to));
    }
    let (_, opened) = recover::open(dir, settings)?;
    write(opened, vec![commit])?;
    Ok(losses)
}

/// Makes what the journal would make again, and saves the state behind it.
fn settle(dir: &Path, plan: &Plan, sizes: &Sizes, settings: Settings) -> Result<(), QueueError> {
    let (recovered, opened) = recover::open(dir, settings)?;
    let (restored, opened) = recover::recover(recovered, opened, plan, sizes)?;
    let mut state = Vec::new();
    restored
        .machine
        .save(&mut |part| state.extend_from_slice(part));
    let mut saved = Commit::new(MutationRoom::default());
    saved.checkpoint = Some((restored.next.0, state));
    let mut commits = restored.commits;
    commits.push(saved);
    write(opened, commits)
}

/// Makes commits durable, one after the other.
fn write(opened: Opened, commits: Vec<Commit>) -> Result<(), QueueError> {
    let (replies, answers) = sync_channel(1);
    // Nobody listens once a commit has failed.
    let writer = opened.start(move |reply| drop(replies.send(reply)))?;
    for commit in commits {
        writer
            .request(Request::Commit(Box::new(commit)))
            .map_err(|_| QueueError::Ended)?;
        match answers.recv() {
            Ok(Reply::Committed { .. }) => {}
            Ok(Reply::CommitFailed { error, .. }) => return Err(error.into()),
            _ => return Err(QueueError::Ended),
        }
    }
    writer
        .request(Request::Close)
        .map_err(|_| QueueError::Ended)?;
    match answers.recv() {
        Ok(Reply::Closed(closed)) => Ok(closed?),
        _ => Err(QueueError::Ended),
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lane,
            from,
            to,
            rows,
            items,
        } = self;
        let what = match lane {
            Lane::Telemetry => "readings",
            Lane::Aggregate => "summaries",
            Lane::Gap | Lane::Alert => "records",
        };
        write!(
            f,
            "{}: {items} {what} in {rows} batches, sequences {from} to {to}",
            name_of(*lane)
        )
    }
}

impl Loss {
    fn gap(&self, at: Timestamp) -> Gap {
        Gap {
            lane: match self.lane {
                Lane::Alert => wire::Lane::Alerts,
                Lane::Aggregate => wire::Lane::Aggregates,
                Lane::Gap | Lane::Telemetry => wire::Lane::Telemetry,
            },
            from: self.from,
            to: self.to,
            count: self.items,
            reason: GapReason::Purged,
            at,
        }
    }
}
