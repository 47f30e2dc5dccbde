//! The client of the fleet's broker: MQTT 5 over TLS, bounded in what it takes, patient when it is away.

use core::time::Duration;
use std::path::Path;

use getrandom::u64 as random;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::LastWill;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming as Packet, MqttOptions, PublishOptions,
    TlsConfiguration, Transport,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::{Incoming, RemoteError};
use crate::config::Fleet;
use crate::fleet::agent::Notice;
use crate::fleet::document::{Part, Scope};
use crate::fleet::limits::{LINK_MESSAGES_MAX, LINK_PACKET_BYTES_MAX};

/// First and longest pause before it connects again, ms.
const PAUSE_MS: (u64, u64) = (1_000, 300_000);
/// Keep-alive, s.
const KEEP_ALIVE_S: u16 = 30;

/// What the fleet sent.
#[derive(Debug)]
pub enum Received {
    /// On the topic of a scope.
    Document {
        /// Which.
        place: usize,
        /// The envelope.
        bytes: Vec<u8>,
    },
    /// On the topic of the key list.
    Keys(Vec<u8>),
    /// On the box's own command topic.
    Command {
        /// What the topic says.
        verb: String,
        /// The id in it.
        id: String,
        /// The envelope.
        bytes: Vec<u8>,
    },
}

/// A message to the fleet: the end of its topic, and its payload.
#[derive(Debug)]
pub(super) struct Message {
    end: String,
    payload: Vec<u8>,
    is_retained: bool,
}

impl Message {
    pub(super) fn event(notice: &Notice) -> Self {
        Self {
            end: "event".to_owned(),
            payload: serde_json::to_vec(notice).unwrap_or_default(),
            is_retained: false,
        }
    }

    pub(super) fn answer(id: &str, body: &Value) -> Self {
        Self {
            end: format!("rsp/{id}"),
            payload: body.to_string().into_bytes(),
            is_retained: false,
        }
    }

    pub(super) fn report(bytes: &[u8]) -> Self {
        Self {
            end: "reported".to_owned(),
            payload: bytes.to_vec(),
            is_retained: true,
        }
    }
}

/// The client.
pub(super) struct Link {
    client: AsyncClient,
    root: String,
}

impl Link {
    /// Starts the client on a task of this thread.
    pub(super) fn start(
        fleet: &Fleet,
        gateway: &str,
        scopes: &[Scope],
        incoming: mpsc::Sender<Incoming>,
    ) -> Result<Self, RemoteError> {
        let top = format!("tidegate-fleet/1/{}", fleet.name);
        let root = format!("{top}/gw/{gateway}");
        let session = format!("{:016x}", random().unwrap_or_default());
        let options = options(fleet, gateway, &root, &session)?;
        let (client, connection) = AsyncClient::builder(options)
            .capacity(LINK_MESSAGES_MAX)
            .build();
        let topics = Topics {
            desired: scopes.iter().map(|scope| desired(&top, scope)).collect(),
            keys: format!("{top}/desired/keys"),
            commands: format!("{root}/cmd/"),
            online: format!("{root}/online"),
            session,
        };
        spawn_local(drive(connection, client.clone(), topics, incoming));
        Ok(Self { client, root })
    }

    /// Sends, or drops what there is no room for: intake never waits for the fleet.
    pub(super) fn send(&self, message: Message) {
        let topic = format!("{}/{}", self.root, message.end);
        let options = PublishOptions::at_least_once().retain(message.is_retained);
        let sent = self.client.try_publish(topic, message.payload, options);
        if sent.is_err() {
            tracing::debug!(end = message.end, "a message to the fleet is dropped");
        }
    }
}

/// The topic of a scope's documents.
#[must_use]
pub(crate) fn desired(top: &str, scope: &Scope) -> String {
    match &scope.part {
        Part::Fleet => format!("{top}/desired/fleet"),
        Part::Group(name) => format!("{top}/desired/group/{name}"),
        Part::Gateway(name) => format!("{top}/desired/gw/{name}"),
    }
}

struct Topics {
    desired: Vec<String>,
    keys: String,
    commands: String,
    online: String,
    session: String,
}

