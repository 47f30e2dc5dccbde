//! Retained messages for new subscriptions, at the pace at which the client takes them.

use super::{
    Broker, Instant, Outbound,
    deadlines::later,
    deliver::{HEAD_BYTES_MAX, Outgoing, Terms},
    limits::REPLAY_SCAN_MAX,
    packet::Qos,
    session::SubscriptionIds,
    topic::TopicFilter,
};

impl Broker {
    /// Sends retained messages for new subscriptions, as far as the client can take them now `[MQTT-3.3.1-9]`.
    pub(super) fn replay(&mut self, now: Instant, session: u32, out: &mut impl Outbound) {
        let mut budget = REPLAY_SCAN_MAX;
        let mut filter = core::mem::take(&mut self.filter);
        let mut number = self.sessions[session].subscriptions;
        while let Some(subscription) = self.router.get(number) {
            let next = subscription.next_of_session;
            if subscription.replay.0 < subscription.replay.1 {
                filter.clear();
                self.router.write_filter(number, &mut filter);
                let text = core::str::from_utf8(&filter).unwrap_or_default();
                let Ok(wanted) = TopicFilter::parse(text) else {
                    break;
                };
                if !self.replay_one(now, session, number, wanted, &mut budget, out) {
                    break;
                }
            }
            number = next;
        }
        self.filter = filter;
        if budget == 0 {
            // The rest follows in the next step, so that others get their turn.
            let owner = self.session_owner(session);
            self.deadlines.advance(owner, later(now, 1));
        }
    }

    /// Looks through the entries left for one subscription; false if it had to stop before their end.
    fn replay_one(
        &mut self,
        now: Instant,
        session: u32,
        number: u32,
        wanted: TopicFilter<'_>,
        budget: &mut u32,
        out: &mut impl Outbound,
    ) -> bool {
        let Some(&subscription) = self.router.get(number) else {
            return true;
        };
        let (mut from, to) = subscription.replay;
        let mut scratch = core::mem::take(&mut self.retained_scratch);
        while from < to && *budget > 0 {
            *budget -= 1;
            if let Some(message) = self
                .retained
                .get(from)
                .copied()
                .filter(|message| !message.is_expired(now))
                && wanted.matches(self.retained.messages.read_topic(from, &mut scratch))
            {
                let qos = subscription.options.qos.min(message.qos);
                if !self.is_ready(session, qos, message.len() + HEAD_BYTES_MAX) {
                    break;
                }
                let mut terms = Terms {
                    qos,
                    retain: true,
                    ids: SubscriptionIds::default(),
                };
                terms.ids.push(subscription.id);
                let content = self.retained.messages.read(from, now, &mut scratch);
                let mut outgoing = Outgoing {
                    content: &content,
                    expires: message.expires,
                    stored: None,
                };
                self.deliver(now, session, &mut outgoing, terms, out);
                if let Some(message) = outgoing.stored {
                    self.release_message(message, out);
                }
            }
            from += 1;
        }
        self.retained_scratch = scratch;
        if let Some(subscription) = self.router.get_mut(number) {
            subscription.replay.0 = from;
        }
        if from == to {
            self.sessions[session].replaying -= 1;
        }
        from == to
    }

    /// True if a copy of about `len` bytes would be sent at once.
    fn is_ready(&self, session: u32, qos: Qos, len: usize) -> bool {
        let Some(index) = self.sessions[session].client else {
            return false;
        };
        let at_once = qos == Qos::AtMostOnce
            || (self.has_window(session) && self.sessions[session].queue.is_empty());
        at_once && self.has_room(index, len)
    }
}
