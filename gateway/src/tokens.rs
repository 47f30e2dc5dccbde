//! Which device a token belongs to, where the token alone is shown.
//!
//! The tokens of a file are hashed under the same key, so that one hash finds the device among all of them. A file that was
//! written by hand may have other keys; each costs a hash for every token that comes, so only a few are looked at.

use std::collections::HashMap;
use std::sync::Arc;

use crate::broker::auth::Credentials;
use crate::limits::TOKEN_KEYS_MAX;
use crate::secrets::{self, Hash};

/// The tokens of a credentials file.
#[derive(Debug, Default)]
pub struct Tokens {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    salt: Vec<u8>,
    devices: HashMap<Hash, Arc<str>>,
}

impl Tokens {
    /// Those of a file.
    #[must_use]
    pub fn of(credentials: &Credentials) -> Self {
        let mut keys: Vec<Key> = Vec::new();
        for (name, secret) in credentials.users() {
            let Some((salt, hash)) = secrets::token_hash(secret) else {
                continue;
            };
            let at = match keys.iter().position(|key| key.salt == salt) {
                Some(at) => at,
                None if keys.len() == TOKEN_KEYS_MAX => continue,
                None => {
                    let devices = HashMap::new();
                    keys.push(Key { salt, devices });
                    keys.len() - 1
                }
            };
            keys[at].devices.insert(hash, Arc::clone(name));
        }
        Self { keys }
    }

    /// Most bytes that the tokens of so many devices take: a table has up to twice the places that it needs, and while it
    /// grows it stands beside the one before.
    #[must_use]
    pub const fn memory_bytes(devices: usize) -> usize {
        4 * devices * size_of::<(Hash, Arc<str>)>()
    }

    /// The device of a token. The work is the same for a token that nobody has.
    #[must_use]
    pub fn find(&self, token: &[u8]) -> Option<Arc<str>> {
        self.keys.iter().fold(None, |found, key| {
            let hash = secrets::hash_of(&key.salt, token);
            let device = hash.and_then(|hash| key.devices.get(&hash));
            found.or_else(|| device.cloned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(secrets: &[String]) -> Tokens {
        let users = secrets.iter().enumerate();
        let text = users.fold("role device\n".to_owned(), |text, (number, secret)| {
            text + &format!("user d{number} {secret} device\n")
        });
        Tokens::of(&Credentials::parse(&text).expect("valid"))
    }

    #[test]
    fn a_token_finds_its_device_among_those_of_its_file() {
        let (first, secret) = secrets::new_token(None).expect("randomness");
        let (second, other) = secrets::new_token(Some(&secret)).expect("randomness");
        let password = secrets::NOBODY.to_owned();
        let tokens = file(&[secret, password, other, "certificate".to_owned()]);
        assert_eq!(tokens.keys.len(), 1, "one hash for all");
        assert_eq!(tokens.find(first.as_bytes()).as_deref(), Some("d0"));
        assert_eq!(tokens.find(second.as_bytes()).as_deref(), Some("d2"));
        for wrong in [&first[1..], "", "certificate"] {
            assert_eq!(tokens.find(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn more_keys_than_there_is_work_for_are_passed_over() {
        let made: Vec<_> = (0..=TOKEN_KEYS_MAX)
            .map(|_| secrets::new_token(None).expect("randomness"))
            .collect();
        let secrets: Vec<_> = made.iter().map(|(_, secret)| secret.clone()).collect();
        let tokens = file(&secrets);
        let found = made
            .iter()
            .filter_map(|(token, _)| tokens.find(token.as_bytes()));
        assert_eq!(found.count(), TOKEN_KEYS_MAX);
    }
}
