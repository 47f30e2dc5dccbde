//! What the fuzz targets drive: the gateway's core, compiled from its own files without the shell, so that a build takes
//! seconds and only code under test is instrumented; and a stage on which a broker is checked step by step.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the core is shown here without the crate that uses all of it"
)]

#[path = "../../../gateway/src"]
mod core_of_gateway {
    pub mod broker;
    pub mod limits;
    pub mod mapping;
    pub mod payload;
}
pub use core_of_gateway::{broker, limits, mapping, payload};

pub mod line;
pub mod stage;
