//! A Topic Filter in levels, as a set of Topic Names that can be compared and cut.

use std::fmt;

use tidegate_mqtt::{InvalidTopic, TopicFilter};

/// One level of a filter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Exactly this text, which may be empty.
    Literal(Box<str>),
    /// `+`: any text.
    Any,
}

/// A Topic Filter: levels, and whether it goes on with `#`.
///
/// Names that begin with `$` are matched by a literal first level only. [MQTT5-4.7.2-1]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    pub(crate) levels: Vec<Level>,
    /// It ends in `#`, which stands for the levels before it and for all that goes on from there.
    pub(crate) open: bool,
}

impl Filter {
    /// Takes a filter apart.
    ///
    /// # Errors
    /// When `text` is no Topic Filter. `$share/…` is not stripped: that is the subscription's part.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        Ok(Self::of(TopicFilter::new(text)?))
    }

    /// Takes a filter apart that is known to be one.
    #[must_use]
    pub fn of(filter: TopicFilter<'_>) -> Self {
        let text = filter.as_str();
        let (text, open) = match text.strip_suffix('#') {
            // "#" alone has no level before it; "a/#" loses its separator, too.
            Some("") => return Self { levels: Vec::new(), open: true },
            Some(before) => (before.strip_suffix('/').unwrap_or(before), true),
            None => (text, false),
        };
        let level = |text: &str| if text == "+" { Level::Any } else { Level::Literal(text.into()) };
        Self { levels: text.split('/').map(level).collect(), open }
    }

    /// Whether it begins with a `$` that is written out.
    #[must_use]
    pub fn is_dollar(&self) -> bool {
        matches!(self.levels.first(), Some(Level::Literal(text)) if text.starts_with('$'))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, level) in self.levels.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            match level {
                Level::Literal(text) => f.write_str(text)?,
                Level::Any => f.write_str("+")?,
            }
        }
        match (self.open, self.levels.is_empty()) {
            (true, true) => f.write_str("#"),
            (true, false) => f.write_str("/#"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_it_was_read() {
        for text in ["a", "/", "a/+/b", "#", "a/#", "/#", "+/#", "a//#", "+"] {
            assert_eq!(Filter::parse(text).unwrap().to_string(), text);
        }
    }
}
