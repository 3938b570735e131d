//! A grant: a filter in which a level may also be one out of a set that the registry keeps.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use tidegate_mqtt::InvalidTopic;

use crate::filter::{Filter, Level};

/// The texts that a level may have. Shared by all who have the same right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Whatever there is; as `+`.
    All,
    /// One of these. None of them holds `/`, a wildcard or a null character, so none can widen the right.
    Some(Arc<HashSet<Box<str>>>),
}

/// One level of a grant.
#[derive(Clone, Debug)]
pub enum GrantLevel {
    /// Exactly this text.
    Literal(Box<str>),
    /// `+`: any text.
    Any,
    /// Any text, but a subscription has to write it out.
    One,
    /// One out of a set.
    OneOf(Members),
    /// A text that the expression matches as a whole.
    Matching(Regex),
}

/// A right on topics, to publish to them or to subscribe to them.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(crate) levels: Vec<GrantLevel>,
    /// It ends in `#`.
    pub(crate) open: bool,
}

/// Why something is no grant: one sentence for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidGrant {
    /// It is no Topic Filter.
    Filter(InvalidTopic),
    /// A member of a set cannot stand in one level.
    Member(Box<str>),
}

impl fmt::Display for InvalidGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(InvalidTopic(why)) => f.write_str(why),
            Self::Member(text) => {
                write!(
                    f,
                    "{text:?} cannot be a topic level: it is empty, begins with $, or holds one of / + # NUL"
                )
            }
        }
    }
}

impl std::error::Error for InvalidGrant {}

impl Members {
    /// A set of texts that can each be one level.
    ///
    /// # Errors
    /// When one of them cannot: a name of somebody's choice never becomes a wildcard or two levels.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidGrant> {
        let mut members = HashSet::new();
        for text in texts {
            if !is_one_level(text) {
                return Err(InvalidGrant::Member(text.into()));
            }
            members.insert(text.into());
        }
        Ok(Self::Some(Arc::new(members)))
    }

    /// Whether a level with this text is one of them.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(members) => members.contains(text),
        }
    }
}

/// Whether a text that somebody chose (an id, a name) may stand in a topic as one level.
#[must_use]
pub(crate) fn is_one_level(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('$') && !text.contains(['/', '+', '#', '\0'])
}

impl Grant {
    /// The right on what a Topic Filter matches.
    ///
    /// # Errors
    /// When `text` is no Topic Filter.
    pub fn parse(text: &str) -> Result<Self, InvalidGrant> {
        Filter::parse(text).map(Self::from).map_err(InvalidGrant::Filter)
    }

    /// The same right where level `at` is one of `members`. A level that is not there changes nothing.
    #[must_use]
    pub fn with_level(mut self, at: usize, members: Members) -> Self {
        if let Some(level) = self.levels.get_mut(at) {
            *level = GrantLevel::OneOf(members);
        }
        self
    }

    /// Whether a topic is in it.
    #[must_use]
    pub fn has(&self, topic: &str) -> bool {
        let mut texts = topic.split('/');
        for (at, level) in self.levels.iter().enumerate() {
            let Some(text) = texts.next() else { return false };
            if !level.has(text, at == 0) {
                return false;
            }
        }
        match (self.open, self.levels.is_empty()) {
            (true, true) => !topic.starts_with('$'),
            (true, false) => true,
            (false, _) => texts.next().is_none(),
        }
    }
}

impl GrantLevel {
    fn has(&self, text: &str, is_first: bool) -> bool {
        match self {
            Self::Literal(own) => **own == *text,
            _ if is_first && text.starts_with('$') => false,
            Self::Any | Self::One => true,
            Self::OneOf(members) => members.has(text),
            Self::Matching(regex) => regex.is_match(text),
        }
    }

    /// Whether it has everything that a level of a filter matches.
    pub(crate) fn covers(&self, level: &Level, is_first: bool) -> bool {
        match level {
            Level::Literal(text) => self.has(text, is_first),
            Level::Any => matches!(self, Self::Any | Self::OneOf(Members::All)),
        }
    }
}

impl From<Filter> for Grant {
    fn from(filter: Filter) -> Self {
        let level = |level| match level {
            Level::Literal(text) => GrantLevel::Literal(text),
            Level::Any => GrantLevel::Any,
        };
        Self { levels: filter.levels.into_iter().map(level).collect(), open: filter.open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_mqtt::TopicFilter;

    #[test]
    fn a_name_of_somebodys_choice_never_widens_a_right() {
        for text in ["", "+", "#", "a/b", "a+", "$SYS", "a\0"] {
            assert_eq!(Members::of([text]), Err(InvalidGrant::Member(text.into())));
        }
        assert!(Members::of(["a", "A.b-c", "ü", " "]).is_ok());
    }

    #[test]
    fn a_grant_has_the_topics_that_its_filter_matches() {
        let topics = ["a", "a/b", "a/b/c", "b", "/", "a/", "$SYS", "$SYS/x", "", "a//b"];
        for text in ["a", "a/#", "+", "#", "+/b", "+/#", "/+", "$SYS/#", "a/+/c", "a//#"] {
            let (grant, filter) = (Grant::parse(text).unwrap(), TopicFilter::new(text).unwrap());
            for topic in topics {
                assert_eq!(grant.has(topic), filter.matches(topic), "{text} {topic}");
            }
        }
    }

    #[test]
    fn a_level_out_of_a_set_has_its_members_only() {
        let members = Members::of(["d1", "d2"]).unwrap();
        let grant = Grant::parse("f/+/#").unwrap().with_level(1, members);
        assert!(grant.has("f/d1") && grant.has("f/d2/x/y"));
        assert!(!grant.has("f/d3") && !grant.has("f"));
        let all = Grant::parse("+/x").unwrap().with_level(0, Members::All);
        assert!(all.has("a/x") && !all.has("$a/x"));
    }
}
