//! A platform: everything that one file says about who may connect, and how they are treated.

mod client_id;
mod kind;
mod secret;
mod session;
mod violation;

use std::collections::BTreeSet;

pub use client_id::{ClientIdRule, Empty};
pub use kind::{FindBy, Kind, Outside, Protocol, Scoped, Transport};
pub use secret::{Secret, Show, Store};
pub use session::SessionPolicy;
pub use violation::{Action, Violations};

use crate::problem::Problem;
use crate::source::{Located, Section, Source};

/// A platform, read and checked.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The folder's name.
    pub name: Box<str>,
    /// What people call it.
    pub title: Option<Box<str>>,
    /// What becomes of topics that no contract names: allowed where rights allow it, or a violation.
    pub undeclared_is_violation: bool,
    /// What broken rules lead to.
    pub on: Violations,
    /// Its sessions.
    pub session: SessionPolicy,
    /// Who may connect.
    pub kinds: Vec<Kind>,
}

impl Platform {
    /// Reads `platform.toml`; `file` is how problems call it.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of its lines.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Located>> {
        let source = Source::new(file, text);
        let table = source.parse();
        let root = Section::new(&source, table.get_ref(), "a platform", 0);
        let name = root.required_text("platform", "\"open\"").unwrap_or_default();
        let title = root.text("title");
        let undeclared = root.choice("undeclared", &[("violation", true), ("pass", false)]);
        let on = root.section("on", "`on`").map(Violations::read).unwrap_or_default();
        let session = root.section("session", "`session`").map(SessionPolicy::read).unwrap_or_default();
        let kinds = root.sections("kind", "[[kind]]");
        let kinds: Vec<Kind> = kinds.into_iter().filter_map(Kind::read).collect();
        let mut names = BTreeSet::new();
        for kind in &kinds {
            if !names.insert(&*kind.name) {
                root.report_here(Problem::new(
                    format!("two kinds are called `{}`", kind.name),
                    "give each a name of its own",
                ));
            }
        }
        root.end();
        let platform = Self {
            name: name.into(),
            title: title.map(Into::into),
            undeclared_is_violation: undeclared.unwrap_or(true),
            on,
            session,
            kinds,
        };
        match source.problems() {
            problems if problems.is_empty() => Ok(platform),
            problems => Err(problems),
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| *kind.name == *name)
    }
}

#[cfg(test)]
mod tests;
