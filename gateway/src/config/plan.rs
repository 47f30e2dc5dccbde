//! `[defaults]` and `[[sensor]]`: from the settings of a site to the pipeline's plan.

use core::fmt::Display;

use pipeline::config::{
    Allotment, BatchConfig, Plan, Range, SensorConfig, SessionRule, SilenceRule, Sliding,
};
use pipeline::glob;
use pipeline::limits::{RULES_MAX, THRESHOLDS_MAX};
use serde::{Deserialize, Serialize};
use wire::Severity;

use super::alarms::{AlertRule, ChatterRule, Detection, SuppressRule, Tables};
use super::cleaning::{Clean, place_of};
use super::forward::Forward;
use super::{Config, Fault, Millis, derived, together};

/// What can be set for sensors. What is absent is inherited from `[defaults]`, and from every earlier
/// `[[sensor]]` whose patterns cover these.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sensor {
    /// Device, or a pattern with `*` and `?`; any if absent. Not in `[defaults]`.
    pub device: Option<String>,
    /// Signal, or a pattern; any if absent. Not in `[defaults]`.
    pub signal: Option<String>,
    /// Unit of the values.
    pub unit: Option<String>,
    /// What was sent is multiplied by this, to be in the unit.
    pub scale: Option<f64>,
    /// Then this is added.
    pub offset: Option<f64>,
    /// A condition on `value` for readings that are not wanted.
    pub drop_if: Option<String>,
    /// Smallest and largest possible value.
    pub range: Option<[f64; 2]>,
    /// Values by which the sensor says that it has none, such as 85.0 of a DS18B20.
    pub sentinels: Option<Vec<f64>>,
    /// A value that stands still for this long is uncertain.
    pub stuck: Option<Millis>,
    /// Values that differ by no more than this stand still.
    pub stuck_within: Option<f64>,
    /// How jumps and gaps are mended.
    pub clean: Option<Clean>,
    /// Which rows need not go to Kafka.
    pub forward: Option<Forward>,
    /// How late a reading may come and still count in its window.
    pub lateness: Option<Millis>,
    /// How far ahead a sensor's clock may be.
    pub future_max: Option<Millis>,
    /// Readings further apart leave a gap in the time-weighted average.
    pub gap_max: Option<Millis>,
    /// Length of back-to-back windows.
    pub average: Option<Millis>,
    /// Windows that overlap.
    pub rolling: Option<Rolling>,
    /// Windows that end with a pause.
    pub session: Option<Session>,
    /// Quantiles of each window, such as 0.95.
    pub quantiles: Option<Vec<f64>>,
    /// Time constant of the exponentially weighted average.
    pub ewma: Option<Millis>,
    /// What is usual is learned, and published this often.
    pub profile: Option<Millis>,
    /// An alert after this long without a reading.
    pub silence: Option<Millis>,
    /// Alerts by limit.
    pub alerts: Option<Vec<AlertRule>>,
    /// What learns how the values usually are, and alerts when they are not.
    pub detect: Option<Detection>,
    /// When alarms flip too often, and are held.
    pub chatter: Option<ChatterRule>,
    /// Alarms of a group tell which of them came first.
    pub group: Option<String>,
    /// When alarms are silent.
    pub suppress: Option<SuppressRule>,
}

/// `rolling = { window = "5m", every = "1m" }`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    /// Length of a window.
    pub window: Millis,
    /// From the begin of one to the begin of the next.
    pub every: Millis,
}

/// `session = { gap = "5m", max = "1h" }`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// A pause of this length ends it.
    pub gap: Millis,
    /// It does not cross the multiples of this.
    pub max: Millis,
}

