//! `tidegate bench`: what the pipeline is worth on public data, beside what is published, and what a box can do.

pub mod accuracy;
pub mod cleaning;
pub mod device;
mod plots;
mod runs;
