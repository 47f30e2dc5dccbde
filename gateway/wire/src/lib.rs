//! The bytes that leave a Tidegate box: batches of readings and of summaries, alerts, gaps; and the reports that come in.
//!
//! Every message that leaves is a [`frame`]: version, kind, gateway, time, body, checksum. `FORMAT.md` beside this crate has every
//! byte. A writer fills a buffer which the caller gives and answers [`Full`] if it is too small; a reader borrows the
//! bytes, gives an error for any that are wrong, and never panics.
#![no_std]

#[cfg(test)]
extern crate std;

mod bytes;
mod checksum;
mod column;
mod times;
mod dictionary;

pub mod frame;
pub mod reading;
pub mod batch;
pub mod stats;
pub mod sketch;
pub mod summary;
pub mod alert;
pub mod gap;
pub mod report;

pub use alert::{Alert, AlertKind, AlertState, Severity, Standing, Transition, Why};
pub use batch::{BatchReader, write_batch};
pub use bytes::{Full, Malformed};
pub use checksum::crc32c;
pub use dictionary::SensorName;
pub use frame::{Clock, Frame, Kind, stamp};
pub use gap::{Gap, GapReason, Lane};
pub use reading::{Content, Flags, LEFT_OUT_MAX, Quality, Reasons, Row, SensorId, Timestamp};
pub use report::{REPORT_VALUES_MAX, REPORT_VERSION, Report, ReportFault, write_report};
pub use sketch::Sketch;
pub use stats::Stats;
pub use summary::{Summary, SummaryReader, Window, WindowKind, write_summaries};
