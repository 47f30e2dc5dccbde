//! From a published message to the sessions that are to get it: fan-out, share groups, the retained store.

use super::{
    Broker, Instant, Outbound, Publish, Routed,
    counters::Counter,
    deadlines::later,
    deliver::{Outgoing, Terms},
    limits::{RETAINED_EXPIRED_PER_STEP_MAX, SHARE_MEMBERS_TRIED_MAX},
    messages::Keep,
    packet::{Content, Qos, SubscribeOptions},
    router::{Hit, Subscription},
    session::SubscriptionIds,
    slab::NONE,
};

impl Broker {
    /// Gives a message to all who subscribed to it, and keeps it if it is retained. QoS 0 copies go out of the caller's
    /// bytes; QoS 1/2 copies are stored once, whatever the number of subscribers.
    pub fn route(
        &mut self,
        now: Instant,
        publish: &Publish<'_>,
        out: &mut impl Outbound,
    ) -> Routed {
        let retained_refused = publish.retain && !self.keep_retained(now, publish, out);
        let mut hits = core::mem::take(&mut self.hits);
        hits.clear();
        self.router.collect(publish.topic, &mut hits);
        let copies = if hits.is_empty() {
            0
        } else {
            self.fan_out(now, publish, &hits, out)
        };
        self.hits = hits;
        Routed {
            copies,
            retained_refused,
        }
    }

    /// Publishes a message of the gateway's own.
    pub fn publish(
        &mut self,
        now: Instant,
        topic: &str,
        payload: &[u8],
        qos: Qos,
        retain: bool,
        out: &mut impl Outbound,
    ) -> Routed {
        self.route(now, &Publish::own(topic, payload, qos, retain), out)
    }

    /// Keeps, replaces or deletes a topic's retained message `[MQTT-3.3.1-5]`, `[MQTT-3.3.1-6]`; false if it found no room.
    fn keep_retained(
        &mut self,
        now: Instant,
        publish: &Publish<'_>,
        out: &mut impl Outbound,
    ) -> bool {
        let (topic, content) = (publish.topic, publish.content());
        if content.payload.is_empty() {
            if self.retained.drop_topic(topic) {
                self.unpersist_retained(topic, out);
            }
            return true;
        }
        let keep = Keep {
            qos: publish.qos,
            retain: true,
            expires: expiry(now, &content),
        };
        let had_one = self.retained.find(topic).is_some();
        let mut kept = self.retained.keep(&content, keep);
        for _ in 0..RETAINED_EXPIRED_PER_STEP_MAX {
            if kept.is_some() || !self.drop_expired_retained(now, out) {
                break;
            }
            kept = self.retained.keep(&content, keep);
        }
        match kept {
            Some(_) => self.persist_retained(&content, keep, out),
            None => {
                self.counters.add(Counter::RetainedFull);
                if had_one {
                    self.unpersist_retained(topic, out);
                }
            }
        }
        kept.is_some()
    }

    fn drop_expired_retained(&mut self, now: Instant, out: &mut impl Outbound) -> bool {
        let Some(id) = self.retained.find_expired(now) else {
            return false;
        };
        let mut scratch = core::mem::take(&mut self.scratch);
        let topic = self.retained.messages.read_topic(id, &mut scratch);
        self.retained.drop_topic(topic);
        self.unpersist_retained(topic, out);
        self.scratch = scratch;
        self.counters.add(Counter::RetainedExpired);
        true
    }

    fn fan_out(
        &mut self,
        now: Instant,
        publish: &Publish<'_>,
        hits: &[Hit],
        out: &mut impl Outbound,
    ) -> u32 {
        let origin = publish
            .connection
            .and_then(|id| self.find_client(id))
            .map(|index| self.client(index).session);
        self.note_hits(origin, hits);
        let content = publish.content();
        let mut outgoing = Outgoing {
            content: &content,
            expires: expiry(now, &content),
            stored: None,
        };
        let mut copies = 0;
        let targets = core::mem::take(&mut self.targets);
        for &session in &targets {
            copies += self.deliver_merged(now, session, publish, hits, &mut outgoing, out);
        }
        self.targets = targets;
        for hit in hits {
            let Hit::Shared(group) = *hit else { continue };
            let chosen = self
                .choose_member(group)
                .and_then(|member| self.router.get(member))
                .copied();
            let Some(Subscription {
                session,
                options,
                id,
                ..
            }) = chosen
            else {
                continue;
            };
            let mut terms = Terms::new(publish, options);
            terms.ids.push(id);
            self.deliver(now, session, &mut outgoing, terms, out);
            copies += 1;
        }
        if let Some(message) = outgoing.stored {
            self.release_message(message, out);
        }
        copies
    }

