//! One device's connection: sends what is due, waits for answers, connects again, sends again what was not acknowledged.

use core::future::poll_fn;
use core::net::IpAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Error, ErrorKind};
use std::rc::Rc;

use sensor_sim::chance::Chance;
use sensor_sim::truth::{self, Label};
use tokio::time::{Sleep, timeout};

use crate::client::link::Link;
use crate::client::packet::{self, Answer, Connect, Packet};
use crate::client::refusal;
use crate::client::window::Window;
use crate::edge::EdgeNode;
use crate::feed::{Feed, Outgoing};
use crate::outlet::Outlet;
use crate::run::{Run, Username};

/// Bytes that are gathered for one write. Above it a second write costs nothing more.
pub(crate) const BURST_BYTES_MAX: usize = 64 << 10;
/// Bytes that one read takes.
pub(crate) const READ_BYTES_MAX: usize = 64 << 10;
/// A device that sends as fast as it can makes times in advance, one each ms; the gateway takes a minute.
const AHEAD_MS_MAX: i64 = 1000;
/// How long a broker may take to accept, or to answer a ping.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// First and longest wait before a device connects again.
const RETRY_MS: (u64, u64) = (100, 5000);

/// One device with its connection.
pub(crate) struct Publisher {
    run: Rc<Run>,
    name: String,
    index: u32,
    feed: Feed,
    outlet: Outlet,
    is_over: bool,
    last_sent_us: u64,
    pinged_us: Option<u64>,
}

impl Publisher {
    /// The device `name`, whose index in the ledger is `index`, with one topic for each stream, which begin in the ledger
    /// at `first_stream`.
    pub(crate) fn new(
        run: &Rc<Run>,
        name: &str,
        index: u32,
        first_stream: u32,
        topics: Vec<String>,
        edge: Option<EdgeNode>,
        feed: Feed,
    ) -> Self {
        let outlet = Outlet {
            run: Rc::clone(run),
            first_stream,
            topics,
            window: Window::new(run.transport.window),
            edge,
            pending: VecDeque::new(),
            newest_time: i64::MIN,
        };
        Self {
            run: Rc::clone(run),
            name: name.to_owned(),
            index,
            feed,
            outlet,
            is_over: false,
            last_sent_us: 0,
            pinged_us: None,
        }
    }

    /// Runs the device from `connect_us` on until all is sent and acknowledged, or nobody waits for that any longer.
    pub(crate) async fn run(mut self, connect_us: u64) {
        let run = Rc::clone(&self.run);
        tokio::time::sleep_until(run.clock.instant(connect_us)).await;
        let mut chance = Chance::new(u64::from(self.index), &self.name, "retry");
        let mut retry_ms = RETRY_MS.0;
        while !run.has_failed() {
            let connects = run.figures.borrow().connects;
            let Err(error) = self.session().await else {
                return;
            };
            if run.note_broken(error) > connects {
                retry_ms = RETRY_MS.0;
            }
            let wait_us = (retry_ms as f64 * 1000.0 * chance.between(0.5, 1.0)) as u64;
            retry_ms = (retry_ms * 2).min(RETRY_MS.1);
            let until_us = run.clock.now_us() + wait_us;
            if until_us > self.give_up_us() {
                return;
            }
            tokio::time::sleep_until(run.clock.instant(until_us)).await;
        }
    }

    /// After this time nobody waits for answers.
    fn give_up_us(&self) -> u64 {
        self.run
            .stop_us
            .get()
            .saturating_add(self.run.transport.drain_us)
    }

    /// One connection. An error means that it broke.
    async fn session(&mut self) -> io::Result<()> {
        let mut link = self.connect().await?;
        let run = Rc::clone(&self.run);
        let mut wake_us = 0;
        let mut stopped = core::pin::pin!(run.stopped.notified());
        let mut is_stopping = false;
        let mut sleep: Pin<Box<Sleep>> = Box::pin(tokio::time::sleep_until(run.clock.instant(0)));
        while !run.has_failed() {
            self.fill(&mut link)?;
            let now_us = run.clock.now_us();
            if self.is_done(&link) || now_us >= self.give_up_us() {
                self.leave(&mut link)?;
                return Ok(());
            }
            self.keep_alive(&mut link, now_us)?;
            let next_us = self.wake_us(&link, now_us);
            if next_us != wake_us {
                wake_us = next_us;
                sleep.as_mut().reset(run.clock.instant(wake_us));
            }
            let mut answers = Vec::new();
            tokio::select! {
                biased;
                received = poll_fn(|context| self.poll(&mut link, context, &mut answers)) => received?,
                () = sleep.as_mut() => wake_us = 0,
                () = stopped.as_mut(), if !is_stopping => is_stopping = true,
            }
            if !answers.is_empty() {
                link.send(&answers)?;
            }
        }
        Ok(())
    }

