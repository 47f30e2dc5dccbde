//! SUBSCRIBE and UNSUBSCRIBE: filters in, one code for each out.

use super::{
    Broker, Instant, Outbound,
    counters::Counter,
    limits::FILTERS_PER_PACKET_MAX,
    packet::{self, RetainHandling, Subscribe, SubscribeOptions, Unsubscribe, Version},
    reason::ReasonCode,
    slab::NONE,
    topic::Subscribed,
};

type Codes = heapless::Vec<u8, FILTERS_PER_PACKET_MAX>;

impl Broker {
    pub(super) fn handle_subscribe(
        &mut self,
        now: Instant,
        index: u16,
        subscribe: &Subscribe<'_>,
        out: &mut impl Outbound,
    ) {
        let (session, version) = (self.client(index).session, self.client(index).version);
        let mut codes = Codes::new();
        for (text, options) in subscribe.filters() {
            let code = match self.subscribe(
                index,
                session,
                text,
                options,
                subscribe.subscription_id,
                out,
            ) {
                Ok(()) => options.qos as u8, // [MQTT-3.8.4-7]: we grant what is asked for
                Err(_) if version == Version::V311 => 0x80,
                Err(reason) => reason.code(),
            };
            if codes.push(code).is_err() {
                self.refuse(
                    now,
                    index,
                    ReasonCode::QuotaExceeded,
                    "too many filters in one packet",
                    out,
                );
                return;
            }
        }
        let head = packet::suback(version, subscribe.packet_id, codes.len());
        self.send_state(index, &[head.as_slice(), &codes], out);
        self.advance(now, session, out);
    }

    pub(super) fn handle_unsubscribe(
        &mut self,
        now: Instant,
        index: u16,
        unsubscribe: &Unsubscribe<'_>,
        out: &mut impl Outbound,
    ) {
        let (session, version) = (self.client(index).session, self.client(index).version);
        let mut codes = Codes::new();
        for text in unsubscribe.filters() {
            let code = self.unsubscribe(session, text, out).code();
            if codes.push(code).is_err() {
                self.refuse(
                    now,
                    index,
                    ReasonCode::QuotaExceeded,
                    "too many filters in one packet",
                    out,
                );
                return;
            }
        }
        if version == Version::V311 {
            codes.clear();
        }
        let head = packet::unsuback(version, unsubscribe.packet_id, codes.len());
        self.send_state(index, &[head.as_slice(), &codes], out);
    }

    fn subscribe(
        &mut self,
        index: u16,
        session: u32,
        text: &str,
        options: SubscribeOptions,
        id: u32,
        out: &mut impl Outbound,
    ) -> Result<(), ReasonCode> {
        let Ok(wanted) = Subscribed::parse(text) else {
            self.counters.add(Counter::FilterInvalid);
            return Err(ReasonCode::TopicFilterInvalid);
        };
        let entry = &self.sessions[session];
        let rights = self.client(index).rights.as_ref();
        if !rights.is_some_and(|rights| rights.may_subscribe(&entry.client_id, wanted.filter)) {
            let unsaid = rights.is_some_and(|it| it.refuses(&entry.client_id, wanted.filter));
            self.counters.add(Counter::SubscribeDenied);
            return Err(if unsaid {
                ReasonCode::Unspecified
            } else {
                ReasonCode::NotAuthorized
            });
        }
        let known = self.router.find(entry.subscriptions, &wanted);
        let number = match known {
            Some(number) => {
                if let Some(subscription) = self.router.get_mut(number) {
                    (subscription.options, subscription.id) = (options, id); // [MQTT-3.8.4-3]
                }
                number
            }
            None => self.insert_subscription(session, &wanted, options, id)?,
        };
        self.persist_subscription(session, text, options, id, out);
        let replay = match options.retain_handling {
            RetainHandling::Always => true,
            RetainHandling::IfNew => known.is_none(), // [MQTT-3.3.1-10]
            RetainHandling::Never => false,           // [MQTT-3.3.1-11]
        };
        if replay && wanted.share.is_none() {
            self.start_replay(session, number, &wanted);
        }
        Ok(())
    }

