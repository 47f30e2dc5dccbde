//! The agent as a whole: bad documents, the life of a change, and a model under random events and crashes.

mod bad;
mod life;
mod model;
mod oracle;
mod rig;
