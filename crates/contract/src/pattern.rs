//! Topic patterns: what stands wherever a platform's files name a topic.
//!
//! ```text
//! devices / {id} / meta / {name~[a-z]+}        foxtrackr / {d in principal.devices} / #
//! ```
//! A level is written out, a wildcard, or a name in braces that says what may stand there. Patterns are ordered by how much
//! they say: of all that match a topic the most specific one counts, level by level from the left.

use std::cmp::Ordering;
use std::fmt;

use std::sync::Arc;

use regex::Regex;

use crate::grant::{Grant, GrantLevel, Members, is_one_level};
use crate::problem::Problem;

/// A topic pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(crate) levels: Vec<PatternLevel>,
    pub(crate) rest: Rest,
    text: Box<str>,
}

/// One level of a pattern.
#[derive(Clone, Debug)]
pub(crate) enum PatternLevel {
    /// Exactly this text.
    Literal(Box<str>),
    /// `{a.b}`: exactly the text that this path of values has for the principal.
    Value(Box<str>),
    /// `{n=a|b}`
    Choice(Box<str>, Box<[Box<str>]>),
    /// `{n~re}`: the whole level matches.
    Matching(Box<str>, Regex),
    /// `{n in SET}`
    In(Box<str>, Box<str>),
    /// `{n}`: one level that a subscription must write out.
    One(Box<str>),
    /// `+`
    Any,
}

/// How a pattern ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// With its last level.
    Closed,
    /// `#`
    Open,
    /// `{n...}`: as `#`, and what stands there has a name.
    Named(Box<str>),
}

impl Pattern {
    /// Takes a pattern apart.
    ///
    /// # Errors
    /// With what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let texts = split(text)?;
        if texts.iter().all(|level| level.is_empty()) {
            return Err(Problem::new(
                "a topic pattern has at least one level",
                "write one, such as `devices/{id}`",
            ));
        }
        let mut pattern = Self { levels: Vec::new(), rest: Rest::Closed, text: text.into() };
        for level in texts {
            if pattern.rest != Rest::Closed {
                return Err(Problem::new(
                    format!("`{level}` stands behind the end of `{text}`"),
                    "`#` and `{name...}` stand for all that follows, so they come last",
                ));
            }
            match Part::of(level)? {
                Part::Level(level) => pattern.levels.push(level),
                Part::Rest(rest) => pattern.rest = rest,
            }
        }
        pattern.refuse_second_names()?;
        Ok(pattern)
    }

    fn refuse_second_names(&self) -> Result<(), Problem> {
        let names: Vec<&str> = self.names().collect();
        match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            Some((_, name)) => Err(Problem::new(
                format!("two levels of `{}` are called `{name}`", self.text),
                "give each level a name of its own",
            )),
            None => Ok(()),
        }
    }

    /// The names of its levels, from the left.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let of_levels = self.levels.iter().filter_map(PatternLevel::name);
        let of_rest = match &self.rest {
            Rest::Named(name) => Some(&**name),
            Rest::Closed | Rest::Open => None,
        };
        of_levels.chain(of_rest)
    }

    /// Which of two says more about a topic that both match: `Greater` is the more specific one. `Equal`: neither does, so
    /// they must not meet.
    #[must_use]
    pub fn specificity(&self, other: &Self) -> Ordering {
        for (own, others) in self.levels.iter().zip(&other.levels) {
            let order = own.class().cmp(&others.class());
            if order != Ordering::Equal {
                return order;
            }
        }
        let closed = |pattern: &Self| pattern.rest == Rest::Closed;
        self.levels.len().cmp(&other.levels.len()).then(closed(self).cmp(&closed(other)))
    }

    /// Whether some topic is matched by both. Values and sets are not known yet, so they meet whatever they could be.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (short, long) =
            if self.levels.len() < other.levels.len() { (self, other) } else { (other, self) };
        let lengths_fit = short.levels.len() == long.levels.len() || short.rest != Rest::Closed;
        lengths_fit && self.levels.iter().zip(&other.levels).all(|(own, others)| own.meets(others))
    }
}

/// What paths of values stand for, for one principal.
pub trait Values {
    /// The text of a path such as `credential.label`, if there is one.
    fn text(&self, path: &str) -> Option<&str>;

    /// The texts of a path that names a set, such as `principal.devices`.
    fn set(&self, path: &str) -> Option<Members>;
}

/// Why a pattern gives a principal no right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGrant {
    /// The principal has nothing under this path.
    Missing(Box<str>),
    /// What it has cannot be one topic level, so it would change what the right means.
    NotOneLevel(Box<str>),
}

