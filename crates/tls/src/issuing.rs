//! Certificates that the local CA signs: what they say, and where they are put.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

use crate::authority::{self, Authority, BACKDATED};
use crate::certificate;
use crate::clock;
use crate::folder;
use crate::pem_file;
use crate::revocation::hexadecimal;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A client proves who it is.
    Client,
    /// A server does.
    Server,
}

/// Another name of whoever a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host, or `*.` and a domain.
    Dns(String),
    /// An address.
    Address(IpAddr),
    /// As SPIFFE uses it.
    Uri(String),
    /// A mail address.
    Email(String),
}

impl AlternativeName {
    /// Reads `dns:…`, `ip:…`, `uri:…` or `email:…`; without the word it is guessed.
    ///
    /// # Errors
    /// With what is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let address =
            |text: &str| text.parse().map(Self::Address).map_err(|_| format!("`{text}` is no IP address"));
        let name = match text.split_once(':') {
            Some(("dns", name)) => Self::Dns(name.into()),
            Some(("ip", name)) => address(name)?,
            Some(("uri", name)) => Self::Uri(name.into()),
            Some(("email", name)) => Self::Email(name.into()),
            _ if text.contains("://") => Self::Uri(text.into()),
            _ if text.contains('@') => Self::Email(text.into()),
            _ => address(text).unwrap_or_else(|_| Self::Dns(text.into())),
        };
        match &name {
            Self::Dns(name) if !is_host(name) => Err(format!("`{name}` is no host name")),
            Self::Uri(name) | Self::Email(name) if !is_visible(name) => {
                Err(format!("`{name}` has characters that a certificate cannot hold"))
            }
            _ => Ok(name),
        }
    }

    fn into_rcgen(self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.try_into()?),
            Self::Address(address) => SanType::IpAddress(address),
            Self::Uri(name) => SanType::URI(name.try_into()?),
            Self::Email(name) => SanType::Rfc822Name(name.try_into()?),
        })
    }
}

/// Whether it can stand as a DNS name in a certificate; underscores do in practice.
pub(crate) fn is_host(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a new certificate shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is for.
    pub usage: Usage,
    /// The common name of the subject.
    pub common_name: String,
    /// Further names.
    pub names: Vec<AlternativeName>,
    /// How long it is valid.
    pub days: u32,
}

/// A certificate with its key, in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Its last moment.
    pub not_after: OffsetDateTime,
}

impl Issued {
    /// Its last moment, for a person.
    pub fn valid_until(&self) -> String {
        clock::text(self.not_after)
    }
}

/// A certificate that was made earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The copy that is kept.
    pub file: PathBuf,
    /// Whom it is for.
    pub subject: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Its last moment.
    pub not_after: OffsetDateTime,
    /// Whether it is on the revocation list.
    pub revoked: bool,
}

impl Known {
    /// Its last moment, for a person.
    pub fn valid_until(&self) -> String {
        clock::text(self.not_after)
    }
}

impl Authority {
    /// Makes a key and signs a certificate for it.
    ///
    /// # Errors
    /// When the CA's key is not there, or a name cannot stand in a certificate.
    pub fn issue(&self, request: &Request) -> Result<Issued, Trouble> {
        let file = folder::ca_certificate(self.folder());
        let failed = |error| authority::failed(&file, &error);
        if !(1..=COMMON_NAME_MAX).contains(&request.common_name.chars().count()) {
            let what = format!("cannot sign a common name of no or more than {COMMON_NAME_MAX} characters");
            return Err(Trouble::new(&file, what, "choose another name; longer ones can be given as --san"));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.common_name.as_str());
        let names = request.names.iter().cloned().map(AlternativeName::into_rcgen);
        params.subject_alt_names = names.collect::<Result<_, _>>().map_err(failed)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match request.usage {
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        params.not_before = clock::now() - BACKDATED;
        params.not_after = self.not_later_than_mine(clock::now() + Duration::days(i64::from(request.days)));
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, self.issuer()?).map_err(failed)?;
        let serial = certificate::facts(certificate.der()).map(|facts| hexadecimal(&facts.serial));
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            serial: serial.unwrap_or_default(),
            not_after: params.not_after,
        })
    }

    /// Makes a certificate and puts it into `out` as `NAME.pem` and `NAME.key`. Nothing is overwritten. A copy of the
    /// certificate stays with the CA, so that it can be revoked by name.
    ///
    /// # Errors
    /// When a file is there already, or cannot be written.
    pub fn issue_into(&self, out: &Path, request: &Request) -> Result<(PathBuf, PathBuf, Issued), Trouble> {
        let name = file_name(&request.common_name);
        let (file, key_file) = (out.join(format!("{name}.pem")), out.join(format!("{name}.key")));
        let issued = self.issue(request)?;
        whole_file::folder(out)?;
        let copies = folder::issued(self.folder());
        whole_file::folder(&copies)?;
        // The copy first: a certificate that is out in the world can always be revoked by name.
        let copy = copies.join(format!("{}.pem", issued.serial));
        whole_file::write_new(&copy, &issued.certificate, Secrecy::Public)?;
        let written = whole_file::write_new(&key_file, &issued.key, Secrecy::Secret).and_then(|()| {
            whole_file::write_new(&file, &issued.certificate, Secrecy::Public)
                .inspect_err(|_| drop(std::fs::remove_file(&key_file)))
        });
        if let Err(trouble) = written {
            drop(std::fs::remove_file(&copy));
            return Err(trouble);
        }
        Ok((file, key_file, issued))
    }

    /// The certificates that were made by [`issue_into`](Self::issue_into), in the order of their names.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn issued(&self) -> Result<Vec<Known>, Trouble> {
        let folder = folder::issued(self.folder());
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Trouble::reading(&folder, &error)),
        };
        let revoked = self.revoked_serials()?;
        let mut known = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| Trouble::reading(&folder, &error))?.path();
            if file.extension().is_none_or(|extension| extension != "pem") {
                continue;
            }
            let chain = pem_file::certificates(&file, &pem_file::read(&file)?)?;
            let facts = certificate::chain_facts(&file, &chain)?;
            let serial = hexadecimal(&facts.serial);
            let revoked = revoked.contains(&serial);
            known.push(Known { file, subject: facts.subject, serial, not_after: facts.not_after, revoked });
        }
        known.sort_by(|a, b| (&a.subject, a.not_after).cmp(&(&b.subject, b.not_after)));
        Ok(known)
    }
}

/// A common name as the name of a file.
fn file_name(common_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let name: String = common_name.chars().map(plain).collect();
    // No hidden file, and no way up.
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

/// The bound of X.520; OpenSSL keeps it too.
const COMMON_NAME_MAX: usize = 64;
