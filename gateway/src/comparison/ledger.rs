//! What two sides told, by name.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};

use crate::limits::{COMPARED_EXAMPLES_MAX, COMPARED_WAITING_MAX};

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Of the plan that holds.
    Now = 0,
    /// Of the plan that is to come.
    Then = 1,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Now, Self::Then];

    const fn other(self) -> Self {
        match self {
            Self::Now => Self::Then,
            Self::Then => Self::Now,
        }
    }
}

/// What both told of one kind of thing: how often they agreed, and the first differences in words.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Told by one side, and not yet by the other.
    waiting: [Waiting; 2],
    /// Told alike by both.
    pub same: u64,
    /// Told by both, with other numbers.
    pub differing: u64,
    /// Told only by the plan that holds, and only by the one that is to come.
    pub alone: [u64; 2],
    /// The first differences.
    pub examples: Vec<String>,
}

/// Of several under one name, the one that came first goes first.
#[derive(Debug, Default)]
struct Waiting {
    texts: BTreeMap<String, VecDeque<String>>,
    len: usize,
}

impl Waiting {
    fn put(&mut self, key: String, text: String) {
        self.texts.entry(key).or_default().push_back(text);
        self.len += 1;
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let texts = self.texts.get_mut(key)?;
        let text = texts.pop_front();
        if texts.is_empty() {
            self.texts.remove(key);
        }
        self.len -= usize::from(text.is_some());
        text
    }
}

impl Ledger {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differing == 0 && self.alone == [0, 0]
    }

    pub(super) fn tell(&mut self, side: Side, key: String, text: String) {
        match self.waiting[side.other() as usize].take(&key) {
            Some(other) if other == text => self.same += 1,
            Some(other) => {
                self.differing += 1;
                let (now, then) = match side {
                    Side::Now => (text, other),
                    Side::Then => (other, text),
                };
                self.show(format_args!("{key}: {now} -> {then}"));
            }
            // So far behind the other side is only one that will not tell it.
            None if self.waiting[side as usize].len >= COMPARED_WAITING_MAX => {
                self.stand_alone(side, &key, &text);
            }
            None => self.waiting[side as usize].put(key, text),
        }
    }

    /// Nothing more is told.
    pub(super) fn close(&mut self) {
        for side in Side::BOTH {
            let waiting = core::mem::take(&mut self.waiting[side as usize]);
            for (key, texts) in waiting.texts {
                for text in texts {
                    self.stand_alone(side, &key, &text);
                }
            }
        }
    }

    fn stand_alone(&mut self, side: Side, key: &str, text: &str) {
        self.alone[side as usize] += 1;
        match side {
            Side::Now => self.show(format_args!("{key}: {text} -> nothing")),
            Side::Then => self.show(format_args!("{key}: nothing -> {text}")),
        }
    }

    fn show(&mut self, difference: fmt::Arguments<'_>) {
        if self.examples.len() < COMPARED_EXAMPLES_MAX {
            self.examples.push(difference.to_string());
        }
    }
}
