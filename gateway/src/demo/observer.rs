//! A client like any user's: it subscribes to what the gateway says of itself, of its averages and of its alerts.

use core::net::SocketAddr;

use rumqttc::{AsyncClient, ClientError, QoS};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::client::connect;
use super::news::News;
use super::site::{AVERAGE, GATEWAY};

/// Subscribes. It goes on until the returned client is dropped.
///
/// # Errors
/// [`ClientError`] if the client is gone already.
pub(super) async fn start(
    broker: SocketAddr,
    news: mpsc::Sender<News>,
) -> Result<AsyncClient, ClientError> {
    let client = connect("demo-view", broker, news, read);
    for topic in [
        "status".to_owned(),
        "alert/#".to_owned(),
        format!("average/+/+/rolling-{AVERAGE}"),
    ] {
        client
            .subscribe(format!("tidegate/{GATEWAY}/{topic}"), QoS::AtLeastOnce)
            .await?;
    }
    Ok(client)
}

fn read(topic: &str, payload: &[u8]) -> Option<News> {
    match topic.split('/').nth(2)? {
        "status" => parse(payload).map(News::Status),
        "alert" => parse(payload).map(News::Alert),
        "average" => parse(payload).map(News::Average),
        _ => None,
    }
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

#[cfg(test)]
mod tests {
    use wire::{SensorName, Summary};

    use super::*;
    use crate::messages::Message;

    #[test]
    fn what_the_gateway_writes_is_read() {
        let mut message = Message::default();
        message.write_average(
            GATEWAY,
            &Summary {
                bad: 3,
                ..Summary::default()
            },
            SensorName::default(),
            &[],
        );
        let Some(News::Average(average)) = read(&message.topic, &message.payload) else {
            panic!("no average")
        };
        assert_eq!((average.mean, average.bad), (None, 3));
    }

    #[test]
    fn other_topics_are_passed_over() {
        for topic in ["tidegate/demo", "tidegate/demo/errors", "x"] {
            assert!(read(topic, b"{}").is_none(), "{topic}");
        }
    }
}
