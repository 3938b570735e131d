//! Who a client is.

use std::sync::Arc;

use crate::identifiers::OrganisationId;

/// Who authenticated, as far as the core needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The organisation that everything of this connection belongs to.
    pub organisation: OrganisationId,
    /// The name to show, if the client gave one and it may be shown.
    pub user_name: Option<Arc<str>>,
}

/// The principal of a listener that lets everybody in: no credentials exist yet, so a user name is only a name to
/// show.
impl Principal {
    /// Anybody, of the first organisation.
    #[must_use]
    pub fn anonymous(user_name: Option<&str>) -> Self {
        Self { organisation: OrganisationId::FIRST, user_name: user_name.map(Arc::from) }
    }
}