    fn leave(&self, link: &mut Link) -> io::Result<()> {
        let mut out = Vec::new();
        if let Some(edge) = &self.outlet.edge {
            edge.write_death(&mut out);
        }
        out.extend_from_slice(&packet::DISCONNECT);
        link.send(&out)
    }

    async fn connect(&mut self) -> io::Result<Link> {
        let run = Rc::clone(&self.run);
        let opening = Link::open(
            run.transport.broker,
            source(run.transport.sources, self.index),
        );
        let mut link = timeout(ANSWER_TIME, opening).await??;
        let client_id = format!("sim-{}", self.name);
        let username = run
            .transport
            .username
            .as_ref()
            .map(|username| match username {
                Username::Same(name) => name.clone(),
                Username::Prefix(prefix) => format!("{prefix}{}", self.name),
            });
        let mut out = Vec::new();
        let is_edge = self.outlet.edge.is_some();
        let connect = Connect {
            client_id: &client_id,
            username: username.as_deref(),
            password: run.transport.password.as_deref(),
            keep_alive_s: run.transport.keep_alive_s,
            // A session of Sparkplug B is a clean one, by its standard.
            clean_session: run.transport.qos == 0 || is_edge,
            will: self.outlet.edge.as_mut().map(EdgeNode::will),
        };
        packet::write_connect(&mut out, &connect);
        link.send(&out)?;
        let mut code = None;
        while code.is_none() {
            let answer = poll_fn(|context| {
                link.poll(context, &mut run.buffers.borrow_mut().read, |packet| {
                    if let Packet::ConnAck { code: given, .. } = packet {
                        code = Some(given);
                    }
                    Ok(())
                })
            });
            timeout(ANSWER_TIME, answer).await??;
        }
        refusal::check(code.unwrap_or_default(), &client_id)?;
        out.clear();
        if let Some(edge) = &self.outlet.edge {
            edge.write_subscribe(&mut out);
        }
        let time = run.clock.wall_ms(run.clock.now_us());
        let resent = self.outlet.begin_session(time, &mut out);
        let mut figures = run.figures.borrow_mut();
        figures.connects += 1;
        figures.resent += resent;
        link.send(&out)?;
        self.last_sent_us = run.clock.now_us();
        self.pinged_us = None;
        Ok(link)
    }

    /// Sends what is due and fits, in one write.
    fn fill(&mut self, link: &mut Link) -> io::Result<()> {
        if link.is_clogged() || !self.outlet.is_open() {
            return Ok(());
        }
        let run = Rc::clone(&self.run);
        let mut buffers = run.buffers.borrow_mut();
        let out = &mut buffers.write;
        out.clear();
        let now_us = run.clock.now_us();
        while out.len() < BURST_BYTES_MAX && self.outlet.has_room() {
            if let Some(pending) = self.outlet.pending.pop_front() {
                self.outlet
                    .put(&pending.outgoing(), pending.intended_us, now_us, out);
            } else if !self.tick(now_us, out) {
                break;
            }
        }
        if !out.is_empty() {
            run.commit();
            self.last_sent_us = now_us;
            link.send(out)?;
        }
        Ok(())
    }

    /// Lets the feed give what is due next; whether there was anything.
    fn tick(&mut self, now_us: u64, out: &mut Vec<u8>) -> bool {
        let run = Rc::clone(&self.run);
        if self.is_over {
            return false;
        }
        let is_flat_out = run.transport.is_flat_out;
        let due_us = self.feed.due_us().map(|due_us| {
            if is_flat_out {
                now_us
            } else {
                run.start_us + due_us
            }
        });
        let outlet = &mut self.outlet;
        let Some(due_us) = due_us.filter(|due_us| *due_us < run.stop_us.get()) else {
            self.is_over = true;
            self.feed
                .flush(&mut |message| outlet.offer(message, now_us, now_us, out));
            return !outlet.pending.is_empty();
        };
        if due_us.max(run.start_us) > now_us
            || (is_flat_out && outlet.newest_time > run.clock.wall_ms(now_us) + AHEAD_MS_MAX)
        {
            return false;
        }
        let mut tell = |label: &Label| {
            run.figures.borrow_mut().faults += 1;
            if let Err(error) = truth::write_label(&mut *run.labels.borrow_mut(), label) {
                run.fail(error);
            }
        };
        let mut send = |message: &Outgoing<'_>| outlet.offer(message, due_us, now_us, out);
        self.feed
            .tick(run.clock.wall_ms(due_us), &mut tell, &mut send);
        true
    }

