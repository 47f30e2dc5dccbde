//! The credentials file, read line by line.

use std::sync::Arc;

use super::super::{
    limits::{ROLES_MAX, RULES_MAX, RULES_PER_ROLE_MAX, SECRET_BYTES_MAX, USER_NAME_BYTES_MAX},
    topic::TopicFilter,
};
use super::{Credentials, CredentialsError, CredentialsProblem, Role, User};

/// What has been read so far.
#[derive(Default)]
pub(super) struct Parser {
    roles: Vec<Arc<Role>>,
    open: Option<Role>,
    users: Vec<(usize, User)>,
    users_max: usize,
    rules: usize,
    anonymous: Option<Arc<Role>>,
    line: usize,
}

impl Parser {
    /// For a file with so many users at most.
    pub(super) fn new(users_max: usize) -> Self {
        Self {
            users_max,
            ..Self::default()
        }
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), CredentialsProblem> {
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
        if self.rules == RULES_MAX {
            return Err(CredentialsProblem::TooMany(RULES_MAX));
        }
        self.rules += 1;
        rules.push(Box::from(filter));
        Ok(())
    }

    fn user(&mut self, name: &str, secret: &str, role: &str) -> Result<(), CredentialsProblem> {
        let role = self.find_role(role)?;
        if self.users.len() == self.users_max {
            return Err(CredentialsProblem::TooManyUsers(self.users_max));
        }
        for (what, text, most) in [
            ("name", name, USER_NAME_BYTES_MAX),
            ("secret", secret, SECRET_BYTES_MAX),
        ] {
            if text.len() > most {
                return Err(CredentialsProblem::TooLong(what, most));
            }
        }
        self.users.push((
            self.line,
            User {
                name: Arc::from(name),
                secret: Arc::from(secret),
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

    /// All lines are in.
    pub(super) fn finish(mut self) -> Result<Credentials, CredentialsError> {
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
