//! From a topic to a device and a signal: `sensors/{device}/{signal}` and what a site's own sensors use.

use crate::limits::{MAPPING_LEVELS_MAX, MAPPINGS_MAX};

/// What a topic says by its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped<'t> {
    /// The device.
    pub device: &'t str,
    /// The signal, where the topic names one; else the payload does.
    pub signal: Option<&'t str>,
}

/// The site's topic patterns, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    levels: Vec<Level>,
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
}

impl Mapping {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that is not one.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternError> {
        let mut mapping = Self::default();
        for text in patterns {
            if mapping.patterns.len() == MAPPINGS_MAX {
                return Err(PatternError::TooMany(text.to_owned()));
            }
            mapping.patterns.push(Pattern::parse(text)?);
        }
        Ok(mapping)
    }

    /// What `topic` says, by the first pattern that fits; `None` if the message is no telemetry.
    #[must_use]
    pub fn find<'t>(&self, topic: &'t str) -> Option<Mapped<'t>> {
        self.patterns.iter().find_map(|pattern| pattern.find(topic))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let levels = text
            .split('/')
            .map(|level| {
                Level::parse(level).ok_or_else(|| PatternError::Level(text.into(), level.into()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let count = |wanted| levels.iter().filter(|level| **level == wanted).count();
        match (count(Level::Device), count(Level::Signal), &levels[0]) {
            _ if levels.len() > MAPPING_LEVELS_MAX => Err(PatternError::TooMany(text.into())),
            (0, _, _) => Err(PatternError::NoDevice(text.into())),
            (2.., _, _) => Err(PatternError::Twice(text.into(), "{device}")),
            (_, 2.., _) => Err(PatternError::Twice(text.into(), "{signal}")),
            (_, _, Level::Literal(first)) if first != "tidegate" && !first.starts_with('$') => {
                Ok(Self { levels })
            }
            _ => Err(PatternError::Reserved(text.into())),
        }
    }

    fn find<'t>(&self, topic: &'t str) -> Option<Mapped<'t>> {
        let mut device = None;
        let mut signal = None;
        let mut levels = topic.split('/');
        for wanted in &self.levels {
            let level = levels.next()?;
            match wanted {
                Level::Literal(text) if text == level => {}
                Level::Literal(_) => return None,
                Level::Device => device = Some(level),
                Level::Signal => signal = Some(level),
                Level::Any => {}
            }
        }
        match (device, levels.next()) {
            (Some(device), None) if !device.is_empty() && signal != Some("") => {
                Some(Mapped { device, signal })
            }
            _ => None,
        }
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

    fn check(patterns: &[&str], topic: &str, expected: Option<(&str, Option<&str>)>) {
        let mapping = Mapping::new(patterns.iter().copied()).expect("patterns");
        let found = mapping
            .find(topic)
            .map(|mapped| (mapped.device, mapped.signal));
        assert_eq!(found, expected, "{topic}");
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
    fn a_pattern_that_is_none_is_refused_with_its_reason() {
        let error = |text: &str| Mapping::new([text]).expect_err("refused");
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