    /// Threads the hits of each session together, so that it gets one copy for all of them `[MQTT-3.3.5-1]`.
    fn note_hits(&mut self, origin: Option<u32>, hits: &[Hit]) {
        self.route_number += 1;
        self.targets.clear();
        self.chain.clear();
        for (nth, hit) in hits.iter().enumerate() {
            self.chain.push(NONE);
            let Hit::One(number) = *hit else { continue };
            let Some(subscription) = self.router.get(number) else {
                continue;
            };
            let session = subscription.session;
            if subscription.options.no_local && origin == Some(session) {
                continue; // [MQTT-3.8.3-3]
            }
            let entry = &mut self.sessions[session];
            if entry.route != self.route_number {
                entry.route = self.route_number;
                entry.first_hit = NONE;
                self.targets.push(session);
            }
            self.chain[nth] = core::mem::replace(&mut entry.first_hit, nth as u32);
        }
    }

    fn deliver_merged(
        &mut self,
        now: Instant,
        session: u32,
        publish: &Publish<'_>,
        hits: &[Hit],
        outgoing: &mut Outgoing<'_>,
        out: &mut impl Outbound,
    ) -> u32 {
        let mut copies = 1;
        let mut merged: Option<Terms> = None;
        let mut nth = self.sessions[session].first_hit;
        while let Some(Hit::One(number)) = hits.get(nth as usize).copied() {
            nth = self.chain[nth as usize];
            let Some(&Subscription { id, options, .. }) = self.router.get(number) else {
                continue;
            };
            let mut terms = Terms::new(publish, options);
            if let Some(before) = merged {
                terms = terms.max(before);
                if !terms.ids.push(id) {
                    self.deliver(now, session, outgoing, before, out);
                    copies += 1;
                    terms = Terms::new(publish, options);
                    terms.ids.push(id);
                }
            } else {
                terms.ids.push(id);
            }
            merged = Some(terms);
        }
        if let Some(terms) = merged {
            self.deliver(now, session, outgoing, terms, out);
        }
        copies
    }

    /// The member of a shared subscription that gets the next message: in turn, those who can take it now first.
    fn choose_member(&mut self, group: u32) -> Option<u32> {
        let first = self.router.take_turn(group);
        let mut member = first;
        for _ in 0..self.router.member_count(group).min(SHARE_MEMBERS_TRIED_MAX) {
            let session = self.router.get(member)?.session;
            let entry = &self.sessions[session];
            if entry.client.is_some_and(|index| self.has_room(index, 1)) && self.has_window(session)
            {
                return Some(member);
            }
            member = self.router.next_member(group, member);
        }
        Some(first)
    }
}

impl Terms {
    /// What one subscription asks for.
    fn new(publish: &Publish<'_>, options: SubscribeOptions) -> Self {
        Self {
            qos: options.qos.min(publish.qos), // [MQTT-3.8.4-8]
            retain: publish.retain && options.retain_as_published, // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
            ids: SubscriptionIds::default(),
        }
    }

    /// What satisfies both; the identifiers are those of `other`.
    fn max(self, other: Self) -> Self {
        Self {
            qos: self.qos.max(other.qos),
            retain: self.retain || other.retain,
            ids: other.ids,
        }
    }
}

/// When a message that is published now is of no use any more.
fn expiry(now: Instant, content: &Content<'_>) -> Option<Instant> {
    content
        .expiry_s
        .map(|seconds| later(now, u64::from(seconds) * 1_000))
}
