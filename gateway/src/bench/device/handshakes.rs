//! How many clients can come in by TLS: what a full handshake costs the server, in memory, by the settings of the listeners.

use core::str::FromStr as _;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection,
};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, Ia5String, OctetString};
use x509_cert::der::oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, SECP_256_R_1};
use x509_cert::der::oid::{AssociatedOid as _, ObjectIdentifier};
use x509_cert::der::{self, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use crate::clock::Clock;
use crate::transport::server_config;

/// Handshakes that are timed: two seconds on the slowest box.
const HANDSHAKES: u32 = 200;
/// Flights of a handshake, both ways; TLS 1.3 has three.
const FLIGHTS_MAX: usize = 16;
const SERVER_NAME: &str = "box.example";

/// Why no handshake could be timed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The bench's own certificate.
    #[error("the bench's certificate cannot be encoded: {0}")]
    Certificate(#[from] der::Error),
    /// The system gave no random bytes.
    #[error("no key can be made: does the system give random bytes?")]
    Key,
    /// The two sides do not agree.
    #[error("a TLS handshake in memory failed: {0}")]
    Tls(#[from] rustls::Error),
    /// Bytes do not get from one side to the other.
    #[error("a TLS handshake in memory came to no end")]
    Unfinished,
}

/// What a full handshake (ECDSA P-256, X25519, TLS 1.3) costs the server, µs.
pub(super) fn time(clock: Clock) -> Result<f64, HandshakeError> {
    let (certificate, key) = certificate()?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let mut client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let client = Arc::new(client);
    let server = server_config(
        WebPkiClientVerifier::no_client_auth(),
        vec![certificate],
        key,
    )?;
    // The first one is slower: what it needs is not in the processor's caches.
    handshake(clock, &client, &server)?;
    let mut micros = 0;
    for _ in 0..HANDSHAKES {
        micros += handshake(clock, &client, &server)?;
    }
    Ok(micros as f64 / f64::from(HANDSHAKES))
}

/// One handshake; returns the time that the server took for it, µs. The client's own is not counted.
fn handshake(
    clock: Clock,
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<u64, HandshakeError> {
    let name = ServerName::try_from(SERVER_NAME).map_err(|_| HandshakeError::Unfinished)?;
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let begun = clock.micros();
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut micros = clock.micros() - begun;
    let mut flight = Vec::new();
    for _ in 0..FLIGHTS_MAX {
        flight.clear();
        write(&mut client, &mut flight)?;
        let begun = clock.micros();
        read(&mut server, &flight)?;
        flight.clear();
        write(&mut server, &mut flight)?;
        micros += clock.micros() - begun;
        read(&mut client, &flight)?;
        if !client.is_handshaking() && !server.is_handshaking() {
            return Ok(micros);
        }
    }
    Err(HandshakeError::Unfinished)
}

/// What a side has to say.
fn write<Data>(
    side: &mut ConnectionCommon<Data>,
    flight: &mut Vec<u8>,
) -> Result<(), HandshakeError> {
    while side.wants_write() {
        side.write_tls(flight)
            .map_err(|_| HandshakeError::Unfinished)?;
    }
    Ok(())
}

/// Gives a side what the other has said.
fn read<Data>(side: &mut ConnectionCommon<Data>, mut flight: &[u8]) -> Result<(), HandshakeError> {
    while !flight.is_empty() {
        side.read_tls(&mut flight)
            .map_err(|_| HandshakeError::Unfinished)?;
        side.process_new_packets()?;
    }
    Ok(())
}

/// A certificate that vouches for itself, whatever the box takes for the time, and its key.
fn certificate() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), HandshakeError> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document =
        EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| HandshakeError::Key)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
        .map_err(|_| HandshakeError::Key)?;
    let tbs_certificate = unsigned(pair.public_key().as_ref())?;
    let signature = pair
        .sign(&random, &tbs_certificate.to_der()?)
        .map_err(|_| HandshakeError::Key)?;
    let certificate = Certificate {
        signature_algorithm: tbs_certificate.signature.clone(),
        signature: BitString::from_bytes(signature.as_ref())?,
        tbs_certificate,
    };
    let key = PrivatePkcs8KeyDer::from(document.as_ref().to_vec());
    Ok((certificate.to_der()?.into(), key.into()))
}

/// RFC 5280, 4.1.
fn unsigned(public_key: &[u8]) -> Result<TbsCertificate, HandshakeError> {
    let name = Name::from_str(&format!("CN={SERVER_NAME}"))?;
    let names = SubjectAltName(vec![GeneralName::DnsName(Ia5String::new(SERVER_NAME)?)]);
    let epoch = GeneralizedTime::from_unix_duration(core::time::Duration::ZERO)?;
    Ok(TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::from(1_u32),
        signature: algorithm(ECDSA_WITH_SHA_256, None),
        issuer: name.clone(),
        validity: Validity {
            not_before: Time::GeneralTime(epoch),
            not_after: Time::INFINITY,
        },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned {
            algorithm: algorithm(ID_EC_PUBLIC_KEY, Some(Any::from(SECP_256_R_1))),
            subject_public_key: BitString::from_bytes(public_key)?,
        },
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(vec![Extension {
            extn_id: SubjectAltName::OID,
            critical: false,
            extn_value: OctetString::new(names.to_der()?)?,
        }]),
    })
}

fn algorithm(oid: ObjectIdentifier, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters }
}
