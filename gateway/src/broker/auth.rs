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

use super::{
    limits::{NAME_BYTES_MAX, ROLES_MAX, RULES_PER_ROLE_MAX, USERS_MAX},
    topic::{TopicFilter, levels_cover, levels_match},
};

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
    /// More roles, rules or users than there is room for.
    #[error("more than {0} of these in one file")]
    TooMany(usize),
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
    secret: Box<str>,
    role: Arc<Role>,
}

/// A credentials file, read and checked.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    users: Vec<User>,
    anonymous: Option<Arc<Role>>,
}

impl Credentials {
    /// Takes the file's text.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let mut parser = Parser::default();
        for (index, line) in text.lines().enumerate() {
            parser.line(line).map_err(|problem| CredentialsError {
                line: index + 1,
                problem,
            })?;
        }
        parser.finish()
    }

    /// The user's secret (for the shell to verify) and the rights it has once verified.
    pub fn find(&self, username: &str) -> Option<(&str, Rights)> {
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

#[derive(Default)]
struct Parser {
    roles: Vec<Arc<Role>>,
    open: Option<Role>,
    users: Vec<(usize, User)>,
    anonymous: Option<Arc<Role>>,
    line: usize,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), CredentialsProblem> {
        self.line += 1;
        let mut words = line.split_whitespace();
        let Some(statement) = words.next().filter(|word| !word.starts_with('#')) else {
            return Ok(());
        };
        // A comment may also follow a statement; the filter `#` is not taken for one, as it stands first.
        let (first, second, third) = (words.next(), words.next(), words.next());
        let trailing = |word: Option<&str>| word.is_none_or(|word| word.starts_with('#'));
        match (statement, first) {
            ("role", Some(name)) if trailing(second) => self.role(name),
            ("role", _) => Err(CredentialsProblem::Form("role NAME")),
            ("publish", Some(filter)) if trailing(second) => {
                self.rule(filter, |role| &mut role.publish)
            }
            ("publish", _) => Err(CredentialsProblem::Form("publish FILTER")),
            ("subscribe", Some(filter)) if trailing(second) => {
                self.rule(filter, |role| &mut role.subscribe)
            }
            ("subscribe", _) => Err(CredentialsProblem::Form("subscribe FILTER")),
            ("receive", Some(filter)) if trailing(second) => {
                self.rule(filter, |role| &mut role.receive)
            }
            ("receive", _) => Err(CredentialsProblem::Form("receive FILTER")),
            ("refuse", Some(filter)) if trailing(second) => {
                self.rule(filter, |role| &mut role.refuse)
            }
            ("refuse", _) => Err(CredentialsProblem::Form("refuse FILTER")),
            ("user", Some(name)) => match (second, third) {
                (Some(secret), Some(role)) if trailing(words.next()) => {
                    self.user(name, secret, role)
                }
                _ => Err(CredentialsProblem::Form("user NAME SECRET ROLE")),
            },
            ("user", None) => Err(CredentialsProblem::Form("user NAME SECRET ROLE")),
            ("anonymous", Some(role)) if trailing(second) => {
                self.anonymous = Some(self.find_role(role)?);
                Ok(())
            }
            ("anonymous", _) => Err(CredentialsProblem::Form("anonymous ROLE")),
            (other, _) => Err(CredentialsProblem::Statement(Box::from(other))),
        }
    }

    fn role(&mut self, name: &str) -> Result<(), CredentialsProblem> {
        self.close_role();
        if self.roles.iter().any(|role| *role.name == *name) {
            return Err(CredentialsProblem::Twice(Box::from(name)));
        }
        if self.roles.len() == ROLES_MAX {
            return Err(CredentialsProblem::TooMany(ROLES_MAX));
        }
        self.open = Some(Role {
            name: Box::from(name),
            ..Role::default()
        });
        Ok(())
    }

    fn rule(
        &mut self,
        filter: &str,
        list: fn(&mut Role) -> &mut Vec<Box<str>>,
    ) -> Result<(), CredentialsProblem> {
        TopicFilter::parse(filter).map_err(|_| CredentialsProblem::Filter(Box::from(filter)))?;
        let rules = list(self.open.as_mut().ok_or(CredentialsProblem::NoRole)?);
        if rules.len() == RULES_PER_ROLE_MAX {
            return Err(CredentialsProblem::TooMany(RULES_PER_ROLE_MAX));
        }
        rules.push(Box::from(filter));
        Ok(())
    }

    fn user(&mut self, name: &str, secret: &str, role: &str) -> Result<(), CredentialsProblem> {
        let role = self.find_role(role)?;
        if self.users.len() == USERS_MAX {
            return Err(CredentialsProblem::TooMany(USERS_MAX));
        }
        self.users.push((
            self.line,
            User {
                name: Arc::from(name),
                secret: Box::from(secret),
                role,
            },
        ));
        Ok(())
    }

    fn find_role(&mut self, name: &str) -> Result<Arc<Role>, CredentialsProblem> {
        self.close_role();
        let found = self.roles.iter().find(|role| *role.name == *name);
        let unknown = || CredentialsProblem::UnknownRole(Box::from(name));
        found.cloned().ok_or_else(unknown)
    }

    fn close_role(&mut self) {
        self.roles.extend(self.open.take().map(Arc::new));
    }

    fn finish(mut self) -> Result<Credentials, CredentialsError> {
        self.users
            .sort_by(|(_, left), (_, right)| left.name.cmp(&right.name));
        for pair in self.users.windows(2) {
            if let [(first, left), (second, right)] = pair
                && left.name == right.name
            {
                let problem = CredentialsProblem::Twice(Box::from(&*left.name));
                return Err(CredentialsError {
                    line: *first.max(second),
                    problem,
                });
            }
        }
        let users = self.users.into_iter().map(|(_, user)| user).collect();
        Ok(Credentials {
            users,
            anonymous: self.anonymous,
        })
    }
}

#[cfg(test)]
mod tests;
