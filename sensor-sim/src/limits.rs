//! Every bound of the simulator, with the reason for its number.

/// Signals of one device. The gateway takes as many values in one message.
pub const SIGNALS_MAX: usize = 64;

/// Messages that a device keeps back during a backlog; a flash page of a logger holds about as many.
pub const BACKLOG_MESSAGES_MAX: usize = 512;

/// Devices of one process: what `ulimit -n` leaves on an ordinary system.
pub const DEVICES_MAX: u32 = 20_000;

/// Length of a device's or signal's name, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// Largest chunk of a ledger, in bytes: a longer one is no chunk but garbage.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// A chunk of a ledger is closed above this size even if nobody waits for it, in bytes.
pub const CHUNK_BYTES_FULL: usize = 64 << 10;

/// Cases of one kind that an account names; the rest is only counted.
pub const CASES_MAX: usize = 100;

/// Messages which one sequence of a run can count; a ledger with more is not read.
pub const SEQUENCE_MAX: u32 = u32::MAX - 1;

/// Phases of a scenario: more are no story that anybody follows.
pub const PHASES_MAX: usize = 64;

/// Expectations of a scenario.
pub const EXPECTATIONS_MAX: usize = 256;

/// What a bad citizen does in one run at most: enough for any broker of one machine, and it ends.
pub const HARASS_COUNT_MAX: u64 = 1_000_000;

/// Bad citizens at a time: above it this machine runs out of ports and files before the broker does.
pub const HARASS_CLIENTS_MAX: u32 = 5_000;

/// Longest run of bad citizens, s: a mistake with the target ends by itself.
pub const HARASS_S_MAX: u64 = 600;

/// Bytes of the packet that is too large which are sent at most: more than a broker on the edge takes.
pub const OVERSIZE_BYTES_MAX: usize = 64 << 20;

/// Messages that one bad citizen publishes before another one goes on.
pub const HARASS_BURST: u64 = 100;

/// Refusals of one device, and devices with refusals, that a verifier keeps: what is beyond it counts as lost.
pub const REFUSALS_MAX: usize = 1_000_000;

/// Reasons of refusals that are told apart; the rest counts with the last of them.
pub const REASONS_MAX: usize = 32;
