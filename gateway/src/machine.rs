//! The machine: all that must be the same after a crash, as a pure function of the journal.
//!
//! While the gateway runs, each entry is written into the journal and then applied here; after a crash
//! the same entries are applied again behind the last checkpoint. There is one way in, [`Machine::apply`],
//! so both arrive at the same state, the same rows with the same sequences, and the same alert ids.

use pipeline::config::NoPlan;
use pipeline::{
    BatchKind, Emit, Instant, Now, Output, PARTNERS_MAX, Pipeline, Plan, Profile, Reading, Refused,
    Watched,
};
use wire::{Alert, Clock, SensorId, SensorName, Standing, Summary, Timestamp};

use crate::commit::SealedRow;
use crate::deliveries::Deliveries;
use crate::eras::Eras;
use crate::journal::{Entry, wall_at};
use crate::limits::{ALERT_BYTES_MAX, DEVICE_BYTES_MAX, SIGNAL_BYTES_MAX};
use crate::outbox::{LANES, Lane, Sequence, Sequences};

mod error;
mod memory;
mod rehearsed;
mod state;

pub use error::StateError;
pub(crate) use memory::Boxed;
use memory::parts;
pub use memory::{Sizes, memory_bytes};

/// What follows from an entry. Alerts come first.
pub trait Effects {
    /// An alert was raised or cleared.
    fn alert(&mut self, alert: &Alert<'_>);
    /// A window was closed or revised.
    fn average(&mut self, summary: &Summary, name: SensorName<'_>, quantiles: &[f64]);
    /// What is usual for a signal, and what the signals are called that go along with it.
    fn profile(&mut self, _: &Profile, _: SensorName<'_>, _: [&str; PARTNERS_MAX]) {}
    /// A batch or an alert is complete and waits to be forwarded.
    fn seal(&mut self, row: &SealedRow<'_>);
}

/// The machine's state.
pub struct Machine {
    gateway: String,
    sizes: Sizes,
    /// Boxed, for the plan in it is large and the machine is handed on by value.
    pipeline: Box<Pipeline<Boxed>>,
    deliveries: Deliveries,
    rows: Rows,
    instant: Instant,
    offset_ms: i64,
    clock: Clock,
    eras: Eras,
}

/// Numbers the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows {
    next: Sequence,
    sealed: Sequences,
}

impl Machine {
    /// A machine that has seen nothing.
    ///
    /// # Errors
    /// [`StateError`] if the plan needs more memory than the sizes give.
    pub fn new(plan: &Plan, sizes: &Sizes) -> Result<Self, StateError> {
        Ok(Self {
            gateway: plan.gateway.as_str().to_owned(),
            sizes: *sizes,
            pipeline: begun(plan, sizes)?,
            deliveries: Deliveries::new(),
            rows: Rows {
                next: Sequence(1),
                sealed: [Sequence(0); LANES],
            },
            instant: Instant(0),
            offset_ms: 0,
            clock: Clock::Synced,
            eras: Eras::default(),
        })
    }

    /// The memory that the machine has.
    #[must_use]
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Applies one entry of the journal that happened at `instant`.
    pub fn apply(&mut self, instant: Instant, entry: &Entry<'_>, effects: &mut impl Effects) {
        self.follow_clock(instant, entry);
        self.instant = instant;
        let now = Now {
            instant,
            wall: wall_at(instant, self.offset_ms),
        };
        let mut sealer = Sealer {
            gateway: &self.gateway,
            rows: &mut self.rows,
            effects,
        };
        match *entry {
            Entry::Boot { .. } | Entry::Clock { .. } => {}
            Entry::Sensor { device, signal } => {
                // The engine asked first; a sensor that is refused has no readings.
                let _ = self.pipeline.register(now, device, signal);
            }
            Entry::Delivery { fingerprint } => self.deliveries.insert(fingerprint),
            Entry::Reading {
                sensor,
                time,
                value,
            } => {
                let reading = Reading { time, value };
                let _ = self
                    .pipeline
                    .handle_reading(now, SensorId(sensor), &reading, &mut sealer);
            }
            Entry::Tick => self.pipeline.handle_timeout(now, &mut sealer),
            Entry::Operate(ref command) => {
                // The engine asked first; one that comes to nothing changes nothing.
                let _ = self.pipeline.handle_command(now, command, &mut sealer);
            }
            Entry::Plan { bytes } => match decoded(bytes) {
                Ok(plan) => {
                    let _ = self.pipeline.handle_plan(now, &plan, &mut sealer);
                }
                Err(_) => debug_assert!(false, "a plan in the journal was encoded by this program"),
            },
        }
    }

    /// What is read while the clock is not set is told apart, so that it can be moved once it is.
    fn follow_clock(&mut self, instant: Instant, entry: &Entry<'_>) {
        let (Entry::Boot { offset_ms, clock } | Entry::Clock { offset_ms, clock }) = *entry else {
            return;
        };
        let next = self.rows.next;
        let until = wall_at(self.instant, self.offset_ms);
        let now = Now {
            instant,
            wall: wall_at(instant, offset_ms),
        };
        match (entry, self.clock, clock) {
            (Entry::Boot { .. }, _, Clock::Unsynced) => {
                self.eras.end(next, until, None);
                // What was read in the same millisecond may be of the life before.
                self.eras
                    .begin(next, now.wall.max(Timestamp(until.0.saturating_add(1))));
            }
            (Entry::Boot { .. }, ..) => self.eras.end(next, until, None),
            (_, Clock::Unsynced, Clock::Synced) => {
                let shift_ms = offset_ms.wrapping_sub(self.offset_ms);
                self.eras.end(next, until, Some(shift_ms));
            }
            _ => {}
        }
        self.offset_ms = offset_ms;
        self.clock = clock;
        self.pipeline.set_clock(now, clock);
    }

    /// Where the sensor has its place.
    #[must_use]
    pub fn find(&self, device: &str, signal: &str) -> Option<SensorId> {
        self.pipeline.find(device, signal)
    }

    /// Whether a sensor of this name would get a place.
    ///
    /// # Errors
    /// [`Refused`] if not.
    pub fn may_register(&self, device: &str, signal: &str) -> Result<(), Refused> {
        let fits = |name: &str, max: usize| !name.is_empty() && name.len() <= max;
        if !fits(device, DEVICE_BYTES_MAX) || !fits(signal, SIGNAL_BYTES_MAX) {
            return Err(Refused::BadName);
        }
        if usize::from(self.pipeline.sensors()) == self.sizes.sensors {
            Err(Refused::TableFull)
        } else {
            Ok(())
        }
    }

    /// The place of a sensor's alarm by the name of its rule.
    #[must_use]
    pub fn find_alarm(&self, sensor: SensorId, rule: &str) -> Option<u8> {
        self.pipeline.find_alarm(sensor, rule)
    }

    /// How an alarm stands, and the id of its last occurrence.
    #[must_use]
    pub fn standing(&self, sensor: SensorId, alarm: u8) -> Option<(Standing, u64)> {
        self.pipeline.standing(sensor, alarm)
    }

    /// All alarms that are not normal: whose, which, how they stand, and the id.
    pub fn standings(&self) -> impl Iterator<Item = (SensorId, u8, Standing, u64)> {
        self.pipeline.standings()
    }

    /// How many sensors are watched by detectors.
    #[must_use]
    pub fn watched(&self) -> Watched {
        self.pipeline.watched()
    }

    /// The messages that were taken lately.
    #[must_use]
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// When [`Entry::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pipeline.deadline()
    }

    /// Engine time of the last entry.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.instant
    }

    /// Wall clock minus engine time, ms, as of the last entry.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Whether the wall clock was set as of the last entry.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The times at which it was not.
    #[must_use]
    pub fn eras(&self) -> &Eras {
        &self.eras
    }

    /// The sequence that the next row gets.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.rows.next
    }

