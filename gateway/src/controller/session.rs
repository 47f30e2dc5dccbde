//! A session with the fleet's broker, as long as one command.

use core::time::Duration;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use clap::Args;
use rumqttc::mqttbytes::QoS;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, PublishOptions,
};
use tokio::time::timeout;

use super::key_files::read;
use crate::fleet::document::Document;
use crate::remote::{desired, link};

/// Messages that wait to be sent.
const MESSAGES_MAX: usize = 64;
/// Largest packet that is taken: a report of a box.
const PACKET_BYTES_MAX: u32 = 256 * 1024;
/// How long the broker is given for an answer, ms.
const BROKER_MS: u64 = 10_000;

/// Why a command of the controller failed.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// What stands in a file.
    #[error("{}: {text}", path.display())]
    Layer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        text: String,
    },
    /// A scope that is none.
    #[error("`{0}` is no scope: use fleet, group/NAME or gateway/NAME")]
    Scope(String),
    /// Bytes that are no envelope with a document.
    #[error("no signed document: `tidegate fleet sign` makes one")]
    Document,
    /// The broker's address.
    #[error("`{0}` is no address: write it as host:port")]
    Address(String),
    /// The broker.
    #[error("the broker at {broker}: {text}")]
    Broker {
        /// Its address.
        broker: String,
        /// What happened.
        text: String,
    },
    /// A box does not answer.
    #[error("{gateway} does not answer; is it online? (`tidegate fleet status`)")]
    Silent {
        /// The box.
        gateway: String,
    },
    /// The system.
    #[error("the system refuses: {0}")]
    System(std::io::Error),
}

impl ControllerError {
    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// The way to the fleet's broker.
#[derive(Args, Clone, Debug)]
pub struct Way {
    /// The broker, host:port.
    #[arg(long, env = "TIDEGATE_FLEET_BROKER")]
    broker: String,
    /// Who signed its certificate, PEM; no TLS without it.
    #[arg(long, env = "TIDEGATE_FLEET_CA")]
    ca_file: Option<PathBuf>,
    /// The controller's own certificate, PEM.
    #[arg(long)]
    cert_file: Option<PathBuf>,
    /// The key of it, PEM.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Name at the broker.
    #[arg(long)]
    username: Option<String>,
    /// File that holds the password.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

/// The begin of a fleet's topics.
pub(super) fn top(fleet: &str) -> String {
    format!("tidegate-fleet/1/{fleet}")
}

/// The document in an envelope, unverified: the boxes verify it.
pub(super) fn open(bytes: &[u8]) -> Result<Document, ControllerError> {
    let wire: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| ControllerError::Document)?;
    let payload = wire.get("payload").and_then(serde_json::Value::as_str);
    let payload = payload.and_then(|text| Base64::decode_vec(text).ok());
    let document = payload.and_then(|payload| Document::parse(&payload).ok());
    document.ok_or(ControllerError::Document)
}

impl Way {
    /// Connects, does it, and takes its leave.
    pub(super) fn run<T>(
        &self,
        job: impl AsyncFnOnce(&mut Session) -> Result<T, ControllerError>,
    ) -> Result<T, ControllerError> {
        let options = self.options()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ControllerError::System)?;
        runtime.block_on(async {
            let (client, connection) = AsyncClient::builder(options).capacity(MESSAGES_MAX).build();
            let mut session = Session {
                broker: self.broker.clone(),
                client,
                connection,
                early: std::collections::VecDeque::new(),
            };
            session
                .await_packet(|it| matches!(it, Incoming::ConnAck(_)))
                .await?;
            let result = job(&mut session).await;
            // The broker forgets the session by itself if this is lost.
            let _ = session.client.try_disconnect();
            let _ = timeout(Duration::from_millis(200), session.connection.poll()).await;
            result
        })
    }

