//! The broker as its clients see it: bytes in, bytes out, by clause of the standard.

mod script;

mod connect;
mod publish;
mod subscribe;
mod sessions;
mod wills;
mod properties;
mod bounds;
mod durability;
mod chance;
