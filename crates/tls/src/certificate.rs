//! One certificate with its chain and key, as a listener presents it, and what must be known of it to choose it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock;
use crate::pem_file;
use crate::provider::provider;
use crate::trouble::Trouble;

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// The server certificate of the local CA.
    Local,
    /// Two files in PEM: the certificate with its chain, and its private key. Both may be the same file.
    Files {
        /// The certificate first, then what leads to its CA.
        certificate: PathBuf,
        /// PKCS#8, PKCS#1 or SEC1, not encrypted.
        key: PathBuf,
    },
    /// The certificate that ACME obtains; the local one while there is none yet.
    Acme,
}

/// A pair that fits, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certified: Arc<CertifiedKey>,
    /// DNS names, lower case, wildcards included.
    pub(crate) names: Vec<String>,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Certificate {
    /// Reads a pair and checks that it fits. Its dates are not judged here: see [`Certificate::out_of_date`].
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, Trouble> {
        let chain = pem_file::certificates(certificate, &pem_file::read(certificate)?)?;
        let private = pem_file::private_key(key, &pem_file::read(key)?)?;
        let Facts { names, not_before, not_after, .. } = chain_facts(certificate, &chain)?;
        let certified = CertifiedKey::from_der(chain, private, provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Trouble::new(
                key,
                format!("does not belong to the certificate in {}", certificate.display()),
                "put the certificate and the key of one request together",
            ),
            other => {
                Trouble::new(key, format!("cannot be used: {other}"), "use an ECDSA, Ed25519 or RSA key")
            }
        })?;
        Ok(Self { certified: Arc::new(certified), names, not_before, not_after })
    }

    /// What is wrong with its dates, if anything.
    pub(crate) fn out_of_date(&self, now: OffsetDateTime) -> Option<String> {
        if now >= self.not_after {
            Some(format!("has expired on {}", clock::text(self.not_after)))
        } else if now < self.not_before {
            Some(format!("is valid only from {} on", clock::text(self.not_before)))
        } else {
            None
        }
    }
}

/// What is read of a certificate.
pub(crate) struct Facts {
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<std::net::IpAddr>,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    pub(crate) subject: String,
    pub(crate) serial: Vec<u8>,
}

/// Checks that every certificate of a chain can be parsed, and reads the first.
pub(crate) fn chain_facts(file: &Path, chain: &[CertificateDer<'_>]) -> Result<Facts, Trouble> {
    for (index, der) in chain.iter().enumerate().skip(1) {
        facts(der).ok_or_else(|| unparsable(file, index))?;
    }
    chain.first().and_then(|first| facts(first)).ok_or_else(|| unparsable(file, 0))
}

fn unparsable(file: &Path, index: usize) -> Trouble {
    Trouble::new(
        file,
        format!("has a certificate (number {}) that cannot be parsed", index + 1),
        "ask whoever made it for an X.509 certificate in PEM",
    )
}

pub(crate) fn facts(der: &[u8]) -> Option<Facts> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    if let Some(alternatives) = certificate.subject_alternative_name().ok()? {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
    }
    let validity = certificate.validity();
    Some(Facts {
        names,
        addresses,
        not_before: validity.not_before.to_datetime(),
        not_after: validity.not_after.to_datetime(),
        subject: certificate.subject().to_string(),
        serial: certificate.tbs_certificate.serial.to_bytes_be(),
    })
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}
