//! From a topic to a device and a signal: `sensors/{device}/{signal}` and what a site's own sensors use.

use pipeline::glob;

use crate::limits::{MAPPING_LEVELS_MAX, MAPPINGS_MAX, RENAMES_MAX};
use crate::payload::pointers::Pointers;
use crate::payload::sparkplug::{Address, NAMESPACE};

/// What a topic says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'t, 'm> {
    /// Readings, in one message.
    Readings(Mapped<'t, 'm>),
    /// A message of a Sparkplug edge node.
    Sparkplug(Address<'t>),
}

/// What a topic says by its levels, and how to read what comes under it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapped<'t, 'm> {
    /// The device, where the topic names one; else the names of a SenML pack do.
    pub device: Option<&'t str>,
    /// The signal, where the topic names one; else the payload does.
    pub signal: Option<&'t str>,
    /// The form of the payload.
    pub form: &'m Form,
}

/// How a payload is to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Form {
    /// As its first byte says: a number, an object with `value` or `values`, a SenML pack, a report.
    #[default]
    Plain,
    /// A SenML pack.
    Senml,
    /// JSON, by pointers.
    Pointers(Pointers),
}

/// One rule of the config.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Topics that match hold readings of this form.
    Readings(Form),
    /// Topics below are those of Sparkplug B.
    Sparkplug,
}

/// The site's topic patterns, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    patterns: Vec<Pattern>,
    renames: Vec<Rename>,
}

/// A signal that goes by another name from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Pattern of its device's name.
    pub device: String,
    /// What its device calls it.
    pub signal: String,
    /// What it is called.
    pub to: String,
}

#[derive(Clone, Debug)]
enum Pattern {
    Levels {
        levels: Vec<Level>,
        form: Form,
    },
    Sparkplug {
        /// The only group; all of them if absent.
        group: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Level {
    Literal(String),
    Device,
    Signal,
    Any,
}

/// Why a pattern is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `{device}` is missing: a reading must belong to a device.
    #[error("`{0}` has no {{device}} level; write for example `sensors/{{device}}/{{signal}}`")]
    NoDevice(String),
    /// The same placeholder stands twice.
    #[error("`{0}` names {1} twice")]
    Twice(String, &'static str),
    /// A level mixes a placeholder or wildcard with text.
    #[error("level `{1}` of `{0}` must be plain text, {{device}}, {{signal}} or +")]
    Level(String, String),
    /// Too many levels, or too many patterns.
    #[error("`{0}`: at most {MAPPINGS_MAX} patterns of {MAPPING_LEVELS_MAX} levels")]
    TooMany(String),
    /// The gateway's own topics are not telemetry.
    #[error(
        "`{0}` would match the gateway's own topics; begin with a plain level other than `tidegate` or `$...`"
    )]
    Reserved(String),
    /// The topics of Sparkplug are given by its specification.
    #[error(
        "`{0}` is not where Sparkplug B is; write `spBv1.0/#`, or `spBv1.0/GROUP/#` for one group"
    )]
    Sparkplug(String),
    /// The pointers have no name for a value, or one too many.
    #[error(
        "`{0}`: give `value` where the topic has {{signal}}, and `values` with a name for each where it has not"
    )]
    Pointers(String),
}

impl Mapping {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that is not one.
    pub fn new<'a>(rules: impl IntoIterator<Item = (&'a str, Rule)>) -> Result<Self, PatternError> {
        let mut mapping = Self::default();
        for (text, rule) in rules {
            if mapping.patterns.len() == MAPPINGS_MAX {
                return Err(PatternError::TooMany(text.to_owned()));
            }
            mapping.patterns.push(match rule {
                Rule::Readings(form) => Pattern::levels(text, form)?,
                Rule::Sparkplug => Pattern::sparkplug(text)?,
            });
        }
        Ok(mapping)
    }

    /// The same with names for signals, of which the first that fits counts; the first [`RENAMES_MAX`] of them.
    #[must_use]
    pub fn with_renames(mut self, renames: impl IntoIterator<Item = Rename>) -> Self {
        self.renames = renames.into_iter().take(RENAMES_MAX).collect();
        self
    }

    /// What a device's signal is called here.
    #[must_use]
    pub fn signal<'n>(&'n self, device: &str, signal: &'n str) -> &'n str {
        let renamed = self
            .renames
            .iter()
            .find(|rename| rename.signal == signal && glob::matches(&rename.device, device));
        renamed.map_or(signal, |rename| &rename.to)
    }

    /// What `topic` says, by the first pattern that fits; `None` if the message is no telemetry.
    #[must_use]
    pub fn find<'t, 'm>(&'m self, topic: &'t str) -> Option<Found<'t, 'm>> {
        self.patterns.iter().find_map(|pattern| pattern.find(topic))
    }
}

