//! Who may do what: users and roles from the credentials file, and the rights they give.
//!
//! ```text
//! # One statement a line. `%u` stands for the user's name, `%c` for the client id.
//! role device
//!   publish   sensors/%u/#
//!   subscribe sensors/%u/command/#
//! role operator
//!   subscribe tidegate/#
//! role auditor
//!   subscribe #
//!   receive   tidegate/+/alert/#    # of what its subscriptions match it gets these alone
//!   refuse    tidegate/+/errors     # whatever else allows it; a v5 client is not told why (0x80)
//! user pump-7 hmac-sha256:5b41… device
//! user anna   $argon2id$v=19$…   operator
//! anonymous operator              # a client without a user name; leave it out to refuse those
//! ```
//!
//! What no rule allows is denied. A role without `receive` receives what its subscriptions match; one with `receive` receives
//! of that what some `receive` covers. The secret behind a user's name is text of the shell's own: this module never looks
//! into it, and no hash is computed here.

use core::fmt;
use std::sync::Arc;

use self::parse::Parser;
use super::{
    limits::{NAME_BYTES_MAX, RULES_MAX, USERS_MAX},
    topic::{TopicFilter, levels_cover, levels_match},
};

mod parse;

/// A mistake in the credentials file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credentials line {line}: {problem}")]
pub struct CredentialsError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and the remedy.
    pub problem: CredentialsProblem,
}

/// What is wrong with a line of the credentials file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsProblem {
    /// The first word is none of ours.
    #[error(
        "`{0}` is no statement; use role, publish, subscribe, receive, refuse, user or anonymous"
    )]
    Statement(Box<str>),
    /// Too few or too many words.
    #[error("this statement is written `{0}`")]
    Form(&'static str),
    /// A rule before the first role.
    #[error("a rule belongs to a role; put `role NAME` above it")]
    NoRole,
    /// The filter of a rule is none.
    #[error("`{0}` is no topic filter: `+` alone in its level, `#` alone in the last")]
    Filter(Box<str>),
    /// A role used but not there.
    #[error("role `{0}` is not defined above this line")]
    UnknownRole(Box<str>),
    /// A role or user defined twice.
    #[error("`{0}` is defined twice; delete one of the lines")]
    Twice(Box<str>),
    /// More roles or rules than there is room for.
    #[error("more than {0} of these in one file")]
    TooMany(usize),
    /// More users than the config has room for.
    #[error(
        "more than {0} users and devices; raise `broker.users_max`, or take out those that are gone"
    )]
    TooManyUsers(usize),
    /// A user's name or secret is longer than any is.
    #[error("this {0} is longer than {1} bytes")]
    TooLong(&'static str, usize),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Role {
    name: Box<str>,
    publish: Vec<Box<str>>,
    subscribe: Vec<Box<str>>,
    receive: Vec<Box<str>>,
    refuse: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: Arc<str>,
    secret: Arc<str>,
    role: Arc<Role>,
}

/// A credentials file, read and checked.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    users: Vec<User>,
    anonymous: Option<Arc<Role>>,
}

impl Credentials {
    /// Takes the file's text, with as many users as any config allows.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        Self::parse_within(text, USERS_MAX)
    }

    /// Takes the file's text, with so many users at most.
    pub fn parse_within(text: &str, users_max: usize) -> Result<Self, CredentialsError> {
        let mut parser = Parser::new(users_max);
        for (index, line) in text.lines().enumerate() {
            parser.line(line).map_err(|problem| CredentialsError {
                line: index + 1,
                problem,
            })?;
        }
        parser.finish()
    }

    /// The user's secret (for the shell to verify) and the rights it has once verified.
    pub fn find(&self, username: &str) -> Option<(&Arc<str>, Rights)> {
        let index = self
            .users
            .binary_search_by(|user| (*user.name).cmp(username))
            .ok()?;
        let user = &self.users[index];
        Some((
            &user.secret,
            Rights {
                user: Arc::clone(&user.name),
                grant: Grant::Role(Arc::clone(&user.role)),
            },
        ))
    }

    /// Names and secrets of all users, in the order of their names.
    pub fn users(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        self.users.iter().map(|user| (&user.name, &*user.secret))
    }

    /// The rights of a client without a user name, if such are let in.
    pub fn anonymous(&self) -> Option<Rights> {
        let role = self.anonymous.as_ref()?;
        Some(Rights {
            user: Arc::from(""),
            grant: Grant::Role(Arc::clone(role)),
        })
    }

    /// Most bytes that a file of `file_bytes` with `users` takes, its text left out. Names, secrets and rules are no longer
    /// than the text; beside them each has its entry, and what the allocator adds to it.
    pub const fn memory_bytes(users: usize, file_bytes: usize) -> usize {
        const BLOCK_BYTES: usize = 16;
        const COUNTS_BYTES: usize = 2 * size_of::<usize>();
        // Lists double as they grow, and sorting takes half of one more.
        let user = 3 * size_of::<(usize, User)>() + 2 * (COUNTS_BYTES + BLOCK_BYTES);
        let rule = 2 * size_of::<Box<str>>() + BLOCK_BYTES;
        users * user + RULES_MAX * rule + file_bytes
    }

    /// Number of users.
    pub const fn len(&self) -> usize {
        self.users.len()
    }

    /// True if there is no user.
    pub const fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// What one authenticated client may do. Cheap to clone; the rules are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Rights {
    user: Arc<str>,
    grant: Grant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Grant {
    All,
    Role(Arc<Role>),
}