impl Pattern {
    /// The right that the pattern gives a principal with these values.
    ///
    /// # Errors
    /// When a value is missing or cannot stand in a topic: then there is no right.
    pub fn grant(&self, values: &impl Values) -> Result<Grant, NoGrant> {
        let level = |level: &PatternLevel| {
            Ok(match level {
                PatternLevel::Literal(text) => GrantLevel::Literal(text.clone()),
                PatternLevel::Value(path) => {
                    let text = values.text(path).ok_or_else(|| NoGrant::Missing(path.clone()))?;
                    if !is_one_level(text) {
                        return Err(NoGrant::NotOneLevel(path.clone()));
                    }
                    GrantLevel::Literal(text.into())
                }
                PatternLevel::Choice(_, choices) => {
                    let members = Members::of(choices.iter().map(|choice| &**choice));
                    // Invariant: choices were checked when the pattern was read.
                    GrantLevel::OneOf(members.unwrap_or_else(|_| Members::Some(Arc::default())))
                }
                PatternLevel::Matching(_, regex) => GrantLevel::Matching(regex.clone()),
                PatternLevel::In(_, path) => {
                    GrantLevel::OneOf(values.set(path).ok_or_else(|| NoGrant::Missing(path.clone()))?)
                }
                PatternLevel::One(_) => GrantLevel::One,
                PatternLevel::Any => GrantLevel::Any,
            })
        };
        let levels = self.levels.iter().map(level).collect::<Result<_, _>>()?;
        Ok(Grant { levels, open: self.rest != Rest::Closed })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PatternLevel {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Choice(name, _) | Self::Matching(name, _) | Self::In(name, _) | Self::One(name) => {
                Some(name)
            }
            Self::Literal(_) | Self::Value(_) | Self::Any => None,
        }
    }

    /// How much it says: literal, choice, expression or set, one level, anything.
    fn class(&self) -> u8 {
        match self {
            Self::Literal(_) | Self::Value(_) => 4,
            Self::Choice(..) => 3,
            Self::Matching(..) | Self::In(..) => 2,
            Self::One(_) => 1,
            Self::Any => 0,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(own), other) | (other, Self::Literal(own)) => other.may_be(own),
            (Self::Choice(_, own), other) | (other, Self::Choice(_, own)) => {
                own.iter().any(|own| other.may_be(own))
            }
            _ => true,
        }
    }

    fn may_be(&self, text: &str) -> bool {
        match self {
            Self::Literal(own) => **own == *text,
            Self::Choice(_, own) => own.iter().any(|own| **own == *text),
            Self::Matching(_, regex) => regex.is_match(text),
            Self::Value(_) | Self::In(..) | Self::One(_) | Self::Any => true,
        }
    }
}

enum Part {
    Level(PatternLevel),
    Rest(Rest),
}

impl Part {
    fn of(level: &str) -> Result<Self, Problem> {
        let Some(inner) = level.strip_prefix('{') else { return Self::written_out(level) };
        let Some(inner) = inner.strip_suffix('}') else {
            return Err(Problem::new(
                format!("`{level}` mixes a name in braces with text"),
                "braces take a whole level, such as `{id}`",
            ));
        };
        let inner = inner.trim();
        if let Some(name) = inner.strip_suffix("...") {
            return Ok(Self::Rest(Rest::Named(name_of(name, level)?)));
        }
        if let Some((name, regex)) = inner.split_once('~') {
            let whole = Regex::new(&format!("^(?:{regex})$")).map_err(|error| {
                Problem::new(
                    format!("`{regex}` is no regular expression: {error}"),
                    "look-around is not supported",
                )
            })?;
            return Ok(Self::Level(PatternLevel::Matching(name_of(name, level)?, whole)));
        }
        if let Some((name, choices)) = inner.split_once('=') {
            return Ok(Self::Level(PatternLevel::Choice(name_of(name, level)?, choices_of(choices, level)?)));
        }
        if let Some((name, set)) = inner.split_once(" in ") {
            return Ok(Self::Level(PatternLevel::In(name_of(name, level)?, path_of(set, level)?)));
        }
        if inner.contains('.') {
            return Ok(Self::Level(PatternLevel::Value(path_of(inner, level)?)));
        }
        Ok(Self::Level(PatternLevel::One(name_of(inner, level)?)))
    }

    fn written_out(level: &str) -> Result<Self, Problem> {
        match level {
            "#" => Ok(Self::Rest(Rest::Open)),
            "+" => Ok(Self::Level(PatternLevel::Any)),
            _ if level.contains(['+', '#', '\0', '{', '}']) => Err(Problem::new(
                format!("`{level}` cannot be a level of a topic"),
                "`+` and `#` stand alone in their level, and so does a name in braces",
            )),
            _ => Ok(Self::Level(PatternLevel::Literal(level.into()))),
        }
    }
}

/// The levels of a pattern: a separator inside braces belongs to an expression.
fn split(text: &str) -> Result<Vec<&str>, Problem> {
    let (mut levels, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                levels.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(Problem::new(format!("a brace of `{text}` is not closed"), "write `}` where it ends"));
    }
    levels.push(&text[begin..]);
    Ok(levels)
}

pub(crate) fn name_of(name: &str, level: &str) -> Result<Box<str>, Problem> {
    let name = name.trim();
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_name {
        return Ok(name.into());
    }
    Err(Problem::new(
        format!("`{name}` in `{level}` is no name"),
        "names begin with a small letter and go on with small letters, digits and `_`",
    ))
}

pub(crate) fn path_of(path: &str, level: &str) -> Result<Box<str>, Problem> {
    for name in path.trim().split('.') {
        name_of(name, level)?;
    }
    Ok(path.trim().into())
}

fn choices_of(choices: &str, level: &str) -> Result<Box<[Box<str>]>, Problem> {
    let choices: Box<[Box<str>]> = choices.split('|').map(|choice| choice.trim().into()).collect();
    match choices.iter().find(|choice| !is_one_level(choice)) {
        Some(choice) => Err(Problem::new(
            format!("`{choice}` in `{level}` cannot be a topic level"),
            "choices are texts without `/`, `+` and `#`, separated by `|`",
        )),
        None => Ok(choices),
    }
}

#[cfg(test)]
mod tests;