    pub(super) fn insert_subscription(
        &mut self,
        session: u32,
        wanted: &Subscribed<'_>,
        options: SubscribeOptions,
        id: u32,
    ) -> Result<u32, ReasonCode> {
        let entry = &mut self.sessions[session];
        if entry.subscription_count >= self.limits.subscriptions_per_session_max {
            self.counters.add(Counter::SubscriptionsFull);
            return Err(ReasonCode::QuotaExceeded);
        }
        let Ok(number) = self.router.insert(session, wanted, options, id) else {
            self.counters.add(Counter::SubscriptionsFull);
            return Err(ReasonCode::QuotaExceeded);
        };
        if let Some(subscription) = self.router.get_mut(number) {
            subscription.next_of_session = entry.subscriptions;
        }
        entry.subscriptions = number;
        entry.subscription_count += 1;
        Ok(number)
    }

    /// Marks the retained messages that are to be sent for a subscription; those kept from now on come by themselves.
    fn start_replay(&mut self, session: u32, number: u32, wanted: &Subscribed<'_>) {
        let range = if wanted.filter.is_wild() {
            (0, self.retained.messages.ids())
        } else {
            self.retained
                .find(wanted.filter.as_str())
                .map_or((0, 0), |id| (id, id + 1))
        };
        let Some(subscription) = self.router.get_mut(number) else {
            return;
        };
        let pending = |(from, to): (u32, u32)| u32::from(from < to);
        let before = core::mem::replace(&mut subscription.replay, range);
        let entry = &mut self.sessions[session];
        entry.replaying = entry.replaying + pending(range) - pending(before);
    }

    fn unsubscribe(&mut self, session: u32, text: &str, out: &mut impl Outbound) -> ReasonCode {
        let Ok(wanted) = Subscribed::parse(text) else {
            self.counters.add(Counter::FilterInvalid);
            return ReasonCode::TopicFilterInvalid;
        };
        let Some(number) = self
            .router
            .find(self.sessions[session].subscriptions, &wanted)
        else {
            return ReasonCode::NoSubscriptionExisted;
        };
        self.remove_subscription(session, number);
        self.unpersist_subscription(session, text, out);
        ReasonCode::Success
    }

    /// Takes a subscription out of the session and the router; the durable state is the caller's.
    pub(super) fn remove_subscription(&mut self, session: u32, number: u32) {
        let Some(&subscription) = self.router.get(number) else {
            return;
        };
        let next = subscription.next_of_session;
        let entry = &mut self.sessions[session];
        if entry.subscriptions == number {
            entry.subscriptions = next;
        } else {
            let mut at = entry.subscriptions;
            while let Some(other) = self.router.get_mut(at) {
                if other.next_of_session == number {
                    other.next_of_session = next;
                    break;
                }
                at = other.next_of_session;
            }
        }
        entry.subscription_count -= 1;
        if subscription.replay.0 < subscription.replay.1 {
            entry.replaying -= 1;
        }
        self.router.remove(number);
    }

    /// Removes the subscriptions of a session which its client has no right to any more.
    pub(super) fn prune_subscriptions(&mut self, session: u32, out: &mut impl Outbound) {
        let Some(index) = self.sessions[session].client else {
            return;
        };
        let mut filter = core::mem::take(&mut self.filter);
        let mut number = self.sessions[session].subscriptions;
        while number != NONE {
            let Some(subscription) = self.router.get(number) else {
                break;
            };
            let next = subscription.next_of_session;
            filter.clear();
            self.router.write_filter(number, &mut filter);
            let text = core::str::from_utf8(&filter).unwrap_or_default();
            let rights = self.client(index).rights.as_ref();
            let client_id = &self.sessions[session].client_id;
            let allowed = Subscribed::parse(text).is_ok_and(|wanted| {
                rights.is_some_and(|rights| rights.may_subscribe(client_id, wanted.filter))
            });
            if !allowed {
                self.counters.add(Counter::SubscribeDenied);
                self.unpersist_subscription(session, text, out);
                self.remove_subscription(session, number);
            }
            number = next;
        }
        self.filter = filter;
    }
}
