//! The engine: every event of the gateway becomes actions here, one event at a time, without I/O.
//!
//! # Time first
//! An input at `now` meets the state as of `now`: deadlines that have passed are served before it.
//!
//! # Write, then act
//! What the machine shall know is written into the gathering chunk first, then applied. So the journal
//! holds the machine's inputs in its own order, and a replay arrives at the same state.

mod event;
mod acks;
mod apply;
mod backlog;
mod commits;
mod durability;
mod held;
mod forwarding;
mod gaps;
mod intake;
mod operate;
mod oversize;
mod outlet;
mod replan;
mod settings;
mod sparkplug;
mod status;
mod timeline;

use std::sync::Arc;

use pipeline::{Instant, Now, Plan};
use rand_pcg::Pcg64;

use crate::broker::{Broker, ConnectionId, FrameError, Inbound, TopicBuffer};
use crate::clock::Moment;
use crate::forward::Forwarder;
use crate::journal::Entry;
use crate::limits::BROKER_DEADLINES_PER_TURN_MAX;
use crate::machine::Machine;
use crate::mapping::Mapping;
use crate::messages::Message;
use crate::nodes::Nodes;
use crate::outbox::{OutboxRow, Sequences};
use crate::refusals::Refusals;

use acks::{Acks, Creditor};
use apply::Untold;
use backlog::Drain;
pub use backlog::Waiting;
use commits::Commits;
pub use event::{Action, Event, Perform, RequestId};
use held::Held;
pub use intake::POST_CLIENT_ID;
pub use operate::Answer;
use outlet::Port;
use oversize::Oversize;
pub use replan::{Hot, Impossible};
pub use settings::{Restored, Settings};
pub use status::{Counters, Status};
use timeline::Timeline;

/// The engine's state.
pub struct Engine {
    settings: Settings,
    timeline: Timeline,
    /// What the next entry has to be told first.
    untold: Option<Untold>,
    broker: Broker,
    /// Shared with nobody: so it can be looked into while a message is taken.
    mapping: Arc<Mapping>,
    nodes: Nodes,
    machine: Machine,
    commits: Commits,
    acks: Acks,
    held: Held,
    checkpoints: Checkpoints,
    forwarder: Forwarder,
    /// What the commit at the disk makes durable beside the journal.
    committing: Committing,
    loaded: Vec<OutboxRow>,
    drain: Drain,
    /// Which rows Kafka found too large, and in how many parts they go.
    oversize: Oversize,
    /// Always here between two packets.
    topic: Option<Box<TopicBuffer>>,
    message: Message,
    counters: Counters,
    refusals: Arc<Refusals>,
    /// What is wrong with a file that could not be reloaded.
    fault: Option<String>,
    status_due: Instant,
    random: Pcg64,
}

/// When the next checkpoint is due.
#[derive(Clone, Copy, Debug)]
struct Checkpoints {
    due: Instant,
    journal_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Committing {
    sealed: Sequences,
    epoch: bool,
}

impl Engine {
    /// An engine that goes on where the journal ends.
    #[must_use]
    pub fn new(
        settings: Settings,
        broker: Broker,
        mapping: Mapping,
        restored: Restored,
        moment: Moment,
    ) -> Self {
        let machine = &restored.machine;
        let timeline = Timeline::new(moment, machine.instant(), machine.offset_ms());
        let now = timeline.now().instant;
        Self {
            timeline,
            untold: Some(Untold::Boot),
            broker,
            mapping: Arc::new(mapping),
            nodes: Nodes::default(),
            commits: Commits::new(
                restored.next,
                settings.commit_interval_ms,
                settings.mutation_step,
            ),
            acks: Acks::new(),
            held: Held::default(),
            checkpoints: Checkpoints {
                // A journal without a checkpoint would be replayed under whatever plan the config has by then.
                due: if restored.is_fresh {
                    now
                } else {
                    Instant(now.0 + settings.checkpoint_interval_ms)
                },
                journal_bytes: restored.journal_bytes,
            },
            forwarder: Forwarder::new(now, restored.epoch, restored.durable, settings.drain_share),
            committing: Committing::default(),
            loaded: Vec::new(),
            drain: Drain::default(),
            oversize: Oversize::default(),
            topic: None,
            message: Message::default(),
            counters: Counters::default(),
            refusals: Arc::default(),
            fault: None,
            status_due: now,
            random: Pcg64::new(u128::from(settings.seed), 0),
            machine: restored.machine,
            settings,
        }
    }

    /// Handles one event that happened at `moment`. What follows is performed before this returns.
    pub fn handle<P: Perform>(&mut self, moment: Moment, event: Event<'_>, out: &mut P) {
        self.timeline.advance(moment);
        if self.timeline.follow_wall(moment) {
            self.untold.get_or_insert(Untold::Clock);
        }
        let now = self.timeline.now();
        self.tell_clock_is_set(now, out);
        self.serve_deadlines(now, out);
        match event {
            Event::Received { connection, packet } => {
                self.handle_packet(now, connection, packet, out)
            }
            Event::Opened { .. }
            | Event::Malformed { .. }
            | Event::Drained { .. }
            | Event::Closed { .. }
            | Event::Authenticated { .. }
            | Event::RightsRenewed { .. } => self.handle_connection(now, event, out),
            Event::Posted {
                request,
                rights,
                topic,
                payload,
                delivery,
            } => {
                let is_allowed = rights.may_publish(POST_CLIENT_ID, topic);
                let owed = Some(Creditor::Post(request));
                let message = intake::Message {
                    topic,
                    payload,
                    delivery,
                    owed,
                };
                self.take_post(now, request, message, is_allowed, out);
            }
            Event::Committed(commit) => self.handle_committed(now, commit, out),
            Event::CommitRefused(commit) => {
                self.counters.commits_refused += 1;
                self.commits.handle_refused(now.instant, commit);
            }
            Event::Loaded(rows) => self.handle_loaded(now, rows),
            Event::Connected(watermark) => self.handle_connected(now, watermark),
            Event::Sent => self.handle_sent(now),
            Event::UplinkFailed(failure) => self.handle_uplink_failed(now, failure),
            Event::RowTooLarge { sequence } => self.handle_too_large(sequence),
            Event::Timeout => {}
        }
        self.bury_nodes(now, out);
        self.send_settled(out);
        self.proceed(now, out);
    }

