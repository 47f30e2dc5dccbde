//! DSSE envelopes (<https://github.com/secure-systems-lab/dsse>, v1.0.2) with ed25519 (RFC 8032).

use base64ct::{Base64, Encoding};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use super::keys::{KeyId, PublicKey};
use super::limits::{ENVELOPE_BYTES_MAX, SIGNATURES_MAX, STRING_BYTES_MAX};
use super::reason::{Reason, Refusal};
use super::shape;

/// What goes over the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    payload_type: String,
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct WireSignature {
    keyid: String,
    sig: String,
}

/// An envelope that was taken apart; nothing in it is trusted yet.
#[derive(Clone, Debug)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<(KeyId, Vec<u8>)>,
}

impl Envelope {
    /// Takes an envelope apart. Size and nesting are looked at before it is parsed.
    ///
    /// # Errors
    /// [`Refusal`] if it is too large, or none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            let text = format!("{} bytes; {ENVELOPE_BYTES_MAX} are allowed", bytes.len());
            return Err(Refusal::whole(Reason::Size, text));
        }
        shape::measure(bytes, ENVELOPE_BYTES_MAX)?;
        let broken = |text: String| Refusal::whole(Reason::Envelope, text);
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| broken(format!("no envelope: {error}")))?;
        let decode = |text: &str| {
            Base64::decode_vec(text).map_err(|_| broken("not in base64 (RFC 4648)".to_owned()))
        };
        let mut signatures = Vec::new();
        for signature in wire.signatures.iter().take(SIGNATURES_MAX) {
            signatures.push((KeyId(signature.keyid.clone()), decode(&signature.sig)?));
        }
        Ok(Self {
            payload_type: wire.payload_type,
            payload: decode(&wire.payload)?,
            signatures,
        })
    }

    /// The payload, once `threshold` of `keys` have signed it as this type.
    ///
    /// # Errors
    /// [`Refusal`] if not, or if the payload is too deep or too wide to be parsed.
    pub fn open(
        &self,
        payload_type: &str,
        keys: &[PublicKey],
        threshold: usize,
    ) -> Result<&[u8], Refusal> {
        if self.payload_type != payload_type {
            let text = format!("the payload is of another type than {payload_type}");
            return Err(Refusal::whole(Reason::Envelope, text));
        }
        let message = encode(payload_type, &self.payload);
        let mut valid: Vec<&KeyId> = Vec::new();
        let mut known = 0;
        for (id, signature) in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.id() == *id) else {
                continue;
            };
            known += 1;
            if key.verifies(&message, signature) && !valid.contains(&id) {
                valid.push(id);
            }
        }
        if known == 0 {
            let ids: Vec<&str> = self.signatures.iter().map(|it| it.0.0.as_str()).collect();
            let text = format!("signed by {}; none of these keys is known", ids.join(", "));
            return Err(Refusal::whole(Reason::Key, text));
        }
        if valid.len() < threshold {
            let text = format!("{} valid signatures; {threshold} are needed", valid.len());
            return Err(Refusal::whole(Reason::Signature, text));
        }
        shape::measure(&self.payload, STRING_BYTES_MAX)?;
        Ok(&self.payload)
    }
}

/// Signs a payload with each of the keys.
#[must_use]
pub fn seal(payload_type: &str, payload: &[u8], keys: &[Ed25519KeyPair]) -> Vec<u8> {
    let message = encode(payload_type, payload);
    let signatures = keys.iter().map(|key| WireSignature {
        keyid: PublicKey::of(key).id().0,
        sig: Base64::encode_string(key.sign(&message).as_ref()),
    });
    let wire = Wire {
        payload_type: payload_type.to_owned(),
        payload: Base64::encode_string(payload),
        signatures: signatures.collect(),
    };
    serde_json::to_vec(&wire).unwrap_or_default()
}

impl PublicKey {
    /// The public half of a key.
    #[must_use]
    pub fn of(key: &Ed25519KeyPair) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(key.public_key().as_ref());
        Self(bytes)
    }
}

/// What is signed: DSSE's PAE, so that a payload of one type is no payload of another.
fn encode(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "text/plain";

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
    }

    /// The example of the DSSE paper (protocol.md).
    #[test]
    fn what_is_signed_is_as_the_paper_says() {
        let encoded = encode("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            encoded,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn it_opens_for_the_keys_that_signed_it_only() {
        let bytes = seal(TYPE, b"{}", &[key(1), key(2)]);
        let envelope = Envelope::parse(&bytes).expect("an envelope");
        let public = |seed| PublicKey::of(&key(seed));
        let open = |keys: &[PublicKey], threshold| {
            let opened = envelope.open(TYPE, keys, threshold);
            opened.map(<[u8]>::to_vec).map_err(|it| it.reason)
        };
        assert_eq!(open(&[public(1)], 1), Ok(b"{}".to_vec()));
        assert_eq!(open(&[public(1), public(2)], 2), Ok(b"{}".to_vec()));
        assert_eq!(open(&[public(1), public(3)], 2), Err(Reason::Signature));
        assert_eq!(open(&[public(3)], 1), Err(Reason::Key));
        let other = envelope.open("text/html", &[public(1)], 1);
        assert_eq!(other.map_err(|it| it.reason), Err(Reason::Envelope));
    }

    #[test]
    fn one_signature_twice_counts_once() {
        let bytes = seal(TYPE, b"{}", &[key(1), key(1)]);
        let envelope = Envelope::parse(&bytes).expect("an envelope");
        let keys = [PublicKey::of(&key(1)), PublicKey::of(&key(2))];
        let opened = envelope.open(TYPE, &keys, 2).map_err(|it| it.reason);
        assert_eq!(opened, Err(Reason::Signature));
    }

    #[test]
    fn any_changed_byte_of_the_payload_is_noticed() {
        let bytes = seal(TYPE, br#"{"percent":10}"#, &[key(1)]);
        let text = String::from_utf8(bytes).expect("JSON");
        let changed = text.replace(
            &Base64::encode_string(br#"{"percent":10}"#),
            &Base64::encode_string(br#"{"percent":99}"#),
        );
        let envelope = Envelope::parse(changed.as_bytes()).expect("an envelope");
        let opened = envelope.open(TYPE, &[PublicKey::of(&key(1))], 1);
        assert_eq!(opened.map_err(|it| it.reason), Err(Reason::Signature));
    }
}
