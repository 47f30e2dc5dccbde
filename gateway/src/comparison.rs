//! The journal under two plans side by side: which values, alerts and averages would have come out otherwise.
//!
//! Both machines begin with the same state and take the same entries. What one of them tells waits until the other one tells
//! the same or something else under the same name; what is left in the end, only one of them told.

use core::fmt::Write;

use pipeline::{Instant, Plan};
use wire::{Alert, BatchReader, Row, SensorName, Summary};

use crate::commit::SealedRow;
use crate::journal::{ChunkReader, Entry, Position};
use crate::limits::DEADLINES_PER_ENTRY_MAX;
use crate::machine::{Effects, Machine, Sizes, StateError};
use crate::outbox::Lane;
use crate::replay::Nonsense;

mod ledger;

pub use ledger::Ledger;
use ledger::Side;

/// Two machines on the way through the journal, and what they told.
pub struct Comparison {
    machines: [Machine; 2],
    next: Position,
    since: Instant,
    findings: Findings,
}

/// What came out the same, and what did not.
#[derive(Debug, Default)]
pub struct Findings {
    /// Readings of the journal.
    pub readings: u64,
    /// How much engine time they took, ms.
    pub ms: u64,
    /// Values, as they would go to Kafka.
    pub values: Ledger,
    /// Alerts raised and cleared.
    pub alerts: Ledger,
    /// Averages of windows.
    pub averages: Ledger,
}

impl Findings {
    /// Whether both told the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        [&self.values, &self.alerts, &self.averages]
            .iter()
            .all(|ledger| ledger.is_same())
    }
}

impl Comparison {
    /// Two copies of the machine that was saved at `position`, under these plans; of one that has seen nothing where none was
    /// saved.
    ///
    /// # Errors
    /// [`StateError`] if the bytes are no state, or a plan asks for more than its sizes give.
    pub fn new(
        saved: Option<(u64, &[u8])>,
        plans: [(&Plan, &Sizes); 2],
    ) -> Result<Self, StateError> {
        let mut findings = Findings::default();
        let [now, then] = plans;
        let machines = [
            begin(saved, now, &mut findings, Side::Now)?,
            begin(saved, then, &mut findings, Side::Then)?,
        ];
        Ok(Self {
            since: machines[0].instant(),
            machines,
            next: Position(saved.map_or(0, |(position, _)| position)),
            findings,
        })
    }

    /// Lets both take a chunk, as far as it is new.
    ///
    /// # Errors
    /// [`Nonsense`] if it does not continue what was taken, or cannot be read.
    pub fn apply(&mut self, chunk: &[u8]) -> Result<(), Nonsense> {
        let mut entries =
            ChunkReader::new(chunk, self.machines[0].offset_ms()).map_err(Nonsense::Malformed)?;
        if entries.first() > self.next {
            return Err(Nonsense::Missing {
                expected: self.next,
                found: entries.first(),
            });
        }
        loop {
            let at = entries.first();
            let Some(entry) = entries.next() else {
                return Ok(());
            };
            let (instant, entry) = entry.map_err(Nonsense::Malformed)?;
            if at != self.next {
                continue;
            }
            self.next = Position(at.0 + 1);
            self.findings.readings += u64::from(matches!(entry, Entry::Reading { .. }));
            self.serve_deadlines(instant);
            // Each keeps to its own plan, and to its own deadlines.
            if !matches!(entry, Entry::Plan { .. } | Entry::Tick) {
                self.take(instant, &entry);
            }
        }
    }

    /// What both came to, once their open batches are sealed, as they would be if nothing more came.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        let end = self.machines[0].instant();
        let batch_ms = self
            .machines
            .each_ref()
            .map(|machine| machine.plan().batch.ms_max);
        let [now, then] = batch_ms.map(u64::from);
        self.serve_deadlines(Instant(end.0 + now.max(then)));
        self.findings.ms = end.0 - self.since.0;
        for ledger in [
            &mut self.findings.values,
            &mut self.findings.alerts,
            &mut self.findings.averages,
        ] {
            ledger.close();
        }
        self.findings
    }

    /// The deadlines of a machine are those of its plan, so the ticks of the journal are not its own.
    fn serve_deadlines(&mut self, instant: Instant) {
        for (machine, side) in self.machines.iter_mut().zip(Side::BOTH) {
            for _ in 0..DEADLINES_PER_ENTRY_MAX {
                let Some(due) = machine.deadline().filter(|due| *due <= instant) else {
                    break;
                };
                let due = due.max(machine.instant());
                machine.apply(due, &Entry::Tick, &mut Told(&mut self.findings, side));
            }
        }
    }

    fn take(&mut self, instant: Instant, entry: &Entry<'_>) {
        for (machine, side) in self.machines.iter_mut().zip(Side::BOTH) {
            machine.apply(instant, entry, &mut Told(&mut self.findings, side));
        }
    }
}

fn begin(
    saved: Option<(u64, &[u8])>,
    (plan, sizes): (&Plan, &Sizes),
    findings: &mut Findings,
    side: Side,
) -> Result<Machine, StateError> {
    let Some((_, state)) = saved else {
        return Machine::new(plan, sizes);
    };
    let mut machine = Machine::restore(state, sizes)?;
    machine.replan(plan, &mut Told(findings, side));
    Ok(machine)
}

/// Puts down what one of the machines tells.
struct Told<'f>(&'f mut Findings, Side);

impl Effects for Told<'_> {
    fn alert(&mut self, alert: &Alert<'_>) {
        let SensorName { device, signal, .. } = alert.name;
        let key = format!(
            "{device}/{signal} {} {} {}",
            alert.rule,
            alert.state().name(),
            alert.since.0
        );
        let text = format!("at {}, {}", alert.at.0, number(alert.value));
        self.0.alerts.tell(self.1, key, text);
    }

    fn average(&mut self, summary: &Summary, name: SensorName<'_>, _: &[f64]) {
        let SensorName { device, signal, .. } = name;
        let window = summary.window;
        let key = format!(
            "{device}/{signal} {} {} ms from {}, revision {}",
            window.kind.name(),
            window.length_ms,
            window.start.0,
            summary.revision
        );
        let text = match &summary.stats {
            None => "no value".to_owned(),
            Some(stats) => format!(
                "n {}, mean {}, min {}, max {}",
                stats.n, stats.mean, stats.min, stats.max
            ),
        };
        self.0.averages.tell(self.1, key, text);
    }

    fn seal(&mut self, row: &SealedRow<'_>) {
        if row.lane != Lane::Telemetry {
            return;
        }
        // The machine has just written it, so it is sound.
        for (name, reading) in BatchReader::new(row.bytes).into_iter().flatten().flatten() {
            let SensorName { device, signal, .. } = name;
            let key = format!("{device}/{signal} {}", reading.time.0);
            self.0.values.tell(self.1, key, value(&reading));
        }
    }
}

fn value(row: &Row) -> String {
    let mut text = number(row.content.value());
    if row.content.raw() != row.content.value() {
        // Writing into a string cannot fail.
        let _ = write!(text, " (sent {})", number(row.content.raw()));
    }
    let _ = write!(text, ", {}", row.flags.quality().name());
    for reason in row.flags.reasons().names() {
        let _ = write!(text, " {reason}");
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
