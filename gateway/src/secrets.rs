//! How names are proved: argon2id for what people think up, a keyed hash for the 256-bit tokens of devices.
//!
//! A token has more entropy than any search can go through, so a microsecond's hash guards it as well as
//! a slow one; a password has not, and costs 80 ms and 19 MiB to check.

use core::fmt::Write;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Prefix of a token's secret in the credentials file; salt and hash follow in hex.
const TOKEN_PREFIX: &str = "hmac-sha256:";
/// The secret of a user who comes by certificate only: no password is behind it.
pub const CERTIFICATE_ONLY: &str = "certificate";
/// The secret of nobody, which takes as long to check as a person's.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$\
    Tm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkIGF0IGFsbCE";
/// Room that is asked for to check a password, blocks of 1 KiB: see [`verify_password`].
const MEMORY_BLOCKS_MIN: usize = 33 * 1024;
const SALT_BYTES: usize = 16;
const TOKEN_BYTES: usize = 32;
/// The hash of a token.
pub type Hash = [u8; 32];

/// The system gave no random bytes, or a library refused.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The password could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// Whether checking against `secret` takes so long that it must not be done in the loop.
#[must_use]
pub fn is_slow(secret: &str) -> bool {
    secret != CERTIFICATE_ONLY && !secret.starts_with(TOKEN_PREFIX)
}

/// Whether `password` is the one behind `secret`. Takes as long for a wrong one as for the right one.
#[must_use]
pub fn verify(secret: &str, password: &[u8]) -> bool {
    match token_hash(secret) {
        Some((salt, hash)) => {
            keyed(&salt, password).is_some_and(|mac| mac.verify_slice(&hash).is_ok())
        }
        None if secret.starts_with(TOKEN_PREFIX) => false,
        None => verify_password(secret, password).unwrap_or(false),
    }
}

/// Key and hash of a secret that is a token's.
#[must_use]
pub fn token_hash(secret: &str) -> Option<(Vec<u8>, Hash)> {
    let (salt, hash) = secret.strip_prefix(TOKEN_PREFIX)?.split_once(':')?;
    Some((from_hex(salt)?, from_hex(hash)?.try_into().ok()?))
}

/// The hash of a token under this key.
#[must_use]
pub fn hash_of(salt: &[u8], token: &[u8]) -> Option<Hash> {
    keyed(salt, token).map(|mac| mac.finalize().into_bytes().into())
}

/// `None`: the secret is none of argon2's.
fn verify_password(secret: &str, password: &[u8]) -> Option<bool> {
    let secret = PasswordHash::new(secret).ok()?;
    let (salt, expected) = secret.salt.as_ref().zip(secret.hash.as_ref())?;
    let argon2 = Argon2::new(
        Algorithm::try_from(secret.algorithm.as_str()).ok()?,
        Version::try_from(secret.version?).ok()?,
        Params::try_from(&secret).ok()?,
    );
    let blocks = argon2.params().block_count();
    // glibc's heap keeps blocks of up to 32 MiB once one was freed, and a few passwords would cost 100 MiB for good. What
    // is larger goes back to the system; pages that are not touched cost nothing.
    let mut memory = Vec::with_capacity(blocks.max(MEMORY_BLOCKS_MIN));
    memory.resize(blocks, Block::new());
    let mut found = [0; Output::MAX_LENGTH];
    let found = found.get_mut(..expected.len())?;
    argon2
        .hash_password_into_with_memory(password, salt, found, &mut memory)
        .ok()?;
    Some(Output::new(found).ok()? == *expected)
}

/// What stands in the credentials file for a person's password.
///
/// # Errors
/// [`SecretError`] if there is no randomness for the salt.
pub fn hash_password(password: &[u8]) -> Result<String, SecretError> {
    let hash = Argon2::default()
        .hash_password(password)
        .map_err(SecretError::Hash)?;
    Ok(hash.to_string())
}

/// A new device token, and what stands in the credentials file for it: hashed under the key of this secret of the same file,
/// so that the token alone finds its device.
///
/// # Errors
/// [`SecretError`] if there is no randomness.
pub fn new_token(beside: Option<&str>) -> Result<(String, String), SecretError> {
    let mut token = [0; TOKEN_BYTES];
    getrandom::fill(&mut token).map_err(SecretError::Random)?;
    let salt = match beside.and_then(token_hash) {
        Some((salt, _)) => salt,
        None => {
            let mut salt = vec![0; SALT_BYTES];
            getrandom::fill(&mut salt).map_err(SecretError::Random)?;
            salt
        }
    };
    let token = to_hex(&token);
    let secret = hash_token(&salt, token.as_bytes());
    Ok((token, secret))
}

fn hash_token(salt: &[u8], token: &[u8]) -> String {
    let hash = hash_of(salt, token).unwrap_or_default();
    format!("{TOKEN_PREFIX}{}:{}", to_hex(salt), to_hex(&hash))
}

fn keyed(key: &[u8], message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some((digit(high)? * 16 + digit(low)?) as u8))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_proved_by_itself_only() {
        let (token, secret) = new_token(None).expect("randomness");
        assert_eq!(token.len(), 64);
        assert!(!is_slow(&secret) && !secret.contains(&token));
        assert!(verify(&secret, token.as_bytes()));
        assert!(!verify(&secret, &token.as_bytes()[1..]));
        let (_, other) = new_token(None).expect("randomness");
        assert!(!verify(&other, token.as_bytes()));
    }

    #[test]
    fn a_password_is_proved_by_itself_only() {
        let secret = hash_password("schön geheim".as_bytes()).expect("hashed");
        assert!(is_slow(&secret) && secret.starts_with("$argon2id$"));
        assert!(verify(&secret, "schön geheim".as_bytes()));
        assert!(!verify(&secret, b"schoen geheim"));
    }

    #[test]
    fn the_secret_of_nobody_costs_as_much_as_a_persons() {
        let parameters = |secret: &str| {
            let hash = PasswordHash::new(secret).expect("well-formed");
            let (memory, rounds) = (hash.params.get_decimal("m"), hash.params.get_decimal("t"));
            (memory, rounds, hash.hash.map(|hash| hash.len()))
        };
        let person = hash_password(b"somebody").expect("hashed");
        assert_eq!(parameters(NOBODY), parameters(&person));
    }

    #[test]
    fn a_broken_secret_lets_nobody_in() {
        for secret in [
            "",
            "plain",
            "hmac-sha256:",
            "hmac-sha256:0a",
            "hmac-sha256:0a:zz",
            "hmac-sha256::",
            "$argon2id$",
            CERTIFICATE_ONLY,
            NOBODY,
        ] {
            assert!(
                !verify(secret, b"") && !verify(secret, b"plain"),
                "{secret}"
            );
        }
    }
}
