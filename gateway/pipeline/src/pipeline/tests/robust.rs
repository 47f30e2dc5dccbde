//! What must hold for any input at all.

use super::*;
use crate::commands::{Command, Verb};
use crate::config::{
    Chatter, Cleaning, Depth, Detect, Measure, Method, SessionRule, SilenceRule, Sliding, Thinning,
    ThinningMethod, Threshold, Unit,
};
use crate::expression::Expression;
use proptest::prelude::*;
use wire::Severity;

/// Something that a gateway may do with a pipeline.
#[derive(Clone, Debug)]
enum Step {
    Read {
        sensor: u16,
        time: Option<i64>,
        value: f64,
    },
    Wait,
    Seal,
    Register(u8),
    Change(u8),
    Clock(i64),
    Operate(u16, u8, Verb),
}

fn any_time() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        1 => Just(None),
        1 => any::<i64>().prop_map(Some),
        6 => (-20_000_i64..20_000).prop_map(|ms| Some(WALL + ms)),
    ]
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![1 => any::<u64>().prop_map(f64::from_bits), 4 => (0..200).prop_map(f64::from)]
}

fn any_verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        Just(Verb::Acknowledge),
        (0_u32..5000).prop_map(Verb::Shelve),
        Just(Verb::Unshelve)
    ]
}

fn any_step() -> impl Strategy<Value = (u64, Step)> {
    let gap =
        prop_oneof![9 => 0_u64..2000, 1 => any::<u64>().prop_map(|ms| ms >> 20), 1 => Just(0)];
    let step = prop_oneof![
        20 => (0_u16..6, any_time(), any_value()).prop_map(|(sensor, time, value)| Step::Read { sensor, time, value }),
        4 => Just(Step::Wait),
        1 => Just(Step::Seal),
        2 => (0_u8..7).prop_map(Step::Register),
        1 => (0_u8..4).prop_map(Step::Change),
        2 => (0_u16..6, 0_u8..9, any_verb()).prop_map(|(sensor, alarm, verb)| Step::Operate(sensor, alarm, verb)),
        1 => prop_oneof![any::<i64>(), WALL - 5000..WALL + 5000].prop_map(Step::Clock),
    ];
    (gap, step)
}

/// A detector, and limits of more than the value.
fn alarms_of(config: &mut SensorConfig, number: u8) {
    let depth = match number {
        0 => Depth::Full,
        1 => Depth::Standard,
        2 => Depth::Lite,
        _ => Depth::Auto,
    };
    config.detect = (number < 3).then_some(Detect {
        depth,
        ..Detect::default()
    });
    config.chatter = (number == 1).then_some(Chatter {
        raises_max: 1,
        within_ms: 2000,
    });
    config.group = Some(number % 2);
    for (rule, of) in [
        ("rate", Measure::Rate { over_ms: 500 }),
        (
            "soon",
            Measure::Forecast {
                over_ms: 2000,
                ahead_ms: 9000,
            },
        ),
    ] {
        let threshold = Threshold {
            rule: rule.try_into().unwrap(),
            of,
            limit: 120.0,
            latch: number == 2,
            ..Threshold::default()
        };
        config.thresholds.push(threshold).unwrap();
    }
}

fn plan_of(number: u8) -> Plan {
    let mut plan = plan(|config| {
        config.lateness_ms = 500 * u32::from(number);
        config.future_ms_max = 2000;
        config.sliding = (number != 1).then_some(Sliding {
            window_ms: 3000,
            hop_ms: 1000,
        });
        config.ewma_tau_ms = Some(700);
        config.sentinels = [0.0, 85.0].into_iter().collect();
        config.stuck_ms = (number > 0).then_some(1000 * u32::from(number));
        let methods = [Method::Gate, Method::Hampel, Method::Screen];
        config.cleaning = methods.get(usize::from(number)).map(|method| Cleaning {
            method: *method,
            wait_ms_max: 1500,
            flips: (0..number).map(|_| Unit::Fahrenheit).collect(),
            fill_ms_max: 20_000,
            ..Cleaning::default()
        });
        config.silence = Some(SilenceRule {
            after_ms: 3000,
            severity: Severity::Info,
        });
        alarms_of(config, number);
        for (rule, limit, on_delay_ms) in [("high", 100.0, 0), ("higher", 150.0, 900)] {
            let rule = rule.try_into().unwrap();
            let threshold = Threshold {
                rule,
                limit,
                hysteresis: 5.0,
                on_delay_ms,
                off_delay_ms: 400,
                ..Threshold::default()
            };
            config.thresholds.push(threshold).unwrap();
        }
        config.drop_if = (number == 1).then_some(0);
        config.session = (number == 1).then_some(SessionRule {
            gap_ms: 1000,
            length_ms_max: 10_000,
        });
        config.quantiles = (0..number % 2).map(|_| 0.9).collect();
        config.profile_ms = (number == 2).then_some(60_000);
        config.scale = [1.0, -1e-3, 1e150, 1.0][usize::from(number)];
    });
    let condition = "value < -40 or value > 85 and value != 100";
    plan.conditions
        .push(Expression::condition(condition).unwrap())
        .unwrap();
    plan
}

