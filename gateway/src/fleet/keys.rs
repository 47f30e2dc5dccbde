//! Whose signatures count: the keys of a fleet, and how one list follows another.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::envelope::Envelope;
use super::limits::ROLE_KEYS_MAX;
use super::merge::hex;
use super::reason::{Reason, Refusal};

/// Type of a key list in its envelope.
pub const KEYS_TYPE: &str = "application/vnd.tidegate.keys.v1+json";

/// An ed25519 key that verifies; written in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(pub [u8; 32]);

/// Names a key: the first 8 bytes of its SHA-256, in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(pub String);

/// The keys that a box trusts. The first list comes from the box's own trust file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyList {
    /// Name of the fleet.
    pub fleet: String,
    /// Grows with every list.
    pub version: u64,
    /// Keys that sign key lists; they stay offline.
    pub root: Root,
    /// Keys that sign documents and commands.
    pub config: Vec<PublicKey>,
}

/// The root role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// How many of them must sign.
    pub threshold: u8,
    /// The keys.
    pub keys: Vec<PublicKey>,
}

impl KeyList {
    /// The list in the envelope, if it may follow this one: signed by this list's roots *and* by its own, with a higher
    /// version, for the same fleet. `None`: it is this list.
    ///
    /// # Errors
    /// [`Refusal`] if it may not.
    pub fn successor(&self, bytes: &[u8]) -> Result<Option<Self>, Refusal> {
        let envelope = Envelope::parse(bytes)?;
        let (keys, threshold) = (&self.root.keys, usize::from(self.root.threshold));
        let payload = envelope.open(KEYS_TYPE, keys, threshold)?;
        let next: Self = serde_json::from_slice(payload)
            .map_err(|error| Refusal::whole(Reason::Envelope, format!("no key list: {error}")))?;
        next.check()?;
        envelope.open(KEYS_TYPE, &next.root.keys, usize::from(next.root.threshold))?;
        if next.fleet != self.fleet {
            let text = format!("a key list of fleet `{}`", next.fleet);
            return Err(Refusal::whole(Reason::Scope, text));
        }
        if next == *self {
            return Ok(None);
        }
        if next.version == self.version {
            let text = format!("two key lists of version {}", self.version);
            return Err(Refusal::whole(Reason::Conflict, text));
        }
        if next.version < self.version {
            let text = format!("key list {}, after {}", next.version, self.version);
            return Err(Refusal::whole(Reason::Stale, text));
        }
        Ok(Some(next))
    }

    /// Whether signatures by this list can be asked for at all.
    ///
    /// # Errors
    /// [`Refusal`] if there are too few or too many keys.
    pub fn check(&self) -> Result<(), Refusal> {
        let roots = self.root.keys.len();
        let distinct = |keys: &[PublicKey]| {
            let first = |(nth, key)| keys.iter().position(|other| other == key) == Some(nth);
            keys.iter().enumerate().all(first)
        };
        let fits = (1..=ROLE_KEYS_MAX).contains(&roots)
            && (1..=roots).contains(&usize::from(self.root.threshold))
            && (1..=ROLE_KEYS_MAX).contains(&self.config.len())
            && distinct(&self.root.keys)
            && distinct(&self.config);
        if fits {
            Ok(())
        } else {
            let text = format!(
                "1 to {ROLE_KEYS_MAX} distinct keys for each role, and a threshold that they reach"
            );
            Err(Refusal::whole(Reason::Schema, text))
        }
    }
}

impl PublicKey {
    /// The key's name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(hex(&Sha256::digest(self.0)[..8]))
    }

    /// Whether the signature is this key's.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex(&key.0)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "a public key is 64 hex digits";
        let bytes = unhex(&text).ok_or(wrong)?;
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

/// The bytes of a text in hex.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let byte = |pair: &[u32; 2]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use ring::signature::Ed25519KeyPair;

    use super::*;
    use crate::fleet::envelope::seal;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
    }

    fn list(version: u64, roots: &[u8], threshold: u8) -> KeyList {
        let public = |seed: &u8| PublicKey::of(&pair(*seed));
        KeyList {
            fleet: "acme".to_owned(),
            version,
            root: Root {
                threshold,
                keys: roots.iter().map(public).collect(),
            },
            config: vec![public(&9)],
        }
    }

    fn check(now: &KeyList, next: &KeyList, signers: &[u8], expected: Result<bool, Reason>) {
        let payload = serde_json::to_vec(next).expect("JSON");
        let signers: Vec<_> = signers.iter().map(|seed| pair(*seed)).collect();
        let bytes = seal(KEYS_TYPE, &payload, &signers);
        let found = now.successor(&bytes).map_err(|refusal| refusal.reason);
        assert_eq!(found.map(|next| next.is_some()), expected);
    }

    #[test]
    fn a_list_is_followed_only_by_what_old_and_new_roots_signed() {
        let now = list(1, &[1, 2], 2);
        check(&now, &list(2, &[2, 3], 2), &[1, 2, 3], Ok(true));
        check(&now, &list(7, &[1, 2], 1), &[1, 2], Ok(true));
        check(&now, &now, &[1, 2], Ok(false));
        check(&now, &list(2, &[3], 1), &[3], Err(Reason::Key));
        check(&now, &list(2, &[1, 2], 1), &[1], Err(Reason::Signature));
        check(&now, &list(2, &[3], 1), &[1, 2], Err(Reason::Key));
        check(&now, &list(2, &[1], 2), &[1, 2], Err(Reason::Schema));
    }

    #[test]
    fn a_list_is_never_followed_by_an_older_or_a_strange_one() {
        let now = list(3, &[1], 1);
        check(&now, &list(2, &[1], 1), &[1], Err(Reason::Stale));
        check(&now, &list(3, &[1, 2], 1), &[1], Err(Reason::Conflict));
        let mut strange = list(4, &[1], 1);
        strange.fleet = "other".to_owned();
        check(&now, &strange, &[1], Err(Reason::Scope));
    }

    #[test]
    fn keys_are_read_from_hex() {
        let key = PublicKey([0xab; 32]);
        assert_eq!(PublicKey::try_from(String::from(key)), Ok(key));
        for wrong in ["", "ab", "zz", "abc"] {
            assert!(PublicKey::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
