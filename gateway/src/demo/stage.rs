//! The loop of the demo: takes the news, moves the upstream by the script, and shows the picture.

use core::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::memory_bytes;
use super::news::News;
use super::picture::Picture;
use super::site::Script;
use super::summary::{Outages, Run};
use super::terminal::Terminal;
use super::upstream::Upstream;
use super::view::{Phase, Scene};
use crate::clock::Clock;

/// Between two looks at the script, ms.
const TURN_MS: u64 = 50;
/// Turns from one view to the next: it is shown twice a second.
const TURNS_PER_VIEW: u64 = 10;
/// Without a record for so long, no transfer is under way: one takes a few ms, and the next begins a batch later.
const QUIET_MS: u64 = 300;
/// Longest wait until all that was acknowledged is in Kafka, ms.
const DRAIN_MS_MAX: u64 = 15_000;
/// Kafka stays under watch for so long after the last reading has come: what comes twice comes now, ms.
const LINGER_MS: u64 = 1_000;

/// Everything that the loop holds.
pub(super) struct Stage<'u> {
    script: Script,
    clock: Clock,
    picture: Picture,
    news: mpsc::Receiver<News>,
    upstream: &'u Upstream,
    stop_sensors: watch::Sender<bool>,
    /// When the sensors began, ms of the process.
    began_ms: u64,
    /// When they were stopped.
    stopped_ms: Option<u64>,
    /// Since when the upstream is away.
    away_since_ms: Option<u64>,
    /// When the upstream got its last record.
    record_ms: u64,
    /// Since when everything has arrived.
    settled_since_ms: Option<u64>,
    outages: Outages,
}

impl<'u> Stage<'u> {
    /// The sensors begin now.
    pub(super) fn new(
        script: Script,
        clock: Clock,
        picture: Picture,
        news: mpsc::Receiver<News>,
        upstream: &'u Upstream,
        stop_sensors: watch::Sender<bool>,
    ) -> Self {
        let began_ms = clock.now().monotonic_ms;
        Self {
            script,
            clock,
            picture,
            news,
            upstream,
            stop_sensors,
            began_ms,
            stopped_ms: None,
            away_since_ms: None,
            record_ms: began_ms,
            settled_since_ms: None,
            outages: Outages::default(),
        }
    }

    /// Plays to the end. Ctrl-C stops the sensors; once more, and nobody waits for the rest.
    ///
    /// # Errors
    /// Standard output is closed, the system refuses the signal, or librdkafka refuses.
    pub(super) async fn play(mut self, terminal: &mut Terminal) -> anyhow::Result<(Picture, Run)> {
        let mut turns = interval(Duration::from_millis(TURN_MS));
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // One listener for the whole run: an interrupt between two waits is not lost.
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut turn = 0_u64;
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => self.take(news),
                    None => break,
                },
                _ = turns.tick() => {
                    self.proceed()?;
                    if turn.is_multiple_of(TURNS_PER_VIEW) {
                        terminal.show(&self.picture, &self.scene())?;
                    }
                    turn += 1;
                    if self.is_over() {
                        break;
                    }
                }
                _ = interrupts.recv() => {
                    if self.stopped_ms.is_some() {
                        break;
                    }
                    self.stop_sensors();
                }
            }
        }
        self.end_outage()?;
        terminal.show(&self.picture, &self.scene())?;
        let elapsed_ms = self.stopped_ms.unwrap_or_else(|| self.now_ms()) - self.began_ms;
        let run = Run {
            elapsed_ms,
            outages: self.outages,
            memory_bytes: memory_bytes(),
        };
        Ok((self.picture, run))
    }

    fn now_ms(&self) -> u64 {
        self.clock.now().monotonic_ms
    }

    fn take(&mut self, news: News) {
        let now = self.clock.now();
        if let News::Delivered(_) | News::AlertDelivered | News::OtherDelivered = news {
            self.record_ms = now.monotonic_ms;
        }
        self.picture.apply(news, now.wall_ms);
    }

    /// Does what the script says.
    fn proceed(&mut self) -> anyhow::Result<()> {
        let now_ms = self.now_ms();
        let elapsed_ms = now_ms - self.began_ms;
        if self.stopped_ms.is_none() && self.script.is_over(elapsed_ms) {
            self.stop_sensors();
        }
        let shall_be_away = self.stopped_ms.is_none() && self.script.is_outage(elapsed_ms);
        match (shall_be_away, self.away_since_ms) {
            (true, None) if self.is_upstream_quiet(now_ms) => {
                self.upstream.go_away()?;
                self.away_since_ms = Some(now_ms);
                self.outages.count += 1;
            }
            (true, Some(_)) => {
                self.outages.waiting_max =
                    self.outages.waiting_max.max(self.picture.tally().missing);
            }
            (false, Some(_)) => self.end_outage()?,
            (true, None) | (false, None) => {}
        }
        let is_settled = self.stopped_ms.is_some() && self.picture.is_settled();
        self.settled_since_ms = is_settled.then(|| self.settled_since_ms.unwrap_or(now_ms));
        Ok(())
    }

    fn stop_sensors(&mut self) {
        self.stopped_ms = Some(self.now_ms());
        // A device that has ended already needs no telling.
        let _ = self.stop_sensors.send(true);
    }

    fn end_outage(&mut self) -> anyhow::Result<()> {
        if let Some(since_ms) = self.away_since_ms.take() {
            self.upstream.come_back()?;
            self.outages.away_ms += self.now_ms() - since_ms;
        }
        Ok(())
    }

    /// Whether something has arrived, and a transfer is not under way.
    fn is_upstream_quiet(&self, now_ms: u64) -> bool {
        self.picture.tally().delivered > 0 && now_ms - self.record_ms >= QUIET_MS
    }

    /// Whether there is nothing more to wait for, or no more time for it.
    fn is_over(&self) -> bool {
        let now_ms = self.now_ms();
        let has_drained = self
            .settled_since_ms
            .is_some_and(|since_ms| now_ms - since_ms >= LINGER_MS);
        let has_waited = self
            .stopped_ms
            .is_some_and(|stopped_ms| now_ms - stopped_ms >= DRAIN_MS_MAX);
        has_drained || has_waited || self.picture.gateway_ended.is_some()
    }

    fn scene(&self) -> Scene {
        let now = self.clock.now();
        Scene {
            phase: if self.stopped_ms.is_some() {
                Phase::Draining
            } else {
                Phase::Running
            },
            elapsed_ms: now.monotonic_ms - self.began_ms,
            seconds: self.script.seconds,
            wall_ms: now.wall_ms,
            away_ms: self
                .away_since_ms
                .map(|since_ms| now.monotonic_ms - since_ms),
        }
    }
}
