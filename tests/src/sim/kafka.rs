//! A model of Kafka as one gateway sees it: sessions that fence each other, transactions that are there as a whole or not at
//! all, and a log of what a read_committed consumer gets.

use gateway::outbox::{OutboxRow, Watermark};

/// One row as a consumer gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The life of the store that it came from.
    pub epoch: u64,
    /// The row.
    pub row: OutboxRow,
}

/// A transfer that the cluster has begun to work on.
#[derive(Clone, Debug)]
pub struct Transaction {
    session: u64,
    rows: Vec<OutboxRow>,
    watermark: Watermark,
    /// When its commit takes effect, true time in ms; never: its producer went away before it asked for it.
    commits_at_ms: Option<u64>,
}

/// Why the cluster does not do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// A younger session has taken the place of this one.
    Fenced,
    /// The row at this index is larger than a topic takes.
    TooLarge(usize),
}

/// The cluster.
#[derive(Debug)]
pub struct Kafka {
    /// What is committed, in its order.
    pub log: Vec<Record>,
    /// The newest record on the topic of watermarks.
    pub watermark: Option<Watermark>,
    /// Largest value that a topic takes, bytes.
    pub record_bytes_max: usize,
    session: u64,
    open: Option<Transaction>,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            log: Vec::new(),
            watermark: None,
            record_bytes_max: usize::MAX,
            session: 0,
            open: None,
        }
    }
}

impl Kafka {
    /// A new session: what an older one left open is aborted, unless its commit had taken effect before. Returns its number,
    /// and whether something was aborted.
    pub fn begin_session(&mut self, now_ms: u64) -> (u64, bool) {
        self.settle(now_ms);
        let aborted = self.open.take().is_some();
        self.session += 1;
        (self.session, aborted)
    }

    /// A transfer of `session`, whose commit takes effect at `commits_at_ms`.
    ///
    /// # Errors
    /// [`No`] if it is refused; nothing of it is there then.
    pub fn transfer(
        &mut self,
        session: u64,
        rows: Vec<OutboxRow>,
        watermark: Watermark,
        commits_at_ms: Option<u64>,
    ) -> Result<(), No> {
        if session != self.session {
            return Err(No::Fenced);
        }
        if let Some(index) = rows
            .iter()
            .position(|row| row.bytes.len() > self.record_bytes_max)
        {
            return Err(No::TooLarge(index));
        }
        self.open = Some(Transaction {
            session,
            rows,
            watermark,
            commits_at_ms,
        });
        Ok(())
    }

    /// Aborts what this session has open.
    pub fn abort(&mut self, session: u64) {
        self.open.take_if(|open| open.session == session);
    }

    /// Commits what is to be committed by now.
    pub fn settle(&mut self, now_ms: u64) {
        let is_due = |open: &mut Transaction| open.commits_at_ms.is_some_and(|at| at <= now_ms);
        if let Some(open) = self.open.take_if(is_due) {
            let epoch = open.watermark.epoch;
            let rows = open.rows.into_iter();
            self.log.extend(rows.map(|row| Record { epoch, row }));
            self.watermark = Some(open.watermark);
        }
    }
}
