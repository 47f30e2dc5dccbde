//! Bad citizens find out whether a broker still serves good ones, and leave machines of others alone.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use serde_json::Value;

/// A broker that takes any packet which comes whole with one read, and acknowledges so many messages of all.
fn broker(acknowledgements: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let left = Arc::new(AtomicU64::new(acknowledgements));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, left) = (stream.unwrap(), Arc::clone(&left));
            // A connection ends when its peer goes away; that is no failure of the test.
            thread::spawn(move || serve(stream, &left).unwrap_or_default());
        }
    });
    address
}

fn serve(mut stream: TcpStream, left: &AtomicU64) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let len = stream.read(&mut buffer)?;
        match buffer[..len] {
            [] => return Ok(()),
            [0x10, ..] => stream.write_all(&[0x20, 2, 0, 0])?,
            // The only ones who publish here are good citizens, always with packet id 1.
            [0x32, ..] => {
                let take = |left: u64| left.checked_sub(1);
                if left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_ok()
                {
                    stream.write_all(&[0x40, 2, 0, 1])?;
                }
            }
            _ => {}
        }
    }
}

/// Exit code, and what was said.
fn harass(target: &str, kind: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor-sim"));
    command.args(["harass", "--json", "--kind", kind, "--target", target]);
    command.args(["--count", "20", "--clients", "4", "--duration", "1s"]);
    let output = command.args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn check(kind: &str, answer: &str, count: u64) {
    let (code, said) = harass(&broker(u64::MAX), kind, &[]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &said["well"]),
        (Some(0), &Value::from(true)),
        "{said:#}"
    );
    assert_eq!(said["answers"][answer], count, "{said:#}");
    assert!(said["round_trips"].as_u64().unwrap() > 0, "{said:#}");
}

#[test]
fn what_a_broker_answers_is_counted() {
    check("reconnect-storm", "CONNACK: accepted", 20);
    check("will-storm", "CONNACK: accepted", 20);
    check("wrong-password", "CONNACK: accepted", 20);
    check("half-open", "still open at the end", 4);
}

#[test]
fn a_broker_that_no_longer_answers_is_found_out() {
    let (code, said) = harass(&broker(3), "half-open", &["--patience", "300ms"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("took longer than --patience"), "{said}");
}

#[test]
fn a_broker_that_is_not_there_is_not_well() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, said) = harass(&nobody.to_string(), "reconnect-storm", &[]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn another_machine_is_left_alone() {
    // An address for documentation, RFC 5737: nobody has it.
    let (code, said) = harass("192.0.2.1:1883", "reconnect-storm", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--i-own-this-target"), "{said}");
}

/// A CA with a broker's certificate, and a client's whose time is over or is not; as files in `dir`.
struct Papers {
    dir: tempfile::TempDir,
    server: Arc<rustls::ServerConfig>,
}

impl Papers {
    fn new() -> Self {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let sign = |name: &str, until: i32| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(until, 1, 1);
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        write("ca.pem", ca.pem());
        for (name, until) in [("expired", 2020), ("valid", 4000)] {
            let (certificate, key) = sign("device-7", until);
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        let (certificate, key) = sign("127.0.0.1", 4000);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        )
        .build()
        .unwrap();
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Self {
            dir,
            server: Arc::new(server),
        }
    }

    /// A broker that asks for a certificate, and answers every CONNECT of one who has it.
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = Arc::clone(&self.server);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, config) = (stream.unwrap(), Arc::clone(&config));
                thread::spawn(move || {
                    let mut session = rustls::ServerConnection::new(config).unwrap();
                    let mut tls = rustls::Stream::new(&mut session, &mut stream);
                    let mut buffer = [0; 1024];
                    // A handshake that fails is what the test is about; the alert is sent by then.
                    if tls.read(&mut buffer).is_ok_and(|len| len > 0) {
                        tls.write_all(&[0x20, 2, 0, 0]).unwrap_or_default();
                    }
                });
            }
        });
        address
    }

    fn check(&self, name: &str, answer: &str) {
        let file = |name: String| self.dir.path().join(name).display().to_string();
        let (ca, certificate, key) = (
            file("ca.pem".into()),
            file(format!("{name}.pem")),
            file(format!("{name}.key")),
        );
        let door = self.serve();
        let options = [
            ["--tls-target", &door],
            ["--tls-ca", &ca],
            ["--tls-certificate", &certificate],
            ["--tls-key", &key],
        ];
        let (code, said) = harass(&broker(u64::MAX), "expired-certificate", &options.concat());
        assert_eq!(code, Some(0), "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["answers"][answer], 20, "{said:#}");
    }
}

#[test]
fn a_certificate_whose_time_is_over_is_told_from_one_that_holds() {
    let papers = Papers::new();
    papers.check("expired", "TLS alert: certificate expired");
    papers.check("valid", "let in by TLS: an answer of the broker");
}

#[test]
fn a_certificate_is_asked_for_where_one_is_needed() {
    let (code, said) = harass(&broker(u64::MAX), "expired-certificate", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--tls-certificate"), "{said}");
}
