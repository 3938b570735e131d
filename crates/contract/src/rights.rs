//! Everything that a principal may publish to, or subscribe to.

use crate::filter::Filter;
use crate::grant::Grant;
use crate::narrow::{self, Narrowed};
use crate::subset;

/// A union of grants.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    grants: Vec<Grant>,
}

impl Rights {
    /// No right at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { grants: Vec::new() }
    }

    /// The union of these.
    #[must_use]
    pub fn of(grants: impl IntoIterator<Item = Grant>) -> Self {
        Self { grants: grants.into_iter().collect() }
    }

    /// Whether a topic is in it: asked for each topic that the match cache does not know, and for no message.
    #[must_use]
    pub fn has(&self, topic: &str) -> bool {
        self.grants.iter().any(|grant| grant.has(topic))
    }

    /// Whether everything that a subscription asks for is in it. Hand in the filter of a shared subscription without its
    /// `$share/{ShareName}/`.
    #[must_use]
    pub fn allow(&self, filter: &Filter) -> bool {
        subset::is_inside(filter, &self.grants)
    }

    /// What is left of a subscription, as at most `entries_max` filters.
    #[must_use]
    pub fn narrow(&self, filter: &Filter, entries_max: usize) -> Narrowed {
        narrow::narrow(filter, &self.grants, entries_max)
    }
}
