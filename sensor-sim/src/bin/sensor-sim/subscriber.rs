//! Listens at an MQTT broker, as a subscriber with a session that outlives its connection.

use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use anyhow::Result;
use sensor_sim::payload;
use tokio::time::timeout;

use crate::cli::Verify;
use crate::client::link::Link;
use crate::client::packet::{self, Answer, Connect, Packet};
use crate::clock::Clock;
use crate::publish::{read_password, resolve};
use crate::verify::Heard;

/// How long it waits before it connects again.
const RETRY: Duration = Duration::from_millis(200);
/// How long it waits for something to read before it looks at the time.
const LOOK: Duration = Duration::from_millis(200);
/// A subscriber that is silent for so long is dropped; it answers messages, so it is rarely silent.
const KEEP_ALIVE_S: u16 = 60;

/// Subscribes and listens until it is quiet.
pub(crate) fn listen(broker: &str, options: &Verify, clock: &Clock) -> Result<Heard> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = Listener {
        broker,
        options,
        clock,
        heard: Heard::default(),
        last_us: clock.now_us(),
        is_heard: false,
    };
    runtime.block_on(listener.run())
}

struct Listener<'a> {
    broker: &'a str,
    options: &'a Verify,
    clock: &'a Clock,
    heard: Heard,
    last_us: u64,
    is_heard: bool,
}

impl Listener<'_> {
    async fn run(mut self) -> Result<Heard> {
        let mut connects = 0_u64;
        loop {
            let session = self.session().await;
            match session {
                Ok(()) => break,
                Err(error) if self.is_quiet() => {
                    eprintln!("{}: {error:#}", self.broker);
                    break;
                }
                Err(error) if connects == 0 && !self.is_heard && is_refusal(&error) => {
                    return Err(error);
                }
                Err(_) => connects += 1,
            }
            tokio::time::sleep(RETRY).await;
        }
        self.heard.note = format!("  ({connects} reconnects)");
        Ok(self.heard)
    }

    fn is_quiet(&self) -> bool {
        let wait = if self.is_heard {
            self.options.idle
        } else {
            self.options.wait
        };
        self.clock.now_us().saturating_sub(self.last_us) > wait.as_micros() as u64
    }

    async fn session(&mut self) -> Result<()> {
        let mut link = Link::open(resolve(self.broker)?, None).await?;
        let password = self
            .options
            .password_file
            .as_deref()
            .map(read_password)
            .transpose()?;
        let mut out = Vec::new();
        let connect = Connect {
            client_id: &format!("sensor-sim-verify-{}", std::process::id()),
            username: self.options.username.as_deref(),
            password: password.as_deref(),
            keep_alive_s: KEEP_ALIVE_S,
            clean_session: false,
        };
        packet::write_connect(&mut out, &connect);
        packet::write_subscribe(&mut out, 1, &self.options.filter, 2);
        link.send(&out)?;
        let mut buffer = vec![0; 64 << 10];
        let mut pinged_us = self.clock.now_us();
        while !self.is_quiet() {
            let mut answers = Vec::new();
            let received =
                poll_fn(|context| self.poll(&mut link, context, &mut buffer, &mut answers));
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
    ) -> Poll<io::Result<()>> {
        link.poll(context, buffer, |packet| {
            match packet {
                Packet::ConnAck { code, .. } if code != 0 => return Err(refusal(code)),
                Packet::SubAck(_, code) if code > 2 => return Err(refusal(code)),
                Packet::SubAck(..) => {
                    eprintln!("listening to {} at {}", self.options.filter, self.broker)
                }
                Packet::Publish {
                    topic,
                    payload,
                    qos,
                    id,
                    ..
                } => {
                    self.hear(topic, payload);
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

    fn hear(&mut self, topic: &str, payload: &[u8]) {
        self.is_heard = true;
        self.last_us = self.clock.now_us();
        let template = &self.options.mqtt_topic;
        let Some((device, signal)) = names(template, topic) else {
            return self.heard.add(topic, "", None, None);
        };
        let found = payload::read(payload);
        if found.is_empty() {
            self.heard.add(device, signal, None, None);
        }
        for reading in found {
            let signal = reading.signal.as_deref().unwrap_or(signal);
            self.heard.add(device, signal, reading.time, reading.value);
        }
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

/// Device and signal of a topic, by a template such as `sensors/{device}/{signal}`; the signal is empty where the topic
/// ends before it.
fn names<'t>(template: &str, topic: &'t str) -> Option<(&'t str, &'t str)> {
    let (mut device, mut signal) = (None, "");
    let mut levels = topic.split('/');
    for wanted in template.split('/') {
        match (wanted, levels.next()) {
            ("{device}", level) => device = level,
            ("{signal}", level) => signal = level.unwrap_or_default(),
            (literal, Some(level)) if literal == level => {}
            _ => return None,
        }
    }
    device
        .filter(|_| levels.next().is_none())
        .map(|device| (device, signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_device_and_signal() {
        let template = "sensors/{device}/{signal}";
        assert_eq!(names(template, "sensors/pump/flow"), Some(("pump", "flow")));
        assert_eq!(names(template, "sensors/pump"), Some(("pump", "")));
        for other in ["sensors", "other/pump/flow", "sensors/pump/flow/x"] {
            assert_eq!(names(template, other), None, "{other}");
        }
    }
}