impl Rights {
    /// Every topic in both directions, for a broker which was told to be open.
    pub fn all(user: &str) -> Self {
        Self {
            user: Arc::from(user),
            grant: Grant::All,
        }
    }

    /// The user's name; empty for anonymous clients.
    pub const fn user(&self) -> &Arc<str> {
        &self.user
    }

    /// True if the client may publish to `topic`.
    pub fn may_publish(&self, client_id: &str, topic: &str) -> bool {
        match &self.grant {
            Grant::All => true,
            Grant::Role(role) => self.any_matches(&role.publish, client_id, topic),
        }
    }

    /// True if the client may receive what is published to `topic`, to which it has a subscription.
    pub fn may_receive(&self, client_id: &str, topic: &str) -> bool {
        match &self.grant {
            Grant::All => true,
            Grant::Role(role) => {
                role.receive.is_empty() || self.any_matches(&role.receive, client_id, topic)
            }
        }
    }

    /// True if the client may subscribe to `filter`: some rule covers all of it, and none refuses it.
    pub fn may_subscribe(&self, client_id: &str, filter: TopicFilter<'_>) -> bool {
        match &self.grant {
            Grant::All => true,
            Grant::Role(role) => {
                self.covers(&role.subscribe, client_id, filter) && !self.refuses(client_id, filter)
            }
        }
    }

    /// True if a rule refuses `filter`, whatever else allows it; the client shall not learn why. A wider filter is not refused.
    pub fn refuses(&self, client_id: &str, filter: TopicFilter<'_>) -> bool {
        match &self.grant {
            Grant::All => false,
            Grant::Role(role) => self.covers(&role.refuse, client_id, filter),
        }
    }

    fn covers(&self, rules: &[Box<str>], client_id: &str, filter: TopicFilter<'_>) -> bool {
        rules.iter().any(|rule| {
            let hidden = filter.as_str().starts_with('$') && rule.starts_with(['+', '#']);
            !hidden
                && levels_cover(rule, filter.as_str(), |wanted, found| {
                    self.same(wanted, client_id, found)
                })
        })
    }

    fn any_matches(&self, rules: &[Box<str>], client_id: &str, topic: &str) -> bool {
        rules.iter().any(|rule| {
            let hidden = topic.starts_with('$') && rule.starts_with(['+', '#']);
            !hidden
                && levels_match(rule, topic, |wanted, found| {
                    self.same(wanted, client_id, found)
                })
        })
    }

    /// True if a level of a rule, its `%u` and `%c` replaced, is the level found.
    fn same(&self, wanted: &str, client_id: &str, found: &str) -> bool {
        let (mut wanted, mut found) = (wanted, found);
        while let Some(at) = wanted.find('%') {
            let (head, tail) = wanted.split_at(at);
            let (name, rest) = match tail.as_bytes() {
                [_, b'u', ..] => (&*self.user, &tail[2..]),
                [_, b'c', ..] => (client_id, &tail[2..]),
                _ => ("%", &tail[1..]),
            };
            if name != "%" && !is_plain(name) {
                return false; // a name with `/` or `+` in it would reach into other topics
            }
            let Some(behind) = found
                .strip_prefix(head)
                .and_then(|found| found.strip_prefix(name))
            else {
                return false;
            };
            (wanted, found) = (rest, behind);
        }
        wanted == found
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Rights({:?})", self.user)
    }
}

fn is_plain(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests;
