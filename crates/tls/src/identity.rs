//! Who a client is, by its certificate. Only the certificate that the client has proved to own is looked at, and only
//! after its chain was verified.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Which part of a certificate names its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityRule {
    /// The common name of the subject.
    #[default]
    CommonName,
    /// The first DNS name among the subject's alternative names.
    SanDns,
    /// The first URI among them.
    SanUri,
    /// The first mail address among them.
    SanEmail,
}

impl IdentityRule {
    /// Every rule, by the word that a configuration has for it.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("cn", Self::CommonName),
        ("san_dns", Self::SanDns),
        ("san_uri", Self::SanUri),
        ("san_email", Self::SanEmail),
    ];

    fn what(self) -> &'static str {
        match self {
            Self::CommonName => "common name",
            Self::SanDns => "DNS name",
            Self::SanUri => "URI",
            Self::SanEmail => "mail address",
        }
    }

    /// The name of the client that has shown `chain`; `None` for a client without a certificate.
    ///
    /// # Errors
    /// When there is a certificate that names nobody by this rule. Such a client must not be taken for one without.
    pub fn identity(self, chain: &[CertificateDer<'_>]) -> Result<Option<String>, Unnamed> {
        let Some(first) = chain.first() else { return Ok(None) };
        let Ok((_, certificate)) = X509Certificate::from_der(first) else { return Err(Unnamed(self)) };
        let found = match self {
            Self::CommonName => certificate
                .subject()
                .iter_common_name()
                .next()
                .and_then(|name| name.as_str().ok())
                .map(str::to_owned),
            _ => self.alternative(&certificate),
        };
        // Invisible characters would let one name pass for another in a log or a rule.
        let usable = |name: &String| {
            !name.is_empty() && name.len() <= IDENTITY_BYTES_MAX && !name.chars().any(char::is_control)
        };
        found.filter(usable).map(Some).ok_or(Unnamed(self))
    }

    fn alternative(self, certificate: &X509Certificate<'_>) -> Option<String> {
        let names = certificate.subject_alternative_name().ok()??;
        names.value.general_names.iter().find_map(|name| match (self, name) {
            (Self::SanDns, GeneralName::DNSName(name))
            | (Self::SanUri, GeneralName::URI(name))
            | (Self::SanEmail, GeneralName::RFC822Name(name)) => Some((*name).to_owned()),
            _ => None,
        })
    }
}

/// A certificate without the name that the rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unnamed(IdentityRule);

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client's certificate has no usable {}", self.0.what())
    }
}

impl std::error::Error for Unnamed {}

/// Longer than any name of a device, and short enough for every log line.
const IDENTITY_BYTES_MAX: usize = 1024;
