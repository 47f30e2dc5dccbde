//! Whom the gateway turned away before a session began, one count per reason.
//!
//! The counts are atomic, for the doors and the loop are two threads; nothing is decided by them.

use core::sync::atomic::{AtomicU64, Ordering};

/// Declares the reasons once: variant, metric name, meaning.
macro_rules! reasons {
    ($($variant:ident, $name:literal, $doc:literal;)*) => {
        /// Why a peer was turned away.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refused { $(#[doc = $doc] $variant,)* }

        impl Refused {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is counted, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

reasons! {
    ConnectionsFull, "connections_full", "Peers that found all of connections_max taken (0x89).";
    AddressFull, "address_full", "Peers whose address has connections_per_address_max already (0x97).";
    HandshakesFull, "handshakes_full", "Peers closed because too many handshakes were under way.";
    HandshakeTimeout, "handshakes_timed_out", "Peers that did not finish TLS or WebSocket handshake in time.";
    HandshakeFailed, "handshakes_failed", "Peers that failed in the TLS handshake, such as by their certificate.";
    UpgradeRefused, "upgrades_refused", "HTTP requests that were no upgrade to MQTT over WebSocket.";
    HttpConnectionsFull, "http_connections_full", "HTTP connections that found all of http.connections_max taken (503).";
    HttpBodyTooLarge, "http_bodies_too_large", "Posts above http.body_bytes_max, or with too many lines (413).";
    HttpBodySlow, "http_bodies_slow", "Posts whose body did not come in time (408).";
    HttpBusy, "http_busy", "HTTP requests told to come again, for the disk was behind or their address is slowed (429).";
    Credentials, "credentials_wrong", "Clients whose name or password was wrong (0x86).";
    Throttled, "attempts_throttled", "Clients refused unheard, for their address has too many failed attempts (0x9F).";
    PasswordsFull, "passwords_full", "Clients refused because too many passwords waited to be checked (0x89).";
    RightsTaken, "rights_taken", "Sessions closed because their user or secret is no longer in the credentials file (0x87).";
    SlowReader, "slow_readers", "Connections closed because the peer took no bytes for slow_reader_timeout.";
    SlowWriter, "slow_writers", "Connections closed because a packet that had begun was not completed in time.";
}

/// The counts.
#[derive(Debug)]
pub struct Refusals([AtomicU64; Refused::ALL.len()]);

impl Default for Refusals {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Refused::ALL.len()])
    }
}

impl Refusals {
    /// One more.
    pub fn add(&self, reason: Refused) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// So many so far.
    #[must_use]
    pub fn count(&self, reason: Refused) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }

    /// Names and counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Refused::ALL
            .iter()
            .map(|&reason| (reason.name(), self.count(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count_and_name() {
        let refusals = Refusals::default();
        for (times, &reason) in Refused::ALL.iter().enumerate() {
            (0..times).for_each(|_| refusals.add(reason));
            assert_eq!(refusals.count(reason), times as u64);
        }
        let mut names: Vec<_> = refusals.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Refused::ALL.len());
    }
}
