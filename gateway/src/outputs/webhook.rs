//! Alerts to a web address: a POST of the alert's JSON, tried again while the address is away.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::config::WebhookSettings;
use crate::limits::{
    WEBHOOK_ATTEMPTS_MAX, WEBHOOK_QUEUE_MAX, WEBHOOK_RETRY_MS, WEBHOOK_RETRY_MS_MAX,
};

/// The loop's end of the webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    queue: SyncSender<Box<[u8]>>,
    /// Alerts for which there was no room.
    refused: Arc<AtomicU64>,
}

impl Webhook {
    /// Starts the thread.
    pub(super) fn start(settings: &WebhookSettings, gateway: &str) -> io::Result<Self> {
        let token = match &settings.token_file {
            None => None,
            Some(path) => Some(fs::read_to_string(path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "cannot read {}: {error} (`webhook.token_file`)",
                        path.display()
                    ),
                )
            })?),
        };
        let sender = Sender {
            agent: agent(settings.timeout.0, gateway),
            url: settings.url.clone(),
            token: token.map(|token| format!("Bearer {}", token.trim_end())),
        };
        let (queue, alerts) = sync_channel(WEBHOOK_QUEUE_MAX);
        let refused = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&refused);
        thread::Builder::new()
            .name("webhook".into())
            .spawn(move || sender.serve(&alerts, &told))?;
        Ok(Self { queue, refused })
    }

    /// Hands over an alert. Where the address has been away for long there is no room, and it is counted: it stands on
    /// MQTT and in Kafka all the same.
    pub(super) fn send(&self, payload: &[u8]) {
        if self.queue.try_send(payload.into()).is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn agent(timeout_ms: u64, gateway: &str) -> Agent {
    Agent::new_with_config(
        Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(timeout_ms)))
            .max_redirects(0)
            .tls_config(tls())
            .user_agent(format!(
                "tidegate/{} ({gateway})",
                env!("CARGO_PKG_VERSION")
            ))
            .build(),
    )
}

/// Trusts whom the box trusts.
fn tls() -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

struct Sender {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// What came of one attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// It may work later: the address is away, or says so.
    Later(String),
    /// It will never work.
    Refused(String),
}

impl Sender {
    /// One alert after the other, in their order, until the loop is gone.
    fn serve(&self, alerts: &Receiver<Box<[u8]>>, refused: &AtomicU64) {
        while let Ok(alert) = alerts.recv() {
            self.deliver(&alert);
            let lost = refused.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(lost, url = %self.url, "alerts did not reach the webhook: its queue was full");
            }
        }
    }

    fn deliver(&self, alert: &[u8]) {
        let mut wait_ms = WEBHOOK_RETRY_MS;
        for attempt in 1..=WEBHOOK_ATTEMPTS_MAX {
            match self.post(alert) {
                Outcome::Taken => return,
                Outcome::Refused(reason) => {
                    tracing::error!(%reason, url = %self.url, "the webhook refuses an alert: it is not sent again");
                    return;
                }
                Outcome::Later(reason) if attempt == 1 => {
                    tracing::warn!(%reason, url = %self.url, "the webhook is away; it is tried again");
                }
                Outcome::Later(_) => {}
            }
            thread::park_timeout(Duration::from_millis(wait_ms));
            wait_ms = (wait_ms * 2).min(WEBHOOK_RETRY_MS_MAX);
        }
        tracing::error!(url = %self.url, "the webhook was away for too long: an alert is given up");
    }

    fn post(&self, alert: &[u8]) -> Outcome {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", token);
        }
        match request.send(alert) {
            Ok(answer) if answer.status().is_success() => Outcome::Taken,
            // An address that moved is for the operator to know, not for this box to follow with its token.
            Ok(answer) => Outcome::Refused(format!("it answers {}", answer.status())),
            Err(error) => outcome_of(&error),
        }
    }
}

/// Too busy and broken servers may recover; a request that is wrong stays wrong.
fn outcome_of(error: &ureq::Error) -> Outcome {
    let reason = error.to_string();
    match error {
        ureq::Error::StatusCode(408 | 425 | 429 | 500..=599) => Outcome::Later(reason),
        ureq::Error::StatusCode(_) | ureq::Error::BadUri(_) => Outcome::Refused(reason),
        _ => Outcome::Later(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server that answers with these status codes in turn; gives what it was sent.
    fn serve(answers: &'static [&'static str]) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let server = thread::spawn(move || {
            answers
                .iter()
                .map(|answer| take(&listener, answer))
                .collect()
        });
        (url, server)
    }

    fn take(listener: &TcpListener, answer: &str) -> String {
        let (stream, _) = listener.accept().expect("a client");
        let mut reader = BufReader::new(&stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let start = head.len();
            reader.read_line(&mut head).expect("a line");
            let line = head[start..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        let reply = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        (&stream).write_all(reply.as_bytes()).expect("it listens");
        head + &String::from_utf8(body).expect("text")
    }

    fn sender(url: &str) -> Sender {
        Sender {
            agent: agent(10_000, "edge-1"),
            url: url.into(),
            token: Some("Bearer secret".into()),
        }
    }

    #[test]
    fn an_alert_is_posted_as_json_with_the_token() {
        let (url, server) = serve(&["204 No Content"]);
        assert_eq!(sender(&url).post(b"{\"id\":1}"), Outcome::Taken);
        let seen = server.join().expect("it ran").concat();
        assert!(seen.starts_with("POST /hook HTTP/1.1\r\n"), "{seen}");
        assert!(seen.ends_with("\r\n\r\n{\"id\":1}"), "{seen}");
        let lower = seen.to_ascii_lowercase();
        assert!(
            lower.contains("content-type: application/json\r\n"),
            "{seen}"
        );
        assert!(lower.contains("authorization: bearer secret\r\n"), "{seen}");
    }

    #[test]
    fn an_answer_says_whether_it_is_worth_trying_again() {
        let (url, server) = serve(&["503 Unavailable", "429 Too Many", "400 Bad", "302 Found"]);
        let sender = sender(&url);
        assert!(matches!(sender.post(b"a"), Outcome::Later(_)));
        assert!(matches!(sender.post(b"b"), Outcome::Later(_)));
        assert!(matches!(sender.post(b"c"), Outcome::Refused(_)));
        assert!(matches!(sender.post(b"d"), Outcome::Refused(_)));
        assert_eq!(server.join().expect("it ran").len(), 4);
    }

    #[test]
    fn an_address_where_nobody_listens_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        drop(listener);
        assert!(matches!(sender(&url).post(b"a"), Outcome::Later(_)));
    }
}