    /// Takes what the broker says; what is to be answered goes to `answers`.
    fn poll(
        &mut self,
        link: &mut Link,
        context: &mut Context<'_>,
        answers: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        let run = Rc::clone(&self.run);
        let mut now_us = None;
        let mut buffers = run.buffers.borrow_mut();
        link.poll(context, &mut buffers.read, |packet| {
            let window = &mut self.outlet.window;
            let ticket = match packet {
                Packet::PubAck(id) => window.acknowledged(id),
                Packet::PubRec(id) => {
                    packet::write_answer(answers, Answer::Release, id);
                    window.received(id)
                }
                Packet::PubComp(id) => {
                    window.completed(id);
                    None
                }
                Packet::PingResp => {
                    self.pinged_us = None;
                    None
                }
                // The only subscription is that of an edge node to its commands, of which it knows one.
                Packet::Publish { qos, id, .. } => {
                    if qos == 1 {
                        packet::write_answer(answers, Answer::Ack, id);
                    }
                    if let Some(edge) = &mut self.outlet.edge {
                        edge.write_births(run.clock.wall_ms(run.clock.now_us()), answers);
                    }
                    None
                }
                _ => None,
            };
            if let Some(ticket) = ticket {
                run.ledger
                    .borrow_mut()
                    .acknowledged(self.index, ticket.sequence);
                let mut figures = run.figures.borrow_mut();
                figures.acknowledged += 1;
                let now_us = *now_us.get_or_insert_with(|| run.clock.now_us());
                figures.done(ticket.intended_us, ticket.sent_us, now_us);
            }
            Ok(())
        })
    }

    fn keep_alive(&mut self, link: &mut Link, now_us: u64) -> io::Result<()> {
        if let Some(pinged_us) = self.pinged_us {
            if now_us > pinged_us + ANSWER_TIME.as_micros() as u64 {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    "the broker doesn't answer a ping",
                ));
            }
        } else if now_us >= self.ping_us() {
            link.send(&packet::PINGREQ)?;
            self.pinged_us = Some(now_us);
            self.last_sent_us = now_us;
        }
        Ok(())
    }

    fn ping_us(&self) -> u64 {
        match self.run.transport.keep_alive_s {
            0 => u64::MAX,
            seconds => self.last_sent_us + u64::from(seconds) * 500_000,
        }
    }

    fn is_done(&self, link: &Link) -> bool {
        self.is_over
            && self.outlet.pending.is_empty()
            && self.outlet.window.is_empty()
            && !link.is_clogged()
    }

    /// When there is something to do if nothing comes from the broker, µs.
    fn wake_us(&self, link: &Link, now_us: u64) -> u64 {
        let ping_us = self.pinged_us.map_or(self.ping_us(), |at_us| {
            at_us + ANSWER_TIME.as_micros() as u64 + 1
        });
        let stop_us = self.run.stop_us.get();
        let idle_us = ping_us.min(if now_us < stop_us {
            stop_us
        } else {
            self.give_up_us()
        });
        if self.is_over || link.is_clogged() || !self.outlet.is_open() {
            return idle_us;
        }
        match self.feed.due_us() {
            Some(_) if self.run.transport.is_flat_out => (now_us + 1000).max(self.run.start_us),
            Some(due_us) => idle_us.min(self.run.start_us + due_us),
            None => now_us,
        }
    }
}

/// Each loopback address has its own 28 000 ports.
fn source(count: u32, index: u32) -> Option<IpAddr> {
    let at = index.checked_rem(count)?;
    Some(IpAddr::from([
        127,
        0,
        (at / 250) as u8,
        (at % 250) as u8 + 1,
    ]))
}
