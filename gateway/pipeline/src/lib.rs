//! Readings become values, averages, alerts and batches, in memory that the caller gives at the start.
//!
//! # The order of the stages
//! duplicate → time → sentinel → range → *tap A: alarms, detectors* → gate (spike, step, unit, fill) → stuck → windows → batch. A
//! duplicate is dropped; every other reading, however bad or late, comes out in exactly one row of one telemetry batch, with its
//! quality and the reasons, and what was sent beside a value that was mended; or is counted by the next row of its sensor, where it
//! lies on the way between two others and the plan says that this will do (`thin.rs`). What is filled in is a row more. Only good values
//! move alarms and are shown to detectors, before they are mended; good and uncertain ones are averaged.
//!
//! # Two contracts
//! 1. *Poll:* after every `handle_*`, ask for the [`deadline`](Pipeline::deadline), and call
//!    [`handle_timeout`](Pipeline::handle_timeout) when it has come, again and again until it is later than now: one call
//!    serves so many sensors and no more. Too early costs a little time, too late lets alerts and summaries wait.
//! 2. *Time first:* a reading at `now` meets its sensor as of `now`: what is due by then for this sensor happens before it,
//!    whoever else waits. What is due for others, and batches that are old enough, wait for `handle_timeout`.
//!
//! So each call takes a bounded time and emits at most [`call_bytes_max`](limits::call_bytes_max), but for
//! [`handle_plan`](Pipeline::handle_plan), which is rare and goes through all sensors.
//!
//! The pipeline is a pure function of its calls: the same calls give the same outputs, the same checkpoint and the same
//! [`digest`](Pipeline::digest), on every machine. It reads no clock and allocates nothing.
#![no_std]

#[cfg(test)]
extern crate std;

mod pipeline;
mod output;
mod memory;
mod time;
mod clean;
mod gate;
mod thin;
mod profile;
mod window;
mod ewma;
mod alarm;
mod gauge;
mod scout;
mod commands;
mod batch;
mod sensor;
mod names;
mod timers;
mod link;
mod checkpoint;

pub mod expression;
pub mod config;
pub mod counters;
pub mod detect;
pub mod glob;
pub mod limits;

pub use alarm::Slot;
pub use batch::OpenRow;
pub use checkpoint::{Needs, RestoreError, checkpoint_bytes_max};
pub use commands::{Command, Futile, Verb};
pub use config::Plan;
pub use counters::Counters;
pub use gate::Gate;
pub use gauge::Gauge;
pub use link::Link;
pub use memory::{Borrowed, Memory, Misfit, Parts};
pub use output::{BatchKind, Emit, Output};
pub use pipeline::{Pipeline, Reading, Refused, Unusable, Verdict};
pub use profile::{Loss, Miner, PARTNERS_MAX, Profile};
pub use scout::{Crew, Scout, Watched};
pub use sensor::{Counts, Sensor, SensorStatus};
pub use thin::Thinner;
pub use time::{Instant, Now};
pub use window::{Pane, PaneSketch};
