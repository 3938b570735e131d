//! One key: its name, the field it fills, what it accepts, and what it is for.
//!
//! A [`Field`] ties the default and the bound to the type of the field, so that a row of the table which does not
//! fit its field does not compile. Where a value came from is not known here.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Config;
use super::value::Value;

/// A row of the table.
#[derive(Debug)]
pub struct Key {
    /// As in the file, with dots between the sections: `limits.packet_bytes_max`.
    pub name: &'static str,
    /// What it fills, with its default and its bound.
    pub field: Field,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// For a limit: what happens at the bound.
    pub at_bound: Option<&'static str>,
    /// Whether SIGHUP is enough.
    pub reload: Reload,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// At once, when the program gets SIGHUP.
    OnSighup,
    /// At the next start.
    AtRestart,
}

/// The place of a value inside [`Config`].
pub type Place<T> = fn(&mut Config) -> &mut T;

/// What a key fills and accepts.
#[derive(Debug)]
pub enum Field {
    /// `true` or `false`.
    Flag {
        /// Where it goes.
        at: Place<bool>,
        /// What it is when nobody says otherwise.
        default: bool,
    },
    /// A whole number between two bounds.
    Number {
        /// Where it goes.
        at: Number,
        /// What it is when nobody says otherwise.
        default: u64,
        /// The least accepted.
        min: u64,
        /// The most accepted.
        max: u64,
    },
    /// The path of a directory.
    Directory {
        /// Where it goes.
        at: Place<PathBuf>,
        /// What it is when nobody says otherwise.
        default: &'static str,
    },
    /// One word of a few.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Puts the word of this index.
        set: fn(&mut Config, usize),
        /// The index of the word that holds.
        get: fn(&Config) -> usize,
        /// Index of the word that holds when nobody says otherwise.
        default: usize,
    },
    /// The addresses of the listeners.
    Listeners {
        /// Where they go.
        at: Place<Vec<SocketAddr>>,
        /// The only one when nobody says otherwise.
        default: SocketAddr,
    },
}

/// The width of a number's field.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Number {
    U16(Place<u16>),
    U32(Place<u32>),
    U64(Place<u64>),
}

/// Why a key does not take a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unacceptable {
    /// It wants another type; the text says which, with an article.
    Type(&'static str),
    /// The type is right, the value is not; the text says what would be.
    Value(String),
}

impl Field {
    /// Puts `value` where it belongs, or says what the key wants instead.
    pub fn set(&self, config: &mut Config, value: &Value) -> Result<(), Unacceptable> {
        match (self, value) {
            (Self::Flag { at, .. }, Value::Flag(flag)) => *at(config) = *flag,
            (Self::Number { at, min, max, .. }, Value::Number(number)) => {
                let within = u64::try_from(*number).ok().filter(|n| (min..=max).contains(&n));
                if !within.is_some_and(|number| at.put(config, number)) {
                    return Err(Unacceptable::Value(format!("a whole number from {min} to {max}")));
                }
            }
            (Self::Directory { at, .. }, Value::Text(text)) => {
                if text.is_empty() || text.contains('\0') {
                    return Err(Unacceptable::Value("the path of a directory".into()));
                }
                *at(config) = PathBuf::from(text);
            }
            (Self::Choice { words, set, .. }, Value::Text(text)) => {
                match words.iter().position(|word| word == text) {
                    Some(index) => set(config, index),
                    None => return Err(Unacceptable::Value(one_of(words))),
                }
            }
            (Self::Listeners { at, .. }, Value::Addresses(addresses)) => {
                if addresses.is_empty() || addresses.len() > LISTENERS_MAX {
                    return Err(Unacceptable::Value(format!("from 1 to {LISTENERS_MAX} addresses")));
                }
                at(config).clone_from(addresses);
            }
            _ => return Err(Unacceptable::Type(self.wants())),
        }
        Ok(())
    }

    /// What the key holds in `config`.
    pub fn get(&self, config: &Config) -> Value {
        // The places are written for `&mut`; one copy per key shown costs nothing that matters.
        let mut copy = config.clone();
        match self {
            Self::Flag { at, .. } => Value::Flag(*at(&mut copy)),
            Self::Number { at, .. } => Value::Number(at.take(&mut copy).into()),
            Self::Directory { at, .. } => Value::Text(at(&mut copy).to_string_lossy().into_owned()),
            Self::Choice { words, get, .. } => {
                Value::Text(words.get(get(&copy)).copied().unwrap_or_default().to_owned())
            }
            Self::Listeners { at, .. } => Value::Addresses(std::mem::take(at(&mut copy))),
        }
    }

    /// The value when nobody says otherwise.
    pub fn default_value(&self) -> Value {
        match self {
            Self::Flag { default, .. } => Value::Flag(*default),
            Self::Number { default, .. } => Value::Number((*default).into()),
            Self::Directory { default, .. } => Value::Text((*default).to_owned()),
            Self::Choice { words, default, .. } => {
                Value::Text(words.get(*default).copied().unwrap_or_default().to_owned())
            }
            Self::Listeners { default, .. } => Value::Addresses(vec![*default]),
        }
    }

    pub(super) fn set_default(&self, config: &mut Config) {
        let accepted = self.set(config, &self.default_value());
        // Invariant: a test puts the default of every key of the table.
        debug_assert!(accepted.is_ok(), "the key refuses its own default");
    }

    /// The type, with an article.
    pub fn wants(&self) -> &'static str {
        match self {
            Self::Flag { .. } => "`true` or `false`",
            Self::Number { .. } => "a whole number",
            Self::Directory { .. } | Self::Choice { .. } => "a string",
            Self::Listeners { .. } => "tables `[[listener]]`",
        }
    }
}

impl Number {
    /// False when the number does not fit the field.
    fn put(&self, config: &mut Config, number: u64) -> bool {
        match self {
            Self::U16(at) => u16::try_from(number).map(|number| *at(config) = number).is_ok(),
            Self::U32(at) => u32::try_from(number).map(|number| *at(config) = number).is_ok(),
            Self::U64(at) => {
                *at(config) = number;
                true
            }
        }
    }

    fn take(&self, config: &mut Config) -> u64 {
        match self {
            Self::U16(at) => (*at(config)).into(),
            Self::U32(at) => (*at(config)).into(),
            Self::U64(at) => *at(config),
        }
    }
}

/// `"text" or "json"`.
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Listeners are looked at one by one at each start and turn; nobody has named a use for more.
pub const LISTENERS_MAX: usize = 64;

impl Key {
    /// The environment variable of this key: `TIDEGATE_LIMITS__PACKET_BYTES_MAX`.
    pub fn variable(&self) -> String {
        format!("TIDEGATE_{}", self.name.replace('.', "__").to_ascii_uppercase())
    }

    /// The section and the name inside it: `("limits", "packet_bytes_max")`, or `("", "shards")`.
    pub fn section_and_leaf(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }
}
