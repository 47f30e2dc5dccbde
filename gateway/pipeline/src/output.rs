//! What the pipeline hands out.

use crate::profile::{PARTNERS_MAX, Profile};
use wire::{Alert, SensorName, Summary};

/// One thing that came of an input. It borrows the pipeline's memory: copy what has to stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output<'a> {
    /// A rule was broken, or holds again. Deliver it at once.
    Alert(&'a Alert<'a>),
    /// A window was closed or revised. It will stand in a batch of summaries, too.
    Summary {
        /// What the window came to.
        summary: &'a Summary,
        /// Whose window it is.
        name: SensorName<'a>,
        /// At which parts of all values its distribution is asked for.
        quantiles: &'a [f64],
    },
    /// What is usual for a signal, each time its interval is over.
    Profile {
        /// What it is.
        profile: &'a Profile,
        /// Whose it is.
        name: SensorName<'a>,
        /// What the signals are called that go along with it; the others are empty.
        partners: [&'a str; PARTNERS_MAX],
    },
    /// A batch was sealed: it has its place in the outbox.
    Batch {
        /// Of what.
        kind: BatchKind,
        /// As it goes to Kafka.
        bytes: &'a [u8],
        /// How many readings or summaries stand in it.
        items: u32,
    },
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchKind {
    /// Readings ([`wire::BatchReader`] reads them).
    Telemetry,
    /// Summaries ([`wire::SummaryReader`] reads them).
    Aggregates,
}

/// Takes outputs, in the order in which they matter: of one input, alerts first.
pub trait Emit {
    /// Takes one output.
    fn emit(&mut self, output: Output<'_>);
}

impl<F: FnMut(Output<'_>)> Emit for F {
    fn emit(&mut self, output: Output<'_>) {
        self(output);
    }
}
