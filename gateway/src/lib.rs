//! Tidegate: an MQTT edge gateway whose acknowledgement means "safe on disk".
//!
//! The modules in the order of the way of a reading. The first part decides and does no I/O; the second
//! part does, and decides nothing.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// The core: sans-IO, a function of its inputs.
pub mod broker;
pub mod mapping;
pub mod payload;
pub mod nodes;
pub mod deliveries;
pub mod journal;
pub mod machine;
pub mod replay;
pub mod eras;
pub mod engine;
pub mod messages;
pub mod outbox;
pub mod form;
pub mod comparison;
pub mod commit;
pub mod forward;
pub mod repair;
pub mod fleet;
pub mod rehearsal;
pub mod refusals;
pub mod limits;

// The shell: sockets, files, threads, clocks.
pub mod cli;
pub mod config;
pub mod start;
pub mod run;
pub mod supervisor;
pub mod shell;
pub mod outputs;
pub mod buffers;
pub mod transport;
pub mod connection;
pub mod http;
pub mod authenticate;
pub mod credentials_file;
pub mod throttle;
pub mod secrets;
pub mod tokens;
pub mod passwd;
pub mod queue;
pub mod demo;
pub mod recover;
pub mod store;
pub mod uplink;
pub mod remote;
pub mod controller;
pub mod bill;
pub mod bench;
pub mod clock;
