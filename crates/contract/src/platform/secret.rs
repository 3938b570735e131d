//! What a credential's secret looks like, and how it is kept.

use crate::problem::Problem;
use crate::source::Section;
use crate::template::Template;

/// The secret of a kind of credential.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What a generated one looks like; `None`: people choose it.
    pub format: Option<Template>,
    /// How it is kept.
    pub store: Store,
    /// Whether it can be seen again after it was made.
    pub show: Show,
}

/// How a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// As a keyed hash: one look-up finds it. Only for what nobody can guess.
    Hash,
    /// Encrypted with a key file: for secrets that must be shown again.
    Sealed,
    /// As an argon2 hash: for what people choose.
    Argon2,
}

/// How often a secret is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// When it is made.
    #[default]
    Once,
    /// Whenever somebody who may asks; each time is audited.
    Again,
}

impl Secret {
    pub(super) fn read(section: Section<'_, '_>) -> Self {
        let format = section.parsed("format", Template::parse);
        let stores = [("hash", Store::Hash), ("sealed", Store::Sealed), ("argon2", Store::Argon2)];
        let usual = if format.is_some() { Store::Hash } else { Store::Argon2 };
        let store = section.choice("store", &stores).unwrap_or(usual);
        let show =
            section.choice("show", &[("once", Show::Once), ("again", Show::Again)]).unwrap_or_default();
        let bits = format.as_ref().map_or(0, Template::random_bits);
        if store == Store::Hash && bits < BITS_MIN {
            section.report_here(Problem::new(
                format!("a secret with {bits} random bits is kept as a plain hash"),
                "whoever steals the hashes could guess it: make it longer, such as `format = \"{random:32:alnum}\"`, or \
                 keep it with `store = \"argon2\"`",
            ));
        }
        if show == Show::Again && store != Store::Sealed {
            section.report_here(Problem::new(
                "a secret that is kept as a hash cannot be shown again",
                "write `store = \"sealed\"`, or `show = \"once\"`",
            ));
        }
        section.end();
        Self { format, store, show }
    }
}

/// Below this a stolen hash can be turned back by trying.
const BITS_MIN: u32 = 100;
