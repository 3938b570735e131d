//! What the local CA has revoked: the list beside it, extended and signed anew each time.

use std::path::{Path, PathBuf};

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::authority::{self, Authority};
use crate::certificate;
use crate::clock;
use crate::folder;
use crate::pem_file;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// It is on the list now.
    Done {
        /// The serial number, hexadecimal.
        serial: String,
        /// Whose certificate it was.
        subject: String,
    },
    /// It was on the list before.
    Already {
        /// The serial number, hexadecimal.
        serial: String,
    },
}

impl Authority {
    /// Revokes the certificate in a file.
    ///
    /// # Errors
    /// When this CA has not signed it, or when the list cannot be written.
    pub fn revoke(&self, file: &Path) -> Result<Revocation, Trouble> {
        let chain = pem_file::certificates(file, &pem_file::read(file)?)?;
        let facts = certificate::chain_facts(file, &chain)?;
        if !chain.first().is_some_and(|certificate| self.has_signed(certificate)) {
            return Err(Trouble::new(
                file,
                format!("was not signed by the local CA in {}", self.folder().display()),
                "only the CA that has signed a certificate can revoke it",
            ));
        }
        let _alone = authority::lock(self.folder())?;
        let mut revoked = self.revoked()?;
        let serial = hexadecimal(&facts.serial);
        if revoked.iter().any(|other| hexadecimal(other.serial_number.as_ref()) == serial) {
            return Ok(Revocation::Already { serial });
        }
        revoked.push(RevokedCertParams {
            serial_number: SerialNumber::from_slice(&facts.serial),
            revocation_time: clock::now(),
            reason_code: None,
            invalidity_date: None,
        });
        self.write_list(revoked)?;
        Ok(Revocation::Done { serial, subject: facts.subject })
    }

    /// The file of the certificate that `tidegate cert` made for this common name or with this serial number, newest first
    /// where a name was given twice.
    ///
    /// # Errors
    /// When there is none.
    pub fn issued_as(&self, name: &str) -> Result<PathBuf, Trouble> {
        let folder = folder::issued(self.folder());
        let wanted = format!("CN={name}");
        let mut found: Vec<_> = self.issued()?;
        found.retain(|issued| issued.subject == wanted || issued.serial == name.to_ascii_lowercase());
        found.retain(|issued| !issued.revoked);
        found.sort_by_key(|issued| issued.not_after);
        found.pop().map(|issued| issued.file).ok_or_else(|| {
            Trouble::new(
                &folder,
                format!("has no certificate for `{name}` that is not revoked yet"),
                "`tidegate cert show` lists them; or name the file of the certificate",
            )
        })
    }

    /// Makes an empty list where there is none.
    pub(crate) fn keep_list(&self) -> Result<(), Trouble> {
        if self.can_sign() && !folder::revocation_list(self.folder()).exists() {
            return self.write_list(Vec::new());
        }
        Ok(())
    }

    /// Serial numbers on the list, hexadecimal.
    pub(crate) fn revoked_serials(&self) -> Result<Vec<String>, Trouble> {
        Ok(self.revoked()?.iter().map(|revoked| hexadecimal(revoked.serial_number.as_ref())).collect())
    }

    fn revoked(&self) -> Result<Vec<RevokedCertParams>, Trouble> {
        let file = folder::revocation_list(self.folder());
        if !file.exists() {
            return Ok(Vec::new());
        }
        let mut revoked = Vec::new();
        for list in pem_file::revocation_lists(&file, &pem_file::read(&file)?)? {
            let (_, list) = CertificateRevocationList::from_der(&list).map_err(|_| {
                let help = "move it away, and a new one is made; what it had revoked must be revoked again";
                Trouble::new(&file, "holds a revocation list that cannot be parsed", help)
            })?;
            revoked.extend(list.iter_revoked_certificates().map(|entry| RevokedCertParams {
                serial_number: SerialNumber::from_slice(entry.raw_serial()),
                revocation_time: entry.revocation_date.to_datetime(),
                reason_code: None,
                invalidity_date: None,
            }));
        }
        Ok(revoked)
    }

    fn write_list(&self, revoked: Vec<RevokedCertParams>) -> Result<(), Trouble> {
        let file = folder::revocation_list(self.folder());
        let params = CertificateRevocationListParams {
            this_update: clock::now(),
            // Nobody signs a new one by the clock, so this one is good until then.
            next_update: self.not_after(),
            // The list only grows, so its length counts its versions.
            crl_number: SerialNumber::from(revoked.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(self.issuer()?).and_then(|list| list.pem());
        whole_file::write(&file, &list.map_err(|error| authority::failed(&file, &error))?, Secrecy::Public)
    }
}

/// As `openssl x509 -serial` writes it, in small letters; a zero that only keeps the number positive is left out.
pub(crate) fn hexadecimal(serial: &[u8]) -> String {
    let significant = serial.iter().position(|byte| *byte != 0).unwrap_or(serial.len());
    serial[significant..].iter().map(|byte| format!("{byte:02x}")).collect()
}
