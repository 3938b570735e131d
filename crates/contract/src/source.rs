//! Reading a platform's TOML: every value comes with the line it stands on, every problem with file, line and help, and all
//! problems are said in one go.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::Problem;

/// A problem and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file's name as it was handed in.
    pub file: Box<str>,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// One file on its way in.
pub(crate) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Located>>,
}

/// A table of a file. Keys that nobody asks for are problems: [`Section::end`].
pub(crate) struct Section<'s, 'a> {
    source: &'s Source<'a>,
    table: &'s DeTable<'a>,
    /// As a person would say it: `[[kind]]`.
    title: &'static str,
    begin: usize,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// The root table, as far as it can be read.
    pub(crate) fn parse(&self) -> Spanned<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let problem = Problem::new(
                format!("not TOML: {}", error.message()),
                "lines look like `name = \"value\"`, sections like `[limits]` or `[[kind]]`",
            );
            self.report(error.span().unwrap_or(0..0), problem);
        }
        table
    }

    pub(crate) fn report(&self, at: Range<usize>, problem: Problem) {
        let before = &self.text.as_bytes()[..at.start.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        self.problems.borrow_mut().push(Located { file: self.file.into(), line, problem });
    }

    /// All problems, in the order of their lines.
    pub(crate) fn problems(self) -> Vec<Located> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|located| located.line);
        problems
    }
}

impl<'s, 'a> Section<'s, 'a> {
    pub(crate) fn new(
        source: &'s Source<'a>,
        table: &'s DeTable<'a>,
        title: &'static str,
        begin: usize,
    ) -> Self {
        Self { source, table, title, begin, asked: RefCell::default() }
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key)
    }

    pub(crate) fn report(&self, value: &Spanned<DeValue<'_>>, problem: Problem) {
        self.source.report(value.span(), problem);
    }

    /// A problem of the section as a whole.
    pub(crate) fn report_here(&self, problem: Problem) {
        self.source.report(self.begin..self.begin, problem);
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<&'s str> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            other => self.refuse_type(key, value, "a text in double quotes", other),
        }
    }

    pub(crate) fn required_text(&self, key: &'static str, such_as: &str) -> Option<&'s str> {
        if self.value(key).is_none() {
            let message = format!("{} has no `{key}`", self.title);
            self.report_here(Problem::new(message, format!("add one, such as `{key} = {such_as}`")));
        }
        self.text(key)
    }

    pub(crate) fn number(&self, key: &'static str, range: Range<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.refuse_type(key, value, "a number", value.get_ref());
        };
        let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = parsed.filter(|number| range.contains(number));
        if fits.is_none() {
            let message = format!("`{key}` is {}", number.as_str());
            let help = format!("it is at least {} and at most {}", range.start, range.end - 1);
            self.report(value, Problem::new(message, help));
        }
        fits
    }

    /// Texts, of which each is turned into something; a single text is a list of one.
    pub(crate) fn list<T>(
        &self,
        key: &'static str,
        mut parse: impl FnMut(&'s str) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let mut take = |value: &'s Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::String(text) => parse(text).map_err(|problem| self.report(value, problem)).ok(),
            other => self.refuse_type(key, value, "a list of texts", other),
        };
        Some(match value.get_ref() {
            DeValue::Array(values) => values.iter().filter_map(take).collect(),
            _ => take(value).into_iter().collect(),
        })
    }

    /// A text that is turned into something.
    pub(crate) fn parsed<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&'s str) -> Result<T, Problem>,
    ) -> Option<T> {
        let (text, value) = (self.text(key)?, self.value(key)?);
        parse(text).map_err(|problem| self.report(value, problem)).ok()
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let (text, value) = (self.text(key)?, self.value(key)?);
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let names = choices.iter().map(|(name, _)| *name);
            self.report(value, unknown(&format!("`{key}` is `{text}`"), text, names));
        }
        found
    }

    /// A table inside.
    pub(crate) fn section(&self, key: &'static str, title: &'static str) -> Option<Section<'s, 'a>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.source, table, title, value.span().start)),
            other => self.refuse_type(key, value, "a table", other),
        }
    }

    /// `[[key]]`: several tables.
    pub(crate) fn sections(&self, key: &'static str, title: &'static str) -> Vec<Section<'s, 'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(values) = value.get_ref() else {
            self.refuse_type::<()>(key, value, "one or more sections in double brackets", value.get_ref());
            return Vec::new();
        };
        let table = |value: &'s Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.source, table, title, value.span().start)),
            other => self.refuse_type(key, value, "a section", other),
        };
        values.iter().filter_map(table).collect()
    }

    /// The names of its keys, for tables whose keys are names of somebody's choice.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'s str, &'s Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(name, value)| (&**name.get_ref(), value))
    }

    /// Nothing else may stand here: a mistyped key must not leave a default in force.
    pub(crate) fn end(self) {
        let asked = self.asked.into_inner();
        for (name, _) in self.table {
            if !asked.contains(&**name.get_ref()) {
                let message = format!("{} has no key `{}`", self.title, name.get_ref());
                self.source.report(name.span(), unknown(&message, name.get_ref(), asked.iter().copied()));
            }
        }
    }

    fn refuse_type<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        wants: &str,
        is: &DeValue<'_>,
    ) -> Option<T> {
        let message = format!("`{key}` must be {wants}, but is {}", type_of(is));
        self.report(value, Problem::new(message, format!("write {wants}")));
        None
    }
}

/// A word that is none of the known ones.
pub(crate) fn unknown<'n>(
    message: &str,
    word: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Problem {
    let close = known
        .clone()
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(edits, name)| *edits <= (name.len() / 3).max(2) && *edits < name.len())
        .min();
    let help = match close {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Problem::new(message, help)
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
