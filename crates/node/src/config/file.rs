//! The configuration file: TOML in, values with their lines out.
//!
//! The parser goes on after an error, so that everything wrong with a file is said in one go. Unknown keys are
//! errors: a mistyped limit must not silently leave the default in force.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::shown;
use super::key::{Field, Key};
use super::keys;
use super::load::Draft;
use super::nearest::nearest;
use super::value::Value;
use crate::refusal::{Code, Place, Refusal};

/// Puts every key of the file into the draft.
pub(super) fn read(path: &Path, text: &str, draft: &mut Draft) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset);
    let line_ends = ends.collect();
    let mut reader = Reader { path, text, line_ends, draft, unjudged: BTreeSet::new() };
    for error in errors {
        reader.syntax(error.message(), error.span().unwrap_or(0..0));
    }
    reader.table("", table.get_ref());
}

/// An IP address with a port, or what is wrong with it.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "must be an IP address with a port, such as \"127.0.0.1:1883\" or \"[::1]:1883\", but is {}",
            shown(text)
        )
    })
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    line_ends: Vec<usize>,
    draft: &'a mut Draft,
    /// Lines the parser complained about, and what stands below a broken section: what it recovered from them would
    /// only cause second errors.
    unjudged: BTreeSet<usize>,
}

impl<'a> Reader<'a> {
    fn syntax(&mut self, message: &str, span: Range<usize>) {
        let line = self.line(span.start);
        // One slip can upset the parser several times; the first message of a line is the one that helps.
        if !self.unjudged.insert(line) {
            return;
        }
        let source = self.source(line);
        if source.starts_with('[') {
            let next_section =
                (line + 1..=self.line_ends.len() + 1).find(|below| self.source(*below).starts_with('['));
            self.unjudged.extend(line..next_section.unwrap_or(self.line_ends.len() + 2));
        }
        let place = Place::Line(self.path.to_owned(), line);
        let refusal = if message == "duplicate key" {
            let name = self.text.get(span).unwrap_or_default();
            Refusal {
                code: Code::DuplicateKey,
                place,
                message: format!("`{name}` stands here for the second time"),
                help: "keep one of the two".into(),
            }
        } else {
            Refusal {
                code: Code::Syntax,
                place,
                message: format!("not TOML: {message} in {}", shown(source)),
                help:
                    "lines look like `shards = 2`, sections like `[limits]`, and texts stand in double quotes"
                        .into(),
            }
        };
        self.draft.refuse(refusal);
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = self.line(name.span().start);
            if self.unjudged.contains(&line) {
                continue;
            }
            let place = Place::Line(self.path.to_owned(), line);
            let full = if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            };
            if let Some(key) = keys::find(&full) {
                self.key(key, value, place);
            } else if section.is_empty() && keys::sections().any(|(section, _)| section == full) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(&full, inner),
                    other => self.draft.refuse(Refusal {
                        code: Code::WrongType,
                        place,
                        message: format!("`{full}` must be a section, but is {}", type_of(other)),
                        help: format!("write the section as `[{full}]` with its keys below it"),
                    }),
                }
            } else {
                self.draft.refuse(unknown(section, name.get_ref(), value.get_ref(), place));
            }
        }
    }

    fn key(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>, place: Place) {
        if matches!(key.field, Field::Listeners { .. }) {
            return self.listeners(key, value, place);
        }
        let parsed = match value.get_ref() {
            DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
            // A number too long for any field is as wrong as one that is too large for this one.
            DeValue::Integer(number) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix());
                Some(Value::Number(parsed.unwrap_or(i128::MAX)))
            }
            DeValue::String(text) => Some(Value::Text(text.to_string())),
            _ => None,
        };
        let fits = parsed.filter(|value| {
            matches!(
                (&key.field, value),
                (Field::Flag { .. }, Value::Flag(_))
                    | (Field::Number { .. }, Value::Number(_))
                    | (Field::Directory { .. } | Field::Choice { .. }, Value::Text(_))
            )
        });
        match fits {
            Some(value) => self.draft.set(key, &value, place),
            None => {
                let is = type_of(value.get_ref());
                self.draft.refuse_type(key, place, format!("must be {}, but is {is}", key.field.wants()));
            }
        }
    }

    /// `[[listener]]`: tables that know one key, `address`.
    fn listeners(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>, place: Place) {
        let DeValue::Array(listeners) = value.get_ref() else {
            let is = type_of(value.get_ref());
            return self.draft.refuse_type(key, place, format!("must be {}, but is {is}", key.field.wants()));
        };
        let mut addresses = Vec::new();
        for listener in listeners.iter() {
            let place = Place::Line(self.path.to_owned(), self.line(listener.span().start));
            match listener.get_ref() {
                DeValue::Table(table) => addresses.extend(self.listener(key, table, place)),
                other => {
                    let is = type_of(other);
                    self.draft.refuse_type(
                        key,
                        place,
                        format!("must be {}, but one is {is}", key.field.wants()),
                    );
                }
            }
        }
        // With a listener refused, the rest is not what the operator asked for; the refusal stands already.
        if addresses.len() == listeners.len() {
            self.draft.set(key, &Value::Addresses(addresses), place);
        }
    }

    fn listener(&mut self, key: &'static Key, table: &DeTable<'_>, place: Place) -> Option<SocketAddr> {
        let mut found = None;
        for (name, value) in table {
            let place = Place::Line(self.path.to_owned(), self.line(name.span().start));
            if name.get_ref() != "address" {
                self.draft.refuse(Refusal {
                    code: Code::UnknownKey,
                    place,
                    message: format!("unknown key `{}` in `[[listener]]`", name.get_ref()),
                    help: "the only key of a listener is `address`".into(),
                });
                continue;
            }
            match value.get_ref() {
                DeValue::String(text) => match address(text) {
                    Ok(address) => found = Some(address),
                    Err(reason) => self.draft.refuse_value(key, place, reason),
                },
                other => {
                    let is = type_of(other);
                    self.draft.refuse_type(
                        key,
                        place,
                        format!("must have a string as `address`, but has {is}"),
                    );
                }
            }
        }
        if !table.keys().any(|name| name.get_ref() == "address") && !self.unjudged_from(&place) {
            self.draft.refuse_value(key, place, "has no `address`".into());
        }
        found
    }

    /// Whether the parser lost something at or below this line, which may have been the address.
    fn unjudged_from(&self, place: &Place) -> bool {
        matches!(place, Place::Line(_, from) if self.unjudged.range(from..).next().is_some())
    }

    /// The line of an offset, counted from one.
    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    /// The text of a line.
    fn source(&self, line: usize) -> &'a str {
        let start =
            line.checked_sub(2).and_then(|before| self.line_ends.get(before)).map_or(0, |end| end + 1);
        let end = self.line_ends.get(line - 1).copied().unwrap_or(self.text.len());
        let text: &'a str = self.text;
        text.get(start..end).unwrap_or_default().trim()
    }
}