    /// When [`Event::Timeout`] is due, in the process's monotonic time, ms.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let machine = self.machine.deadline().filter(|_| self.commits.has_room());
        [
            machine,
            self.broker.deadline(),
            self.commits.deadline(),
            self.forward_deadline(),
            Some(self.status_due),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|instant| self.timeline.monotonic_ms(instant))
    }

    /// Length of the packet that a connection's bytes begin with, see [`Broker::packet_len`].
    pub fn packet_len(&self, it: ConnectionId, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        self.broker.packet_len(it, bytes)
    }

    /// Whether the packet can be handled now. It waits while the commit that gathers has no room for all that
    /// may follow from it.
    #[must_use]
    pub fn accepts(&self, connection: ConnectionId, packet: &[u8]) -> bool {
        self.broker.accepts(connection, packet)
            && self.has_mutation_room()
            && (!is_publish(packet) || (self.commits.has_room() && !self.acks.is_full()))
    }

    /// Whether the gathering commit has room for all that one event may change of the broker's state.
    #[must_use]
    pub fn has_mutation_room(&self) -> bool {
        self.commits.has_mutation_room()
    }

    /// Whether the broker's state in memory is no longer the one on disk: the process must start anew.
    #[must_use]
    pub fn is_overflowed(&self) -> bool {
        self.commits.is_overflowed()
    }

    /// Begins: what was restored is put in order, and goes on under `plan`.
    ///
    /// A plan that is new to the machine is an entry of the journal, and a checkpoint stands behind it in the
    /// same commit: so a replay begins under the plan that held, whatever the config says by then.
    pub fn start<P: Perform>(&mut self, plan: &Plan, out: &mut P) {
        let now = self.timeline.now();
        self.with_port(now, out, |broker, port| {
            broker.finish_restore(now.instant, port)
        });
        self.tell_alerts_again(now, out);
        if self.machine.plan() != plan {
            match postcard::to_allocvec(plan) {
                Ok(bytes) => {
                    self.apply(now, &Entry::Plan { bytes: &bytes }, out);
                    self.checkpoints.due = now.instant;
                }
                Err(_) => debug_assert!(false, "a plan has nothing that postcard cannot encode"),
            }
        }
        self.proceed(now, out);
    }

    fn handle_connection<P: Perform>(&mut self, now: Now, event: Event<'_>, out: &mut P) {
        let at = now.instant;
        self.with_port(now, out, |broker, port| match event {
            Event::Opened { connection, peer } => broker.handle_opened(at, connection, peer, port),
            Event::Malformed { connection, error } => {
                broker.handle_frame_error(at, connection, error, port)
            }
            Event::Drained { connection, bytes } => {
                broker.handle_drained(at, connection, bytes, port)
            }
            Event::Closed { connection } => {
                let _unsent = port.held.close(connection);
                broker.handle_closed(at, connection, port);
            }
            Event::Authenticated { connection, rights } => {
                broker.handle_authenticated(at, connection, rights, port);
            }
            Event::RightsRenewed { connection, rights } => {
                broker.replace_rights(at, connection, rights, port);
            }
            _ => debug_assert!(false, "the other events are handled elsewhere"),
        });
    }

    fn handle_packet<P: Perform>(
        &mut self,
        now: Now,
        connection: ConnectionId,
        packet: &[u8],
        out: &mut P,
    ) {
        let mut topic = self.topic.take().unwrap_or_default();
        let mut port = Port {
            out,
            commits: &mut self.commits,
            nodes: &mut self.nodes,
            held: &mut self.held,
            now,
        };
        match self
            .broker
            .handle_packet(now.instant, connection, packet, &mut topic, &mut port)
        {
            Inbound::None => {}
            Inbound::Busy => debug_assert!(false, "`accepts` was asked first"),
            Inbound::Publish(publish) => self.take(now, &publish, out),
        }
        self.topic = Some(topic);
    }

    fn serve_deadlines<P: Perform>(&mut self, now: Now, out: &mut P) {
        for _ in 0..BROKER_DEADLINES_PER_TURN_MAX {
            if self.broker.deadline().is_none_or(|due| due > now.instant) {
                break;
            }
            self.with_port(now, out, |broker, port| {
                broker.handle_timeout(now.instant, port)
            });
        }
        if self
            .machine
            .deadline()
            .is_some_and(|due| due <= now.instant)
            && self.commits.has_room()
        {
            self.apply(now, &Entry::Tick, out);
        }
        if self.status_due <= now.instant {
            self.status_due = Instant(now.instant.0 + self.settings.status_interval_ms);
            self.publish_status(now, out);
        }
    }
}

/// Whether the fixed header says PUBLISH `[MQTT-2.1.2]`.
fn is_publish(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| byte >> 4 == 3)
}
