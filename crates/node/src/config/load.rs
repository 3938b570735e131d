//! From defaults, file and environment to one [`Config`], or to everything that is wrong with them.
//!
//! Later sources win: the default, then the file, then the environment. Every value remembers where it came from,
//! for `config show` and for the messages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::key::{Key, Unacceptable};
use super::value::Value;
use super::{Config, check, environment, file};
use crate::refusal::{Code, Place, Refusal, Refusals};

/// Where a configuration comes from. It stays the same for the life of the process, so that SIGHUP reads it again.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file of `--config`. Without it there is no file: none is looked for in silence.
    pub file: Option<PathBuf>,
    /// The environment at the start.
    pub environment: Environment,
}

impl Source {
    /// This file and the environment of the process.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, environment: std::env::vars_os().collect() }
    }
}

/// A configuration and where each value came from; a key without an entry has its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The effective values.
    pub config: Config,
    /// By the name of the key.
    pub origins: BTreeMap<&'static str, Place>,
}

/// Reads the source.
///
/// # Errors
/// Everything that is wrong with it, in one go.
pub fn load(source: &Source) -> Result<Loaded, Refusals> {
    let mut draft = Draft {
        loaded: Loaded { config: Config::default(), origins: BTreeMap::new() },
        reasons: Vec::new(),
        refused: BTreeSet::new(),
    };
    if let Some(path) = &source.file {
        match text_of(path) {
            Ok(text) => file::read(path, &text, &mut draft),
            Err(reason) => draft.refuse(reason),
        }
    }
    environment::read(&source.environment, &mut draft);
    check::lower_defaults(&mut draft.loaded);
    let contradictions = check::contradictions(&draft.loaded, &draft.refused);
    draft.reasons.extend(contradictions);
    Refusals::of(draft.reasons)?;
    Ok(draft.loaded)
}

fn text_of(path: &Path) -> Result<String, Refusal> {
    let refusal = |code, message, help: &str| Refusal {
        code,
        place: Place::File(path.to_owned()),
        message,
        help: help.into(),
    };
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let message = format!("cannot be read: {}", reason(&error));
        return Err(refusal(
            Code::FileUnreadable,
            message,
            "give a readable file to --config, or leave --config out to start with the defaults",
        ));
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(refusal(
            Code::FileTooLarge,
            message,
            "is this the right file? a configuration is a few lines",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let mut refusal = refusal(Code::FileNotUtf8, "is not UTF-8".into(), "save the file as UTF-8");
        refusal.place = Place::Line(path.to_owned(), line);
        refusal
    })
}

/// What the system says, without the number that only programs need.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let cut = text.split(" (os error").next().unwrap_or_default();
    let mut letters = cut.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A configuration on its way: values already taken, and what was refused so far.
pub(super) struct Draft {
    loaded: Loaded,
    reasons: Vec<Refusal>,
    /// Keys with a refused value: rules between keys must not judge what is not the operator's meaning.
    refused: BTreeSet<&'static str>,
}

impl Draft {
    pub(super) fn set(&mut self, key: &'static Key, value: &Value, place: Place) {
        match key.field.set(&mut self.loaded.config, value) {
            Ok(()) => {
                self.loaded.origins.insert(key.name, place);
            }
            Err(Unacceptable::Type(wants)) => self.refuse_type(key, place, format!("must be {wants}")),
            Err(Unacceptable::Value(wants)) => {
                let is = match value {
                    Value::Text(text) => environment::shown(text),
                    Value::Addresses(addresses) => format!("{} addresses", addresses.len()),
                    Value::Number(i128::MAX) => "larger".into(),
                    other => other.to_string(),
                };
                self.refuse_value(key, place, format!("must be {wants}, but is {is}"));
            }
        }
    }

    pub(super) fn refuse_type(&mut self, key: &'static Key, place: Place, what: String) {
        self.refuse_key(Code::WrongType, key, place, &what);
    }

    pub(super) fn refuse_value(&mut self, key: &'static Key, place: Place, what: String) {
        self.refuse_key(Code::BadValue, key, place, &what);
    }

    fn refuse_key(&mut self, code: Code, key: &'static Key, place: Place, what: &str) {
        self.refused.insert(key.name);
        let example = match &place {
            Place::Variable(name) => match key.field.default_value() {
                Value::Text(text) => format!("{name}={text}"),
                Value::Addresses(addresses) => {
                    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                    format!("{name}={}", addresses.join(","))
                }
                other => format!("{name}={other}"),
            },
            _ => match key.field.default_value() {
                addresses @ Value::Addresses(_) => format!("[[listener]] address = {addresses}"),
                other => format!("{} = {other}", key.section_and_leaf().1),
            },
        };
        let help = format!("the default is `{example}`");
        self.refuse(Refusal { code, place, message: format!("`{}` {what}", key.name), help });
    }

    pub(super) fn refuse(&mut self, reason: Refusal) {
        self.reasons.push(reason);
    }
}

/// A configuration is a few hundred lines; what is larger is another file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
