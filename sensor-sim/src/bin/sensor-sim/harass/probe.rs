//! A good citizen beside the bad ones: it publishes at QoS 1, and measures how long its answers take.

use core::cell::Cell;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Error, ErrorKind, Result};

use tokio::time::{sleep, timeout};

use crate::client::link::Link;
use crate::client::packet::{self, Connect, Packet};
use crate::client::refusal;
use crate::clock::Clock;

/// Time between two messages.
const PERIOD: Duration = Duration::from_millis(50);
/// How long it waits before it connects again.
const RETRY: Duration = Duration::from_millis(100);

/// Who it is, and how patient.
pub(crate) struct Citizen {
    pub(crate) clock: Clock,
    pub(crate) target: SocketAddr,
    pub(crate) topic: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    /// Longest time that an answer may take while the broker is well.
    pub(crate) patience: Duration,
}

/// What it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Round trips: how long each took, µs.
    pub(crate) round_trips_us: Vec<u64>,
    /// Why connections of it broke, were refused, or lasted too long without an answer.
    pub(crate) troubles: Vec<String>,
}

/// Troubles that are told; the rest is the same once more.
const TROUBLES_MAX: usize = 100;
/// Round trips of the longest run, one each 50 ms, with room.
const ROUND_TRIPS_MAX: usize = 20_000;

impl Citizen {
    /// Lives until `is_over`, and tells what it saw.
    pub(crate) async fn live(&self, is_over: &Cell<bool>) -> Seen {
        let mut seen = Seen::default();
        while !is_over.get() {
            if let Err(error) = self.session(is_over, &mut seen).await {
                if seen.troubles.len() < TROUBLES_MAX {
                    seen.troubles.push(error.to_string());
                }
                sleep(RETRY).await;
            }
        }
        seen
    }

    async fn session(&self, is_over: &Cell<bool>, seen: &mut Seen) -> Result<()> {
        let opened = timeout(self.patience, Link::open(self.target, None)).await;
        let mut link = opened.map_err(|_| late("the TCP connection"))??;
        let client_id = format!("good-citizen-{}", std::process::id());
        let mut out = Vec::new();
        let connect = Connect {
            client_id: &client_id,
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            keep_alive_s: 60,
            clean_session: true,
            will: None,
        };
        packet::write_connect(&mut out, &connect);
        link.send(&out)?;
        self.wait(&mut link, &client_id).await?;
        while !is_over.get() {
            out.clear();
            packet::write_publish(&mut out, &self.topic, b"21.5", 1, 1);
            let sent_us = self.clock.now_us();
            link.send(&out)?;
            self.wait(&mut link, &client_id).await?;
            if seen.round_trips_us.len() < ROUND_TRIPS_MAX {
                seen.round_trips_us.push(self.clock.now_us() - sent_us);
            }
            sleep(PERIOD).await;
        }
        link.send(&packet::DISCONNECT)
    }

    /// Waits for CONNACK or PUBACK.
    async fn wait(&self, link: &mut Link, client_id: &str) -> Result<()> {
        let mut buffer = [0; 512];
        let mut answer = None;
        while answer.is_none() {
            let read = poll_fn(|context| {
                link.poll(context, &mut buffer, |packet| {
                    match packet {
                        Packet::ConnAck { code, .. } => {
                            answer = Some(refusal::check(code, client_id));
                        }
                        Packet::PubAck(_) => answer = Some(Ok(())),
                        _ => {}
                    }
                    Ok(())
                })
            });
            timeout(self.patience, read)
                .await
                .map_err(|_| late("an answer"))??;
        }
        answer.unwrap_or(Ok(()))
    }
}

fn late(what: &str) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("{what} took longer than --patience"),
    )
}
