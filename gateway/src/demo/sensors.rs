//! The devices of the demo: simulated, each with an MQTT client of its own, QoS 1.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use rumqttc::{AsyncClient, PublishNotice, PublishOptions, QoS};
use sensor_sim::device::{Device, Recipe};
use sensor_sim::payload::Writer;
use sensor_sim::truth::Label;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use wire::Timestamp;

use super::client::connect;
use super::news::{News, Sent};
use super::site::{Script, SiteDevice};
use crate::clock::Clock;

/// Messages of one device that wait for their acknowledgement: ten seconds of them.
const UNACKNOWLEDGED_MAX: usize = 64;

/// What all devices share.
#[derive(Clone)]
pub(super) struct Site {
    /// Where the broker is.
    pub(super) broker: SocketAddr,
    /// The clocks.
    pub(super) clock: Clock,
    /// Seed of all chance.
    pub(super) seed: u64,
    /// Where news go.
    pub(super) news: mpsc::Sender<News>,
    /// Says when to stop.
    pub(super) stop: watch::Receiver<bool>,
}

/// A device on its task.
struct Running {
    index: usize,
    device: Device,
    writer: Writer,
    site: Site,
    client: AsyncClient,
    notices: mpsc::Sender<(Timestamp, PublishNotice)>,
}

/// Starts all devices, each on a task of its own.
pub(super) fn start(devices: &[SiteDevice], script: Script, site: &Site) {
    let plan = Arc::new(script.faults());
    for (index, SiteDevice { name, profile }) in devices.iter().enumerate() {
        let recipe = Recipe {
            profile: Arc::clone(profile),
            plan: Arc::clone(&plan),
            seed: site.seed,
            start: site.clock.now().wall_ms,
            rate_hz: None,
            boots: 0,
        };
        let client = connect(name, site.broker, site.news.clone(), |_, _| None);
        let (notices, noticed) = mpsc::channel(UNACKNOWLEDGED_MAX);
        spawn_local(await_acknowledgements(
            index,
            noticed,
            client.clone(),
            site.news.clone(),
        ));
        let running = Running {
            index,
            device: Device::new(name, &recipe),
            writer: Writer::new(profile, name, 0),
            site: site.clone(),
            client,
            notices,
        };
        spawn_local(running.run());
    }
}

impl Running {
    async fn run(mut self) {
        let start = self.site.clock.now();
        let mut stop = self.site.stop.clone();
        loop {
            let due = Duration::from_micros(self.device.due_us());
            let due = Instant::from_std(self.site.clock.instant_at(start.monotonic_ms) + due);
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = sleep_until(due) => {}
            }
            let passed_ms = self.site.clock.now().monotonic_ms - start.monotonic_ms;
            let at = start.wall_ms.saturating_add_unsigned(passed_ms);
            let (mut faults, mut sent) = (Vec::<Label>::new(), Vec::new());
            let index = self.index;
            let writer = &self.writer;
            self.device.tick(
                at,
                &mut |label| faults.push(label.clone()),
                &mut |message| {
                    let mut payload = Vec::new();
                    writer.write(message, &mut payload);
                    let values = message.values.into();
                    let time = Timestamp(message.time);
                    sent.push((
                        Sent {
                            device: index,
                            time,
                            values,
                            is_repeat: message.is_repeat,
                        },
                        payload,
                    ));
                },
            );
            for fault in faults {
                self.tell(News::Fault(fault)).await;
            }
            for (message, payload) in sent {
                self.publish(message, payload).await;
            }
        }
    }

    async fn publish(&self, message: Sent, payload: Vec<u8>) {
        let time = message.time;
        let topic = format!("sensors/{}", self.device.name());
        // Told before it is on its way, so that it is known when it comes out.
        self.tell(News::Sent(message)).await;
        let options = PublishOptions::new(QoS::AtLeastOnce);
        if let Ok(notice) = self.client.publish_tracked(topic, payload, options).await {
            // The other end waits for as long as this one exists.
            let _ = self.notices.send((time, notice)).await;
        }
    }

    async fn tell(&self, news: News) {
        // The loop is gone only when the demo ends.
        let _ = self.site.news.send(news).await;
    }
}

/// Acknowledgements come in the order of the messages. One that does not come leaves its readings unacknowledged.
async fn await_acknowledgements(
    device: usize,
    mut notices: mpsc::Receiver<(Timestamp, PublishNotice)>,
    client: AsyncClient,
    news: mpsc::Sender<News>,
) {
    while let Some((time, notice)) = notices.recv().await {
        if notice.wait_completion_async().await.is_ok()
            && news
                .send(News::Acknowledged { device, time })
                .await
                .is_err()
        {
            return;
        }
    }
    // The client's task ends with this; if it has ended already, all the better.
    let _ = client.disconnect().await;
}
