//! The local CA: made at the first start, kept ever after. It signs the server certificate, and what `tidegate cert`
//! makes for development.

use std::fs::File;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::{self, Facts};
use crate::clock;
use crate::folder;
use crate::pem_file;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};

/// The local CA as it lies in its folder.
pub struct Authority {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
    facts: Facts,
    /// `None`: its key was taken away. What it has signed goes on to work; it signs nothing more.
    issuer: Option<Issuer<'static, KeyPair>>,
}

impl Authority {
    /// Reads the CA in `folder`, or makes one when there is none.
    ///
    /// # Errors
    /// When the files cannot be used. They are left as they are.
    pub fn open_or_create(folder: &Path) -> Result<Self, Trouble> {
        whole_file::folder(folder)?;
        let _alone = lock(folder)?;
        if !folder::ca_certificate(folder).exists() {
            create(folder)?;
        }
        let authority = Self::open(folder)?;
        authority.keep_list()?;
        Ok(authority)
    }

    /// Reads the CA in `folder`.
    ///
    /// # Errors
    /// When there is none, or when its files cannot be used.
    pub fn open(folder: &Path) -> Result<Self, Trouble> {
        let (file, key_file) = (folder::ca_certificate(folder), folder::ca_key(folder));
        let mut chain = pem_file::certificates(&file, &pem_file::read(&file)?)?;
        let facts = certificate::chain_facts(&file, &chain)?;
        // Invariant: `certificates` returns at least one.
        let certificate = chain.swap_remove(0);
        let issuer = match key_file.exists() {
            true => Some(read_issuer(&certificate, &file, &key_file)?),
            false => None,
        };
        Ok(Self { folder: folder.to_owned(), certificate, facts, issuer })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its name.
    pub fn subject(&self) -> &str {
        &self.facts.subject
    }

    /// Its last moment, for a person.
    pub fn valid_until(&self) -> String {
        clock::text(self.facts.not_after)
    }

    pub(crate) fn not_after(&self) -> OffsetDateTime {
        self.facts.not_after
    }

    /// Whether its key is there.
    pub fn can_sign(&self) -> bool {
        self.issuer.is_some()
    }

    pub(crate) fn issuer(&self) -> Result<&Issuer<'static, KeyPair>, Trouble> {
        self.issuer.as_ref().ok_or_else(|| {
            Trouble::new(
                &folder::ca_key(&self.folder),
                "is not there, so the local CA cannot sign anything",
                "put the key back; or move ca.pem away too, and a new CA is made that clients must be given",
            )
        })
    }

    /// Whether this CA has signed `certificate`.
    pub(crate) fn has_signed(&self, certificate: &[u8]) -> bool {
        let Ok((_, ca)) = X509Certificate::from_der(&self.certificate) else { return false };
        let Ok((_, other)) = X509Certificate::from_der(certificate) else { return false };
        other.issuer() == ca.subject() && other.verify_signature(Some(ca.public_key())).is_ok()
    }

    /// A certificate that is signed now must not outlive its CA.
    pub(crate) fn not_later_than_mine(&self, moment: OffsetDateTime) -> OffsetDateTime {
        moment.min(self.facts.not_after)
    }
}

/// Whether a CA of this program, perhaps an earlier one, has signed `certificate`.
pub(crate) fn is_of_a_local_ca(certificate: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let names = certificate.issuer().iter_common_name();
    names.filter_map(|name| name.as_str().ok()).any(|name| name.starts_with(NAME))
}

/// Held while files of the folder are made, so that two programs do not make two CAs.
pub(crate) fn lock(folder: &Path) -> Result<File, Trouble> {
    let opened = File::open(folder).map_err(|error| Trouble::reading(folder, &error))?;
    opened.lock().map_err(|error| Trouble::writing(folder, &error))?;
    Ok(opened)
}

fn read_issuer(
    certificate: &CertificateDer<'static>,
    file: &Path,
    key_file: &Path,
) -> Result<Issuer<'static, KeyPair>, Trouble> {
    let key = read_key(key_file)?;
    let belongs = X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| {
        certificate.public_key().subject_public_key.data == key.public_key_raw()
    });
    if !belongs {
        return Err(Trouble::new(
            key_file,
            format!("does not belong to the CA in {}", file.display()),
            "put the two files of one CA together; or move both away, and a new CA is made that clients must be given",
        ));
    }
    Issuer::from_ca_cert_der(certificate, key).map_err(|error| failed(file, &error))
}

fn read_key(file: &Path) -> Result<KeyPair, Trouble> {
    let bytes = pem_file::read(file)?;
    pem_file::private_key(file, &bytes)?;
    KeyPair::from_pem(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        let help =
            "put the key of ca.pem back; or move both away, and a new CA is made that clients must be given";
        Trouble::new(file, format!("cannot be used as the key of a CA: {error}"), help)
    })
}

/// The key first: a crash between leaves a key without a certificate, which nobody has seen, and which is used then.
fn create(folder: &Path) -> Result<(), Trouble> {
    let (file, key_file) = (folder::ca_certificate(folder), folder::ca_key(folder));
    let key = match key_file.exists() {
        true => read_key(&key_file)?,
        false => {
            let key = KeyPair::generate().map_err(|error| failed(&key_file, &error))?;
            whole_file::write(&key_file, &key.serialize_pem(), Secrecy::Secret)?;
            key
        }
    };
    let mut params = CertificateParams::default();
    // Part of the name, so that the CAs of two brokers are not mistaken for each other.
    let id: String = params.key_identifier(&key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("{NAME} {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = clock::now() - BACKDATED;
    params.not_after = clock::now() + LIFETIME;
    let certificate = params.self_signed(&key).map_err(|error| failed(&file, &error))?;
    whole_file::write(&file, &certificate.pem(), Secrecy::Public)
}

pub(crate) fn failed(file: &Path, error: &rcgen::Error) -> Trouble {
    Trouble::new(file, format!("cannot be made: {error}"), "see the message; names must be plain ASCII")
}

/// How its name begins.
const NAME: &str = "Tidegate local CA";
/// Clocks of small devices are late.
pub(crate) const BACKDATED: Duration = Duration::days(1);
/// Every client must be given a new CA by hand, so seldom.
const LIFETIME: Duration = Duration::days(3650);
