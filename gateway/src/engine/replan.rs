//! Another config while readings come: the change is an entry of the journal, in order with them.

use pipeline::Plan;

use super::{Engine, Perform};
use crate::broker::Qos;
use crate::clock::Moment;
use crate::journal::Entry;
use crate::machine::{Effects, Machine, Sizes};
use crate::mapping::Mapping;

/// What can change without a restart.
pub struct Hot {
    /// The pipeline's plan.
    pub plan: Box<Plan>,
    /// From topics to sensors.
    pub mapping: Mapping,
    /// As in [`Settings`](super::Settings).
    pub commit_interval_ms: u64,
    /// As in [`Settings`](super::Settings).
    pub status_interval_ms: u64,
    /// As in [`Settings`](super::Settings).
    pub checkpoint_interval_ms: u64,
    /// As in [`Settings`](super::Settings).
    pub checkpoint_bytes: u64,
    /// As in [`Settings`](super::Settings).
    pub publish_averages: bool,
}

/// The plan is impossible on the machine as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible;

impl Engine {
    /// Whether a change can be taken now. It waits while the commit that gathers has no room for what it may lead to.
    #[must_use]
    pub fn accepts_change(&self) -> bool {
        self.commits.has_room()
    }

    /// Goes on under another config. What was read before belongs to the old one, what comes next to the new one; windows that
    /// did not change are kept.
    ///
    /// # Errors
    /// [`Impossible`] if the machine's memory does not do for the plan; all is as before then.
    pub fn change<P: Perform>(
        &mut self,
        moment: Moment,
        hot: Hot,
        out: &mut P,
    ) -> Result<(), Impossible> {
        self.timeline.advance(moment);
        let now = self.timeline.now();
        self.serve_deadlines(now, out);
        if *self.machine.plan() != *hot.plan {
            let bytes = postcard::to_allocvec(&*hot.plan).map_err(|_| Impossible)?;
            self.apply(now, &Entry::Plan { bytes: &bytes }, out);
            if *self.machine.plan() != *hot.plan {
                return Err(Impossible);
            }
        }
        self.mapping = hot.mapping.into();
        self.settings.status_interval_ms = hot.status_interval_ms;
        self.settings.checkpoint_interval_ms = hot.checkpoint_interval_ms;
        self.settings.checkpoint_bytes = hot.checkpoint_bytes;
        self.settings.publish_averages = hot.publish_averages;
        self.commits.set_interval_ms(hot.commit_interval_ms);
        self.status_due = self.status_due.min(pipeline::Instant(
            now.instant.0.saturating_add(hot.status_interval_ms),
        ));
        self.proceed(now, out);
        Ok(())
    }

    /// The plan that holds.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.machine.plan()
    }

    /// The memory that the machine has.
    #[must_use]
    pub fn sizes(&self) -> &Sizes {
        self.machine.sizes()
    }

    /// Puts a plan to the test on a copy of the machine; how many alerts it would raise or clear at once.
    ///
    /// # Errors
    /// [`Impossible`] if the machine's memory does not do for it.
    pub fn rehearse(&self, plan: &Plan) -> Result<u64, Impossible> {
        let mut bytes = Vec::new();
        self.machine.save(&mut |part| bytes.extend_from_slice(part));
        let mut copy = Machine::restore(&bytes, self.machine.sizes()).map_err(|_| Impossible)?;
        let encoded = postcard::to_allocvec(plan).map_err(|_| Impossible)?;
        let mut alerts = Alerts(0);
        copy.apply(
            self.timeline.now().instant,
            &Entry::Plan { bytes: &encoded },
            &mut alerts,
        );
        if copy.plan() == plan {
            Ok(alerts.0)
        } else {
            Err(Impossible)
        }
    }

    /// Publishes a message of the gateway itself on its own broker, retained.
    pub fn publish_own<P: Perform>(
        &mut self,
        moment: Moment,
        topic: &str,
        payload: &[u8],
        out: &mut P,
    ) {
        self.timeline.advance(moment);
        let now = self.timeline.now();
        if !self.commits.has_mutation_room() {
            return;
        }
        self.with_port(now, out, |broker, port| {
            broker.publish(now.instant, topic, payload, Qos::AtMostOnce, true, port);
        });
        self.proceed(now, out);
    }
}

/// Counts alerts, and forgets all else.
struct Alerts(u64);

impl Effects for Alerts {
    fn alert(&mut self, _: &wire::Alert<'_>) {
        self.0 += 1;
    }

    fn average(&mut self, _: &wire::Summary, _: wire::SensorName<'_>, _: &[f64]) {}

    fn seal(&mut self, _: &crate::commit::SealedRow<'_>) {}
}