impl Pattern {
    fn levels(text: &str, form: Form) -> Result<Self, PatternError> {
        let levels = text
            .split('/')
            .map(|level| {
                Level::parse(level).ok_or_else(|| PatternError::Level(text.into(), level.into()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let count = |wanted| levels.iter().filter(|level| **level == wanted).count();
        let signals = count(Level::Signal);
        if let Form::Pointers(pointers) = &form
            && !pointers.fit(signals > 0)
        {
            return Err(PatternError::Pointers(text.into()));
        }
        match (count(Level::Device), signals, &levels[0]) {
            _ if levels.len() > MAPPING_LEVELS_MAX => Err(PatternError::TooMany(text.into())),
            (0, _, _) if form != Form::Senml || signals > 0 => {
                Err(PatternError::NoDevice(text.into()))
            }
            (2.., _, _) => Err(PatternError::Twice(text.into(), "{device}")),
            (_, 2.., _) => Err(PatternError::Twice(text.into(), "{signal}")),
            (_, _, Level::Literal(first)) if first != "tidegate" && !first.starts_with('$') => {
                Ok(Self::Levels { levels, form })
            }
            _ => Err(PatternError::Reserved(text.into())),
        }
    }

    fn sparkplug(text: &str) -> Result<Self, PatternError> {
        let mut levels = text.split('/');
        match (levels.next(), levels.next(), levels.next(), levels.next()) {
            (Some(NAMESPACE), Some("#"), None, None) => Ok(Self::Sparkplug { group: None }),
            (Some(NAMESPACE), Some(group), Some("#"), None)
                if matches!(Level::parse(group), Some(Level::Literal(_))) =>
            {
                let group = Some(group.to_owned());
                Ok(Self::Sparkplug { group })
            }
            _ => Err(PatternError::Sparkplug(text.into())),
        }
    }

    fn find<'t>(&self, topic: &'t str) -> Option<Found<'t, '_>> {
        match self {
            Self::Levels { levels, form } => find_levels(levels, topic).map(|(device, signal)| {
                Found::Readings(Mapped {
                    device,
                    signal,
                    form,
                })
            }),
            Self::Sparkplug { group } => Address::parse(topic)
                .filter(|address| group.as_ref().is_none_or(|group| group == address.group))
                .map(Found::Sparkplug),
        }
    }
}

fn find_levels<'t>(
    pattern: &[Level],
    topic: &'t str,
) -> Option<(Option<&'t str>, Option<&'t str>)> {
    let mut device = None;
    let mut signal = None;
    let mut rest = Some(topic);
    for wanted in pattern {
        let (level, behind) = cut(rest?);
        rest = behind;
        match wanted {
            Level::Literal(text) if text == level => {}
            Level::Literal(_) => return None,
            Level::Device => device = Some(level),
            Level::Signal => signal = Some(level),
            Level::Any => {}
        }
    }
    (rest.is_none() && device != Some("") && signal != Some("")).then_some((device, signal))
}

/// The first level of a topic, and what stands behind it. Levels are short: bytes find their end sooner than a search does.
fn cut(topic: &str) -> (&str, Option<&str>) {
    match topic.bytes().position(|byte| byte == b'/') {
        Some(at) => (&topic[..at], Some(&topic[at + 1..])),
        None => (topic, None),
    }
}

impl Level {
    fn parse(level: &str) -> Option<Self> {
        match level {
            "{device}" => Some(Self::Device),
            "{signal}" => Some(Self::Signal),
            "+" => Some(Self::Any),
            text if text.contains(['{', '}', '+', '#', '\0']) => None,
            text => Some(Self::Literal(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::pointers::Pointer;

    fn check(patterns: &[&'static str], topic: &str, expected: Option<(&str, Option<&str>)>) {
        let plain = |text: &&'static str| (*text, Rule::Readings(Form::Plain));
        let mapping = Mapping::new(patterns.iter().map(plain)).expect("patterns");
        let found = mapping.find(topic).map(|found| match found {
            Found::Readings(Mapped { device, signal, .. }) => (device.unwrap_or("none"), signal),
            Found::Sparkplug(_) => panic!("there is no such pattern"),
        });
        assert_eq!(found, expected, "{topic}");
    }

    fn pointers(signal: Option<&str>) -> Rule {
        let pointer = Pointer::parse("/x").expect("a pointer");
        let values = vec![(signal.map(str::to_owned), pointer)];
        Rule::Readings(Form::Pointers(Pointers::new(values, None).expect("few")))
    }

    #[test]
    fn the_form_says_what_a_pattern_needs() {
        let compile = |text, rule| Mapping::new([(text, rule)]).map(|_| ());
        assert_eq!(compile("senml/+", Rule::Readings(Form::Senml)), Ok(()));
        assert_eq!(compile("tele/{device}", pointers(Some("t"))), Ok(()));
        assert_eq!(compile("tele/{device}/{signal}", pointers(None)), Ok(()));
        assert!(matches!(
            compile("tele/{device}/{signal}", pointers(Some("t"))),
            Err(PatternError::Pointers(_))
        ));
        assert!(matches!(
            compile("tele/{device}", pointers(None)),
            Err(PatternError::Pointers(_))
        ));
    }

    #[test]
    fn sparkplug_stands_where_its_specification_says() {
        let all = Mapping::new([("spBv1.0/#", Rule::Sparkplug)]).expect("a pattern");
        let one = Mapping::new([("spBv1.0/plant/#", Rule::Sparkplug)]).expect("a pattern");
        let topic = "spBv1.0/plant/DDATA/line/pump";
        assert!(matches!(
            all.find(topic),
            Some(Found::Sparkplug(Address {
                device: Some("pump"),
                ..
            }))
        ));
        assert_eq!(all.find(topic), one.find(topic));
        assert_eq!(one.find("spBv1.0/other/DDATA/line/pump"), None);
        assert_eq!(all.find("spBv1.0/STATE/scada"), None);
        for text in ["spBv1.0", "spBv1.0/+/#", "spBv1.0/a/b/#", "sparkplug/#"] {
            let error = Mapping::new([(text, Rule::Sparkplug)]).expect_err("refused");
            assert_eq!(error, PatternError::Sparkplug(text.to_owned()));
        }
    }

    #[test]
    fn a_topic_gives_device_and_signal() {
        let patterns = [
            "sensors/{device}/{signal}",
            "sensors/{device}",
            "site/+/{signal}/of/{device}",
        ];
        check(
            &patterns,
            "sensors/boiler/温度",
            Some(("boiler", Some("温度"))),
        );
        check(&patterns, "sensors/boiler", Some(("boiler", None)));
        check(&patterns, "site/x/t/of/pump", Some(("pump", Some("t"))));
        for other in [
            "sensors",
            "sensors/",
            "sensors/a/",
            "sensors//t",
            "sensors/a/b/c",
            "alerts/a/b",
            "",
        ] {
            check(&patterns, other, None);
        }
    }

    #[test]
    fn a_signal_goes_by_the_first_name_that_fits() {
        let rename = |device: &str, signal: &str, to: &str| Rename {
            device: device.to_owned(),
            signal: signal.to_owned(),
            to: to.to_owned(),
        };
        let mapping = Mapping::default().with_renames([
            rename("boiler-*", "t1", "flow"),
            rename("*", "t1", "temperature"),
            rename("*", "flow", "litres"),
        ]);
        for (device, signal, expected) in [
            ("boiler-7", "t1", "flow"),
            ("pump", "t1", "temperature"),
            ("pump", "flow", "litres"),
            ("pump", "t10", "t10"),
        ] {
            assert_eq!(mapping.signal(device, signal), expected);
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_with_its_reason() {
        let error =
            |text: &str| Mapping::new([(text, Rule::Readings(Form::Plain))]).expect_err("refused");
        assert_eq!(
            error("sensors/{signal}"),
            PatternError::NoDevice("sensors/{signal}".into())
        );
        assert!(matches!(
            error("a/{device}/{device}"),
            PatternError::Twice(_, "{device}")
        ));
        assert!(matches!(error("a/x{device}"), PatternError::Level(..)));
        assert!(matches!(error("a/{device}/#"), PatternError::Level(..)));
        assert!(matches!(
            error("tidegate/{device}"),
            PatternError::Reserved(_)
        ));
        assert!(matches!(error("+/{device}"), PatternError::Reserved(_)));
        assert!(matches!(
            error(&format!("a/{{device}}{}", "/x".repeat(20))),
            PatternError::TooMany(_)
        ));
    }
}
