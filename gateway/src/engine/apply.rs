//! The one way into the journal and the machine: first what the clocks have to tell, then the entry.

use pipeline::Now;
use wire::Clock;

use super::outlet::{Outlet, Port};
use super::{Engine, Perform};
use crate::journal::Entry;

/// A change of the clocks that is not in the journal yet: it is written before the next entry, so that
/// an idle box writes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Untold {
    Boot,
    Clock,
}

impl Engine {
    /// Writes the entry, then applies it.
    pub(super) fn apply<P: Perform>(&mut self, now: Now, entry: &Entry<'_>, out: &mut P) {
        self.tell_untold(now, out);
        self.apply_one(now, entry, out);
    }

    fn tell_untold<P: Perform>(&mut self, now: Now, out: &mut P) {
        let (offset_ms, clock) = (self.timeline.offset_ms(), self.timeline.clock());
        match self.untold.take() {
            Some(Untold::Boot) => self.apply_one(now, &Entry::Boot { offset_ms, clock }, out),
            Some(Untold::Clock) => self.apply_one(now, &Entry::Clock { offset_ms, clock }, out),
            None => {}
        }
    }

    /// That the clock was set is told at once: what waits for Kafka is to go with right times.
    pub(super) fn tell_clock_is_set<P: Perform>(&mut self, now: Now, out: &mut P) {
        let is_news = self.timeline.clock() == Clock::Synced
            && self.machine.clock() == Clock::Unsynced
            && matches!(self.untold, Some(Untold::Clock));
        if is_news && self.commits.has_room() {
            let before_ms = self.machine.offset_ms();
            self.tell_untold(now, out);
            self.drain.move_marks(self.machine.offset_ms() - before_ms);
        }
    }

    fn apply_one<P: Perform>(&mut self, now: Now, entry: &Entry<'_>, out: &mut P) {
        if self.commits.push_entry(now, entry).is_err() {
            debug_assert!(
                false,
                "a message is taken only where the chunk has room for it"
            );
            return;
        }
        let mut outlet = Outlet {
            port: Port {
                out,
                commits: &mut self.commits,
                nodes: &mut self.nodes,
                held: &mut self.held,
                now,
            },
            broker: &mut self.broker,
            gateway: &self.settings.gateway,
            publish_averages: self.settings.publish_averages,
            message: &mut self.message,
            alerts: &mut self.counters.alerts,
        };
        self.machine.apply(now.instant, entry, &mut outlet);
    }
}
