//! What a plan must be, field by field.

mod alarms;

use super::{
    BatchConfig, Cleaning, Derived, Plan, SensorConfig, SensorRule, SessionRule, SilenceRule,
    Sliding, Thinning,
};
use crate::limits::{
    DELAY_MS_MAX, PANES_MAX, PROFILE_MS_MIN, ROWS_PER_CALL_MAX, SLOTS_MAX, THRESHOLDS_MAX,
    WINDOW_MS_MAX, WINDOW_MS_MIN,
};
use core::error::Error;
use core::fmt;

/// What is wrong with a plan, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The rule by its place in the list; none for the defaults and what stands outside of rules.
    pub rule: Option<usize>,
    /// The field, with dots between the levels.
    pub field: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some(rule) => write!(
                f,
                "sensor rule {}: {} must {}",
                rule + 1,
                self.field,
                self.must
            ),
            None => write!(f, "{} must {}", self.field, self.must),
        }
    }
}

impl Error for Invalid {}

/// How much memory each sensor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allotment {
    /// Panes.
    pub panes: usize,
    /// Alarms.
    pub slots: usize,
    /// Gauges.
    pub gauges: usize,
}

impl Allotment {
    /// As much as any sensor may have.
    pub const MAX: Self = Self {
        panes: PANES_MAX,
        slots: SLOTS_MAX,
        gauges: THRESHOLDS_MAX,
    };
}

/// Whether a field is right, its name, and what it must be.
struct Demand(bool, &'static str, &'static str);

const DELAY: &str = "be at most a day";
const WINDOW: &str = "be between 100 ms and a week";
const SPAN: &str = "be between 1 ms and a day";

/// The first demand that isn't met.
fn meet(rule: Option<usize>, demands: impl IntoIterator<Item = Demand>) -> Result<(), Invalid> {
    match demands.into_iter().find(|Demand(is_met, ..)| !is_met) {
        Some(Demand(_, field, must)) => Err(Invalid { rule, field, must }),
        None => Ok(()),
    }
}

fn is_window(ms: u32) -> bool {
    (WINDOW_MS_MIN..=WINDOW_MS_MAX).contains(&ms)
}

fn is_span(ms: u32) -> bool {
    (1..=DELAY_MS_MAX).contains(&ms)
}

impl Plan {
    /// Whether the plan can be carried out with so much memory for each sensor.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self, each: Allotment) -> Result<(), Invalid> {
        meet(
            None,
            [Demand(!self.gateway.is_empty(), "gateway", "not be empty")],
        )?;
        meet(None, self.batch.demands())?;
        let is_plain = !self.has_cleaning() && !self.has_thinning();
        let is_room = is_plain || self.batch.readings_max as usize >= ROWS_PER_CALL_MAX;
        let must = "be at least 66 where sensors are cleaned or thinned: so many may follow from one reading";
        meet(None, [Demand(is_room, "batch.readings_max", must)])?;
        let is_sound = self
            .conditions
            .iter()
            .all(|condition| condition.is_sound(1));
        meet(
            None,
            [Demand(
                is_sound,
                "conditions",
                "be as the compiler makes them",
            )],
        )?;
        for derived in &self.derived {
            meet(None, derived.demands(self))?;
        }
        for chart in &self.charts {
            meet(None, chart.demands())?;
        }
        for suppression in &self.suppressions {
            meet(None, suppression.demands())?;
        }
        self.defaults.validate(None, each)?;
        self.validate_conditions(None, &self.defaults)?;
        for (place, rule) in self.rules.iter().enumerate() {
            meet(Some(place), rule.demands())?;
            rule.config.validate(Some(place), each)?;
            self.validate_conditions(Some(place), &rule.config)?;
        }
        Ok(())
    }

    fn validate_conditions(
        &self,
        rule: Option<usize>,
        config: &SensorConfig,
    ) -> Result<(), Invalid> {
        let is_there = config
            .drop_if
            .is_none_or(|place| usize::from(place) < self.conditions.len());
        let suppressions = self.suppressions.len();
        let is_suppression = config
            .suppress
            .is_none_or(|place| usize::from(place) < suppressions);
        meet(
            rule,
            [
                Demand(is_there, "drop_if", "be the place of a condition"),
                Demand(is_suppression, "suppress", "be the place of a suppression"),
            ],
        )
    }
}

impl Derived {
    fn demands(&self, plan: &Plan) -> [Demand; 5] {
        let is_named = !self.device.is_empty() && !self.signal.is_empty();
        let is_derived = |input: &_| plan.derived.iter().any(|other| other.signal == *input);
        [
            Demand(is_named, "derived", "have a device and a signal"),
            Demand(
                self.formula.is_sound(self.inputs.len()),
                "derived.formula",
                "be as the compiler makes it",
            ),
            Demand(
                !self.inputs.iter().any(is_derived),
                "derived.formula",
                "use signals that are sent: one that is calculated is no input of another",
            ),
            Demand(self.fresh_ms <= DELAY_MS_MAX, "derived.fresh_ms", DELAY),
            Demand(self.rate_ms.is_none_or(is_span), "derived.rate_ms", SPAN),
        ]
    }
}

impl BatchConfig {
    fn demands(&self) -> [Demand; 2] {
        [
            Demand(self.readings_max > 0, "batch.readings_max", "be above 0"),
            Demand(is_span(self.ms_max), "batch.ms_max", SPAN),
        ]
    }
}

