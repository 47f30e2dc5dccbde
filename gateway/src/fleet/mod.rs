//! Fleet configuration that cannot kill a site: signed layers, tried before they hold, confirmed by health, taken back by
//! themselves. It decides and does no I/O; `remote` does.

pub mod limits;
pub mod reason;
pub mod shape;
pub mod merge;
pub mod document;
pub mod envelope;
pub mod keys;
pub mod classes;
pub mod slots;
pub mod trial;
pub mod agent;

#[cfg(test)]
mod tests;
