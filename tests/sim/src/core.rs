//! The gateway's core, compiled from its own files without the shell, so that the simulation builds in seconds.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the core is shown here without the crate that uses all of it"
)]

#[path = "../../../gateway/src"]
mod core_of_gateway {
    pub mod broker;
    pub mod clock;
    pub mod commit;
    pub mod deliveries;
    pub mod engine;
    pub mod eras;
    pub mod form;
    pub mod forward;
    pub mod journal;
    pub mod limits;
    pub mod machine;
    pub mod mapping;
    pub mod messages;
    pub mod nodes;
    pub mod outbox;
    pub mod payload;
    pub mod refusals;
    pub mod repair;
    pub mod replay;
}
pub use core_of_gateway::*;