impl Config {
    /// The pipeline's plan.
    ///
    /// # Errors
    /// All settings that cannot be carried out.
    pub fn plan(&self) -> Result<Box<Plan>, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut plan = Box::<Plan>::default();
        plan.batch = BatchConfig {
            readings_max: self.pipeline.batch_readings_max,
            ms_max: narrow(self.pipeline.batch_interval),
            keep_raw: self.pipeline.keep_raw,
        };
        plan.gateway = text(&self.gateway.id, "gateway.id", &mut faults);
        if self.defaults.device.is_some() || self.defaults.signal.is_some() {
            let help = "make it a [[sensor]]: [defaults] hold for every device and signal";
            faults.push(Fault::at(
                "defaults",
                "the defaults name a device or a signal",
                help,
            ));
        }
        let mut tables = Tables::default();
        self.defaults
            .apply(&mut plan.defaults, &mut tables, "defaults", &mut faults);
        if self.sensors.len() > RULES_MAX {
            let message = format!("{} rules", self.sensors.len());
            faults.push(Fault::at(
                "sensor",
                message,
                format!("use at most {RULES_MAX}, with patterns"),
            ));
        }
        derived::add(&self.derived, &mut plan, &mut faults);
        self.add_rules(&mut plan, &mut tables, &mut faults);
        together::add(&self.together, &mut plan, &mut faults);
        plan.conditions = tables.conditions;
        plan.suppressions = tables.suppressions;
        if let Err(invalid) = plan.validate(Allotment::MAX) {
            let table = invalid
                .rule
                .map_or_else(|| "defaults".to_owned(), |rule| format!("sensor[{rule}]"));
            let setting = setting_of(invalid.field);
            faults.push(Fault::at(
                format!("{table}.{setting}"),
                format!("{setting} cannot be used"),
                format!("{} must {}", invalid.field, invalid.must),
            ));
        }
        if faults.is_empty() {
            Ok(plan)
        } else {
            Err(faults)
        }
    }

    fn add_rules(&self, plan: &mut Plan, tables: &mut Tables, faults: &mut Vec<Fault>) {
        for (index, rule) in self.sensors.iter().take(RULES_MAX).enumerate() {
            let key = format!("sensor[{index}]");
            let mut config = plan.defaults.clone();
            for wider in self.sensors[..index]
                .iter()
                .filter(|wider| wider.covers(rule))
            {
                // What is wrong with the wider rule is told where it stands.
                wider.apply(&mut config, tables, &key, &mut Vec::new());
            }
            rule.apply(&mut config, tables, &key, faults);
            let sensor_rule = pipeline::config::SensorRule {
                device: text(rule.device(), &format!("{key}.device"), faults),
                signal: text(rule.signal(), &format!("{key}.signal"), faults),
                config,
            };
            // The rules are cut to the vector's capacity by `take`.
            let _ = plan.rules.push(sensor_rule);
        }
    }
}

