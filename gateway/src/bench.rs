//! `tidegate bench`: what the pipeline is worth on public data, beside what is published.

pub mod cleaning;