    fn options(&self) -> Result<MqttOptions, ControllerError> {
        let address = self.broker.rsplit_once(':');
        let address = address.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let (host, port): (String, u16) =
            address.ok_or_else(|| ControllerError::Address(self.broker.clone()))?;
        let id = format!(
            "tidegate-fleet-{:08x}",
            getrandom::u32().unwrap_or_default()
        );
        let mut options = MqttOptions::new(id, (host, port));
        options.set_max_packet_size(Some(PACKET_BYTES_MAX));
        if let (Some(name), Some(path)) = (&self.username, &self.password_file) {
            let password = String::from_utf8_lossy(&read(path)?).trim_end().to_owned();
            options.set_credentials(name.clone(), password);
        }
        if let Some(ca) = &self.ca_file {
            let own = self.cert_file.as_deref().zip(self.key_file.as_deref());
            options.set_transport(link::tls(ca, own, read)?);
        }
        Ok(options)
    }
}

/// Connected to the fleet's broker.
pub(super) struct Session {
    broker: String,
    client: AsyncClient,
    connection: EventLoop,
    /// Messages that came while an acknowledgement was awaited.
    early: std::collections::VecDeque<(String, Vec<u8>)>,
}

impl Session {
    /// Publishes a document on the topic of its scope, retained.
    pub(super) async fn push(
        &mut self,
        document: &Document,
        bytes: Vec<u8>,
    ) -> Result<(), ControllerError> {
        let topic = desired(&top(&document.scope.fleet), &document.scope);
        self.publish(topic, bytes).await?;
        println!(
            "{} generation {} is desired",
            document.scope.path(),
            document.generation
        );
        Ok(())
    }

    /// Publishes, retained, and waits until the broker has it.
    pub(super) async fn publish(
        &mut self,
        topic: String,
        bytes: Vec<u8>,
    ) -> Result<(), ControllerError> {
        let options = PublishOptions::at_least_once().retained();
        self.send(topic, bytes, options).await
    }

    /// Publishes to whoever listens now.
    pub(super) async fn publish_once(
        &mut self,
        topic: String,
        bytes: Vec<u8>,
    ) -> Result<(), ControllerError> {
        let options = PublishOptions::at_least_once();
        self.send(topic, bytes, options).await
    }

    async fn send(
        &mut self,
        topic: String,
        bytes: Vec<u8>,
        options: PublishOptions,
    ) -> Result<(), ControllerError> {
        let sent = self.client.try_publish(topic, bytes, options);
        sent.map_err(|error| self.broken(error.to_string()))?;
        self.await_packet(|it| matches!(it, Incoming::PubAck(_)))
            .await
    }

    pub(super) async fn subscribe(&mut self, filter: &str) -> Result<(), ControllerError> {
        let sent = self.client.try_subscribe(filter, QoS::AtLeastOnce);
        sent.map_err(|error| self.broken(error.to_string()))?;
        self.await_packet(|it| matches!(it, Incoming::SubAck(_)))
            .await
    }

    /// The next message; none within `ms`, or the broker is gone.
    pub(super) async fn next(&mut self, ms: u64) -> Option<(String, Vec<u8>)> {
        if let Some(early) = self.early.pop_front() {
            return Some(early);
        }
        let message = async {
            loop {
                if let Event::Incoming(Incoming::Publish(publish)) = self.connection.poll().await? {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    return Ok::<_, ConnectionError>((topic, publish.payload.to_vec()));
                }
            }
        };
        timeout(Duration::from_millis(ms), message).await.ok()?.ok()
    }

    async fn await_packet(
        &mut self,
        is_it: impl Fn(&Incoming) -> bool,
    ) -> Result<(), ControllerError> {
        let answer = async {
            loop {
                match self.connection.poll().await {
                    Ok(Event::Incoming(packet)) if is_it(&packet) => return Ok(()),
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                        self.early.push_back((topic, publish.payload.to_vec()));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        };
        match timeout(Duration::from_millis(BROKER_MS), answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(text)) => Err(self.broken(text)),
            Err(_) => Err(self.broken("no answer".to_owned())),
        }
    }

    fn broken(&self, text: String) -> ControllerError {
        ControllerError::Broker {
            broker: self.broker.clone(),
            text,
        }
    }
}