fn unknown(section: &str, name: &str, value: &DeValue<'_>, place: Place) -> Refusal {
    let (full, is_section) = (join(section, name), value.is_table() || value.is_array());
    let message = match (is_section, section.is_empty()) {
        (true, true) => format!("unknown section `[{full}]`"),
        (_, true) => format!("unknown key `{full}`"),
        (_, false) => format!("unknown key `{name}` in `[{section}]`"),
    };
    // The right name in the wrong section is nearer than any spelling.
    let moved = keys::all().find(|key| key.section_and_leaf().1 == name).map(|key| key.name);
    let sections = keys::sections().map(|(section, _)| section).filter(|_| is_section);
    let near = moved.or_else(|| nearest(&full, keys::all().map(|key| key.name).chain(sections)));
    // A key at the top of the file that was meant for a section.
    let near = near.or_else(|| {
        let leaf = nearest(name, keys::all().map(|key| key.section_and_leaf().1))?;
        keys::all().find(|key| key.section_and_leaf().1 == leaf).map(|key| key.name)
    });
    let help = match near.map(|near| (near, keys::find(near).map(Key::section_and_leaf))) {
        Some((near, None)) => format!("did you mean `[{near}]`?"),
        Some((_, Some(("", "listener")))) => "did you mean `[[listener]]`?".into(),
        Some((_, Some((of, leaf)))) if of == section => format!("did you mean `{leaf}`?"),
        Some((_, Some(("", leaf)))) => format!("did you mean `{leaf}`, above all sections?"),
        Some((_, Some((of, leaf)))) => format!("did you mean `{leaf}` in `[{of}]`?"),
        None => "`tidegate config reference` lists every key".into(),
    };
    Refusal { code: Code::UnknownKey, place, message, help }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The type of a value, with an article.
fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