/// Rows are left out, in one of the two ways.
fn thinned(number: u8) -> Plan {
    let mut plan = plan_of(number);
    let method = match number % 2 {
        0 => ThinningMethod::Deadband,
        _ => ThinningMethod::SwingingDoor,
    };
    plan.defaults.thinning = Some(Thinning {
        method,
        width: 3.0,
        silence_ms_max: 5000,
    });
    plan
}

/// A pipeline that is driven by steps.
struct Driven {
    rig: Rig,
    plan_of: fn(u8) -> Plan,
    now: Now,
    /// The rows that must come out: for each reading that is no duplicate, its sensor and value.
    expected: Vec<(u16, u64)>,
}

impl Driven {
    fn new() -> Self {
        Self::by(plan_of)
    }

    fn by(plan_of: fn(u8) -> Plan) -> Self {
        let mut driven = Self {
            rig: Rig::of(&plan_of(0)),
            plan_of,
            now: at(0),
            expected: Vec::new(),
        };
        // The gate of sensor 0 knows it.
        for n in 0..200_i64 {
            let (sensor, time) = (0, Some(WALL + 100 * n));
            let value = 100.0 + (n % 7) as f64;
            driven.step(
                100,
                &Step::Read {
                    sensor,
                    time,
                    value,
                },
            );
        }
        driven
    }

    fn step(&mut self, gap_ms: u64, step: &Step) {
        self.now.instant.0 = self.now.instant.0.saturating_add(gap_ms);
        self.now.wall.0 = self.now.wall.0.saturating_add_unsigned(gap_ms);
        let Rig { pipeline, events } = &mut self.rig;
        let mut out = |output: Output<'_>| events.push(keep(output));
        match *step {
            Step::Read {
                sensor,
                time,
                value,
            } => {
                let reading = Reading {
                    time: time.map(Timestamp),
                    value,
                };
                let verdict =
                    pipeline.handle_reading(self.now, SensorId(sensor), &reading, &mut out);
                if let Verdict::Taken(_) = verdict {
                    self.expected.push((sensor, value.to_bits()));
                }
                assert_eq!(
                    verdict == Verdict::UnknownSensor,
                    sensor >= pipeline.sensors()
                );
            }
            Step::Wait => {
                let is_due = |due: Instant| due <= self.now.instant;
                let rounds = (0..10).take_while(|_| {
                    pipeline.handle_timeout(self.now, &mut out);
                    pipeline.deadline().is_some_and(is_due)
                });
                assert!(rounds.count() < 10, "each call does some of what is due");
            }
            Step::Seal => pipeline.seal(self.now, &mut out),
            Step::Register(device) => {
                let _ = pipeline.register(self.now, &device.to_string(), "x");
            }
            Step::Change(number) => pipeline
                .handle_plan(self.now, &(self.plan_of)(number), &mut out)
                .unwrap(),
            Step::Operate(sensor, alarm, verb) => {
                let command = Command {
                    verb,
                    sensor: SensorId(sensor),
                    alarm,
                    by: "anna",
                    note: "",
                };
                // Most come to nothing.
                let _ = pipeline.handle_command(self.now, &command, &mut out);
            }
            Step::Clock(wall) => self.now.wall = Timestamp(wall),
        }
    }

    fn restarted(mut self) -> Self {
        let mut saved = Vec::new();
        self.rig
            .pipeline
            .save(|bytes| saved.extend_from_slice(bytes));
        let max = crate::checkpoint_bytes_max(SENSORS, SENSORS * PANES, SENSORS * PANES, 50, 20);
        assert!(saved.len() <= max);
        let digest = self.rig.pipeline.digest();
        let deadline = self.rig.pipeline.deadline();
        *self.rig.pipeline = Pipeline::restore(memory(), &saved).unwrap();
        assert_eq!(self.rig.pipeline.digest(), digest);
        assert_eq!(self.rig.pipeline.deadline(), deadline);
        self
    }
}

