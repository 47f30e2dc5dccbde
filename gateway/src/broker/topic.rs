//! Topic names and filters: what is valid, what matches what, what covers what.

use super::limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// No character at all.
    #[error("a topic has at least one character [MQTT-4.7.3-1]")]
    Empty,
    /// U+0000 inside.
    #[error("a topic holds no U+0000 [MQTT-4.7.3-2]")]
    Nul,
    /// Longer than [`TOPIC_BYTES_MAX`].
    #[error("the topic is longer than {TOPIC_BYTES_MAX} bytes; shorten it")]
    TooLong,
    /// Deeper than [`TOPIC_LEVELS_MAX`].
    #[error("the topic has more than {TOPIC_LEVELS_MAX} levels; flatten it")]
    TooDeep,
    /// A wildcard in a name.
    #[error("a topic name holds no wildcard [MQTT-3.3.2-2]")]
    Wildcard,
    /// `#` that is not the whole last level, or `+` that is not a whole level.
    #[error(
        "`#` stands alone in the last level [MQTT-4.7.1-1], `+` alone in its level [MQTT-4.7.1-2]"
    )]
    WildcardPlace,
    /// `$share` without a proper name or filter behind it.
    #[error(
        "a shared filter is $share/NAME/FILTER, NAME without wildcards [MQTT-4.8.2-1], [MQTT-4.8.2-2]"
    )]
    Share,
}

/// A valid topic name: what a message is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Takes a name as it stands on the wire.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        if check_shape(text)?.has_wildcard {
            return Err(TopicError::Wildcard);
        }
        Ok(Self(text))
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// A valid topic filter without a `$share` head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Takes a filter as it stands on the wire.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        check_shape(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let wild = level.bytes().any(|byte| byte == b'+' || byte == b'#');
            if wild && (level.len() > 1 || (level == "#" && levels.peek().is_some())) {
                return Err(TopicError::WildcardPlace);
            }
        }
        Ok(Self(text))
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// True if there is a wildcard in it.
    pub fn is_wild(self) -> bool {
        self.0.split('/').any(|level| level == "+" || level == "#")
    }

    /// True if a message to `name` is meant. A leading wildcard does not match `$…` `[MQTT-4.7.2-1]`.
    pub fn matches(self, name: &str) -> bool {
        if name.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        levels_match(self.0, name, |wanted, found| wanted == found)
    }

    /// True if every name matched by `other` is matched by this one too.
    pub fn covers(self, other: TopicFilter<'_>) -> bool {
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        levels_cover(self.0, other.0, |wanted, found| wanted == found)
    }
}

/// A filter as subscribed to: plain, or shared by a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribed<'a> {
    /// The group's name behind `$share/`.
    pub share: Option<&'a str>,
    /// The filter proper.
    pub filter: TopicFilter<'a>,
}

impl<'a> Subscribed<'a> {
    /// Takes a filter with or without `$share/NAME/` in front.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        if text.len() > TOPIC_BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        let Some(rest) = text.strip_prefix("$share/") else {
            // `$share` alone asks for a share without a name; it is no ordinary filter either.
            return if text == "$share" {
                Err(TopicError::Share)
            } else {
                Ok(Self {
                    share: None,
                    filter: TopicFilter::parse(text)?,
                })
            };
        };
        let (name, filter) = rest.split_once('/').ok_or(TopicError::Share)?;
        if name.is_empty() || name.contains(['+', '#']) || filter.is_empty() {
            return Err(TopicError::Share);
        }
        Ok(Self {
            share: Some(name),
            filter: TopicFilter::parse(filter)?,
        })
    }
}

/// Walks a filter and a name level by level; `same` says whether two plain levels are equal.
pub(super) fn levels_match(
    filter: &str,
    name: &str,
    mut same: impl FnMut(&str, &str) -> bool,
) -> bool {
    let mut names = name.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true; // also the parent level: `a/#` matches `a` [MQTT-4.7.1-2, example]
        }
        let Some(found) = names.next() else {
            return false;
        };
        if wanted != "+" && !same(wanted, found) {
            return false;
        }
    }
    names.next().is_none()
}

/// Walks two filters level by level; true if the first means all that the second means.
pub(super) fn levels_cover(
    wide: &str,
    narrow: &str,
    mut same: impl FnMut(&str, &str) -> bool,
) -> bool {
    let mut narrows = narrow.split('/');
    for wanted in wide.split('/') {
        if wanted == "#" {
            return true;
        }
        let Some(found) = narrows.next() else {
            return false;
        };
        if found == "#" || (wanted != "+" && (found == "+" || !same(wanted, found))) {
            return false;
        }
    }
    narrows.next().is_none()
}

/// What a look at each byte of a name or filter has found.
struct Shape {
    has_wildcard: bool,
}

fn check_shape(text: &str) -> Result<Shape, TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong);
    }
    let (mut levels, mut has_nul, mut has_wildcard) = (1_usize, false, false);
    for byte in text.bytes() {
        levels += usize::from(byte == b'/');
        has_nul |= byte == 0;
        has_wildcard |= byte == b'+' || byte == b'#';
    }
    if has_nul {
        Err(TopicError::Nul)
    } else if levels > TOPIC_LEVELS_MAX {
        Err(TopicError::TooDeep)
    } else {
        Ok(Shape { has_wildcard })
    }
}

#[cfg(test)]
mod tests;
