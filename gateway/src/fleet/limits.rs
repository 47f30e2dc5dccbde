//! Bounds of fleet configuration, each with its reason.

/// Largest envelope, bytes: a box with 64 sensor rules needs a third of it.
pub const ENVELOPE_BYTES_MAX: usize = 32 * 1024;
/// Deepest nesting of JSON, counted before it is parsed: the config itself needs five levels.
pub const DEPTH_MAX: usize = 8;
/// Most keys and items of arrays of one document, counted before it is parsed.
pub const KEYS_MAX: usize = 2_000;
/// Longest string of a payload, bytes.
pub const STRING_BYTES_MAX: usize = 1_024;

/// A document in memory, bytes: its text twice, and 144 bytes for each key, as the tree of JSON has them at worst.
pub const DOCUMENT_MEMORY_BYTES: usize = 2 * ENVELOPE_BYTES_MAX + 144 * KEYS_MAX;

/// Groups of one box; the box subscribes one topic for each.
pub const GROUPS_MAX: usize = 4;
/// Layers from remote: fleet, groups, gateway.
pub const LAYERS_MAX: usize = 1 + GROUPS_MAX + 1;
/// Writes of the slots that wait: the agent asks for the next one once the last is done, but for key lists.
pub const SLOT_WRITES_MAX: usize = 1;
/// Copies of the slots at once: the agent's, those before a change, those that wait and that are written, as JSON and as text.
pub const SLOT_COPIES_MAX: usize = 5 + SLOT_WRITES_MAX;
/// Largest file of slots, bytes: six documents, each as large as its envelope, and four times again.
pub const SLOTS_BYTES_MAX: u64 = 1024 * 1024;

/// Largest packet from the fleet's broker, bytes: an envelope with its topic. A broker of version 5 keeps larger ones back, so
/// that none can cut the box off for ever.
pub const LINK_PACKET_BYTES_MAX: u32 = 64 * 1024;
/// What came from the fleet's broker and waits for the agent; further ones wait in the socket.
pub const LINK_INCOMING_MAX: usize = 8;
/// Messages that wait to be sent to the fleet; more are dropped, for the report that follows says it all.
pub const LINK_MESSAGES_MAX: usize = 64;
/// A report, bytes: sixteen findings of each of eight things, with their texts.
pub const REPORT_BYTES_MAX: usize = 16 * 1024;

/// Keys of one role.
pub const ROLE_KEYS_MAX: usize = 8;
/// Signatures of one envelope that are looked at.
pub const SIGNATURES_MAX: usize = 8;

/// Times that one generation is put to the test; then it is bad.
pub const ATTEMPTS_MAX: u8 = 2;
/// Wait before the second time, ms: what failed may have been the network.
pub const RETRY_MS: u64 = 600_000;
/// Changes within [`CHANGES_WINDOW_MS`] after which further ones are held down.
pub const CHANGES_MAX: usize = 5;
/// See [`CHANGES_MAX`], ms.
pub const CHANGES_WINDOW_MS: u64 = 600_000;

/// Time to be confirmed unless the document says otherwise, s.
pub const CONFIRM_S: u32 = 120;
/// Longest time to be confirmed, s.
pub const CONFIRM_S_MAX: u32 = 3_600;
/// Time for which all gates must be open without a break, s.
pub const SETTLE_S: u32 = 30;

/// What was open within this time counts as open before a change, ms: a short break just before it must not hide a long one.
pub const BASELINE_MS: u64 = 600_000;
/// Longest time that one look at the gates stands for, ms: nobody knows how the box was while nobody looked.
pub const LOOK_MS_MAX: u64 = 10_000;
/// After a start a change waits this long for the gates to open, ms; then it is tried though some are shut, for it may be the cure.
pub const WARM_UP_MS: u64 = 120_000;

/// A technician's override holds this long unless he says otherwise, s.
pub const OVERRIDE_S: u64 = 4 * 3_600;
/// Longest override, s: what shall stay belongs into the site's file.
pub const OVERRIDE_S_MAX: u64 = 7 * 86_400;

/// Confirmed changes that are remembered, for people.
pub const HISTORY_MAX: usize = 10;
/// Findings told of one document; the rest is a number.
pub const FINDINGS_MAX: usize = 16;
/// Answered commands that are remembered, so that none is done twice.
pub const COMMANDS_MAX: usize = 64;
/// A command may be dated this far ahead, s.
pub const COMMAND_S_MAX: i64 = 600;
/// Noise of one kind is told at most this often, ms; all of it is counted.
pub const NOISE_MS: u64 = 60_000;

/// A wall clock before this was never set: 2026-01-01, ms.
pub const WALL_MS_MIN: i64 = 1_767_225_600_000;