impl SensorRule {
    fn demands(&self) -> [Demand; 2] {
        let must = "not be empty: `*` fits any";
        [
            Demand(!self.device.is_empty(), "device", must),
            Demand(!self.signal.is_empty(), "signal", must),
        ]
    }
}

impl SensorConfig {
    fn validate(&self, rule: Option<usize>, each: Allotment) -> Result<(), Invalid> {
        meet(rule, self.demands())?;
        meet(rule, self.alarm_demands(each))?;
        if let Some(cleaning) = &self.cleaning {
            meet(rule, cleaning.demands())?;
        }
        if let Some(thinning) = &self.thinning {
            meet(rule, thinning.demands())?;
        }
        if let Some(sliding) = &self.sliding {
            meet(rule, sliding.demands())?;
        }
        if let Some(session) = &self.session {
            meet(rule, session.demands(self.lateness_ms))?;
        }
        let fits = self.panes_min() <= each.panes.min(PANES_MAX) as u64;
        let must = "need fewer panes: shorter windows, longer hops, less lateness, or more memory for panes";
        meet(rule, [Demand(fits, "sliding", must)])?;
        for (place, threshold) in self.thresholds.iter().enumerate() {
            meet(rule, threshold.demands())?;
            let is_unique = self.thresholds[..place]
                .iter()
                .all(|other| other.rule != threshold.rule);
            meet(rule, [Demand(is_unique, "thresholds.rule", "be unique")])?;
        }
        Ok(())
    }

    fn demands(&self) -> [Demand; 12] {
        let range_holds = self
            .range
            .is_none_or(|r| r.min.is_finite() && r.max.is_finite() && r.min <= r.max);
        let is_spoken = |silence: SilenceRule| is_span(silence.after_ms);
        [
            Demand(
                range_holds,
                "range",
                "have a finite min that is not above its finite max",
            ),
            Demand(
                self.scale.is_finite() && self.scale != 0.0 && self.offset.is_finite(),
                "scale",
                "be finite and not 0, with a finite offset",
            ),
            Demand(
                self.sentinels.iter().all(|sentinel| sentinel.is_finite()),
                "sentinels",
                "be finite: what is not is bad anyway",
            ),
            Demand(self.stuck_ms.is_none_or(is_window), "stuck_ms", WINDOW),
            Demand(
                self.stuck_width.is_finite() && self.stuck_width >= 0.0,
                "stuck_width",
                "be finite and not below 0",
            ),
            Demand(self.lateness_ms <= DELAY_MS_MAX, "lateness_ms", DELAY),
            Demand(self.future_ms_max <= DELAY_MS_MAX, "future_ms_max", DELAY),
            Demand(
                self.tumbling_ms.is_none_or(is_window),
                "tumbling_ms",
                WINDOW,
            ),
            Demand(
                self.quantiles.iter().all(|part| (0.0..=1.0).contains(part)),
                "quantiles",
                "lie from 0 to 1, such as 0.95",
            ),
            Demand(
                self.profile_ms
                    .is_none_or(|ms| (PROFILE_MS_MIN..=WINDOW_MS_MAX).contains(&ms)),
                "profile_ms",
                "be from a minute to a week",
            ),
            Demand(self.ewma_tau_ms != Some(0), "ewma_tau_ms", "be above 0"),
            Demand(self.silence.is_none_or(is_spoken), "silence.after_ms", SPAN),
        ]
    }
}

impl Cleaning {
    fn demands(&self) -> [Demand; 3] {
        [
            Demand(
                self.jump.is_finite() && self.jump >= 1.0,
                "cleaning.jump",
                "be finite and at least 1",
            ),
            Demand(is_span(self.wait_ms_max), "cleaning.wait_ms_max", SPAN),
            Demand(
                self.fill_ms_max <= WINDOW_MS_MAX,
                "cleaning.fill_ms_max",
                "be at most a week",
            ),
        ]
    }
}

impl Thinning {
    fn demands(&self) -> [Demand; 2] {
        [
            Demand(
                self.width.is_finite() && self.width >= 0.0,
                "thinning.width",
                "be finite and not below 0",
            ),
            Demand(
                is_span(self.silence_ms_max),
                "thinning.silence_ms_max",
                SPAN,
            ),
        ]
    }
}

impl Sliding {
    fn demands(&self) -> [Demand; 3] {
        [
            Demand(is_window(self.window_ms), "sliding.window_ms", WINDOW),
            Demand(is_window(self.hop_ms), "sliding.hop_ms", WINDOW),
            Demand(
                self.window_ms.is_multiple_of(self.hop_ms),
                "sliding.hop_ms",
                "divide the window",
            ),
        ]
    }
}

impl SessionRule {
    fn demands(&self, lateness_ms: u32) -> [Demand; 3] {
        [
            Demand(is_window(self.gap_ms), "session.gap_ms", WINDOW),
            Demand(
                self.gap_ms >= lateness_ms,
                "session.gap_ms",
                "be at least the lateness, so that no more than two sessions are open at once",
            ),
            Demand(
                is_window(self.length_ms_max) && self.length_ms_max / 2 >= self.gap_ms,
                "session.length_ms_max",
                "be at least twice the gap, and at most a week",
            ),
        ]
    }
}
