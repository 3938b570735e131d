//! The cryptography that everything here uses, and what is offered of it.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, ring};

/// The same for all endpoints. Never the process-wide default, which any library could set.
pub(crate) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));
    &PROVIDER
}
