//! Slows those who guess: an address whose attempts fail has to wait longer each time before the next one is heard.
//!
//! Only guesses are slowed. A device with its token, or a client with its certificate, is known in a microsecond and never
//! comes here, whoever else behind its address guesses.

use std::collections::HashMap;

use crate::limits::{
    FREE_FAILURES, THROTTLE_FORGET_MS, THROTTLE_MS_MAX, THROTTLE_MS_MIN, THROTTLED_ORIGINS_MAX,
};
use crate::transport::Origin;

/// The addresses that failed lately.
#[derive(Debug, Default)]
pub struct Throttle {
    records: HashMap<Origin, Record>,
}

#[derive(Debug)]
struct Record {
    failures: u32,
    failed_at_ms: u64,
    /// When the next attempt may be heard.
    free_at_ms: u64,
    /// One attempt waits for its time.
    waiting: bool,
}

/// What is done with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is heard now.
    Now,
    /// It is heard then; [`Throttle::heard`] must follow.
    At(u64),
    /// Another one of its address waits already.
    Never,
}

impl Throttle {
    /// When an attempt that comes from `origin` at `now_ms` is heard.
    pub fn attempt(&mut self, origin: Origin, now_ms: u64) -> Turn {
        let Some(record) = self.records.get_mut(&origin) else {
            return Turn::Now;
        };
        if now_ms.saturating_sub(record.failed_at_ms) >= THROTTLE_FORGET_MS {
            self.records.remove(&origin);
            return Turn::Now;
        }
        let delay_ms = record.delay_ms();
        if now_ms >= record.free_at_ms {
            record.free_at_ms = now_ms + delay_ms;
            return Turn::Now;
        }
        if record.waiting {
            return Turn::Never;
        }
        let at_ms = record.free_at_ms;
        record.waiting = true;
        record.free_at_ms = at_ms + delay_ms;
        Turn::At(at_ms)
    }

    /// The attempt that waited has been heard, or its client is gone.
    pub fn heard(&mut self, origin: Origin) {
        if let Some(record) = self.records.get_mut(&origin) {
            record.waiting = false;
        }
    }

    /// An attempt has failed. Where there is no room for one more address, the one that failed longest ago is forgotten.
    pub fn failed(&mut self, origin: Origin, now_ms: u64) {
        if self.records.len() == THROTTLED_ORIGINS_MAX && !self.records.contains_key(&origin) {
            let oldest = self
                .records
                .iter()
                .min_by_key(|(_, record)| record.failed_at_ms)
                .map(|(origin, _)| *origin);
            oldest.map(|oldest| self.records.remove(&oldest));
        }
        let record = self.records.entry(origin).or_insert(Record {
            failures: 0,
            failed_at_ms: now_ms,
            free_at_ms: now_ms,
            waiting: false,
        });
        record.failures = record.failures.saturating_add(1);
        record.failed_at_ms = now_ms;
        let free_at_ms = now_ms + record.delay_ms();
        record.free_at_ms = record.free_at_ms.max(free_at_ms);
    }
}

impl Record {
    fn delay_ms(&self) -> u64 {
        match self.failures.checked_sub(FREE_FAILURES) {
            None => 0,
            Some(beyond) => THROTTLE_MS_MIN
                .saturating_mul(1_u64.checked_shl(beyond).unwrap_or(u64::MAX))
                .min(THROTTLE_MS_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn origin(number: u32) -> Origin {
        Origin::from(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    /// Attempts from one address, each as soon as it is heard, all failing: when each is heard.
    fn heard_at(attempts: usize) -> Vec<u64> {
        let (mut throttle, mut now_ms) = (Throttle::default(), 0);
        let mut heard = Vec::new();
        for _ in 0..attempts {
            match throttle.attempt(origin(1), now_ms) {
                Turn::Now => {}
                Turn::At(at_ms) => {
                    now_ms = at_ms;
                    throttle.heard(origin(1));
                }
                Turn::Never => panic!("one at a time is never refused"),
            }
            heard.push(now_ms);
            throttle.failed(origin(1), now_ms);
        }
        heard
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound() {
        let heard = heard_at(12);
        let waits: Vec<u64> = heard.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(&waits[..6], [0, 0, 250, 500, 1_000, 2_000]);
        assert!(waits[6..].iter().all(|&wait| wait == THROTTLE_MS_MAX));
    }

    #[test]
    fn many_guesses_at_once_gain_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..10 {
            throttle.failed(origin(1), 0);
        }
        let turns: Vec<Turn> = (0..4).map(|_| throttle.attempt(origin(1), 100)).collect();
        assert_eq!(turns[0], Turn::At(THROTTLE_MS_MAX));
        assert!(turns[1..].iter().all(|&turn| turn == Turn::Never));
    }

    #[test]
    fn a_clean_address_is_heard_at_once_whatever_others_do() {
        let mut throttle = Throttle::default();
        for number in 0..5_000 {
            (0..5).for_each(|_| throttle.failed(origin(number), u64::from(number)));
        }
        assert_eq!(throttle.attempt(origin(1 << 20), 5_000), Turn::Now);
        assert_eq!(throttle.records.len(), THROTTLED_ORIGINS_MAX);
        assert_ne!(throttle.attempt(origin(4_999), 5_000), Turn::Now);
    }

    #[test]
    fn an_address_that_stops_guessing_is_forgiven() {
        let mut throttle = Throttle::default();
        (0..20).for_each(|_| throttle.failed(origin(1), 0));
        assert_ne!(throttle.attempt(origin(1), 1), Turn::Now);
        assert_eq!(throttle.attempt(origin(1), THROTTLE_FORGET_MS), Turn::Now);
    }
}