/// The setting that a field of the pipeline's plan is made of.
fn setting_of(field: &'static str) -> &'static str {
    match field.split('.').next().unwrap_or(field) {
        "lateness_ms" => "lateness",
        "future_ms_max" => "future_max",
        "tumbling_ms" => "average",
        "sliding" => "rolling",
        "ewma_tau_ms" => "ewma",
        "cleaning" => "clean",
        "thinning" => "forward",
        "profile_ms" => "profile",
        "stuck_width" => "stuck_within",
        "thresholds" => "alerts",
        same => same,
    }
}

impl Sensor {
    fn device(&self) -> &str {
        self.device.as_deref().unwrap_or("*")
    }

    fn signal(&self) -> &str {
        self.signal.as_deref().unwrap_or("*")
    }

    /// Whether whatever fits `other` fits this one too.
    fn covers(&self, other: &Self) -> bool {
        glob::matches(self.device(), other.device()) && glob::matches(self.signal(), other.signal())
    }

    fn apply(
        &self,
        config: &mut SensorConfig,
        tables: &mut Tables,
        key: &str,
        faults: &mut Vec<Fault>,
    ) {
        if let Some(unit) = &self.unit {
            config.unit = text(unit, &format!("{key}.unit"), faults);
        }
        config.scale = self.scale.unwrap_or(config.scale);
        config.offset = self.offset.unwrap_or(config.offset);
        if let Some(text) = &self.drop_if {
            config.drop_if = place_of(
                text,
                &mut tables.conditions,
                &format!("{key}.drop_if"),
                faults,
            );
        }
        if let Some([min, max]) = self.range {
            config.range = Some(Range { min, max });
        }
        if let Some(sentinels) = &self.sentinels {
            fill(
                &mut config.sentinels,
                sentinels,
                &format!("{key}.sentinels"),
                faults,
            );
        }
        config.stuck_width = self.stuck_within.unwrap_or(config.stuck_width);
        config.profile_ms = self.profile.map(narrow).or(config.profile_ms);
        config.stuck_ms = self.stuck.map(narrow).or(config.stuck_ms);
        if let Some(clean) = &self.clean {
            clean.apply(&mut config.cleaning, key, faults);
        }
        if let Some(forward) = &self.forward {
            config.thinning = forward.thinning(key, faults);
        }
        self.apply_windows(config, key, faults);
        if let Some(after) = self.silence {
            config.silence = Some(SilenceRule {
                after_ms: narrow(after),
                severity: Severity::Warning,
            });
        }
        self.apply_alarms(config, tables, key, faults);
    }

    fn apply_alarms(
        &self,
        config: &mut SensorConfig,
        tables: &mut Tables,
        key: &str,
        faults: &mut Vec<Fault>,
    ) {
        if let Some(detect) = self.detect {
            config.detect = detect.detect();
        }
        config.chatter = self.chatter.map(Into::into).or(config.chatter);
        if let Some(group) = &self.group {
            config.group = tables.group(group, key, faults);
        }
        if let Some(suppress) = &self.suppress {
            config.suppress = tables.suppression(suppress, key, faults);
        }
        if let Some(alerts) = &self.alerts {
            config.thresholds.clear();
            for (index, alert) in alerts.iter().enumerate() {
                let key = format!("{key}.alerts[{index}]");
                let threshold = alert.threshold(&key, faults);
                if config.thresholds.push(threshold).is_err() {
                    faults.push(Fault::at(
                        key,
                        "too many alerts",
                        format!("give a sensor at most {THRESHOLDS_MAX}"),
                    ));
                    break;
                }
            }
        }
    }

    fn apply_windows(&self, config: &mut SensorConfig, key: &str, faults: &mut Vec<Fault>) {
        set(&mut config.lateness_ms, self.lateness);
        set(&mut config.future_ms_max, self.future_max);
        set(&mut config.gap_ms_max, self.gap_max);
        config.tumbling_ms = self.average.map(narrow).or(config.tumbling_ms);
        if let Some(Rolling { window, every }) = self.rolling {
            config.sliding = Some(Sliding {
                window_ms: narrow(window),
                hop_ms: narrow(every),
            });
        }
        if let Some(Session { gap, max }) = self.session {
            config.session = Some(SessionRule {
                gap_ms: narrow(gap),
                length_ms_max: narrow(max),
            });
        }
        if let Some(quantiles) = &self.quantiles {
            fill(
                &mut config.quantiles,
                quantiles,
                &format!("{key}.quantiles"),
                faults,
            );
        }
        config.ewma_tau_ms = self.ewma.map(narrow).or(config.ewma_tau_ms);
    }
}

/// Puts the numbers of a list in the place of those that were there.
fn fill<const N: usize>(
    list: &mut heapless::Vec<f64, N>,
    numbers: &[f64],
    key: &str,
    faults: &mut Vec<Fault>,
) {
    list.clear();
    if list.extend_from_slice(numbers).is_err() {
        let help = format!("give at most {N}");
        faults.push(Fault::at(key, "too many numbers", help));
    }
}

fn set(field: &mut u32, value: Option<Millis>) {
    if let Some(value) = value {
        *field = narrow(value);
    }
}

/// The plan's own check refuses what is too long for it.
pub(super) fn narrow(millis: Millis) -> u32 {
    u32::try_from(millis.0).unwrap_or(u32::MAX)
}

pub(super) fn text<T: for<'a> TryFrom<&'a str> + Default>(
    text: &str,
    key: &str,
    faults: &mut Vec<Fault>,
) -> T
where
    for<'a> <T as TryFrom<&'a str>>::Error: Display,
{
    T::try_from(text).unwrap_or_else(|_| {
        let message = format!("`{text}` is too long");
        faults.push(Fault::at(
            key,
            message,
            "choose a shorter one: it stands in every batch",
        ));
        T::default()
    })
}
