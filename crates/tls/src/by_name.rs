//! Which certificate a client gets: the one for the name it asks for (SNI), else the first.
//!
//! An exact name comes before a wildcard. Where several certificates have the same name (an ECDSA and an RSA one), the
//! first that the client can verify is taken.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::Certificate;
use crate::challenges::{ACME_TLS_ALPN, Challenges};

/// The certificates of one endpoint at one moment.
#[derive(Debug)]
pub(crate) struct ByName {
    all: Vec<Arc<CertifiedKey>>,
    /// Indices into `all`, in order. A wildcard stands under what follows its `*.`.
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
    /// Answers to ACME's TLS-ALPN-01, where this endpoint gives them.
    challenges: Option<Arc<Challenges>>,
}

impl ByName {
    pub(crate) fn new(certificates: &[Certificate], challenges: Option<Arc<Challenges>>) -> Self {
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut wildcard: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard.entry(parent.to_owned()).or_default().push(index),
                    None => exact.entry(name.clone()).or_default().push(index),
                }
            }
        }
        let all = certificates.iter().map(|certificate| Arc::clone(&certificate.certified)).collect();
        Self { all, exact, wildcard, challenges }
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let usable = |index: &&usize| {
            self.all.get(**index).is_some_and(|certified| certified.key.choose_scheme(schemes).is_some())
        };
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let exact = self.exact.get(&name).and_then(|found| found.iter().find(usable));
            exact.or_else(|| {
                // A wildcard stands for one label.
                let (_, parent) = name.split_once('.')?;
                self.wildcard.get(parent)?.iter().find(usable)
            })
        });
        match named {
            Some(index) => self.all.get(*index).cloned(),
            None => {
                let fitting =
                    self.all.iter().find(|certified| certified.key.choose_scheme(schemes).is_some());
                fitting.or_else(|| self.all.first()).cloned()
            }
        }
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(challenges) = &self.challenges {
            let mut offered = hello.alpn().into_iter().flatten();
            // RFC 8737: this protocol and no other.
            if offered.next() == Some(ACME_TLS_ALPN) && offered.next().is_none() {
                return challenges.certificate_for(hello.server_name()?);
            }
        }
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}