proptest! {
    #[test]
    fn every_reading_that_is_no_duplicate_is_in_one_row(steps in proptest::collection::vec(any_step(), 1..200)) {
        let mut driven = Driven::new();
        for (gap_ms, step) in &steps {
            driven.step(*gap_ms, step);
        }
        // What waits in a gate waits no longer.
        driven.step(2_000, &Step::Wait);
        driven.step(0, &Step::Seal);
        let sent = |row: &Row| Some((row.sensor.0, row.content.raw()?.to_bits()));
        let mut rows: Vec<_> = driven.rig.rows().iter().filter_map(sent).collect();
        rows.sort_unstable();
        driven.expected.sort_unstable();
        prop_assert_eq!(rows, driven.expected);
    }

    #[test]
    fn readings_that_nothing_waits_for_keep_their_order(steps in proptest::collection::vec(any_step(), 1..200)) {
        let mut driven = Driven::new();
        driven.step(0, &Step::Change(3));
        for (gap_ms, step) in steps.iter().filter(|(_, step)| !matches!(step, Step::Change(_))) {
            driven.step(*gap_ms, step);
        }
        driven.step(0, &Step::Seal);
        let sent = |row: &Row| Some((row.sensor.0, row.content.raw()?.to_bits()));
        let mut rows: Vec<_> = driven.rig.rows().iter().filter_map(sent).collect();
        rows.sort_by_key(|(sensor, _)| *sensor);
        driven.expected.sort_by_key(|(sensor, _)| *sensor);
        prop_assert_eq!(rows, driven.expected);
    }

    #[test]
    fn a_restart_at_any_point_makes_no_difference(
        steps in proptest::collection::vec(any_step(), 1..150),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(steps.len());
        let (mut steady, mut cut_off) = (Driven::new(), Driven::new());
        for (nth, (gap_ms, step)) in steps.iter().enumerate() {
            if nth == cut {
                cut_off = cut_off.restarted();
            }
            steady.step(*gap_ms, step);
            cut_off.step(*gap_ms, step);
        }
        prop_assert_eq!(steady.rig.pipeline.digest(), cut_off.rig.pipeline.digest());
        prop_assert_eq!(std::format!("{:?}", steady.rig.events), std::format!("{:?}", cut_off.rig.events));
    }

    /// Of rows that need not be forwarded none is lost: each is counted, and told by the row behind it once there is one.
    #[test]
    fn each_row_is_forwarded_or_counted(steps in proptest::collection::vec(any_step(), 1..200)) {
        let rows_by = |plan_of| {
            let mut driven = Driven::by(plan_of);
            for (gap_ms, step) in &steps {
                driven.step(*gap_ms, step);
            }
            // For what waits in a gate, then for what waits in a thinner.
            driven.step(2_000, &Step::Wait);
            driven.step(60_000, &Step::Wait);
            driven.step(0, &Step::Seal);
            let told: u32 = driven.rig.rows().iter().map(|row| row.flags.left_out()).sum();
            (driven.rig.rows().len() as u64, u64::from(told), driven.rig.pipeline.counters().thinned)
        };
        let ((rows, told, thinned), (all, ..)) = (rows_by(thinned), rows_by(plan_of));
        prop_assert_eq!(rows + thinned, all);
        prop_assert!(0 < told && told <= thinned, "{told} of {thinned}");
    }

    #[test]
    fn alerts_are_raised_and_cleared_in_turn(steps in proptest::collection::vec(any_step(), 1..200)) {
        let mut driven = Driven::new();
        for (gap_ms, step) in &steps {
            driven.step(*gap_ms, step);
        }
        let mut raised: Vec<(u64, &SensorId, &String)> = Vec::new();
        let mut last_id = 0;
        for event in &driven.rig.events {
            let Event::Alert { id, sensor, rule, transition, standing, .. } = event else { continue };
            let place = raised.iter().position(|(other, ..)| other == id);
            let is_same = |(_, s, r): &(u64, &SensorId, &String)| (*s, *r) == (sensor, rule);
            match transition {
                Transition::Raised => {
                    prop_assert!(*id > last_id, "ids grow");
                    last_id = *id;
                    prop_assert!(!raised.iter().any(is_same), "raised twice");
                }
                Transition::Cleared => prop_assert!(place.is_some(), "it was raised"),
                Transition::Acknowledged
                | Transition::Shelved
                | Transition::Unshelved
                | Transition::Suppressed
                | Transition::Released => {}
            }
            raised.retain(|it| !is_same(it));
            if standing.state() == AlertState::Raised {
                raised.push((*id, sensor, rule));
            }
        }
        let mut now_raised: Vec<u64> = driven.rig.pipeline.alerts().map(|alert| alert.id).collect();
        now_raised.sort_unstable();
        let mut told: Vec<u64> = raised.iter().map(|(id, ..)| *id).collect();
        told.sort_unstable();
        prop_assert_eq!(now_raised, told);
    }
}
