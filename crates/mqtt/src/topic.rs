//! Topic Names, Topic Filters and shared subscription filters (sections 4.7 and 4.8.2).

/// Why a string is no Topic Name or Topic Filter: one sentence for logs and Reason Strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTopic(pub &'static str);

/// A Topic Name: at least one character, no wildcards [MQTT5-4.7.0-1], no U+0000 [MQTT5-4.7.3-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Checks `bytes` once and keeps the proof in the type.
    ///
    /// # Errors
    /// Empty, too long (65,535 bytes), not UTF-8, a null character or a wildcard.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, InvalidTopic> {
        if bytes.is_empty() {
            return Err(InvalidTopic("a topic name has at least one character"));
        }
        if bytes.iter().any(|&b| matches!(b, 0 | b'+' | b'#')) {
            return Err(InvalidTopic("a topic name holds a wildcard or the null character"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidTopic("a topic name is not UTF-8"))?;
        Self::within_length(text)
    }

    /// As [`TopicName::from_bytes`], for text.
    ///
    /// # Errors
    /// As there.
    pub fn new(text: &'a str) -> Result<Self, InvalidTopic> {
        Self::from_bytes(text.as_bytes())
    }

    fn within_length(text: &'a str) -> Result<Self, InvalidTopic> {
        if text.len() > TOPIC_BYTES_MAX {
            return Err(InvalidTopic("a topic name has at most 65,535 bytes"));
        }
        Ok(Self(text))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Names that begin with `$` are not matched by filters that begin with a wildcard. [MQTT5-4.7.2-1]
    #[must_use]
    pub fn is_dollar(self) -> bool {
        self.0.starts_with('$')
    }
}

/// A Topic Filter whose wildcards stand where they may. [MQTT5-4.7.1-1] [MQTT5-4.7.1-2]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Checks `text` once and keeps the proof in the type.
    ///
    /// # Errors
    /// Empty, too long, a null character, `#` not alone in the last level, `+` not alone in its level.
    pub fn new(text: &'a str) -> Result<Self, InvalidTopic> {
        if text.is_empty() {
            return Err(InvalidTopic("a topic filter has at least one character"));
        }
        if text.len() > TOPIC_BYTES_MAX {
            return Err(InvalidTopic("a topic filter has at most 65,535 bytes"));
        }
        if text.contains('\0') {
            return Err(InvalidTopic("a topic filter holds the null character"));
        }
        if !text.contains(['#', '+']) {
            return Ok(Self(text));
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(InvalidTopic("# must stand alone in the last level of a topic filter"));
            }
            if level.contains('+') && level != "+" {
                return Err(InvalidTopic("+ must stand alone in its level of a topic filter"));
            }
        }
        Ok(Self(text))
    }

    /// The filter itself.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether `name` matches, by the rules of section 4.7 as they are written there.
    ///
    /// This is the readable truth against which the routing tree is tested; routing itself does not use it.
    #[must_use]
    pub fn matches(self, name: &str) -> bool {
        // [MQTT5-4.7.2-1]: a leading wildcard never matches a name that begins with $.
        if name.starts_with('$') && self.0.starts_with(['#', '+']) {
            return false;
        }
        let mut levels = name.split('/');
        for want in self.0.split('/') {
            if want == "#" {
                // "sport/#" also matches "sport": # includes the parent level (4.7.1.2).
                return true;
            }
            match levels.next() {
                Some(have) if want == "+" || want == have => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

/// `$share/{ShareName}/{filter}`, taken apart (section 4.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SharedFilter<'a> {
    /// At least one character, without `/`, `+` and `#`. [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
    pub share_name: &'a str,
    /// The filter that names are matched against.
    pub filter: TopicFilter<'a>,
}

impl<'a> SharedFilter<'a> {
    /// Splits the text of a SUBSCRIBE: `None` when it does not begin with `$share/`.
    ///
    /// # Errors
    /// An empty or illegal ShareName, or no legal filter behind it.
    pub fn parse(text: &'a str) -> Option<Result<Self, InvalidTopic>> {
        let rest = text.strip_prefix("$share/")?;
        let Some((share_name, filter)) = rest.split_once('/') else {
            return Some(Err(InvalidTopic("a shared subscription needs a filter behind its share name")));
        };
        if share_name.is_empty() || share_name.contains(['+', '#']) {
            return Some(Err(InvalidTopic("a share name has at least one character and no wildcard")));
        }
        Some(TopicFilter::new(filter).map(|filter| Self { share_name, filter }))
    }
}

/// What the two-byte length of a string allows. [MQTT5-4.7.3-3]
const TOPIC_BYTES_MAX: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for good in ["#", "+", "/", "a/#", "+/+", "a//b", "/+", "sport/+/player1", "$SYS/#"] {
            assert!(TopicFilter::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a#", "a/#/b", "sport+", "a/b+/c", "#/", "a\0b"] {
            assert!(TopicFilter::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_examples_of_the_specification_match_as_it_says() {
        let matches = |filter, name| TopicFilter::new(filter).unwrap().matches(name);
        assert!(matches("sport/tennis/player1/#", "sport/tennis/player1"));
        assert!(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
        assert!(matches("sport/#", "sport"));
        assert!(matches("sport/+", "sport/"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
        assert!(!matches("#", "$SYS/a"));
        assert!(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
        assert!(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    }

    #[test]
    fn a_share_name_is_not_empty_and_has_no_wildcard() {
        assert_eq!(SharedFilter::parse("a/b"), None);
        assert_eq!(SharedFilter::parse("$share"), None);
        assert!(SharedFilter::parse("$share//a").unwrap().is_err());
        assert!(SharedFilter::parse("$share/g").unwrap().is_err());
        assert!(SharedFilter::parse("$share/g/").unwrap().is_err());
        assert!(SharedFilter::parse("$share/g+/a").unwrap().is_err());
        let shared = SharedFilter::parse("$share/g/a/#").unwrap().unwrap();
        assert_eq!((shared.share_name, shared.filter.as_str()), ("g", "a/#"));
    }
}
