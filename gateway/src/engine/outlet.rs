//! Where the broker's and the machine's doings go: to the connections at once, to the disk with the next commit.

use pipeline::{Now, PARTNERS_MAX, Profile};
use wire::{Alert, SensorName, Summary};

use super::commits::Commits;
use super::held::Held;
use super::{Action, Engine, Perform};
use crate::broker::{
    Broker, ConnectionId, Credentials, Mutation, Outbound, Publish, Qos, ReasonCode,
};
use crate::commit::{self, SealedRow};
use crate::machine::Effects;
use crate::messages::{AlertTopics, Message};
use crate::nodes::{self, Nodes};
use crate::payload::sparkplug::{Address, Kind, Payload};

impl Engine {
    /// The outputs begin with what the retained alerts say.
    pub(super) fn tell_alerts_again<P: Perform>(&mut self, now: Now, out: &mut P) {
        let topics = AlertTopics(&self.settings.gateway).to_string();
        self.broker.read_retained(now.instant, &topics, |payload| {
            out.perform(Action::Alert {
                payload,
                again: true,
            });
        });
    }

    /// To the subscribers; the reason code says whether there are any, and whether it could be retained.
    pub(super) fn route<P: Perform>(
        &mut self,
        now: Now,
        publish: &Publish<'_>,
        out: &mut P,
    ) -> ReasonCode {
        let mut port = Port {
            out,
            commits: &mut self.commits,
            nodes: &mut self.nodes,
            held: &mut self.held,
            now,
        };
        let routed = self.broker.route(now.instant, publish, &mut port);
        match (routed.retained_refused, routed.copies) {
            (true, _) => ReasonCode::QuotaExceeded,
            (false, 0) => ReasonCode::NoMatchingSubscribers,
            (false, _) => ReasonCode::Success,
        }
    }

    /// Publishes the message that was written.
    pub(super) fn publish_message<P: Perform>(&mut self, now: Now, out: &mut P) {
        let Message { topic, payload } = &self.message;
        let mut port = Port {
            out,
            commits: &mut self.commits,
            nodes: &mut self.nodes,
            held: &mut self.held,
            now,
        };
        self.broker.publish(
            now.instant,
            topic,
            payload,
            Qos::AtMostOnce,
            false,
            &mut port,
        );
    }

    pub(super) fn with_port<P: Perform>(
        &mut self,
        now: Now,
        out: &mut P,
        act: impl FnOnce(&mut Broker, &mut Port<'_, P>),
    ) {
        act(
            &mut self.broker,
            &mut Port {
                out,
                commits: &mut self.commits,
                nodes: &mut self.nodes,
                held: &mut self.held,
                now,
            },
        );
    }
}

/// The broker's way out: packets to the connections, durable state into the gathering commit.
pub(super) struct Port<'a, P> {
    pub(super) out: &'a mut P,
    pub(super) commits: &'a mut Commits,
    pub(super) nodes: &'a mut Nodes,
    pub(super) held: &'a mut Held,
    pub(super) now: Now,
}

impl<P: Perform> Outbound for Port<'_, P> {
    fn transmit(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        if !self.held.keep_behind(to, parts) {
            self.out.perform(Action::Transmit { to, parts });
        }
    }

    fn transmit_durable(&mut self, to: ConnectionId, parts: &[&[u8]]) {
        self.held.keep(to, parts);
    }

    fn close(&mut self, connection: ConnectionId) {
        if let Some(last) = self.held.close(connection) {
            let (to, parts) = (connection, &[last.as_slice()]);
            self.out.perform(Action::Transmit { to, parts });
        }
        self.out.perform(Action::Close { connection });
    }

    fn authenticate(&mut self, connection: ConnectionId, credentials: Credentials<'_>) {
        self.out.perform(Action::Authenticate {
            connection,
            credentials,
        });
    }

    fn persist(&mut self, mutation: Mutation<'_>) {
        let mutation = match mutation {
            Mutation::Put { key, value } => commit::Mutation::Put { key, value },
            Mutation::Delete { key } => commit::Mutation::Delete { key },
        };
        self.commits.push_mutation(self.now.instant, &mutation);
    }

    /// A will is for its subscribers, and they have it: a client that is gone sends no readings. The will of a Sparkplug
    /// node is its death.
    fn will(&mut self, publish: &Publish<'_>) {
        if let Some(address) = Address::parse(publish.topic)
            && address.kind == Kind::Death
            && address.device.is_none()
            && let Some(name) = nodes::node_name(&address)
            && let Ok(payload) = Payload::read(publish.payload)
        {
            self.nodes.note_death(&name, payload.death_sequence());
        }
    }
}

/// The machine's way out while the gateway runs: alerts and averages are published, rows are sealed.
pub(super) struct Outlet<'a, P> {
    pub(super) port: Port<'a, P>,
    pub(super) broker: &'a mut Broker,
    pub(super) gateway: &'a str,
    pub(super) publish_averages: bool,
    pub(super) message: &'a mut Message,
    pub(super) alerts: &'a mut u64,
}

impl<P: Perform> Outlet<'_, P> {
    fn publish(&mut self, qos: Qos, retain: bool) {
        let Message { topic, payload } = self.message;
        self.broker.publish(
            self.port.now.instant,
            topic,
            payload,
            qos,
            retain,
            &mut self.port,
        );
    }
}

impl<P: Perform> Effects for Outlet<'_, P> {
    fn alert(&mut self, alert: &Alert<'_>) {
        *self.alerts += 1;
        self.message.write_alert(self.gateway, alert);
        self.publish(Qos::AtLeastOnce, true);
        self.port.out.perform(Action::Alert {
            payload: &self.message.payload,
            again: false,
        });
    }

    fn average(&mut self, summary: &Summary, name: SensorName<'_>, quantiles: &[f64]) {
        if self.publish_averages {
            self.message
                .write_average(self.gateway, summary, name, quantiles);
            self.publish(Qos::AtMostOnce, false);
        }
    }

    fn profile(&mut self, profile: &Profile, name: SensorName<'_>, partners: [&str; PARTNERS_MAX]) {
        self.message
            .write_profile(self.gateway, profile, name, partners);
        self.publish(Qos::AtMostOnce, true);
    }

    fn seal(&mut self, row: &SealedRow<'_>) {
        let pushed = self.port.commits.push_row(row);
        debug_assert!(
            pushed.is_ok(),
            "an entry is applied only where the commit has room for it"
        );
    }
}
