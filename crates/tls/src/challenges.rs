//! Answers that an ACME server asks for while it checks that a name is ours: a text over HTTP, or a certificate over
//! TLS. Whoever obtains certificates puts them here; listeners hand them out. Nothing else is known of ACME here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::sign::CertifiedKey;

/// The protocol name of TLS-ALPN-01 (RFC 8737). A connection that has agreed on it is ended after the handshake.
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

/// Where HTTP-01 (RFC 8555) asks; the token follows.
pub const ACME_HTTP_PATH: &str = "/.well-known/acme-challenge/";

/// The answers of this moment. Usually there are none.
#[derive(Debug, Default)]
pub struct Challenges {
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    /// Key authorizations, by token.
    texts: HashMap<String, String>,
    /// Certificates with the digest of a key authorization, by name.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// What to answer, with status 200 and `application/octet-stream`, to a GET for `path`; `None` means 404 or whatever
    /// else the listener says to strangers.
    pub fn http_answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(ACME_HTTP_PATH)?;
        self.lock().texts.get(token).cloned()
    }

    pub(crate) fn certificate_for(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.lock().certificates.get(&name.to_ascii_lowercase()).cloned()
    }

    pub(crate) fn answer_http(&self, token: &str, text: &str) {
        self.lock().texts.insert(token.to_owned(), text.to_owned());
    }

    pub(crate) fn answer_tls(&self, name: &str, certificate: Arc<CertifiedKey>) {
        self.lock().certificates.insert(name.to_ascii_lowercase(), certificate);
    }

    /// The order is over, well or not.
    pub(crate) fn forget_all(&self) {
        *self.lock() = Answers::default();
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
