//! What must be in the store and in Kafka after a cut: a list of what was said, and nothing of what the gateway thinks.

use std::collections::BTreeMap;
use std::path::Path;

use gateway::commit::SealedRow;
use gateway::journal::Entry;
use gateway::machine::{Effects, Machine};
use gateway::outbox::{LANES, Lane, OutboxRow, Sequence, Watermark};
use gateway::recover;
use gateway::store::{Inspected, Reply, Request};
use pipeline::Instant;
use serde::{Deserialize, Serialize};
use wire::{Alert, BatchReader, Gap, SensorName, Summary};

use crate::workload;

/// Deadlines of the machine that are let pass until its open batch is sealed.
const TICKS_MAX: u64 = 40;

/// What the gateway told somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The client: this reading is safe.
    Acknowledged(u64),
    /// Kafka: these rows, and how far that is.
    Sent {
        watermark: Watermark,
        rows: Vec<Sent>,
    },
}

/// A row in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) lane: usize,
    pub(crate) sequence: u64,
    /// The readings in it.
    pub(crate) numbers: Vec<u64>,
    /// Or how many were in it, if it was thinned.
    pub(crate) thinned: u64,
}

impl Sent {
    /// What a row of the outbox, or the gap record in its place, tells a consumer.
    pub(crate) fn of(row: &OutboxRow) -> Self {
        let mut sent = Self {
            lane: row.lane.index(),
            sequence: row.sequence.0,
            numbers: Vec::new(),
            thinned: 0,
        };
        if row.lane == Lane::Gap {
            let (_, gap) = Gap::read(&row.bytes).expect("a gap");
            assert_eq!((gap.from, gap.to), (sent.sequence, sent.sequence));
            sent.thinned = gap.count;
            sent.lane = match gap.lane {
                wire::Lane::Telemetry => Lane::Telemetry.index(),
                wire::Lane::Aggregates => Lane::Aggregate.index(),
                wire::Lane::Alerts => Lane::Alert.index(),
            };
        } else if row.is_thinned() {
            sent.thinned = u64::from(row.readings);
        } else {
            sent.numbers = numbers_in(row.lane, &row.bytes);
        }
        sent
    }
}

/// All that was said so far.
#[derive(Default)]
pub(crate) struct Oracle {
    acknowledged: Vec<u64>,
    kafka: BTreeMap<u64, Sent>,
    watermark: Option<Watermark>,
    said: usize,
}

impl Oracle {
    pub(crate) fn hear(&mut self, said: &Said) {
        self.said += 1;
        match said {
            Said::Acknowledged(number) => self.acknowledged.push(*number),
            Said::Sent { watermark, rows } => {
                self.watermark = Some(*watermark);
                for row in rows {
                    let before = self.kafka.insert(row.sequence, row.clone());
                    assert!(before.is_none(), "sent twice: {row:?}");
                }
            }
        }
    }

    pub(crate) fn said(&self) -> usize {
        self.said
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(crate) fn rows_in_kafka(&self) -> usize {
        self.kafka.len()
    }

    /// Readings of which Kafka has only the number.
    pub(crate) fn thinned(&self) -> u64 {
        self.kafka.values().map(|row| row.thinned).sum()
    }

    /// Opens what a cut left, as a start does, and says what is wrong with it; `twice`: opens it once more.
    pub(crate) fn judge(&self, folder: &Path, twice: bool) -> Result<(), String> {
        let rows = open(folder)?;
        self.hold_against(&rows)?;
        Inspected::open(folder)
            .and_then(|store| store.check())
            .map_err(|error| error.to_string())?;
        if twice && open(folder)? != rows {
            return Err("a second start finds something else".into());
        }
        Ok(())
    }

    fn hold_against(&self, found: &Found) -> Result<(), String> {
        if let Some(mark) = self.watermark
            && found.epoch != Some(mark.epoch)
        {
            return Err(format!("epoch {:?} after {mark:?}", found.epoch));
        }
        let covered = self.watermark.map_or([0; LANES], |mark| mark.sequences);
        let waiting = found
            .rows
            .iter()
            .filter(|row| row.sequence > covered[row.lane]);
        let mut all = self.kafka.clone();
        for row in waiting {
            if let Some(other) = all.insert(row.sequence, row.clone()) {
                return Err(format!("two rows of one sequence: {row:?} and {other:?}"));
            }
        }
        if !all.keys().copied().eq(1..=all.len() as u64) {
            return Err(format!("sequences with a hole: {:?}", all.keys()));
        }
        self.count(
            all.values()
                .filter(|row| row.lane == Lane::Telemetry.index()),
        )
    }

    /// Readings are sealed in the order in which they were sent, so each row holds the next ones, or says how many are missing.
    fn count<'s>(&self, rows: impl Iterator<Item = &'s Sent>) -> Result<(), String> {
        let mut next = 0;
        let mut last = BTreeMap::new();
        for row in rows {
            // The client's readings go round over five devices.
            if let Some(late) = row
                .numbers
                .iter()
                .find(|number| last.insert(*number % 5, **number) > Some(**number))
            {
                return Err(format!("reading {late} is out of order"));
            }
            let end = next + row.numbers.len() as u64 + row.thinned;
            let mut numbers = row.numbers.clone();
            numbers.sort_unstable();
            if row.thinned == 0 && !numbers.iter().copied().eq(next..end) {
                return Err(format!(
                    "{numbers:?} in row {} and not {next} to {end}",
                    row.sequence
                ));
            }
            next = end;
        }
        match self.acknowledged.iter().max() {
            Some(newest) if *newest >= next => {
                Err(format!("{next} to {newest} were acknowledged and are lost"))
            }
            _ => Ok(()),
        }
    }
}

