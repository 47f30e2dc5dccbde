//! The loop's side of the fleet's agent: what it asks for is done between two events.

use super::self_test::SelfTest;
use super::{Event, Loop};
use crate::clock::Moment;
use crate::config::{Config, Kafka};
use crate::fleet::agent::Health;
use crate::fleet::trial::Trial;
use crate::forward::Failure;
use crate::remote::{self, Remote, Task};
use crate::start;
use crate::transport::OwnDoor;

/// Tasks done in one turn: a change leads to two or three.
const TASKS_PER_TURN_MAX: usize = 8;

impl Loop {
    /// What the clocks say.
    #[must_use]
    pub fn moment(&mut self) -> Moment {
        self.clock.now().attested(&mut self.witness)
    }

    /// From here on the agent has its say; `config` is what holds. The gateway comes in by `door` to test itself.
    pub fn join(&mut self, remote: Option<Remote>, config: &Config, door: OwnDoor) {
        let now_ms = self.clock.now().monotonic_ms;
        self.self_test = remote
            .is_some()
            .then(|| SelfTest::new(door, &config.gateway.id, now_ms));
        self.remote = remote;
        self.kafka = Some(config.kafka.clone());
    }

    pub(super) fn tell_agent(&mut self, told: remote::Incoming) {
        let moment = self.clock.now();
        if let Some(remote) = &mut self.remote {
            remote.handle(moment, told);
        }
    }

    /// Does what the agent asked for.
    pub(super) fn serve_agent(&mut self) {
        if self.remote.is_none() {
            return;
        }
        let moment = self.clock.now();
        let status = self.engine.status();
        while let Some((verb, by, payload)) = self.shell.next_override() {
            if let Some(remote) = &mut self.remote {
                remote.handle_override(moment, &verb, &by, &payload);
            }
        }
        let self_test = self.self_test.as_mut();
        let self_test = self_test.is_none_or(|it| it.look(moment.monotonic_ms));
        if let Some(remote) = &mut self.remote {
            let health = Health {
                uplink: matches!(status.uplink, "connected" | "off"),
                store: !status.disk_full,
                self_test,
                ..Health::default()
            };
            remote.look(moment, status.counters.readings, health);
        }
        for _ in 0..TASKS_PER_TURN_MAX {
            if let Some(config) = self.swap.take() {
                self.swap(config);
            }
            // A swap that waits for room holds all that follows from it.
            let next = match (&self.swap, &mut self.remote) {
                (None, Some(remote)) => remote.task(self.clock.now()),
                (Some(_), _) | (_, None) => None,
            };
            match next {
                None => return,
                Some(Task::Swap(config)) => self.swap = Some(config),
                Some(Task::Try(config)) => self.rehearse(&config),
                Some(Task::Report(bytes)) => {
                    let topic = format!("tidegate/{}/fleet", self.engine.gateway());
                    let moment = self.clock.now();
                    self.engine
                        .publish_own(moment, &topic, &bytes, &mut self.shell);
                }
            }
        }
    }

    fn swap(&mut self, config: Box<Config>) {
        if !self.engine.accepts_change() {
            self.swap = Some(config);
            return;
        }
        let moment = self.clock.now();
        let is_done = self
            .engine
            .change(moment, config.hot(), &mut self.shell)
            .is_ok()
            && self.swap_uplink(&config);
        if let Some(remote) = &mut self.remote {
            remote.swapped(self.clock.now(), is_done);
        }
    }

    /// Another uplink where its settings change; the engine finds its place again by the watermark in Kafka.
    fn swap_uplink(&mut self, config: &Config) -> bool {
        if self.kafka.as_ref() == Some(&config.kafka) {
            return true;
        }
        let number = self.shell.uplink_number().wrapping_add(1);
        match start::start_uplink(config, self.clock, &self.inputs.reporter, number) {
            Ok(uplink) => {
                self.shell.replace_uplink(number, uplink);
                self.kafka = Some(Kafka::clone(&config.kafka));
                self.tell(Event::UplinkFailed(Failure::Retry));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the way to Kafka cannot be changed");
                false
            }
        }
    }

    fn rehearse(&mut self, config: &Config) {
        let plan = config.plan().unwrap_or_default();
        let Ok(alerts) = self.engine.rehearse(&plan) else {
            return self.answer_trial(Err(
                "the machine's memory does not do for this plan".to_owned()
            ));
        };
        let trial = Trial {
            sensors: self.engine.status().sensors.0 as u64,
            alerts,
            journal: None,
        };
        if *self.engine.plan() == *plan {
            self.answer_trial(Ok(trial));
        } else {
            let now = Box::new(self.engine.plan().clone());
            self.start_dry_run(trial, [now, plan]);
        }
    }

    pub(super) fn answer_trial(&mut self, result: Result<Trial, String>) {
        if let Some(remote) = &mut self.remote {
            remote.tried(self.clock.now(), result);
        }
    }
}

/// What comes for the agent; nothing ever does where there is none.
pub(super) async fn told(remote: &mut Option<Remote>) -> Option<remote::Incoming> {
    match remote {
        Some(remote) => remote.next().await,
        None => core::future::pending().await,
    }
}
