//! The dry-run over the journal, beside all else: the store reads slices of it, a thread lets two copies of the machine take
//! them, and the loop hands the one to the other. The engine knows nothing of it.

use core::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pipeline::Plan;
use tokio::sync::mpsc;

use super::{Loop, Report};
use crate::fleet::trial::{Findings, Trial};
use crate::journal::Position;
use crate::limits::{
    REHEARSAL_ENTRIES_MAX, REHEARSAL_MS_MAX, REHEARSAL_SLICE_BYTES, REHEARSAL_STACK_BYTES,
};
use crate::machine::Sizes;
use crate::rehearsal::Rehearsal;
use crate::store::{Recall, Recalled, Request};

/// What the thread of a dry-run has to say.
#[derive(Debug)]
pub enum Rehearsed {
    /// It goes on with this entry.
    More(Position),
    /// It has seen all that it is to see; nothing: the journal cannot be used.
    Done(Option<Findings>),
}

/// A dry-run under way.
pub(super) struct DryRun {
    /// What the machine as it is says.
    trial: Trial,
    sizes: Sizes,
    /// The plan that holds and the one that is to come; the thread takes them.
    plans: Option<[Box<Plan>; 2]>,
    since_ms: u64,
    /// To the thread; gone once it is to end.
    slices: Option<SyncSender<Vec<Vec<u8>>>>,
}

impl Loop {
    /// Begins with the checkpoint from which the journal is gone through.
    pub(super) fn start_dry_run(&mut self, trial: Trial, plans: [Box<Plan>; 2]) {
        self.dry_run = Some(DryRun {
            trial,
            sizes: *self.engine.sizes(),
            plans: Some(plans),
            since_ms: self.clock.now().monotonic_ms,
            slices: None,
        });
        let entries_max = REHEARSAL_ENTRIES_MAX;
        self.recall(Recall::Checkpoint { entries_max });
    }

    pub(super) fn handle_recalled(&mut self, recalled: Recalled) {
        let Some(dry_run) = &mut self.dry_run else {
            return;
        };
        match recalled {
            Recalled::Checkpoint(saved) => {
                let position = saved.as_ref().map_or(0, |(position, _)| *position);
                match dry_run.spawn(saved, self.inputs.reporter.clone()) {
                    Ok(()) => self.recall_chunks(Position(position)),
                    Err(error) => {
                        tracing::error!(%error, "a dry-run cannot begin");
                        self.finish_dry_run(None);
                    }
                }
            }
            Recalled::Chunks(chunks) => {
                // The thread takes one slice at a time, and has asked for this one.
                if let Some(slices) = &dry_run.slices
                    && slices.try_send(chunks).is_err()
                {
                    self.finish_dry_run(None);
                }
            }
        }
    }

    pub(super) fn handle_rehearsed(&mut self, rehearsed: Rehearsed) {
        let now_ms = self.clock.now().monotonic_ms;
        match (rehearsed, &mut self.dry_run) {
            (Rehearsed::More(_), Some(dry_run))
                if now_ms >= dry_run.since_ms + REHEARSAL_MS_MAX =>
            {
                dry_run.slices = None;
            }
            (Rehearsed::More(position), Some(_)) => self.recall_chunks(position),
            (Rehearsed::Done(findings), Some(_)) => self.finish_dry_run(findings),
            (_, None) => {}
        }
    }

    fn recall_chunks(&mut self, from: Position) {
        self.recall(Recall::Chunks {
            from: from.0,
            bytes_max: REHEARSAL_SLICE_BYTES,
        });
    }

    fn recall(&mut self, recall: Recall) {
        if !self.shell.ask_store(Request::Recall(recall)) {
            self.finish_dry_run(None);
        }
    }

    fn finish_dry_run(&mut self, journal: Option<Findings>) {
        let Some(dry_run) = self.dry_run.take() else {
            return;
        };
        let journal = journal.filter(|it| it.readings > 0);
        self.answer_trial(Ok(Trial {
            journal,
            ..dry_run.trial
        }));
    }
}

impl DryRun {
    fn spawn(
        &mut self,
        saved: Option<(u64, Vec<u8>)>,
        reports: mpsc::Sender<Report>,
    ) -> std::io::Result<()> {
        let (slices, received) = sync_channel(1);
        let (sizes, plans) = (self.sizes, self.plans.take());
        std::thread::Builder::new()
            .name("dry-run".into())
            .stack_size(REHEARSAL_STACK_BYTES)
            .spawn(move || {
                let findings = plans.and_then(|plans| {
                    let rehearsal = Rehearsal::new(saved.as_ref(), &sizes, &plans)
                        .inspect_err(|error| tracing::error!(%error, "a dry-run cannot begin"))
                        .ok()?;
                    drop((saved, plans));
                    go_through(rehearsal, &received, &reports)
                });
                // The loop is gone only when the process ends.
                let _ = reports.blocking_send(Report::Rehearsed(Rehearsed::Done(findings)));
            })?;
        self.slices = Some(slices);
        Ok(())
    }
}

/// Until the journal's end, or as far as it is to go.
fn go_through(
    mut rehearsal: Rehearsal,
    slices: &Receiver<Vec<Vec<u8>>>,
    reports: &mpsc::Sender<Report>,
) -> Option<Findings> {
    while let Ok(chunks) = slices.recv() {
        let before = rehearsal.next();
        for chunk in &chunks {
            match rehearsal.apply(chunk) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Some(rehearsal.findings()),
                Err(error) => {
                    tracing::error!(%error, "a dry-run cannot use the journal");
                    return None;
                }
            }
        }
        if rehearsal.next() == before {
            break;
        }
        let more = Rehearsed::More(rehearsal.next());
        if reports.blocking_send(Report::Rehearsed(more)).is_err() {
            break;
        }
    }
    Some(rehearsal.findings())
}
