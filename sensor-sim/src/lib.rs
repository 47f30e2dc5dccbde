//! Simulated sensors: real sensors' physics, faults with labels, and a ledger that proves nothing was lost.
//!
//! Nothing here touches a socket or a clock: a [`device::Device`] is asked for its messages at a
//! time, a [`ledger`] is bytes, an [`audit`] is handed what somebody received. The program
//! `sensor-sim` does the rest.

pub mod limits;
pub mod chance;
pub mod date;
pub mod dialect;
pub mod profile;
pub mod signal;
pub mod truth;
pub mod fault;
pub mod device;
pub mod payload;
pub mod observed;
pub mod plot;
pub mod recording;
pub mod ledger;
pub mod audit;
pub mod alert;
pub mod score;
pub mod labelled;
pub mod scenario;
