//! What the tests of Tidegate as a whole share: the clock of tests that drive processes, and the rules of the tree.

pub mod clock;
pub mod disk;
pub mod harness;
pub mod lives;
pub mod sim;
pub mod tidy;
