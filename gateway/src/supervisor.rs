//! systemd, where it started this process: hears when the gateway is ready, that it goes on, and that it stops.
//!
//! Protocol: sd_notify(3). Without systemd nothing is sent.

use sd_notify::NotifyState;

/// Signs of life within the supervisor's patience: one late sign is no reason for a restart.
const SIGNS_PER_PATIENCE: u64 = 3;

/// Who watches this process.
#[derive(Debug)]
pub struct Supervisor {
    /// Time between two signs of life, ms; `None`: nobody waits for any.
    every_ms: Option<u64>,
    next_ms: u64,
}

impl Supervisor {
    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    #[must_use]
    pub fn of_environment() -> Self {
        let patience_ms = sd_notify::watchdog_enabled()
            .map(|patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        Self::new(patience_ms)
    }

    fn new(patience_ms: Option<u64>) -> Self {
        Self {
            every_ms: patience_ms.map(|patience| (patience / SIGNS_PER_PATIENCE).max(1)),
            next_ms: 0,
        }
    }

    /// The gateway listens, and what a former life left is recovered.
    pub fn ready(&self) {
        tell(NotifyState::Ready);
    }

    /// The gateway has been asked to stop.
    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }

    /// The loop has come round at `now_ms`. It says so in time, and not more often than it must.
    pub fn progress(&mut self, now_ms: u64) {
        if self.is_due(now_ms) {
            tell(NotifyState::Watchdog);
        }
    }

    /// When the next sign of life is due, ms: the loop must come round by then, though nothing happens.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.every_ms.map(|_| self.next_ms)
    }

    fn is_due(&mut self, now_ms: u64) -> bool {
        let Some(every_ms) = self.every_ms.filter(|_| now_ms >= self.next_ms) else {
            return false;
        };
        self.next_ms = now_ms.saturating_add(every_ms);
        true
    }
}

/// A supervisor that does not listen is no reason to stop: it will say itself what it misses.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the supervisor does not listen");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_come_three_times_within_its_patience() {
        let mut supervisor = Supervisor::new(Some(30_000));
        let due: Vec<u64> = (0..=30_000)
            .step_by(500)
            .filter(|now| supervisor.is_due(*now))
            .collect();
        assert_eq!(due, [0, 10_000, 20_000, 30_000]);
        assert_eq!(supervisor.deadline_ms(), Some(40_000));
    }

    #[test]
    fn without_a_watchdog_there_is_no_sign_and_no_deadline() {
        let mut supervisor = Supervisor::new(None);
        assert!(!supervisor.is_due(u64::MAX));
        assert_eq!(supervisor.deadline_ms(), None);
    }
}