    /// Highest sequence sealed, per lane.
    #[must_use]
    pub fn sealed(&self) -> Sequences {
        self.rows.sealed
    }

    /// The plan that holds.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.pipeline.plan()
    }

    /// What the pipeline counted.
    #[must_use]
    pub fn counters(&self) -> &pipeline::Counters {
        self.pipeline.counters()
    }

    /// Sensors in the table, and places.
    #[must_use]
    pub fn sensors(&self) -> (usize, usize) {
        (usize::from(self.pipeline.sensors()), self.sizes.sensors)
    }
}

/// By itself, because a plan and a pipeline take a good part of a thread's stack before they are boxed.
#[inline(never)]
fn decoded(bytes: &[u8]) -> Result<Box<Plan>, NoPlan> {
    let mut plan = Box::<Plan>::default();
    plan.decode(bytes)?;
    Ok(plan)
}

/// By itself, as [`decoded`].
#[inline(never)]
fn begun(plan: &Plan, sizes: &Sizes) -> Result<Box<Pipeline<Boxed>>, StateError> {
    Pipeline::new(plan.clone(), parts(sizes))
        .map(Box::new)
        .map_err(StateError::Unusable)
}

/// Numbers what the pipeline hands out, and passes it on.
struct Sealer<'a, E> {
    gateway: &'a str,
    rows: &'a mut Rows,
    effects: &'a mut E,
}

impl<E: Effects> Sealer<'_, E> {
    fn seal(&mut self, lane: Lane, key: &str, readings: u32, bytes: &[u8]) {
        let sequence = self.rows.next;
        self.rows.next = Sequence(sequence.0 + 1);
        self.rows.sealed[lane.index()] = sequence;
        self.effects.seal(&SealedRow {
            lane,
            sequence,
            key,
            readings,
            bytes,
        });
    }
}

impl<E: Effects> Emit for Sealer<'_, E> {
    fn emit(&mut self, output: Output<'_>) {
        match output {
            Output::Alert(alert) => {
                self.effects.alert(alert);
                let mut buffer = [0; ALERT_BYTES_MAX];
                match alert.write(self.gateway, &mut buffer) {
                    Ok(bytes) => self.seal(Lane::Alert, alert.name.device, 1, bytes),
                    Err(_) => debug_assert!(false, "ALERT_BYTES_MAX holds the longest names"),
                }
            }
            Output::Summary {
                summary,
                name,
                quantiles,
            } => self.effects.average(summary, name, quantiles),
            Output::Profile {
                profile,
                name,
                partners,
            } => self.effects.profile(profile, name, partners),
            Output::Batch { kind, bytes, items } => {
                let lane = match kind {
                    BatchKind::Telemetry => Lane::Telemetry,
                    BatchKind::Aggregates => Lane::Aggregate,
                };
                self.seal(lane, self.gateway, items, bytes);
            }
        }
    }
}
