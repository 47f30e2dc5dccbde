//! Listens at an MQTT broker, as a subscriber with a session that outlives its connection.

use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::time::timeout;

use crate::client::link::Link;
use crate::client::packet::{self, Answer, Connect, Packet};
use crate::clock::Clock;
use crate::progress::Progress;
use crate::publish::{read_password, resolve};

/// How long it waits before it connects again.
const RETRY: Duration = Duration::from_millis(200);
/// How long it waits for something to read before it looks at the time.
const LOOK: Duration = Duration::from_millis(200);
/// A subscriber that is silent for so long is dropped; it answers messages, so it is rarely silent.
const KEEP_ALIVE_S: u16 = 60;

/// What topics of a gateway itself begin with.
pub(crate) const OWN_TOPICS: &str = "tidegate/";

/// Where somebody listens, to what, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    /// The broker, host:port.
    pub broker: String,
    /// What is subscribed to.
    pub filter: String,
    /// What else is subscribed to; it says nothing of whether it is quiet.
    pub aside: Vec<String>,
    /// For what; a part of the client id.
    pub name: &'static str,
    /// User name at the broker.
    pub username: Option<String>,
    /// File with the password at the broker.
    pub password_file: Option<PathBuf>,
    /// Longest wait for the first message.
    pub wait: Duration,
    /// Nothing more comes once it was quiet for so long.
    pub idle: Duration,
    /// More comes, however quiet it is, until this file is there.
    pub until: Option<PathBuf>,
    /// Says on a terminal what it hears.
    pub is_shown: bool,
}

/// Somebody who listens.
pub(crate) struct Listener<'a> {
    subscription: &'a Subscription,
    clock: &'a Clock,
    last_us: u64,
    is_heard: bool,
    /// Whether the broker ever let it subscribe.
    was_let_in: bool,
    heard: u64,
    progress: Progress,
}

type Hear<'a> = &'a mut dyn FnMut(&str, &[u8]);

impl<'a> Listener<'a> {
    /// Listens from now on.
    pub(crate) fn new(subscription: &'a Subscription, clock: &'a Clock) -> Self {
        Self {
            subscription,
            clock,
            last_us: clock.now_us(),
            is_heard: false,
            was_let_in: false,
            heard: 0,
            progress: if subscription.is_shown {
                Progress::open()
            } else {
                Progress::hidden()
            },
        }
    }

    /// Hands topics and payloads to `hear` until it is quiet; gives how often it had to connect again.
    pub(crate) fn listen(self, hear: Hear<'_>) -> Result<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.run(hear))
    }

    async fn run(mut self, hear: Hear<'_>) -> Result<u64> {
        let mut connects = 0_u64;
        loop {
            let session = self.session(&mut *hear).await;
            match session {
                Ok(()) => break,
                Err(error) if self.is_quiet() && !self.was_let_in => return Err(error),
                Err(error) if self.is_quiet() => {
                    eprintln!("{}: {error:#}", self.subscription.broker);
                    break;
                }
                Err(error) if connects == 0 && !self.is_heard && is_refusal(&error) => {
                    return Err(error);
                }
                Err(_) => connects += 1,
            }
            tokio::time::sleep(RETRY).await;
        }
        self.progress.end();
        Ok(connects)
    }

    fn is_quiet(&mut self) -> bool {
        if self
            .subscription
            .until
            .as_ref()
            .is_some_and(|file| !file.exists())
        {
            self.last_us = self.clock.now_us();
            return false;
        }
        let wait = if self.is_heard {
            self.subscription.idle
        } else {
            self.subscription.wait
        };
        let quiet_us = self.clock.now_us().saturating_sub(self.last_us);
        u128::from(quiet_us) > wait.as_micros()
    }

    async fn session(&mut self, hear: Hear<'_>) -> Result<()> {
        let subscription = self.subscription;
        let broker = &subscription.broker;
        let link = Link::open(resolve(broker)?, None).await;
        let mut link = link.with_context(|| format!("cannot connect to {broker}"))?;
        let password = subscription
            .password_file
            .as_deref()
            .map(read_password)
            .transpose()?;
        let mut out = Vec::new();
        let connect = Connect {
            client_id: &format!("sensor-sim-{}-{}", subscription.name, std::process::id()),
            username: subscription.username.as_deref(),
            password: password.as_deref(),
            keep_alive_s: KEEP_ALIVE_S,
            clean_session: false,
            will: None,
        };
        packet::write_connect(&mut out, &connect);
        packet::write_subscribe(&mut out, 1, &subscription.filter, 2);
        for (filter, id) in subscription.aside.iter().zip(2..) {
            packet::write_subscribe(&mut out, id, filter, 1);
        }
        link.send(&out)?;
        let mut buffer = vec![0; 64 << 10];
        let mut pinged_us = self.clock.now_us();
        while !self.is_quiet() {
            self.progress
                .show(0, format_args!("{} messages heard at {broker}", self.heard));
            let mut answers = Vec::new();
            let received =
                poll_fn(|context| self.poll(&mut link, context, &mut buffer, &mut answers, hear));
            // Nothing to read is no error here: it is what the loop waits for.
            if let Ok(received) = timeout(LOOK, received).await {
                received?;
                link.send(&answers)?;
            }
            if self.clock.now_us() - pinged_us > u64::from(KEEP_ALIVE_S) * 500_000 {
                pinged_us = self.clock.now_us();
                link.send(&packet::PINGREQ)?;
            }
        }
        link.send(&packet::DISCONNECT)?;
        Ok(())
    }

    fn poll(
        &mut self,
        link: &mut Link,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        answers: &mut Vec<u8>,
        hear: Hear<'_>,
    ) -> Poll<io::Result<()>> {
        link.poll(context, buffer, |packet| {
            match packet {
                Packet::ConnAck { code, .. } if code != 0 => return Err(refusal(code)),
                Packet::SubAck(_, code) if code > 2 => return Err(refusal(code)),
                Packet::SubAck(id, _) if id > 1 => {}
                Packet::SubAck(..) => {
                    let Subscription { filter, broker, .. } = self.subscription;
                    self.was_let_in = true;
                    if self.subscription.is_shown {
                        eprintln!("listening to {filter} at {broker}");
                    }
                }
                Packet::Publish {
                    topic,
                    payload,
                    qos,
                    id,
                    ..
                } => {
                    // What a gateway says of itself comes without end.
                    if self.subscription.aside.is_empty() || !topic.starts_with(OWN_TOPICS) {
                        self.is_heard = true;
                        self.heard += 1;
                        self.last_us = self.clock.now_us();
                    }
                    hear(topic, payload);
                    match qos {
                        1 => packet::write_answer(answers, Answer::Ack, id),
                        2 => packet::write_answer(answers, Answer::Received, id),
                        _ => {}
                    }
                }
                Packet::PubRel(id) => packet::write_answer(answers, Answer::Complete, id),
                _ => {}
            }
            Ok(())
        })
    }
}

fn refusal(code: u8) -> io::Error {
    let text = format!("the broker refuses to connect or to subscribe (code {code})");
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
