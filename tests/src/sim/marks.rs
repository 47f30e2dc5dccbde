//! Marks: what a run has to reach. Each fault, refusal and transition counts here when it happens, so that a simulation which
//! quietly stopped to visit something fails.

use std::collections::BTreeMap;

/// Everything that many seeds together must have reached.
pub const EXPECTED: &[(&str, &str)] = &[
    ("power-cut", "the power was cut while the gateway ran"),
    (
        "power-cut-in-commit-kept",
        "a power cut met a commit at the disk, and it was whole on it",
    ),
    (
        "power-cut-in-commit-lost",
        "a power cut met a commit at the disk, and nothing of it was left",
    ),
    (
        "power-cut-in-transfer",
        "a power cut met a transfer under way to Kafka",
    ),
    (
        "power-cut-in-start",
        "a power cut came within a second of a start",
    ),
    (
        "kill",
        "the process was killed; what the kernel had been told was kept",
    ),
    (
        "stop",
        "the gateway was asked to stop, and had settled before it did",
    ),
    (
        "stop-unsettled",
        "the gateway was asked to stop, and could not settle in its time",
    ),
    (
        "replayed",
        "a start had journal to replay behind its checkpoint",
    ),
    (
        "replay-made-rows",
        "a replay made rows that the outbox lacked",
    ),
    ("checkpoint", "a checkpoint was written"),
    ("plan-changed", "a life began under another plan"),
    ("disk-slow", "a commit took more than a second"),
    ("disk-full", "a commit was refused for want of room"),
    (
        "disk-full-over",
        "a commit that was refused went through later",
    ),
    (
        "disk-failed-kept",
        "fsync failed, and the commit was on the disk all the same",
    ),
    ("disk-failed-lost", "fsync failed, and the commit was lost"),
    ("disk-unreadable", "the outbox could not be read"),
    (
        "disk-lied",
        "a power cut took commits that the disk had called durable",
    ),
    (
        "held",
        "a connection was held because the gathering commit was full",
    ),
    ("kafka-away", "Kafka could not be reached"),
    ("kafka-slow", "a transfer took more than two seconds"),
    (
        "kafka-answer-lost",
        "a transfer was committed, and its acknowledgement was lost",
    ),
    (
        "kafka-unknown-committed",
        "a transfer of unknown outcome took effect before the next session",
    ),
    (
        "kafka-unknown-aborted",
        "a transfer of unknown outcome was fenced and aborted by the next session",
    ),
    (
        "kafka-leader-changed",
        "a transfer was aborted because a leader changed",
    ),
    (
        "kafka-fenced",
        "another producer took the gateway's id, and it stopped to forward",
    ),
    ("kafka-id-expired", "the transactional id had expired"),
    (
        "kafka-auth-revoked",
        "the gateway's rights were revoked for a while",
    ),
    ("kafka-too-large", "a row was larger than its topic takes"),
    ("row-in-parts", "a row arrived in parts"),
    ("epoch-first", "a fresh store took the first epoch"),
    (
        "epoch-next",
        "a store that is behind Kafka took the next epoch",
    ),
    ("position-read", "a session went on from Kafka's watermark"),
    ("clock-1970", "the box started in 1970"),
    ("clock-set", "the clock was set from 1970 to now"),
    ("clock-forward", "the clock jumped forward"),
    ("clock-backward", "the clock jumped backward"),
    ("client-cut", "a client's connection was cut"),
    (
        "client-took-over",
        "a client came back before the gateway had missed it",
    ),
    ("client-session-kept", "a client found its session again"),
    (
        "client-session-lost",
        "a client's session was lost in a crash before it was durable",
    ),
    ("redelivered", "a message came again with DUP"),
    (
        "redelivery-known",
        "the gateway knew a redelivery, and took it once",
    ),
    ("released-again", "a PUBREL came again"),
    ("qos-1", "a message of QoS 1 was acknowledged"),
    ("qos-2", "a message of QoS 2 went all the way"),
    ("version-3", "a client spoke MQTT 3.1.1"),
    ("version-5", "a client spoke MQTT 5.0"),
    ("fragment", "a packet came in more than one piece"),
    ("payload-refused", "a payload was refused"),
    ("duplicate-dropped", "a sensor sent the same reading twice"),
    ("late", "a reading was late"),
    ("bad", "a reading was bad"),
    ("arrival-time", "a reading had no time of its own"),
    ("future", "a reading was ahead of the gateway's clock"),
    ("unsynced", "a reading came while the clock was not set"),
    (
        "repaired",
        "a reading came while the clock was not set, and arrived with a time that was moved with it",
    ),
    ("summary", "a summary was checked"),
    ("summary-revised", "a summary was told again"),
    (
        "summary-synced",
        "a window with times of a clock that was set, of a sensor that had others too",
    ),
    (
        "summary-unsynced",
        "a window with times of a clock that was not set",
    ),
    (
        "summary-repaired",
        "a window was moved with the clock, and checked",
    ),
    ("summary-partial", "a window was closed before its end"),
    ("alert-raised", "an alert of a limit was raised"),
    ("alert-cleared", "an alert of a limit was cleared"),
    ("alert-silence", "an alert told of silence"),
    ("alert-heard", "a subscriber got an alert by MQTT"),
    ("cleaned", "a sensor with a gate was checked"),
];

/// What was reached, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    reached: BTreeMap<&'static str, u64>,
}

impl Marks {
    /// It was reached.
    ///
    /// # Panics
    /// If the table does not expect it.
    pub fn hit(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// It was reached this many times.
    ///
    /// # Panics
    /// If the table does not expect it.
    pub fn add(&mut self, name: &'static str, times: u64) {
        let is_expected = EXPECTED.iter().any(|(expected, _)| *expected == name);
        assert!(is_expected, "mark `{name}` is not in the table");
        if times > 0 {
            *self.reached.entry(name).or_insert(0) += times;
        }
    }

    /// What another run reached.
    pub fn join(&mut self, other: &Self) {
        for (name, times) in &other.reached {
            *self.reached.entry(name).or_insert(0) += times;
        }
    }

    /// How often.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.reached.get(name).copied().unwrap_or(0)
    }

    /// What was not.
    #[must_use]
    pub fn missed(&self) -> Vec<&'static str> {
        let names = EXPECTED.iter().map(|(name, _)| *name);
        names.filter(|name| self.count(name) == 0).collect()
    }

    /// The table, for people.
    #[must_use]
    pub fn table(&self) -> String {
        let line =
            |(name, what): &(&str, &str)| format!("{:>10}  {name:<26} {what}\n", self.count(name));
        EXPECTED.iter().map(line).collect()
    }
}
