//! `tidegate replay --diff`: the journal of a stopped gateway under two configs side by side.

use std::io::Write;
use std::path::Path;

use pipeline::Plan;

use super::QueueError;
use crate::comparison::{Comparison, Findings, Ledger};
use crate::machine::Sizes;
use crate::store::Inspected;

/// Takes the journal from the oldest checkpoint on through two machines, one under each plan.
///
/// # Errors
/// [`QueueError`] if the store cannot be read, or a plan asks for more memory than its config gives.
pub fn compare(dir: &Path, plans: [(&Plan, &Sizes); 2]) -> Result<Findings, QueueError> {
    let store = Inspected::open(dir)?;
    let (_, checkpoints) = store.journal()?;
    let saved = match checkpoints.last() {
        None => None,
        Some(position) => Some((*position, store.checkpoint(*position)?)),
    };
    let saved = saved
        .as_ref()
        .map(|(position, state)| (*position, state.as_slice()));
    let mut comparison = Comparison::new(saved, plans)?;
    store.for_each_chunk(|chunk| Ok::<_, QueueError>(comparison.apply(chunk)?))?;
    Ok(comparison.finish())
}

/// Writes findings as a table, and the first differences in words.
///
/// # Errors
/// If the output ends.
pub fn write_findings(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    let seconds = findings.ms / 1000;
    writeln!(
        out,
        "{} readings over {seconds} s of the journal",
        findings.readings
    )?;
    writeln!(
        out,
        "{:<10}{:>12}{:>12}{:>12}{:>12}",
        "", "same", "differ", "only now", "only then"
    )?;
    let ledgers = [
        ("values", &findings.values),
        ("alerts", &findings.alerts),
        ("averages", &findings.averages),
    ];
    for (name, ledger) in ledgers {
        let Ledger {
            same,
            differing,
            alone: [now, then],
            ..
        } = ledger;
        writeln!(
            out,
            "{name:<10}{same:>12}{differing:>12}{now:>12}{then:>12}"
        )?;
    }
    for (name, ledger) in ledgers {
        for example in &ledger.examples {
            writeln!(out, "{name}: {example}")?;
        }
    }
    Ok(())
}
