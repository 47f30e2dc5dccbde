//! A client of the broker: connected, reported as such, and driven on a task of its own.

use core::net::SocketAddr;
use core::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Outgoing};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::news::News;

/// Requests of one client that wait: a device sends a handful of messages a second.
const REQUESTS_MAX: usize = 64;
/// Pause before it connects again, ms.
const RECONNECT_MS: u64 = 200;
/// Keep-alive, s.
const KEEP_ALIVE_S: u16 = 10;

/// Connects `id`, and drives the connection until the client takes its leave. Messages that come in go to `take`.
pub(super) fn connect(
    id: &str,
    broker: SocketAddr,
    news: mpsc::Sender<News>,
    take: impl Fn(&str, &[u8]) -> Option<News> + 'static,
) -> AsyncClient {
    let mut options = MqttOptions::new(id, (broker.ip().to_string(), broker.port()));
    options.set_keep_alive(KEEP_ALIVE_S);
    let (client, connection) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
    spawn_local(drive(connection, news, take));
    client
}

async fn drive(
    mut connection: EventLoop,
    news: mpsc::Sender<News>,
    take: impl Fn(&str, &[u8]) -> Option<News>,
) {
    let mut is_connected = false;
    loop {
        let told = match connection.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                is_connected = true;
                Some(News::Connected)
            }
            Ok(Event::Incoming(Incoming::Publish(publish))) => core::str::from_utf8(&publish.topic)
                .ok()
                .and_then(|topic| take(topic, &publish.payload)),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(_) => None,
            Err(rumqttc::ConnectionError::RequestsDone) => return,
            Err(_) => {
                sleep(Duration::from_millis(RECONNECT_MS)).await;
                core::mem::take(&mut is_connected).then_some(News::Disconnected)
            }
        };
        if let Some(told) = told
            && news.send(told).await.is_err()
        {
            return;
        }
    }
}