/// What a start finds: the rows that wait, with those that the machine had not sealed yet.
#[derive(PartialEq, Eq)]
struct Found {
    epoch: Option<u64>,
    rows: Vec<Sent>,
}

fn open(folder: &Path) -> Result<Found, String> {
    let config = workload::config_in(folder);
    let wrong = |error: &dyn core::fmt::Display| error.to_string();
    let (recovered, opened) =
        recover::open(folder, workload::settings(&config, false)).map_err(|error| wrong(&error))?;
    if let Some(moved) = &recovered.moved_aside {
        return Err(format!("moved aside: {}", moved.why));
    }
    let plan = config.plan().expect("valid");
    let epoch = recovered.epoch;
    let (mut restored, opened) = recover::recover(recovered, opened, &plan, &config.sizes())
        .map_err(|error| wrong(&error))?;
    let was_moved = |name: &std::ffi::OsStr| name.to_string_lossy().contains("corrupt");
    if folder
        .read_dir()
        .expect("a folder")
        .any(|file| was_moved(&file.expect("a file").file_name()))
    {
        return Err("moved aside: the journal makes no sense".into());
    }
    let (writer, replies) = workload::start(opened);
    let ask = |request| {
        writer.request(request).expect("the queue has room");
        replies.recv().expect("an answer")
    };
    for commit in restored.commits.drain(..) {
        match ask(Request::Commit(Box::new(commit))) {
            Reply::Committed { .. } => {}
            other => return Err(format!("what the replay made again: {other:?}")),
        }
    }
    let mut rows = Vec::new();
    for lane in Lane::ALL {
        let after = Sequence(0);
        let (bytes_max, rows_max) = (usize::MAX, usize::MAX);
        match ask(Request::Load {
            lane,
            after,
            bytes_max,
            rows_max,
        }) {
            Reply::Loaded(loaded) => rows.extend(loaded.iter().map(Sent::of)),
            other => return Err(format!("rows of {lane:?}: {other:?}")),
        }
    }
    seal_the_rest(&mut restored.machine, &mut rows);
    Ok(Found { epoch, rows })
}

/// Lets time pass until the machine has sealed what it holds.
fn seal_the_rest(machine: &mut Machine, rows: &mut Vec<Sent>) {
    struct Sealed<'a>(&'a mut Vec<Sent>);

    impl Effects for Sealed<'_> {
        fn alert(&mut self, _: &Alert<'_>) {}

        fn average(&mut self, _: &Summary, _: SensorName<'_>, _: &[f64]) {}

        fn seal(&mut self, row: &SealedRow<'_>) {
            self.0.push(Sent {
                lane: row.lane.index(),
                sequence: row.sequence.0,
                numbers: numbers_in(row.lane, row.bytes),
                thinned: 0,
            });
        }
    }

    let from = machine.instant();
    for tick in 1..=TICKS_MAX {
        machine.apply(
            Instant(from.0 + tick * 100),
            &Entry::Tick,
            &mut Sealed(rows),
        );
    }
}

/// The numbers of the readings in a row.
fn numbers_in(lane: Lane, bytes: &[u8]) -> Vec<u64> {
    if lane != Lane::Telemetry {
        return Vec::new();
    }
    BatchReader::new(bytes)
        .expect("a batch")
        .map(|item| {
            let (_, item) = item.expect("a row");
            item.content
                .raw()
                .or(item.content.value())
                .expect("a number") as u64
        })
        .collect()
}