impl Topics {
    fn received(&self, topic: &str, bytes: &[u8]) -> Option<Received> {
        let bytes = bytes.to_vec();
        if topic == self.keys {
            return Some(Received::Keys(bytes));
        }
        if let Some(place) = self.desired.iter().position(|it| it == topic) {
            return Some(Received::Document { place, bytes });
        }
        let (verb, id) = topic.strip_prefix(&self.commands)?.split_once('/')?;
        Some(Received::Command {
            verb: verb.to_owned(),
            id: id.to_owned(),
            bytes,
        })
    }
}

fn options(
    fleet: &Fleet,
    gateway: &str,
    root: &str,
    session: &str,
) -> Result<MqttOptions, RemoteError> {
    let (host, port) = fleet.address().unwrap_or_default();
    let mut options = MqttOptions::new(format!("tidegate-{gateway}"), (host.to_owned(), port));
    options.set_keep_alive(KEEP_ALIVE_S);
    options.set_max_packet_size(Some(LINK_PACKET_BYTES_MAX));
    // The session stands in the will: a will that comes late cannot say that a later session is gone.
    let will = json!({"s": session, "online": false}).to_string();
    options.set_last_will(LastWill::new(
        format!("{root}/online"),
        will,
        QoS::AtLeastOnce,
        true,
        None,
    ));
    if let Some(path) = &fleet.password_file {
        let password = read(path)?;
        let password = String::from_utf8_lossy(&password);
        let username = fleet.username.as_deref().unwrap_or(gateway);
        options.set_credentials(username, password.trim_end().to_owned());
    }
    if let Some(ca) = &fleet.ca_file {
        let own = fleet.cert_file.as_deref().zip(fleet.key_file.as_deref());
        options.set_transport(tls(ca, own, read)?);
    }
    Ok(options)
}

/// TLS to a broker whose certificate is of the authority in `ca`, with a certificate and key of one's own if the broker asks
/// for them; all PEM files.
///
/// # Errors
/// What `read` says of a file.
pub(crate) fn tls<E>(
    ca: &Path,
    own: Option<(&Path, &Path)>,
    read: impl Fn(&Path) -> Result<Vec<u8>, E>,
) -> Result<Transport, E> {
    let client_auth = match own {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    Ok(Transport::Tls(TlsConfiguration::Simple {
        ca: read(ca)?,
        alpn: None,
        client_auth,
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, RemoteError> {
    std::fs::read(path).map_err(|source| RemoteError::File {
        path: path.to_owned(),
        source,
    })
}

async fn drive(
    mut connection: EventLoop,
    client: AsyncClient,
    topics: Topics,
    incoming: mpsc::Sender<Incoming>,
) {
    let (mut pause_ms, mut is_up) = (PAUSE_MS.0, false);
    loop {
        let told = match connection.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                (pause_ms, is_up) = (PAUSE_MS.0, true);
                greet(&client, &topics);
                Some(Incoming::Linked(true))
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => core::str::from_utf8(&publish.topic)
                .ok()
                .and_then(|topic| topics.received(topic, &publish.payload))
                .map(Incoming::Received),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, pause_ms, "the fleet's broker is away");
                // Half of the pause is chance, so that a fleet does not come back at once.
                let chance = random().unwrap_or_default() % (pause_ms / 2 + 1);
                sleep(Duration::from_millis(pause_ms / 2 + chance)).await;
                pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
                core::mem::take(&mut is_up).then_some(Incoming::Linked(false))
            }
        };
        if let Some(told) = told
            && incoming.send(told).await.is_err()
        {
            return;
        }
    }
}

fn greet(client: &AsyncClient, topics: &Topics) {
    let commands = [format!("{}+/+", topics.commands), topics.keys.clone()];
    for topic in commands.iter().chain(&topics.desired) {
        if client
            .try_subscribe(topic.clone(), QoS::AtLeastOnce)
            .is_err()
        {
            tracing::warn!(topic, "cannot subscribe at the fleet's broker");
        }
    }
    let online = json!({"s": topics.session, "online": true}).to_string();
    if client
        .try_publish(
            topics.online.clone(),
            online,
            PublishOptions::at_least_once().retained(),
        )
        .is_err()
    {
        tracing::warn!("cannot say at the fleet's broker that this box is there");
    }
}
